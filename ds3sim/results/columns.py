"""Columns of a result with their units: what tables, labelled arrays and files have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ds3sim.results.row import Row


@dataclass(frozen=True)
class Column:
    """A quantity of a row.

    Attributes:
        unit: "1" is a pure number, "" is text.
        meaning: in words.
        header: its name in files that hold no units, .csv and .parquet.
    """

    unit: str
    meaning: str
    header: str


COLUMNS = {
    "traces": Column("1", "trials of the whole task", "traces"),
    "steps": Column("steps", "budget of a task, shared by its traces", "budget_steps"),
    "steps_per_trace": Column("steps", "budget of one trace", "budget_steps_per_trace"),
    "tokens": Column("tokens", "budget as the config gives it", "given_tokens"),
    "flops": Column("FLOP", "budget as the config gives it", "given_FLOP"),
    "cot_steps": Column("steps", "chain-of-thought budget of equal FLOPs", "cot_steps"),
    "cot_tokens": Column("tokens", "chain-of-thought budget of equal FLOPs", "cot_tokens"),
    "authors_flops": Column("FLOP", "mean cost of a task as the authors' code counts it", "authors_flops"),
    "success": Column("1", "probability that the task is solved within the budget", "success_probability"),
    "success_low": Column("1", "lower end of the 95% interval of success", "success_probability_low95"),
    "success_high": Column("1", "upper end of the 95% interval of success", "success_probability_high95"),
    "expected_steps": Column("steps", "mean steps of a task, summed over its traces", "expected_steps"),
    "expected_steps_low": Column("steps", "lower end of the 95% interval of expected_steps", "expected_steps_low95"),
    "expected_steps_high": Column("steps", "upper end of the 95% interval of expected_steps", "expected_steps_high95"),
    "expected_tokens": Column("tokens", "mean output tokens of a task", "expected_tokens"),
    "expected_flops": Column("FLOP", "cost of a task that uses the expected tokens", "expected_tokens_FLOP"),
    "mean_flops": Column("FLOP", "mean cost of a task", "mean_FLOP"),
    "budget_tokens": Column("tokens", "output tokens of a task that uses its whole budget", "budget_tokens"),
    "budget_flops": Column("FLOP", "cost of a task that uses its whole budget", "budget_FLOP"),
    "probability_best": Column("1", "chance to be the best strategy", "probability_best"),
    "behind": Column("1", "success that it lacks to the best strategy", "behind"),
    "behind_low": Column("1", "lower end of the simultaneous interval of behind", "behind_low"),
    "behind_high": Column("1", "upper end of the simultaneous interval of behind", "behind_high"),
    "reference": Column("", "where the reference comes from", "reference"),
    "reference_success": Column("1", "success probability by the reference", "reference_success_probability"),
    "reference_expected_steps": Column("steps", "expected steps by the reference", "reference_expected_steps"),
}

FIELDS = {field.name for field in fields(Row)} - {"reference"}

AXIS_UNITS = {
    "cost.parameters": "parameters",
    "cost.tokens_per_step": "tokens per step",
    "cost.prompt_tokens": "tokens",
    "budget.steps": "steps",
    "budget.steps_per_trace": "steps",
    "budget.tokens": "tokens",
    "budget.flops": "FLOP",
    "strategy.n": "traces",
}


def axis_column(name: str) -> str:
    """The column of an axis; an axis that is called as another column gets a prefix."""
    return f"axis.{name}" if name in COLUMNS or name in ("strategy", "budget") else name


def unit_of(name: str) -> str:
    """The unit of a column, of an axis too; "1" for pure numbers, "" for text."""
    if name in COLUMNS:
        return COLUMNS[name].unit
    return "" if name == "strategy" else AXIS_UNITS.get(name, "1")


def columns_of(
    axes: Sequence[str], rows: Sequence[Row], more: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """One array for each axis, ``strategy`` and each of ``COLUMNS`` that some row fills, all as long as ``rows``.

    Args:
        axes: names of the axes.
        rows: of a result.
        more: further columns.
    """
    values: dict[str, list] = {axis_column(axis): [row.axes.get(axis) for row in rows] for axis in axes}
    values["strategy"] = [row.strategy for row in rows]
    for name in COLUMNS:
        if name in FIELDS:
            values[name] = [getattr(row, name) for row in rows]
    known = [row.reference for row in rows]
    values["reference"] = [None if one is None else one.by for one in known]
    values["reference_success"] = [None if one is None else one.success for one in known]
    values["reference_expected_steps"] = [None if one is None else one.expected_steps for one in known]
    found = {name: column(own) for name, own in values.items() if any(value is not None for value in own)}
    return found | dict(more or {})


def column(values: Sequence) -> np.ndarray:
    """One type for a column: int64, float64 (None is NaN), bool, or text (None is "", lists and tables are JSON)."""
    kinds = {type(v) for v in values if v is not None}
    if kinds == {bool} and None not in values:
        return np.array(values, dtype=bool)
    if kinds == {int} and None not in values and all(abs(v) < 2**63 for v in values):
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float}:
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    out = np.empty(len(values), dtype=object)
    out[:] = ["" if v is None else v if isinstance(v, str) else json.dumps(v) for v in values]
    return out


def attributes(said: Mapping[str, Any]) -> dict[str, str | int | float]:
    """What a result says of itself, as attributes that files can hold."""
    plain = {key: value for key, value in said.items() if value is not None}
    flat = {k: v if isinstance(v, str | int | float) else json.dumps(v) for k, v in plain.items()}
    return {key: int(value) if isinstance(value, bool) else value for key, value in flat.items()}
