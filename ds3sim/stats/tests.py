"""Tests of what a simulation counted against what it should have: p-values, and Holm over many of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ds3sim.core.check import Numbers, counted, fraction_array, number, numbers
from ds3sim.core.errors import require

ROUNDING = 1e-12
"""Relative size of differences that float64 arithmetic alone explains."""


def binomial_p(hits: Numbers, trials: Numbers, p: Numbers) -> np.ndarray:
    """Two-sided exact p-value of h hits in n trials of probability p, float64, arguments broadcast.

    min(1, 2 min(P(X <= h), P(X >= h))) for X binomial(n, p), the tails as regularized incomplete beta
    functions. Under the hypothesis P(value <= a) <= a for every a, so it never rejects too often;
    it corresponds to the Clopper-Pearson interval. p = 0 and p = 1 allow one outcome only: value 1
    for it, 0 for any other. Tails are right to 1e-9 relative for n up to 10^12.

    Raises:
        InputError: counts that are not whole or out of range, p outside [0, 1] or NaN.
    """
    h, n = counted(hits, trials)
    p = _probability(p)
    some, all_ = np.maximum(h, 1.0), np.maximum(n - h, 1.0)  # stand in for shape 0, replaced by np.where
    at_most = np.where(h < n, special.betaincc(h + 1.0, all_, p), 1.0)
    at_least = np.where(h > 0, special.betainc(some, n - h + 1.0, p), 1.0)
    return np.minimum(1.0, 2.0 * np.minimum(at_most, at_least))


def binomial_z(hits: Numbers, trials: Numbers, p: Numbers) -> np.ndarray:
    """(h - n p) / sqrt(n p (1 - p)), float64, arguments broadcast; for reading, not for deciding.

    Where the variance is 0 it is 0 for the only possible count, else plus or minus infinity.
    """
    h, n = counted(hits, trials)
    p = _probability(p)
    return _score(h - n * p, np.sqrt(n * p * (1.0 - p)), n * p)


def mean_p(mean: Numbers, expected: Numbers, variance: Numbers, trials: Numbers, span: Numbers = None) -> np.ndarray:
    """Two-sided p-value of a sample mean against its expectation, float64, arguments broadcast.

    Without ``span`` from the normal law: right for many trials of a variable that is not very skew. With ``span`` it is
    Bernstein's bound 2 exp(-n t^2 / (2 (variance + span t / 3))), t = |mean - expected|: never too small for any n, and
    larger than the normal one by a factor of about sqrt(2 pi) z, z the distance in standard errors.

    Args:
        mean: of the sample.
        expected: the expectation under the hypothesis.
        variance: of one trial. Take it from the hypothesis where it is known; a sample that
            missed a rare event has a variance that is too small.
        trials: n >= 1.
        span: None, or a bound on |value - expected| (the width of the range is one).

    Raises:
        InputError: no trials, a negative or NaN variance or span.
    """
    mean, expected = np.asarray(mean, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    variance, n = numbers("variance", variance, low=0), numbers("trials", trials, low=1)
    if span is None:
        z = _score(mean - expected, np.sqrt(variance / n), expected)
        return special.erfc(np.abs(z) / np.sqrt(2.0))
    span = numbers("span", span, low=0)
    distance = np.abs(mean - expected)
    z = _score(distance, np.sqrt((variance + span * distance / 3.0) / n), expected)
    return np.minimum(1.0, 2.0 * np.exp(-0.5 * z * z))


def pooled_bins(expected: np.ndarray, least_expected: float) -> np.ndarray:
    """First index of each pooled bin, int64 [B]: adjacent bins are joined from the left until a pool expects
    ``least_expected``, and what is left joins the last one. Depends on the expectations only, never on the counts."""
    starts, total = [0], 0.0
    for i, value in enumerate(expected.tolist()):
        if total >= least_expected:
            starts.append(i)
            total = 0.0
        total += value
    if total < least_expected and len(starts) > 1:
        starts.pop()
    return np.array(starts, dtype=np.int64)


def goodness_of_fit(counts: Numbers, probabilities: Numbers, least_expected: float = 25) -> tuple[float, int, float]:
    """Pearson's chi-square test of counts against probabilities, over pooled adjacent bins.

    The bins have to cover everything: for a hitting time that is k = 0..K and a last bin "beyond".
    Adjacent bins are pooled until each expects at least ``least_expected`` (:func:`pooled_bins`),
    so the chi-square law holds. A count in a bin of probability 0 is impossible: p = 0 at once.

    Args:
        counts: whole numbers [B].
        probabilities: float64 [B], not negative; they sum to 1 within 1e-9.
        least_expected: smallest expectation of a pooled bin, > 0.

    Returns:
        statistic, degrees of freedom (pooled bins - 1), p-value. (0, 0, 1) where all fits in one
        bin; (inf, dof, 0) after an impossible count.

    Raises:
        InputError: different shapes, counts that are not whole, probabilities that do not sum to 1.
    """
    counts, probabilities = np.asarray(counts), numbers("probabilities", probabilities, low=0)
    require(
        counts.ndim == 1 and counts.shape == probabilities.shape and counts.size > 0,
        f"counts and probabilities must be one-dimensional and of one length, not {counts.shape}"
        f" and {probabilities.shape}",
    )
    number("least_expected", least_expected, above=0)
    trials = counts.sum()
    counts, trials = counted(counts, trials)
    total = float(probabilities.sum())
    require(abs(total - 1.0) <= 1e-9, f"the probabilities sum to {total:.12g}: they must sum to 1; add a bin 'beyond'")
    expected = float(trials) * probabilities
    starts = pooled_bins(expected, float(least_expected))
    dof = int(starts.size - 1)
    if np.any((probabilities == 0) & (counts > 0)):
        return float("inf"), dof, 0.0
    if dof == 0:
        return 0.0, 0, 1.0
    pooled = np.add.reduceat(expected, starts)
    statistic = float(np.sum((np.add.reduceat(counts, starts) - pooled) ** 2 / pooled))
    return statistic, dof, float(special.chdtrc(dof, statistic))


def holm(p_values: Numbers) -> np.ndarray:
    """Holm's adjusted p-values (1979, "A simple sequentially rejective multiple test procedure").

    Rejecting where the adjusted value is <= a keeps the family-wise error at a or below, whatever the
    dependence between the tests: max over j <= i of min(1, (m - j + 1) p_(j)), sorted upwards.

    Args:
        p_values: float64 [m] in [0, 1]; any order.

    Returns:
        float64 [m], in the order given.

    Raises:
        InputError: a value outside [0, 1] or NaN, or an array that is not one-dimensional.
    """
    p = fraction_array("p_values", p_values)
    require(p.ndim == 1, f"holm takes a list of p-values, not an array of shape {p.shape}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((p.size - np.arange(p.size)) * p[order]))
    return adjusted


def _probability(p: ArrayLike) -> np.ndarray:
    # Sums of float64 probabilities may end a few units above 1.
    return np.minimum(numbers("probability", p, low=0, high=1 + ROUNDING), 1.0)


def _score(difference: Numbers, error: Numbers, scale: Numbers) -> np.ndarray:
    """difference / error; where the error is 0, 0 for a difference of rounding size, else +-infinity."""
    difference, error, scale = np.broadcast_arrays(difference, error, scale)
    none = np.where(np.abs(difference) <= ROUNDING * np.abs(scale), 0.0, np.copysign(np.inf, difference))
    return np.divide(difference, error, out=none, where=error > 0)
