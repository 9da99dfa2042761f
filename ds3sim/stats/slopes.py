"""Lines fitted to points: slopes and exponents."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import Numbers


@dataclass(frozen=True)
class Exponent:
    """The slope of ln y in ln C by least squares over ``points``, and its standard error (residuals taken as
    independent; None with two points)."""

    value: float
    error: float | None
    points: int


def exponent(compute: Numbers, values: Numbers) -> Exponent | None:
    """Slope of ln ``values`` in ln ``compute`` with its standard error; None with fewer than two points.

    The error measures how far the curve is from a straight line: the optima themselves have no noise.
    """
    x, y = np.log(np.asarray(compute, dtype=np.float64)), np.log(np.asarray(values, dtype=np.float64))
    if x.size < 2 or np.ptp(x) == 0:
        return None
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    residual = y - y.mean() - slope * x
    error = float(np.sqrt(residual @ residual / (x.size - 2) / (x @ x))) if x.size > 2 else None
    return Exponent(slope, error, int(x.size))


def fitted_line(x: Numbers, y: Numbers) -> tuple[float, float, float, float]:
    """Least squares y = intercept + slope x: slope, its standard error, intercept, R^2."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    dx = x - x.mean()
    spread = (dx * dx).sum()
    slope = float((dx * y).sum() / spread)
    intercept = float(y.mean() - slope * x.mean())
    rest = ((y - intercept - slope * x) ** 2).sum()
    total = ((y - y.mean()) ** 2).sum()
    error = math.sqrt(rest / max(1, len(x) - 2) / spread)
    return slope, error, intercept, float(1 - rest / total) if total > 0 else 1.0
