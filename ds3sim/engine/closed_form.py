"""The closed_form engine: the formulas of ``ds3sim.theory``, where the task has one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy import special

from ds3sim.core.errors import NoClosedForm
from ds3sim.core.estimate import Estimate
from ds3sim.engine.enumerate import MOST_TRACES
from ds3sim.engine.law import InOrder, Known, known
from ds3sim.engine.limits import MOST_VOTES
from ds3sim.graph.lump import ChainForm, chain_form
from ds3sim.task.aggregate import BestOfN, Majority, Single
from ds3sim.task.steps import Beam, CoT, StepPolicy, ToT
from ds3sim.task.task import Task, latent_rate, shared_rate
from ds3sim.theory import aggregate, chain, votes


class ClosedForm:
    """Success and cost of a task whose walk is a chain of m skills, by formula.

    Attributes:
        form: the chain under the step policy: m, r, and the death rate q.
    """

    engine = "closed_form"
    traces = 0

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
        if shared_rate(task) is not None:
            return _like(steps, by_formula(task, np.atleast_1d(task.per_trace(steps))))
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
    moves = float(chain.branch_success(plain.success, b, e))
    dies = (1 - e) * plain.death**b + e * plain.death
    return ChainForm(plain.skills, moves, dies, plain.at_dead)


def _like(steps, values) -> Estimate:
    values = np.asarray(values, dtype=np.float64)
    return Estimate.of(values if np.ndim(steps) else values[0])


def by_formula(task: Task, steps_per_trace: np.ndarray) -> np.ndarray:
    """Success at budgets per trace, float64: docs/theory.md (12), (13); (8) averaged over R by Gauss-Jacobi."""
    from ds3sim.theory import latent

    rate, how = latent_rate(task), task.aggregate
    law = (task.graph.feasible, rate.alpha, rate.beta)
    if isinstance(how, BestOfN) and how.verifier.perfect:
        value = float(latent.pass_at_n(how.n, *law))
        none = 0.0
    elif isinstance(how, BestOfN):
        value, none = _verified(how, *law)
    elif isinstance(how, Majority):
        if how.n > MOST_TRACES:
            raise NoClosedForm(f"(13) is evaluated for up to {MOST_TRACES} votes, not {how.n}: use fit votes for more")
        value, none = latent.vote_at_n(how.n, *law, how.errors.weights, how.ties), 0.0
    else:
        raise NoClosedForm(f"no closed form for aggregate = {how.name} of a latent graph")
    return np.where(steps_per_trace >= 1, value, none)


def _verified(how: BestOfN, solvable: float, alpha: float, beta: float) -> tuple[float, float]:
    from ds3sim.theory.aggregate import best_of_n_verified

    v = how.verifier
    # (8) is a polynomial of degree n in the rate: n/2 + 1 nodes are exact, and 200 are beyond float64 for any n
    nodes, weights = special.roots_jacobi(min(how.n // 2 + 1, 200), beta - 1.0, alpha - 1.0)
    rate = np.clip((nodes + 1.0) / 2.0, 0.0, 1.0)
    value = best_of_n_verified(rate, how.n, v.true_positive, v.false_positive, v.fallback)
    never = float(best_of_n_verified(0.0, how.n, v.true_positive, v.false_positive, v.fallback))
    mean = float(value @ weights / weights.sum())
    return solvable * mean + (1.0 - solvable) * never, never


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
        elif isinstance(task.step, Beam) or (isinstance(task.aggregate, Majority) and task.n > MOST_VOTES):
            ClosedForm(task)  # says why there is none
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
    r = np.array([advance_rate(task.step, form.success) for _, task, form in found])[owner]
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
        yield i, Known("closed_form", task.budgets, success[part], spent[part], square[part])


def advance_rate(step: StepPolicy, r):
    """(6): chance that a step of a chain moves on; a beam, which has no formula, counts as a tree of thoughts."""
    return r if isinstance(step, CoT) else chain.branch_success(r, step.branches, step.evaluator_error)


def _aggregate(how, p: np.ndarray) -> np.ndarray:
    if isinstance(how, BestOfN):
        if how.verifier.perfect:
            return aggregate.best_of_n(p, how.n)
        v = how.verifier
        return aggregate.best_of_n_verified(p, how.n, v.true_positive, v.false_positive, v.fallback)
    if isinstance(how, Majority):
        return votes.vote_success(p, how.n, how.errors.weights, how.ties)
    return p


def real_law(task: Task, form: ChainForm, per_trace: Sequence[float]) -> InOrder:
    """Closed form of a chain at real steps of one trace, [B]."""
    k = np.asarray(per_trace, dtype=np.float64)
    gamma = task.graph.feasible
    m, r = float(form.skills), np.float64(advance_rate(task.step, form.success))
    one = real_success(m, r, k, False)
    mean, square = _moments(m, r, k)
    own = task.feasibility == "per_trace"
    value = combined(task.aggregate, gamma * one if own else one)
    spent = task.n * (gamma * mean + (1 - gamma) * k)
    return InOrder(
        "closed_form", task.budgets, value if own else gamma * value, spent, gamma * square + (1 - gamma) * k * k
    )


def real_success(m, r, steps, whole: bool) -> np.ndarray:
    """I_r(m, K-m+1) for K >= m, else 0; a real K takes SciPy's function."""
    if whole:
        return np.asarray(chain.success(m, r, steps))
    from scipy.special import betainc

    m, r, steps = np.broadcast_arrays(m, r, steps)
    enough = steps >= m
    return np.where(enough, betainc(m, np.where(enough, steps - m + 1.0, 1.0), r), 0.0)


def real_steps(m, r, steps, whole: bool) -> np.ndarray:
    """(3), also at a real K."""
    if whole:
        return np.asarray(chain.expected_steps(m, r, steps))
    return _moments(m, r, steps)[0]


def _moments(m, r, steps) -> tuple[np.ndarray, np.ndarray]:
    """E[min(T, K)] and its square's mean, (3) and (3.2), at a real K: as the whole ones with I_r(m, K-m+1) between."""
    some = r > 0
    q = np.where(some, r, 1.0)
    rest = steps * (1.0 - np.where(some, real_success(m, q, steps, False), 0.0))
    first = m / q * real_success(m + 1.0, q, steps + 1.0, False)
    second = m * (m + 1.0) / q**2 * real_success(m + 2.0, q, steps + 2.0, False) - first
    enough = some & (steps >= m)
    return np.where(enough, first + rest, steps), np.where(enough, second + steps * rest, steps * steps)


def combined(aggregate, p):
    return p if isinstance(aggregate, Single) else np.asarray(_aggregate(aggregate, p))
