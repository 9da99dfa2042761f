"""Intervals for means over problems: the bootstrap with problems as units, and a two-level one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from ds3sim.core.check import Numbers, confidence, whole_number
from ds3sim.core.errors import require

RESAMPLES = 4000
_BLOCK = 2**23


def bootstrap(
    values: Numbers,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[np.ndarray, np.ndarray]:
    """BCa intervals for the mean over problems of each column, all columns on the same resamples.

    Efron 1987, "Better bootstrap confidence intervals" (BCa), with the expanded levels of Hesterberg 2015,
    "What teachers should know about the bootstrap", section 5.2: a/2 is replaced by
    Phi(-sqrt(P/(P-1)) t_(a/2, P-1)), which removes the narrowness of bootstrap intervals for few problems.
    BCa rather than percentile since per-problem success is skewed (most problems near 0 or 1): at 30 problems
    tests/test_estimates.py measures the coverage of both. The interval is never narrower than what values in [0, 1]
    allow: a kind of problem not among the P seen may make up q = 1 - (a/2)^(1/P) of all, so with a mean e,
    low <= e - q e and high >= e + q (1 - e); at e = 0 and e = 1 that is Clopper-Pearson.

    Args:
        values: float64 [P, K] in [0, 1], one row a problem; NaN leaves a problem out of a column.
        level: in (0, 1).
        seed: whole, >= 0.
        resamples: >= 100.

    Returns:
        low, high: float64 [K]. With one problem they are 0 and 1.

    Raises:
        InputError: an argument outside its range; no values.
    """
    values = np.asarray(values, dtype=np.float64)
    require(values.ndim == 2 and values.shape[0] >= 1, "a mean over problems needs at least one problem")
    level, resamples, seed = _checked(level, resamples, seed)
    valid = ~np.isnan(values)
    filled = np.where(valid, values, 0.0)
    number = valid.sum(axis=0)
    require(bool((number > 0).all()), "a mean over problems needs at least one problem")
    mean = filled.sum(axis=0) / number
    drawn = _resampled_means(filled, valid, seed, resamples)
    low, high = _bca(drawn, mean, filled, valid, number, level)
    unseen = -np.expm1(np.log(0.5 * (1.0 - level)) / number)
    low = np.where(number < 2, 0.0, np.minimum(low, mean - unseen * mean))
    high = np.where(number < 2, 1.0, np.maximum(high, mean + unseen * (1.0 - mean)))
    return np.minimum(low, mean), np.maximum(high, mean)


def _checked(level: float, resamples: int, seed: int) -> tuple[float, int, int]:
    return confidence(level), whole_number("resamples", resamples, 100, 10**6), whole_number("seed", seed, 0)


def _resampled_means(filled: np.ndarray, valid: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """Means of resampled problems, float64 [B, K]; NaN where a resample has no valid value."""
    problems, columns = filled.shape
    rng = np.random.Generator(np.random.PCG64(seed))
    out = np.empty((resamples, columns))
    ragged = not valid.all()
    block = max(1, _BLOCK // problems)
    for begin in range(0, resamples, block):
        size = min(block, resamples - begin)
        picks = rng.integers(0, problems, size=(size, problems))
        picks += problems * np.arange(size)[:, None]
        weight = np.bincount(picks.ravel(), minlength=size * problems).reshape(size, problems).astype(np.float64)
        total = weight @ filled
        with np.errstate(invalid="ignore", divide="ignore"):
            out[begin : begin + size] = total / (weight @ valid if ragged else problems)
    return out


def _bca(
    drawn: np.ndarray, mean: np.ndarray, filled: np.ndarray, valid: np.ndarray, number: np.ndarray, level: float
) -> np.ndarray:
    """The BCa limits of each column, float64 [2, K]."""
    out = np.empty((2, mean.size))
    for j in range(mean.size):
        column = drawn[:, j]
        column = np.sort(column[~np.isnan(column)])
        spread = np.where(valid[:, j], filled[:, j] - mean[j], 0.0)
        square = float(np.sum(spread**2))
        if number[j] < 2 or square <= 1e-24:
            out[:, j] = mean[j]
            continue
        below = np.searchsorted(column, mean[j] - 1e-12) + np.searchsorted(column, mean[j] + 1e-12)
        share = np.clip(0.5 * below / column.size, 1e-6, 1.0 - 1e-6)
        shift = special.ndtri(share)
        # Acceleration from the jackknife; for a mean it is the skewness over 6 sqrt(P).
        acceleration = float(np.sum(spread**3)) / (6.0 * square**1.5)
        p = number[j]
        reach = np.sqrt(p / (p - 1.0)) * -special.stdtrit(p - 1.0, 0.5 * (1.0 - level))
        ends = []
        for z in (-reach, reach):
            bend = 1.0 - acceleration * (shift + z)
            # A far quantile of a very skewed sample may bend over: take the end of the resamples.
            ends.append(special.ndtr(shift + (shift + z) / bend) if bend > 1e-3 else float(z > 0))
        out[:, j] = np.quantile(column, ends)
    return out


def two_level(
    n: Numbers,
    correct: Numbers,
    values: Numbers,
    formula: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    problems: bool,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals from resampled samples, and with ``problems`` resampled problems too.

    Each resample draws c* binomial(n, c/n) for every problem (for every resampled problem) and takes the
    spread of the mean of formula(n, c*) about its expectation, put around the estimate. Centring matters: resampled
    with replacement, pass@k is biased low. A problem with c = 0 or c = n never changes within, so
    ``problems = False`` tells nothing about problems that were never solved.

    Args:
        n, correct: int64 [P].
        values: the estimates, float64 [P, K].
        formula: (n, c) float64 [M] to float64 [M, K].
        problems, level, seed, resamples: as said; large tables (P K above 5000) take fewer resamples, 400 at least.

    Returns:
        low, high: float64 [K], clipped to [0, 1].
    """
    level, resamples, seed = _checked(level, resamples, seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    size, columns = values.shape
    resamples = min(resamples, max(400, 2 * 10**7 // (size * columns)))
    valid = ~np.isnan(values)
    means = np.empty((resamples, columns))
    centre = np.zeros((size, columns))
    times = np.zeros(size)
    block = max(1, 2**20 // size)
    for begin in range(0, resamples, block):
        rows = min(block, resamples - begin)
        at = rng.integers(0, size, size=(rows, size)) if problems else np.broadcast_to(np.arange(size), (rows, size))
        drawn = rng.binomial(n[at], correct[at] / n[at])
        base = int(n.max()) + 1
        codes, back = np.unique(n[at].ravel() * base + drawn.ravel(), return_inverse=True)
        each = np.divmod(codes, base)
        found = formula(each[0].astype(np.float64), each[1].astype(np.float64))[back.ravel()]
        found = np.where(np.isnan(found), 0.0, found)
        flat = at.ravel()
        times += np.bincount(flat, minlength=size)
        for j in range(columns):
            centre[:, j] += np.bincount(flat, weights=found[:, j], minlength=size)
        count = valid[at].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            means[begin : begin + rows] = found.reshape(rows, size, columns).sum(axis=1) / count
    centre /= np.maximum(times, 1.0)[:, None]
    middle = np.where(valid, centre, 0.0).sum(axis=0) / valid.sum(axis=0)
    estimate = np.nanmean(values, axis=0)
    tail = 0.5 * (1.0 - level)
    low, high = np.nanquantile(means - middle, [tail, 1.0 - tail], axis=0) + estimate
    return np.clip(np.minimum(low, estimate), 0.0, 1.0), np.clip(np.maximum(high, estimate), 0.0, 1.0)
