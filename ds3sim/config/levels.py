"""Tasks of levels of skills as chains: step success and feasibility from the training of the model.

A task of m skills of level l is done at the level l' of the best accuracy, (5), which depends on the strategy and on
the budget. So a distribution of tasks becomes chains (m', r, gamma^m'), each with a weight at every budget.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ds3sim.config import tables as c
from ds3sim.config.training import LevelTasks, TripartiteModel, trained
from ds3sim.core.errors import require
from ds3sim.engine.closed_form import advance_rate, combined
from ds3sim.graph.generators import MOST_SKILLS
from ds3sim.task.aggregate import BestOfN, Majority
from ds3sim.task.budget import BudgetRow
from ds3sim.task.steps import Beam
from ds3sim.task.wrong_answers import GeometricErrors
from ds3sim.theory import chain
from ds3sim.training.levels import Chains, Ways
from ds3sim.training.reasoning import Reasoning, reason, reason_steps


def chains(tasks: LevelTasks, model: TripartiteModel, strategy: c.Strategy, step, aggregate, per_trace) -> Chains:
    """The distribution as chains, each task at the best level for this strategy at each budget.

    Args:
        tasks, model: of the config.
        strategy, step, aggregate: one strategy.
        per_trace: K of one trace, real [B].
    """
    ways = Ways.of(trained(model), tasks.level, tasks.skills, model.relevant_factor, model.search)
    found = ways.best(per_trace, _value(strategy, step, aggregate, model.round_steps), MOST_SKILLS)
    rows = np.arange(len(found.way))
    phi = np.array(tasks.weight)
    summed: dict[tuple[int, float, float], np.ndarray] = {}
    for b in range(len(per_trace)):
        way = found.way[:, b]
        parts = (v[rows, way].tolist() for v in (ways.skills, ways.success, ways.feasible))
        for at, m, r, able, weight in zip(way.tolist(), *parts, phi, strict=True):
            key = (int(m), r, able) if at >= 0 else (1, 0.0, 0.0)  # nothing that the model can do
            summed.setdefault(key, np.zeros(len(per_trace)))[b] += weight
    total = np.sum(list(summed.values()), axis=0)
    return Chains(tuple(summed), tuple(tuple((w / total).tolist()) for w in summed.values()))


def _value(strategy: c.Strategy, step, aggregate, whole: bool):
    def value(m, r, able, steps):
        q = advance_rate(step, r)
        one = chain.success(m, q, steps) if whole else chain.real_success(m, q, steps)
        mean = chain.expected_steps(m, q, steps) if whole else chain.real_moments(m, q, steps)[0]
        spent = able * mean + (1.0 - able) * steps
        if strategy.feasibility == "per_trace":
            return combined(aggregate, able * one), spent
        return able * combined(aggregate, one), spent

    return value


# ---- the authors' cost --------------------------------------------------------------------------


def authors_flops(
    tasks: LevelTasks, model: TripartiteModel, strategy: c.Strategy, step, aggregate, per_trace, omega: float
) -> list[float]:
    """Mean FLOPs of a task as the authors' code counts them, one for each budget: 2 N a token, and min(m'/r, K) steps.

    NaN where their code has no such strategy.
    """
    how = _reasoning(strategy, step, aggregate, model, omega)
    if how is None:
        return [math.nan] * len(per_trace)
    one, grid = trained(model), tasks.grid(model)
    if model.round_steps:
        return reason_steps(one, per_trace, grid, how).flops.tolist()
    price = 2.0 * model.size[0] * omega * how.branches * how.n
    positive = np.maximum(np.asarray(per_trace, dtype=np.float64) * price, 1e-300)
    return reason(one, positive, grid, how).flops.tolist()


def _reasoning(strategy: c.Strategy, step, aggregate, model: TripartiteModel, omega: float) -> Reasoning | None:
    if isinstance(step, Beam) or getattr(step, "evaluator_error", 0.0) > 0:
        return None
    more: dict = {"branches": step.proposals, "n": aggregate.n, "tokens_per_step": omega}
    if isinstance(aggregate, BestOfN):
        if not aggregate.verifier.perfect:
            return None
        more["aggregate"] = "best_of_n"
    elif isinstance(aggregate, Majority):
        if not isinstance(aggregate.errors, GeometricErrors) or aggregate.ties != "random":
            return None
        more |= {"aggregate": "majority", "categories": aggregate.errors.categories, "decay": aggregate.errors.decay}
    return Reasoning(
        **more,
        feasibility=strategy.feasibility,
        round_steps=model.round_steps,
        steps="min",
        level_ties="lowest",
    )


def priced(
    tasks: LevelTasks, model: TripartiteModel, strategy: c.Strategy, step, aggregate, rows, omega: float, engine, source
) -> tuple[tuple[BudgetRow, ...], tuple[float, ...] | None]:
    """Rows with the authors' cost, and the real steps of a trace where steps are not rounded.

    Raises:
        InputError: steps that are not rounded, and an engine that walks.
    """
    require(
        model.round_steps or engine.kind == "closed_form",
        f"{source}: model.round_steps = false works with engine.kind = closed_form: other engines take whole steps",
    )
    each = tuple(row.steps_per_trace for row in rows)
    found = authors_flops(tasks, model, strategy, step, aggregate, each, omega)
    told = tuple(replace(row, authors_flops=flops) for row, flops in zip(rows, found, strict=True))
    return told, None if model.round_steps else each
