"""A figure in the making and finished: panels that are drawn on, and a sheet of all that is drawn."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from ds3sim.core import figure
from ds3sim.report.points import Points

COLUMNS: tuple[str, ...] = (
    "panel", "series", "kind", "x_name", "x", "y_name", "y", "value_name", "value", "low", "high", "theory", "z",
    "traces",
)  # fmt: skip
"""Of every CSV; names of quantities carry their units."""
MAPS = ("cividis", "PuOr_r")
"""Colour maps of values and of differences, which stay apart for colour-blind readers; the first in grey too."""


@dataclass(frozen=True)
class Options:
    """How a figure is made.

    Attributes:
        quick: fewer points and traces, for tests.
        seed: of all simulations.
        data: folder with published curves, for the figures that need them.
    """

    quick: bool = False
    seed: int = 0
    data: Path | None = None

    def pick(self, full: Any, quick: Any) -> Any:
        """``full``, or ``quick`` where a quick figure is wanted."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Drawing:
    """A finished figure.

    Attributes:
        title, caption: what is seen, in words. The caption need not mention z: :meth:`check` does.
        figures: matplotlib figures by suffix; "" is the only one, else "a", "b", ...
        rows: what is drawn, one a point, in the order drawn; keys are of ``COLUMNS``.
        found: the numbers found, one sentence each.
    """

    title: str
    caption: str
    figures: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    found: tuple[str, ...]

    @property
    def z(self) -> list[float]:
        """The z-scores of the simulated points."""
        return [z for row in self.rows if (z := row.get("z")) is not None and not math.isnan(z)]

    def check(self) -> str:
        """One sentence on the distance between simulation and theory."""
        z = self.z
        if not z:
            return "Nothing is simulated in this figure."
        usual = NormalDist().inv_cdf(1 - 0.025 / len(z))
        return (
            f"Largest |z| between simulation and theory: {max(abs(v) for v in z):.2f} over {len(z)} points"
            f" (it exceeds {usual:.2f} once in twenty figures if both are right)."
        )

    def csv(self) -> str:
        """Tidy CSV with the columns ``COLUMNS``; numbers with 12 digits, NaN and infinity as empty cells."""
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: _cell(v) for k, v in row.items()} for row in self.rows)
        return out.getvalue()


