"""The look of every figure, in one place: colours, axes, lines with bands, points with bars, labels.

matplotlib is imported when a figure is made. No backend is chosen and no global setting is changed. Colours are those
of Okabe and Ito, which stay apart for colour-blind readers; markers and line styles differ too, for a grey print.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*"
DASHES = ("solid", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)))


@dataclass(frozen=True)
class Theme:
    """Colours of a figure: of text and frames, of grids, of the ground, and of the lines one after the other."""

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


def colour(index: int, theme: Theme = LIGHT) -> str:
    """The colour of the index-th line."""
    return theme.lines[index % len(theme.lines)]


def marker(index: int) -> str:
    """The marker of the index-th line."""
    return MARKERS[index % len(MARKERS)]


def dash(index: int) -> Any:
    """The line style of the index-th line, as matplotlib takes it."""
    return DASHES[index % len(DASHES)]


def new_axes(ax: Axes | None = None, size: tuple[float, float] = (6.4, 4.2)) -> Any:
    """``ax`` as it is, or new axes in a figure of pyplot, which notebooks show; ``size`` in inches.

    For a type checker they can be anything: matplotlib annotates the methods of its axes in part only.
    """
    if ax is not None:
        return ax
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=size, layout="constrained")
    dress(ax)
    return ax


def new_figure(
    size: tuple[float, float], rows: int = 1, columns: int = 1, theme: Theme = LIGHT, text: float = 8.5, **options: Any
) -> tuple[Figure, Any]:
    """A figure of ``size`` inches that pyplot does not know, and its dressed axes [rows, columns].

    ``text`` is the size of the numbers in points, ``options`` are those of ``Figure.subplots``.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.03)
    figure = Figure(figsize=size, facecolor=theme.paper, layout=engine)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for each in axes.flat:
        dress(each, theme, text)
    return figure, axes


def dress(axes: Axes, theme: Theme = LIGHT, text: float = 9.5) -> None:
    """Light axes: two spines, a faint grid, small ticks; ``text`` is the size of the numbers in points."""
    axes.set_facecolor(theme.paper)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.ink)
        spine.set_linewidth(0.8)
    axes.grid(True, which="major", color=theme.faint, linewidth=0.6, alpha=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=theme.ink, labelsize=text, width=0.8)
    axes.tick_params(which="minor", width=0.5, length=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=theme.ink, fontsize=text + 1)


def logarithmic(axes: Axes, which: str = "x") -> None:
    """Logarithmic axes with few labels: plain numbers where they are short, between decades where there are few."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        (axes.set_xscale if name == "x" else axes.set_yscale)("log")

        def minor(value: float, _: Any, axis: Any = axis) -> str:
            low, high = sorted(axis.get_view_interval())
            return tick(value) if high < 150 * low else ""

        axis.set_major_locator(LogLocator(numticks=7))
        axis.set_minor_locator(LogLocator(subs=(2, 5), numticks=7))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
        axis.set_minor_formatter(FuncFormatter(minor))


def magnitude(axes: Axes, values: Sequence[float], which: str = "x", force: bool = False) -> None:
    """Logarithmic where positive ``values`` span a factor of eight, or by ``force``; else few plain labels."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    positive = sorted(v for v in values if v > 0)
    if len(positive) < 2 or (positive[-1] < 8 * positive[0] and not force):
        axis = axes.xaxis if which == "x" else axes.yaxis
        large = bool(positive) and positive[-1] >= 1e5
        axis.set_major_locator(MaxNLocator(4 if large else 6, integer=bool(positive) and positive[-1] >= 8))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
        return
    logarithmic(axes, which)
    if which == "x":
        pad = (positive[-1] / positive[0]) ** 0.04
        axes.set_xlim(positive[0] / pad, positive[-1] * pad)


def probability(axes: Axes, values: Sequence[float]) -> None:
    """A vertical axis of probabilities: from 0, or logarithmic where all ``values`` are small and far apart."""
    positive = [v for v in values if v > 0]
    if positive and max(positive) < 0.05 and max(positive) > 30 * min(positive):
        logarithmic(axes, "y")
        axes.set_ylim(min(positive) / 3, 3 * max(positive))
    else:
        top = max([*positive, 0.02])
        axes.set_ylim(-0.03 * min(1.0, top), 1.03 if top > 0.5 else 1.15 * top)


def tick(value: float) -> str:
    """The number beside a tick: 0.01, 1, 200, 5,000; beyond 0.001 and 100,000 powers of ten."""
    if value == 0:
        return "0"
    if 0.001 <= abs(value) < 99_999:
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    lead = value / 10.0**power
    return rf"$10^{{{power}}}$" if abs(lead - 1) < 1e-6 else rf"${lead:.3g}{{\times}}10^{{{power}}}$"


def line(
    axes: Axes, x: Any, y: Any, index: int = 0, label: str | None = None, theme: Theme = LIGHT, **look: Any
) -> Any:
    """A line in the colour and style of its index; ``look`` goes to ``Axes.plot``."""
    style = {"color": colour(index, theme), "linestyle": dash(index), "linewidth": 1.6, "zorder": 2} | look
    return axes.plot(x, y, label=label, **style)[0]


def band(axes: Axes, x: Any, low: Any, high: Any, index: int = 0, theme: Theme = LIGHT, **look: Any) -> None:
    """A pale band from ``low`` to ``high``, in the colour of its index."""
    style = {"color": colour(index, theme), "alpha": 0.18, "linewidth": 0, "zorder": 2} | look
    axes.fill_between(x, low, high, **style)


def dots(
    axes: Axes, x: Any, y: Any, low: Any, high: Any, index: int = 0, label: str | None = None, theme: Theme = LIGHT,
    **look: Any,
) -> None:  # fmt: skip
    """Points with bars from ``low`` to ``high``, with the marker and colour of their index."""
    value, low, high = (np.asarray(v, dtype=np.float64) for v in (y, low, high))
    style = {
        "fmt": marker(index),
        "color": colour(index, theme),
        "markersize": 4.5,
        "markeredgecolor": theme.paper,
        "markeredgewidth": 0.5,
        "elinewidth": 1.1,
        "capsize": 2.0,
        "zorder": 4,
    }
    bars = [np.maximum(value - low, 0.0), np.maximum(high - value, 0.0)]
    axes.errorbar(x, value, yerr=bars, label=label, **(style | look))


def legend(
    axes: Axes, handles: Sequence[Any] | None = None, columns: int = 1, where: str = "best", theme: Theme = LIGHT,
    **look: Any,
) -> None:  # fmt: skip
    """A legend on the curves, at a place of matplotlib's, or with ``where="above"`` over the axes, off the curves."""
    style = {"fontsize": 8.5, "labelcolor": theme.ink, "edgecolor": "none", "framealpha": 0.85, "loc": where}
    if where == "above":
        style |= {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0), "borderaxespad": 0.3, "frameon": False}
    axes.legend(handles=handles, ncols=columns, **(style | look))


def render(figure: Figure, kind: str) -> bytes:
    """The figure as ``png`` (200 dpi) or ``svg`` bytes; equal figures give equal bytes."""
    import matplotlib

    out = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": "ds3sim"}
    with matplotlib.rc_context({"svg.hashsalt": "ds3sim"}):  # names in the SVG; put back at the end
        figure.savefig(out, format=kind, dpi=200, metadata=metadata, bbox_inches="tight", pad_inches=0.08)
    return out.getvalue()


def data_uri(picture: bytes, kind: str = "svg+xml") -> str:
    """A picture as an address that holds it, for an HTML page."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"
