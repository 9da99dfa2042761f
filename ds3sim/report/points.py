"""Points of a figure, with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ds3sim.stats.intervals import NORMAL_95


@dataclass(frozen=True)
class Points:
    """Simulated values with 95% intervals, the theory at them, and z (NaN: not compared); float64 arrays of one shape.

    ``traces`` is how many trials each value rests on.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    theory: np.ndarray
    z: np.ndarray
    traces: int

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Points:
        """A growing function of the values; z stays."""
        value, low, high, theory = (function(v) for v in (self.value, self.low, self.high, self.theory))
        return Points(value, low, high, theory, self.z, self.traces)


def joined(parts: Sequence[Points]) -> Points:
    """One after the other."""
    names = ("value", "low", "high", "theory", "z")
    value, low, high, theory, z = (np.concatenate([np.atleast_1d(getattr(p, n)) for p in parts]) for n in names)
    return Points(value, low, high, theory, z, parts[0].traces)


def around(value: np.ndarray, error: np.ndarray, theory: np.ndarray, traces: int) -> Points:
    """Means with normal 95% intervals from their standard errors, not compared with the theory."""
    half = NORMAL_95 * error
    return Points(value, value - half, value + half, theory, np.full(np.shape(value), np.nan), traces)
