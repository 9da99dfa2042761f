"""Figures of a run: accuracy against budget, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ds3sim.core.figure import (
    LIGHT,
    Theme,
    band,
    colour,
    dots,
    legend,
    line,
    magnitude,
    marker,
    new_figure,
    probability,
)
from ds3sim.report.curves import Curve
from ds3sim.report.style import key
from ds3sim.report.tables import Compared, by_strategy, compared
from ds3sim.results.result import Result
from ds3sim.results.row import Row
from ds3sim.stats.intervals import NORMAL_95

UNITS = {"steps": "steps", "tokens": "tokens", "flops": "FLOPs"}
TEXT = 9.5
WORST = (0, (4, 2))
"""Line style of the worst case."""


def accuracy_figure(result: Result, curves: Sequence[Curve] = (), theme: Theme = LIGHT) -> Any:
    """Success against budget, and below it the distance from theory in standard errors: a matplotlib figure."""
    rows = compared(result)
    unit = budget_unit(rows)
    z = [one.z_success for one in rows if one.z_success is not None and math.isfinite(one.z_success)]
    size, heights = ((6.4, 5.2), (3.4, 1)) if z else ((6.4, 4.2), (1,))
    figure, axes = new_figure(size, len(heights), 1, theme, TEXT, sharex=True, height_ratios=heights)
    top, lowest = axes[0, 0], axes[-1, 0]
    groups = by_strategy(rows)
    for index, (name, own) in enumerate(groups.items()):
        budgets = [budget(one.row, unit) for one in own]
        theory_line(top, curves, name, own, index, theme, f"budget_{unit}")
        success_points(top, own, budgets, index, name or engine_name(result, rows), theme)
        if z:
            here = [math.nan if one.z_success is None else one.z_success for one in own]
            lowest.plot(budgets, here, marker(index), color=colour(index, theme), markersize=4.5, zorder=3)
    probability(top, [one.row.success for one in rows])
    magnitude(lowest, [budget(one.row, unit) for one in rows])
    top.set_ylabel("Success probability")
    lowest.set_xlabel(f"Budget ({UNITS[unit]} per task)")
    if z:
        _z_axis(lowest, z, theme)
    _legend(top, rows, len(groups), theme)
    return figure


def cost_figure(result: Result, curves: Sequence[Curve] = (), theme: Theme = LIGHT) -> Any:
    """Left: success against mean cost. Right: mean cost against budget, with the worst case. A matplotlib figure.

    Cost is in FLOPs where the config has a cost model, else in tokens.
    """
    rows = compared(result)
    unit, paid = budget_unit(rows), "flops" if has_flops(rows) else "tokens"
    figure, axes = new_figure((9.6, 4.2), 1, 2, theme, TEXT)
    left, right = axes[0]
    groups = by_strategy(rows)
    for index, (name, own) in enumerate(groups.items()):
        paint = {"color": colour(index, theme), "linewidth": 1.0}
        costs = [cost(one.row, paid) for one in own]
        mean, budgets = [c[0] for c in costs], [budget(one.row, unit) for one in own]
        theory_line(left, curves, name, own, index, theme, paid)
        success_points(left, own, mean, index, name or engine_name(result, rows), theme)
        worst = [getattr(one.row, f"budget_{paid}") for one in own]
        alone = {"marker": "_", "markersize": 12} if len(worst) == 1 else {}
        right.plot(budgets, worst, linestyle=WORST, zorder=1, **paint, **alone)
        right.plot(*_between(own, budgets, mean), alpha=0.6, zorder=2, **paint)
        _points(right, own, budgets, costs, index, name or "mean", theme)
    probability(left, [one.row.success for one in rows])
    every = [cost(one.row, paid)[0] for one in rows]
    magnitude(left, every)
    magnitude(right, [budget(one.row, unit) for one in rows])
    magnitude(right, every, "y", right.get_xscale() == "log")
    left.set(xlabel=f"Mean cost of a task ({UNITS[paid]})", ylabel="Success probability")
    right.set(xlabel=f"Budget ({UNITS[unit]} per task)", ylabel=f"Cost of a task ({UNITS[paid]})")
    _legend(left, rows, len(groups), theme, columns=2)
    keys = [
        key("mean", color=theme.ink, linewidth=1.0, marker="o", markersize=4.5),
        key("worst case (whole budget)", color=theme.ink, linewidth=1.0, linestyle=WORST),
    ]
    _above(right, keys, 2, theme)
    return figure


def has_flops(rows: Sequence[Compared]) -> bool:
    """True when every row has a cost in FLOPs."""
    return all(one.row.mean_flops is not None for one in rows)


def budget_unit(rows: Sequence[Compared]) -> str:
    """The unit of the budgets that strategies have in common: flops, tokens, or steps."""
    given = (u for u in ("flops", "tokens") if all(getattr(one.row, u) is not None for one in rows))
    return next(given, "steps")


def budget(row: Row, unit: str) -> float:
    """The budget of a row in a unit."""
    return float(getattr(row, unit))


def cost(row: Row, paid: str) -> tuple[float, float, float]:
    """Mean cost with its interval; the relative width is that of the expected steps."""
    mean = row.mean_flops if paid == "flops" else row.expected_tokens
    middle = float(mean if mean is not None else row.expected_steps)
    share = 1 / row.expected_steps if row.expected_steps > 0 else 0.0
    if not share:
        return middle, middle, middle
    return middle, middle * row.expected_steps_low * share, middle * row.expected_steps_high * share


def engine_name(result: Result, rows: Sequence[Compared]) -> str:
    """What points are called where there is one strategy."""
    return "simulation" if any(one.row.traces for one in rows) else result.engine.replace("_", " ")


def success_points(
    axes: Any, own: Sequence[Compared], x: Sequence[float], index: int, label: str, theme: Theme
) -> None:
    """Success with its intervals against x."""
    triples = [(one.row.success, one.row.success_low, one.row.success_high) for one in own]
    _points(axes, own, x, triples, index, label, theme)


def theory_line(
    axes: Any, curves: Sequence[Curve], name: str, own: Sequence[Compared], index: int, theme: Theme, against: str
) -> None:
    """The reference as a line: a dense curve where there is one, else through the budgets.

    ``against``: budget_steps, budget_tokens, budget_flops, or the mean cost in tokens or flops.
    """
    curve = next((c for c in curves if c.strategy == name), None)
    x: Sequence[float] | None = None if curve is None else curve.along(against)
    y: Sequence[float] = () if curve is None else curve.success
    if x is None:
        known = [one.row for one in own if one.row.reference is not None]
        unit = against.removeprefix("budget_")
        x = [budget(row, unit) if unit != against else cost(row, unit)[0] for row in known]
        y = [row.reference.success for row in known if row.reference is not None]
    line(axes, x, y, index, theme=theme, linewidth=1.5, zorder=1)


# ---- pieces -----------------------------------------------------------------------------------


def _between(own: Sequence[Compared], *columns: Sequence[float]) -> list:
    """Columns with points between the budgets: monotone cubic in the logarithm of the steps."""
    import numpy as np
    from scipy.interpolate import PchipInterpolator

    at = np.log([max(one.row.steps, 0.5) for one in own])
    if len(at) < 2 or np.any(np.diff(at) <= 0):
        return list(columns)
    dense = np.unique(np.concatenate([at, np.linspace(at[0], at[-1], 240)]))
    return [PchipInterpolator(at, np.asarray(c, dtype=np.float64))(dense) for c in columns]


def _points(
    axes: Any, own: Sequence[Compared], x: Sequence[float], triples: Sequence, index: int, label: str, theme: Theme
) -> None:
    """Points with 95% bars, and the band that joins them."""
    middle, low, high = zip(*triples, strict=True)
    across, below, above = _between(own, x, low, high)
    band(axes, across, below, above, index, theme)
    size = {"markersize": 5 if len(x) <= 25 else 3, "markeredgewidth": 0, "capsize": 2.5}
    dots(axes, x, middle, low, high, index, label, theme, **size)


def _z_axis(axes: Any, values: Sequence[float], theme: Theme) -> None:
    limit = max(3.2, 1.15 * max(abs(v) for v in values))
    axes.axhspan(-NORMAL_95, NORMAL_95, color=theme.faint, alpha=0.45, linewidth=0, zorder=0)
    axes.axhline(0, color=theme.ink, linewidth=0.7, zorder=1)
    axes.set(ylim=(-limit, limit), ylabel="z")
    if limit < 4:
        axes.set_yticks([-2, 0, 2])


def _legend(axes: Any, rows: Sequence[Compared], groups: int, theme: Theme, columns: int = 3) -> None:
    """Above the axes, so that it never covers a curve."""
    by = sorted({one.row.reference.by.replace("_", " ") for one in rows if one.row.reference is not None})
    shade = theme.lines[0] if groups == 1 else theme.ink
    theory = [key(f"theory ({', '.join(by)})", color=shade, linewidth=1.5)] if by else []
    _above(axes, [*axes.get_legend_handles_labels()[0], *theory], columns, theme)


def _above(axes: Any, handles: Sequence, columns: int, theme: Theme) -> None:
    legend(axes, handles, columns, "above", theme, fontsize=TEXT, columnspacing=1.4, handletextpad=0.5)
