"""Figures of a run: accuracy against budget, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ds3sim.core import figure as f
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


def accuracy_figure(result: Result, curves: Sequence[Curve] = (), theme: f.Theme = f.LIGHT) -> Any:
    """Success against budget, and below it the distance from theory in standard errors: a matplotlib figure."""
    rows = compared(result)
    unit = budget_unit(rows)
    z = [one.z_success for one in rows if one.z_success is not None and math.isfinite(one.z_success)]
    size, heights = ((6.4, 5.2), (3.4, 1)) if z else ((6.4, 4.2), (1,))
    figure, axes = f.new_figure(size, len(heights), 1, theme, TEXT, sharex=True, height_ratios=heights)
    top, lowest = axes[0, 0], axes[-1, 0]
    groups = by_strategy(rows)
    for index, (name, own) in enumerate(groups.items()):
        budgets = [float(getattr(one.row, unit)) for one in own]
        theory_line(top, curves, name, own, index, theme, f"budget_{unit}")
        points(top, own, budgets, list(map(_success, own)), index, name or _engine(result), theme)
        if z:
            here = [math.nan if one.z_success is None else one.z_success for one in own]
            lowest.plot(budgets, here, f.marker(index), color=f.colour(index, theme), markersize=4.5, zorder=3)
    f.probability(top, [one.row.success for one in rows])
    f.magnitude(lowest, [float(getattr(one.row, unit)) for one in rows])
    top.set_ylabel("Success probability")
    lowest.set_xlabel(f"Budget ({UNITS[unit]} per task)")
    if z:
        limit = max(3.2, 1.15 * max(map(abs, z)))
        lowest.axhspan(-NORMAL_95, NORMAL_95, color=theme.faint, alpha=0.45, linewidth=0, zorder=0)
        lowest.axhline(0, color=theme.ink, linewidth=0.7, zorder=1)
        lowest.set(ylim=(-limit, limit), ylabel="z")
        if limit < 4:
            lowest.set_yticks([-2, 0, 2])
    _legend(top, rows, len(groups), theme)
    return figure


def cost_figure(result: Result, curves: Sequence[Curve] = (), theme: f.Theme = f.LIGHT) -> Any:
    """Left: success against mean cost. Right: mean cost against budget, with the worst case. A matplotlib figure.

    Cost is in FLOPs where the config has a cost model, else in tokens.
    """
    rows = compared(result)
    unit, paid = budget_unit(rows), "flops" if all(one.row.mean_flops is not None for one in rows) else "tokens"
    figure, axes = f.new_figure((9.6, 4.2), 1, 2, theme, TEXT)
    left, right = axes[0]
    groups = by_strategy(rows)
    for index, (name, own) in enumerate(groups.items()):
        paint = {"color": f.colour(index, theme), "linewidth": 1.0}
        costs = [cost(one.row, paid) for one in own]
        mean, budgets = [c[0] for c in costs], [float(getattr(one.row, unit)) for one in own]
        theory_line(left, curves, name, own, index, theme, paid)
        points(left, own, mean, list(map(_success, own)), index, name or _engine(result), theme)
        worst = [getattr(one.row, f"budget_{paid}") for one in own]
        alone = {"marker": "_", "markersize": 12} if len(worst) == 1 else {}
        right.plot(budgets, worst, linestyle=WORST, zorder=1, **paint, **alone)
        right.plot(*_between(own, budgets, mean), alpha=0.6, zorder=2, **paint)
        points(right, own, budgets, costs, index, name or "mean", theme)
    f.probability(left, [one.row.success for one in rows])
    every = [cost(one.row, paid)[0] for one in rows]
    f.magnitude(left, every)
    f.magnitude(right, [float(getattr(one.row, unit)) for one in rows])
    f.magnitude(right, every, "y", right.get_xscale() == "log")
    left.set(xlabel=f"Mean cost of a task ({UNITS[paid]})", ylabel="Success probability")
    right.set(xlabel=f"Budget ({UNITS[unit]} per task)", ylabel=f"Cost of a task ({UNITS[paid]})")
    _legend(left, rows, len(groups), theme, columns=2)
    mean = key("mean", color=theme.ink, linewidth=1.0, marker="o", markersize=4.5)
    _above(right, [mean, key("worst case (whole budget)", color=theme.ink, linewidth=1.0, linestyle=WORST)], 2, theme)
    return figure


def budget_unit(rows: Sequence[Compared]) -> str:
    """The unit of the budgets that strategies have in common: flops, tokens, or steps."""
    given = (u for u in ("flops", "tokens") if all(getattr(one.row, u) is not None for one in rows))
    return next(given, "steps")


def cost(row: Row, paid: str) -> tuple[float, float, float]:
    """Mean cost with its interval; the relative width is that of the expected steps."""
    mean = row.mean_flops if paid == "flops" else row.expected_tokens
    middle = float(mean if mean is not None else row.expected_steps)
    if row.expected_steps <= 0:
        return middle, middle, middle
    share = 1 / row.expected_steps
    return middle, middle * row.expected_steps_low * share, middle * row.expected_steps_high * share


def theory_line(
    axes: Any, curves: Sequence[Curve], name: str, own: Sequence[Compared], index: int, theme: f.Theme, against: str
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
        x = [float(getattr(row, unit)) if unit != against else cost(row, unit)[0] for row in known]
        y = [row.reference.success for row in known if row.reference is not None]
    f.line(axes, x, y, index, theme=theme, linewidth=1.5, zorder=1)


def points(
    axes: Any, own: Sequence[Compared], x: Sequence[float], y: Sequence[Any], index: int, label: str, theme: f.Theme
) -> None:
    """Values (middle, low, high) as points with 95% bars, and the band that joins them."""
    middle, low, high = zip(*y, strict=True)
    across, below, above = _between(own, x, low, high)
    f.band(axes, across, below, above, index, theme)
    size = {"markersize": 5 if len(x) <= 25 else 3, "markeredgewidth": 0, "capsize": 2.5}
    f.dots(axes, x, middle, low, high, index, label, theme, **size)


def _success(one: Compared) -> tuple[float, float, float]:
    return one.row.success, one.row.success_low, one.row.success_high


def _engine(result: Result) -> str:
    """What points are called where there is one strategy."""
    return "simulation" if result.traces else result.engine.replace("_", " ")


def _between(own: Sequence[Compared], *columns: Sequence[float]) -> list[Any]:
    """Columns with points between the budgets: monotone cubic in the logarithm of the steps."""
    import numpy as np
    from scipy.interpolate import PchipInterpolator

    at = np.log([max(one.row.steps, 0.5) for one in own])
    if len(at) < 2 or np.any(np.diff(at) <= 0):
        return list(columns)
    dense = np.unique(np.concatenate([at, np.linspace(at[0], at[-1], 240)]))
    return [PchipInterpolator(at, np.asarray(c, dtype=np.float64))(dense) for c in columns]


def _legend(axes: Any, rows: Sequence[Compared], groups: int, theme: f.Theme, columns: int = 3) -> None:
    """Above the axes, so that it never covers a curve."""
    by = sorted({one.row.reference.by.replace("_", " ") for one in rows if one.row.reference is not None})
    shade = theme.lines[0] if groups == 1 else theme.ink
    theory = [key(f"theory ({', '.join(by)})", color=shade, linewidth=1.5)] if by else []
    _above(axes, [*axes.get_legend_handles_labels()[0], *theory], columns, theme)


def _above(axes: Any, handles: Sequence[Any], columns: int, theme: f.Theme) -> None:
    f.legend(axes, handles, columns, "above", theme, fontsize=TEXT, columnspacing=1.4, handletextpad=0.5)
