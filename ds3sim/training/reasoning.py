"""Accuracy and expected cost of reasoning with a trained model over tasks phi(l, m); docs/theory.md (1)-(10).

A task (l, m) needs m skills of level l. The model may use skills of another level l' (theory (5)) and takes the level
of the best accuracy. The cost counts parameters only: 2 N FLOPs a token, omega tokens a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ds3sim.core.check import Numbers, fraction, number, numbers, one_of, positive, whole_array, whole_number
from ds3sim.core.errors import require
from ds3sim.theory import chain
from ds3sim.theory.aggregate import best_of_n
from ds3sim.theory.cost import CostModel
from ds3sim.theory.skills import Trained, skills_at_level, success_from_capability
from ds3sim.theory.votes import geometric_weights, vote_success

AIME_TASKS = np.repeat(np.arange(60, 71), 14), np.tile(np.arange(2, 16), 11)
"""l and m of the AIME study of [DS3], all as likely."""

Value = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(m', r, gamma^m') of ways [U, 1] and budgets [B] to accuracy and expected steps of one trace, [U, B]."""


@dataclass(frozen=True)
class Ways:
    """How every task may be done: one column for a level l' of which the model has skills.

    Attributes:
        level: l', int64 [U].
        skills: m', float64 [T, U].
        success: r of one proposal, (4), [T, U].
        feasible: gamma_l'^m', [T, U].
    """

    level: np.ndarray
    skills: np.ndarray
    success: np.ndarray
    feasible: np.ndarray

    @classmethod
    def of(
        cls, model: Trained, levels: Numbers, skills: Numbers, relevant_factor: float = 5.0, search: float = 0.5
    ) -> Ways:
        """The ways of tasks (l, m).

        Args:
            model: one trained model (shape []).
            levels, skills: l and m of the tasks, whole [T].
            relevant_factor, search: beta and rho of (4).

        Raises:
            InputError: a level above those of the model.
        """
        p, share, sigma = model.p.ravel(), model.giant.ravel(), model.training.sigma
        level, m = (np.asarray(v, dtype=np.int64)[:, None] for v in (levels, skills))
        needed = skills_at_level(m, level, np.arange(1, len(sigma) + 1), sigma)
        use = np.flatnonzero((p > 0) & (share > 0))
        needed = np.minimum(needed[:, use], 1e15)  # more skills than any budget has steps
        r = success_from_capability(p[use], needed, relevant_factor, search)
        with np.errstate(under="ignore"):
            return cls(use + 1, needed, r, share[use] ** needed)

    def best(self, steps: Numbers, value: Value, most_skills: float = np.inf) -> Best:
        """The way of the best accuracy of every task at every budget; of equal ones that of the fewest expected steps.

        A level that needs no fewer skills than another one, at no better r and gamma^m', is left out beforehand. That
        is right for every strategy whose success grows with that of its traces.

        Args:
            steps: K of one trace, [B]; need not be whole.
            value: accuracy and expected steps of the strategy.
            most_skills: levels that need more skills than this are left out.
        """
        steps = np.asarray(steps, dtype=np.float64)
        m, r, able = self.skills, self.success, self.feasible
        longest = min(float(np.max(steps, initial=0.0)), most_skills)
        task, way = np.nonzero(_not_worse(m, r, able) & (m <= longest) & (able > 0) & (r > 0))
        accuracy = np.zeros((len(m), len(steps)))
        out = Best(np.full(accuracy.shape, -1), accuracy, np.broadcast_to(steps, accuracy.shape).copy())
        if not task.size:
            return out
        points = np.stack([m[task, way], r[task, way], able[task, way]], axis=1)
        points, back = np.unique(points, axis=0, return_inverse=True)  # tasks share their ways
        found, spent = (v[back.ravel()] for v in value(points[:, :1], points[:, 1:2], points[:, 2:], steps))
        rank = np.arange(task.size) - np.searchsorted(task, task)
        for order in range(int(rank.max()) + 1):  # one way of every task at once
            now = rank == order
            at = task[now]
            equal = (found[now] == out.accuracy[at]) & (found[now] > 0)
            better = (found[now] > out.accuracy[at]) | (equal & (spent[now] < out.steps[at]))
            out.accuracy[at] = np.where(better, found[now], out.accuracy[at])
            out.steps[at] = np.where(better, spent[now], out.steps[at])
            out.way[at] = np.where(better, way[now, None], out.way[at])
        return out

    def chosen(self, way: np.ndarray) -> list[np.ndarray]:
        """m', r and gamma^m' of the ways [T, B] of :meth:`best`; 0 where there is none (-1)."""
        rows = np.arange(len(way))[:, None]
        return [np.pad(v, ((0, 0), (0, 1)))[rows, way] for v in (self.skills, self.success, self.feasible)]


