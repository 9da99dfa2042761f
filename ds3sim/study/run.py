"""Run a study: the numbers of its engine at every budget, beside the reference, as plain data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from ds3sim.core.errors import InputError, StoppedEarly
from ds3sim.engine import NUMBERS, closed_form, exact, simulate
from ds3sim.study.environment import environment
from ds3sim.study.plan import PlannedTask, Study

MOST_EXACT_WORK = 5e10
"""Multiplications allowed for a reference nobody asked for by name, about a minute."""


def run(study: Study, progress: Callable | None = None) -> dict:
    """The result of a study, as ``ds3sim run --json`` prints it.

    Args:
        study: from :func:`ds3sim.study.plan.load`.
        progress: called with the number of trials of each piece of work that is done.

    Returns:
        ``name, engine, seed, traces, stopping, results, reference, environment``; numbers are plain
        Python numbers or None. ``traces`` is the largest number of trials of any strategy. After
        Ctrl-C it holds what was done, and ``stopping["interrupted"]`` is true.

    Raises:
        InputError: the engine cannot do this task.
        KeyboardInterrupt: Ctrl-C before anything was done.
    """
    begun = time.perf_counter()
    results: list[dict] = []
    done: list[PlannedTask] = []
    stopping: dict[str | None, dict] = {}
    interrupted = False
    for planned in study.tasks:
        try:
            law = _law(study, planned, progress)
            rows = _rows(study, planned, law) if getattr(law, "traces", 1) > 0 else []
        except StoppedEarly as stop:
            interrupted, law = True, stop.partial
            rows = _rows(study, planned, law) if law.traces > 0 else []
        except KeyboardInterrupt:
            interrupted = True
            break
        except InputError as error:
            place = "" if planned.name is None else f", strategy {planned.name}"
            raise type(error)(f"{study.source}{place}: engine.kind = {study.engine.kind}: {error}") from None
        if rows:
            results += rows
            done.append(planned)
            stopping[planned.name] = dict(getattr(law, "stopping", {}))
        if interrupted:
            break
    if interrupted and not results:
        raise KeyboardInterrupt
    reference: list[dict] = []
    try:
        for planned in done:
            reference += references(planned)
    except KeyboardInterrupt:
        interrupted = True
    said = stopping if study.config.strategies is not None else stopping[None]
    if interrupted:
        said = {**said, "interrupted": True}
    return as_plain(
        {
            "name": study.name,
            "engine": study.engine.kind,
            "seed": study.seed,
            "traces": max(row["traces"] for row in results),
            "stopping": said,
            "results": results,
            "reference": reference,
            "environment": {**environment(), "wall_s": time.perf_counter() - begun},
        }
    )


def _law(study: Study, planned: PlannedTask, progress):
    """Tally or law of one strategy."""
    engine = study.engine
    if engine.kind in NUMBERS:
        return (exact if engine.kind == "exact" else closed_form)(planned.task)
    limit = {} if engine.max_traces is None else {"max_traces": engine.max_traces}
    return simulate(
        planned.task,
        traces=engine.traces,
        seed=study.seed,
        engine=engine.kind,
        chunk=engine.chunk,
        relative_error=engine.relative_error,
        progress=progress,
        **limit,
    )


def _rows(study: Study, planned: PlannedTask, law) -> list[dict]:
    """One row for each budget (docs/theory.md section 5 for tokens and FLOPs)."""
    task = planned.task
    n, proposals, omega = task.n, task.step.proposals, study.tokens_per_step
    budgets = task.budgets
    per_trace = budgets // n
    success, steps = law.success(budgets), law.expected_steps(budgets)
    square = np.asarray(law.expected_square_steps(budgets), dtype=np.float64)
    traces = 0 if study.engine.kind in NUMBERS else int(law.traces)
    rows = []
    for i, budget in enumerate(budgets.tolist()):
        trace_steps = float(steps.estimate[i]) / n
        row: dict = {} if planned.name is None else {"strategy": planned.name}
        row |= {"steps": budget, "steps_per_trace": int(per_trace[i])}
        if study.unit in ("tokens", "flops"):
            row[study.unit] = planned.given[i]
        row |= {
            "traces": traces,
            "success": _interval(success, i),
            "expected_steps": _interval(steps, i),
            "expected_tokens": proposals * omega * float(steps.estimate[i]),
            "expected_flops": None,
            "mean_flops": None,
            "budget_tokens": float(proposals * omega * n * int(per_trace[i])),
            "budget_flops": None,
        }
        if study.cost is not None:
            cost, kind = study.cost, {"branches": proposals, "n": n}
            row["expected_flops"] = float(cost.flops(omega * trace_steps, **kind))
            row["mean_flops"] = float(cost.mean_flops(omega * trace_steps, omega**2 * square[i], **kind))
            row["budget_flops"] = float(cost.flops(omega * int(per_trace[i]), **kind))
        rows.append(row)
    return rows


def _interval(estimate, i: int) -> dict:
    return {
        "estimate": float(estimate.estimate[i]),
        "low": float(estimate.low[i]),
        "high": float(estimate.high[i]),
    }


def references(planned: PlannedTask) -> list[dict]:
    """The reference at every budget: closed form where there is one, else exact, else nothing."""
    task = planned.task
    name = {} if planned.name is None else {"strategy": planned.name}
    for kind, engine in (("closed_form", closed_form), ("exact", exact)):
        if kind == "exact" and exact_work(planned) > MOST_EXACT_WORK:
            continue
        try:
            law = engine(task)
            success = np.asarray(law.success(task.budgets).estimate)
            steps = np.asarray(law.expected_steps(task.budgets).estimate)
        except InputError:  # no formula, or no small tensor
            continue
        return [
            {
                **name,
                "steps": int(budget),
                "success": float(success[i]),
                "expected_steps": float(steps[i]),
                "by": kind,
            }
            for i, budget in enumerate(task.budgets)
        ]
    return []


def exact_work(planned: PlannedTask) -> float:
    """About how many multiplications the exact law takes: edges times steps."""
    return float(len(planned.task.graph.source) + planned.task.graph.size) * planned.task.max_steps


def as_plain(table: dict) -> dict:
    """Plain Python data for JSON: NumPy numbers unpacked, NaN and infinity as None."""
    return {str(key): _plain(value) for key, value in table.items()}


def _plain(value):
    if isinstance(value, dict):
        return as_plain(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
