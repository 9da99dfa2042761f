"""The columns of results, with their units, and results as labelled arrays (xarray)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import require
from ds3sim.results.row import Row

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Column:
    """A quantity of a row: its unit ("1": a pure number, "": text), meaning, and name in files without units."""

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
    "effective_traces": Column("1", "traces of equal weight that would know success as well", "effective_traces"),
    "largest_weight": Column("1", "largest share of success that a single trace has", "largest_weight"),
    "relative_error": Column("1", "standard error of success as a share of it", "relative_error"),
    "probability_best": Column("1", "chance to be the best strategy", "probability_best"),
    "behind": Column("1", "success that it lacks to the best strategy", "behind"),
    "behind_low": Column("1", "lower end of the simultaneous interval of behind", "behind_low"),
    "behind_high": Column("1", "upper end of the simultaneous interval of behind", "behind_high"),
    "reference": Column("", "where the reference comes from", "reference"),
    "reference_success": Column("1", "success probability by the reference", "reference_success_probability"),
    "reference_expected_steps": Column("steps", "expected steps by the reference", "reference_expected_steps"),
}

ALWAYS = ("success", "success_low", "success_high", "expected_steps", "expected_tokens", "expected_flops")
"""Variables that every dataset has; NaN where nothing fills them."""

MOST_EMPTY = 4
"""An array may have this many times as many cells as there are points; else points are a list."""

BUDGETS = ("flops", "tokens", "cot_tokens", "cot_steps", "steps", "steps_per_trace")
"""What may label the budgets, in order of preference."""

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
    """One array for each axis, ``strategy`` and each of ``COLUMNS`` that some row fills, and ``more``."""
    values: dict[str, list[Any]] = {axis_column(axis): [row.axes.get(axis) for row in rows] for axis in axes}
    values["strategy"] = [row.strategy for row in rows]
    for name in COLUMNS:
        if name in FIELDS:
            values[name] = [getattr(row, name) for row in rows]
    for name, of in (("", "by"), ("_success", "success"), ("_expected_steps", "expected_steps")):
        values[f"reference{name}"] = [getattr(row.reference, of, None) for row in rows]
    found = {name: column(own) for name, own in values.items() if any(value is not None for value in own)}
    return found | dict(more or {})


def column(values: Sequence[Any]) -> np.ndarray:
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


def dataset_of(
    axes: Sequence[str], rows: Sequence[Row], said: Mapping[str, Any], more: Mapping[str, np.ndarray] | None = None
) -> xarray.Dataset:
    """See :meth:`Tidy.to_dataset`; arguments as for :func:`columns_of`, ``said`` are its attributes."""
    import xarray

    require(len(rows) > 0, "the result has no rows: nothing to write")
    table = columns_of(axes, rows, more)
    names = [axis_column(axis) for axis in axes]
    values = [tuple(row.axes.get(axis) for axis in axes) for row in rows]
    dims, place, coords = _grid(names, list(dict.fromkeys(map(_hashable, values))))
    strategies = list(dict.fromkeys(row.strategy for row in rows))
    dims = [*dims, ("strategy", len(strategies))]
    coords["strategy"] = ("strategy", column([s or "strategy" for s in strategies]))
    cells, counts = [], {}
    for row, value in zip(rows, values, strict=True):
        cell = (*place[_hashable(value)], strategies.index(row.strategy))
        number = counts[cell] = counts.get(cell, -1) + 1
        cells.append((*cell, number))
    dims = [*dims, ("budget", max(counts.values()) + 1)]
    shape = tuple(size for _, size in dims)
    variables = {n: _filled(table[n], cells, shape) for n in table if n not in (*names, "strategy")}
    variables |= {name: np.full(shape, np.nan) for name in ALWAYS if name not in variables}
    labels = {}
    for name in BUDGETS:
        if name in variables and (line := _common(variables[name])) is not None:
            labels[name] = line
            del variables[name]
    whole = tuple(name for name, _ in dims)
    coords |= {name: ("budget", line, _attrs(name)) for name, line in labels.items()}
    label = next((n for n in labels if len(set(labels[n].tolist())) == len(labels[n])), None)
    coords["budget"] = ("budget", labels[label] if label else np.arange(shape[-1]), _attrs(label or ""))
    data = {name: (whole, values, _attrs(name)) for name, values in variables.items()}
    out = xarray.Dataset(data, coords=coords, attrs=attributes(said))
    for name in names:
        if is_number(out[name]) and unit_of(name):
            out[name].attrs["units"] = unit_of(name)
    return out


def is_number(values: Any) -> bool:
    """Whether an array or a column holds numbers or truth values."""
    return getattr(values.dtype, "kind", "O") in "bif"


def _hashable(point: tuple[Any, ...]) -> tuple[Any, ...]:
    """1, 1.0 and True are equal in Python and different on an axis; lists and tables are JSON text."""
    return tuple((type(v).__name__, json.dumps(v) if isinstance(v, list | dict) else v) for v in point)


def _grid(
    axes: Sequence[str], points: Sequence[tuple[Any, ...]]
) -> tuple[list[tuple[str, int]], dict[tuple[Any, ...], tuple[Any, ...]], dict[Any, Any]]:
    """Dimensions (name, size), the cell of each point, and coordinates."""
    groups: list[list[int]] = []  # axes by position; one group is one dimension
    for at in range(len(axes)):
        for group in groups:
            pairs = {(p[group[0]], p[at]) for p in points}
            left, right = ({pair[side] for pair in pairs} for side in (0, 1))
            if len(pairs) == len(left) == len(right) > 1:
                group.append(at)
                break
        else:
            groups.append([at])
    values = [list(dict.fromkeys(tuple(p[at] for at in group) for p in points)) for group in groups]
    if math.prod(map(len, values)) > MOST_EMPTY * len(points):
        coords = {axes[at]: ("point", column([p[at][1] for p in points])) for at in range(len(axes))}
        return [("point", len(points))], {p: (i,) for i, p in enumerate(points)}, coords
    where = [{v: i for i, v in enumerate(line)} for line in values]
    place = {p: tuple(where[g][tuple(p[at] for at in group)] for g, group in enumerate(groups)) for p in points}
    dims = [(axes[group[0]], len(line)) for group, line in zip(groups, values, strict=True)]
    coords = {
        axes[at]: (axes[group[0]], column([v[i][1] for v in line]))
        for group, line in zip(groups, values, strict=True)
        for i, at in enumerate(group)
    }
    return dims, place, coords


def _filled(values: np.ndarray, cells: Sequence[tuple[Any, ...]], shape: tuple[int, ...]) -> np.ndarray:
    """An array of ``shape`` with values at cells; NaN or "" elsewhere."""
    if values.dtype == object:
        out = np.full(shape, "", dtype=object)
    elif len(cells) == math.prod(shape):
        out = np.zeros(shape, dtype=values.dtype)
    else:
        values = values.astype(np.float64)
        out = np.full(shape, np.nan)
    out[tuple(np.array(cells).T)] = values
    return out


def _common(values: np.ndarray) -> np.ndarray | None:
    """The line along the last dimension if it is the same everywhere (where there are values)."""
    if values.dtype == object:
        return None
    lines = values.reshape(-1, values.shape[-1])
    full = lines[~np.isnan(lines).any(axis=1)]
    if not len(full):
        return None
    same = (lines == full[0]) | np.isnan(lines)
    return full[0] if same.all() else None


def _attrs(name: str) -> dict[str, str]:
    if name not in COLUMNS:
        return {}
    told = (("units", COLUMNS[name].unit), ("long_name", COLUMNS[name].meaning))
    return {key: value for key, value in told if value}
