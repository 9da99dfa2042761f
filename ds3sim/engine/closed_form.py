"""The closed_form engine: the formulas of ``ds3sim.theory``, where the task has one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.errors import NoClosedForm
from ds3sim.core.estimate import Estimate
from ds3sim.engine.law import InOrder, Known, LawRecord, known, like
from ds3sim.engine.limits import MOST_VOTES
from ds3sim.graph.lump import ChainForm, chain_form
from ds3sim.task.aggregate import Majority
from ds3sim.task.steps import Beam, ToT
from ds3sim.task.task import Task, shared_rate
from ds3sim.theory import chain

NO_BEAM = "no closed form for step = beam: use engine traces"


@dataclass(frozen=True, eq=False)
class ClosedForm(LawRecord):
    """Success and cost of a task whose walk is a chain of m skills, by formula.

    Attributes:
        task: the task.
        form: the chain under the step policy: m, r, and the death rate q.
    """

    task: Task
    form: ChainForm = field(init=False)
    engine = "closed_form"
    traces = 0

    def __post_init__(self) -> None:
        task = self.task
        object.__setattr__(self, "form", _chain_of(task))
        if task.on_dead == "stop" and self.form.death > 0 and not self.form.at_dead:
            raise NoClosedForm(
                "no closed form for on_dead = stop: some walks are lost among nodes that are not marked dead;"
                " use engine exact, or name those nodes in dead"
            )
        _check_votes(task)

    def _trace(self, k: np.ndarray) -> np.ndarray:
        form = self.form
        if form.death:
            return chain.success_with_death(form.skills, form.success, form.death, k)
        return chain.success(form.skills, form.success, k)

    def trace_success(self, steps: ArrayLike) -> Estimate:
        """Success probability of one trace at its share of each budget: (1)."""
        k = np.atleast_1d(self.task.per_trace(steps))
        return like(steps, self.task.graph.feasible * self._trace(k))

    def success(self, steps: ArrayLike) -> Estimate:
        """Success probability of the task at each budget (steps per task): (1) with (7), (8) or (10); with a
        success rate that the traces share (12) or (13)."""
        task, how = self.task, self.task.aggregate
        k, gamma, rate = np.atleast_1d(task.per_trace(steps)), task.graph.feasible, shared_rate(task)
        if rate is not None:
            value = how.shared_success(gamma, rate.alpha, rate.beta)
            return like(steps, np.where(k >= 1, value, float(how.success(0.0))))
        p = self._trace(k)
        if task.feasibility == "per_trace":
            return like(steps, how.success(gamma * p))
        return like(steps, gamma * how.success(p))

    def _moment(self, steps: ArrayLike, plain: Callable, dying: Callable, power: int) -> np.ndarray:
        """E[(steps of one trace)^power] at its share of each budget."""
        task, form = self.task, self.form
        k = np.atleast_1d(task.per_trace(steps))
        law = (form.skills, form.success)
        able = dying(*law, form.death, k, task.on_dead) if form.death else plain(*law, k)
        return task.graph.feasible * able + (1 - task.graph.feasible) * k.astype(np.float64) ** power

    def expected_steps(self, steps: ArrayLike) -> Estimate:
        """Expected steps of a task at each budget, summed over its n traces: (3), or (3.3), (3.4)."""
        mean = self._moment(steps, chain.expected_steps, chain.expected_steps_with_death, 1)
        return like(steps, self.task.n * mean)

    def expected_square_steps(self, steps: ArrayLike) -> np.ndarray:
        """E[(steps of one trace)^2] at its share of each budget, float64 [B]: (3.2), (3.5)."""
        return self._moment(steps, chain.expected_square_steps, chain.expected_square_steps_with_death, 2)


def _check_votes(task: Task) -> None:
    if isinstance(task.aggregate, Majority) and task.n > MOST_VOTES:
        raise NoClosedForm(
            f"no closed form is evaluated for majority with n = {task.n} votes (at most {MOST_VOTES}):"
            " use engine traces"
        )


def _chain_of(task: Task) -> ChainForm:
    """The chain under the task's step policy; (6) where the graph itself is a chain."""
    graph, step = task.graph, task.step
    if isinstance(step, Beam):
        raise NoClosedForm(NO_BEAM)
    law = (graph.start, graph.goal, graph.dead, graph.names)
    if not isinstance(step, ToT) or graph.score is not None:
        return chain_form(step.tensor(graph), *law)
    try:
        plain = chain_form(graph.tensor(), *law)
    except NoClosedForm:
        return chain_form(step.tensor(graph), *law)
    # The default score depends on the distance to the goal alone: the best of b moves on when one
    # proposal does, (6), and dies when all do.
    b, e = step.branches, step.evaluator_error
    moves = float(step.advance_rate(plain.success))
    dies = (1 - e) * plain.death**b + e * plain.death
    return ChainForm(plain.skills, moves, dies, plain.at_dead)


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
            out[i] = known(ClosedForm(task), task)
        elif isinstance(task.step, Beam):
            raise NoClosedForm(NO_BEAM)
        else:
            _check_votes(task)
            fast.append((i, task, form))
    for i, law in _chains(fast):
        out[i] = law
    return [law for law in out if law is not None]


def _chains(found: Sequence[tuple[int, Task, ChainForm]]) -> Iterator[tuple[int, Known]]:
    if not found:
        return
    sizes = [len(task.budgets) for _, task, _ in found]
    owner = np.repeat(np.arange(len(found)), sizes)
    m = np.array([form.skills for *_, form in found])[owner]
    r = np.array([task.step.advance_rate(form.success) for _, task, form in found])[owner]
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
        success[part] = how.success(one[part])
    success = np.where(own, success, gamma * success)
    idle = (1 - gamma) * k
    spent = n * (gamma * chain.expected_steps(m, r, k) + idle)
    square = gamma * chain.expected_square_steps(m, r, k) + idle * k
    ends = np.cumsum(sizes)
    for (i, task, _), end, size in zip(found, ends, sizes, strict=True):
        part = slice(end - size, end)
        yield i, Known("closed_form", task.budgets, success[part], spent[part], square[part])


def real_law(task: Task, form: ChainForm, per_trace: Sequence[float]) -> InOrder:
    """Closed form of a chain at real steps of one trace, [B].

    Raises:
        NoClosedForm: a vote of more than 2000.
    """
    _check_votes(task)
    k = np.asarray(per_trace, dtype=np.float64)
    gamma = task.graph.feasible
    m, r = float(form.skills), np.float64(task.step.advance_rate(form.success))
    one = chain.real_success(m, r, k)
    mean, square = chain.real_moments(m, r, k)
    own = task.feasibility == "per_trace"
    value = task.aggregate.success(gamma * one if own else one)
    spent = task.n * (gamma * mean + (1 - gamma) * k)
    values = (value if own else gamma * value, spent, gamma * square + (1 - gamma) * k * k)
    return InOrder("closed_form", task.budgets, *values)
