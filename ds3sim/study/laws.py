"""Numbers of many tasks at once: closed forms of chains as one array, small graphs as one batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ds3sim.core.errors import NoClosedForm
from ds3sim.core.estimate import Estimate
from ds3sim.engine import closed_form
from ds3sim.engine.formulas import MOST_VOTES
from ds3sim.engine.propagation import Exact, propagate_batch
from ds3sim.model.batch import stack
from ds3sim.model.lump import ChainForm
from ds3sim.strategy.aggregate import BestOfN, Majority
from ds3sim.strategy.steps import Beam, CoT
from ds3sim.strategy.task import Task
from ds3sim.theory import aggregate, chain, votes

SMALL_GRAPH, SHORT_WALK = 64, 1024
BATCH_BYTES = 2**26


@dataclass(frozen=True, eq=False)
class Known:
    """A law at the budgets of its task, float64 [B] each; as Tally and Exact, but only there."""

    budgets: np.ndarray
    values: np.ndarray
    spent: np.ndarray
    square: np.ndarray

    def _at(self, steps) -> np.ndarray:
        order = np.argsort(self.budgets, kind="stable")
        return order[np.searchsorted(self.budgets[order], np.atleast_1d(steps))]

    def success(self, steps) -> Estimate:
        """Success at each of ``steps``, which are budgets of the task."""
        return Estimate.of(self.values[self._at(steps)])

    def expected_steps(self, steps) -> Estimate:
        """Expected steps of a task, summed over its traces."""
        return Estimate.of(self.spent[self._at(steps)])

    def expected_square_steps(self, steps) -> np.ndarray:
        """E[(steps of one trace)^2]."""
        return self.square[self._at(steps)]


def known(law, task: Task) -> Known:
    """A law reduced to the budgets of its task."""
    budgets = task.budgets
    return Known(
        budgets,
        np.asarray(law.success(budgets).estimate, dtype=np.float64),
        np.asarray(law.expected_steps(budgets).estimate, dtype=np.float64),
        np.asarray(law.expected_square_steps(budgets), dtype=np.float64),
    )


def closed_forms(tasks: Sequence[Task], forms: Sequence[ChainForm | None]) -> list[Known]:
    """The closed form of every task; those of chains in a few array operations.

    Args:
        tasks: any.
        forms: the chain that a task's graph is by construction (before the step policy), or None.

    Raises:
        NoClosedForm: for the first task that has none.
    """
    out: list[Known | None] = [None] * len(tasks)
    fast = []
    for i, (task, form) in enumerate(zip(tasks, forms, strict=True)):
        if form is None:
            out[i] = known(closed_form(task), task)
        elif isinstance(task.step, Beam) or (isinstance(task.aggregate, Majority) and task.n > MOST_VOTES):
            closed_form(task)  # says why there is none
            raise NoClosedForm("no closed form for this task")
        else:
            fast.append((i, task, form))
    for i, law in _chains(fast):
        out[i] = law
    return [law for law in out if law is not None]


def _chains(found: Sequence[tuple[int, Task, ChainForm]]):
    if not found:
        return
    sizes = [len(task.budgets) for _, task, _ in found]
    owner = np.repeat(np.arange(len(found)), sizes)
    m = np.array([form.skills for *_, form in found])[owner]
    r = np.array([_rate(task, form) for _, task, form in found])[owner]
    gamma = np.array([task.graph.feasible for _, task, _ in found])[owner]
    n = np.array([task.n for _, task, _ in found])[owner]
    own = np.array([task.feasibility == "per_trace" for _, task, _ in found])[owner]
    k = np.concatenate([task.budgets for _, task, _ in found]) // n
    p = chain.success(m, r, k)
    one = np.where(own, gamma * p, p)
    success = np.empty_like(one)
    groups = defaultdict(list)
    for j, (_, task, _) in enumerate(found):
        groups[task.aggregate].append(j)
    number = np.empty(len(found), dtype=np.int64)
    for g, members in enumerate(groups.values()):
        number[members] = g
    for g, how in enumerate(groups):
        part = number[owner] == g
        success[part] = _aggregate(how, one[part])
    success = np.where(own, success, gamma * success)
    idle = (1 - gamma) * k
    spent = n * (gamma * chain.expected_steps(m, r, k) + idle)
    square = gamma * chain.expected_square_steps(m, r, k) + idle * k
    ends = np.cumsum(sizes)
    for (i, task, _), end, size in zip(found, ends, sizes, strict=True):
        part = slice(end - size, end)
        yield i, Known(task.budgets, success[part], spent[part], square[part])


def _rate(task: Task, form: ChainForm) -> float:
    """(6): chance to move on under the step policy."""
    step = task.step
    if isinstance(step, CoT | Beam):
        return form.success
    best = float(chain.branch_success(form.success, step.branches))
    return (1 - step.evaluator_error) * best + step.evaluator_error * form.success


def _aggregate(how, p: np.ndarray) -> np.ndarray:
    if isinstance(how, BestOfN):
        if how.verifier.perfect:
            return aggregate.best_of_n(p, how.n)
        v = how.verifier
        return aggregate.best_of_n_verified(p, how.n, v.true_positive, v.false_positive, v.fallback)
    if isinstance(how, Majority):
        return votes.vote_success(p, how.n, how.errors.weights, how.ties)
    return p


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
    for i in alike.pop(None, []):
        out[i] = known(Exact(tasks[i]), tasks[i])
        tasks[i].__dict__.pop("tensor", None)  # a cached tensor would stay as long as the task
    for (size, _), members in alike.items():
        most = max(tasks[i].max_steps for i in members)
        walks = defaultdict(list)  # tasks that differ in budget and aggregator alone
        for i in members:
            walks[id(tasks[i].graph), tasks[i].step].append(i)
        groups = list(walks.values())
        at_once = max(1, BATCH_BYTES // (8 * (size**2 + 2 * most + 2)))
        for at in range(0, len(groups), at_once):
            part = groups[at : at + at_once]
            heads = [tasks[group[0]] for group in part]
            tensors = [task.step.tensor(task.graph) for task in heads]  # pyright: ignore[reportAttributeAccessIssue]
            goals, deaths = propagate_batch(stack([task.graph for task in heads], tensors), most)
            for group, goal, death, tensor in zip(part, goals, deaths, tensors, strict=True):
                laws = tuple(np.maximum(np.diff(a, prepend=0.0), 0.0) for a in (goal, death))
                for i in group:
                    tasks[i].__dict__["tensor"] = tensor
                    law = Exact(tasks[i])
                    law.__dict__["_laws"] = tuple(a[: tasks[i].max_steps + 1] for a in laws)
                    out[i] = known(law, tasks[i])
                    tasks[i].__dict__.pop("tensor", None)
    return [law for law in out if law is not None]
