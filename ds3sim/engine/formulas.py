"""The closed_form engine: the formulas of ``ds3sim.theory``, where the task has one."""

from __future__ import annotations

import numpy as np

from ds3sim.core.errors import NoClosedForm
from ds3sim.core.estimate import Estimate
from ds3sim.engine import latent
from ds3sim.model.lump import ChainForm, chain_form
from ds3sim.strategy.aggregate import BestOfN, Majority
from ds3sim.strategy.steps import Beam, ToT
from ds3sim.strategy.task import Task
from ds3sim.theory import aggregate, chain, votes

MOST_VOTES = 2000


class ClosedForm:
    """Success and cost of a task whose walk is a chain of m skills, by formula.

    Attributes:
        form: the chain under the step policy: m, r, and the death rate q.
    """

    engine = "closed_form"

    def __init__(self, task: Task):
        self.task = task
        self.form = _chain_of(task)
        if task.on_dead == "stop" and self.form.death > 0 and not self.form.at_dead:
            raise NoClosedForm(
                "no closed form for on_dead = stop: some walks are lost among nodes that are not marked dead;"
                " use engine exact, or name those nodes in dead"
            )
        if isinstance(task.aggregate, Majority) and task.n > MOST_VOTES:
            raise NoClosedForm(
                f"no closed form is evaluated for majority with n = {task.n} votes (at most {MOST_VOTES}):"
                " use engine traces"
            )

    def _trace(self, k: np.ndarray) -> np.ndarray:
        form = self.form
        if form.death:
            return chain.success_with_death(form.skills, form.success, form.death, k)
        return chain.success(form.skills, form.success, k)

    def trace_success(self, steps) -> Estimate:
        """Success probability of one trace at its share of each budget: (1)."""
        k = np.atleast_1d(self.task.per_trace(steps))
        return _like(steps, self.task.graph.feasible * self._trace(k))

    def success(self, steps) -> Estimate:
        """Success probability of the task at each budget (steps per task): (1) with (7), (8) or (10)."""
        task = self.task
        if latent.shared_rate(task) is not None:
            return _like(steps, latent.by_formula(task, np.atleast_1d(task.per_trace(steps))))
        p = self._trace(np.atleast_1d(task.per_trace(steps)))
        gamma = task.graph.feasible
        if task.feasibility == "per_trace":
            return _like(steps, self._aggregate(gamma * p))
        return _like(steps, gamma * self._aggregate(p))

    def _aggregate(self, p: np.ndarray) -> np.ndarray:
        how = self.task.aggregate
        if isinstance(how, BestOfN):
            if how.verifier.perfect:
                return aggregate.best_of_n(p, how.n)
            v = how.verifier
            return aggregate.best_of_n_verified(p, how.n, v.true_positive, v.false_positive, v.fallback)
        if isinstance(how, Majority):
            return votes.vote_success(p, how.n, how.errors.weights, how.ties)
        return p

    def expected_steps(self, steps) -> Estimate:
        """Expected steps of a task at each budget, summed over its n traces: (3), or (3.3), (3.4)."""
        task, form = self.task, self.form
        k = np.atleast_1d(task.per_trace(steps))
        if form.death:
            able = chain.expected_steps_with_death(form.skills, form.success, form.death, k, task.on_dead)
        else:
            able = chain.expected_steps(form.skills, form.success, k)
        gamma = task.graph.feasible
        return _like(steps, task.n * (gamma * able + (1 - gamma) * k))

    def expected_square_steps(self, steps) -> np.ndarray:
        """E[(steps of one trace)^2] at its share of each budget, float64 [B]: (3.2), (3.5)."""
        task, form = self.task, self.form
        k = np.atleast_1d(task.per_trace(steps))
        if form.death:
            able = chain.expected_square_steps_with_death(form.skills, form.success, form.death, k, task.on_dead)
        else:
            able = chain.expected_square_steps(form.skills, form.success, k)
        gamma = task.graph.feasible
        return gamma * able + (1 - gamma) * k.astype(np.float64) ** 2


def _chain_of(task: Task) -> ChainForm:
    """The chain under the task's step policy; (6) where the graph itself is a chain."""
    graph, step = task.graph, task.step
    if isinstance(step, Beam):
        raise NoClosedForm("no closed form for step = beam: use engine traces")
    law = (graph.start, graph.goal, graph.dead, graph.names)
    if not isinstance(step, ToT):
        return chain_form(graph.transition_tensor(), *law)
    if graph.score is not None:
        return chain_form(task.tensor, *law)
    try:
        plain = chain_form(graph.transition_tensor(), *law)
    except NoClosedForm:
        return chain_form(task.tensor, *law)
    # The default score depends on the distance to the goal alone: the best of b moves on when one
    # proposal does, (6), and dies when all do.
    b, e = step.branches, step.evaluator_error
    moves = (1 - e) * float(chain.branch_success(plain.success, b)) + e * plain.success
    dies = (1 - e) * plain.death**b + e * plain.death
    return ChainForm(plain.skills, moves, dies, plain.at_dead)


def _like(steps, values) -> Estimate:
    values = np.asarray(values, dtype=np.float64)
    return Estimate.of(values if np.ndim(steps) else values[0])
