"""Alias tables for the loops of :mod:`benchmarks.loops`, one packed word for each column of each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ds3sim.graph.graph import SkillGraph


@dataclass(frozen=True)
class Tables:
    """The law of L steps from each transient node.

    Outcomes are numbered: transient nodes 0..n-1, then n + j for "goal at step j + 1" and n + L + j
    for "dead at step j + 1", j = 0..L-1. L = 1 is the ordinary step. Where they fit in 16 bits, the
    numbers are stored times ``width``, which spares the loops a multiplication that each step waits for.

    Attributes:
        words: uint64 [n * width], row by row: chance of the column's own outcome in 2^-32 (upper 32
            bits), the alias (next 16 bits), the column's own outcome (last 16 bits).
        width: columns of a row.
        transient: n.
        stride: L.
        start: number of the start node.
        scaled: outcomes are stored times ``width``.
    """

    words: np.ndarray
    width: int
    transient: int
    stride: int
    start: int
    scaled: bool

    @classmethod
    def of(cls, graph: SkillGraph, stride: int = 1) -> Tables:
        law = _laws(graph, stride)
        n, outcomes = law.shape
        if outcomes > 2**16:
            raise ValueError(f"{outcomes} outcomes do not fit in 16 bits")
        width = int((law > 0).sum(axis=1).max())
        scaled = outcomes * width <= 2**16
        words = np.empty((n, width), dtype=np.uint64)
        for row in range(n):
            columns = np.flatnonzero(law[row])
            values = np.zeros(width)
            values[: columns.size] = law[row, columns]
            names = np.resize(columns, width).astype(np.uint64) * np.uint64(width if scaled else 1)
            keep, other = alias(values)
            level = np.minimum(np.floor(keep * 2.0**32), 2.0**32 - 1).astype(np.uint64)
            words[row] = level << np.uint64(32) | names[other] << np.uint64(16) | names
        begin = np.flatnonzero(graph.start[graph.transient] == 1.0)
        if begin.size != 1:
            raise ValueError("these loops start at one node that is neither goal nor dead")
        return cls(words.ravel(), width, n, stride, int(begin[0]), scaled)


def _laws(graph: SkillGraph, stride: int) -> np.ndarray:
    """float64 [n, n + 2 L]: law of the outcomes of L steps from each transient node."""
    tensor = graph.transition_tensor()[graph.transient]
    inner = tensor[:, graph.transient]
    ends = np.stack([tensor[:, graph.goal].sum(axis=1), tensor[:, graph.dead].sum(axis=1)], axis=1)
    power, absorbed = np.eye(len(inner)), []
    for _ in range(stride):
        absorbed.append(power @ ends)  # [n, 2]: absorbed at this sub-step
        power = power @ inner
    columns = np.stack(absorbed, axis=2).reshape(len(inner), 2 * stride)
    return np.concatenate([power, columns], axis=1)


def alias(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vose's alias table (1991): chance to keep each column, and the column taken otherwise."""
    scaled = values * (values.size / values.sum())
    keep, other = np.ones(values.size), np.arange(values.size)
    small = [i for i in range(values.size) if scaled[i] < 1]
    large = [i for i in range(values.size) if scaled[i] >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        keep[low], other[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    return keep, other
