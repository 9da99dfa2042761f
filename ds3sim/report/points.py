"""Points of a figure, with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Points:
    """Simulated values with 95% intervals, the theory at them, and z; float64 arrays of one shape."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    theory: np.ndarray
    z: np.ndarray
    traces: int

    def scaled(self, factor) -> Points:
        """In another unit."""
        return self.mapped(lambda v: v * factor)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Points:
        """A growing function of the values; z stays."""
        value, low, high, theory = (function(v) for v in (self.value, self.low, self.high, self.theory))
        return Points(value, low, high, theory, self.z, self.traces)

    def __getitem__(self, index) -> Points:
        value, low, high, theory, z = (p[index] for p in (self.value, self.low, self.high, self.theory, self.z))
        return Points(value, low, high, theory, z, self.traces)


def joined(parts: Sequence[Points]) -> Points:
    """One after the other."""
    names = ("value", "low", "high", "theory", "z")
    value, low, high, theory, z = (np.concatenate([np.atleast_1d(getattr(p, n)) for p in parts]) for n in names)
    return Points(value, low, high, theory, z, parts[0].traces)
