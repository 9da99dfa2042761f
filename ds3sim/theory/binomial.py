"""The binomial law in float64, both tails to a few units in the last digits, and gamma functions without cancellation.

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

_SHIFT = 12
_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
# log(n!) - log(sqrt(2 pi n) (n/e)^n), n = 1..15; beyond, the Stirling series has all digits.
_STIRLING_ERROR = np.array(
    [
        0.0,
        0.08106146679532725822,
        0.041340695955409294094,
        0.027677925684998339149,
        0.020790672103765093112,
        0.016644691189821192163,
        0.013876128823070747999,
        0.011896709945891770095,
        0.010411265261972096497,
        0.0092554621827127329177,
        0.0083305634333628712565,
        0.007573675487951840795,
        0.0069428401072095298657,
        0.0064089941880042070684,
        0.0059513701127588477356,
        0.005554733551962801371,
    ]
)


def _higher(x: Numbers) -> Numbers:
    """Stirling's error of log Gamma(x) without its first term 1/(12 x), x >= 12."""
    square = 1.0 / (x * x)
    out = 0.0 * x
    for coefficient in reversed(_SERIES[1:]):
        out = out * square + coefficient
    return out * square / x


def log_ratio(a: Numbers, b: Numbers, n: Numbers) -> Numbers:
    """log B(a, b) - log B(a, b+n) >= 0, so that a Beta(a, b) rate fails n times with chance exp(-it).

    Args:
        a, b: > 0. n: >= 0, need not be whole. They broadcast.

    Returns:
        float64 of the broadcast shape; relative error about 1e-14 for n up to 1e12.
    """
    y = b + n
    steps = np.arange(float(_SHIFT))
    a_, b_, n_, y_ = (np.asarray(v)[..., None] for v in (a, b, n, y))
    # the shift: sum of log (b+i+a)(y+i) / ((b+i)(y+i+a)), each factor 1 + a n / ((b+i)(y+i+a))
    exact = np.log1p((a_ / (b_ + steps)) * (n_ / (y_ + steps + a_))).sum(-1)
    x, y = b + _SHIFT, y + _SHIFT
    share = n / (x + a)
    large = a * np.log1p(share) + (x - 0.5) * np.log1p(-(a / y) * share) + n * np.log1p(a / y)
    first = _SERIES[0] * a * (1.0 / (x * (x + a)) - 1.0 / (y * (y + a)))
    rest = (_higher(y + a) - _higher(y)) - (_higher(x + a) - _higher(x))
    return exact + large + first + rest


def log_rising(x: Numbers, k: Numbers) -> Numbers:
    """log Gamma(x+k) - log Gamma(x) = log x (x+1) ... (x+k-1) for whole k; x > 0, x + k > 0; broadcast.

    Absolute error about 1e-16 |k| (1 + log(x+k)).
    """
    steps = np.arange(float(_SHIFT))
    shift = np.log1p(np.asarray(k)[..., None] / (np.asarray(x)[..., None] + steps)).sum(-1)
    x = x + _SHIFT
    large = (x - 0.5) * np.log1p(k / x) + k * np.log(x + k) - k
    return large - _SERIES[0] * k / (x * (x + k)) + _higher(x + k) - _higher(x) - shift


def stirling_error(n: np.ndarray) -> np.ndarray:
    """log n! - log(sqrt(2 pi n) (n/e)^n) for n >= 0 (0 at n = 0)."""
    large = np.maximum(n, 16.0)
    small = np.take(_STIRLING_ERROR, np.minimum(n, 15).astype(np.int64))
    return np.where(n > 15, _SERIES[0] / large + _higher(large), small)


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
