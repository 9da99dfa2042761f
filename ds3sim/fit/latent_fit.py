"""A fitted (12): its parameters, their uncertainty, and pass@N at any N."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import fraction, positive
from ds3sim.core.errors import require
from ds3sim.core.estimate import Estimate
from ds3sim.fit.estimates.curve import Curve
from ds3sim.fit.estimates.pass_at_k import pass_at_k
from ds3sim.fit.forecast import Forecast
from ds3sim.fit.intervals import CountBand, CurveBand
from ds3sim.fit.logs.log import Log
from ds3sim.fit.price import Price
from ds3sim.theory import latent

DEFAULT_PROBLEMS = 128
"""How many problems a curve is taken to average over where it is not said."""


@dataclass(frozen=True, eq=False)
class LatentFit(Forecast):
    """Success rates of a benchmark's tasks, (12): 0 with chance 1 - A, else Beta(alpha, beta).

    Attributes:
        solvable: A, the share of tasks that can be solved at all.
        alpha, beta: of the law of the others' success rate.
        kind: ``likelihood`` (from counts), ``least_squares`` (from a curve) or ``given``.
        quality: the log-likelihood (with its binomial coefficients), or the sum of squared errors.
        units: how many problems or points were fitted.
        standard_errors: of the parameters, from the observed information (counts) or propagated (curve). With a
            parameter at its bound: half the width of the interval over 1.96 (for that parameter: its distance to the
            end).
        robust_errors: sandwich standard errors with problems as units (counts only), right also where the law of
            the rates is not beta.
        intervals: 95% intervals of the parameters.
        at_bound: names of parameters at the end of their range: no interior optimum exists.
        warnings: what the data cannot tell, a sentence each.
        log: what was fitted, without its samples.
        problems: of a curve, how many it averages over.
        at: numbers of samples that are predicted.
        price: what a sample costs.

    >>> fit = ds.LatentFit(solvable=0.9, alpha=0.5, beta=2.0)
    >>> fit.predict([1, 100]).estimate.round(3).tolist()
    [0.18, 0.781]
    """

    solvable: float
    alpha: float
    beta: float
    kind: str = "given"
    quality: float = math.nan
    units: int = 0
    standard_errors: dict[str, float] = field(default_factory=dict[str, float])
    robust_errors: dict[str, float] | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    at_bound: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    log: Log = field(default_factory=Log.none, repr=False)
    problems: int | None = None
    at: tuple[int, ...] = (1, 10, 100)
    price: Price = field(default_factory=Price)

    def __post_init__(self) -> None:
        fraction("solvable", self.solvable)
        positive("alpha and beta", [self.alpha, self.beta])
        object.__setattr__(self, "log", replace(self.log, table=None, answers=None, wrong=None))

    @property
    def parameters(self) -> tuple[float, float, float]:
        """(A, alpha, beta)."""
        return self.solvable, self.alpha, self.beta

    @cached_property
    def band(self) -> CountBand | CurveBand:
        """What intervals come from; of parameters that were given there is none."""
        u, log = np.array([self.solvable, math.log(self.alpha), math.log(self.beta)]), self.log
        if log.curve is not None:
            return CurveBand(u, log.curve.n, log.curve.success, self.problems or DEFAULT_PROBLEMS)
        return CountBand(u, log.samples, log.correct)

    def predict(self, n: ArrayLike) -> Estimate:
        """pass@N of the population of problems, with 95% intervals.

        Args:
            n: numbers of samples, any shape, > 0, need not be whole.

        Returns:
            float64 of the shape of ``n``.

        Raises:
            InputError: a number that is not finite and above 0.
        """
        n = np.asarray(n, dtype=np.float64)
        require(bool(np.all(np.isfinite(n) & (n > 0))), "numbers of samples to predict at must be finite and above 0")
        value = latent.pass_at_n(n, *self.parameters)
        if self.kind == "given":
            return Estimate.of(value)
        low, high = (limits.reshape(n.shape) for limits in self.band.curve(np.atleast_1d(n).ravel()))
        return Estimate(value, np.minimum(low, value)[()], np.maximum(high, value)[()])

    def same_problems(self, n: ArrayLike) -> Estimate:
        """Of a curve: pass@N of the same problems when the curve goes on, with 95% intervals; float64 [n]."""
        n = np.atleast_1d(np.asarray(n, dtype=np.float64))
        assert isinstance(self.band, CurveBand), "only a curve has the same problems"
        value, (low, high) = latent.pass_at_n(n, *self.parameters), self.band.same_problems(n)
        return Estimate(value, np.minimum(low, value), np.maximum(high, value))

    def interval_of(self, function: Callable[[float, float, float], float]) -> tuple[float, float]:
        """95% interval of a smooth function of (A, alpha, beta), given as a NumPy function of three numbers."""
        if self.kind == "given":
            here = function(*self.parameters)
            return here, here
        return self.band.of(function)

    def observed(self) -> Curve | None:
        """pass@k of the log's counts; None for a curve."""
        return pass_at_k(self.log) if self.kind == "likelihood" else None

    def summary(self) -> dict[str, Any]:
        """Parameters, errors, intervals, quality and warnings."""
        rates = {"solvable": self.solvable, "alpha": self.alpha, "beta": self.beta}
        if self.kind == "given":
            return rates
        counted = self.kind == "likelihood"
        how = "profile likelihood" if counted else "Gaussian likelihood of correlated points"
        return {
            "kind": self.kind,
            **rates,
            "standard_errors": self.standard_errors,
            "robust_standard_errors": self.robust_errors,
            "intervals": {name: list(limits) for name, limits in self.intervals.items()},
            "log_likelihood" if counted else "squared_error": self.quality,
            "problems" if counted else "points": self.units,
            "at_bound": list(self.at_bound),
            "band": f"population of problems, 95%: {how}",
            "warnings": list(self.warnings),
        }

    def to_dict(self, curve: bool = False) -> dict[str, Any]:
        """Parameters, what the log shows, predictions, notes and warnings; with ``curve`` the curve of the figure."""
        if self.kind == "given":
            return self.summary()
        out: dict[str, Any] = self.summary() | self.forecast(curve) | {"notes": list(self.log.notes)}
        if self.kind == "least_squares":
            same = self.same_problems(self.at)
            for row, low, high in zip(out["predictions"], same.low.tolist(), same.high.tolist(), strict=True):
                row["same_problems"] = {"low": low, "high": high}
        return out
