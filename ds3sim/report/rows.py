"""The result of a run as rows: what the CSV, the figures and the page have in common.

A result is the dictionary that ``ds3sim run --json`` prints. ``series`` splits it by strategy and
puts beside each budget its reference (closed form or exact) and how far the estimate lies from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ds3sim.core.errors import InputError
from ds3sim.stats.tests import binomial_p, binomial_z

NORMAL_95 = 1.959963984540054
"""Half width of a normal 95% interval in standard errors."""

RANDOM_ENGINES = ("traces", "population", "importance")


@dataclass(frozen=True)
class Row:
    """One budget of one strategy.

    Attributes:
        data: the entry of ``results``.
        reference: the entry of ``reference`` at the same budget, or None.
        z_success, z_steps: distance from the reference in standard errors (for success by the exact
            binomial law); None without a reference or where the engine is not random.
    """

    data: Mapping[str, Any]
    reference: Mapping[str, Any] | None
    z_success: float | None
    z_steps: float | None

    @property
    def steps(self) -> int:
        """The budget in steps per task."""
        return int(self.data["steps"])

    @property
    def success(self) -> tuple[float, float, float]:
        """Success probability: estimate, low, high."""
        return triple(self.data["success"])

    @property
    def expected_steps(self) -> tuple[float, float, float]:
        """Expected steps of a task, summed over its traces: estimate, low, high."""
        return triple(self.data["expected_steps"])

    @property
    def flops(self) -> float | None:
        """Mean FLOPs of a task; FLOPs at the expected tokens where the mean is not given."""
        for key in ("mean_flops", "expected_flops"):
            if self.data.get(key) is not None:
                return float(self.data[key])
        return None


@dataclass(frozen=True)
class Series:
    """One strategy: its name (empty when there is only one) and its rows, by budget."""

    name: str
    rows: tuple[Row, ...]

    @property
    def reference_by(self) -> str | None:
        """What the reference was computed with: ``closed_form``, ``exact`` or None."""
        kinds = [str(r.reference.get("by", "reference")) for r in self.rows if r.reference is not None]
        return kinds[0] if kinds else None


def triple(value: Mapping[str, float]) -> tuple[float, float, float]:
    """An estimate with its interval as three floats."""
    return float(value["estimate"]), float(value["low"]), float(value["high"])


def is_random(result: Mapping[str, Any]) -> bool:
    """True when the numbers come from sampling."""
    return result.get("engine") in RANDOM_ENGINES


def series(result: Mapping[str, Any]) -> list[Series]:
    """The rows of a result by strategy, in the order of first appearance.

    Raises:
        InputError: the dictionary is not a result of ``ds3sim run``.
    """
    try:
        reference = {_place(row): row for row in result.get("reference") or ()}
        groups: dict[str, list[Row]] = {}
        for data in result["results"]:
            groups.setdefault(str(data.get("strategy", "")), []).append(_row(result, data, reference.get(_place(data))))
        return [Series(name, tuple(sorted(rows, key=lambda r: r.steps))) for name, rows in groups.items()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"this is not a result of ds3sim run: {type(error).__name__}: {error}") from error


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    return str(row.get("strategy", "")), int(row["steps"])


def _row(result, data, reference) -> Row:
    row = Row(data, reference, None, None)
    estimate, steps = row.success, row.expected_steps
    if reference is None or not is_random(result):
        return row
    z_success = z_steps = None
    if reference.get("success") is not None:
        expected = float(reference["success"])
        trials = int(data.get("traces") or result.get("traces") or 0)
        if result.get("engine") == "importance" or trials <= 0:
            z_success = _z(estimate[0] - expected, (estimate[2] - estimate[1]) / (2 * NORMAL_95))
        else:
            z_success = binomial_score(estimate[0], trials, expected)
    if reference.get("expected_steps") is not None:
        z_steps = _z(steps[0] - float(reference["expected_steps"]), (steps[2] - steps[1]) / (2 * NORMAL_95))
    return Row(data, reference, z_success, z_steps)


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


def _z(difference: float, spread: float) -> float:
    """Difference in standard errors; rounding in the last digits does not count as one."""
    if abs(difference) <= 1e-12:
        return 0.0
    return difference / spread if spread > 0 else math.copysign(math.inf, difference)


COLUMNS: tuple[str, ...] = (
    "name",
    "engine",
    "seed",
    "traces",
    "strategy",
    "budget_steps",
    "budget_steps_per_trace",
    "budget_tokens",
    "budget_FLOP",
    "success_probability",
    "success_probability_low95",
    "success_probability_high95",
    "expected_steps",
    "expected_steps_low95",
    "expected_steps_high95",
    "expected_tokens",
    "expected_tokens_FLOP",
    "mean_FLOP",
    "reference",
    "reference_success_probability",
    "reference_expected_steps",
    "z_success",
    "z_expected_steps",
)


def table(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tidy rows, one a strategy and budget; the keys are ``COLUMNS``, the units are in the names.

    ``expected_tokens_FLOP`` is the cost of a task that uses exactly the expected tokens, ``mean_FLOP`` the mean
    of the cost over tasks. They differ where attention is counted, for its cost grows with the square.
    """
    out = []
    for one in series(result):
        for row in one.rows:
            data, reference = row.data, row.reference or {}
            values = (
                result.get("name"),
                result.get("engine"),
                result.get("seed"),
                data.get("traces", result.get("traces")),
                one.name,
                row.steps,
                data.get("steps_per_trace"),
                data.get("budget_tokens"),
                data.get("budget_flops"),
                *row.success,
                *row.expected_steps,
                data.get("expected_tokens"),
                data.get("expected_flops"),
                data.get("mean_flops"),
                reference.get("by"),
                reference.get("success"),
                reference.get("expected_steps"),
                row.z_success,
                row.z_steps,
            )
            out.append(dict(zip(COLUMNS, values, strict=True)))
    return out