@dataclass(frozen=True)
class Best:
    """The best way of every task at every budget; arrays [T, B].

    Attributes:
        way: column of :class:`Ways`; -1 where no level gives the task a chance.
        accuracy: of the strategy.
        steps: expected steps of one trace.
    """

    way: np.ndarray
    accuracy: np.ndarray
    steps: np.ndarray


def _not_worse(m: np.ndarray, r: np.ndarray, able: np.ndarray) -> np.ndarray:
    """True where no other way of the task has at most as many skills, at least that r and at least that gamma^m.

    Success falls with m and rises with r and gamma^m at every budget, so a worse way is never the best. Of equal ways
    the last one stays.
    """
    keep = np.ones(m.shape, dtype=bool)
    size = m.shape[1]
    for j in range(size):
        best, chance, share = m[:, j, None], r[:, j, None], able[:, j, None]
        worse = (best <= m) & (chance >= r) & (share >= able)
        equal = (best == m) & (chance == r) & (share == able)
        worse &= ~equal | (np.arange(size) < j)
        worse[:, j] = False
        keep &= ~worse
    return keep


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
            the one that needs the fewest steps, ``cheapest``, or the lowest, as the paper's code does, ``lowest``.
        tokens_per_step: omega.
        relevant_factor, search: beta and rho of (4).
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
    relevant_factor: float = 5.0
    search: float = 0.5

    def __post_init__(self) -> None:
        whole_number("branches", self.branches, 1)
        whole_number("n", self.n, 1)
        number("tokens_per_step", self.tokens_per_step, above=0)
        fraction("search", self.search)
        number("relevant_factor", self.relevant_factor, low=0)
        for name, choices in (
            ("aggregate", ("single", "best_of_n", "majority")),
            ("feasibility", ("per_task", "per_trace")),
            ("steps", ("exact", "min")),
            ("level_ties", ("cheapest", "lowest")),
        ):
            one_of(name, getattr(self, name), choices)
        require(self.aggregate != "single" or self.n == 1, "n > 1 needs aggregate = best_of_n or majority")

    def combine(self, p1: Numbers) -> np.ndarray:
        """Success of n traces of success probability p1 each; (7), (10)."""
        if self.n == 1:  # best of one, and a vote of one
            return p1
        if self.aggregate == "best_of_n":
            return best_of_n(p1, self.n)
        return vote_success(p1, self.n, geometric_weights(self.categories, self.decay))

    def curves(
        self, m: np.ndarray, r: np.ndarray, able: np.ndarray, steps: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy and expected steps of one trace, broadcast over (m', r of a proposal, gamma^m') and budgets."""
        r = chain.branch_success(r, self.branches)
        one = chain.success(m, r, steps) if self.round_steps else chain.real_success(m, r, steps)
        if self.steps == "min":
            mean = np.minimum(m / r, steps)
        else:
            mean = chain.expected_steps(m, r, steps) if self.round_steps else chain.real_moments(m, r, steps)[0]
        value = self.combine(able * one) if self.feasibility == "per_trace" else able * self.combine(one)
        return value, able * mean + (1.0 - able) * steps


@dataclass(frozen=True)
class Outcome:
    """Results of :func:`reason`, float64 [..., B].

    Attributes:
        accuracy: mean over the tasks.
        flops: expected inference FLOPs of a task.
        steps: K, budget of one trace in steps.
    """

    accuracy: np.ndarray
    flops: np.ndarray
    steps: np.ndarray


def reason(
    model: Trained,
    inference_flops: Numbers,
    how: Reasoning | None = None,
    tasks: tuple[Numbers, Numbers] = AIME_TASKS,
    weights: Numbers = 1.0,
) -> Outcome:
    """Accuracy and expected cost at inference budgets.

    Args:
        model: trained models, any leading shape [...].
        inference_flops: C_inf > 0 a task, [B], shared by all models.
        how: None is CoT.
        tasks: l and m of the tasks, whole, [T] each.
        weights: phi >= 0 of the tasks, [T]; scaled to sum 1.

    Raises:
        InputError: an argument outside its range, a task above the levels of the model.
    """
    how = how or Reasoning()
    flops = np.atleast_1d(positive("inference_flops", inference_flops))
    require(flops.ndim == 1, "inference_flops must be one number or a list")
    if how.round_steps:
        sizes = model.parameters.reshape(-1).tolist()
        costs = [CostModel(how.tokens_per_step, size, attention=False) for size in sizes]
        steps = np.array([cost.max_steps(flops, how.branches, how.n) for cost in costs], dtype=np.float64)
    else:
        steps = flops / (how.n * _price(model, how)[:, None])
    return _outcome(model, steps, how, tasks, weights)


def reason_steps(
    model: Trained,
    steps_per_trace: Numbers,
    how: Reasoning | None = None,
    tasks: tuple[Numbers, Numbers] = AIME_TASKS,
    weights: Numbers = 1.0,
) -> Outcome:
    """As :func:`reason` for budgets in steps of one trace, [B]."""
    given = np.atleast_1d(whole_array("steps_per_trace", steps_per_trace))
    require(given.ndim == 1, "steps_per_trace must be one number or a list")
    return _outcome(
        model, np.broadcast_to(given, (model.parameters.size, given.size)), how or Reasoning(), tasks, weights
    )


def _price(model: Trained, how: Reasoning) -> np.ndarray:
    """FLOPs of a step of one trace."""
    return 2.0 * model.parameters.reshape(-1) * how.tokens_per_step * how.branches


def _outcome(
    model: Trained, steps: np.ndarray, how: Reasoning, tasks: tuple[Numbers, Numbers], weights: Numbers
) -> Outcome:
    count = model.training.levels
    level, m = (whole_array(name, values, 1) for name, values in zip(("levels", "skills"), tasks, strict=True))
    require(level.ndim == 1 and level.shape == m.shape and m.size > 0, "tasks are two lists of as many whole numbers")
    require(level.max() <= count, f"task level {level.max():.0f} is above the {count} levels of the model")
    phi = np.broadcast_to(numbers("weights", weights, low=0), level.shape)
    require(bool(phi.sum() > 0), "weights are not allowed: they must not all be 0")
    shape = (*model.parameters.shape, steps.shape[1])
    accuracy, spent = np.zeros(steps.shape), np.zeros(steps.shape)
    for i, (p, share) in enumerate(zip(model.p.reshape(-1, count), model.giant.reshape(-1, count), strict=True)):
        ways = Ways.of(replace(model, p=p, giant=share), level, m, how.relevant_factor, how.search)
        best = ways.best(steps[i], how.curves)
        used = _lowest(ways, best, steps[i], how) if how.level_ties == "lowest" else best.steps
        accuracy[i], spent[i] = phi @ best.accuracy / phi.sum(), phi @ used / phi.sum()
    flops = spent * how.n * _price(model, how)[:, None]
    return Outcome(*(v.reshape(shape) for v in (np.minimum(accuracy, 1.0), flops, steps)))


def _lowest(ways: Ways, best: Best, steps: np.ndarray, how: Reasoning) -> np.ndarray:
    """Expected steps of the lowest level of equal accuracy, float64 [T, B].

    Levels differ in accuracy unless it has reached its limit in float64. From level 8 on (sigma > 1) a lower level
    needs more skills, so the levels of full accuracy are a range, whose end is bisected; the lower ones are tried one
    by one.
    """
    spent = best.steps.copy()
    task, budget = np.nonzero((best.way >= 0) & (best.accuracy > 0))
    goal, top = best.accuracy[task, budget], best.way[task, budget]

    def curves(way: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return how.curves(ways.skills[task, way], ways.success[task, way], ways.feasible[task, way], k)

    # at its limit: one more step changes nothing
    full = goal >= curves(top, 2.0 * steps[budget] + 1.0)[0]
    task, budget, goal, top = task[full], budget[full], goal[full], top[full]
    if task.size == 0:
        return spent
    eighth = int(np.searchsorted(ways.level, 8))
    low, high = np.minimum(eighth, top), top.copy()
    while np.any(low < high):
        middle = (low + high) // 2
        good = curves(middle, steps[budget])[0] >= goal
        low, high = np.where(good, low, np.minimum(middle + 1, high)), np.where(good, middle, high)
    spent[task, budget] = np.where(high < top, curves(high, steps[budget])[1], spent[task, budget])
    for way in range(eighth - 1, -1, -1):
        value, used = curves(np.full(task.shape, way), steps[budget])
        spent[task, budget] = np.where((value >= goal) & (way < top), used, spent[task, budget])
    return spent
