"""Binomials and multinomials of very many traces, at the full relative accuracy of rare chances."""

from __future__ import annotations

import numpy as np

RARE = 2.0**-28
"""Below this, digits of a chance are lost in 1 - p: in multinomials, and in binomials of some versions of NumPy."""
THINNED = 2.0**-20


def multinomial(rng: np.random.Generator, count: int, law: np.ndarray) -> np.ndarray:
    """How ``count`` traces split by ``law``, int64 of its shape; rare outcomes are drawn first, one after the other."""
    rare = np.flatnonzero((law > 0) & (law < RARE))
    if not rare.size:
        return rng.multinomial(count, law)
    out = np.zeros(law.size, np.int64)
    left, rest = int(count), 1.0
    for i in rare.tolist():
        out[i] = binomial(rng, left, law[i] / rest)
        left, rest = left - out[i], rest - law[i]
    usual = np.flatnonzero(law >= RARE)
    out[usual] = rng.multinomial(left, law[usual] / law[usual].sum())
    return out


def binomial(rng: np.random.Generator, count: int, chance: float) -> int:
    """Binomial(count, chance) at the full relative accuracy of a rare chance: who is in a share of a share of ..."""
    if 0.0 < chance < RARE:
        while 0.0 < chance < THINNED and count:
            count, chance = int(rng.binomial(count, THINNED)), chance / THINNED
    return int(rng.binomial(count, chance))
