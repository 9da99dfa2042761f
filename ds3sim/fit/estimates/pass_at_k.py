"""Success at k samples, straight from the counts: unbiased, no model, never beyond k = n (docs/logs.md)."""

from __future__ import annotations

import numpy as np
from scipy import special

from ds3sim.core.errors import InputError, require
from ds3sim.fit.logs.records import MOST_SAMPLES

_DIRECT = 64


# ---- one problem -------------------------------------------------------------------------------


def pass_at_k(n, correct, k) -> np.ndarray:
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
    n, c, k = _checked(n, correct, k)
    return np.where(k <= n, -np.expm1(_log_none(n, c, np.minimum(k, n))), np.nan)[()]


def pass_hat_k(n, correct, k) -> np.ndarray:
    """pass^k: chance that k samples drawn without replacement are all correct, C(c, k) / C(n, k).

    The unbiased estimate of p^k (Yao et al. 2024, tau-bench, arXiv 2406.12045). Arguments, result and errors
    as for :func:`pass_at_k`; relative error below 1e-8.
    """
    n, c, k = _checked(n, correct, k)
    return np.where(k <= n, np.exp(_log_none(n, n - c, np.minimum(k, n))), np.nan)[()]


def _checked(n, correct, k):
    arrays = []
    for name, values, low in (("n", n, 1), ("correct", correct, 0), ("k", k, 1)):
        array = np.asarray(values)
        require(array.dtype.kind in "iuf", f"{name} must be whole numbers")
        bad = ~(np.isfinite(array) & (array >= low) & (array <= MOST_SAMPLES) & (np.floor(array) == array))
        if bad.any():
            raise InputError(
                f"{name} = {array[bad].flat[0]:g} is not allowed: it must be a whole number, {low} to {MOST_SAMPLES:g}"
            )
        arrays.append(array.astype(np.float64))
    n, c, k = np.broadcast_arrays(*arrays)
    if (c > n).any():
        at = np.flatnonzero((c > n).ravel())[0]
        raise InputError(f"correct = {c.flat[at]:g} is more than n = {n.flat[at]:g}")
    return n, c, k


def _log_none(n, c, k) -> np.ndarray:
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
        out[long] = main - last + _stirling_rest(n - c) + _stirling_rest(n - k) - _stirling_rest(m) - _stirling_rest(n)
    return out.reshape(shape)


_SMALL = np.array([0.0] + [special.gammaln(z + 1.0) - z * np.log(z) + z for z in range(1, 32)])


def _stirling_rest(z) -> np.ndarray:
    """log z! - z log z + z, 0 at z = 0."""
    big = np.maximum(z, 32.0)
    series = (
        1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * big * big)) / (big * big)) / (big * big)
    ) / big
    return np.where(z < 32, _SMALL[np.minimum(z, 31).astype(np.int64)], 0.5 * np.log(2.0 * np.pi * big) + series)


# ---- curves ------------------------------------------------------------------------------------


# ---- helpers -----------------------------------------------------------------------------------
