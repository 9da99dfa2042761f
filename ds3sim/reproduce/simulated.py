"""Simulated points of a figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ds3sim.core.estimate import Estimate
from ds3sim.engine.simulate import simulate
from ds3sim.graph.graph import SkillGraph
from ds3sim.report.points import Points
from ds3sim.reproduce.drawing import Options
from ds3sim.stats.intervals import NORMAL_95, normal_quantile
from ds3sim.stats.tests import binomial_p
from ds3sim.task.aggregate import Aggregate, Single
from ds3sim.task.steps import CoT, ToT
from ds3sim.task.task import Task
from ds3sim.theory import chain
from ds3sim.theory.difficulty import Difficulty


def chain_task(m: int, r: float, steps: Any, branches: int = 1, aggregate: Aggregate | None = None) -> Task:
    """A task on the chain; ``steps`` per task (shared by its traces) is one budget or several."""
    step = ToT(branches=int(branches)) if branches > 1 else CoT()
    budgets = [int(k) for k in np.atleast_1d(steps)]
    return Task(SkillGraph.chain(int(m), float(r)), step=step, aggregate=aggregate or Single(), steps=budgets)


def walk(task: Task, options: Options, traces: int) -> Any:
    """The tally of a simulation with the traces engine."""
    return simulate(task, traces=traces, seed=options.seed)


def chain_points(m: int, r: float, steps: Any, options: Options, traces: int, branches: int = 1) -> Points:
    """Success on the chain at budgets ``steps``, all of them from one run, beside (1)."""
    theory = chain.success(m, chain.branch_success(r, branches), steps)
    tally = walk(chain_task(m, r, np.maximum(steps, 1), branches), options, traces)
    return success_points(tally, steps, theory)


def success_points(tally: Any, steps: Any, theory: Any) -> Points:
    """Success of the task at budgets (per task), Clopper-Pearson intervals, and z from the exact binomial p-value."""
    steps = np.atleast_1d(steps).astype(np.int64)
    theory = np.broadcast_to(np.asarray(theory, dtype=np.float64), steps.shape)
    found: Estimate = tally.success(steps)
    p = binomial_p(np.rint(np.asarray(found.estimate) * tally.traces), tally.traces, theory)
    z = np.copysign(np.where(p >= 1, 0.0, -normal_quantile(np.minimum(p, 1.0) / 2.0)), found.estimate - theory)
    return Points(found.estimate, found.low, found.high, theory, z, tally.traces)


def steps_points(tally: Any, steps: Any, mean: Any, square: Any) -> Points:
    """Expected steps of a task with one trace; ``mean`` and ``square`` are the moments of theory."""
    steps = np.atleast_1d(steps).astype(np.int64)
    mean, square = (np.broadcast_to(np.asarray(v, dtype=np.float64), steps.shape) for v in (mean, square))
    found: Estimate = tally.expected_steps(steps)
    error = np.sqrt(np.maximum(square - mean * mean, 0.0) / tally.traces)
    gap = np.asarray(found.estimate) - mean
    close = np.abs(gap) <= 1e-12 * mean
    z = np.divide(gap, error, out=np.where(close, 0.0, np.copysign(np.inf, gap)), where=error > 1e-12 * mean)
    return Points(found.estimate, found.low, found.high, mean, z, tally.traces)


def mixture_points(mixture: Difficulty, loss: float, steps: Any, options: Options, traces: int) -> Points:
    """Mean success over a mixture of tasks at a loss: ``traces`` walks of every task.

    ``steps``: budgets; one run of each task serves all of them. The tasks are strata, so the variance is that within.
    """
    steps = np.atleast_1d(steps).astype(np.int64)
    rates = mixture.step_success(loss)
    theory = mixture.moments(loss, steps).success
    value, spread, variance = (np.zeros(len(steps)) for _ in range(3))
    for r, m, w in zip(rates.tolist(), mixture.skills.tolist(), mixture.weights.tolist(), strict=True):
        p = np.asarray(walk(chain_task(m, r, steps), options, traces).success(steps).estimate)
        right = np.asarray(chain.success(m, r, steps))
        value += w * p
        spread += w * w * p * (1 - p) / traces
        variance += w * w * right * (1 - right) / traces
    half = NORMAL_95 * np.sqrt(spread) + mixture.weights.max() * 3.0 / traces
    # With the correction for continuity: one hit where 0.05 are expected is no four standard errors.
    gap = value - theory
    gap = np.sign(gap) * np.maximum(np.abs(gap) - 0.5 * mixture.weights.max() / traces, 0.0)
    z = np.divide(gap, np.sqrt(variance), out=np.zeros(len(steps)), where=variance > 0)
    return Points(value, np.maximum(value - half, 0.0), np.minimum(value + half, 1.0), theory, z, traces * len(rates))


def every(mixture: Difficulty, stride: int) -> Difficulty:
    """Every ``stride``-th task of a mixture, for a quick figure."""
    return Difficulty(mixture.ease[::stride], mixture.skills[::stride], mixture.weights[::stride], mixture.bridge)


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of one number changes its sign in [low, high]."""
    from scipy.optimize import brentq

    found: Any = brentq(function, low, high)
    return float(found)


def whole_budgets(low: float, high: float, points: int) -> np.ndarray:
    """Distinct whole numbers, about evenly spread in the logarithm."""
    return np.unique(np.rint(np.geomspace(low, high, points)).astype(np.int64))
