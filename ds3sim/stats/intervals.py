"""Confidence intervals for counts and for means of bounded variables.

Arguments broadcast; every function returns a pair (low, high) of float64 arrays.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from ds3sim.core.check import Numbers, confidence, counted, numbers

NORMAL_95 = 1.959963984540054
"""Half width of a normal 95% interval in standard errors."""


def normal_quantile(p: Numbers) -> np.ndarray:
    """z with chance ``p`` below it under the standard normal law, float64."""
    return special.ndtri(p)


def clopper_pearson(hits: Numbers, trials: Numbers, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact binomial interval of Clopper and Pearson (1934), "The use of confidence or fiducial limits".

    Its coverage is at least ``level`` for every n and p. With a = 1 - level, low solves
    P(X >= h | p) = a/2 and high solves P(X <= h | p) = a/2 for X binomial(n, p): quantiles of
    Beta(h, n - h + 1) and Beta(h + 1, n - h). low is 0 at h = 0 and high is 1 at h = n, both exactly.

    Args:
        hits: h, whole numbers in [0, n].
        trials: n, whole numbers in [0, 10^15]; n = 0 gives (0, 1).
        level: in (0, 1).

    Returns:
        low, high: float64, the broadcast shape. The tails at the ends are right to about 1e-8
        relative, or to the spacing of float64 at p where that is coarser (p near 1).

    Raises:
        InputError: counts that are not whole or out of range, a level outside (0, 1).
    """
    h, n = counted(hits, trials)
    tail = 0.5 * (1.0 - confidence(level))
    # 1.0 stands in for a shape parameter of 0, whose quantile np.where replaces.
    low = np.where(h > 0, special.betaincinv(np.maximum(h, 1.0), n - h + 1.0, tail), 0.0)
    high = np.where(h < n, special.betainccinv(h + 1.0, np.maximum(n - h, 1.0), tail), 1.0)
    return low, high


def mean_interval(
    mean: Numbers, variance: Numbers, trials: Numbers, span: Numbers, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Interval for the mean of independent variables that lie in a range of width ``span``.

    The half width is z sqrt(variance / n) + span ln(2 / a) / n with a = 1 - level (ours). The first term is the normal
    interval. The second is a guard against what the sample did not show: were all n values equal, an event of
    probability up to ln(2 / a) / n could have been missed, and it would move the mean by at most ``span`` times that.
    So the interval is never of width zero unless ``span`` is; the guard falls as 1/n and soon does not matter. For
    variables with two values ``span`` apart the coverage is at least about ``level`` (tests enumerate it).

    Args:
        mean, variance: of the sample; the variance may be divided by n or n - 1.
        trials: n >= 1.
        span: largest minus smallest possible value, >= 0.
        level: in (0, 1).

    Returns:
        low, high: float64, the broadcast shape; not clipped to the possible range.

    Raises:
        InputError: no trials, a negative or NaN variance or span, a level outside (0, 1).
    """
    mean, n = np.asarray(mean, dtype=np.float64), numbers("trials", trials, low=1)
    variance, span = numbers("variance", variance, low=0), numbers("span", span, low=0)
    tail = 1.0 - confidence(level)
    half = -normal_quantile(0.5 * tail) * np.sqrt(variance / n) + span * math.log(2.0 / tail) / n
    return mean - half, mean + half
