"""The page of a fit: its figure, its parameters, what it predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ds3sim.core.errors import InputError
from ds3sim.core.figure import data_uri
from ds3sim.core.text import number, probability
from ds3sim.report.html import Picture, rendered
from ds3sim.report.tables import Cell, Head, Table

PARAMETERS = {
    "solvable": "share of tasks that can be solved, A",
    "alpha": "alpha of the success rates",
    "beta": "beta of the success rates",
    "c_star": "chance of the most frequent wrong answer, c*",
    "plateau": "accuracy of the vote without end",
}
"""What the parameters of fits mean."""


def fit_page(about: Mapping[str, Any], svg: bytes) -> str:
    """The page of a fit as HTML.

    Args:
        about: what ``ds3sim fit --json`` prints.
        svg: the figure.

    Raises:
        InputError: ``about`` is no fit.
    """
    try:
        votes = "c_star" in about
        what = "Accuracy of the vote" if votes else "pass@N"
        last = about["predictions"][-1]
        headline = f"At N = {last['n']:,} {what} is {_estimate(last)}."
        caption = f"{what} against N: data as dots, the fit as a line with its 95% band."
        return rendered(
            "ds3sim.report",
            "fit.html.jinja",
            kind="fit",
            name=str(about["source"]),
            headline=[headline],
            figure=Picture(what, caption, f"{caption} {headline}", data_uri(svg), data_uri(svg)),
            parameters=_parameters(about),
            predictions=_predictions(about["predictions"], what),
            notes=[*about.get("notes", ()), *about.get("warnings", ())],
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InputError(f"this is not a fit of ds3sim fit: {type(error).__name__}: {error}") from None


def _parameters(about: Mapping[str, Any]) -> Table:
    heads = (Head("parameter", text=True), Head("value"), Head("95% interval"), Head("meaning", text=True))
    rows = []
    for name, meaning in PARAMETERS.items():
        if name in about:
            ends = about.get("intervals", {}).get(name) or about.get(f"{name}_interval")
            bound = " (at its bound)" if name in about.get("at_bound", ()) else ""
            interval = f"{number(ends[0])} to {number(ends[1])}" if ends else "–"
            rows.append([Cell(name), Cell(number(about[name]) + bound), Cell(interval), Cell(meaning)])
    return Table("Parameters", heads, rows)


def _predictions(rows: list[Mapping[str, Any]], what: str) -> Table:
    costs = [name for name in ("tokens", "flops") if any(row.get(name) is not None for row in rows)]
    heads = (Head("N"), Head(what, "95% interval"), *(Head("cost", {"flops": "FLOPs"}.get(c, c)) for c in costs))
    cells = [[Cell(f"{row['n']:,}"), Cell(_estimate(row)), *(Cell(number(row[c])) for c in costs)] for row in rows]
    return Table("Predictions", heads, cells)


def _estimate(row: Mapping[str, Any]) -> str:
    return f"{probability(row['estimate'])} ({probability(row['low'])} to {probability(row['high'])})"
