"""Edge lists in CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from ds3sim.core.errors import InputError, require, shown

COLUMNS = ("source", "target", "probability")


def csv_edges(text: str, where: str, lines: Lines) -> Iterator[tuple[str, str, float | str]]:
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


class Lines(Sequence):
    """Labels of edges, "line 7", made only when an error asks for one."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __getitem__(self, number: Any) -> str:
        return f"line {self.numbers[number]}"

    def __len__(self) -> int:
        return len(self.numbers)
