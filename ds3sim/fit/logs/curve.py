"""A plain curve: N and the success probability at N, two columns under any header, or ``{"pass@1": ...}``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import lines_of
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.columns import ALIASES
from ds3sim.fit.logs.csv_table import fields_of, is_aside, separator_of
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.log import Log, Points

PASS_AT = re.compile(r"(?:\w*[_ ])?pass(?:@|_at_)(\d+)(?:[_ ]?estimate)?", re.IGNORECASE)
"""What pass@k is called."""

SMALLEST_N = 0.9
"""A curve that was digitized may begin a little below one sample."""

ASK = "; if it is a curve, say so with format='curve' (--format curve)"


def k_of(name: object) -> int | None:
    """k of a name such as ``pass@10`` or ``pass_at_10``, None if it is none."""
    found = PASS_AT.fullmatch(str(name).strip())
    return int(found.group(1)) if found else None


def _value(text: str) -> float | None:
    """A number; a comma is a decimal point, as it stands inside a field; 20% is 0.2."""
    try:
        number = None if "_" in text else float(text.removesuffix("%").replace(",", "."))
    except ValueError:
        return None
    return number / 100.0 if number is not None and text.endswith("%") else number


def read_curve(files: Sequence[LogFile], *, x: str | None = None, y: str | None = None, asked: bool = True) -> Log:
    """Points of a curve. ``x`` and ``y`` name the columns where there are more than two.

    Args:
        files: one file.
        x, y: names of the columns of N and success.
        asked: the format was named: then it need not look like a curve.

    Raises:
        InputError: several files; more than two columns and no choice; not numbers; N not positive; success outside
            [0, 1]; fewer than two points; what does not look like a curve where none was asked for.
    """
    file, *more = files
    require(not more, f"{file.where} and {len(more)} more files are curves: give one of them")
    where = file.where
    found = _passes(file)
    if found is None:
        points, names = _columns(file, x, y)
    else:
        require(x is None and y is None, f"{where}: x and y have no effect: the columns are pass@k by their names")
        points, names = found, ("k", "pass@k")
    many = f"{where}: {len(points)} points: a curve needs at least two"
    require(len(points) >= 2, f"{many} (pass@k at two k, or the log of the samples)" if found else many)
    n, success = np.array(points, dtype=np.float64).T
    if not asked:
        _looks_like_one(n, success, where, names)
    notes = []
    order = np.argsort(n, kind="stable")
    if (np.diff(n) < 0).any():
        notes.append("the points are sorted by N")
    if (np.diff(n[order]) == 0).any():
        notes.append("some N are there twice: each counts as a point")
    return Log("curve", where, curve=Points(n[order], success[order], names), notes=tuple(notes))


def _looks_like_one(n: np.ndarray, success: np.ndarray, where: str, names: tuple[str, str]) -> None:
    """InputError for two columns of numbers that are no curve of success."""
    said = f"{where}: the columns {names[0]} and {names[1]} do not look like a curve"
    as_samples = "name the columns of such a table with problem and correct (--problem, --correct)"
    named = names[0].lower() in ALIASES["problem"]
    require(not named, f"{said}: {names[0]} tells problems apart, not numbers of samples: {as_samples}{ASK}")
    require(float(n.min()) >= SMALLEST_N, f"{said}: N = {n.min():g} is below one sample{ASK}")
    distinct = np.unique(n).size
    require(distinct >= 0.9 * n.size, f"{said}: {n.size} rows have {distinct} different N{ASK}")
    require(
        not np.isin(success, (0.0, 1.0)).all(),
        f"{said}: {names[1]} is 0 or 1 everywhere, as of samples: {as_samples}{ASK}",
    )


# ---- pass@k by name -----------------------------------------------------------------------------


def _passes(file: LogFile) -> list[tuple[float, float]] | None:
    """Points whose N are in the names of columns or keys: ``pass@1, pass@10``; None where there are none."""
    row: Any = file.first
    if file.container == "json" and not any(k_of(key) for key in file.columns):
        inner = [key for key, value in row.items() if isinstance(value, dict) and any(k_of(k) for k in value)]
        require(
            len(inner) < 2,
            f"{file.where}: pass@k of several tasks ({short(', '.join(inner), 200)}): write that of one into a file",
        )
        row = row[inner[0]] if inner else {}
    if file.container != "json" and not _named(file):
        return None
    named = [(k, key) for key in row if (k := k_of(key)) is not None]
    return [_point(str(k), str(row[key]), f"{file.where}, {key}") for k, key in named] or None


# ---- two columns --------------------------------------------------------------------------------


def _columns(file: LogFile, x: str | None, y: str | None) -> tuple[list[tuple[float, float]], tuple[str, str]]:
    header = None
    columns = (0, 1)
    points: list[tuple[float, float]] = []
    width = 0
    for place, fields in _rows(file):
        if not width:
            width = len(fields)
            require(
                width >= 2, f"{place}: one field, {shown(' '.join(fields))}: a curve has two columns, N and success"
            )
            if any(_value(f) is None for f in fields) and k_of(fields[0]) is None:
                header = fields
            columns = _choose(header, width, x, y, place)
            if header is not None:
                continue
        if len(fields) != width:
            raise InputError(f"{place}: {len(fields)} fields where the first row has {width}: {shown(fields)}")
        points.append(_point(fields[columns[0]], fields[columns[1]], place))
    return points, (header[columns[0]], header[columns[1]]) if header else ("N", "success")


def _rows(file: LogFile) -> Iterator[tuple[str, list[str]]]:
    """(place, fields) of a table, its header first where it has one."""
    if file.container != "csv":
        yield file.where, list(file.columns)
        for number, row in file.rows():
            yield file.at(number), [str(row.get(column)) for column in file.columns]
        return
    mark = None
    for number, line in lines_of(file.path, file.where):
        if not is_aside(line):
            mark = mark or separator_of(line)
            yield f"{file.where}, line {number}", fields_of(line, mark)


def _choose(header: list[str] | None, width: int, x: str | None, y: str | None, place: str) -> tuple[int, int]:
    if x is None and y is None:
        require(
            width == 2,
            f"{place}: {width} columns ({shown(', '.join(header or []))}): a curve has two, N and success; choose them"
            " with x and y (--x, --y)",
        )
        return 0, 1
    found = []
    for name, default in ((x, 0), (y, 1)):
        if name is None:
            require(width == 2, f"{place}: give both x and y, the names of the columns of N and success")
            found.append(default)
            continue
        low = [h.lower() for h in header or []]
        require(
            str(name).lower() in low,
            f"{place}: there is no column {shown(name)} (there are {', '.join(low) or 'no names'})",
        )
        found.append(low.index(str(name).lower()))
    return found[0], found[1]


def _point(first: str, second: str, place: str) -> tuple[float, float]:
    k, success = k_of(first), _value(second)
    n = _value(first) if k is None else float(k)
    for text, value in ((first, n), (second, success)):
        if value is None or not math.isfinite(value):
            raise InputError(f"{place}: {shown(text)} is not a number")
    assert n is not None and success is not None
    if n <= 0:
        raise InputError(f"{place}: N = {n:g} is not allowed: a number of samples is above 0")
    if not 0.0 <= success <= 1.0:
        hint = ": divide percentages by 100" if 1.0 < success <= 100.0 else ""
        raise InputError(f"{place}: success = {success:g} is not between 0 and 1{hint}")
    return n, success


def _named(file: LogFile) -> bool:
    """A text table of one row under pass@k alone."""
    return file.container == "csv" and len(file.head) == 1 and all(k_of(column) for column in file.columns)


def _recognizes(file: LogFile) -> bool:
    """A table of two columns of numbers, or numbers under pass@k."""
    if file.container == "json":
        tables = [file.first, *(value for value in file.first.values() if isinstance(value, dict))]
        return any(k_of(key) and isinstance(table[key], int | float) for table in tables for key in table)
    if file.container in ("jsonl", "array", "parquet"):
        rows = [tuple(map(str, row.values())) for row in file.head]
        return len(file.columns) == 2 and bool(rows) and all(len(r) == 2 and None not in map(_value, r) for r in rows)
    if file.container != "csv" or not file.lines:
        return False
    if _named(file):
        return True
    fields = fields_of(file.lines[min(1, len(file.lines) - 1)], separator_of(file.lines[0]))
    return len(fields) == 2 and _value(fields[1]) is not None and not (_value(fields[0]) is k_of(fields[0]) is None)


READER = Reader("curve", "two columns, N and success", (), _recognizes, read_curve)
