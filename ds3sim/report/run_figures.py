"""Figures of a run: accuracy against budget, and what it costs.

matplotlib is imported when a figure is made, and only through its object interface: no backend is
chosen and no global setting is changed. Colours are those of Okabe and Ito, which stay apart for
colour-blind readers; markers and line styles differ too, so that a grey print can be read.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ds3sim.report.rows import NORMAL_95, Series, is_random, series

MARKERS = "osD^vPX*"
UNITS = {"steps": "steps", "tokens": "tokens", "flops": "FLOPs"}
DASHES = ("solid", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)))


@dataclass(frozen=True)
class Theme:
    """Colours of a figure."""

    ink: str
    faint: str
    paper: str
    lines: tuple[str, ...]


LIGHT = Theme(
    "#1f2328",
    "#d0d4d9",
    "#ffffff",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#4d4d4d", "#8c564b"),
)
DARK = Theme(
    "#e4e7eb",
    "#3c434b",
    "#16191d",
    ("#56b4e9", "#f0803c", "#2fc79a", "#e29bc4", "#e6b422", "#8ec9f0", "#b8bec5", "#c99a8b"),
)


def accuracy_figure(result: Mapping[str, Any], theme: Theme = LIGHT):
    """Success against budget; below it the distance from theory in standard errors.

    Returns:
        ``matplotlib.figure.Figure``.
    """
    groups = series(result)
    unit = budget_unit(groups)
    checked = is_random(result) and any(r.z_success is not None for g in groups for r in g.rows)
    figure = new_figure((6.4, 5.2) if checked else (6.4, 4.2), theme)
    if checked:
        top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3.4, 1], "hspace": 0.08})
    else:
        top, bottom = figure.subplots(1, 1), None
    for index, group in enumerate(groups):
        colour, marker, _ = _look(theme, index)
        budgets = [_budget(r, unit) for r in group.rows]
        _theory(top, result, group, index, theme, f"budget_{unit}")
        _points(top, group, budgets, [r.success for r in group.rows], colour, marker, _label(group, result))
        if bottom is not None:
            z = [
                (_budget(r, unit), r.z_success)
                for r in group.rows
                if r.z_success is not None and math.isfinite(r.z_success)
            ]
            if z:
                bottom.plot(*zip(*z, strict=True), marker, color=colour, markersize=4.5, zorder=3)
    every = [r for g in groups for r in g.rows]
    _probability_axis(top, [r.success[0] for r in every])
    lowest = top if bottom is None else bottom
    magnitude_axis(lowest, [_budget(r, unit) for r in every])
    top.set_ylabel("Success probability")
    lowest.set_xlabel(f"Budget ({UNITS[unit]} per task)")
    if bottom is not None:
        _z_axis(bottom, [r.z_success for r in every if r.z_success is not None], theme)
    for axes in (top, bottom):
        apply_style(axes, theme)
    _legend(top, result, groups, theme)
    return figure


def cost_figure(result: Mapping[str, Any], theme: Theme = LIGHT):
    """Left: success against mean cost. Right: mean cost against budget, with the worst case.

    Cost is in FLOPs where the config has a cost model, else in tokens.

    Returns:
        ``matplotlib.figure.Figure``.
    """
    groups = series(result)
    flops, unit = has_flops(groups), budget_unit(groups)
    paid = "flops" if flops else "tokens"
    figure = new_figure((9.6, 4.2), theme)
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.28})
    for index, group in enumerate(groups):
        colour, marker, _ = _look(theme, index)
        cost = [_cost(r, flops) for r in group.rows]
        _theory(left, result, group, index, theme, paid)
        mean, success = [c[0] for c in cost], [r.success for r in group.rows]
        _points(left, group, mean, success, colour, marker, _label(group, result))
        budgets = [_budget(r, unit) for r in group.rows]
        worst = [r.data.get(f"budget_{paid}") for r in group.rows]
        if all(w is not None for w in worst):
            alone = "_" if len(worst) == 1 else None
            right.plot(
                budgets,
                worst,
                color=colour,
                linewidth=1.0,
                linestyle=(0, (4, 2)),
                marker=alone,
                markersize=12,
                zorder=1,
            )
        right.plot(*_between(group, budgets, mean), color=colour, linewidth=1.0, alpha=0.6, zorder=2)
        _points(right, group, budgets, cost, colour, marker, group.name or "mean")
    every = [r for g in groups for r in g.rows]
    _probability_axis(left, [r.success[0] for r in every])
    magnitude_axis(left, [_cost(r, flops)[0] for r in every])
    magnitude_axis(right, [_budget(r, unit) for r in every])
    magnitude_axis(right, [_cost(r, flops)[0] for r in every], "y", right.get_xscale() == "log")
    left.set_ylabel("Success probability")
    left.set_xlabel(f"Mean cost of a task ({UNITS[paid]})")
    right.set_xlabel(f"Budget ({UNITS[unit]} per task)")
    right.set_ylabel(f"Cost of a task ({UNITS[paid]})")
    for axes in (left, right):
        apply_style(axes, theme)
    _legend(left, result, groups, theme)
    _cost_legend(right, theme)
    return figure


def render(figure, kind: str) -> bytes:
    """The figure as ``png`` (200 dpi) or ``svg`` bytes; equal figures give equal bytes."""
    import matplotlib

    out = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": "ds3sim"}
    with matplotlib.rc_context({"svg.hashsalt": "ds3sim"}):  # names in the SVG; put back at the end
        figure.savefig(out, format=kind, dpi=200, metadata=metadata, bbox_inches="tight", pad_inches=0.08)
    return out.getvalue()


def describe_accuracy(result: Mapping[str, Any]) -> str:
    """Alternative text of the accuracy figure."""
    parts = []
    for group in series(result):
        first, last = group.rows[0], group.rows[-1]
        parts.append(
            f"{group.name or 'success'} rises from {first.success[0]:.3g} at {first.steps} steps"
            f" to {last.success[0]:.3g} at {last.steps} steps"
        )
    return "Success probability against budget: " + "; ".join(parts) + "."


def describe_cost(result: Mapping[str, Any]) -> str:
    """Alternative text of the cost figure."""
    groups = series(result)
    flops = has_flops(groups)
    parts = [
        f"{g.name or 'success'} {g.rows[-1].success[0]:.3g} at {_cost(g.rows[-1], flops)[0]:.3g}"
        f" {'FLOPs' if flops else 'tokens'}"
        for g in groups
    ]
    return "Success against mean cost, and mean cost against budget. At the largest budget: " + "; ".join(parts) + "."


def has_flops(groups: Sequence[Series]) -> bool:
    """True when every row has a cost in FLOPs."""
    return all(r.flops is not None for g in groups for r in g.rows)


def budget_unit(groups: Sequence[Series]) -> str:
    """The unit of the budgets that strategies have in common: flops, tokens, or steps."""
    rows = [r.data for g in groups for r in g.rows]
    return next((unit for unit in ("flops", "tokens") if all(r.get(unit) is not None for r in rows)), "steps")


# ---- pieces -----------------------------------------------------------------------------------


def new_figure(size: tuple[float, float], theme: Theme):
    from matplotlib.figure import Figure

    return Figure(figsize=size, facecolor=theme.paper)


def _look(theme: Theme, index: int):
    return (
        theme.lines[index % len(theme.lines)],
        MARKERS[index % len(MARKERS)],
        DASHES[index % len(DASHES)],
    )


def _label(group: Series, result) -> str:
    return group.name or ("simulation" if is_random(result) else str(result.get("engine", "value")).replace("_", " "))


def _cost(row, flops: bool) -> tuple[float, float, float]:
    """Mean cost with its interval; the relative width is that of the expected steps."""
    middle = row.flops if flops else row.data.get("expected_tokens")
    estimate, low, high = row.expected_steps
    middle = float(middle if middle is not None else estimate)
    if estimate <= 0:
        return middle, middle, middle
    return middle, middle * low / estimate, middle * high / estimate


def _budget(row, unit: str) -> float:
    return float(row.steps if unit == "steps" else row.data[unit])


def _between(group: Series, *columns: Sequence[float]) -> list:
    """Columns with points between the budgets: monotone cubic in the logarithm of the steps."""
    import numpy as np
    from scipy.interpolate import PchipInterpolator

    at = np.log([max(r.steps, 0.5) for r in group.rows])
    if len(at) < 2 or np.any(np.diff(at) <= 0):
        return list(columns)
    dense = np.unique(np.concatenate([at, np.linspace(at[0], at[-1], 240)]))
    return [PchipInterpolator(at, np.asarray(c, dtype=np.float64))(dense) for c in columns]


def _points(axes, group: Series, x: Sequence[float], triples, colour: str, marker: str, label: str) -> None:
    """Points with 95% bars, and the band that joins them."""
    middle, low, high = zip(*triples, strict=True)
    below = [max(m - a, 0.0) for m, a in zip(middle, low, strict=True)]
    above = [max(b - m, 0.0) for m, b in zip(middle, high, strict=True)]
    axes.fill_between(*_between(group, x, low, high), color=colour, alpha=0.18, linewidth=0, zorder=2)
    axes.errorbar(
        x,
        middle,
        yerr=[below, above],
        fmt=marker,
        color=colour,
        markersize=5 if len(x) <= 25 else 3,
        markeredgewidth=0,
        elinewidth=1.1,
        capsize=2.5,
        label=label,
        zorder=4,
    )


def _theory(axes, result, group: Series, index: int, theme: Theme, against: str) -> None:
    """The reference as a line: a dense curve where the result has one, else through the budgets.

    ``against``: budget_steps, budget_tokens, budget_flops, or the mean cost in tokens or flops.
    """
    colour, _, dash = _look(theme, index)
    curve = next((c for c in result.get("curves") or () if c.get("strategy", "") == group.name), {})
    x = curve.get("steps" if against == "budget_steps" else against)
    if x:
        axes.plot(x, curve["success"], color=colour, linewidth=1.5, linestyle=dash, zorder=1)
        return
    known = [r for r in group.rows if r.reference is not None and r.reference.get("success") is not None]
    if known:
        place = against.removeprefix("budget_")
        x = [_budget(r, place) if place != against else _cost(r, place == "flops")[0] for r in known]
        y = [float(r.reference["success"]) for r in known if r.reference is not None]
        axes.plot(x, y, color=colour, linewidth=1.5, linestyle=dash, zorder=1)


def magnitude_axis(axes, values: Sequence[float], which: str = "x", logarithmic: bool = False) -> None:
    """Logarithmic when asked, or when the values span more than a factor of eight; plain numbers where short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    positive = sorted(v for v in values if v > 0)
    plain = FuncFormatter(lambda v, _: _number(v))
    if len(positive) < 2 or (positive[-1] < 8 * positive[0] and not logarithmic):
        large = bool(positive) and positive[-1] >= 1e5
        axis.set_major_locator(MaxNLocator(4 if large else 6, integer=bool(positive) and positive[-1] >= 8))
        axis.set_major_formatter(plain)
        return
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    pad = (positive[-1] / positive[0]) ** 0.04
    if which == "x":
        axes.set_xlim(positive[0] / pad, positive[-1] * pad)
    decades = math.log10(positive[-1] / positive[0])
    if decades < 2.2:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axis.set_major_locator(LogLocator(numticks=7))
    axis.set_major_formatter(plain)
    axis.set_minor_locator(LogLocator(subs=range(2, 10)) if decades < 6 else NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _number(value: float) -> str:
    """1, 200, 10,000; above that powers of ten."""
    if value == 0:
        return "0"
    if 0.001 <= abs(value) < 1e5:
        return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    mantissa = value / 10.0**exponent
    times = "" if abs(mantissa - 1) < 1e-6 else rf"{mantissa:.3g}{{\times}}"
    return rf"${times}10^{{{exponent}}}$"


def _probability_axis(axes, values: Sequence[float]) -> None:
    """Linear from 0; logarithmic when all successes are small and far apart."""
    from matplotlib.ticker import LogLocator, NullFormatter

    positive = [v for v in values if v > 0]
    if positive and max(positive) < 0.05 and max(positive) > 30 * min(positive):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=8))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(min(positive) / 3, 3 * max(positive))
    else:
        top = max([*positive, 0.02])
        axes.set_ylim(-0.03 * min(1.0, top), 1.03 if top > 0.5 else 1.15 * top)


