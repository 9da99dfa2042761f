"""The exact engine: float64 linear algebra on the transition tensor, for any graph."""

from __future__ import annotations

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
from ds3sim.graph.tensor import part
from ds3sim.task.steps import StepPolicy
from ds3sim.task.task import Task

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

KEPT_TENSOR = 64
"""Nodes up to which a task keeps its tensor."""
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
        tensor = task.tensor if graph.size <= KEPT_TENSOR else task.step_tensor()
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

    @cached_property
    def _left(self) -> np.ndarray:
        """P(not ended by j), float64 [max_steps]."""
        ends = self.pmf + self.death_pmf if self.task.on_dead == "stop" else self.pmf
        return np.maximum(0.0, 1.0 - np.cumsum(ends[:-1]))

    def _moment(self, k: np.ndarray, power: int) -> np.ndarray:
        # sum over j < k of ((j+1)^power - j^power) P(not ended by j): no difference of large sums.
        left = self._left if power == 1 else (2.0 * np.arange(self.task.max_steps) + 1.0) * self._left
        sums = np.concatenate([[0.0], np.cumsum(left)])
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


def exacts(tasks: Sequence[Task]) -> list[Known]:
    """The exact law of every task at its budgets; tasks that differ in budget and aggregator alone share a walk.
    InputError: a beam, or a budget too long to propagate."""
    out: dict[int, Known] = {}
    walks: dict[tuple[int, StepPolicy], list[int]] = {}
    for i, task in enumerate(tasks):
        walks.setdefault((id(task.graph), task.step), []).append(i)
    with working("tasks", len(tasks)) as stage:
        for members in walks.values():
            law = Exact.of(max((tasks[i] for i in members), key=lambda task: task.max_steps))
            for i in members:
                end = tasks[i].max_steps + 1
                out[i] = known(Exact(tasks[i], law.pmf[:end], law.death_pmf[:end]), tasks[i])
                stage.advance()
    return [out[i] for i in range(len(tasks))]
