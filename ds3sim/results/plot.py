"""A quick plot of a result: success against the axis or budget with the most values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.results.columns import COLUMNS, axis_column, columns_of, unit_of
from ds3sim.results.labels import BUDGETS, is_number
from ds3sim.results.row import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 8
"""Lines of a plot; of more, some are shown, evenly chosen."""


def plot_success(axes: Sequence[str], rows: Sequence[Row], ax: Axes) -> Axes:
    """Draw success with its 95% interval, one line for each point and strategy.

    Args:
        axes, rows: of the result.
        ax: where to draw.
    """
    table = columns_of(axes, rows)
    names = [axis_column(axis) for axis in axes]
    budget = next((name for name in BUDGETS if name in table), "steps")
    numeric = [name for name in (*names, budget) if name in table and is_number(table[name])]
    counts = {name: len(set(table[name].tolist())) for name in numeric}
    x = max(numeric, key=lambda name: (counts[name], name == budget))
    rest = [name for name in (*names, "strategy", budget) if name != x and name in table]
    rest = [name for name in rest if len(set(table[name].tolist())) > 1]
    lines: dict[tuple, list[int]] = {}
    for i in range(len(rows)):
        lines.setdefault(tuple(table[name][i] for name in rest), []).append(i)
    for key in list(lines)[:: max(1, -(-len(lines) // MOST_LINES))]:
        at = np.array(sorted(lines[key], key=lambda i: table[x][i]))
        middle, low, high = (table[name][at] for name in ("success", "success_low", "success_high"))
        label = ", ".join(_said(name, value) for name, value in zip(rest, key, strict=True))
        spread = np.maximum([middle - low, high - middle], 0.0)
        ax.errorbar(table[x][at], middle, yerr=spread, marker="o", markersize=4, label=label or None)
    unit = unit_of(x)
    ax.set_xlabel(f"{x} ({unit})" if unit not in ("", "1") else x)
    ax.set_ylabel(COLUMNS["success"].meaning)
    if len(lines) > 1:
        ax.legend()
    return ax


def _said(name: str, value) -> str:
    if name == "strategy":
        return str(value)
    return f"{name} = {value:g}" if is_number(np.asarray(value)) else f"{name} = {value}"