def _z_axis(axes, values: Sequence[float], theme: Theme) -> None:
    largest = max([abs(v) for v in values if math.isfinite(v)], default=0.0)
    limit = max(3.2, 1.15 * largest)
    axes.axhspan(-NORMAL_95, NORMAL_95, color=theme.faint, alpha=0.45, linewidth=0, zorder=0)
    axes.axhline(0, color=theme.ink, linewidth=0.7, zorder=1)
    axes.set_ylim(-limit, limit)
    if limit < 4:
        axes.set_yticks([-2, 0, 2])
    axes.set_ylabel("z")


def apply_style(axes, theme: Theme) -> None:
    if axes is None:
        return
    axes.set_facecolor(theme.paper)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.ink)
        spine.set_linewidth(0.8)
    axes.grid(True, which="major", color=theme.faint, linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=theme.ink, labelsize=9.5, width=0.8)
    axes.tick_params(which="minor", width=0.5, length=2)
    axes.xaxis.label.set(color=theme.ink, fontsize=10.5)
    axes.yaxis.label.set(color=theme.ink, fontsize=10.5)


def _legend(axes, result, groups: Sequence[Series], theme: Theme) -> None:
    """Above the axes, so that it never covers a curve."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    by = sorted({str(g.reference_by).replace("_", " ") for g in groups if g.reference_by})
    if by:
        colour = theme.lines[0] if len(groups) == 1 else theme.ink
        handles = [*handles, Line2D([], [], color=colour, linewidth=1.5)]
        labels = [*labels, f"theory ({', '.join(by)})"]
    frameless(axes, handles, labels, theme, 3)


def _cost_legend(axes, theme: Theme) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=theme.ink, linewidth=1.0, marker="o", markersize=4.5),
        Line2D([], [], color=theme.ink, linewidth=1.0, linestyle=(0, (4, 2))),
    ]
    frameless(axes, handles, ["mean", "worst case (whole budget)"], theme, 2)


def frameless(axes, handles, labels, theme: Theme, columns: int) -> None:
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=9.5,
        labelcolor=theme.ink,
        borderaxespad=0.3,
        columnspacing=1.4,
        handletextpad=0.5,
    )
