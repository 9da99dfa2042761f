"""The theory between the budgets, so that figures show a curve and not a polygon."""

from __future__ import annotations

import numpy as np

from ds3sim.config.build import PlannedTask, Study
from ds3sim.core.errors import InputError
from ds3sim.engine.simulate import closed_form, exact
from ds3sim.study.references import exact_work

POINTS = 160
"""Points of a curve."""

MOST_EXACT_WORK = 2e9
"""Multiplications allowed for a curve, a second or two; above it the line joins the budgets."""


def theory_curves(study: Study) -> list[dict]:
    """Success and mean cost at many budgets, for each strategy that has a theory.

    Returns:
        dictionaries with ``strategy`` (where the study has several) and lists of one length: ``steps``, ``success``,
        ``tokens`` (expected), with a cost model ``flops`` (mean), and where budgets are given in tokens or FLOPs
        ``budget_tokens`` or ``budget_flops``: the steps are then those that such a budget pays.
    """
    out = []
    for planned in study.tasks:
        task, omega = planned.task, study.tokens_per_step
        steps, given = _budgets(study, planned)
        law = _law(planned) if steps.size > 2 else None
        if law is None:
            continue
        mean = np.asarray(law.expected_steps(steps).estimate, dtype=np.float64)
        success = np.asarray(law.success(steps).estimate, dtype=np.float64)
        curve = {
            "steps": steps,
            "success": success,
            "tokens": task.step.proposals * omega * mean,
            **given,
        }
        if study.cost is not None:
            square = np.asarray(law.expected_square_steps(steps), dtype=np.float64)
            kind = {"branches": task.step.proposals, "n": task.n}
            curve["flops"] = study.cost.mean_flops(omega * mean / task.n, omega**2 * square, **kind)
        name = {} if planned.name is None else {"strategy": planned.name}
        out.append(name | {key: values.tolist() for key, values in curve.items()})
    return out


def _budgets(study: Study, planned: PlannedTask) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Steps per task, and the budgets in tokens or FLOPs that pay them, where budgets are given so."""
    task = planned.task
    low, high = min(planned.given), max(planned.given)
    if study.unit not in ("tokens", "flops") or low <= 0 or high <= low:
        return grid(task.budgets, task.n), {}
    given = np.geomspace(low, high, 3 * POINTS)
    given[[0, -1]] = low, high
    if study.unit == "flops" and study.cost is not None:
        per_trace = np.asarray(study.cost.max_steps(given, branches=task.step.proposals, n=task.n))
        steps = per_trace.astype(np.int64) * task.n
    else:
        steps = np.floor(given / (task.step.proposals * study.tokens_per_step)).astype(np.int64)
    return np.clip(steps, 0, int(task.budgets.max())), {f"budget_{study.unit}": given}


def grid(budgets: np.ndarray, n: int) -> np.ndarray:
    """At most ``POINTS`` budgets over the range of ``budgets``, even in the logarithm, multiples of n, int64."""
    low, high = max(1, int(budgets.min()) // n), int(budgets.max()) // n
    if high < low:
        return np.zeros(0, dtype=np.int64)
    per_trace = np.unique(np.rint(np.geomspace(low, high, POINTS)).astype(np.int64))
    return np.clip(per_trace, low, high) * n


def _law(planned: PlannedTask):
    try:
        return closed_form(planned.task)
    except InputError:
        pass
    try:
        return exact(planned.task) if exact_work(planned.task) <= MOST_EXACT_WORK else None
    except InputError:
        return None
