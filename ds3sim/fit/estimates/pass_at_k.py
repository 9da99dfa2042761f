"""Success at k samples, straight from the counts: unbiased, no model, never beyond k = n (docs/logs.md)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ds3sim.core.check import numbers, one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.estimate import Estimate
from ds3sim.fit.estimates.curve import Curve, several_k, usable
from ds3sim.fit.logs.log import MOST_SAMPLES, Log
from ds3sim.fit.logs.read import LogLike, log_of
from ds3sim.stats.bootstrap import RESAMPLES, bootstrap, two_level
from ds3sim.theory.binomial import stirling_error

UNITS = ("problems", "both", "samples")
"""What an interval may be over."""
_DIRECT = 64


def pass_at_k(
    log: LogLike,
    k: ArrayLike | None = None,
    *,
    kind: str = "pass@k",
    ragged: str = "common",
    units: str = "problems",
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Curve:
    """pass@k of a log, averaged over problems, with intervals: unbiased and free of a model, so k is at most n.

    Args:
        log: a log, its path, or a pair (samples, correct) of arrays [P].
        k: whole numbers of samples, any order [K]; None takes up to 12 up to the smallest n.
        kind: ``pass@k`` (one of k is correct: best of k with a perfect verifier; Chen et al. 2021, arXiv 2107.03374),
            ``pass^k`` (all k are correct; Yao et al. 2024, arXiv 2406.12045) or ``best-of-k`` (the sample with the
            highest ``score`` of a verifier is correct; needs the tidy table).
        ragged: ``common`` takes all problems and needs k <= the smallest n; ``available`` averages at each
            k over the problems with n >= k (other problems at other k: the curve may bend for that reason).
        units: what could have been otherwise. ``problems``: other problems of the same kind were
            drawn, each with its samples; the bootstrap resamples problems, whose estimates carry their sampling
            noise with them, so both sources of error are in. ``both``: resamples problems and then samples
            within each; counts the sampling noise twice and is the wider, cautious one. ``samples``: the
            problems are all there is, only the samples would differ.
        level: of the intervals, in (0, 1).
        seed, resamples: of the bootstrap.

    Raises:
        InputError: k > n, naming n; an argument outside its range, or one that has no effect.

    >>> curve = ds.pass_at_k(([10, 10], [3, 5]), [1, 5])
    >>> curve.success.estimate.round(3).tolist()
    [0.4, 0.956]
    """
    log, formulas = log_of(log).need_counts(), {"pass@k": chance_of_any, "pass^k": chance_of_all}
    one_of("kind", kind, (*formulas, "best-of-k"))
    one_of("units", units, UNITS)
    k = several_k(log, k)
    number, notes = usable(log, k, ragged)
    how = {"level": level, "seed": seed, "resamples": resamples}
    if kind == "best-of-k":
        require(units == "problems", f"units = {units} has no effect: intervals of best-of-k resample problems")
        values = _best_of(log, k)
        low, high = bootstrap(values, **how)
    else:
        values, low, high = _counted(formulas[kind], log, k, units, how)
    success = Estimate(np.nanmean(values, axis=0), low, high)
    return Curve(kind, log.source, k, success, number, np.zeros(k.size), units, notes)


def _counted(
    formula: Callable[..., np.ndarray], log: Log, k: np.ndarray, units: str, how: dict
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values [P, K] of a formula of (n, c, k), and the limits of their mean."""
    # Many problems share their counts.
    (n, c), back = np.unique(np.stack([log.samples, log.correct]), axis=1, return_inverse=True)
    values = formula(n[:, None], c[:, None], k[None, :])[back.ravel()]
    if units == "problems":
        return values, *bootstrap(values, **how)

    def again(n: np.ndarray, c: np.ndarray) -> np.ndarray:
        return formula(n[:, None], c[:, None], k[None, :])

    return values, *two_level(log.samples, log.correct, values, again, problems=units == "both", **how)


def _best_of(log: Log, k: np.ndarray) -> np.ndarray:
    """Expected grade of the best-scored of k samples of each problem, float64 [P, K], exact over all subsets.

    With a samples scored above a group of s samples of equal score, the group holds the best one with probability
    [C(n-a, k) - C(n-a-s, k)] / C(n, k); ties are broken at random. (Resampling with replacement, the usual way,
    is biased low.)
    """
    table = log.table
    if table is None or table.score is None:
        raise InputError("the log has no scores of a verifier: with a perfect one, best of k is pass@k")
    missing = np.flatnonzero(np.isnan(table.score))
    if missing.size:
        raise InputError(f"problem {table.problem[missing[0]]!r}: a sample has no score: all samples need one")
    names, code = table.groups()
    values = np.empty((len(names), k.size))
    order = np.lexsort((-table.score, code))
    for p, rows in enumerate(np.split(order, np.cumsum(np.bincount(code))[:-1])):
        s, grade = table.score[rows], table.correct[rows]
        begin = np.flatnonzero(np.append(True, s[1:] != s[:-1]))
        end = np.append(begin[1:], len(rows))
        mean = np.add.reduceat(grade, begin) / (end - begin)
        values[p] = mean @ np.diff(chance_of_any(len(rows), np.append(0, end)[:, None], k), axis=0)
    return values


# ---- one problem -------------------------------------------------------------------------------


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
