"""The closed_form engine: the formulas of ``ds3sim.theory``, where the task has one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ds3sim.core.errors import NoClosedForm
from ds3sim.engine.law import Computed, InOrder, Known, known
from ds3sim.engine.limits import MOST_VOTES
from ds3sim.graph.lump import ChainForm, chain_form
from ds3sim.task.aggregate import Majority
from ds3sim.task.steps import Beam, ToT
from ds3sim.task.task import Task, latent_rate
from ds3sim.theory import chain

NO_BEAM = "no closed form for step = beam: use engine traces"


@dataclass(frozen=True, eq=False)
class ClosedForm(Computed):
    """Success and cost of a task whose walk is a chain of m skills, by formula.

    Attributes:
        task: the task.
        form: the chain under the step policy: m, r, and the death rate q.
    """

    task: Task
    form: ChainForm = field(init=False)
    engine = "closed_form"

    def __post_init__(self) -> None:
        task = self.task
        object.__setattr__(self, "form", _chain_of(task))
        if task.on_dead == "stop" and self.form.death > 0 and not self.form.at_dead:
            raise NoClosedForm(
                "no closed form for on_dead = stop: some walks are lost among nodes that are not marked dead;"
                " use engine exact, or name those nodes in dead"
            )
        _check_votes(task)

    def _arrived(self, k: np.ndarray) -> np.ndarray:
        return chain.success(self.form.skills, self.form.success, k, self.form.death)

    def _judged(self, p: np.ndarray) -> np.ndarray:
        return self.task.aggregate.success(p)

    def _together(self, k: np.ndarray) -> np.ndarray:
        how, rate = self.task.aggregate, latent_rate(self.task)
        value = how.shared_success(self.task.graph.feasible, rate.alpha, rate.beta)
        return np.where(k >= 1, value, float(how.success(0.0)))

    def _moment(self, k: np.ndarray, power: int) -> np.ndarray:
        form, gamma = self.form, self.task.graph.feasible
        moment = (chain.expected_steps, chain.expected_square_steps)[power - 1]
        able = moment(form.skills, form.success, k, form.death, self.task.on_dead if form.death else "exhaust")
        return gamma * able + (1 - gamma) * k.astype(np.float64) ** power


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
    """The closed form of every task; those of chains in a few array operations. ``forms``: the chain that a task's
    graph is by construction (before the step policy), or None. NoClosedForm: for the first task that has none."""
    out: dict[int, Known] = {}
    fast: list[tuple[Task, ChainForm]] = []
    for i, (task, form) in enumerate(zip(tasks, forms, strict=True)):
        if form is None:
            out[i] = known(ClosedForm(task), task)
        elif isinstance(task.step, Beam):
            raise NoClosedForm(NO_BEAM)
        else:
            _check_votes(task)
            fast.append((task, form))
    numbers = _numbers(fast, [task.budgets // task.n for task, _ in fast]) if fast else iter(())
    return [out[i] if i in out else Known("closed_form", task.budgets, *next(numbers)) for i, task in enumerate(tasks)]


def real_law(task: Task, form: ChainForm, per_trace: Sequence[float]) -> InOrder:
    """Closed form of a chain at real steps of one trace, [B]; NoClosedForm: a vote of more than 2000."""
    _check_votes(task)
    k = np.asarray(per_trace, dtype=np.float64)
    return InOrder("closed_form", task.budgets, *next(_numbers([(task, form)], [k], real=True)))


def _numbers(
    found: Sequence[tuple[Task, ChainForm]], budgets: Sequence[np.ndarray], real: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Success, expected steps and E[(steps of one trace)^2] of each task at its budgets per trace, whole or real."""
    sizes, k = [len(own) for own in budgets], np.concatenate(budgets)

    def each(values: Iterable[object]) -> np.ndarray:
        return np.repeat(np.array(list(values)), sizes)

    m, r = each(form.skills for _, form in found), each(task.step.advance_rate(form.success) for task, form in found)
    gamma, n = each(task.graph.feasible for task, _ in found), each(task.n for task, _ in found)
    own = each(task.feasibility == "per_trace" for task, _ in found)
    if real:
        p, (mean, square) = chain.real_success(m, r, k), chain.real_moments(m, r, k)
    else:
        p = chain.success(m, r, k)
        mean, square = chain.expected_steps(m, r, k), chain.expected_square_steps(m, r, k)
    one = np.where(own, gamma * p, p)
    success = np.empty_like(one)
    hows = {how: g for g, how in enumerate(dict.fromkeys(task.aggregate for task, _ in found))}
    which = each(hows[task.aggregate] for task, _ in found)
    for how, g in hows.items():
        success[which == g] = how.success(one[which == g])
    idle = (1 - gamma) * k
    success, spent, square = (
        np.where(own, success, gamma * success),
        n * (gamma * mean + idle),
        gamma * square + idle * k,
    )
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        at = slice(end - size, end)
        yield success[at], spent[at], square[at]
