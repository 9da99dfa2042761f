"""A log file before it is read: its container, its columns or keys, its first rows; and what a reader is."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import as_path, head_of, json_rows, parquet_rows, parsed, read_text
from ds3sim.core.packed import packed, text_of
from ds3sim.core.text import short
from ds3sim.fit.logs.csv_table import csv_rows, is_aside
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.zipped import Zip

YAML = (".yaml", ".yml")
HEAD_ROWS = 100
"""So many rows are looked at."""
MOST_COLUMNS = 100_000

CONTAINERS = {
    "csv": "a text table with the columns",
    "parquet": "a Parquet table with the columns",
    "jsonl": "JSON lines with the keys",
    "array": "a JSON array of objects with the keys",
    "json": "a JSON document with the keys",
    "yaml": "YAML with the keys",
    "zip": "a zip file with the members",
}
"""What a file may be, in words."""

MARKS = {
    b"ARROW1": "an Arrow file: write it as Parquet (pyarrow.parquet.write_table)",
    b"SQLite format 3": "an SQLite database: export the table as CSV",
    b"\x89HDF": "an HDF5 file: export the table as CSV",
    b"\x80\x04\x95": "a Python pickle, which is never read: write the table as CSV or Parquet",
    b"%PDF": "a PDF: give the log itself",
}
"""First bytes of what is no log, and the way out."""


@dataclass(frozen=True)
class LogFile:
    """A file, looked at.

    Attributes:
        path: where it is.
        where: its name in messages.
        container: a key of :data:`CONTAINERS`.
        columns: names of the columns, keys of the first objects, members of a zip file; as far as the head shows them.
        head: the first rows, as far as they can be read; of a JSON document itself.
        document: a JSON document, parsed; None for others.
        lines: of a text table, the first rows that are no comments.
    """

    path: Path
    where: str
    container: str
    columns: tuple[str, ...] = ()
    head: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    document: Any = field(default=None, repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)

    @property
    def first(self) -> dict[str, Any]:
        """The first row, or the document; empty where there is none."""
        return self.head[0] if self.head else {}

    @property
    def unit(self) -> str:
        """The word for the place of a row."""
        return "row" if self.container in ("parquet", "array") else "line"

    @property
    def about(self) -> str:
        """What it is, in words."""
        return f"{CONTAINERS[self.container]} {short(', '.join(self.columns), 200) or '(none)'}"

    def at(self, number: int) -> str:
        """How an error names a row."""
        return f"{self.where}, {self.unit} {number}"

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(number, row), in order; one row for a JSON document."""
        if self.container == "parquet":
            return parquet_rows(self.path, self.where)[1]
        if self.container == "csv":
            return csv_rows(self.path, self.where)[1]
        if self.container == "jsonl":
            return json_rows(self.path, self.where)
        require(self.container in ("array", "json"), f"{self.where}: {self.about}: it has no rows")
        return self._objects()

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, row in enumerate(self.document if self.container == "array" else [self.document], 1):
            require(isinstance(row, dict), f"{self.at(number)}: {short(row)} is not a JSON object")
            yield number, row


@dataclass(frozen=True)
class Reader:
    """One format.

    Attributes:
        name: of the format.
        about: what its files are, for messages.
        needs: what its rows or its document have: of each entry one of the names (``*`` stands for anything).
        fits: whether a file that has them all is of this format, by the kinds of its values.
        read: the log of files; its keyword arguments are the options of the format.
    """

    name: str
    about: str
    needs: tuple[tuple[str, ...], ...]
    fits: Callable[[LogFile], bool]
    read: Callable[..., Log]

    def missing(self, file: LogFile) -> list[tuple[str, ...]]:
        """Entries of ``needs`` that a file does not have."""
        return [names for names in self.needs if not has(file.columns, names)]

    def recognizes(self, file: LogFile) -> bool:
        """Whether a file looks like it, as a whole."""
        return not self.missing(file) and self.fits(file)


