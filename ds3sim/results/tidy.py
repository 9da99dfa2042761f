"""A sweep's result as tidy rows with units: what tables and labelled arrays have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ds3sim.core.errors import InputError

UNITS = {
    "traces": ("1", "trials of the whole task"),
    "budget_steps": ("steps", "budget of a task, shared by its traces"),
    "budget_steps_per_trace": ("steps", "budget of one trace"),
    "given_tokens": ("tokens", "budget as the config gives it"),
    "given_FLOP": ("FLOP", "budget as the config gives it"),
    "cot_steps": ("steps", "chain-of-thought budget of equal FLOPs"),
    "cot_tokens": ("tokens", "chain-of-thought budget of equal FLOPs"),
    "success_probability": ("1", "probability that the task is solved within the budget"),
    "success_probability_low95": ("1", "lower end of the 95% interval of success_probability"),
    "success_probability_high95": ("1", "upper end of the 95% interval of success_probability"),
    "expected_steps": ("steps", "mean steps of a task, summed over its traces"),
    "expected_steps_low95": ("steps", "lower end of the 95% interval of expected_steps"),
    "expected_steps_high95": ("steps", "upper end of the 95% interval of expected_steps"),
    "expected_tokens": ("tokens", "mean output tokens of a task"),
    "expected_tokens_FLOP": ("FLOP", "cost of a task that uses the expected tokens"),
    "mean_FLOP": ("FLOP", "mean cost of a task"),
    "budget_tokens": ("tokens", "output tokens of a task that uses its whole budget"),
    "budget_FLOP": ("FLOP", "cost of a task that uses its whole budget"),
    "reference": ("", "where the reference comes from"),
    "reference_success_probability": ("1", "success probability by the reference"),
    "reference_expected_steps": ("steps", "expected steps by the reference"),
}
"""Column -> (unit, meaning); "1" is a pure number. The names are those of results.csv of ``run``."""

_NAMES = {
    "steps": "budget_steps",
    "steps_per_trace": "budget_steps_per_trace",
    "tokens": "given_tokens",
    "flops": "given_FLOP",
    "expected_flops": "expected_tokens_FLOP",
    "mean_flops": "mean_FLOP",
    "budget_flops": "budget_FLOP",
}

_AXIS_UNITS = {
    "cost.parameters": "parameters",
    "cost.tokens_per_step": "tokens per step",
    "cost.prompt_tokens": "tokens",
    "budget.steps": "steps",
    "budget.steps_per_trace": "steps",
    "budget.tokens": "tokens",
    "budget.flops": "FLOP",
    "strategy.n": "traces",
}


def axis_unit(name: str) -> str:
    """The unit of an axis; "1" for pure numbers."""
    return _AXIS_UNITS.get(name, "1")


def axis_names(result: Mapping[str, Any]) -> list[str]:
    """The axes of a result, in order of first appearance."""
    return list(dict.fromkeys(key for point in points_of(result) for key in point.get("axes") or {}))


def points_of(result: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The points of a sweep; a result of ``run`` is a sweep of one point.

    Raises:
        InputError: neither of the two.
    """
    points = result.get("points") if isinstance(result, Mapping) else None
    if points is None and isinstance(result, Mapping) and isinstance(result.get("results"), list):
        points = [{"axes": {}, "results": result["results"], "reference": result.get("reference") or []}]
    if not isinstance(points, list) or not all(map(_is_point, points)):
        raise InputError("this is not a result of ds3sim sweep or run: it has no points with results")
    return points


def _is_point(point) -> bool:
    rows = point.get("results") if isinstance(point, Mapping) else None
    return isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows)


def tidy_rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One dictionary for each point, strategy and budget: axes, ``strategy``, then the keys of ``UNITS``.

    Values are plain numbers, text or None; axis values that are lists or tables become JSON text.
    Columns that no row fills are left out. Keys of rows that are not known keep their names.

    Raises:
        InputError: the dictionary is no result of ``sweep`` or ``run``.
    """
    axes = axis_names(result)
    out = []
    for point in points_of(result):
        reference = {_place(r): r for r in point.get("reference") or ()}
        values = point.get("axes") or {}
        for data in point["results"]:
            row: dict[str, Any] = {axis_column(name): _plain(values.get(name)) for name in axes}
            row["strategy"] = data.get("strategy")
            row |= dict.fromkeys(UNITS)
            try:
                for key, value in data.items():
                    _put(row, key, value)
                known = reference.get(_place(data))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise InputError(f"a row of the result cannot be read: {type(error).__name__}: {error}") from None
            if known is not None:
                row["reference"] = known.get("by")
                row["reference_success_probability"] = known.get("success")
                row["reference_expected_steps"] = known.get("expected_steps")
            out.append(row)
    filled = {key for row in out for key, value in row.items() if value is not None}
    columns = [key for key in dict.fromkeys(k for row in out for k in row) if key in filled]
    return [{key: row.get(key) for key in columns} for row in out]


def axis_column(name: str) -> str:
    """The column of an axis; an axis that is called as another column gets a prefix."""
    return f"axis.{name}" if name in UNITS or name in ("strategy", "budget") else name


def _put(row: dict[str, Any], key: str, value) -> None:
    if key == "success" or key == "expected_steps":
        name = "success_probability" if key == "success" else key
        row[name] = float(value["estimate"])
        row[f"{name}_low95"], row[f"{name}_high95"] = float(value["low"]), float(value["high"])
    elif isinstance(value, Mapping) and {"estimate", "low", "high"} <= set(value):
        row[key] = value["estimate"]
        row[f"{key}_low95"], row[f"{key}_high95"] = value["low"], value["high"]
    else:
        row[_NAMES.get(key, key)] = _plain(value)


def _place(row: Mapping[str, Any]) -> tuple:
    return row.get("strategy"), row.get("steps")


def _plain(value):
    return json.dumps(value) if isinstance(value, list | tuple | Mapping) else value
