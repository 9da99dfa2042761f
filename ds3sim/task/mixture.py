"""Distributions over tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.graph.lump import ChainForm


@dataclass(frozen=True)
class TaskMixture:
    """A distribution over tasks that are chains of skills (docs/theory.md section 1a).

    Attributes:
        skills: m of each task.
        success: r of each task, chance that one step moves on.
        feasible: gamma^m of each task.
        weights: phi: one number for each task, of sum 1; or for each task a row, one number for each budget, whose
            columns sum to 1, where the tasks depend on the budget (levels of skills).
    """

    skills: tuple[int, ...]
    success: tuple[float, ...]
    feasible: tuple[float, ...]
    weights: tuple[float, ...] | tuple[tuple[float, ...], ...]

    def __len__(self) -> int:
        return len(self.skills)

    @property
    def forms(self) -> tuple[ChainForm, ...]:
        """Each task as a chain, before the step policy."""
        return tuple(ChainForm(m, r) for m, r in zip(self.skills, self.success, strict=True))

    @classmethod
    def of(cls, skills: ArrayLike, success: ArrayLike, feasible: ArrayLike, weights: ArrayLike) -> TaskMixture:
        """Tasks with weights >= 0 that are scaled to sum 1; those of weight 0 are left out, equal ones put together.

        Args:
            skills, success, feasible: m, r, gamma^m of each task, [T]; or [T, B], another chain at each budget.
            weights: of each task, [T].
        """
        m, r, able = np.asarray(skills), np.asarray(success), np.asarray(feasible)
        phi = np.asarray(weights, dtype=np.float64)
        columns = m.shape[1] if m.ndim == 2 else 1
        summed: dict[tuple[int, float, float], list[float]] = {}
        for b in range(columns):
            at = (part[:, b].tolist() if part.ndim == 2 else part.tolist() for part in (m, r, able))
            for *key, weight in zip(*at, phi.tolist(), strict=True):
                if weight > 0:
                    summed.setdefault(tuple(key), [0.0] * columns)[b] += weight
        totals = [math.fsum(row[b] for row in summed.values()) for b in range(columns)]
        rows = [tuple(w / total for w, total in zip(row, totals, strict=True)) for row in summed.values()]
        skills, success, feasible = (tuple(key[i] for key in summed) for i in range(3))
        return cls(
            tuple(map(int, skills)), success, feasible, tuple(rows) if m.ndim == 2 else tuple(row[0] for row in rows)
        )


def weighed(weights: ArrayLike, values: ArrayLike) -> np.ndarray:
    """Weighted sum over parts, float64 [B]; ``weights`` has one number for each part, or for each part and budget."""
    share, values = np.asarray(weights, dtype=np.float64), np.asarray(values, dtype=np.float64)
    return share @ values if share.ndim == 1 else np.einsum("pb,pb->b", share, values)
