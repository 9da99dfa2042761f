"""The lines of a result: what goes along x, what makes a line of its own, and how they are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core import figure
from ds3sim.core.text import in_words
from ds3sim.results.labels import BUDGETS, COLUMNS, axis_column, columns_of, is_number, unit_of
from ds3sim.results.row import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 8
"""Lines of a figure: as many as there are colours. Of more, some are shown, evenly chosen."""
AXIS = {"success": "Success probability", "mean_flops": "Mean cost of a task (FLOPs)",
        "expected_tokens": "Mean cost of a task (tokens)"}  # fmt: skip
"""Labels of vertical axes."""


@dataclass(frozen=True)
class Lines:
    """What a figure of a result draws: a column along x, all columns, and label -> rows of a line, sorted by x."""

    x: str
    columns: Mapping[str, np.ndarray]
    lines: Mapping[str, np.ndarray]
    total: int  # without a limit

    @property
    def width(self) -> int:
        """Different values along x."""
        return len(set(self.columns[self.x].tolist()))

    @property
    def legend(self) -> tuple[int, int]:
        """Rows and columns of the legend; none for a single line."""
        longest, count = max(map(len, self.lines)), len(self.lines)
        columns = min(max(70 // (longest + 6), 1), 4)  # characters across the narrowest figure
        return (-(-count // columns), columns) if count > 1 else (0, 0)


def lines_of(axes: Sequence[str], rows: Sequence[Row]) -> Lines:
    """What has the most values goes along x; all else that varies makes lines, at most eight. Needs a row."""
    table = columns_of(axes, rows)
    names = [axis_column(axis) for axis in axes]
    budget = next(name for name in BUDGETS if name in table)
    counts = {name: len(set(table[name].tolist())) for name in (*names, budget) if is_number(table[name])}
    x = max(counts, key=lambda name: (counts[name], name == budget))
    rest = []
    for name in dict.fromkeys((*names, "strategy", budget)):
        values = table[name].tolist() if name in table and name != x else []
        # An axis that goes along with x (zipped) is no reason for another line.
        if len(set(values)) > 1 and len(set(zip(table[x].tolist(), values, strict=True))) > counts[x]:
            rest.append(name)
    found: dict[str, list[int]] = {}
    for i in range(len(rows)):
        found.setdefault(", ".join(said(name, table[name][i]) for name in rest), []).append(i)
    labels = list(found)
    if len(labels) > MOST_LINES:
        labels = [labels[round(i * (len(labels) - 1) / (MOST_LINES - 1))] for i in range(MOST_LINES)]
    lines = {label: np.array(sorted(found[label], key=lambda i: table[x][i])) for label in labels}
    return Lines(x, table, lines, len(found))


def draw_lines(drawn: Lines, name: str, ax: Axes, theme: figure.Theme = figure.LIGHT) -> Axes:
    """Draw a column against x, with 95% intervals where it has them."""
    table, shown = drawn.columns, np.concatenate(list(drawn.lines.values()))
    for index, (label, at) in enumerate(drawn.lines.items()):
        low, high = (table.get(f"{name}_{end}", table[name])[at] for end in ("low", "high"))
        size = 4.5 if len(at) <= 25 else 2.5 if len(at) <= 100 else 0
        look = {"linestyle": figure.dash(index), "linewidth": 1.2, "markersize": size, "elinewidth": 0.9}
        figure.dots(ax, table[drawn.x][at], table[name][at], low, high, index, label or None, theme, capsize=0, **look)
    if name == "success":
        figure.probability(ax, table[name][shown].tolist())
    else:
        figure.magnitude(ax, table[name][shown].tolist(), "y")
    figure.magnitude(ax, table[drawn.x][shown].tolist())
    ax.set_xlabel(axis_label(drawn.x))
    ax.set_ylabel(AXIS.get(name, name))
    if drawn.legend[0]:
        figure.legend(ax, columns=drawn.legend[1], where="above", theme=theme)
    return ax


def axis_label(name: str) -> str:
    """The label of a horizontal axis, with its unit."""
    unit = units(name)
    if name in BUDGETS:
        return f"Budget ({unit} per task)"
    return f"{name} ({unit})" if unit else name


def units(name: str) -> str:
    """The unit of a column as a reader wants it; "" for pure numbers and text."""
    return {"1": "", "FLOP": "FLOPs"}.get(unit_of(name), unit_of(name))


def said(name: str, value: Any) -> str:
    """A column and its value in a few words; a strategy by its name alone."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    text = in_words(float(value)) if number else str(value)
    if name == "strategy":
        return text
    return f"{text} {units(name)}" if name in COLUMNS else f"{name.rsplit('.', 1)[-1]} {text}"