class Sheet:
    """A figure in the making: its panels, the rows of what they show, and the sentences found."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []
        self.found: list[str] = []

    def panels(
        self, size: tuple[float, float], *quantities: tuple[str, ...], rows: int = 1, suffix: str = "", **options: Any
    ) -> list[Panel]:
        """A new figure of ``size`` inches with a panel for each (panel, x, value) or (panel, x, y, value) of names."""
        made, axes = figure.new_figure(size, rows, len(quantities) // rows, **options)
        self.figures[suffix] = made
        return [Panel(self, each, *names) for each, names in zip(axes.flat, quantities, strict=True)]

    def drawing(self, title: str, caption: str) -> Drawing:
        """The finished figure."""
        return Drawing(title, caption, self.figures, tuple(self.rows), tuple(self.found))


class Panel:
    """Axes of a figure and a panel of its sheet: what is drawn is written down.

    ``names`` are those of the panel and of its quantities: x and the value of curves, or x, y and the value of a map.
    """

    def __init__(self, sheet: Sheet, axes: Any, *names: str) -> None:
        self.sheet, self.axes = sheet, axes
        self.name, self.x, *rest = names
        self.value, self.y = rest[-1], rest[0] if len(rest) > 1 else None

    def write(
        self, series: str, x: Any, value: Any, kind: str = "theory", *, name: str | None = None, **more: Any
    ) -> None:
        """Rows of a line that is not drawn here; ``name`` is of its value if it is another quantity."""
        for a, v in zip(np.ravel(x).tolist(), np.ravel(value).tolist(), strict=True):
            self._row(series, kind, x=a, value_name=name or self.value, value=v, **more)

    def curve(
        self,
        series: str,
        x: Any,
        value: Any,
        index: int = 0,
        label: str | None = None,
        kind: str = "theory",
        **how: Any,
    ) -> None:
        """A line."""
        figure.line(self.axes, x, value, index, label, **how)
        self.write(series, x, value, kind)

    def diamonds(self, series: str, x: Any, value: Any, index: int | None = None, **how: Any) -> None:
        """Published points."""
        shade = (
            {"color": figure.LIGHT.ink} if index is None else {"color": figure.colour(index), "markerfacecolor": "none"}
        )
        self.axes.plot(x, value, "D", **({"markersize": 3.2} | shade | how))
        self.write(series, x, value, "published")

    def points(self, series: str, x: Any, points: Points, index: int = 0, label: str | None = None, **how: Any) -> None:
        """Simulated points with their bars."""
        figure.dots(self.axes, x, points.value, points.low, points.high, index, label, **how)
        self.write_points(series, x, points)

    def write_points(self, series: str, x: Any, points: Points, y: Any = None, name: str | None = None) -> None:
        """Rows of simulated points."""
        places = np.broadcast_arrays(*(np.atleast_1d(v) for v in (x, 0 if y is None else y, points.value)))[:2]
        columns = (points.value, points.low, points.high, points.theory, points.z)
        for a, b, *numbers in zip(*(np.ravel(c).tolist() for c in (*places, *columns)), strict=True):
            found = dict(zip(("value", "low", "high", "theory", "z"), numbers, strict=True))
            height = {} if y is None else {"y": b}
            self._row(series, "simulation", x=a, value_name=name or self.value, traces=points.traces, **height, **found)

    def heat(
        self, series: str, x: Any, y: Any, values: Any, limits: tuple[float, float], diverging: bool = False
    ) -> Any:
        """A map: x [X], y [Y], values [Y, X]."""
        self.write_map(series, x, y, values)
        self.axes.grid(False)
        # an image in the SVG, so that the file stays small
        how = {"cmap": MAPS[diverging], "vmin": limits[0], "vmax": limits[1], "shading": "nearest", "rasterized": True}
        return self.axes.pcolormesh(x, y, values, **how)

    def write_map(self, series: str, x: Any, y: Any, values: Any) -> None:
        """Rows of a map."""
        values = np.asarray(values)
        for i, b in enumerate(np.ravel(y).tolist()):
            for j, a in enumerate(np.ravel(x).tolist()):
                self._row(series, "theory", x=a, y=b, value_name=self.value, value=float(values[i, j]))

    def spots(
        self, series: str, x: Any, y: Any, points: Points, limits: tuple[float, float], diverging: bool = False,
        size: float = 26,
    ) -> None:  # fmt: skip
        """Simulated points on a map: discs in its colours, ringed."""
        edge, width = (figure.LIGHT.ink, 0.6) if diverging else ("white", 0.9)
        how = {"cmap": MAPS[diverging], "vmin": limits[0], "vmax": limits[1], "s": size, "zorder": 5}
        across, up = np.broadcast_arrays(x, y)
        self.axes.scatter(across, up, c=points.value, edgecolors=edge, linewidths=width, **how)
        self.write_points(series, x, points, y)

    def level(self, value: float, index: int | None = None, **how: Any) -> None:
        """A thin horizontal line, only drawn."""
        shade = figure.LIGHT.ink if index is None else figure.colour(index)
        self.axes.axhline(value, **({"color": shade, "linewidth": 0.8, "alpha": 0.6, "zorder": 1} | how))

    def frame(self, x: str, y: str, log: str = "", title: str = "", share: bool = False, **limits: Any) -> None:
        """Labels, logarithmic axes, a title at the left; ``share``: the value is from 0 to 1."""
        self.axes.set(xlabel=x, ylabel=y, **({"ylim": (-0.03, 1.03)} if share else {}) | limits)
        figure.logarithmic(self.axes, log)
        self.title(title)

    def title(self, text: str) -> None:
        """A small title, left."""
        self.axes.set_title(text, loc="left", fontsize=9.5, color=figure.LIGHT.ink)

    def legend(self, *keys: Any, own: bool = True, columns: int = 1, where: str = "best", **how: Any) -> None:
        """A legend of what is labelled (``own``) and of ``keys``; ``where="above"`` puts it over the axes."""
        handles = [*(self.axes.get_legend_handles_labels()[0] if own else []), *keys]
        figure.legend(self.axes, handles, columns, where, **how)

    def _row(self, series: str, kind: str, **cells: Any) -> None:
        names = {"x_name": self.x} | ({"y_name": self.y} if "y" in cells else {})
        self.sheet.rows.append({"panel": self.name, "series": series, "kind": kind, **names, **cells})


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else value
