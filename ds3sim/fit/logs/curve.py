"""A plain curve: N and the success probability at N, two columns under any header."""

from __future__ import annotations

import math

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import lines_of
from ds3sim.core.text import shown
from ds3sim.fit.logs.file import LogFile, Reader, fields_of
from ds3sim.fit.logs.log import Log, Points


def _value(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def read_curve(file: LogFile, *, x: str | None = None, y: str | None = None) -> Log:
    """Points of a curve. ``x`` and ``y`` name the columns where there are more than two.

    Raises:
        InputError: more than two columns and no choice; not numbers; N not positive; success outside
            [0, 1]; fewer than two points.
    """
    where, header = file.where, None
    columns = (0, 1)
    points: list[tuple[float, float]] = []
    width = 0
    for number, line in lines_of(file.path, where):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        place = f"{where}, line {number}"
        fields = fields_of(line)
        if not width:
            width = len(fields)
            require(width >= 2, f"{place}: one field, {shown(line.strip())}: a curve has two columns, N and success")
            if any(_value(f) is None for f in fields):
                header = fields
            columns = _choose(header, width, x, y, place)
            if header is not None:
                continue
        if len(fields) != width:
            raise InputError(f"{place}: {len(fields)} fields where the first row has {width}: {shown(line.strip())}")
        points.append(_point(fields[columns[0]], fields[columns[1]], place))
    require(len(points) >= 2, f"{where}: {len(points)} points: a curve needs at least two")
    n, success = np.array(points, dtype=np.float64).T
    notes = []
    order = np.argsort(n, kind="stable")
    if (np.diff(n) < 0).any():
        notes.append("the points are sorted by N")
    if (np.diff(n[order]) == 0).any():
        notes.append("some N are there twice: each counts as a point")
    names = (header[columns[0]], header[columns[1]]) if header else ("N", "success")
    return Log("curve", where, curve=Points(n[order], success[order], names), notes=tuple(notes))


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
    n, success = _value(first), _value(second)
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


def _recognizes(file: LogFile) -> bool:
    """A text table of two columns or more whose second row has two numbers or more."""
    if not file.lines or len(fields_of(file.lines[0])) < 2:
        return False
    return sum(_value(f) is not None for f in fields_of(file.lines[-1])) >= 2


READER = Reader("curve", _recognizes, read_curve)
