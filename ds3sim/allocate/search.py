"""A search over whole numbers of steps, that several local optima do not catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from ds3sim.core.progress import working

STEPS_TOLERANCE = 1e-6
"""K is the best whole number where that is finer than this relative width, else a best within it."""
PEAKS = 3
PEAK_POINTS = 80
"""Local optima that are looked at closer, and about how many K each takes."""


def zoom(evaluate: Callable[..., Any], most: int, sign: int) -> tuple[np.ndarray, tuple[Any, ...], int]:
    """Whole K in [1, most] at which sign * evaluate(K)[0] is largest: a grid, then the best places closer.

    Returns all points looked at in order, what ``evaluate`` gave there, and the index of the best.
    """
    small = np.arange(1, 33)
    large = np.geomspace(33, max(most, 33), max(2, int(np.log(max(most, 33) / 33) / 0.2)))
    grid = np.unique(np.concatenate([small, np.round(large)]))
    points = grid[grid <= most].astype(np.float64)
    seen: list[tuple[np.ndarray, tuple[Any, ...]]] = []
    with working("budgets K", points.size + PEAKS * PEAK_POINTS) as stage:

        def look(steps: np.ndarray) -> np.ndarray:
            seen.append((steps, evaluate(steps)))
            stage.advance(steps.size)
            return sign * seen[-1][1][0]

        score = look(points)
        padded = np.concatenate([[-np.inf], score, [-np.inf]])
        peaks = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:]) & np.isfinite(score))
        peaks = peaks[np.argsort(-score[peaks], kind="stable")][:PEAKS]
        ends = [(float(points[max(p - 1, 0)]), float(points[min(p + 1, points.size - 1)])) for p in peaks]
        while wide := [i for i, (low, high) in enumerate(ends) if high - low > max(2, STEPS_TOLERANCE * high)]:
            inner = [np.unique(np.round(np.linspace(*ends[i], 13))) for i in wide]
            scores = np.split(look(np.concatenate(inner)), np.cumsum([part.size for part in inner])[:-1])
            for i, part, score in zip(wide, inner, scores, strict=True):
                top = int(np.argmax(score))
                ends[i] = float(part[max(top - 1, 0)]), float(part[min(top + 1, part.size - 1)])
        if ends:
            look(np.concatenate([_last(low, high) for low, high in ends]))
        stage.advance(stage.total - stage.done)  # fewer points were enough
    values = seen[0][1]
    steps = np.concatenate([s for s, _ in seen])
    steps, first = np.unique(steps, return_index=True)
    merged = tuple(_merge([v[i] for _, v in seen], first) for i in range(len(values)))
    return steps, merged, int(np.argmax(sign * merged[0]))


def _last(low: float, high: float) -> np.ndarray:
    """The K of a place that is narrow enough."""
    return np.arange(low, high + 1) if high - low <= 2 else np.array([low, float(round((low + high) / 2)), high])


def _merge(parts: list[Any], index: np.ndarray) -> Any:
    """Arrays, or records of arrays, one after the other, at ``index``."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)[index]
    names = [field.name for field in fields(parts[0])]
    return type(parts[0])(**{name: np.concatenate([getattr(p, name) for p in parts])[index] for name in names})
