"""Accuracy and expected cost of reasoning with a trained model over tasks phi(l, m); docs/theory.md (1)-(10).

A task (l, m) needs m skills of level l. The model may use skills of another level l' (theory (5)) and takes the level
of the best accuracy. The cost counts parameters only: 2 N FLOPs a token, omega tokens a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import Numbers, fraction, number, one_of, positive, whole_array, whole_number
from ds3sim.core.errors import require
from ds3sim.theory import chain
from ds3sim.theory.aggregate import best_of_n
from ds3sim.theory.cost import CostModel
from ds3sim.theory.trained import Trained
from ds3sim.theory.votes import geometric_weights, vote_success
from ds3sim.training.levels import Best, Ways


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

    def __post_init__(self) -> None:
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

    def __post_init__(self) -> None:
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


def reason(
    model: Trained, inference_flops: Numbers, tasks: Tasks | None = None, how: Reasoning | None = None
) -> Outcome:
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


def reason_steps(
    model: Trained, steps_per_trace: Numbers, tasks: Tasks | None = None, how: Reasoning | None = None
) -> Outcome:
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
    level, skills = (v.ravel() for v in np.meshgrid(tasks.levels, tasks.skills, indexing="ij"))
    accuracy, spent = np.zeros((2, len(price), budgets, len(tasks.levels), len(tasks.skills)))
    p, share = model.p.reshape(-1, levels), model.giant.reshape(-1, levels)
    for i in range(len(price)):
        one = replace(model, p=p[i], giant=share[i])
        ways = Ways.of(one, level, skills, tasks.relevant_factor, tasks.search)
        best = ways.best(steps[i], how.curves)
        used = _lowest(ways, best, steps[i], how) if how.level_ties == "lowest" else best.steps
        accuracy[i], spent[i] = (x.T.reshape(accuracy.shape[1:]) for x in (best.accuracy, used))
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


def learnt_skills(model: Trained, levels: ArrayLike | None = None) -> np.ndarray:
    """Sum of p_l over levels (all by default): the mean number of levels learnt; float64 [...]."""
    at = slice(None) if levels is None else np.asarray(levels, dtype=np.int64) - 1
    return model.p[..., at].sum(axis=-1)
