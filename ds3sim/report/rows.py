"""The rows of a result by strategy, and how far each lies from its reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ds3sim.core.errors import require
from ds3sim.results.labels import COLUMNS
from ds3sim.results.result import Result
from ds3sim.results.row import Row
from ds3sim.stats.intervals import NORMAL_95
from ds3sim.stats.tests import binomial_p, binomial_z


@dataclass(frozen=True)
class Compared:
    """A row with its distance from the reference in standard errors.

    Attributes:
        row: of the result.
        z_success: for traces by the exact binomial law; None without a reference or where nothing is random.
        z_steps: of the expected steps; None as above.
    """

    row: Row
    z_success: float | None
    z_steps: float | None


def compared(result: Result) -> list[Compared]:
    """The rows of a result in their order.

    Raises:
        InputError: there are none.
    """
    require(len(result.rows) > 0, "there are no results to show: nothing was simulated yet")
    mixture = "tasks" in result.config or result.engine == "importance"
    return [Compared(row, *_z_scores(row, mixture)) for row in result.rows]


def by_strategy(rows: list[Compared]) -> dict[str, list[Compared]]:
    """Rows of each strategy by budget; the name is empty where there is only one."""
    out: dict[str, list[Compared]] = {}
    for one in rows:
        out.setdefault(one.row.strategy or "", []).append(one)
    return {name: sorted(own, key=lambda one: one.row.steps) for name, own in out.items()}


def _z_scores(row: Row, mixture: bool) -> tuple[float | None, float | None]:
    known = row.reference
    if known is None or not row.traces:
        return None, None
    hits = row.success * row.traces
    if mixture or abs(hits - round(hits)) > 1e-6 * max(1.0, hits):  # no plain count of traces
        z = _z(row.success - known.success, row.success_high - row.success_low)
    else:
        z = binomial_score(row.success, row.traces, known.success)
    return z, _z(row.expected_steps - known.expected_steps, row.expected_steps_high - row.expected_steps_low)


def binomial_score(share: float, trials: int, probability: float) -> float:
    """The normal score of the exact binomial p-value of ``share * trials`` hits; right for rare events too.

    With many hits it is (share - probability) / standard error.
    """
    from scipy.special import ndtri

    hits = min(trials, max(0, round(share * trials)))
    probability = min(1.0, max(0.0, probability))
    p = float(binomial_p(hits, trials, probability))
    if p < 1e-300:
        return float(binomial_z(hits, trials, probability))
    return math.copysign(float(-ndtri(p / 2)), share - probability)


def _z(difference: float, width: float) -> float:
    """Difference in standard errors, from the width of a 95% interval; rounding in the last digits is no difference."""
    if abs(difference) <= 1e-12:
        return 0.0
    return difference * 2 * NORMAL_95 / width if width > 0 else math.copysign(math.inf, difference)


FIELDS = (
    "strategy", "steps", "steps_per_trace", "budget_tokens", "budget_flops", "success", "success_low", "success_high",
    "expected_steps", "expected_steps_low", "expected_steps_high", "expected_tokens", "expected_flops", "mean_flops",
)  # fmt: skip


def run_table(result: Result) -> list[dict[str, Any]]:
    """Tidy rows of ``results.csv``; the units are in the names.

    ``expected_tokens_FLOP`` is the cost of a task that uses exactly the expected tokens, ``mean_FLOP`` the mean
    of the cost over tasks. They differ where attention is counted, for its cost grows with the square.
    """
    out = []
    for one in compared(result):
        row, known = one.row, one.row.reference
        cells: dict[str, Any] = {"name": result.name, "engine": result.engine, "seed": result.seed}
        cells["traces"] = row.traces
        cells |= {name if name == "strategy" else COLUMNS[name].header: getattr(row, name) for name in FIELDS}
        cells["reference"] = known and known.by
        cells["reference_success_probability"] = known and known.success
        cells["reference_expected_steps"] = known and known.expected_steps
        out.append(cells | {"z_success": one.z_success, "z_expected_steps": one.z_steps})
    return out
