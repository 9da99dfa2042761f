"""Edge lists in CSV, of commas, tabs, semicolons or bars."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.text import short
from ds3sim.graph.found import PROBABILITY, is_number, undirected

COLUMNS = {
    "source": ("source", "from", "src", "start_node", "source_node", "from_node", "state"),
    "target": ("target", "to", "dst", "end_node", "target_node", "to_node", "next_state", "destination"),
    "probability": PROBABILITY,
}
"""What the columns may be called, in any case; the first that a header has counts."""
MARKS = ",\t;|"
"""What may separate fields."""


def csv_edges(text: str, where: str, lines: Lines) -> Iterator[tuple[str, str, float | str]]:
    """Edges of a CSV edge list; ``lines`` gets the line number of each before it is given out."""
    at = [0]

    def content() -> Iterator[str]:
        for at[0], line in enumerate(io.StringIO(text, newline=None), 1):
            begin = line.lstrip()
            separator = at[0] == 1 and len(begin.rstrip()) == 5 and begin.startswith("sep=")  # Excel's own line
            if begin and not begin.startswith("#") and not separator:
                yield line

    mark = _mark(content())
    rows = csv.reader(content(), delimiter=mark, strict=True, skipinitialspace=True)
    columns, width, kind = None, 0, None
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise InputError(f"{where}, line {at[0]}: not a CSV row ({error}): check the quotes and commas") from None
        if row is None:
            break
        if columns is None:
            columns, width = _header(row, f"{where}, line {at[0]}"), len(row)
            kind = next((i for i, name in enumerate(row) if name.strip().lower() == "type"), None)
            continue
        if len(row) != width:
            raise InputError(
                f"{where}, line {at[0]}: {len(row)} fields where the header has {width}: {shown(mark.join(row))};"
                f" separate fields by {_named(mark)}, quote names that hold one"
            )
        source, target, probability = row[columns[0]], row[columns[1]], row[columns[2]]
        if kind is not None and row[kind].strip().lower() == "undirected":  # Gephi
            raise undirected(f"the edge {short(source)} -> {short(target)} is", f"{where}, line {at[0]}")
        if mark != "," and probability.count(",") == 1 and "." not in probability:
            probability = probability.replace(",", ".")  # 0,5 where fields are separated by semicolons
        if "\n" in source or "\n" in target:
            raise InputError(f"{where}, line {at[0]}: a name runs over a line break: a quote before it is not closed")
        lines.numbers.append(at[0])
        try:
            yield source, target, probability if "_" in probability else float(probability)
        except ValueError:
            yield source, target, probability  # from_edges refuses it, naming the edge
    require(columns is not None, f"{where}: the file has only comments: it needs a header row and edges")


def _mark(lines: Iterator[str]) -> str:
    """What separates the fields: the mark by which the header has the most of the columns, a comma where none has."""
    header = next(lines, "")
    found = {}
    for mark in MARKS:
        try:
            row = next(csv.reader([header], delimiter=mark, skipinitialspace=True), [])
        except csv.Error:
            row = []
        named = {name.strip().lower() for name in row}
        found[mark] = sum(any(name in named for name in names) for names in COLUMNS.values())
    return max(MARKS, key=lambda mark: found[mark])


def _named(mark: str) -> str:
    return {",": "commas", "\t": "tabs", ";": "semicolons"}.get(mark, "bars")


def _header(row: list[str], place: str) -> tuple[int, int, int]:
    named = [name.strip().lower() for name in row]
    places = []
    for column, names in COLUMNS.items():
        have = next((name for name in names if name in named), None)
        if have is None:
            number = any(is_number(field) for field in row)
            hint = "; this looks like an edge, so the header is missing" if number else ""
            raise InputError(
                f"{place}: the header {shown(','.join(row))} has no column {column} (or {', '.join(names[1:4])}): it"
                f" must be {','.join(COLUMNS)}{hint}"
            )
        require(named.count(have) == 1, f"{place}: the header has two columns {have}: keep one")
        places.append(named.index(have))
    return places[0], places[1], places[2]


class Lines(Sequence):
    """Labels of edges, "line 7", made only when an error asks for one."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __getitem__(self, number: Any) -> str:
        return f"line {self.numbers[number]}"

    def __len__(self) -> int:
        return len(self.numbers)
