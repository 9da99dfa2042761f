"""One problem: chances of k samples drawn without replacement from n, of which c are correct."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ds3sim.core.check import numbers
from ds3sim.core.errors import InputError
from ds3sim.fit.logs.log import MOST_SAMPLES
from ds3sim.theory.binomial import stirling_error

_DIRECT = 64


def chance_of_any(n: ArrayLike, correct: ArrayLike, k: ArrayLike) -> np.ndarray:
    """Chance that k samples drawn without replacement from n, of which c are correct, hold a correct one.

    1 - C(n-c, k) / C(n, k), the unbiased estimate of 1 - (1-p)^k (Chen et al. 2021, arXiv 2107.03374,
    equation 1). Undefined beyond k = n, where no unbiased estimate exists.

    Args:
        n: samples, whole, 1 <= n <= 10^9.
        correct: c, whole, 0 <= c <= n.
        k: whole, >= 1. The three broadcast.

    Returns:
        float64; NaN where k > n. Relative error below 1e-10 for n <= 10^6.

    Raises:
        InputError: an argument outside its range.
    """
    return _chance(n, correct, k, lambda n, c, k: -np.expm1(_log_none(n, c, k)))


def chance_of_all(n: ArrayLike, correct: ArrayLike, k: ArrayLike) -> np.ndarray:
    """pass^k: chance that k samples drawn without replacement are all correct, C(c, k) / C(n, k).

    The unbiased estimate of p^k (Yao et al. 2024, tau-bench, arXiv 2406.12045). Arguments, result and errors
    as for :func:`chance_of_any`; relative error below 1e-8.
    """
    return _chance(n, correct, k, lambda n, c, k: np.exp(_log_none(n, n - c, k)))


def _chance(n: ArrayLike, correct: ArrayLike, k: ArrayLike, formula: Callable[..., np.ndarray]) -> np.ndarray:
    """``formula`` of whole numbers with c <= n and k <= n; NaN where k > n."""
    given = (("n", n, 1), ("correct", correct, 0), ("k", k, 1))
    arrays = (numbers(name, values, whole=True, low=low, high=MOST_SAMPLES) for name, values, low in given)
    whole_n, c, whole_k = np.broadcast_arrays(*arrays)
    if (c > whole_n).any():
        at = np.flatnonzero((c > whole_n).ravel())[0]
        raise InputError(f"correct = {c.flat[at]:g} is more than n = {whole_n.flat[at]:g}")
    return np.where(whole_k <= whole_n, formula(whole_n, c, np.minimum(whole_k, whole_n)), np.nan)[()]


def _log_none(n: np.ndarray, c: np.ndarray, k: np.ndarray) -> np.ndarray:
    """log of C(n-c, k) / C(n, k) for k <= n, -inf where k > n - c; symmetric in c and k.

    The product of (n-c-i)/(n-i) over i < k, or with c and k exchanged, where the shorter of the two has at
    most ``_DIRECT`` factors. Else Stirling's form with the large terms combined before they cancel: with
    m = n-c-k and g(z) = log z! - z log z + z,
    (n-c) log1p(-c/n) + (n-k) log1p(-k/n) - m log1p(-(c+k)/n) + g(n-c) + g(n-k) - g(m) - g(n); its relative
    error is about 2 eps n / min(c, k), below 1e-11 for n = 10^6. (Plain log-gamma loses nine digits there.)
    """
    shape = n.shape
    n, c, k = n.ravel(), c.ravel(), k.ravel()
    few, many = np.minimum(c, k), np.maximum(c, k)
    out = np.zeros(n.shape)
    none = few + many > n
    out[none] = -np.inf
    short = ~none & (few <= _DIRECT)
    for i in range(int(few[short].max(initial=0))):
        on = short & (few > i)
        with np.errstate(divide="ignore"):
            out[on] += np.log1p(-many[on] / (n[on] - i))
    long = ~none & (few > _DIRECT)
    if long.any():
        n, c, k = n[long], c[long], k[long]
        m = n - c - k
        main = special.xlog1py(n - c, -c / n) + special.xlog1py(n - k, -k / n)
        # m = 0 has -(c+k)/n = -1: 0 * log 0 = 0
        last = np.where(m > 0, m * np.log1p(np.where(m > 0, -(c + k) / n, 0.0)), 0.0)
        out[long] = main - last + _rest(n - c) + _rest(n - k) - _rest(m) - _rest(n)
    return out.reshape(shape)


def _rest(z: np.ndarray) -> np.ndarray:
    """log z! - z log z + z, 0 at z = 0."""
    return stirling_error(z) + 0.5 * np.log(2.0 * np.pi * np.where(z > 0, z, 0.5 / np.pi))
