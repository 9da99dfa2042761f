"""Skill graphs drawn with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.text import short
from ds3sim.graph.parts import Parts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DRAWN = 60
"""Nodes of a graph that is drawn node by node."""

COLOURS = {"goal": "#2b8a3e", "dead": "#c92a2a", "start": "#1864ab", "": "#868e96"}


def draw_nodes(ax: Axes, parts: Parts, depth: np.ndarray) -> None:
    """Nodes in columns by ``depth`` (float64 [S], inf where the start does not lead), edges the darker the likelier."""
    column = np.where(np.isfinite(depth), depth, np.max(depth[np.isfinite(depth)], initial=0.0) + 1.0)
    place = np.zeros((len(parts.names), 2))
    for x in np.unique(column):
        rows = np.flatnonzero(column == x)
        place[rows] = np.stack([np.full(rows.size, x), (rows.size - 1) / 2.0 - np.arange(rows.size)], axis=1)
    for source, target, chance in zip(parts.source, parts.target, parts.probability, strict=True):
        if source == target or chance == 0:
            continue
        arrow = {"arrowstyle": "-|>", "alpha": 0.25 + 0.75 * min(1.0, float(chance)), "color": "#495057"}
        arrow |= {"shrinkA": 8, "shrinkB": 8, "connectionstyle": "arc3,rad=0.12", "linewidth": 0.8}
        ax.annotate("", xy=tuple(place[target]), xytext=tuple(place[source]), arrowprops=arrow)
    role = np.where(parts.goal, "goal", np.where(parts.dead, "dead", np.where(parts.start > 0, "start", "")))
    for name, colour in COLOURS.items():
        rows = role == name
        if rows.any():
            ax.scatter(*place[rows].T, s=120, color=colour, zorder=3, label=name or None)
    for name, (x, y) in zip(parts.names, place, strict=True):
        # a dollar sign would begin a formula
        ax.annotate(
            short(name, 14).replace("$", r"\$"), (x, y), (0, 9), textcoords="offset points", ha="center", size=7
        )
    ax.margins(0.12)
    ax.set_axis_off()
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, frameon=False, fontsize=7)


def count_nodes(ax: Axes, steps_to_goal: np.ndarray) -> None:
    """How many nodes are how many steps from the goal; those that never reach it are left out."""
    steps, count = np.unique(steps_to_goal[np.isfinite(steps_to_goal)], return_counts=True)
    ax.step(steps, count, where="mid", color=COLOURS["start"])
    ax.set_xlabel("Fewest steps to the goal")
    ax.set_ylabel("Nodes")
