"""Results as labelled arrays (xarray) and tidy tables (pandas), and as files with units.

NetCDF and Zarr keep units in the attributes of each variable, Parquet in the metadata of each field
and in ``DataFrame.attrs``; CSV has the unit in the column's name.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import parsed, read_text, write_file
from ds3sim.core.plain import as_plain
from ds3sim.core.record import check_out, write_labelled, write_table
from ds3sim.results import tidy

if TYPE_CHECKING:
    import pandas
    import xarray

MOST_EMPTY = 4
"""An array may have this many times as many cells as there are points; else points are a list."""


def to_table(result: Mapping[str, Any]) -> pandas.DataFrame:
    """A tidy ``pandas.DataFrame``: one row for each point, strategy and budget.

    ``attrs`` holds ``units`` (column -> unit), ``meanings``, and what the result says of itself.

    Raises:
        InputError: not a result of ``sweep`` or ``run``.
    """
    import pandas

    rows = tidy.tidy_rows(result)
    frame = pandas.DataFrame(rows)
    for name in frame.columns:
        frame[name] = _column([row[name] for row in rows])
    frame.attrs = {
        "units": {name: _unit(name) for name in frame.columns if _is_number(frame[name]) and _unit(name)},
        "meanings": {name: tidy.UNITS[name][1] for name in frame.columns if name in tidy.UNITS},
        **_said(result),
    }
    return frame


def to_dataset(result: Mapping[str, Any]) -> xarray.Dataset:
    """An ``xarray.Dataset`` labelled by the sweep's axes, ``strategy`` (where named) and ``budget``.

    Axes that vary together (zipped) share a dimension, named as the first of them; the others are
    coordinates along it. Where the points fill no grid, there is one dimension ``point`` with the axes
    as coordinates. Cells without a result are NaN. ``budget`` is labelled by what all rows have in
    common: FLOP, tokens or steps; if nothing, by 0, 1, ..., and the steps are a variable.

    Raises:
        InputError: not a result of ``sweep`` or ``run``, or one without rows.
    """
    import xarray

    rows = tidy.tidy_rows(result)
    require(len(rows) > 0, "the result has no rows: nothing to write")
    axes = [tidy.axis_column(name) for name in tidy.axis_names(result)]
    points = list(dict.fromkeys(tuple(row.get(a) for a in axes) for row in rows))
    dims, place, coords = _grid(axes, points)
    strategies = list(dict.fromkeys(row.get("strategy") for row in rows))
    named = strategies != [None]
    if named:
        dims = [*dims, ("strategy", len(strategies))]
        coords["strategy"] = ("strategy", _column([str(s) for s in strategies]))
    cells, counts, used = [], {}, set()
    for row in rows:
        cell = place[tuple(row.get(a) for a in axes)]
        if named:
            cell = (*cell, strategies.index(row.get("strategy")))
        number = counts[cell] = counts.get(cell, -1) + 1
        cells.append((*cell, number))
        used.add(number)
    dims = [*dims, ("budget", len(used))]
    shape = tuple(size for _, size in dims)
    names = [key for key in rows[0] if key not in {*axes, "strategy"}]
    variables = {name: _filled([row[name] for row in rows], cells, shape) for name in names}
    labels = {}
    for name in ("given_FLOP", "given_tokens", "cot_tokens", "cot_steps", "budget_steps", "budget_steps_per_trace"):
        if name in variables and (line := _common(variables[name])) is not None:
            labels[name] = line
            del variables[name]
    whole = tuple(name for name, _ in dims)
    data = {name: (whole, values, _attrs(name)) for name, values in variables.items()}
    for name, line in labels.items():
        coords[name] = ("budget", line, _attrs(name))
    label = next((n for n in labels if len(set(labels[n].tolist())) == len(labels[n])), None)
    coords["budget"] = ("budget", labels[label] if label else np.arange(len(used)), _attrs(label or ""))
    out = xarray.Dataset(data, coords=coords, attrs=_said(result))
    for name in out.coords:
        if name != "budget" and _is_number(out[name]) and _unit(str(name)):
            out[name].attrs.setdefault("units", _unit(str(name)))
    return out


def write(result: Mapping[str, Any], path: str | os.PathLike) -> Path:
    """Write a result of ``sweep`` or ``run``, whole or not at all; the ending decides the format.

    ``.nc`` NetCDF 4, ``.parquet``, ``.csv`` (tidy), ``.json`` (as ``--json`` prints it), ``.zarr``.

    Raises:
        InputError: see :func:`ds3sim.core.record.check_out`; or the disk refuses.
    """
    path = check_out(path)
    if path.suffix.lower() == ".json":
        return write_file(path, json.dumps(as_plain(result), indent=2, allow_nan=False) + "\n")
    if path.suffix.lower() in (".nc", ".zarr"):
        return write_labelled(to_dataset(result), path)
    return write_table(to_table(result), path)


def read_result(path: str | os.PathLike) -> dict:
    """The result that ``sweep --json`` or ``run --json`` printed to a file.

    Raises:
        InputError: it cannot be read, or is no such result.
    """
    result = parsed(read_text(path), str(path))
    try:
        tidy.points_of(result)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return result


# ---- pieces -----------------------------------------------------------------------------------


def _grid(axes: Sequence[str], points: Sequence[tuple]) -> tuple[list[tuple[str, int]], dict[tuple, tuple], dict]:
    """Dimensions (name, size), the cell of each point, and coordinates."""
    groups: list[list[int]] = []  # axes by position; one group is one dimension
    for at in range(len(axes)):
        for group in groups:
            pairs = {(_key(p[group[0]]), _key(p[at])) for p in points}
            left, right = ({pair[side] for pair in pairs} for side in (0, 1))
            if len(pairs) == len(left) == len(right) > 1:
                group.append(at)
                break
        else:
            groups.append([at])
    values = [list(dict.fromkeys(tuple(p[at] for at in group) for p in points)) for group in groups]
    if math.prod(map(len, values)) > MOST_EMPTY * len(points):
        coords = {axes[at]: ("point", _column([p[at] for p in points])) for at in range(len(axes))}
        return [("point", len(points))], {p: (i,) for i, p in enumerate(points)}, coords
    where = [{v: i for i, v in enumerate(line)} for line in values]
    place = {p: tuple(where[g][tuple(p[at] for at in group)] for g, group in enumerate(groups)) for p in points}
    dims = [(axes[group[0]], len(line)) for group, line in zip(groups, values, strict=True)]
    coords = {
        axes[at]: (axes[group[0]], _column([v[i] for v in line]))
        for group, line in zip(groups, values, strict=True)
        for i, at in enumerate(group)
    }
    return dims, place, coords


def _key(value):
    """1, 1.0 and True are equal in Python and different on an axis."""
    return type(value).__name__, value


def _filled(values: Sequence, cells: Sequence[tuple], shape: tuple[int, ...]) -> np.ndarray:
    """An array of ``shape`` with values at cells; NaN or "" elsewhere."""
    column = _column(values)
    if column.dtype == object:
        out = np.full(shape, "", dtype=object)
    elif len(cells) == math.prod(shape):
        out = np.zeros(shape, dtype=column.dtype)
    else:
        column = column.astype(np.float64)
        out = np.full(shape, np.nan)
    out[tuple(np.array(cells).T)] = column
    return out


def _common(values: np.ndarray) -> np.ndarray | None:
    """The line along the last dimension if it is the same everywhere (where there are values)."""
    lines = values.reshape(-1, values.shape[-1])
    if values.dtype == object:
        return None
    full = lines[~np.isnan(lines).any(axis=1)]
    if not len(full):
        return None
    same = (lines == full[0]) | np.isnan(lines)
    return full[0] if same.all() else None


def _column(values: Sequence) -> np.ndarray:
    """One type for a column: int64, float64 (None is NaN), bool, or text (None is "")."""
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


def _unit(name: str) -> str:
    if name in tidy.UNITS:
        return tidy.UNITS[name][0]
    return tidy.axis_unit(name) if name != "strategy" else ""


def _is_number(column) -> bool:
    return getattr(column.dtype, "kind", "O") in "bif"


def _attrs(name: str) -> dict[str, str]:
    unit, meaning = tidy.UNITS.get(name, ("", ""))
    return {key: value for key, value in (("units", unit), ("long_name", meaning)) if value}


def _said(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a result says of itself, as attributes that files can hold."""
    environment = result.get("environment")
    out: dict[str, Any] = {}
    if isinstance(environment, Mapping):
        out = {key: environment[key] for key in ("name", "engine", "seed") if environment.get(key) is not None}
    for key, value in result.items():
        if key not in ("points", "results", "reference") and value is not None:
            out[key] = value if isinstance(value, str | int | float) else json.dumps(value)
    return {key: int(value) if isinstance(value, bool) else value for key, value in out.items()}
