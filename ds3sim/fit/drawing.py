"""Axes of the figures of logs, curves and fits: success against a number of samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ds3sim.core import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def success_axes(ax: Axes, n: Iterable[float], success: Iterable[float], x: str, y: str) -> Axes:
    """Scales that hold ``n`` and ``success``, the labels ``x`` and ``y``, and the legend of what was drawn."""
    figure.magnitude(ax, [float(k) for k in n])
    figure.probability(ax, [float(p) for p in success])
    ax.set(xlabel=x, ylabel=y)
    figure.legend(ax)
    return ax
