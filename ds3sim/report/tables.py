"""Tables of pages and files: rows of a result, and how far each lies from its reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ds3sim.core.errors import require
from ds3sim.core.text import number, probability, signed
from ds3sim.results.labels import COLUMNS
from ds3sim.results.plot import units
from ds3sim.results.result import Result
from ds3sim.results.row import ENDS, WEIGHED, Row
from ds3sim.stats.intervals import NORMAL_95, normal_quantile
from ds3sim.stats.tests import binomial_p, binomial_z


@dataclass(frozen=True)
class Compared:
    """A row, and how far success and expected steps lie from the reference in standard errors; None: not known."""

    row: Row
    z_success: float | None
    z_steps: float | None


def compared(result: Result) -> list[Compared]:
    """The rows of a result in their order. InputError: there are none."""
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
    hits = min(trials, max(0, round(share * trials)))
    probability = min(1.0, max(0.0, probability))
    p = float(binomial_p(hits, trials, probability))
    if p < 1e-300:
        return float(binomial_z(hits, trials, probability))
    return math.copysign(float(-normal_quantile(p / 2)), share - probability)


def _z(difference: float, width: float) -> float:
    """Difference in standard errors, from the width of a 95% interval; rounding in the last digits is no difference."""
    if abs(difference) <= 1e-12:
        return 0.0
    return difference * 2 * NORMAL_95 / width if width > 0 else math.copysign(math.inf, difference)


FIELDS = ("steps", "steps_per_trace", "budget_tokens", "budget_flops",
          *(name + end for name in ("success", "expected_steps") for end in ENDS.values()),
          "expected_tokens", "expected_flops", "mean_flops", *WEIGHED)  # fmt: skip


def run_table(result: Result) -> list[dict[str, Any]]:
    """Tidy rows of ``results.csv``; the units are in the names.

    ``expected_tokens_FLOP`` and ``mean_FLOP`` differ where attention is counted, for its cost grows with the square.
    """
    out = []
    for one in compared(result):
        row, known = one.row, one.row.reference
        cells: dict[str, Any] = {"name": result.name, "engine": result.engine, "seed": result.seed}
        cells |= {"traces": row.traces, "strategy": row.strategy}
        values = {name: getattr(row, name) for name in FIELDS}
        cells |= {COLUMNS[name].header: v for name, v in values.items() if v is not None or name not in WEIGHED}
        cells |= {"reference": known and known.by, "reference_success_probability": known and known.success}
        cells |= {"reference_expected_steps": known and known.expected_steps}
        out.append(cells | {"z_success": one.z_success, "z_expected_steps": one.z_steps})
    return out


NONE = "–"


@dataclass(frozen=True)
class Head:
    """The head of a column; ``text``: it holds words, not numbers."""

    title: str
    unit: str = ""
    text: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a result's table: what it says of a row, and whether a row's cell is to be marked."""

    head: Head
    cell: Callable[[Compared], str]
    far: Callable[[Compared], bool] = field(default=lambda one: False)


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and whether it is marked."""

    text: str
    far: bool = False


@dataclass(frozen=True)
class Table:
    """A table as a template takes it; ``label`` is for who cannot see it."""

    label: str
    columns: Sequence[Head]
    rows: Sequence[Sequence[Cell]]


def table_of(label: str, columns: Sequence[Column], rows: Sequence[Compared]) -> Table:
    """The columns that some row fills."""
    filled = [column for column in columns if any(column.cell(one) != NONE for one in rows)]
    cells = [[Cell(column.cell(one), column.far(one)) for column in filled] for one in rows]
    return Table(label, [column.head for column in filled], cells)


def _value(title: str, unit: str, name: str, form: Callable[[float | None], str] = number) -> Column:
    return Column(Head(title, unit), lambda one: form(getattr(one.row, name)))


def _interval(unit: str, name: str, form: Callable[..., str], *digits: int) -> Column:
    def cell(one: Compared) -> str:
        low, high = (form(getattr(one.row, f"{name}_{end}"), *digits) for end in ("low", "high"))
        return f"{low} to {high}" if one.row.traces else NONE

    return Column(Head("95% interval", unit), cell)


def _axis(name: str) -> Column:
    def cell(one: Compared) -> str:
        value = one.row.axes.get(name)
        return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)

    return Column(Head(name, units(name)), cell)


def _places(result: Result) -> list[Column]:
    strategy = Column(Head("strategy", text=True), lambda one: one.row.strategy or NONE)
    return [*map(_axis, result.axes), strategy]


def results_table(result: Result, rows: Sequence[Compared]) -> Table:
    """Success and cost of every row."""
    columns = [
        *_places(result),
        _value("CoT budget", "tokens", "cot_tokens"),
        _value("CoT budget", "steps", "cot_steps"),
        *(_value("budget", unit, name) for unit, name in (("tokens", "tokens"), ("FLOPs", "flops")) if result.axes),
        _value("budget", "steps", "steps"),
        _value("per trace", "steps", "steps_per_trace"),
        _value("success", "probability", "success", probability),
        _interval("probability", "success", probability),
        _value("effective", "traces", "effective_traces"),
        _value("expected", "steps", "expected_steps"),
        _interval("steps", "expected_steps", number, 5),
        _value("expected", "tokens", "expected_tokens"),
        _value("worst case", "tokens", "budget_tokens"),
        _value("mean", "FLOPs", "mean_flops"),
        _value("worst case", "FLOPs", "budget_flops"),
    ]
    return table_of("Results table", columns, rows)


def theory_table(result: Result, rows: Sequence[Compared], usual: float) -> Table:
    """Every row with a reference beside it; a |z| above ``usual`` is marked."""
    random = any(one.row.traces for one in rows)
    by = "simulation" if random else "engine"

    def quantity(title: str, name: str, z: str, form: Callable[..., str], *digits: int) -> list[Column]:
        value = lambda one: getattr(one.row, name)  # noqa: E731
        theory = lambda one: getattr(one.row.reference, name)  # noqa: E731
        distance = Column(Head("difference", title), lambda one: f"{value(one) - theory(one):.1e}")
        if random:
            far = lambda one: abs(getattr(one, z) or 0.0) > usual  # noqa: E731
            distance = Column(Head("z", title), lambda one: signed(getattr(one, z)), far)
        ours, theirs = (lambda one: form(value(one), *digits)), (lambda one: form(theory(one), *digits))
        return [Column(Head(title, by), ours), Column(Head(title, "theory"), theirs), distance]

    rows = [one for one in rows if one.row.reference is not None]
    columns = [
        *_places(result),
        _value("budget", "steps", "steps"),
        *quantity("success", "success", "z_success", probability),
        *quantity("steps", "expected_steps", "z_steps", number, 5),
        Column(Head("theory by", text=True), lambda one: getattr(one.row.reference, "by", NONE).replace("_", " ")),
    ]
    return table_of("Comparison with theory", columns, rows)
