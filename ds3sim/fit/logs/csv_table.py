"""Text tables: rows of fields between commas, tabs, semicolons or bars, under a header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import lines_of
from ds3sim.core.text import shown

MARKS = "\t;,|"
"""What may stand between two fields; a comma may also stand in a number, so the others go first."""


def fields_of(line: str, mark: str) -> list[str]:
    """Fields of a line of a table whose fields have no line ends: between the marks, or between blanks without one."""
    if mark not in line:
        return line.split()
    return [field.strip() for field in next(csv.reader([line.strip(" \r\n")], delimiter=mark, skipinitialspace=True))]


def separator_of(line: str) -> str:
    """The mark between the fields of a header: a tab if it has one, else what there is most of, or a comma."""
    plain = "".join(line.split('"')[::2])
    mark = "\t" if "\t" in plain.strip() else max(MARKS, key=plain.count)
    return mark if mark in plain else ","


def is_aside(line: str) -> bool:
    """Whether a line before the header is none of the table: blank, a comment, or Excel's ``sep=;``."""
    text = line.strip()
    return not text or text.startswith("#") or re.fullmatch(r"(?i)sep=.?", text) is not None


def csv_rows(path: Path, where: str) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
    """Names of the columns, and (line, row).

    Raises:
        InputError: an empty file; a column that is there twice; rows of another length than the header; quotes that do
            not close.
    """
    at = [0]
    columns: list[str] = []

    def content() -> Iterator[str]:
        for at[0], line in lines_of(path, where):
            # A field may run over lines, so a comment mark counts only before the header.
            if columns or not is_aside(line):
                yield line

    lines = content()
    first = next(lines, None)
    require(first is not None, f"{where}: the file is empty: it needs a header row and rows")
    assert first is not None

    def from_first() -> Iterator[str]:
        yield first
        yield from lines

    reader = csv.reader(from_first(), strict=True, skipinitialspace=True, delimiter=separator_of(first))

    def next_row() -> list[str] | None:
        # answer_counts of many answers are long, lines_of bounds what is read; the limit is global, so it is put back
        before = csv.field_size_limit(2**31 - 1)
        try:
            return next(reader, None)
        except csv.Error as error:
            raise InputError(f"{where}, line {at[0]}: not a CSV row ({error}): check the quotes and commas") from None
        finally:
            csv.field_size_limit(before)

    columns += _header(next_row() or [], f"{where}, line {at[0]}")

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
    columns = [name.strip() for name in row]
    times = Counter(name.lower() for name in columns if name)
    double = next((name for name, count in times.items() if count > 1), None)
    require(double is None, f"{place}: the column {shown(double)} is there twice")
    return columns
