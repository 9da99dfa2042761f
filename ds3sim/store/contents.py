"""Points of a sweep as plain data, and results read from a store without the config.

A point is a dictionary with ``axes`` (dotted key -> value), ``strategy`` (a name or None), ``engine``,
``parts`` (``identity`` and ``weight`` of each task of a mixture, a number or one for each budget; one of weight 1 for
a plain task),
``n``, ``proposals`` (per step), ``tokens_per_step``, ``cost`` (the fields of ``CostModel``, or None)
and ``rows``: for each budget ``steps``, ``steps_per_trace``, and ``tokens`` or ``flops`` as given.
Where an engine's numbers are final, ``results`` holds the finished rows instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from ds3sim.config.build import PlannedTask, Study
from ds3sim.config.expand import Entry
from ds3sim.core.errors import InputError, require
from ds3sim.store.store import Store
from ds3sim.task.mixture import weighed
from ds3sim.theory.cost import CostModel


def point_entry(axes: Mapping, study: Study, planned: PlannedTask) -> dict:
    """The point of one task of a study."""
    task = planned.task
    rows = []
    for budget, given in zip(task.budgets.tolist(), planned.given, strict=True):
        row = {"steps": budget, "steps_per_trace": budget // task.n}
        if study.unit in ("tokens", "flops"):
            row[study.unit] = float(given)
        rows.append(row)
    return {
        "axes": dict(axes),
        "strategy": planned.name,
        "engine": study.engine.kind,
        "parts": [{"identity": task.identity, "weight": 1.0}],
        "n": task.n,
        "proposals": task.step.proposals,
        "tokens_per_step": float(study.tokens_per_step),
        "cost": None if study.cost is None else asdict(study.cost),
        "rows": rows,
    }


def point_rows(point: Mapping, laws: Sequence) -> list[dict]:
    """Rows as in ``ds3sim run --json`` of a point, from the tallies or laws of its parts.

    A mixture's estimate is the weighted mean of its parts. Its interval adds the parts' half widths,
    times their weights, in quadrature (Zou and Donner, 2008): right for independent parts.

    Raises:
        InputError: the point lacks what its rows need.
    """
    try:
        weights = np.array([part["weight"] for part in point["parts"]], dtype=np.float64)  # [parts] or [parts, budgets]
        weights = weights / weights.sum(axis=0)
        n, proposals, omega = int(point["n"]), int(point["proposals"]), float(point["tokens_per_step"])
        steps = np.array([int(row["steps"]) for row in point["rows"]], dtype=np.int64)
        cost = CostModel(**point["cost"]) if point.get("cost") else None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"a point of the sweep cannot be read: {type(error).__name__}: {error}") from None
    success = _mixed([law.success(steps) for law in laws], weights)
    spent = _mixed([law.expected_steps(steps) for law in laws], weights)
    square = weighed(weights, [np.asarray(law.expected_square_steps(steps), dtype=np.float64) for law in laws])
    traces = int(sum(law.traces for law in laws))
    out = []
    for i, given in enumerate(point["rows"]):
        row = {} if point.get("strategy") is None else {"strategy": point["strategy"]}
        row |= dict(given)
        per_trace = int(steps[i]) // n
        row |= {
            "steps_per_trace": per_trace,
            "traces": traces,
            "success": _interval(success, i),
            "expected_steps": _interval(spent, i),
            "expected_tokens": proposals * omega * float(spent[0][i]),
            "expected_flops": None,
            "mean_flops": None,
            "budget_tokens": float(proposals * omega * n * per_trace),
            "budget_flops": None,
        }
        if cost is not None and cost.has_flops:
            kind = {"branches": proposals, "n": n}
            mean = omega * float(spent[0][i]) / n
            row["expected_flops"] = float(cost.flops(mean, **kind))
            row["mean_flops"] = float(cost.mean_flops(mean, omega**2 * float(square[i]), **kind))
            row["budget_flops"] = float(cost.flops(omega * per_trace, **kind))
        out.append(row)
    return out


def store_result(store: Store, name: str | None = None) -> dict:
    """What the store knows of a sweep, in the form of ``ds3sim sweep --json``.

    Points with the same axes stand together, their strategies side by side. All seeds are added up.
    A point of which nothing has been simulated is left out and counted in ``missing``.

    Args:
        store: the store.
        name: of the sweep; None takes the one used last.

    Returns:
        ``name, engine, points, missing, seeds``.

    Raises:
        InputError: the store holds no sweep (of this name), or a point cannot be read.
    """
    every = store.sweeps()
    sweeps = [s for s in every if name in (None, s["name"])]
    known = ", ".join(sorted({s["name"] for s in every}))
    have = f"it has {known}" if known else "ds3sim sweep --store writes one"
    require(len(sweeps) > 0, f"{store.path}: has no sweep{f' called {name}' if name else ''}: {have}")
    chosen = sweeps[-1]
    points: dict[str, dict] = {}
    missing, seeds, engines = 0, set(), set()
    for point in chosen["points"]:
        engine = str(point.get("engine"))
        rows = point.get("results")
        if rows is None:
            tallies = [store.tally(part["identity"], engine) for part in point.get("parts", ())]
            if not tallies or any(tally is None for tally in tallies):
                missing += 1
                continue
            seeds |= {r[0] for tally in tallies if tally is not None for r in tally.ranges}
            rows = point_rows(point, tallies)
        engines.add(engine)
        entry = points.setdefault(repr(point["axes"]), {"axes": point["axes"], "results": []})
        entry["results"] += rows
    return {
        "name": chosen["name"],
        "engine": engines.pop() if len(engines) == 1 else ", ".join(sorted(engines)),
        "points": list(points.values()),
        "missing": missing,
        "seeds": sorted(seeds),
    }


def _mixed(estimates, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean and interval: estimate, low, high, float64 [B] each."""
    if len(estimates) == 1:
        one = estimates[0]
        return np.asarray(one.estimate), np.asarray(one.low), np.asarray(one.high)
    mid, low, high = (np.array([getattr(e, key) for e in estimates]) for key in ("estimate", "low", "high"))
    square, mean = np.square(weights), weighed(weights, mid)
    return mean, mean - np.sqrt(weighed(square, (mid - low) ** 2)), mean + np.sqrt(weighed(square, (high - mid) ** 2))


def _interval(triple, i: int) -> dict:
    return {key: float(part[i]) for key, part in zip(("estimate", "low", "high"), triple, strict=True)}


def contents(entry: Entry) -> dict:
    """An entry as plain data (:mod:`ds3sim.store.contents`)."""
    return {
        "axes": entry.axes,
        "strategy": entry.strategy,
        "engine": entry.engine.kind,
        "parts": [
            {"identity": task.identity, "weight": weight}
            for task, weight in zip(entry.tasks, entry.weights, strict=True)
        ],
        "n": entry.tasks[0].n,
        "proposals": entry.tasks[0].step.proposals,
        "tokens_per_step": entry.tokens_per_step,
        "cost": None if entry.cost is None else asdict(entry.cost),
        "rows": [row.to_dict() for row in entry.rows],
    }
