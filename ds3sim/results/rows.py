"""From laws to rows: the one place where the steps of a result become tokens and FLOPs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ds3sim.config.entries import Entry
from ds3sim.core.estimate import Estimate
from ds3sim.engine.law import Law, Mixture
from ds3sim.results.row import Reference, Row
from ds3sim.task.budget import BudgetRow
from ds3sim.theory.cost import CostModel


@dataclass(frozen=True)
class Place:
    """Where rows belong, and what their steps cost.

    Attributes:
        point, axes, strategy: as in :class:`Row`.
        n: traces of a task.
        proposals: of a step; each costs ``tokens_per_step`` tokens.
        cost: the cost model; None: no FLOPs.
        weights: of the tasks, one for each, or for each a row with a weight at every budget.
        budgets: in steps, and as given.
    """

    point: int
    axes: Mapping[str, Any]
    strategy: str | None
    n: int
    proposals: int
    tokens_per_step: float
    cost: CostModel | None
    weights: tuple
    budgets: tuple[BudgetRow, ...]

    @property
    def steps(self) -> np.ndarray:
        """Whole budgets of a task in steps, int64 [B]."""
        return np.array([int(row.steps) for row in self.budgets], dtype=np.int64)


def place_of(entry: Entry) -> Place:
    """The place of an entry's rows."""
    task, where = entry.tasks[0], (entry.point, entry.axes, entry.strategy)
    price = (entry.tokens_per_step, entry.cost)
    return Place(*where, task.n, task.step.proposals, *price, entry.weights, entry.rows)


@dataclass(frozen=True, eq=False)
class _Measured:
    """A law at the budgets of a place: success and steps of a task [3, B], E[(steps of a trace)^2] [B], trials."""

    success: np.ndarray
    steps: np.ndarray
    square: np.ndarray
    traces: int


def rows_of(
    places: Sequence[Place],
    laws: Sequence[Sequence[Law]],
    references: Sequence[Sequence[Reference | None]] | None = None,
) -> list[tuple[Row, ...]]:
    """The rows of every place, from the laws of its tasks.

    Args:
        places: where the rows belong.
        laws: for each place the laws of its tasks.
        references: for each place the reference at every budget.
    """
    found = [_measured(place, own) for place, own in zip(places, laws, strict=True)]
    flops = _flops(places, found)
    if references is None:
        references = [[None] * len(place.budgets) for place in places]
    return [_rows(*parts) for parts in zip(places, found, flops, references, strict=True)]


def _measured(place: Place, laws: Sequence[Law]) -> _Measured:
    steps, law = place.steps, Mixture(laws, place.weights)
    success, spent = _within(law.success(steps), 1.0), _within(law.expected_steps(steps), steps)
    return _Measured(success, spent, np.asarray(law.expected_square_steps(steps)), law.traces)


def _within(found: Estimate, most: float | np.ndarray) -> np.ndarray:
    """An estimate with its interval clipped to what is possible, [3, B]."""
    high = np.minimum(found.high, np.maximum(most, found.estimate))
    return np.array([found.estimate, np.maximum(found.low, 0.0), high])


def _flops(places: Sequence[Place], found: Sequence[_Measured]) -> list[np.ndarray | None]:
    """FLOPs at the expected tokens, mean FLOPs, FLOPs of the budget: [3, B] a place; one call a cost model."""
    out: list[np.ndarray | None] = [None] * len(places)
    groups: dict[CostModel, list[int]] = {}
    for i, place in enumerate(places):
        if place.cost is not None:
            groups.setdefault(place.cost, []).append(i)
    for cost, members in groups.items():
        own = [places[i] for i in members]
        sizes = [len(place.budgets) for place in own]
        omega, n = cost.tokens_per_step, np.repeat([place.n for place in own], sizes)
        kind = {"branches": np.repeat([place.proposals for place in own], sizes), "n": n}
        mean = omega * (np.concatenate([found[i].steps[0] for i in members]) / n)
        # A mean and a mean square that were rounded apart may miss mean^2 <= square by an ulp or two.
        square = np.maximum(omega**2 * np.concatenate([found[i].square for i in members]), mean * mean)
        full = omega * np.array([row.steps_per_trace for place in own for row in place.budgets], dtype=np.float64)
        values = np.array([cost.flops(mean, **kind), cost.mean_flops(mean, square, **kind), cost.flops(full, **kind)])
        for i, part in zip(members, np.split(values, np.cumsum(sizes)[:-1], axis=1), strict=True):
            out[i] = part
    return out


def _rows(place: Place, found: _Measured, flops: np.ndarray | None, references: Sequence) -> tuple[Row, ...]:
    tokens = place.proposals * place.tokens_per_step
    none = [None] * len(place.budgets)
    costs = (none, none, none) if flops is None else flops.tolist()
    columns = zip(place.budgets, found.success.T.tolist(), found.steps.T.tolist(), *costs, references, strict=True)
    return tuple(
        Row(
            place.point,
            place.axes,
            place.strategy,
            given.steps,
            given.steps_per_trace,
            found.traces,
            p,
            p_low,
            p_high,
            k,
            k_low,
            k_high,
            tokens * k,
            at_mean,
            mean,
            float(tokens * place.n * given.steps_per_trace),
            full,
            given.tokens,
            given.flops,
            given.cot_steps,
            given.cot_tokens,
            given.authors_flops,
            known,
        )
        for given, (p, p_low, p_high), (k, k_low, k_high), at_mean, mean, full, known in columns
    )
