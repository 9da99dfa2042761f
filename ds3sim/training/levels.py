"""At which level a model does a task: the l' of the best accuracy under any strategy (docs/theory.md (4), (5))."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import Numbers
from ds3sim.theory.capability import skills_at_level, success_from_capability
from ds3sim.theory.trained import Trained

Value = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(m', r, gamma^m') of ways [U, 1] and budgets [B] to accuracy and expected steps of one trace, [U, B]."""


@dataclass(frozen=True)
class Ways:
    """How every task may be done: one column for a level l' of which the model has skills.

    Attributes:
        level: l', int64 [U].
        skills: m', float64 [T, U].
        success: r of one proposal, (4), [T, U].
        feasible: gamma_l'^m', [T, U].
    """

    level: np.ndarray
    skills: np.ndarray
    success: np.ndarray
    feasible: np.ndarray

    @classmethod
    def of(
        cls, model: Trained, levels: Numbers, skills: Numbers, relevant_factor: float = 5.0, search: float = 0.5
    ) -> Ways:
        """The ways of tasks (l, m).

        Args:
            model: one trained model (shape []).
            levels, skills: l and m of the tasks, whole [T].
            relevant_factor, search: beta and rho of (4).

        Raises:
            InputError: a level above those of the model.
        """
        p, share, sigma = model.p.ravel(), model.giant.ravel(), model.training.sigma
        level, m = (np.asarray(v, dtype=np.int64)[:, None] for v in (levels, skills))
        needed = skills_at_level(m, level, np.arange(1, len(sigma) + 1), sigma)
        use = np.flatnonzero((p > 0) & (share > 0))
        needed = np.minimum(needed[:, use], 1e15)  # more skills than any budget has steps
        r = success_from_capability(p[use], needed, relevant_factor, search)
        with np.errstate(under="ignore"):
            return cls(use + 1, needed, r, share[use] ** needed)

    def best(self, steps: Numbers, value: Value, most_skills: float = np.inf) -> Best:
        """The way of the best accuracy of every task at every budget; of equal ones that of the fewest expected steps.

        A level that needs no fewer skills than another one, at no better r and gamma^m', is left out beforehand. That
        is right for every strategy whose success grows with that of its traces.

        Args:
            steps: K of one trace, [B]; need not be whole.
            value: accuracy and expected steps of the strategy.
            most_skills: levels that need more skills than this are left out.
        """
        steps = np.asarray(steps, dtype=np.float64)
        m, r, able = self.skills, self.success, self.feasible
        longest = min(float(np.max(steps, initial=0.0)), most_skills)
        task, way = np.nonzero(_not_worse(m, r, able) & (m <= longest) & (able > 0) & (r > 0))
        accuracy = np.zeros((len(m), len(steps)))
        out = Best(np.full(accuracy.shape, -1), accuracy, np.broadcast_to(steps, accuracy.shape).copy())
        if not task.size:
            return out
        points = np.stack([m[task, way], r[task, way], able[task, way]], axis=1)
        points, back = np.unique(points, axis=0, return_inverse=True)  # tasks share their ways
        found, spent = (v[back.ravel()] for v in value(points[:, :1], points[:, 1:2], points[:, 2:], steps))
        rank = np.arange(task.size) - np.searchsorted(task, task)
        for order in range(int(rank.max()) + 1):  # one way of every task at once
            now = rank == order
            at = task[now]
            equal = (found[now] == out.accuracy[at]) & (found[now] > 0)
            better = (found[now] > out.accuracy[at]) | (equal & (spent[now] < out.steps[at]))
            out.accuracy[at] = np.where(better, found[now], out.accuracy[at])
            out.steps[at] = np.where(better, spent[now], out.steps[at])
            out.way[at] = np.where(better, way[now, None], out.way[at])
        return out

    def chosen(self, way: np.ndarray) -> list[np.ndarray]:
        """m', r and gamma^m' of the ways [T, B] of :meth:`best`; 0 where there is none (-1)."""
        rows = np.arange(len(way))[:, None]
        return [np.pad(v, ((0, 0), (0, 1)))[rows, way] for v in (self.skills, self.success, self.feasible)]


@dataclass(frozen=True)
class Best:
    """The best way of every task at every budget; arrays [T, B].

    Attributes:
        way: column of :class:`Ways`; -1 where no level gives the task a chance.
        accuracy: of the strategy.
        steps: expected steps of one trace.
    """

    way: np.ndarray
    accuracy: np.ndarray
    steps: np.ndarray


def _not_worse(m, r, able) -> np.ndarray:
    """True where no other way of the task has at most as many skills, at least that r and at least that gamma^m.

    Success falls with m and rises with r and gamma^m at every budget, so a worse way is never the best. Of equal ways
    the last one stays.
    """
    keep = np.ones(m.shape, dtype=bool)
    size = m.shape[1]
    for j in range(size):
        best, chance, share = m[:, j, None], r[:, j, None], able[:, j, None]
        worse = (best <= m) & (chance >= r) & (share >= able)
        equal = (best == m) & (chance == r) & (share == able)
        worse &= ~equal | (np.arange(size) < j)
        worse[:, j] = False
        keep &= ~worse
    return keep
