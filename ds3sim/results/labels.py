"""Results as tidy tables (pandas) and labelled arrays (xarray), with units."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import require
from ds3sim.results.columns import COLUMNS, attributes, axis_column, column, columns_of, unit_of
from ds3sim.results.row import Row

if TYPE_CHECKING:
    import pandas
    import xarray

ALWAYS = ("success", "success_low", "success_high", "expected_steps", "expected_tokens", "expected_flops")
"""Variables that every dataset has; NaN where nothing fills them."""

MOST_EMPTY = 4
"""An array may have this many times as many cells as there are points; else points are a list."""

BUDGETS = ("flops", "tokens", "cot_tokens", "cot_steps", "steps", "steps_per_trace")
"""What may label the budgets, in order of preference."""


def frame_of(
    axes: Sequence[str], rows: Sequence[Row], said: Mapping[str, Any], more: Mapping[str, np.ndarray] | None = None
) -> pandas.DataFrame:
    """A tidy ``pandas.DataFrame``: one row for each point, strategy and budget.

    Args:
        axes: names of the axes.
        rows: of the result.
        said: what the result says of itself.
        more: further columns.

    Returns:
        Columns are the axes, ``strategy`` and those of ``COLUMNS`` that some row fills; ``attrs`` holds ``units``
        (column -> unit), ``meanings`` and ``said``.
    """
    import pandas

    frame = pandas.DataFrame(columns_of(axes, rows, more))
    numeric = [name for name in frame.columns if is_number(frame[name])]
    frame.attrs = {
        "units": {name: unit_of(name) for name in numeric if unit_of(name)},
        "meanings": {name: COLUMNS[name].meaning for name in frame.columns if name in COLUMNS},
        **attributes(said),
    }
    return frame


def with_headers(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The frame with column names for files that have no place for units."""
    names = {name: COLUMNS[name].header for name in frame.columns if name in COLUMNS}
    out = frame.rename(columns=names)
    for key in ("units", "meanings"):
        out.attrs[key] = {names.get(name, name): said for name, said in frame.attrs[key].items()}
    return out


def dataset_of(
    axes: Sequence[str], rows: Sequence[Row], said: Mapping[str, Any], more: Mapping[str, np.ndarray] | None = None
) -> xarray.Dataset:
    """An ``xarray.Dataset`` labelled by the axes, ``strategy`` (where named) and ``budget``.

    Axes that vary together (zipped) share a dimension, named as the first of them; the others are
    coordinates along it. Where the points fill no grid, there is one dimension ``point`` with the axes
    as coordinates. Cells without a result are NaN. ``budget`` is labelled by what all rows have in
    common: FLOP, tokens or steps; if nothing, by 0, 1, ..., and the steps are a variable.

    Args:
        axes, rows, said, more: as for :func:`frame_of`.

    Raises:
        InputError: there are no rows.
    """
    import xarray

    require(len(rows) > 0, "the result has no rows: nothing to write")
    table = columns_of(axes, rows, more)
    names = [axis_column(axis) for axis in axes]
    values = [tuple(row.axes.get(axis) for axis in axes) for row in rows]
    dims, place, coords = _grid(names, list(dict.fromkeys(map(_hashable, values))))
    strategies = list(dict.fromkeys(row.strategy for row in rows))
    if strategies != [None]:
        dims = [*dims, ("strategy", len(strategies))]
        coords["strategy"] = ("strategy", column([str(s) for s in strategies]))
    cells, counts = [], {}
    for row, value in zip(rows, values, strict=True):
        cell = place[_hashable(value)]
        if strategies != [None]:
            cell = (*cell, strategies.index(row.strategy))
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


def _hashable(point: tuple) -> tuple:
    """1, 1.0 and True are equal in Python and different on an axis; lists and tables are JSON text."""
    return tuple((type(v).__name__, json.dumps(v) if isinstance(v, list | dict) else v) for v in point)


def _grid(axes: Sequence[str], points: Sequence[tuple]) -> tuple[list[tuple[str, int]], dict[tuple, tuple], dict]:
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


def _filled(values: np.ndarray, cells: Sequence[tuple], shape: tuple[int, ...]) -> np.ndarray:
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
