"""Tasks of levels of skills as chains: step success and feasibility from the training of the model.

A task of m skills of level l is done at the level l' of the best accuracy, (5), which depends on the strategy and on
the budget. So a distribution of tasks becomes chains (m', r, gamma^m'), each with a weight at every budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ds3sim.config.models import TripartiteModel
from ds3sim.config.tasks import TasksTable
from ds3sim.core.errors import require
from ds3sim.task.aggregate import BestOfN, Majority, Single
from ds3sim.task.budget import BudgetRow
from ds3sim.task.mixture import TaskMixture
from ds3sim.task.steps import Beam
from ds3sim.task.task import Strategy
from ds3sim.task.wrong_answers import GeometricErrors
from ds3sim.theory import chain
from ds3sim.training.reasoning import Reasoning, Ways, reason, reason_steps

LONGEST_CHAIN = 8192
"""Skills of the longest chain that stands for a task of a trained model."""


def chains(
    tasks: TasksTable, model: TripartiteModel, strategy: Strategy, per_trace: Sequence[int | float]
) -> TaskMixture:
    """The distribution as chains, each task at its best level at each budget; ``per_trace`` is K of a trace, [B]."""
    skills, level, weight = tasks.each
    kept = weight > 0
    ways = Ways.of(model.trained, level[kept], skills[kept], model.relevant_factor, model.search)
    m, r, able = ways.chosen(ways.best(per_trace, _value(strategy, model.round_steps), LONGEST_CHAIN).way)
    some = m > 0  # else there is nothing that the model can do
    phi = weight[kept] / math.fsum(weight[kept].tolist())
    return TaskMixture.of(np.where(some, m, 1).astype(np.int64), r, able, phi)


def _value(strategy: Strategy, whole: bool) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    able_first = strategy.feasibility == "per_trace"

    def value(m: np.ndarray, r: np.ndarray, able: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = strategy.step.advance_rate(r)
        one = chain.success(m, q, steps) if whole else chain.real_success(m, q, steps)
        used = chain.expected_steps(m, q, steps) if whole else chain.real_moments(m, q, steps)[0]
        success = strategy.aggregate.success(able * one if able_first else one)
        return success if able_first else able * success, able * used + (1.0 - able) * steps

    return value


def authors_flops(
    tasks: TasksTable, model: TripartiteModel, strategy: Strategy, per_trace: Sequence[int | float], omega: float
) -> list[float]:
    """Mean FLOPs of a task as the authors' code counts them, one for each budget: 2 N a token, and min(m'/r, K) steps.

    NaN where their code has no such strategy, or no formula for it.
    """
    how = _reasoning(strategy, model, omega)
    if how is None:
        return [math.nan] * len(per_trace)
    skills, level, weight = tasks.each
    some = weight > 0
    asked = model.trained, how, (level[some], skills[some]), weight[some]
    if model.round_steps:
        return reason_steps(asked[0], per_trace, *asked[1:]).flops.tolist()
    price = 2.0 * model.size[0] * omega * how.branches * how.n
    positive = np.maximum(np.asarray(per_trace, dtype=np.float64) * price, 1e-300)
    return reason(asked[0], positive, *asked[1:]).flops.tolist()


def _reasoning(strategy: Strategy, model: TripartiteModel, omega: float) -> Reasoning | None:
    step, aggregate = strategy.step, strategy.aggregate
    if isinstance(step, Beam) or getattr(step, "evaluator_error", 0.0) > 0:
        return None
    more: dict[Any, Any] = {"branches": step.proposals, "n": aggregate.n, "tokens_per_step": omega}
    if isinstance(aggregate, BestOfN):
        if not aggregate.verifier.perfect:
            return None
        more["aggregate"] = "best_of_n"
    elif isinstance(aggregate, Majority):
        if not isinstance(aggregate.errors, GeometricErrors) or aggregate.ties != "random":
            return None
        more |= {"aggregate": "majority", "categories": aggregate.errors.categories, "decay": aggregate.errors.decay}
    elif not isinstance(aggregate, Single):
        return None
    return Reasoning(
        **more,
        feasibility=strategy.feasibility,
        round_steps=model.round_steps,
        steps="min",
        level_ties="lowest",
        relevant_factor=model.relevant_factor,
        search=model.search,
    )


def priced(
    tasks: TasksTable, model: TripartiteModel, strategy: Strategy, rows: Sequence[BudgetRow], omega: float, engine: str
) -> tuple[tuple[BudgetRow, ...], tuple[float, ...] | None]:
    """Rows with the authors' cost, and the real steps of a trace where they are not rounded (closed_form alone)."""
    whole = "model.round_steps = false works with engine.kind = closed_form: other engines take whole steps"
    require(model.round_steps or engine == "closed_form", whole)
    each = tuple(row.steps_per_trace for row in rows)
    found = authors_flops(tasks, model, strategy, each, omega)
    told = tuple(replace(row, authors_flops=flops) for row, flops in zip(rows, found, strict=True))
    return told, None if model.round_steps else tuple(float(k) for k in each)
