"""A log file before it is read: its container, the names of its columns or keys, its rows; and what a reader is."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import as_path, head_of, json_rows, lines_of, parquet_rows
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.log import Log

YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class LogFile:
    """A file or folder, looked at.

    Attributes:
        path: where it is.
        where: its name in messages.
        container: csv, jsonl, json (one document), parquet, zip, yaml or folder.
        keys: names of the columns, keys of the first JSON object; as far as the head shows them.
        first: the first JSON object, where the head holds it whole.
        lines: of a text table, the first rows that are no comments.
    """

    path: Path
    where: str
    container: str
    keys: frozenset[str] = frozenset()
    first: dict[str, Any] | None = None
    lines: tuple[str, ...] = field(default=(), repr=False)

    @property
    def unit(self) -> str:
        """The word for the place of a row."""
        return "row" if self.container == "parquet" else "line"

    def at(self, number: int) -> str:
        """How an error names a row."""
        return f"{self.where}, {self.unit} {number}"

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(number, row), in order."""
        return self.table()[1]

    def table(self) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
        """Columns and rows of a CSV or Parquet file; of JSON lines the keys of the first row."""
        if self.container == "parquet":
            return parquet_rows(self.path, self.where)
        if self.container == "csv":
            return _csv_rows(self.path, self.where)
        first = next(json_rows(self.path, self.where), None)
        require(first is not None, f"{self.where}: the file is empty: it needs at least one row")
        assert first is not None
        return list(first[1]), json_rows(self.path, self.where)


@dataclass(frozen=True)
class Reader:
    """One format.

    Attributes:
        name: of the format.
        recognizes: whether a file looks like it.
        read: the log of a file; its keyword arguments are the options of the format.
    """

    name: str
    recognizes: Callable[[LogFile], bool]
    read: Callable[..., Log]


def fields_of(line: str) -> list[str]:
    """Fields of a line: commas, else tabs or semicolons, else blanks."""
    for mark in (",", "\t", ";"):
        if mark in line:
            return [f.strip().strip('"').strip() for f in line.strip().split(mark)]
    return line.split()


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder, by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in YAML and p.is_file() and p.name[0] != ".")


def look(source: object) -> LogFile:
    """Container and keys of a file or folder, from its first bytes.

    Raises:
        InputError: not a path, missing, empty, not UTF-8, not readable.
    """
    path, where = as_path(source)
    if path.is_dir():
        return LogFile(path, where, "folder")
    head = head_of(path, where)
    if head.startswith(b"PK\3\4"):
        return LogFile(path, where, "zip")
    if head.startswith(b"PAR1"):
        return LogFile(path, where, "parquet", frozenset(parquet_rows(path, where)[0]))
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return _json(path, where, text)
    if path.suffix.lower() in YAML:
        return LogFile(path, where, "yaml")
    rows = (r for r in text.decode("utf-8", errors="replace").splitlines() if r.strip())
    lines = tuple(r for r in rows if not r.lstrip().startswith("#"))[:2]
    return LogFile(path, where, "csv", frozenset(f.lower() for f in fields_of(lines[0])) if lines else frozenset(),
                   None, lines)  # fmt: skip


def _json(path: Path, where: str, text: bytes) -> LogFile:
    """JSON lines if the first line is a whole object, else one JSON document."""
    line = text.split(b"\n", 1)[0]
    if b"\n" not in text and path.stat().st_size > len(text):
        with path.open("rb") as stream:  # a first line longer than the head
            line = stream.readline(64 * 2**20)
    try:
        first = json.loads(line.decode("utf-8").removeprefix("\ufeff"))
        return LogFile(path, where, "jsonl", frozenset(first), first)
    except (ValueError, RecursionError):  # a document of several lines, or a damaged line: they still show keys
        keys = frozenset(re.findall(r'"(\w+)"\s*:', text.decode("utf-8", errors="replace")))
        return LogFile(path, where, "json" if line.strip() == b"{" else "jsonl", keys)


# ---- CSV ---------------------------------------------------------------------------------------


def _csv_rows(path: Path, where: str) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
    at = [0]
    columns: list[str] = []

    def content() -> Iterator[str]:
        for at[0], line in lines_of(path, where):
            # A field may run over lines, so a comment mark counts only before the header.
            if columns or (line.strip() and not line.lstrip().startswith("#")):
                yield line

    reader = csv.reader(content(), strict=True, skipinitialspace=True)

    def next_row() -> list[str] | None:
        # answer_counts of many answers are long, lines_of bounds what is read; the limit is global, so it is put back
        before = csv.field_size_limit(2**31 - 1)
        try:
            return next(reader, None)
        except csv.Error as error:
            raise InputError(f"{where}, line {at[0]}: not a CSV row ({error}): check the quotes and commas") from None
        finally:
            csv.field_size_limit(before)

    header = next_row()
    require(header is not None, f"{where}: the file is empty: it needs a header row and rows")
    columns += _header(header or [], f"{where}, line {at[0]}")

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        while True:
            begin = at[0] + 1
            row = next_row()
            if row is None:
                return
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if len(row) != len(columns):
                raise InputError(
                    f"{where}, line {begin}: {len(row)} fields where the header has {len(columns)}:"
                    f" {shown(','.join(row))}; quote fields that hold a comma"
                )
            yield begin, dict(zip(columns, row, strict=True))

    return columns, rows()


def _header(row: Sequence[str], place: str) -> list[str]:
    """Names of the columns, lower case."""
    columns = [name.strip().lower() for name in row]
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        raise InputError(f"{place}: fields are separated by commas only: {shown(row[0])}")
    double = [c for c in columns if columns.count(c) > 1]
    require(not double, f"{place}: the column {shown(double[0]) if double else ''} is there twice")
    return columns


def missing_columns(columns: Sequence[str], wanted: Sequence[str], where: str) -> None:
    """InputError where a column is missing."""
    missing = [c for c in wanted if c not in columns]
    have = short(", ".join(map(str, columns)), 200)
    require(not missing, f"{where}: the column {', '.join(missing)} is missing (there are {have})")
