"""What is known of one strategy at one budget of one point, with its units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ds3sim.core.errors import InputError

AS_GIVEN = ("tokens", "flops", "cot_steps", "cot_tokens")
"""Fields that hold the budget as the config gives it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Numbers that are not random, beside a row.

    Attributes:
        success: probability that the task is solved within the budget.
        expected_steps: steps of a task, summed over its traces.
        by: ``closed_form`` or ``exact``.
    """

    success: float
    expected_steps: float
    by: str


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy at one budget of one point.

    Attributes:
        point: number of the point, 0, 1, ... in row-major order of the axes.
        axes: the point's value on each axis, by dotted key; empty without axes.
        strategy: name, None where there is a single one.
        steps: budget of a task in steps, shared by its n traces.
        steps_per_trace: budget of one trace in steps.
        traces: trials of the whole task; 0 where the numbers are not random.
        success, success_low, success_high: probability that the task is solved within the budget, with its 95%
            interval.
        expected_steps, expected_steps_low, expected_steps_high: steps of a task, summed over its traces, with the
            95% interval.
        expected_tokens: output tokens of a task.
        expected_flops: FLOPs of a task that uses the expected tokens; None without a cost model.
        mean_flops: mean FLOPs of a task; None without a cost model.
        budget_tokens: output tokens of a task that uses its whole budget.
        budget_flops: FLOPs of a task that uses its whole budget; None without a cost model.
        tokens, flops: the budget of a task as the config gives it, in tokens or FLOPs; None where it is in steps.
        cot_steps, cot_tokens: the chain-of-thought budget of equal FLOPs, where a sweep matches FLOPs.
        authors_flops: mean FLOPs of a task as the authors' code counts them, for tasks of levels of skills; NaN where
            their code has no such strategy.
        reference: what a formula or linear algebra gives for the same row, where it can be had.
    """

    point: int
    axes: Mapping[str, Any]
    strategy: str | None
    steps: int | float
    steps_per_trace: int | float
    traces: int
    success: float
    success_low: float
    success_high: float
    expected_steps: float
    expected_steps_low: float
    expected_steps_high: float
    expected_tokens: float
    expected_flops: float | None
    mean_flops: float | None
    budget_tokens: float
    budget_flops: float | None
    tokens: float | None = None
    flops: float | None = None
    cot_steps: int | float | None = None
    cot_tokens: float | None = None
    authors_flops: float | None = None
    reference: Reference | None = None

    def to_dict(self) -> dict[str, Any]:
        """The row as ``ds3sim run --json`` prints it."""
        return {
            **({} if self.strategy is None else {"strategy": self.strategy}),
            "steps": self.steps,
            "steps_per_trace": self.steps_per_trace,
            **{
                name: None if value != value else value
                for name in (*AS_GIVEN, "authors_flops")
                if (value := getattr(self, name)) is not None
            },
            "traces": self.traces,
            "success": {"estimate": self.success, "low": self.success_low, "high": self.success_high},
            "expected_steps": {
                "estimate": self.expected_steps,
                "low": self.expected_steps_low,
                "high": self.expected_steps_high,
            },
            "expected_tokens": self.expected_tokens,
            "expected_flops": self.expected_flops,
            "mean_flops": self.mean_flops,
            "budget_tokens": self.budget_tokens,
            "budget_flops": self.budget_flops,
        }

    def reference_dict(self) -> dict[str, Any]:
        """The row's reference as ``ds3sim run --json`` prints it."""
        known = self.reference
        if known is None:
            raise InputError("this row has no reference")
        name = {} if self.strategy is None else {"strategy": self.strategy}
        said = {"steps": self.steps, "success": known.success, "expected_steps": known.expected_steps, "by": known.by}
        return name | said


def read_rows(
    point: int,
    axes: Mapping[str, Any],
    results: Iterable[Mapping[str, Any]],
    references: Iterable[Mapping[str, Any]],
    traces: int = 0,
) -> tuple[Row, ...]:
    """The rows of a point from what ``--json`` printed.

    Args:
        point, axes: number of the point, and its value on each axis.
        results, references: lists of dictionaries as :meth:`Row.to_dict` and :meth:`Row.reference_dict` make them.
        traces: for rows that do not say theirs.

    Raises:
        InputError: not such rows.
    """
    try:
        known = {(row.get("strategy"), row["steps"]): row for row in references}
        return tuple(_read(point, axes, row, known.get((row.get("strategy"), row["steps"])), traces) for row in results)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"a row of the result cannot be read: {type(error).__name__}: {error}") from None


def _read(point: int, axes: Mapping[str, Any], row: Mapping, known: Mapping | None, traces: int) -> Row:
    authors = row.get("authors_flops")
    if authors is None and "authors_flops" in row:
        authors = math.nan
    values: dict[str, Any] = {key: row.get(key) for key in ("expected_flops", "mean_flops", "budget_flops", *AS_GIVEN)}
    values |= {
        key + {"estimate": "", "low": "_low", "high": "_high"}[end]: float(row[key][end])
        for key in ("success", "expected_steps")
        for end in ("estimate", "low", "high")
    }
    return Row(
        point=point,
        axes=axes,
        strategy=row.get("strategy"),
        steps=row["steps"],
        steps_per_trace=row.get("steps_per_trace", row["steps"]),
        traces=row.get("traces", traces),
        expected_tokens=row["expected_tokens"],
        budget_tokens=row["budget_tokens"],
        **values,
        authors_flops=authors,
        reference=None if known is None else Reference(known["success"], known["expected_steps"], known["by"]),
    )
