"""At which level a model does a task: the l' of the best accuracy under any strategy (docs/theory.md (4), (5))."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ds3sim.theory.capability import relevant_skills, skills_at_level
from ds3sim.theory.trained import Trained

Value = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(m', r, gamma^m') of ways [U, 1] and budgets [B] to accuracy and expected steps of one trace, [U, B]."""


@dataclass(frozen=True)
class Ways:
    """How each task is done at each budget; arrays [T, B]. All 0 where no level gives it a chance.

    Attributes:
        level: l'.
        skills: m'.
        success: r of one proposal, (4).
        feasible: gamma_l'^m'.
    """

    level: np.ndarray
    skills: np.ndarray
    success: np.ndarray
    feasible: np.ndarray


def best_ways(
    model: Trained,
    levels,
    skills,
    steps,
    value: Value,
    relevant_factor: float = 5.0,
    search: float = 0.5,
    most_skills: int = 2**53,
) -> Ways:
    """The l' of the best accuracy of every task at every budget; of equal ones that of the fewest expected steps.

    A level that needs no fewer skills than another one, at no better r and gamma^m', is left out beforehand. That is
    right for every strategy whose success grows with that of its traces.

    Args:
        model: one trained model (shape []).
        levels, skills: l and m of the tasks, whole [T].
        steps: K of one trace, [B]; need not be whole.
        value: accuracy and expected steps of the strategy.
        relevant_factor, search: beta and rho of (4).
        most_skills: levels that need more skills than this are left out.

    Raises:
        InputError: a level above those of the model.
    """
    level, m = (np.asarray(v, dtype=np.int64) for v in (levels, skills))
    steps = np.asarray(steps, dtype=np.float64)
    p, share, sigma = model.p.ravel(), model.giant.ravel(), model.training.sigma
    shape = (len(m), len(steps))
    whole, real = np.zeros((2, *shape), dtype=np.int64), np.zeros((2, *shape))
    out = Ways(whole[0], whole[1], real[0], real[1])
    needed = skills_at_level(m[:, None], level[:, None], np.arange(1, len(sigma) + 1), sigma)
    use = np.flatnonzero((p > 0) & (share > 0))
    if not use.size:
        return out
    needed = np.minimum(needed[:, use], 1e15)  # more skills than any budget has steps
    factor = search / relevant_skills(needed, relevant_factor) + 1.0 - search
    r = np.clip(p[use] ** 2 * factor, 0.0, 1.0)
    with np.errstate(under="ignore"):
        able = share[use] ** needed
    longest = min(float(np.max(steps, initial=0.0)), float(most_skills))
    task, way = np.nonzero(not_worse(needed, r, able) & (needed <= longest) & (able > 0) & (r > 0))
    if not task.size:
        return out
    found = np.stack([needed[task, way], r[task, way], able[task, way]], axis=1)
    unique, back = np.unique(found, axis=0, return_inverse=True)  # tasks share their ways
    accuracy, spent = (v[back.ravel()] for v in value(unique[:, :1], unique[:, 1:2], unique[:, 2:], steps))
    for t in range(len(m)):
        low, high = np.searchsorted(task, [t, t + 1])
        if low == high:
            continue
        # best accuracy, then fewest steps
        at = low + np.lexsort((spent[low:high], -accuracy[low:high]), axis=0)[0]
        some = accuracy[at, np.arange(len(steps))] > 0
        out.level[t] = np.where(some, use[way[at]] + 1, 0)
        for part, column in ((out.skills, 0), (out.success, 1), (out.feasible, 2)):
            part[t] = np.where(some, found[at, column], 0)
    return out


def not_worse(m, r, able) -> np.ndarray:
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
