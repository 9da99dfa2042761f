"""Roots of many functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_MOST_ROUNDS = 200
"""Far more than it takes."""


def crossing(
    low: np.ndarray, high: np.ndarray, excess: Callable[[np.ndarray], np.ndarray], tolerance: float = 2.0**-51
) -> np.ndarray:
    """Where ``excess``, not above 0 before a point of [low, high] and above 0 after it, changes its sign, to a relative
    ``tolerance``: ``high`` where it is nowhere above 0, ``low`` where it is everywhere.

    The bracketing method of Chandrupatla, Adv. Eng. Softw. 28 (1997) 145: inverse quadratic interpolation, or halving
    where the last three points do not allow it (as where the excess is infinite).
    """
    a, b = high, low  # a: the newest point, b: one of the other sign, c: the one before
    fa, fb = excess(high), excess(low)
    never, always = ~(fa > 0), fb > 0
    t = np.where(never | always, 0.0, 0.5)
    with np.errstate(all="ignore"):
        for _ in range(_MOST_ROUNDS):
            x = a + t * (b - a)
            fx = excess(x)
            same = (fx > 0) == (fa > 0)
            c, fc = np.where(same, a, b), np.where(same, fa, fb)
            b, fb = np.where(same, b, a), np.where(same, fb, fa)
            a, fa = x, fx
            share = tolerance * np.abs(a) / np.abs(b - a)
            done = never | always | ~(share < 0.5)
            if done.all():
                break
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            smooth = (phi * phi < xi) & ((1 - phi) ** 2 < 1 - xi)
            t = fa / (fb - fa) * (fc / (fb - fc)) + (c - a) / (b - a) * (fa / (fc - fa)) * (fb / (fc - fb))
            t = np.clip(np.where(smooth & np.isfinite(t), t, 0.5), share, 1 - share)
            t = np.where(done, 0.0, t)
    return np.where(never, high, np.where(always, low, np.where(np.abs(fa) < np.abs(fb), a, b)))
