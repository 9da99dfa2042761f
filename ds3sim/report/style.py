"""How the figures look: one size of type, colours that colour-blind readers can tell apart, legends off the curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ds3sim.report.points import Points
from ds3sim.report.run_figures import DASHES, LIGHT, MARKERS

INK, FAINT, PAPER = LIGHT.ink, LIGHT.faint, LIGHT.paper
SEQUENTIAL, DIVERGING = "cividis", "PuOr_r"
"""Colour maps that stay apart for colour-blind readers and in grey (the first)."""


def colour(index: int) -> str:
    """The index-th colour of lines."""
    return LIGHT.lines[index % len(LIGHT.lines)]


def marker(index: int) -> str:
    """The index-th marker."""
    return MARKERS[index % len(MARKERS)]


def dash(index: int):
    """The index-th line style."""
    return DASHES[index % len(DASHES)]


def canvas(rows: int, columns: int, size: tuple[float, float], **options):
    """A figure and its axes [rows, columns], laid out so that nothing overlaps."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.03)
    figure = Figure(figsize=size, facecolor=PAPER, layout=engine)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for each in axes.flat:
        dress(each)
    return figure, axes


def dress(axes) -> None:
    """Light axes: two spines, a faint grid, small ticks."""
    axes.set_facecolor(PAPER)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
        spine.set_linewidth(0.8)
    axes.grid(True, which="major", color=FAINT, linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=INK, labelsize=8.5, width=0.8)
    axes.tick_params(which="minor", width=0.5, length=2)
    axes.xaxis.label.set(color=INK, fontsize=9.5)
    axes.yaxis.label.set(color=INK, fontsize=9.5)


def title(axes, text: str) -> None:
    """A small title, left."""
    axes.set_title(text, loc="left", fontsize=9.5, color=INK)


def logarithmic(axes, which: str = "x") -> None:
    """Logarithmic axes with few labels: plain numbers where they are short, between decades where there are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        (axes.set_xscale if name == "x" else axes.set_yscale)("log")

        def minor(value, _, axis=axis):
            low, high = sorted(axis.get_view_interval())
            return number(value) if high < 150 * low else ""

        axis.set_major_locator(LogLocator(numticks=7))
        axis.set_minor_locator(LogLocator(subs=(2, 5), numticks=7))
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axis.set_minor_formatter(FuncFormatter(minor))
        axes.tick_params(axis=name, which="minor", labelsize=8)


def number(value: float) -> str:
    """0.01, 1, 200, 5,000; beyond, powers of ten."""
    if value <= 0 or 0.01 <= value < 99_999:
        return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
    power = math.floor(math.log10(value) + 1e-9)
    lead = value / 10.0**power
    return rf"$10^{{{power}}}$" if abs(lead - 1) < 1e-6 else rf"${lead:.3g}{{\times}}10^{{{power}}}$"


def line(axes, x, y, index: int, label: str | None = None, **options):
    """A curve of theory."""
    look = {"color": colour(index), "linestyle": dash(index), "linewidth": 1.6, "zorder": 2} | options
    return axes.plot(x, y, label=label, **look)[0]


def dots(axes, x, points: Points, index: int, label: str | None = None, **options):
    """Simulated points with 95% bars."""
    low = np.maximum(points.value - points.low, 0.0)
    high = np.maximum(points.high - points.value, 0.0)
    look = {
        "fmt": marker(index),
        "color": colour(index),
        "markersize": 4.5,
        "markeredgecolor": PAPER,
        "markeredgewidth": 0.5,
        "elinewidth": 1.1,
        "capsize": 2.0,
        "zorder": 4,
    }
    return axes.errorbar(x, points.value, yerr=[low, high], label=label, **(look | options))


def legend(axes, handles: Sequence | None = None, columns: int = 1, where: str = "best", **options) -> None:
    """Inside the axes by default; ``where="above"`` puts it over them."""
    look = {"fontsize": 8.5, "labelcolor": INK, "frameon": True, "framealpha": 0.85, "edgecolor": "none"} | options
    if where == "above":
        look |= {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.3, "frameon": False}
    else:
        look["loc"] = where
    axes.legend(handles=handles, ncols=columns, **look)


def key(label: str, index: int | None = None, points: bool = False, **options):
    """A handle for a legend: a curve, or a point; ``index`` None is in the colour of ink."""
    from matplotlib.lines import Line2D

    look = {"color": INK if index is None else colour(index), "label": label, "linewidth": 1.6}
    if points:
        look |= {"linestyle": "none", "marker": marker(index or 0), "markersize": 4.5}
    elif index is not None:
        look["linestyle"] = dash(index)
    return Line2D([], [], **(look | options))


def heat(axes, x, y, values, limits: tuple[float, float], diverging: bool = False):
    """A map over logarithmic axes; values [Y, X]. The mesh is an image in the SVG, so that the file stays small."""
    mesh = axes.pcolormesh(
        x, y, values, cmap=DIVERGING if diverging else SEQUENTIAL, vmin=limits[0], vmax=limits[1], shading="nearest",
        rasterized=True,
    )  # fmt: skip
    axes.grid(False)
    return mesh


def spots(axes, x, y, values, limits: tuple[float, float], diverging: bool = False, size: float = 26):
    """Simulated values on a map: discs in its colours, ringed."""
    return axes.scatter(
        x, y, c=values, cmap=DIVERGING if diverging else SEQUENTIAL, vmin=limits[0], vmax=limits[1], s=size,
        edgecolors=INK if diverging else "white", linewidths=0.6 if diverging else 0.9, zorder=5,
    )  # fmt: skip


def colourbar(figure, mesh, axes, label: str) -> None:
    """A slim bar."""
    bar = figure.colorbar(mesh, ax=axes, pad=0.015, fraction=0.05, aspect=28)
    bar.set_label(label, fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK, width=0.6)
    bar.outline.set_linewidth(0.5)
