"""The graphs that are timed, and the exact law of the walk on each: what every contender must sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ds3sim.graph.graph import SkillGraph


@dataclass(frozen=True)
class Case:
    """One graph and budget.

    Attributes:
        name: for tables.
        graph: its start is one node.
        steps: K, the budget of a trace.
    """

    name: str
    graph: SkillGraph
    steps: int

    @cached_property
    def law(self) -> Law:
        return Law.of(self.graph, self.steps)


@dataclass(frozen=True)
class Law:
    """Law of one trace by float64 forward propagation.

    Attributes:
        bins: float64 [2K + 3]: P(T = k) for k = 0..K, P(D = k) for k = 0..K (death), P(neither by K).
            All contenders return counts in these bins.
        live_steps: E[min(T, D, K)], the steps that a trace really takes. Throughput of every
            contender is trials * live_steps / seconds, whatever it computes inside.
    """

    bins: np.ndarray
    live_steps: float

    @classmethod
    def of(cls, graph: SkillGraph, steps: int) -> Law:
        tensor, goal, dead = graph.sparse_tensor().T.tocsr(), graph.goal, graph.dead
        now, live = graph.start.copy(), 0.0
        reached, died = [now[goal].sum()], [now[dead].sum()]
        for _ in range(steps):
            now[goal | dead] = 0.0
            live += now.sum()
            now = tensor @ now
            reached.append(now[goal].sum())
            died.append(now[dead].sum())
        beyond = now[~(goal | dead)].sum()
        return cls(np.concatenate([reached, died, [beyond]]), float(live))


def cases() -> list[Case]:
    """The three sizes of the published table. 9 successors a row: 8 other skills and the wasted step."""
    return [
        Case("chain S=11", SkillGraph.chain(skills=10, success=0.2), 200),
        Case("random S=64", SkillGraph.random(64, 0.9, degree=8, seed=1), 256),
        Case("random S=512", SkillGraph.random(512, 0.9, degree=8, seed=1), 128),
    ]
