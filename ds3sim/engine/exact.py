"""The exact engine: float64 linear algebra on the transition tensor, for any graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.errors import require
from ds3sim.core.estimate import Estimate
from ds3sim.core.progress import working
from ds3sim.engine.enumerate import by_sums, success
from ds3sim.engine.law import Known, LawRecord, known, like
from ds3sim.engine.limits import MOST_STEPS_PER_TRACE
from ds3sim.graph.batch import TensorBatch, stack
from ds3sim.graph.tensor import dense, part, sparse, sums
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task, shared_rate

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

SMALL_GRAPH, SHORT_WALK = 64, 1024
BATCH_BYTES = 2**26
BLOCK = 256


@dataclass(frozen=True, eq=False)
class Exact(LawRecord):
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
    traces = 0

    @classmethod
    def of(cls, task: Task) -> Exact:
        """The law of a task.

        Raises:
            InputError: a beam, or a budget too long to propagate.
        """
        require(
            task.max_steps <= MOST_STEPS_PER_TRACE,
            f"steps = {task.max_steps} per trace is more than engine exact propagates ({MOST_STEPS_PER_TRACE}):"
            " use engine closed_form, or lower the budget",
        )
        graph = task.graph
        return cls(task, *propagate(task.step_tensor(), graph.start, graph.goal, graph.dead, task.max_steps))

    def _trace(self, k: np.ndarray) -> np.ndarray:
        return np.minimum(np.cumsum(self.pmf), 1.0)[k]

    def trace_success(self, steps: ArrayLike) -> Estimate:
        """Success probability of one trace at its share of each budget."""
        k = np.atleast_1d(self.task.per_trace(steps))
        return like(steps, self.task.graph.feasible * self._trace(k))

    def success(self, steps: ArrayLike) -> Estimate:
        """Success probability of the task at each budget (steps per task)."""
        task = self.task
        if shared_rate(task) is not None:
            return like(steps, by_sums(task, np.atleast_1d(task.per_trace(steps))))
        correct = self._trace(np.atleast_1d(task.per_trace(steps)))
        able = task.graph.feasible
        if task.feasibility == "per_task":
            values = [able * success(task.aggregate, p) + (1 - able) * success(task.aggregate, 0.0) for p in correct]
        else:
            values = [success(task.aggregate, able * p) for p in correct]
        return like(steps, np.array(values))

    def _moment(self, k: np.ndarray, power: int) -> np.ndarray:
        """E[(steps of one trace)^power] at budget k, infeasible traces included."""
        ends = self.pmf + self.death_pmf if self.task.on_dead == "stop" else self.pmf
        # sum over j < k of ((j+1)^power - j^power) P(not ended by j): no difference of large sums.
        left = _tail(ends)
        j = np.arange(len(left), dtype=np.float64)
        sums = np.concatenate([[0.0], np.cumsum(((j + 1) ** power - j**power) * left)])
        able = self.task.graph.feasible
        return able * sums[k] + (1 - able) * k.astype(np.float64) ** power

    def expected_steps(self, steps: ArrayLike) -> Estimate:
        """Expected steps of a task at each budget, summed over its n traces."""
        k = np.atleast_1d(self.task.per_trace(steps))
        return like(steps, self.task.n * self._moment(k, 1))

    def expected_square_steps(self, steps: ArrayLike) -> np.ndarray:
        """E[(steps of one trace)^2] at its share of each budget, float64 [B]."""
        return self._moment(np.atleast_1d(self.task.per_trace(steps)), 2)


def propagate(
    tensor: Tensor, start: np.ndarray, goal: np.ndarray, dead: np.ndarray, max_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """P(T = k) and P(death at k) for k = 0..max_steps, float64 [max_steps + 1] each.

    All terms are nonnegative, so nothing cancels. Small dense graphs go ``BLOCK`` steps at a time;
    large ones step by step through their nonzero entries.
    """
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
    for k in range(1, max_steps + 1, BLOCK):
        here = min(BLOCK, max_steps + 1 - k)
        out[:, k : k + here] = (now @ block).reshape(2, BLOCK)[:, :here]
        now = now @ jump
    return out[0], out[1]


def _tail(pmf: np.ndarray) -> np.ndarray:
    """P(not ended by j) for j = 0..len-2, float64, never negative."""
    return np.maximum(0.0, 1.0 - np.cumsum(pmf))[:-1]


def propagate_batch(batch: TensorBatch, max_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """P(T <= k) and P(dead by k) of many walks at once, float64 [B, max_steps + 1] each.

    For many small graphs: one product of [B, 1, S] and [B, S, S] a step. Nothing cancels, since
    absorbing states keep what they hold.
    """
    goals = np.empty((len(batch.sizes), max_steps + 1))
    deaths = np.empty_like(goals)
    now = batch.start[:, None, :]
    for k in range(max_steps + 1):
        goals[:, k] = np.where(batch.goal, now[:, 0], 0.0).sum(axis=1)
        deaths[:, k] = np.where(batch.dead, now[:, 0], 0.0).sum(axis=1)
        if k < max_steps:
            now = now @ batch.tensor
    return goals, deaths


def exacts(tasks: Sequence[Task]) -> list[Known]:
    """The exact law of every task at its budgets; small graphs of one size walk together.

    Raises:
        InputError: a beam, or a budget too long to propagate.
    """
    out: list[Known | None] = [None] * len(tasks)
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
            goals, deaths = propagate_batch(stack([task.graph for task in heads], tensors), most)
            for group, goal, death in zip(some, goals, deaths, strict=True):
                pmf, death_pmf = (np.maximum(np.diff(a, prepend=0.0), 0.0) for a in (goal, death))
                for i in group:
                    end = tasks[i].max_steps + 1
                    out[i] = known(Exact(tasks[i], pmf[:end], death_pmf[:end]), tasks[i])
    return [law for law in out if law is not None]
