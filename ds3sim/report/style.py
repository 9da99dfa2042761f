"""Handles of legends and colour bars: what figures need beyond :mod:`ds3sim.core.figure`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ds3sim.core.figure import LIGHT, colour, dash, marker

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def key(label: str, index: int | None = None, points: bool = False, **look: Any) -> Any:
    """A handle for a legend: a curve, or a point; ``index`` None is in the colour of ink."""
    from matplotlib.lines import Line2D

    style: dict[str, Any] = {"color": LIGHT.ink if index is None else colour(index), "label": label, "linewidth": 1.6}
    if points:
        style |= {"linestyle": "none", "marker": marker(index or 0), "markersize": 4.5}
    elif index is not None:
        style["linestyle"] = dash(index)
    return Line2D([], [], **(style | look))


def colour_bar(figure: Figure, mesh: Any, axes: Any, label: str, **place: Any) -> None:
    """A slim bar beside ``axes``; ``place`` goes to ``Figure.colorbar``."""
    bar = figure.colorbar(mesh, ax=axes, **({"pad": 0.015, "fraction": 0.05, "aspect": 28} | place))
    bar.set_label(label, fontsize=9, color=LIGHT.ink)
    bar.ax.tick_params(labelsize=8, colors=LIGHT.ink, width=0.6)
    bar.outline.set_linewidth(0.5)
