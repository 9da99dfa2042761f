"""Which strategy, and how many samples: best of n with a perfect verifier, and votes where answers are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.figure import LIGHT, dots, new_axes
from ds3sim.core.record import Record
from ds3sim.fit.edge import dataset, success_axes
from ds3sim.fit.latent_fit import LatentFit
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import LogLike, log_of
from ds3sim.fit.pass_at_n import fit_pass_at_n
from ds3sim.fit.price import MOST_AHEAD, first_n, price_of
from ds3sim.fit.votes import VoteFit, fit_votes
from ds3sim.fit.wrong_answers import KINDS
from ds3sim.theory import latent
from ds3sim.theory.cost import CostModel

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

MOST_VOTES = 2**20
"""Largest number of votes that is tried to reach a target."""


@dataclass(frozen=True)
class Option:
    """A strategy and its number of samples.

    Attributes:
        strategy: ``single``, ``best_of_n`` (with a verifier that never errs) or ``majority``.
        n: samples of a task, None where no number reaches the target.
        success: probability (estimate, low, high: 95%) with n samples, of ``single`` always with one.
        largest: success that more and more samples come to.
        tokens, flops: cost of a task, None where unknown.
    """

    strategy: str
    n: int | None
    success: tuple[float, float, float] | None
    largest: float
    tokens: float | None
    flops: float | None


@dataclass(frozen=True, eq=False)
class Plan(Record):
    """What to do with a budget, or for a target.

    Attributes:
        source: the log.
        target: success to reach, or None.
        tokens, flops: budget of a task, or None.
        samples: most samples within the budget, or None.
        strategies: the options.
        recommended: index of the best one: the fewest samples for a target, the largest success within a budget; None
            where none reaches the target.
        rates: success rates of the tasks.
        warnings: what the data cannot tell, a sentence each.
        notes: repairs and choices that were made when the log was read.

    >>> plan = ds.plan(ds.LatentFit(0.9, 0.5, 1.0), tokens=6000, tokens_per_sample=300)
    >>> plan.samples, plan.strategies[plan.recommended].strategy
    (20, 'best_of_n')
    """

    source: str
    target: float | None
    tokens: float | None
    flops: float | None
    samples: int | None
    strategies: tuple[Option, ...]
    recommended: int | None
    rates: LatentFit
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Target or budget, the strategies, the recommended one, rates, notes and warnings."""
        rows = [asdict(option) for option in self.strategies]
        for row in rows:
            row["success"] = row["success"] and dict(zip(("estimate", "low", "high"), row["success"], strict=True))
        best = None if self.recommended is None else self.strategies[self.recommended]
        return {
            "source": self.source,
            "target": self.target,
            "budget": {"tokens": self.tokens, "flops": self.flops, "samples": self.samples},
            "recommended": None if best is None else {"strategy": best.strategy, "n": best.n},
            "strategies": rows,
            "latent": self.rates.summary(),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }

    def to_dataset(self) -> xr.Dataset:
        """The options over the dimension ``strategy``; NaN where there is none."""
        units = {"n": "samples"} | dict.fromkeys(("success", "success_low", "success_high", "largest"), "1")
        units |= {"tokens": "tokens", "flops": "FLOPs"}
        rows = [[o.n, *(o.success or 3 * (np.nan,)), o.largest, o.tokens, o.flops] for o in self.strategies]
        table = np.array(rows, dtype=np.float64).T
        columns = {name: (values, unit) for (name, unit), values in zip(units.items(), table, strict=True)}
        return dataset("strategy", [o.strategy for o in self.strategies], None, columns, source=self.source)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Success of each strategy against its number of samples."""
        axes, shown = new_axes(ax), [o for o in self.strategies if o.n is not None and o.success is not None]
        for i, option in enumerate(shown):
            name = option.strategy.replace("_", " ")
            dots(axes, [option.n], *([v] for v in option.success or ()), index=i, label=name)
        if self.target is not None:
            axes.axhline(self.target, color=LIGHT.ink, linewidth=0.9, linestyle=(0, (5, 3)), label="target")
        heights = [*((o.success or (0.0,))[0] for o in shown), self.target or 0.0]
        return success_axes(axes, [o.n or 0 for o in shown], heights, "samples N", "success")


def plan(
    fit: LatentFit | VoteFit | LogLike,
    *,
    target: float | None = None,
    tokens: float | None = None,
    flops: float | None = None,
    errors: str | None = None,
    problems: int | None = None,
    tokens_per_sample: float | None = None,
    cost: CostModel | None = None,
) -> Plan:
    """Which strategy and how many samples, for a target or a budget.

    Args:
        fit: a fit of pass@N or of votes, or a log (or its path), which is fitted; with answers also by votes.
        target: success to reach, in (0, 1); or
        tokens: budget of a task in generated tokens; or
        flops: budget of a task in FLOPs.
        errors, problems: of a log, as for :func:`ds3sim.fit_votes` and :func:`ds3sim.fit_pass_at_n`.
        tokens_per_sample, cost: as for :func:`ds3sim.fit_pass_at_n`; of a fit, None takes the fit's.

    Raises:
        InputError: not exactly one of ``target``, ``tokens`` and ``flops``; a budget that no sample fits in; an
            argument outside its range or without effect.

    >>> plan = ds.plan(ds.LatentFit(solvable=0.9, alpha=0.5, beta=1.0), target=0.8)
    >>> plan.strategies[plan.recommended].n
    63
    """
    target, tokens, flops = (None if value is None else float(value) for value in (target, tokens, flops))
    asked = {"--target": target, "--tokens": tokens, "--flops": flops}
    given = {name: value for name, value in asked.items() if value is not None}
    require(len(given) == 1, f"plan needs one of --target, --tokens and --flops, not {' and '.join(given) or 'none'}")
    require(target is None or 0.0 < target < 1.0, f"target = {target} is not allowed: it must lie between 0 and 1")
    for name, value in given.items():
        require(value > 0, f"{name} {value:g} is not allowed: it must be above 0")
    one_of("errors", errors, (*KINDS, None))
    if isinstance(fit, LatentFit | VoteFit):
        require(errors is None and problems is None, "errors and problems have no effect on a fit: give them to it")
        log = fit.log
        rates, voted = (fit.rates, fit) if isinstance(fit, VoteFit) else (fit, None)
        price = fit.price if tokens_per_sample is None and cost is None else price_of(log, tokens_per_sample, cost)
        warnings, most = fit.warnings, price.affordable(tokens, flops) if target is None else None
    else:
        log = log_of(fit)
        price = price_of(log, tokens_per_sample, cost)
        most = price.affordable(tokens, flops) if target is None else None
        rates = fit_pass_at_n(log, problems=problems)
        voted, warnings = _votes(log, rates, errors)
    found = _options(target, most or 1, rates, voted)
    options = tuple(Option(name, n, s, limit, **price.row(n)) for name, n, s, limit in found)
    able = [i for i, option in enumerate(options) if option.n is not None]
    if target is not None:
        best = min(able, key=lambda i: options[i].n or 0, default=None)
    else:
        best = max(able, key=lambda i: (options[i].success or (0.0,))[0], default=None)
    notes = ("best_of_n takes a verifier that never errs: without one, compare the votes", *warnings)
    return Plan(log.source, target, tokens, flops, most, options, best, rates, notes, log.notes)


def _votes(log: Log, rates: LatentFit, errors: str | None) -> tuple[VoteFit | None, tuple[str, ...]]:
    """The fit of votes where the log has answers, and warnings, which say why where there is none."""
    if log.wrong is None:
        require(errors is None, f"errors = {errors} has no effect: the log has no answers (--errors)")
        return None, rates.warnings
    try:
        voted = fit_votes(log, errors=errors, rates=rates)
    except InputError as error:
        return None, (*rates.warnings, f"votes are not compared: {error}")
    return voted, voted.warnings


Row = tuple[str, int | None, tuple[float, float, float] | None, float]


def _options(target: float | None, most: int, rates: LatentFit, voted: VoteFit | None) -> Iterator[Row]:
    """Strategy, samples, success and its limit: the fewest samples for a target, else ``most``."""

    def numbers(fit: LatentFit | VoteFit, n: int) -> tuple[float, float, float]:
        found = fit.predict(np.array([n]))[0]
        return float(found.estimate), float(found.low), float(found.high)

    one, parameters = numbers(rates, 1), rates.parameters
    reached = target is None or one[0] >= target
    yield "single", 1 if reached else None, one, rates.solvable if target is None else one[0]
    best: Callable[[int], float] = lambda k: latent.pass_at_n(k, *parameters)  # noqa: E731
    ways: list[tuple[Any, ...]] = [("best_of_n", rates, best, MOST_AHEAD, rates.solvable)]
    if voted is not None:
        weights = voted.errors.weights
        vote: Callable[[int], float] = lambda k: latent.vote_at_n(k, *parameters, weights)  # noqa: E731
        ways.append(("majority", voted, vote, MOST_VOTES, float(voted.plateau)))
    for name, fit, success, largest, limit in ways:
        n = most if target is None else first_n(lambda k, f=success: f(k) >= target, largest)
        yield name, n, None if n is None else numbers(fit, n), limit
