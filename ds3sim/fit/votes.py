"""Votes ahead: (13) and (14) with intervals, from a fit of the success rates and one of the wrong answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.estimate import Estimate
from ds3sim.fit.pass_at_n import LatentFit, fit_counts
from ds3sim.fit.wrong_answers import ErrorFit, fit_answers, fit_vote_curve, weights_of, whole_votes
from ds3sim.theory import latent


@dataclass(frozen=True, eq=False)
class VoteFit:
    """Success rates and wrong answers of a model on a benchmark.

    Attributes:
        parameters: (A, alpha, beta).
        rates: the fit that they come from, None where they were given.
        errors: the error model.
        warnings: a sentence each.
    """

    parameters: tuple[float, float, float]
    rates: LatentFit | None
    errors: ErrorFit
    warnings: tuple[str, ...] = ()

    def predict(self, n) -> Estimate:
        """(13) at whole ``n`` with 95% intervals: rates and error model, taken as independent."""
        n = np.atleast_1d(np.asarray(n))
        rows = [self._interval(lambda a, b, c, w, k=int(k): latent.vote_at_n(k, a, b, c, w)) for k in n]
        return Estimate(*(np.array(column) for column in zip(*rows, strict=True)))

    def plateau(self) -> Estimate:
        """(14) with its 95% interval."""
        value = self._interval(lambda a, b, c, w: float(latent.plateau(a, b, c, w[0])))
        return Estimate(*(np.float64(v) for v in value))

    def _interval(self, function) -> tuple[float, float, float]:
        here = function(*self.parameters, self.errors.weights)
        ends = [function(*self.parameters, w) for w in (self.errors.low, self.errors.high)]
        down, up = max(0.0, here - min(ends)), max(0.0, max(ends) - here)
        if self.rates is not None:
            low, high = self.rates.interval_of(lambda a, b, c: function(a, b, c, self.errors.weights))
            down, up = math.hypot(down, max(0.0, here - low)), math.hypot(up, max(0.0, high - here))
        return here, max(0.0, here - down), min(1.0, here + up)


def fit_votes(log, kind: str | None = None, parameters=None, rates: LatentFit | None = None) -> VoteFit:
    """Fit a log with answers, or a vote curve.

    Args:
        log: of :func:`ds3sim.fit.logs.load.load_log`: counts with answers, or points of a vote curve.
        kind: the error model; None chooses.
        parameters: (A, alpha, beta) where they are known; rates: or a fit of pass@N of the same model and benchmark.

    Raises:
        InputError: naming the source: no answers, too few votes.
    """
    try:
        if rates is not None:
            parameters = rates.parameters
        if log.points is None:
            counts = log.need_counts()
            require(
                counts.wrong is not None, "the log has no answers, and votes need them: give answer or answer_counts"
            )
            if parameters is None:
                rates = fit_counts(counts.n, counts.correct)
            errors = fit_answers(counts.wrong, kind)
            notes = list(errors.warnings)
            blank = int(counts.blank.sum())
            if blank:
                notes.append(f"{blank} wrong samples gave no answer: (13) lets them vote like the other wrong ones")
        else:
            notes = []
            if parameters is None:
                parameters, note = _rates_of_votes(log.points.n, log.points.success)
                notes.append(note)
            errors = fit_vote_curve(log.points.n, log.points.success, parameters, kind)
            notes += errors.warnings
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(log.source)) else f"{log.source}: {text}") from None
    if rates is not None:
        parameters = rates.parameters
        notes = [*rates.warnings, *notes]
    assert parameters is not None
    a, alpha, beta = parameters
    return VoteFit((float(a), float(alpha), float(beta)), rates, errors, tuple(notes))


def _rates_of_votes(n, success) -> tuple[tuple[float, float, float], str]:
    """alpha and beta with A = 1, and lambda at M = 11, by least squares on a vote curve alone."""
    from scipy.optimize import least_squares

    from ds3sim.theory import plurality

    n, y = whole_votes(n, success)
    require(n.size >= 4, f"a vote curve of {n.size} different N: without pass@N at least 4 are needed")
    few = np.unique(np.linspace(0, n.size - 1, min(10, n.size)).astype(int))
    n, y = np.minimum(n[few], 2048), y[few]

    def miss(z):
        alpha, beta, decay = math.exp(z[0]), math.exp(z[1]), 1.0 / (1.0 + math.exp(-z[2]))
        weights = weights_of("geometric", 11, decay)
        values = [latent.count_law(int(k), alpha, beta) @ plurality.chances(int(k), weights, quick=True) for k in n]
        return np.array(values) - y

    mean = min(max(float(y[0]), 1e-3), 0.999)
    start = [math.log(0.4), math.log(0.4 * (1 - mean) / mean), 1.0]
    found = least_squares(miss, start, bounds=([-6, -6, -4], [4, 8, 6]), max_nfev=25)
    note = (
        "a vote curve alone hardly tells the success rates: A = 1 is assumed, and intervals take the rates as"
        " known; give the pass@N of the same model and benchmark (--pass-at-n) or its parameters (--latent)"
    )
    return (1.0, math.exp(found.x[0]), math.exp(found.x[1])), note
