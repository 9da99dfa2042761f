"""What the figures of logs, curves and fits have in common: success between 0 and 1 against a number of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIT, DATA, INK = "#0072b2", "#d55e00", "#1f2328"
"""Colours of Okabe and Ito."""


def data(ax: Axes, n: np.ndarray, success: Estimate, label: str = "data") -> None:
    """Dots, with intervals where they have a width."""
    spread = np.array([success.estimate - success.low, success.high - success.estimate])
    ax.errorbar(n, success.estimate, yerr=spread if spread.any() else None, fmt="o", color=DATA, markersize=4,
                linewidth=1, label=label)  # fmt: skip


def band(ax: Axes, n: np.ndarray, success: Estimate, label: str = "fit") -> None:
    """A line with its 95% band."""
    ax.fill_between(n, success.low, success.high, color=FIT, alpha=0.18, linewidth=0, label="95% band")
    ax.plot(n, success.estimate, color=FIT, linewidth=1.6, label=label)


def finish(ax: Axes, x: str, y: str) -> Axes:
    """Axes of N, logarithmic, and of a probability; the legend."""
    ax.set(xscale="log", xlabel=x, ylabel=y, ylim=(-0.02, 1.02))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    ax.legend(frameon=False)
    return ax
