"""The exact engine: float64 linear algebra on the transition tensor, for any graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.errors import require
from ds3sim.core.progress import working
from ds3sim.engine.enumerate import by_sums, success
from ds3sim.engine.law import Computed, Known, known
from ds3sim.engine.limits import MOST_STEPS_PER_TRACE
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.tensor import part
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

SMALL_GRAPH, SHORT_WALK = 64, 1024
BATCH_BYTES = 2**26
DOUBLED_STATES = 256
"""Transient states up to which steps are doubled: beyond, products of matrices cost more than they save."""
LONGEST_LEAP = 4096


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
        tensor = task.tensor if graph.size <= SMALL_GRAPH else task.step_tensor()
        return cls(task, *propagate(tensor, graph.start, graph.goal, graph.dead, task.max_steps))

    @cached_property
    def _reached(self) -> np.ndarray:
        return np.minimum(np.cumsum(self.pmf), 1.0)

    def _arrived(self, k: np.ndarray) -> np.ndarray:
        return self._reached[k]

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
    by doubling in small graphs, step by step through the nonzero entries of large ones."""
    inner, ends = np.flatnonzero(~(goal | dead)), np.empty((goal.size, 2))
    ends[:, 0], ends[:, 1] = goal, dead
    moves, leave, now = part(tensor, inner, inner), (tensor @ ends)[inner], start[inner]
    out = np.zeros((2, max_steps + 1))
    out[:, 0] = start @ ends
    if max_steps and inner.size:
        by = _doubling if isinstance(moves, np.ndarray) and inner.size <= DOUBLED_STATES else _stepping
        by(moves, leave, now, out[:, 1:])
    return out[0], out[1]


def _doubling(moves: np.ndarray, leave: np.ndarray, now: np.ndarray, out: np.ndarray) -> None:
    """Fill ``out`` [2, K] with p M^(k-1) a = (p M^j) (M^(b i) a), where k - 1 = b i + j: the states of b steps from the
    start p, and the chances of a leap of b steps before the last one, a."""
    states, steps = now.size, out.shape[1]
    size, worth = 1, 3 + states**2 // 400  # leaps that another doubling has to save, as measured
    while size < LONGEST_LEAP and size * worth < steps:
        size *= 2
    ahead = np.empty((size, states))
    ahead[0], done = now, 1
    while done < size:
        np.matmul(ahead[:done], moves, out=ahead[done : 2 * done])
        moves, done = moves @ moves, 2 * done
    leaps = -(-steps // size)
    back = np.empty((2, leaps, states))
    back[:, 0], turned = leave.T, moves.T
    for i in range(1, leaps):
        np.matmul(back[:, i - 1], turned, out=back[:, i])
    for end, own in zip(back, out, strict=True):
        own[:] = (end @ ahead.T).ravel()[:steps]


def _stepping(moves: Tensor, leave: np.ndarray, now: np.ndarray, out: np.ndarray) -> None:
    """Fill ``out`` [2, K] by one product a step, with as many numbers as there are chances."""
    states = now.size
    step = np.concatenate([moves, leave], axis=1).T if isinstance(moves, np.ndarray) else None
    if step is None or np.count_nonzero(step) < step.size / 8:
        from scipy.sparse import csr_array, hstack

        step = csr_array(hstack([moves, csr_array(leave)]).T)
    with working("steps", out.shape[1]) as stage:
        for k in range(out.shape[1]):
            after = step @ now
            now, out[:, k] = after[:states], after[states:]
            stage.advance()


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
