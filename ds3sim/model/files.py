"""Skill graphs from files: CSV edge lists here, node-link JSON and GraphML in their own modules."""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ds3sim.core.errors import InputError, require, shown
from ds3sim.model.build import short
from ds3sim.model.graph import SkillGraph

LARGEST_FILE = 256 * 2**20
"""Largest graph file that is read, in bytes."""

COLUMNS = ("source", "target", "probability")
KINDS = {".csv": "CSV edge list", ".json": "node-link JSON", ".graphml": "GraphML"}


def load(path, *, start=None, goal=None, dead=(), score: Mapping | None = None, feasible: float = 1.0) -> SkillGraph:
    """Read a graph from a file; the suffix says how.

    ``.csv``: UTF-8, fields separated by commas, a header row with ``source``, ``target`` and
    ``probability`` in any order (more columns are ignored). Names may stand in double quotes. Blank
    lines and lines that begin with # are skipped.

    ``.json``: node-link data as networkx writes it, edges under ``links`` (networkx 2) or ``edges``
    (3.x). ``.graphml``: one directed graph. In both the edge attribute is ``probability``, else
    ``weight``; nodes may have ``score`` (all or none), ``goal``, ``dead`` (true or false) and
    ``start`` (true, or a probability); the graph may have ``start``, ``goal`` and ``dead``.

    Edges out of goal and dead nodes are read and checked, but the walk never uses them. A node's
    self-loop may be given or left out: what a row lacks to 1 is a wasted step either way.

    Args:
        path: the file.
        start: a name, a list of names (uniform) or a mapping name -> probability.
        goal, dead: a name or a list of names. Names may be given as integers: 3 and "3" are one.
        score: mapping name -> evaluator score, for every node.
        feasible: probability that the task can be solved at all.

        An argument that is given replaces what the file says.

    Raises:
        InputError: one line naming file, line, node and value: a file that is missing, not a
            regular file, not readable, larger than ``LARGEST_FILE``, empty, not UTF-8, or of unknown
            kind; a bad header, row or document; and all that ``SkillGraph.from_edges`` refuses.
    """
    path = Path(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else path
    require(isinstance(path, Path), f"path = {shown(path)} is not a path: give the name of a graph file")
    where = short(str(path), 300)
    text = _text(path, where)
    if path.suffix.lower() == ".csv":
        lines = _Lines()
        return SkillGraph.from_edges(
            _csv_edges(text, where, lines),
            start=start,
            goal=goal,
            dead=dead,
            score=score,
            feasible=feasible,
            where=where,
            lines=lines,
        )
    from ds3sim.model.attributed import read_graphml, read_node_link

    read = read_graphml if path.suffix.lower() == ".graphml" else read_node_link
    found = read(text, where)
    return SkillGraph.from_edges(
        found.edges,
        start=found.start(where) if start is None else start,
        goal=found.named("goal", where) if goal is None else goal,
        dead=found.named("dead", where) if dead is None or (isinstance(dead, Sequence) and len(dead) == 0) else dead,
        score=found.scores(where) if score is None else score,
        feasible=feasible,
        where=where,
        lines=found.lines,
        nodes=found.nodes,
    )


def _text(path: Path, where: str) -> str:
    """The file's text. Kind and size are looked at before a byte is read."""
    try:
        found = path.stat()
        require(not stat.S_ISDIR(found.st_mode), f"{where}: is a folder: name the graph file in it")
        require(stat.S_ISREG(found.st_mode), f"{where}: is not a regular file: save the graph to a file first")
        require(
            path.suffix.lower() in KINDS,
            f"{where}: unknown kind of graph file {path.suffix or '(no suffix)'}: use"
            f" {', '.join(f'{suffix} ({kind})' for suffix, kind in KINDS.items())}",
        )
        require(
            found.st_size <= LARGEST_FILE,
            f"{where}: the file has {found.st_size / 2**20:,.0f} MiB, more than the {LARGEST_FILE // 2**20} MiB that"
            " are read: split the procedure into smaller graphs or merge skills",
        )
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError(f"{where}: there is no such file (working folder {os.getcwd()}): check the path") from None
    except PermissionError:
        raise InputError(f"{where}: no permission to read it: change its mode or choose another file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{where}: cannot be read ({reason}): check the path") from None
    require(len(data) <= LARGEST_FILE, f"{where}: the file grew beyond {LARGEST_FILE // 2**20} MiB while it was read")
    return _decode(data, where)


def _decode(data: bytes, where: str) -> str:
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    require(not utf16, f"{where}: wrong encoding: the file begins as UTF-16 or UTF-32: save it as UTF-8")
    zero = data.find(b"\0")
    require(
        zero < 0,
        f"{where}, line {_line(data, zero)}: a NUL byte: this is not UTF-8 text (UTF-16 without a mark, or a binary"
        " file): save it as UTF-8",
    )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}, line {_line(data, error.start)}: wrong encoding: byte 0x{data[error.start]:02x} is not UTF-8"
            f" ({error.reason}): save the file as UTF-8"
        ) from None
    require(text.strip() != "", f"{where}: the file is empty: it needs at least one edge")
    return text


