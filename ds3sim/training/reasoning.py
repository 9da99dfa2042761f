"""Accuracy and expected cost of reasoning with a trained model over tasks phi(l, m); docs/theory.md (1)-(10).

A task (l, m) needs m skills of level l. The model may use skills of another level l' (theory (5)) and takes the level
of the best accuracy. The cost counts parameters only: 2 N FLOPs a token, omega tokens a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import fraction, number, one_of, positive, whole_array, whole_number
from ds3sim.core.errors import require
from ds3sim.theory import chain
from ds3sim.theory.aggregate import best_of_n
from ds3sim.theory.capability import relevant_skills, skills_at_level
from ds3sim.theory.cost import CostModel
from ds3sim.theory.trained import Trained
from ds3sim.theory.votes import geometric_weights, vote_success
from ds3sim.training.levels import not_worse


@dataclass(frozen=True)
class Tasks:
    """phi(l, m), the mixture of tasks; the default is the AIME study of [DS3], uniform.

    Attributes:
        levels: l of the tasks.
        skills: m of the tasks.
        weights: phi, float64 [levels, skills], >= 0; None is uniform. Scaled to sum 1.
        relevant_factor: beta of (4).
        search: rho of (4).
    """

    levels: tuple[int, ...] = tuple(range(60, 71))
    skills: tuple[int, ...] = tuple(range(2, 16))
    weights: np.ndarray | None = field(default=None, compare=False)
    relevant_factor: float = 5.0
    search: float = 0.5

    def __post_init__(self):
        for name in ("levels", "skills"):
            values = whole_array(name, getattr(self, name), 1)
            require(values.ndim == 1 and values.size > 0, f"{name} must be a list of at least one whole number")
        fraction("search", self.search)
        number("relevant_factor", self.relevant_factor, low=0)

    def phi(self) -> np.ndarray:
        """Weights that sum to 1, float64 [levels, skills]."""
        shape = (len(self.levels), len(self.skills))
        if self.weights is None:
            return np.full(shape, 1.0 / (shape[0] * shape[1]))
        weights = np.asarray(self.weights, dtype=np.float64)
        require(weights.shape == shape, f"weights of shape {weights.shape} do not fit {shape} tasks")
        require(bool(np.all(weights >= 0) and weights.sum() > 0), "weights must not be negative, and not all 0")
        return weights / weights.sum()


@dataclass(frozen=True)
class Reasoning:
    """How the model reasons.

    Attributes:
        branches: proposals a step; 1 is CoT, more is ToT with an exact evaluator.
        aggregate: ``single``, ``best_of_n`` (oracle) or ``majority`` (plurality).
        n: traces of a task, which share its budget.
        categories, decay: the error model (11) of a vote.
        feasibility: ``per_task`` (the n traces share it) or ``per_trace`` (the paper's code).
        round_steps: the steps of a trace are floor(K/n); False takes K as a real number, as the paper's code does.
        steps: ``exact`` is (3), ``min`` is min(m/r, K), as the paper's code has it.
        level_ties: of levels l' of equal accuracy (in float64: long before the budget ends it is 1.0 for several) take
        the
            one that needs the fewest steps, ``cheapest``, or the lowest, as the paper's code does, ``lowest``.
        tokens_per_step: omega.
    """

    branches: int = 1
    aggregate: str = "single"
    n: int = 1
    categories: int = 11
    decay: float = 0.746
    feasibility: str = "per_task"
    round_steps: bool = True
    steps: str = "exact"
    level_ties: str = "cheapest"
    tokens_per_step: float = 25.0

    def __post_init__(self):
        whole_number("branches", self.branches, 1)
        whole_number("n", self.n, 1)
        positive("tokens_per_step", self.tokens_per_step)
        for name, choices in (
            ("aggregate", ("single", "best_of_n", "majority")),
            ("feasibility", ("per_task", "per_trace")),
            ("steps", ("exact", "min")),
            ("level_ties", ("cheapest", "lowest")),
        ):
            one_of(name, getattr(self, name), choices)
        require(self.aggregate != "single" or self.n == 1, "n > 1 needs aggregate = best_of_n or majority")

    def combine(self, p1) -> np.ndarray:
        """Success of n traces of success probability p1 each; (7), (10)."""
        if self.n == 1:  # best of one, and a vote of one
            return p1
        if self.aggregate == "best_of_n":
            return best_of_n(p1, self.n)
        return vote_success(p1, self.n, geometric_weights(self.categories, self.decay))


@dataclass(frozen=True)
class Outcome:
    """Results of :func:`reason`.

    Attributes:
        accuracy: mean over phi, float64 [..., B].
        flops: expected inference FLOPs of a task, float64 [..., B].
        steps: K, budget of one trace in steps, float64 [..., B].
        by_level: accuracy by level of the task, weights of the level scaled to 1, float64 [..., B, levels].
    """

    accuracy: np.ndarray
    flops: np.ndarray
    steps: np.ndarray
    by_level: np.ndarray


def reason(model: Trained, inference_flops, tasks: Tasks | None = None, how: Reasoning | None = None) -> Outcome:
    """Accuracy and expected cost at inference budgets.

    Args:
        model: trained models, any leading shape [...].
        inference_flops: C_inf > 0 a task, [B], shared by all models.
        tasks, how: None is the AIME study and CoT.

    Returns:
        :class:`Outcome`.

    Raises:
        InputError: an argument outside its range, a task above the levels of the model.
    """
    tasks, how = tasks or Tasks(), how or Reasoning()
    flops = np.atleast_1d(positive("inference_flops", inference_flops))
    require(flops.ndim == 1, "inference_flops must be one number or a list")
    shape, budgets = model.parameters.shape, len(flops)
    price = 2.0 * model.parameters.reshape(-1) * how.tokens_per_step * how.branches  # FLOPs of a step
    if how.round_steps:
        kind = {"branches": how.branches, "n": how.n}
        sizes = model.parameters.reshape(-1).tolist()
        costs = [CostModel(how.tokens_per_step, size, attention=False) for size in sizes]
        steps = np.array([cost.max_steps(flops, **kind) for cost in costs], dtype=np.float64)
    else:
        steps = flops / (how.n * price[:, None])
    return _pack(model, tasks, how, steps, price, shape, budgets)


def reason_steps(model: Trained, steps_per_trace, tasks: Tasks | None = None, how: Reasoning | None = None) -> Outcome:
    """As :func:`reason` for budgets in steps of one trace, [B]."""
    tasks, how = tasks or Tasks(), how or Reasoning()
    given = np.atleast_1d(whole_array("steps_per_trace", steps_per_trace))
    require(given.ndim == 1, "steps_per_trace must be one number or a list")
    price = 2.0 * model.parameters.reshape(-1) * how.tokens_per_step * how.branches
    steps = np.broadcast_to(given, (price.size, given.size))
    return _pack(model, tasks, how, steps, price, model.parameters.shape, given.size)


def _pack(model: Trained, tasks: Tasks, how: Reasoning, steps, price, shape, budgets: int) -> Outcome:
    levels = model.training.levels
    require(max(tasks.levels) <= levels, f"task level {max(tasks.levels)} is above the {levels} levels of the model")
    table = _Ways.of(tasks, model.training.sigma, how.branches)
    accuracy, spent = np.zeros((2, len(price), budgets, len(tasks.levels), len(tasks.skills)))
    p, share = model.p.reshape(-1, levels), model.giant.reshape(-1, levels)
    for i in range(len(price)):
        accuracy[i], spent[i] = _one_model(table, p[i], share[i], steps[i], how)
    phi = tasks.phi()
    row = phi.sum(axis=1)
    by_level = (accuracy * phi).sum(axis=-1) / np.where(row > 0, row, 1.0)
    mean = np.tensordot(accuracy, phi, 2)
    cost = np.tensordot(spent, phi, 2) * how.n * price[:, None]
    return Outcome(
        np.minimum(mean, 1.0).reshape(*shape, budgets),
        cost.reshape(*shape, budgets),
        np.asarray(steps).reshape(*shape, budgets),
        by_level.reshape(*shape, budgets, len(tasks.levels)),
    )


@dataclass(frozen=True)
class _Ways:
    """For each task and each level l' it can be done at: m' and the factor of p^2 in r. Arrays [tasks, L]."""

    shape: tuple[int, int]
    needed: np.ndarray
    factor: np.ndarray
    branches: int

    @classmethod
    def of(cls, tasks: Tasks, sigma: np.ndarray, branches: int) -> _Ways:
        level, skills = (v.ravel()[:, None] for v in np.meshgrid(tasks.levels, tasks.skills, indexing="ij"))
        needed = skills_at_level(skills, level, np.arange(1, len(sigma) + 1), sigma)
        finite = np.minimum(needed, 1e15)  # more skills than any budget has steps
        factor = tasks.search / relevant_skills(finite, tasks.relevant_factor) + 1.0 - tasks.search
        return cls((len(tasks.levels), len(tasks.skills)), needed, factor, branches)


def _one_model(table: _Ways, p, share, steps, how: Reasoning) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and expected steps of one trace, float64 [B, levels, skills]."""
    use = np.flatnonzero((p > 0) & (share > 0))
    m = table.needed[:, use]
    r = chain.branch_success(np.clip(p[use] ** 2 * table.factor[:, use], 0.0, 1.0), table.branches)
    with np.errstate(under="ignore"):
        able = share[use] ** m
    possible = (m <= float(np.max(steps, initial=0.0))) & (able > 0)
    task, way = np.nonzero(not_worse(m, r, able) & possible)
    accuracy = np.zeros((len(m), len(steps)))
    spent = np.broadcast_to(steps, accuracy.shape).copy()
    chosen = np.full(accuracy.shape, -1)
    if task.size:
        # tasks share their ways: (l', m') fixes m', r and gamma^m'
        points = np.stack([m[task, way], r[task, way], able[task, way]], axis=1)
        points, back = np.unique(points, axis=0, return_inverse=True)
        value, used = _curves(points[:, :1], points[:, 1:2], points[:, 2:], steps, how)
        value, used = value[back.ravel()], used[back.ravel()]
        rank = np.arange(task.size) - np.searchsorted(task, task)
        for order in range(int(rank.max()) + 1):  # one way of every task at once
            now = rank == order
            at = task[now]
            better = (value[now] > accuracy[at]) | ((value[now] == accuracy[at]) & (used[now] < spent[at]))
            accuracy[at] = np.where(better, value[now], accuracy[at])
            spent[at] = np.where(better, used[now], spent[at])
            chosen[at] = np.where(better, way[now, None], chosen[at])
    if how.level_ties == "lowest":
        _take_lowest(m, r, able, steps, how, use, (accuracy, spent, chosen))
    return tuple(x.T.reshape(len(steps), *table.shape) for x in (accuracy, spent))  # type: ignore[return-value]


def _take_lowest(m, r, able, steps, how: Reasoning, use, found) -> None:
    """Replace the expected steps by those of the lowest level of equal accuracy; in place.

    Levels differ in accuracy unless it has reached its limit in float64. From level 8 on (sigma > 1) a lower level
    needs
    more skills, so the levels of full accuracy are a range, whose end is bisected; the lower ones are tried one by one.
    """
    accuracy, spent, chosen = found
    task, budget = np.nonzero((chosen >= 0) & (accuracy > 0))
    goal, best = accuracy[task, budget], chosen[task, budget]

    def equal(way):
        value, used = _curves(m[task, way], r[task, way], able[task, way], steps[budget], how)
        return value >= goal, used

    # at its limit: one more step changes nothing
    later = _curves(m[task, best], r[task, best], able[task, best], 2.0 * steps[budget] + 1.0, how)[0]
    full = goal >= later
    task, budget, goal, best = task[full], budget[full], goal[full], best[full]
    if task.size == 0:
        return
    low, high = np.minimum(np.searchsorted(use, 7), best), best.copy()
    while np.any(low < high):
        middle = (low + high) // 2
        good = equal(middle)[0]
        low, high = np.where(good, low, np.minimum(middle + 1, high)), np.where(good, middle, high)
    spent[task, budget] = np.where(high < best, equal(high)[1], spent[task, budget])
    for way in range(int(np.searchsorted(use, 7)) - 1, -1, -1):
        good, used = equal(np.full(task.shape, way))
        good &= way < best
        spent[task, budget] = np.where(good, used, spent[task, budget])


def _curves(m, r, able, steps, how: Reasoning) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and expected steps of one trace for ways [U, 1] at budgets [B]."""
    one = _success(m, r, steps, how.round_steps)
    if how.steps == "min":
        mean = np.minimum(m / r, steps)
    elif how.round_steps:
        mean = chain.expected_steps(m, r, steps)
    else:
        later = _success(m + 1.0, r, steps + 1.0, False)  # I_r(m+1, K-m+1)
        mean = np.where(steps >= m, m / r * later + steps * (1.0 - one), steps)
    value = how.combine(able * one) if how.feasibility == "per_trace" else able * how.combine(one)
    return value, able * mean + (1.0 - able) * steps


def _success(m, r, steps, whole: bool) -> np.ndarray:
    """I_r(m, K-m+1) for K >= m, else 0. A real K takes SciPy's function: about 1e-9 absolute at K = 1e8."""
    if whole:
        return np.asarray(chain.success(m, r, steps))
    from scipy.special import betainc

    m, r, steps = np.broadcast_arrays(m, r, steps)
    enough = steps >= m
    return np.where(enough, betainc(m, np.where(enough, steps - m + 1.0, 1.0), r), 0.0)


def learnt_skills(model: Trained, levels: ArrayLike | None = None) -> np.ndarray:
    """Sum of p_l over levels (all by default): the mean number of levels learnt; float64 [...]."""
    at = slice(None) if levels is None else np.asarray(levels, dtype=np.int64) - 1
    return model.p[..., at].sum(axis=-1)
