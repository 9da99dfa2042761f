"""Votes ahead: (13) and (14) with intervals, from a fit of the success rates and one of the wrong answers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import is_list, one_of, whole_array
from ds3sim.core.errors import require
from ds3sim.core.estimate import Estimate
from ds3sim.core.figure import LIGHT, legend, new_axes
from ds3sim.fit.estimates.curve import Curve
from ds3sim.fit.estimates.vote_at_k import vote_at_k
from ds3sim.fit.forecast import Forecast, ahead, naming
from ds3sim.fit.latent_fit import LatentFit
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import LogLike, log_of
from ds3sim.fit.pass_at_n import fit_pass_at_n
from ds3sim.fit.price import Price, price_of
from ds3sim.fit.wrong_answers import KINDS, ErrorFit, fit_answers, fit_vote_curve, rates_of_votes
from ds3sim.theory import latent
from ds3sim.theory.cost import CostModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HARDLY_TOLD = (
    "a vote curve alone hardly tells the success rates: A = 1 is assumed, and intervals take the rates as"
    " known; give the pass@N of the same model and benchmark (--pass-at-n) or its parameters (--latent)"
)
ERROR_KEYS = ("kind", "categories", "decay", "exponent", "weights", "scores", "criterion", "squared_error")
"""What :meth:`VoteFit.to_dict` says of the wrong answers."""


@dataclass(frozen=True, eq=False)
class VoteFit(Forecast):
    """Success rates and wrong answers of a model on a benchmark, and the plurality vote that they give.

    Attributes:
        rates: success rates of the tasks.
        errors: which wrong answers are given.
        log: what the wrong answers were fitted to, without its samples.
        warnings: a sentence each.
        at: numbers of votes that are predicted.
        price: what a sample costs.

    >>> log = ds.Log(problems=("a", "b"), samples=[9, 9], correct=[3, 5], wrong=([4, 2], [2, 2]))
    >>> fit = ds.fit_votes(log, errors="uniform", rates=(0.9, 0.5, 1.0))
    >>> fit.predict([1, 9]).estimate.round(3).tolist()
    [0.3, 0.334]
    """

    rates: LatentFit
    errors: ErrorFit
    log: Log = field(repr=False)
    warnings: tuple[str, ...] = ()
    at: tuple[int, ...] = (1, 10, 100)
    price: Price = field(default_factory=Price)
    axis: ClassVar[str] = "votes N"
    title: ClassVar[str] = "accuracy of the vote"

    def __post_init__(self) -> None:
        object.__setattr__(self, "log", replace(self.log, table=None, answers=None))

    def predict(self, n: ArrayLike) -> Estimate:
        """(13) with 95% intervals: rates and error model, taken as independent.

        Args:
            n: numbers of votes, whole, >= 1, [K].

        Returns:
            float64 [K].

        Raises:
            InputError: a number that is not whole or below 1.
        """
        whole = np.atleast_1d(whole_array("n", n, 1)).astype(np.int64).tolist()
        rows = [self._interval(lambda a, b, c, w, k=k: latent.vote_at_n(k, a, b, c, w)) for k in whole]
        return Estimate(*np.array(rows).T)

    @cached_property
    def plateau(self) -> Estimate:
        """(14), accuracy of the vote for N without end, with its 95% interval."""
        value = self._interval(lambda a, b, c, w: float(latent.plateau(a, b, c, w[0])))
        return Estimate(*(np.float64(v) for v in value))

    def _interval(self, function: Callable[[float, float, float, np.ndarray], float]) -> tuple[float, float, float]:
        """Value and limits of a function of (A, alpha, beta, weights)."""
        parameters, errors = self.rates.parameters, self.errors
        here = function(*parameters, errors.weights)
        ends = [function(*parameters, w) for w in (errors.low, errors.high)]
        low, high = self.rates.interval_of(lambda a, b, c: function(a, b, c, errors.weights))
        down = math.hypot(max(0.0, here - min(ends)), max(0.0, here - low))
        up = math.hypot(max(0.0, max(ends) - here), max(0.0, high - here))
        return here, max(0.0, here - down), min(1.0, here + up)

    def observed(self) -> Curve | None:
        """The vote among k of the log's samples; None for a curve."""
        return vote_at_k(self.log) if self.log.curve is None else None

    def grid(self) -> np.ndarray:
        """N of the figure, int64."""
        return np.unique(np.rint(np.geomspace(min(self.at), max(*self.at, 10), 14)).astype(np.int64))

    def to_dict(self, curve: bool = False) -> dict[str, Any]:
        """Error model, c*, plateau, rates, predictions, notes and warnings; with ``curve`` that of the figure."""
        errors, plateau = self.errors, self.plateau
        return self.forecast(curve) | {
            "errors": {name: getattr(errors, name) for name in ERROR_KEYS} | {"weights": errors.weights.tolist()},
            "c_star": errors.c_star,
            "c_star_interval": list(errors.c_star_interval),
            "plateau": float(plateau.estimate),
            "plateau_interval": [float(plateau.low), float(plateau.high)],
            "latent": self.rates.summary(),
            "warnings": list(self.warnings),
            "notes": list(dict.fromkeys((*self.log.notes, *self.rates.log.notes))),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """The log's votes, the fitted curve with its 95% band, and the plateau."""
        axes = new_axes(ax)
        super().plot(axes)
        level = float(self.plateau.estimate)
        axes.axhline(level, color=LIGHT.ink, linewidth=0.9, linestyle=(0, (5, 3)), label="plateau")
        legend(axes)
        return axes


def fit_votes(
    log: LogLike,
    at: ArrayLike | None = None,
    *,
    errors: str | None = None,
    rates: LatentFit | LogLike | tuple[float, float, float] | None = None,
    problems: int | None = None,
    tokens_per_sample: float | None = None,
    cost: CostModel | None = None,
) -> VoteFit:
    """Fit which wrong answers are given, and predict the plurality vote, (13), at any N.

    Args:
        log: counts with answers, or a curve of votes; a log or its path.
        at: numbers of votes that :meth:`~ds3sim.VoteFit.to_dict` and the figure predict at, whole, up to 10^12;
            None takes 1, 10, ... to ten times the largest of the log.
        errors: the error model: ``geometric``, ``uniform``, ``zipf`` or ``weights``; None compares them.
        rates: success rates of the same model and benchmark: a fit, a log or curve of pass@N (or its path), or
            (A, alpha, beta); None fits those of the log.
        problems: how many problems the curve of pass@N that ``rates`` names averages over.
        tokens_per_sample: generated tokens of a sample, instead of the log's mean.
        cost: the model's cost, for FLOPs.

    Raises:
        InputError: naming the log: no answers, too few votes; an argument outside its range or without effect.

    >>> wrong = ([3, 2], [4, 1, 1], [2, 2], [5, 1])
    >>> log = ds.Log(problems=tuple("abcd"), samples=[10] * 4, correct=[5, 4, 6, 0], wrong=wrong)
    >>> fit = ds.fit_votes(log, errors="uniform", rates=(0.9, 0.5, 1.0))
    >>> print(fit.errors.words, f"plateau {fit.plateau:.2f}")
    uniform, 4 categories plateau 0.45
    """
    one_of("errors", errors, (*KINDS, None))
    log = log_of(log)
    price, at = price_of(log, tokens_per_sample, cost), ahead(log, at)
    with naming(log):
        if log.curve is None:
            wrong = log.need_answers()
            found = _rates(rates, problems) or fit_pass_at_n(log)
            model, blank = fit_answers(wrong, errors), int(log.blank.sum())
            note = f"{blank} wrong samples gave no answer: (13) lets them vote like the other wrong ones"
            notes = (*model.warnings, note) if blank else model.warnings
        else:
            given = _rates(rates, problems)
            found = given or LatentFit(1.0, *rates_of_votes(log.curve.n, log.curve.success))
            model = fit_vote_curve(log.curve.n, log.curve.success, found.parameters, errors)
            notes = model.warnings if given else (HARDLY_TOLD, *model.warnings)
    return VoteFit(found, model, log, (*found.warnings, *notes), at, price)


def _rates(rates: Any, problems: int | None) -> LatentFit | None:
    """The fit that ``rates`` stands for."""
    if _are_parameters(rates):
        solvable, alpha, beta = map(float, rates)
        rates = LatentFit(solvable, alpha, beta)
    if rates is not None and not isinstance(rates, LatentFit):
        return fit_pass_at_n(rates, problems=problems)
    require(problems is None, f"problems = {problems} has no effect: no curve of pass@N is given (--pass-at-n)")
    return rates


def _are_parameters(rates: object) -> TypeGuard[tuple[float, float, float]]:
    """Whether these are (A, alpha, beta), and not the paths of three logs."""
    return (
        is_list(rates) and isinstance(rates, tuple) and len(rates) == 3 and not isinstance(rates[0], str | os.PathLike)
    )