def _line(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, max(position, 0)) + 1


class _Lines(Sequence):
    """Labels of edges, "line 7", made only when an error asks for one."""

    def __init__(self):
        self.numbers: list[int] = []

    def __getitem__(self, number):
        return f"line {self.numbers[number]}"

    def __len__(self):
        return len(self.numbers)


def _csv_edges(text: str, where: str, lines: _Lines) -> Iterator[tuple[str, str, float | str]]:
    """Edges of a CSV edge list; ``lines`` gets the line number of each before it is given out."""
    at = [0]

    def content():
        for at[0], line in enumerate(io.StringIO(text, newline=None), 1):
            begin = line.lstrip()
            if begin and not begin.startswith("#"):
                yield line

    rows = csv.reader(content(), strict=True, skipinitialspace=True)
    columns, width = None, 0
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise InputError(f"{where}, line {at[0]}: not a CSV row ({error}): check the quotes and commas") from None
        if row is None:
            break
        if columns is None:
            columns, width = _header(row, f"{where}, line {at[0]}"), len(row)
            continue
        if len(row) != width:
            raise InputError(
                f"{where}, line {at[0]}: {len(row)} fields where the header has {width}: {shown(','.join(row))};"
                " separate fields by commas, quote names that hold a comma"
            )
        source, target, probability = row[columns[0]], row[columns[1]], row[columns[2]]
        if "\n" in source or "\n" in target:
            raise InputError(f"{where}, line {at[0]}: a name runs over a line break: a quote before it is not closed")
        lines.numbers.append(at[0])
        try:
            yield source, target, probability if "_" in probability else float(probability)
        except ValueError:
            yield source, target, probability  # from_edges refuses it, naming the edge
    require(columns is not None, f"{where}: the file has only comments: it needs a header row and edges")


def _header(row: list[str], place: str) -> tuple[int, int, int]:
    named = [name.strip().lower() for name in row]
    wanted = ",".join(COLUMNS)
    for column in COLUMNS:
        if column in named:
            continue
        hint = ""
        if len(row) == 1 and any(mark in row[0] for mark in ";\t|"):
            hint = "; fields are separated by commas only"
        elif column == "probability" and "weight" in named:
            hint = "; rename the column weight"
        elif any(_is_number(field) for field in row):
            hint = "; this looks like an edge, so the header is missing"
        raise InputError(
            f"{place}: the header {shown(','.join(row))} has no column {column}: it must be {wanted}{hint}"
        )
    for column in COLUMNS:
        require(named.count(column) == 1, f"{place}: the header has two columns {column}: keep one")
    return named.index("source"), named.index("target"), named.index("probability")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
