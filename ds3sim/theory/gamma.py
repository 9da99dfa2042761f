"""Gamma functions without cancellation: Stirling's error, ratios, rising factorials."""

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
