"""Rows of many entries at once: results as ``run`` prints them, and the references beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3sim.config.build import PlannedTask, Study
from ds3sim.config.expand import Entry
from ds3sim.engine.law import mixed
from ds3sim.engine.limits import NUMBERS
from ds3sim.task.mixture import weighed


def rows_of(entries: Sequence[Entry], found: Sequence[Sequence]) -> list[list[dict]]:
    """The rows of every entry, from the laws of its tasks."""
    moments = []
    out = []
    for entry, laws in zip(entries, found, strict=True):
        steps = entry.tasks[0].budgets
        success = mixed([law.success(steps) for law in laws], entry.weights)
        spent = mixed([law.expected_steps(steps) for law in laws], entry.weights)
        square = np.array([law.expected_square_steps(steps) for law in laws], dtype=np.float64)
        moments.append((spent[0], weighed(entry.weights, square)))
        traces = int(sum(law.traces for law in laws))
        name = {} if entry.strategy is None else {"strategy": entry.strategy}
        ends = [np.stack(part, axis=1).tolist() for part in (_within(success, 1.0), _within(spent, steps))]
        tokens = entry.tasks[0].step.proposals * entry.tokens_per_step
        out.append(
            [
                {
                    **name,
                    **given.to_dict(),
                    "traces": traces,
                    "success": dict(zip(("estimate", "low", "high"), p, strict=True)),
                    "expected_steps": dict(zip(("estimate", "low", "high"), s, strict=True)),
                    "expected_tokens": tokens * s[0],
                    "expected_flops": None,
                    "mean_flops": None,
                    "budget_tokens": float(tokens * entry.tasks[0].n * given.steps_per_trace),
                    "budget_flops": None,
                }
                for given, p, s in zip(entry.rows, *ends, strict=True)
            ]
        )
    _put_flops(entries, moments, out)
    return out


def _within(triple, most) -> list[np.ndarray]:
    """The interval clipped to what is possible."""
    estimate, low, high = triple
    return [estimate, np.maximum(low, 0.0), np.minimum(high, np.maximum(most, estimate))]


def _put_flops(entries: Sequence[Entry], moments: Sequence[tuple], out: list[list[dict]]) -> None:
    """FLOPs of all rows, one call for each cost model."""
    groups: dict = {}
    for i, entry in enumerate(entries):
        if entry.cost is not None:
            groups.setdefault(entry.cost, []).append(i)
    for cost, members in groups.items():
        sizes = [len(out[i]) for i in members]
        omega = cost.tokens_per_step
        kind = {
            "branches": np.repeat([entries[i].tasks[0].step.proposals for i in members], sizes),
            "n": np.repeat([entries[i].tasks[0].n for i in members], sizes),
        }
        spent, square = (np.concatenate([moments[i][j] for i in members]) for j in (0, 1))
        per_trace = np.array([row["steps_per_trace"] for i in members for row in out[i]], dtype=np.float64)
        mean = omega * (spent / kind["n"])
        # A mean and a mean square that were rounded apart may miss mean^2 <= square by an ulp or two.
        columns = {
            "expected_flops": cost.flops(mean, **kind),
            "mean_flops": cost.mean_flops(mean, np.maximum(omega**2 * square, mean * mean), **kind),
            "budget_flops": cost.flops(omega * per_trace, **kind),
        }
        rows = [row for i in members for row in out[i]]
        for key, values in columns.items():
            for row, value in zip(rows, values.tolist(), strict=True):
                row[key] = value


def rows_of_law(study: Study, planned: PlannedTask, law) -> list[dict]:
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
