"""Curves of accuracy against k with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.estimate import Estimate
from ds3sim.fit.estimates.pass_at_k import pass_at_k, pass_hat_k
from ds3sim.fit.estimates.vote_at_k import vote_table
from ds3sim.fit.logs.records import MOST_SAMPLES, Counts, Samples
from ds3sim.stats.bootstrap import RESAMPLES, bootstrap, two_level

_UNITS = ("problems", "both", "samples")
_RAGGED = ("common", "available")


@dataclass(frozen=True, eq=False)
class Curve:
    """Success at each k, averaged over problems.

    Attributes:
        kind: ``pass@k``, ``pass^k``, ``vote@k`` or ``best-of-k``.
        k: int64 [K].
        success: estimates with intervals, float64 [K].
        problems: int64 [K], how many problems the average is over.
        sampling_error: float64 [K], standard error of Monte Carlo (votes of large logs); zeros where exact.
        units: what the interval is over, see :func:`pass_curve`.
        notes: what was decided, a sentence each.
    """

    kind: str
    k: np.ndarray
    success: Estimate
    problems: np.ndarray
    sampling_error: np.ndarray
    units: str = "problems"
    notes: tuple[str, ...] = ()


def pass_curve(
    counts: Counts,
    k,
    *,
    ragged: str = "common",
    units: str = "problems",
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Curve:
    """pass@k averaged over problems, with intervals; also best of k with a perfect verifier.

    Args:
        counts: the counts.
        k: whole numbers, any order [K].
        ragged: ``common`` takes all problems and needs k <= the smallest n; ``available`` averages at each
            k over the problems with n >= k (other problems at other k: the curve may bend for that reason).
        units: what could have been otherwise. ``problems`` (default): other problems of the same kind were
            drawn, each with its samples; the bootstrap resamples problems, whose estimates carry their sampling
            noise with them, so both sources of error are in. ``both``: resamples problems and then samples
            within each; counts the sampling noise twice and is the wider, cautious one. ``samples``: the
            problems are all there is, only the samples would differ.
        level: of the intervals, in (0, 1).
        seed, resamples: of the bootstrap.

    Raises:
        InputError: k > n, naming n; an argument outside its range.
    """
    return _counted("pass@k", pass_at_k, counts, k, ragged, units, level, seed, resamples)


def pass_hat_curve(
    counts: Counts,
    k,
    *,
    ragged: str = "common",
    units: str = "problems",
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Curve:
    """pass^k (all of k samples correct) averaged over problems. As :func:`pass_curve`."""
    return _counted("pass^k", pass_hat_k, counts, k, ragged, units, level, seed, resamples)


def vote_curve(
    counts: Counts,
    k,
    *,
    ties: str = "random",
    ragged: str = "common",
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
    method: str = "auto",
) -> Curve:
    """Accuracy of the plurality vote among k samples, averaged over problems.

    For each problem the expectation over all subsets of k of its n samples; see
    :func:`ds3sim.fit.estimates.vote_at_k.vote_table`, which takes ``ties``, ``method`` and ``seed``.
    Intervals resample problems.

    Raises:
        InputError: a log without answers; k > n, naming n; an argument outside its range.
    """
    k = _whole_k(k)
    used = _usable(counts, k, ragged)
    require(
        counts.wrong is not None,
        "the log has no answers, and votes need them: give answer or answer_counts (counts alone give pass@k only)",
    )
    values, errors = vote_table(counts, k, ties=ties, method=method, seed=seed)
    low, high = bootstrap(values, level=level, seed=seed, resamples=resamples)
    number = used.sum(axis=0)
    error = np.sqrt(np.nansum(errors**2, axis=0)) / number
    notes = _notes(counts, k, ragged)
    if (errors > 0).any():
        notes += (f"votes at large k were sampled: standard error at most {error.max():.1g}",)
    return Curve("vote@k", k, Estimate(np.nanmean(values, axis=0), low, high), number, error, "problems", notes)


def best_of_curve(
    samples: Samples,
    k,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Curve:
    """Best of k by a verifier's score: expected grade of the best-scored of k samples, averaged over problems.

    For each problem exact over all subsets of k of n: with a samples scored above a group of s samples of equal
    score, the group holds the best one with probability [C(n-a, k) - C(n-a-s, k)] / C(n, k); ties are broken
    at random. (Resampling with replacement, the usual way, is biased low.) Without scores use
    :func:`pass_curve`, which is best of k with a perfect verifier.

    Raises:
        InputError: samples without scores; k > the smallest n, naming it.
    """
    k = _whole_k(k)
    score = samples.score
    if score is None:
        raise InputError("the log has no scores of a verifier: with a perfect one, best of k is pass@k")
    missing = np.flatnonzero(np.isnan(score))
    if missing.size:
        raise InputError(f"problem {samples.problem[missing[0]]!r}: a sample has no score: all samples need one")
    names, code = samples.groups()
    _within(k, np.bincount(code), names)
    values = np.empty((len(names), k.size))
    order = np.lexsort((-score, code))
    for p, rows in enumerate(np.split(order, np.cumsum(np.bincount(code))[:-1])):
        s, grade = score[rows], samples.correct[rows]
        begin = np.flatnonzero(np.append(True, s[1:] != s[:-1]))
        end = np.append(begin[1:], len(rows))
        mean = np.add.reduceat(grade, begin) / (end - begin)
        hit = pass_at_k(len(rows), end[:, None], k) - np.where(
            begin[:, None] > 0, pass_at_k(len(rows), begin[:, None], k), 0.0
        )
        values[p] = mean @ hit
    low, high = bootstrap(values, level=level, seed=seed, resamples=resamples)
    number = np.full(k.size, len(names))
    return Curve("best-of-k", k, Estimate(values.mean(axis=0), low, high), number, np.zeros(k.size))


def mean_tokens(counts: Counts, *, level: float = 0.95, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean generated tokens of a sample: the mean over problems of each problem's mean, with an interval.

    Problems without known tokens are left out.

    Raises:
        InputError: no tokens in the log.
    """
    if counts.tokens_mean is None:
        raise InputError("the log has no numbers of tokens: give a column tokens or tokens_mean")
    values = counts.tokens_mean[~np.isnan(counts.tokens_mean)][:, None]
    low, high = bootstrap(values, level=level, seed=seed, resamples=resamples, bounds=(0.0, None))
    return Estimate(values.mean(), low[0], high[0])


