"""The binomial law in float64: probabilities and both tails, to a few units in the last digits.

``scipy.special.betainc`` is not used here: SciPy 1.17 forms 1 - r and raises it to the power K, which
is off by 1e-8 at K = 1e9 and by 1e-12 at K = 1e5, and it returns 0 for some values near 1e-260.
Here the probability comes from Loader's form, and the smaller of the two tails from a continued
fraction of positive terms, so each tail keeps its digits however small it is.

Loader: C. Loader, "Fast and accurate computation of binomial probabilities" (2000).
Continued fraction: A. R. Didonato, A. H. Morris, "Algorithm 708", ACM TOMS 18 (1992), 360-373.
"""

from __future__ import annotations

import numpy as np

from ds3sim.core.check import Numbers
from ds3sim.theory.gamma import stirling_error

_CONVERGED = 4e-16
_MOST_TERMS = 200_000


def _deviance(x: np.ndarray, mean: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """x log(x/mean) + mean - x with ``excess`` = x - mean; no digits lost where x is near mean."""
    v = excess / (x + mean)
    v = np.where(np.abs(v) < 0.1, v, 0.0)
    square = v * v
    series = np.zeros_like(v)
    for j in range(10, 0, -1):
        series = (series + 1.0 / (2 * j + 1)) * square
    near = excess * v + 2.0 * x * v * series
    far = x * np.log(np.where(x > 0, x / mean, 1.0)) - excess
    return np.where(v != 0, near, np.where(excess == 0, 0.0, far))


def binomial_pmf(k: Numbers, n: Numbers, p: Numbers) -> np.ndarray:
    """P(Bin(n, p) = k), float64 of the broadcast shape; 0 outside 0 <= k <= n.

    Args:
        k, n: whole numbers (any dtype), not checked.
        p: probability, not checked.
    """
    k, n, p = (np.asarray(v, dtype=np.float64) for v in np.broadcast_arrays(k, n, p))
    out = np.zeros(k.shape)
    sure = ((p == 0) & (k == 0)) | ((p == 1) & (k == n))
    out[sure & (n >= 0)] = 1.0
    inside = (p > 0) & (p < 1) & (k >= 0) & (k <= n)
    if not inside.any():
        return out
    k, n, p = k[inside], n[inside], p[inside]
    log_q = np.log1p(-p)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        excess = k - n * p
        left = n - k
        exponent = stirling_error(n) - stirling_error(k) - stirling_error(left)
        exponent -= _deviance(k, n * p, excess) + _deviance(left, n * (1.0 - p), -excess)
        middle = np.exp(exponent) * np.sqrt(n / (2.0 * np.pi * k * left))
        out[inside] = np.where(k == 0, np.exp(n * log_q), np.where(left == 0, np.exp(n * np.log(p)), middle))
    return out


def _fraction(a: np.ndarray, b: np.ndarray, x: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """x^a (1-x)^b / B(a, b) / I_x(a, b) for 1-d arrays, where x <= a/(a+b).

    ``excess`` = a - (a + b) x >= 0. With b whole all terms are positive up to the b-th, which ends
    the fraction. Modified Lentz; finished lanes are dropped now and then.
    """
    result = np.empty_like(x)
    lane = np.arange(x.size)
    value = a * (excess + 1.0) / (a + 1.0)
    c, d = value.copy(), np.zeros_like(value)
    for n in range(1, _MOST_TERMS):
        odd = a + (2 * n - 1)
        numerator = (a + (n - 1)) * (a + b + (n - 1)) * (n * x / odd) * ((b - n) * x / odd)
        denominator = n + n * (b - n) * x / odd + (a + n) * (excess + 1.0 + n * (2.0 - x)) / (odd + 2.0)
        d = 1.0 / (denominator + numerator * d)
        c = denominator + numerator / c
        delta = np.where(n <= b, c * d, 1.0)
        value = value * delta
        if n % 8 == 0 or n < 3:
            going = (np.abs(delta - 1.0) > _CONVERGED) & (n < b)
            if not going.all():
                done = ~going
                result[lane[done]] = value[done]
                lane, a, b, x, excess = (v[going] for v in (lane, a, b, x, excess))
                value, c, d = value[going], c[going], d[going]
            if lane.size == 0:
                return result
    result[lane] = value  # not reached for counts below 2^53; the last convergent is then the best there is
    return result


def binomial_tails(k: Numbers, n: Numbers, p: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """P(Bin(n, p) >= k) = I_p(k, n-k+1) and P(Bin(n, p) < k), float64, broadcast.

    The smaller one is computed, the other is its complement. ``k`` and ``n`` are whole numbers,
    ``p`` a probability; none is checked. k <= 0 gives (1, 0), k > n gives (0, 1).
    """
    k, n, p = (np.asarray(v, dtype=np.float64) for v in np.broadcast_arrays(k, n, p))
    upper = np.where(k <= 0, 1.0, np.where((p == 1) & (k <= n), 1.0, 0.0))
    lower = np.subtract(1.0, upper, out=np.empty_like(upper))
    inside = (k > 0) & (k <= n) & (p > 0) & (p < 1)
    if not inside.any():
        return upper, lower
    k, n, p = k[inside], n[inside], p[inside]
    excess = k - (n + 1.0) * p
    high = excess >= 0  # the upper tail is the smaller one, about
    a, b = np.where(high, k, n - k + 1.0), np.where(high, n - k + 1.0, k)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        front = k * (1.0 - p) * binomial_pmf(k, n, p)
        tail = front / _fraction(a, b, np.where(high, p, 1.0 - p), np.abs(excess))
    tail = np.clip(tail, 0.0, 1.0)
    upper[inside] = np.where(high, tail, 1.0 - tail)
    lower[inside] = np.where(high, 1.0 - tail, tail)
    return upper, lower
