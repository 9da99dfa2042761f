"""How wrong answers agree: chances of agreement patterns of a few samples, free of the answers' names.

s wrong samples of one problem agree in a pattern, a partition of s: {3, 1} means that three gave one answer and the
fourth another. Which answer is category j of (11) is not known, and differs between problems, but the chance of a
pattern does not depend on it: s!/prod(part!) times the sum over distinct categories of the product of c_j^part.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

LONGEST = 6
"""Samples of the longest pattern."""


@functools.cache
def partitions() -> tuple[tuple[int, ...], ...]:
    """All partitions of 0..``LONGEST``, parts descending; the first is the empty one."""

    def of(total: int, most: int) -> Iterator[tuple[int, ...]]:
        if total == 0:
            yield ()
        for part in range(min(total, most), 0, -1):
            for rest in of(total - part, part):
                yield (part, *rest)

    return tuple(p for total in range(LONGEST + 1) for p in of(total, total))


@functools.cache
def _moves() -> np.ndarray:
    """[s, states, states]: adding a part p to a partition."""
    states = partitions()
    index = {p: i for i, p in enumerate(states)}
    out = np.zeros((LONGEST, len(states), len(states)))
    for i, state in enumerate(states):
        for part in range(1, LONGEST - sum(state) + 1):
            out[part - 1, index[tuple(sorted((*state, part), reverse=True))], i] = 1.0
    return out


@functools.cache
def _flat_moves() -> np.ndarray:
    """The same, [s, states * states]."""
    return _moves().reshape(LONGEST, -1)


@functools.cache
def totals() -> np.ndarray:
    """Samples in each pattern, int [states]."""
    return np.array([sum(p) for p in partitions()])


@functools.cache
def _orders() -> np.ndarray:
    """s!/prod(part!) of each pattern."""
    return np.array([math.factorial(sum(p)) / math.prod(math.factorial(q) for q in p) for p in partitions()])


def _start(shape: tuple[int, ...] = ()) -> np.ndarray:
    state = np.zeros((*shape, len(partitions())))
    state[..., 0] = 1.0
    return state


def _add(state: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """State after one more category; ``powers`` [..., s] has its weight for a part of 1..s."""
    size = state.shape[-1]
    step = np.dot(powers.reshape(-1, LONGEST), _flat_moves()).reshape(*powers.shape[:-1], size, size)
    return state + (step @ state[..., None])[..., 0]


def chances(weights: ArrayLike) -> np.ndarray:
    """Chance of each pattern among as many wrong samples as it has, float64 [states]; c of the categories."""
    state = _start()
    for powers in np.asarray(weights, dtype=np.float64)[:, None] ** np.arange(1, LONGEST + 1):
        state = _add(state, powers)
    return state * _orders()


def chance_table(raw: np.ndarray) -> np.ndarray:
    """Chances for the first 1..J of the unnormalized weights ``raw`` [G, J]: float64 [J, G, states]."""
    grid, most = raw.shape
    state, total = _start((grid,)), np.zeros(grid)
    out = np.empty((most, grid, len(partitions())))
    for j in range(most):
        state = _add(state, raw[:, j, None] ** np.arange(1, LONGEST + 1))
        total = total + raw[:, j]
        out[j] = state * _orders() / total[:, None] ** totals()
    return out


def observed(wrong: np.ndarray) -> np.ndarray:
    """What one problem shows: shares of patterns among the sets of s of its wrong samples, times (samples / s).

    s is ``LONGEST``, or all wrong samples where there are fewer.

    Args:
        wrong: how often each wrong answer was given.

    Returns:
        float64 [states], sum samples / s; zeros with fewer than 2 wrong samples.
    """
    wrong = np.asarray(wrong, dtype=np.float64)
    total = int(wrong.sum())
    if total < 2:
        return np.zeros(len(partitions()))
    size = min(LONGEST, total)
    # shares rather than binomials, so that 10^6 samples do not overflow: C(m, p) / total^p
    parts = np.arange(LONGEST)
    falling = np.cumprod(np.maximum(wrong[:, None] - parts, 0.0) / total / (parts + 1.0), axis=1)
    state = _start()
    for row in falling:
        state = _add(state, row)
    found = np.where(totals() == size, state, 0.0)
    return found / found.sum() * (total / size)