def largest_k(counts: Counts) -> int:
    """The largest k that needs no model: the smallest number of samples of a problem."""
    return int(counts.n.min())


def _counted(kind, formula, counts, k, ragged, units, level, seed, resamples) -> Curve:
    k = _whole_k(k)
    require(units in _UNITS, f"units = {units!r} is not known: choose {', '.join(_UNITS)}")
    used = _usable(counts, k, ragged)
    # Many problems share their counts.
    base = int(counts.n.max()) + 1
    codes, back = np.unique(counts.n * base + counts.correct, return_inverse=True)
    each = np.divmod(codes, base)
    values = formula(each[0][:, None], each[1][:, None], k[None, :])[back.ravel()]
    if units == "problems":
        low, high = bootstrap(values, level=level, seed=seed, resamples=resamples)
    else:
        low, high = two_level(
            counts.n, counts.correct, values, lambda n, c: formula(n[:, None], c[:, None], k[None, :]),
            problems=units == "both", level=level, seed=seed, resamples=resamples,
        )  # fmt: skip
    estimate = Estimate(np.nanmean(values, axis=0), low, high)
    return Curve(kind, k, estimate, used.sum(axis=0), np.zeros(k.size), units, _notes(counts, k, ragged))


def _whole_k(k) -> np.ndarray:
    array = np.atleast_1d(np.asarray(k))
    ok = array.ndim == 1 and array.size > 0 and array.dtype.kind in "iuf"
    require(ok, "k must be a whole number or a list of whole numbers, at least 1")
    bad = ~(np.isfinite(array) & (array >= 1) & (array <= MOST_SAMPLES) & (np.floor(array) == array))
    if bad.any():
        raise InputError(f"k = {array[bad][0]:g} is not allowed: it must be a whole number, at least 1")
    return array.astype(np.int64)


def _usable(counts: Counts, k: np.ndarray, ragged: str) -> np.ndarray:
    """Which problems count at which k, bool [P, K]."""
    require(ragged in _RAGGED, f"ragged = {ragged!r} is not known: choose {' or '.join(_RAGGED)}")
    if ragged == "common":
        _within(k, counts.n, counts.problem)
    else:
        most = int(counts.n.max())
        require(
            int(k.max()) <= most, f"k = {k.max()} is more than n = {most}, the samples of any problem: it takes a fit"
        )
    return counts.n[:, None] >= k[None, :]


def _within(k: np.ndarray, n: np.ndarray, names) -> None:
    at = int(np.argmin(n))
    if int(k.max()) > n[at]:
        more = "" if n.max() == n[at] else " (ragged = available averages over the problems with enough samples)"
        raise InputError(
            f"k = {k.max()} is more than n = {n[at]}, the samples of problem {str(names[at])[:60]!r}: beyond n it"
            f" takes a fitted model{more}"
        )


def _notes(counts: Counts, k: np.ndarray, ragged: str) -> tuple[str, ...]:
    short = counts.n.min()
    if ragged == "available" and int(k.max()) > short:
        return (f"above k = {short} the average is over fewer problems",)
    return ()
