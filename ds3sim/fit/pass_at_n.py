"""The latent difficulty of a benchmark, (A, alpha, beta) of docs/theory.md (12), from counts or from a curve.

Counts: maximum likelihood of the zero-inflated beta-binomial; problems are the units. Intervals of parameters and of
predictions are the ends of the region where twice the log-likelihood lies within the 95% quantile of its maximum
(profile intervals; the quantile is that of t^2 with the problems less 3 degrees of freedom). They are about the
population of problems that the log's problems are drawn from.

A curve: least squares over its points, as the paper does. The points of one curve come from the same problems, so
their errors are correlated: the model gives their covariance, Cov(N, N') = [q(N) + q(N') - q(N+N') - q(N) q(N')]/P
for P problems with q of (12), beside an error of reading each point. Intervals are those of a Gaussian likelihood
with this covariance (:class:`ds3sim.fit.intervals.CurveBand`); the least-squares values are put into them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import whole_number
from ds3sim.core.errors import require
from ds3sim.fit import likelihood
from ds3sim.fit.forecast import ahead, naming
from ds3sim.fit.intervals import CountBand
from ds3sim.fit.latent_fit import DEFAULT_PROBLEMS, LatentFit
from ds3sim.fit.likelihood import BETA_MOST, LOWEST, NAMES, maximum
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import LogLike, log_of
from ds3sim.fit.price import price_of
from ds3sim.stats.intervals import NORMAL_95
from ds3sim.theory.cost import CostModel

_SMALL = 5e-4
"""Scale of the squared errors while they are minimized."""


def fit_pass_at_n(
    log: LogLike,
    at: ArrayLike | None = None,
    *,
    problems: int | None = None,
    tokens_per_sample: float | None = None,
    cost: CostModel | None = None,
) -> LatentFit:
    """Fit the success rates of a benchmark's tasks, (12), to a log, and predict pass@N at any N.

    Args:
        log: counts (maximum likelihood) or a curve of pass@N (least squares); a log, its path, or a pair
            (samples, correct) of arrays [P].
        at: numbers of samples that :meth:`~ds3sim.LatentFit.to_dict` and the figure predict at, whole, up to 10^12;
            None takes 1, 10, ... to ten times the largest of the log.
        problems: how many problems a curve averages over; None assumes 128. It scales the intervals, not the fit.
        tokens_per_sample: generated tokens of a sample, instead of the log's mean.
        cost: the model's cost, for FLOPs.

    Raises:
        InputError: naming the log: what cannot be read or fitted (fewer than 2 problems, one sample a problem, none
            or all samples correct; a curve of fewer than 4 different N, or 0 or 1 everywhere); an argument outside
            its range or without effect.

    >>> fit = ds.fit_pass_at_n((20, [0, 0, 1, 2, 2, 5, 9, 12, 17, 20]))
    >>> print(f"A = {fit.solvable:.2f}, pass@100 = {fit.predict(100):.2f}")
    A = 1.00, pass@100 = 0.87
    """
    log = log_of(log)
    price, at = price_of(log, tokens_per_sample, cost), ahead(log, at)
    with naming(log):
        notes = tuple(_checked(log, problems))
        kind = "likelihood" if log.curve is None else "least_squares"
        problems = problems or (None if log.curve is None else DEFAULT_PROBLEMS)
        u, quality = _optimum(log)
        about: dict[str, Any] = {"log": log, "problems": problems, "at": at, "price": price}
        fit = LatentFit(*likelihood.parameters(u), kind, quality, len(log), **about)
    band, at_bound = fit.band, likelihood.bounds(u)
    limits = [band.coordinate(i) for i in range(3)]
    intervals = dict(zip(NAMES, (limits[0], *((math.exp(a), math.exp(b)) for a, b in limits[1:])), strict=True))
    return replace(
        fit,
        standard_errors=_errors(u, band.covariance, intervals, at_bound),
        robust_errors=_errors(u, band.robust, intervals, at_bound) if isinstance(band, CountBand) else None,
        intervals=intervals,
        at_bound=at_bound,
        warnings=(*_warnings(at_bound, intervals), *notes),
    )


def _checked(log: Log, problems: int | None) -> Iterator[str]:
    """InputError where nothing can be fitted; notes on what the data are."""
    n, c = log.samples, log.correct
    if log.curve is not None:
        several, y = np.unique(log.curve.n).size, log.curve.success
        require(several >= 4, f"a curve of {several} different N: three parameters need at least 4")
        ok = bool((y > 0).any() and (y < 1).any())
        require(ok, "the curve is 0 everywhere or 1 everywhere: nothing can be fitted")
        if problems is None:
            yield (
                "the curve does not say over how many problems it averages: intervals assume"
                f" {DEFAULT_PROBLEMS} (--problems)"
            )
        else:
            whole_number("problems", problems, 1)
        return
    require(problems is None, f"problems = {problems} has no effect on counts (--problems)")
    require(len(log) >= 2, "a fit needs counts of at least 2 problems")
    require(
        bool(n.max() > 1),
        "one sample a problem shows only the mean: A, alpha and beta cannot be told; take several samples a problem",
    )
    require(bool(c.any()), "no sample of any problem is correct: nothing can be fitted; take more samples")
    require(bool((c < n).any()), "every sample of every problem is correct: nothing can be fitted")
    if (c > 0).all():
        yield "every problem was solved at least once: nothing tells how many are never solved"
    if n.size < 20:
        yield f"only {n.size} problems: intervals are rough"
    if n.max() <= 3:
        yield f"at most {n.max()} samples a problem: the three parameters are hardly told apart"


def _optimum(log: Log) -> tuple[np.ndarray, float]:
    """u = (A, log alpha, log beta), and the log-likelihood or the squared error there."""
    if log.curve is not None:
        function = likelihood.gaussian(log.curve.n, log.curve.success, scale=_SMALL)
        u = maximum(function)
        return u, -2.0 * _SMALL * function(u)[0]
    n, c = log.samples, log.correct
    function = likelihood.counted(n, c)
    u = maximum(function)
    return u, function(u)[0] + likelihood.log_choices(n, c)


def _errors(
    u: np.ndarray, covariance: np.ndarray, intervals: dict[str, tuple[float, float]], at_bound: tuple[str, ...]
) -> dict[str, float]:
    """Standard errors; where a parameter is at its bound, the intervals over 2 x 1.96 (1.96 for that parameter)."""
    scale = np.array([1.0, math.exp(u[1]), math.exp(u[2])])
    if not at_bound:
        return dict(zip(NAMES, (scale * np.sqrt(np.maximum(np.diag(covariance), 0.0))).tolist(), strict=True))
    out: dict[str, float] = {}
    for name, value in zip(NAMES, likelihood.parameters(u), strict=True):
        low, high = intervals[name]
        half = max(value - low, high - value, 0.0) if name in at_bound else (high - low) / 2.0
        out[name] = half / NORMAL_95
    return out


def _warnings(at_bound: tuple[str, ...], intervals: dict[str, tuple[float, float]]) -> Iterator[str]:
    if "solvable" in at_bound:
        yield "solvable is at its bound 1: no sign of tasks that are never solved"
    if "beta" in at_bound or intervals["beta"][1] > 0.5 * BETA_MOST:
        yield (
            "beta has no upper limit in these data (the rates are small: only alpha/beta is known);"
            " predictions far beyond the largest number of samples rest on the model"
        )
    if "alpha" in at_bound and intervals["alpha"][0] < 2 * LOWEST:
        yield "alpha is at its lower bound: nearly all rates are 0 or 1"
    if intervals["solvable"][1] - intervals["solvable"][0] > 0.5:
        yield "solvable is hardly known: tasks that are never solved cannot be told from very hard ones"
