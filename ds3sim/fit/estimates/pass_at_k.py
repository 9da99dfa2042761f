"""Success at k samples, straight from the counts: unbiased, no model, never beyond k = n (docs/logs.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.estimate import Estimate
from ds3sim.fit.estimates.curve import Curve, options_of, several_k, usable
from ds3sim.fit.estimates.subsets import chance_of_all, chance_of_any
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import LogLike, log_of
from ds3sim.stats.bootstrap import RESAMPLES, bootstrap, two_level

UNITS = ("problems", "both", "samples")
"""What an interval may be over."""


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
    how = options_of(level, resamples, seed)
    if kind == "best-of-k":
        require(units == "problems", f"units = {units} has no effect: intervals of best-of-k resample problems")
        values = _best_of(log, k)
        low, high = bootstrap(values, **how)
    else:
        values, low, high = _counted(formulas[kind], log, k, units, how)
    success = Estimate(np.nanmean(values, axis=0), low, high)
    return Curve(kind, log.source, k, success, number, np.zeros(k.size), units, notes)


def _counted(
    formula: Callable[..., np.ndarray], log: Log, k: np.ndarray, units: str, how: dict[Any, Any]
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
