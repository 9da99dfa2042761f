"""Groups of n traces out of a population: the budgets at which tasks succeed, from how many traces arrive when.

Traces are exchangeable, so given when each of all n N traces arrives, which of them belong to which task is a uniform
choice. Tasks are counted by how many of their traces have arrived; those that arrive next fall on places that are open,
each set of places equally likely (docs/theory.md, populations).
"""

from __future__ import annotations

import numpy as np

from ds3sim.core.errors import require
from ds3sim.engine.enumerate import given
from ds3sim.engine.splits import binomial, multinomial
from ds3sim.task.aggregate import Single
from ds3sim.task.task import Task, shared_rate
from ds3sim.theory.binomial import binomial_pmf

MOST_TOGETHER = 64
"""Largest group: a step of the walk splits each number of arrived traces anew."""
FEW = 16
"""So many arrivals are placed one by one."""
SURE = 4.0
"""Standard deviations by which a first draw of the arrivals stays below their number."""


def check_groups(task: Task, traces: int, most: int) -> None:
    """InputError: a task whose traces a population cannot group, or more of them than ``most``."""
    n = task.n
    why = f"n = {n} traces of a latent graph share a success rate, which engine population cannot split"
    require(shared_rate(task) is None, f"{why}: use engine traces")
    why = f"engine population groups at most {MOST_TOGETHER} traces, not n = {n}"
    require(n <= MOST_TOGETHER, f"{why}: use engine traces for aggregate = {task.aggregate.name}")
    why = f"{traces:,} trials of n = {n} traces are more than the {most:.0e} traces that engine population counts"
    require(traces * n <= most, f"{why}: ask for fewer")


def task_hits(rng: np.random.Generator, task: Task, groups: int, hits: np.ndarray) -> np.ndarray:
    """Groups by the smallest budget at which they succeed, int64 of the shape of ``hits``.

    Args:
        groups: N tasks of n traces each, of which ``hits``, int64 [K + 1], arrive at each time.
    """
    if isinstance(task.aggregate, Single):
        return hits
    n = task.n
    chances = np.maximum.accumulate([given(task.aggregate, n, correct) if correct else 0.0 for correct in range(n + 1)])
    state = np.zeros((2, n + 1), np.int64)  # those that have not succeeded and those that have, by arrived traces
    state[0, 0] = groups
    out = np.zeros_like(hits)
    for time in np.flatnonzero(hits).tolist():
        before = int(state[1].sum())
        state = arrived(rng, state, int(hits[time]), np.minimum(chances, 1.0))
        out[time] = int(state[1].sum()) - before
    return out


def arrived(rng: np.random.Generator, state: np.ndarray, count: int, chances: np.ndarray) -> np.ndarray:
    """``state`` after ``count`` arrivals at places chosen uniformly."""
    state = state.copy()
    free = np.arange(state.shape[1])[::-1]
    while count > FEW:
        # Any number of arrivals below the right one, drawn place by place, leaves a uniform choice of the others.
        share = (count - SURE * np.sqrt(count)) / float(state.sum(axis=0) @ free)
        moved = _spread(rng, state, share)
        number = np.arange(state.shape[1])
        placed = int((moved.sum(axis=0) * (number[None, :] - number[:, None])).sum())
        if placed <= count:
            state, count = _judged(rng, moved, chances), count - placed
    for _ in range(count):
        places = np.cumsum(state * free)
        at = int(np.searchsorted(places, rng.integers(int(places[-1])), side="right"))
        kind, correct = divmod(at, free.size)
        state[kind, correct] -= 1
        rise = chances[correct + 1] - chances[correct]
        won = kind == 0 and rise > 0 and rng.random() * (1.0 - chances[correct]) < rise
        state[1 if won else kind, correct + 1] += 1
    return state


def _spread(rng: np.random.Generator, state: np.ndarray, share: float) -> np.ndarray:
    """Groups by kind, traces arrived before, and after each open place was taken with chance ``share``."""
    n = state.shape[1] - 1
    out = np.zeros((2, n + 1, n + 1), np.int64)
    for correct in np.flatnonzero(state.any(axis=0)).tolist():
        law = binomial_pmf(np.arange(n - correct + 1), n - correct, share)
        law /= law.sum()
        for kind in (0, 1):
            out[kind, correct, correct:] = multinomial(rng, int(state[kind, correct]), law)
    return out


def _judged(rng: np.random.Generator, moved: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """The state after the moves: who had not succeeded may now."""
    state = moved.sum(axis=1)
    for before, after in np.argwhere(np.triu(moved[0], 1)).tolist():
        rise = chances[after] - chances[before]
        won = binomial(rng, int(moved[0, before, after]), rise / (1.0 - chances[before]) if rise > 0 else 0.0)
        state[0, after] -= won
        state[1, after] += won
    return state
