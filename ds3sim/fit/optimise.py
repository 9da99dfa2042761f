"""Maximize a smooth function of u = (A, log alpha, log beta) within its box: L-BFGS-B of SciPy, then Newton steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from ds3sim.core.errors import require
from ds3sim.fit.likelihood import BOX, Valued

STARTS = [(a, math.log(p), math.log(b)) for a in (0.5, 0.9) for p in (0.15, 0.5, 2.0) for b in (0.5, 4.0, 40.0)]


def maximum(function: Valued, starts: Sequence[ArrayLike] = STARTS) -> np.ndarray:
    """u of the largest value that the ascents from ``starts`` find; A = 1 where freeing A gains nothing.

    Raises:
        InputError: no finite value.
    """
    with np.errstate(all="ignore"):
        ends = [minimize(lambda u: tuple(-v for v in function(u)), start, jac=True, method="L-BFGS-B", bounds=BOX,
                         options={"ftol": 1e-14, "gtol": 1e-7, "maxiter": 100}) for start in starts]  # fmt: skip
    good = [end for end in ends if np.isfinite(end.fun)]
    require(bool(good), "the fit found no finite optimum: look at the data")
    u = _newton(function, min(good, key=lambda end: end.fun).x)
    edge = _newton(function, np.array([1.0, *u[1:]]), held=1)
    here, there = function(u)[0], function(edge)[0]
    return edge if there >= here - 1e-9 * (1.0 + abs(here)) else u


def _newton(function: Valued, u: np.ndarray, held: int = 0) -> np.ndarray:
    """A few Newton steps over the coordinates that are inside the box, from ``held`` on; each has to gain."""
    best = function(u)
    for _ in range(8):
        free = (u > BOX[:, 0]) & (u < BOX[:, 1])
        free[:held] = False
        if not free.any():
            break
        bend, new = -hessian(function, u)[np.ix_(free, free)], u.copy()
        if not np.isfinite(bend).all():
            break
        new[free] += np.linalg.lstsq(bend, best[1][free], rcond=None)[0]
        new = np.clip(new, BOX[:, 0], BOX[:, 1])
        found = function(new)
        if not found[0] >= best[0] or np.array_equal(new, u):
            break
        u, best = new, found
    return u


def hessian(function: Valued, u: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Second derivatives, by central differences of the gradient, float64 [3, 3]."""
    moves = np.eye(u.size) * step
    out = np.array([(function(u + move)[1] - function(u - move)[1]) / (2 * step) for move in moves])
    return 0.5 * (out + out.T)
