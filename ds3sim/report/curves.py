"""The theory between the budgets, so that figures show a curve and not a polygon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ds3sim.config.entries import Entry
from ds3sim.config.study import Study
from ds3sim.core.errors import InputError
from ds3sim.engine.closed_form import closed_forms
from ds3sim.engine.exact import exacts
from ds3sim.engine.law import Law
from ds3sim.results.row import rows_of
from ds3sim.study.references import exact_work
from ds3sim.task.budget import BudgetRow

POINTS = 160
"""Points of a curve."""

MOST_WORK = 2e9
"""Multiplications allowed for a curve, a second or two; above it the line joins the budgets."""

MOST_TASKS = 2000
"""Tasks of a mixture; above it the line joins the budgets."""


@dataclass(frozen=True)
class Curve:
    """Theory of a strategy along its budgets; tuples of one length.

    Attributes:
        strategy: its name, "" for a single one.
        steps: budgets in steps.
        success: probability that the task is solved.
        tokens: expected tokens of a task.
        flops: mean FLOPs of a task, None without a cost model.
        budget_tokens, budget_flops: the budgets where they are given so: the steps are those that they pay.
    """

    strategy: str
    steps: tuple[float, ...]
    success: tuple[float, ...]
    tokens: tuple[float, ...]
    flops: tuple[float, ...] | None = None
    budget_tokens: tuple[float, ...] | None = None
    budget_flops: tuple[float, ...] | None = None

    def along(self, against: str) -> tuple[float, ...] | None:
        """The values of budget_steps, budget_tokens, budget_flops, tokens or flops, where they are known."""
        return getattr(self, {"budget_steps": "steps"}.get(against, against))

    def to_dict(self) -> dict[str, Any]:
        """The curve as results.json holds it."""
        known = {key: list(value) for key, value in asdict(self).items() if key != "strategy" and value is not None}
        return ({"strategy": self.strategy} if self.strategy else {}) | known

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Curve:
        """The curve that :meth:`to_dict` wrote.

        Raises:
            InputError: it did not.
        """
        try:
            own = {key: tuple(map(float, value)) for key, value in data.items() if key != "strategy"}
            return cls(str(data.get("strategy", "")), **own)
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"a curve of the result cannot be read: {error}") from None


def theory_curves(study: Study) -> tuple[Curve, ...]:
    """Success and mean cost at many budgets, for each strategy of a study of one point that has a theory."""
    return tuple(curve for entry in study.entries() if (curve := _curve(entry)) is not None)


def _curve(entry: Entry) -> Curve | None:
    steps, given = _budgets(entry)
    laws = _laws(entry, steps) if steps.size > 2 else None
    if laws is None:
        return None
    budgets = tuple(BudgetRow(k, k // entry.n) for k in steps.tolist())
    (rows,) = rows_of([replace(entry, rows=budgets)], [laws])
    success, tokens, flops = zip(*((row.success, row.expected_tokens, row.mean_flops) for row in rows), strict=True)
    known = {name: tuple(values.tolist()) for name, values in given.items()}
    return Curve(entry.strategy or "", tuple(steps.tolist()), success, tokens, flops if entry.cost else None, **known)


def _budgets(entry: Entry) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Steps per task, and the budgets in tokens or FLOPs that pay them, where budgets are given so."""
    task, first = entry.tasks[0], entry.rows[0]
    unit = next((u for u in ("tokens", "flops") if getattr(first, u) is not None), None)
    asked = [getattr(row, unit) for row in entry.rows] if unit else [0.0]
    low, high = min(asked), max(asked)
    if unit is None or low <= 0 or high <= low:
        return grid(task.budgets, entry.n), {}
    given = np.geomspace(low, high, 3 * POINTS)
    given[[0, -1]] = low, high
    if unit == "flops" and entry.cost is not None:
        per_trace = np.asarray(entry.cost.max_steps(given, branches=entry.proposals, n=entry.n))
        steps = per_trace.astype(np.int64) * entry.n
    else:
        steps = np.floor(given / (entry.proposals * entry.tokens_per_step)).astype(np.int64)
    return np.clip(steps, 0, int(task.budgets.max())), {f"budget_{unit}": given}


def grid(budgets: np.ndarray, n: int) -> np.ndarray:
    """At most ``POINTS`` budgets over the range of ``budgets``, even in the logarithm, multiples of n, int64."""
    low, high = max(1, int(budgets.min()) // n), int(budgets.max()) // n
    if high < low:
        return np.zeros(0, dtype=np.int64)
    per_trace = np.unique(np.rint(np.geomspace(low, high, POINTS)).astype(np.int64))
    return np.clip(per_trace, low, high) * n


def _laws(entry: Entry, steps: np.ndarray) -> Sequence[Law] | None:
    """The laws of an entry's tasks at ``steps``, by formula or linear algebra; None where neither is known or cheap."""
    of_each_budget = isinstance(entry.weights[0], tuple)
    if entry.real is not None or of_each_budget or len(entry.tasks) > MOST_TASKS:
        return None
    tasks = [replace(task, steps=np.unique(steps)) for task in entry.tasks]
    try:
        return closed_forms(tasks, entry.forms)
    except InputError:
        pass
    try:
        return exacts(tasks) if sum(map(exact_work, tasks)) <= MOST_WORK else None
    except InputError:
        return None