def plain_name(column: str) -> str:
    """The name of a column as ``task_id``, for ``taskId``, ``Task ID`` or ``task-id``."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip())
    return re.sub(r"[\s_-]+", "_", parts).lower()


def has(columns: Iterable[str], names: Iterable[str]) -> bool:
    """Whether one of the names is among the columns, however it is written."""
    columns = tuple(columns)
    low = {column.strip().lower() for column in columns} | {plain_name(column) for column in columns}
    return any(any(fnmatchcase(column, name) for column in low) if "*" in name else name in low for name in names)


def look(source: object) -> LogFile:
    """Container, columns and first rows of a file.

    Raises:
        InputError: not a path, a folder, missing, empty, not UTF-8, not readable, more than ``MOST_COLUMNS``.
    """
    file = _look(source)
    many = f"{file.where}: has {len(file.columns):,} columns, more than the {MOST_COLUMNS:,} read: is it a log?"
    require(len(file.columns) <= MOST_COLUMNS or file.container == "zip", f"{many} Keep those of problems and grades")
    return file


def _look(source: object) -> LogFile:
    path, where = as_path(source)
    require(not path.is_dir(), f"{where}: is a folder: name the log file in it")
    head = head_of(path, where)
    for mark, about in MARKS.items():
        require(not head.startswith(mark), f"{where}: this is {about}")
    inside = packed(path) and head.startswith((b"PK\3\4", b"PAR1"))
    require(not inside, f"{where}: a zip or Parquet file inside a compressed one: unpack it first")
    if head.startswith(b"PK\3\4"):
        with Zip(path, where) as file:
            return LogFile(path, where, "zip", tuple(file.names))
    if head.startswith(b"PAR1"):
        columns, rows = parquet_rows(path, where, HEAD_ROWS)
        return LogFile(path, where, "parquet", tuple(columns), _head(rows))
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"{", b"[")):
        return _json(path, where)
    shown = text.decode("utf-8", errors="replace")
    if path.suffix.lower() in YAML:
        return LogFile(path, where, "yaml", tuple(re.findall(r"^(\w+):", shown, re.MULTILINE)))
    lines = [row for row in shown.splitlines() if not is_aside(row)]
    try:
        columns, rows = csv_rows(path, where)
    except InputError:
        if not lines or re.search("[A-Za-z]", lines[0]) or not lines[0].replace("\t", " ").isprintable():
            raise
        # Numbers without a header: a curve.
        return LogFile(path, where, "csv", (), (), None, tuple(lines[:HEAD_ROWS]))
    return LogFile(path, where, "csv", tuple(columns), _head(rows), None, tuple(lines[:HEAD_ROWS]))


def _head(rows: Iterator[tuple[int, dict[str, Any]]]) -> tuple[dict[str, Any], ...]:
    """The first rows, up to one that cannot be read: reading will say why."""
    found: list[dict[str, Any]] = []
    try:
        for _, row in itertools.islice(rows, HEAD_ROWS):
            found.append(row)
    except InputError:
        pass
    return tuple(found)


def _keys(rows: Iterable[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row))


def _json(path: Path, where: str) -> LogFile:
    """JSON lines if the first line is a whole object and another follows, else one JSON document."""
    with text_of(path, where) as stream:
        lines = iter(lambda: stream.readline(64 * 2**20), b"")
        first, second = [*itertools.islice(filter(bytes.strip, lines), 2), b""][:2]
    whole = _object(first)
    damaged = whole is None and first.startswith(b"{") and (second.startswith(b"{") or first.rstrip().endswith(b"}"))
    if damaged:  # it still shows keys
        names = re.findall(r'"([^"\\]+)"\s*:', first[:65536].decode("utf-8", errors="replace"))
        return LogFile(path, where, "jsonl", tuple(dict.fromkeys(names)))
    if whole is not None and second:
        rows = _head(json_rows(path, where))
        return LogFile(path, where, "jsonl", _keys(rows) or tuple(whole), rows or (whole,))
    document = parsed(read_text(path, where, advice="split it, or give JSON lines"), where)
    if isinstance(document, list) and document and all(isinstance(row, dict) for row in document[:HEAD_ROWS]):
        return LogFile(path, where, "array", _keys(document[:HEAD_ROWS]), tuple(document[:HEAD_ROWS]), document)
    head = (document,) if isinstance(document, dict) else ()
    return LogFile(path, where, "json", _keys(head), head, document)


def views(file: LogFile) -> list[LogFile]:
    """The file, and the tables that a JSON document may be, or hold."""
    if file.container != "json":
        return [file]
    return [file] + [
        replace(file, container="array", columns=_keys(rows[:HEAD_ROWS]), head=tuple(rows[:HEAD_ROWS]), document=rows)
        for rows in _tables(file.first)
    ]


def _tables(document: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The one list of objects; else columns of values by row, or in lists; else objects by name, which have a bool."""
    values = list(document.values())
    lists = [v for v in values if isinstance(v, list) and v and all(isinstance(row, dict) for row in v)]
    if lists:
        return lists if len(lists) == 1 else []
    if isinstance(document.get("columns"), list) and isinstance(document.get("data"), list):
        return [
            [dict(zip(document["columns"], row, strict=False)) for row in document["data"] if isinstance(row, list)]
        ]
    found: list[list[dict[str, Any]]] = []
    first = values[0] if len(values) > 1 else None
    if isinstance(first, dict) and first and all(isinstance(v, dict) and v.keys() == first.keys() for v in values):
        found.append([{name: column[key] for name, column in document.items()} for key in first])
    if isinstance(first, list) and first and all(isinstance(v, list) and len(v) == len(first) for v in values):
        found.append([dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)])
    named = [_named(each) for each in (document, *values) if isinstance(each, dict)]
    return found + [rows for rows in named if rows][:1]


def _named(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Objects by the names of problems; none where no key of theirs is true or false in all."""
    rows = {name: row for name, row in document.items() if isinstance(row, dict)}
    first = next(iter(rows.values()), {})
    graded = any(all(isinstance(row.get(key), bool) for row in rows.values()) for key in first)
    return [{"problem": name} | row for name, row in rows.items()] if graded and len(rows) + 1 >= len(document) else []


def _object(line: bytes) -> dict[str, Any] | None:
    """The object that a line is, None if it is none."""
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
