"""The exact engine: float64 linear algebra on the transition tensor, for any graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.errors import require
from ds3sim.core.progress import working
from ds3sim.engine.enumerate import by_sums, success
from ds3sim.engine.law import Computed, Known, known
from ds3sim.engine.limits import MOST_STEPS_PER_TRACE
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.tensor import dense, part, sparse, sums
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

SMALL_GRAPH, SHORT_WALK = 64, 1024
BATCH_BYTES = 2**26
BLOCK = 256


@dataclass(frozen=True, eq=False)
class Exact(Computed):
    """The law of the hitting time by forward propagation, and what follows from it.

    Attributes:
        task: the task.
        pmf: P(T = k) of one feasible trace, float64 [max_steps + 1].
        death_pmf: P(time of death = k) of one feasible trace, float64 [max_steps + 1].
    """

    task: Task
    pmf: np.ndarray = field(repr=False)
    death_pmf: np.ndarray = field(repr=False)
    engine = "exact"

    @classmethod
    def of(cls, task: Task) -> Exact:
        """The law of a task; InputError: a beam, or a budget too long to propagate."""
        require(
            task.max_steps <= MOST_STEPS_PER_TRACE,
            f"steps = {task.max_steps} per trace is more than engine exact propagates ({MOST_STEPS_PER_TRACE}):"
            " use engine closed_form, or lower the budget",
        )
        graph = task.graph
        return cls(task, *propagate(task.step_tensor(), graph.start, graph.goal, graph.dead, task.max_steps))

    def _arrived(self, k: np.ndarray) -> np.ndarray:
        return np.minimum(np.cumsum(self.pmf), 1.0)[k]

    def _judged(self, p: np.ndarray) -> np.ndarray:
        return np.array([success(self.task.aggregate, one) for one in p])

    def _together(self, k: np.ndarray) -> np.ndarray:
        return by_sums(self.task, k)

    def _moment(self, k: np.ndarray, power: int) -> np.ndarray:
        ends = self.pmf + self.death_pmf if self.task.on_dead == "stop" else self.pmf
        # sum over j < k of ((j+1)^power - j^power) P(not ended by j): no difference of large sums.
        left = np.maximum(0.0, 1.0 - np.cumsum(ends))[:-1]
        j = np.arange(len(left), dtype=np.float64)
        sums = np.concatenate([[0.0], np.cumsum(((j + 1) ** power - j**power) * left)])
        able = self.task.graph.feasible
        return able * sums[k] + (1 - able) * k.astype(np.float64) ** power


def propagate(
    tensor: Tensor, start: np.ndarray, goal: np.ndarray, dead: np.ndarray, max_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """P(T = k) and P(death at k) for k = 0..max_steps, float64 [max_steps + 1] each, by sums in which nothing cancels:
    ``BLOCK`` steps at a time in small dense graphs, through the nonzero entries of large ones."""
    inner = np.flatnonzero(~(goal | dead))
    moves = part(tensor, inner, inner)
    leave = np.stack([sums(tensor, inner, np.flatnonzero(mask)) for mask in (goal, dead)], axis=1)
    out = np.zeros((2, max_steps + 1))
    out[:, 0] = start[goal].sum(), start[dead].sum()
    now = start[inner].astype(np.float64)
    if max_steps == 0 or inner.size == 0:
        return out[0], out[1]
    if inner.size > 256 or max_steps <= BLOCK:
        few = not isinstance(moves, np.ndarray) or np.count_nonzero(moves) < moves.size / 8
        step = sparse(moves).T if few else moves.T
        with working("steps", max_steps) as stage:
            for k in range(1, max_steps + 1):
                out[:, k] = now @ leave
                now = step @ now
                stage.advance()
        return out[0], out[1]
    moves, ahead = dense(moves), [leave]
    for _ in range(BLOCK - 1):
        ahead.append(moves @ ahead[-1])
    block = np.stack(ahead, axis=2).reshape(inner.size, -1)  # [S_t, 2 * BLOCK]
    jump = np.linalg.matrix_power(moves, BLOCK)
    with working("steps", max_steps) as stage:
        for k in range(1, max_steps + 1, BLOCK):
            here = min(BLOCK, max_steps + 1 - k)
            out[:, k : k + here] = (now @ block).reshape(2, BLOCK)[:, :here]
            now = now @ jump
            stage.advance(here)
    return out[0], out[1]


def propagate_batch(
    graphs: Sequence[SkillGraph], tensors: Sequence[np.ndarray], max_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """P(T <= k) and P(dead by k) of many small walks of one size S at once, float64 [B, max_steps + 1] each: a product
    of [B, 1, S] and [B, S, S] a step. Nothing cancels, since absorbing states keep what they hold."""
    start, goal, dead = (np.stack([getattr(graph, name) for graph in graphs]) for name in ("start", "goal", "dead"))
    tensor, now = np.stack(tensors), start[:, None, :]
    goals, deaths = np.empty((len(graphs), max_steps + 1)), np.empty((len(graphs), max_steps + 1))
    for k in range(max_steps + 1):
        goals[:, k] = np.where(goal, now[:, 0], 0.0).sum(axis=1)
        deaths[:, k] = np.where(dead, now[:, 0], 0.0).sum(axis=1)
        if k < max_steps:
            now = now @ tensor
    return goals, deaths


def exacts(tasks: Sequence[Task]) -> list[Known]:
    """The exact law of every task at its budgets; small graphs of one size walk together. InputError: a beam, or a
    budget too long to propagate."""
    out: dict[int, Known] = {}
    alike = defaultdict(list)
    for i, task in enumerate(tasks):
        small = task.graph.size <= SMALL_GRAPH and task.max_steps <= SHORT_WALK and not isinstance(task.step, Beam)
        alike[(task.graph.size, -(-task.max_steps // 128)) if small else None].append(i)
    alone = alike.pop(None, [])
    with working("tasks", len(tasks)) as stage:
        for i in alone:
            out[i] = known(Exact.of(tasks[i]), tasks[i])
            stage.advance()
    for (size, _), members in alike.items():
        most = max(tasks[i].max_steps for i in members)
        walks = defaultdict(list)  # tasks that differ in budget and aggregator alone
        for i in members:
            walks[id(tasks[i].graph), tasks[i].step].append(i)
        groups = list(walks.values())
        at_once = max(1, BATCH_BYTES // (8 * (size**2 + 2 * most + 2)))
        for at in range(0, len(groups), at_once):
            some = groups[at : at + at_once]
            heads = [tasks[group[0]] for group in some]
            tensors = [task.step_tensor() for task in heads]
            goals, deaths = propagate_batch([task.graph for task in heads], tensors, most)
            for group, goal, death in zip(some, goals, deaths, strict=True):
                pmf, death_pmf = (np.maximum(np.diff(a, prepend=0.0), 0.0) for a in (goal, death))
                for i in group:
                    end = tasks[i].max_steps + 1
                    out[i] = known(Exact(tasks[i], pmf[:end], death_pmf[:end]), tasks[i])
    return [out[i] for i in range(len(tasks))]
