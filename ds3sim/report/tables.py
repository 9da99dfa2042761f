"""Tables of a page: columns with units, cells as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ds3sim.core.text import number, probability, signed
from ds3sim.report.rows import Compared
from ds3sim.results.plot import units
from ds3sim.results.result import Result
from ds3sim.results.row import Reference

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
        _value("expected", "steps", "expected_steps"),
        _interval("steps", "expected_steps", number, 5),
        _value("expected", "tokens", "expected_tokens"),
        _value("worst case", "tokens", "budget_tokens"),
        _value("mean", "FLOPs", "mean_flops"),
        _value("worst case", "FLOPs", "budget_flops"),
    ]
    return table_of("Results table", columns, rows)


def known(one: Compared) -> Reference:
    """The reference of a row that has one."""
    assert one.row.reference is not None
    return one.row.reference


def theory_table(result: Result, rows: Sequence[Compared], usual: float) -> Table:
    """Every row with a reference beside it; a |z| above ``usual`` is marked."""
    random = any(one.row.traces for one in rows)
    by = "simulation" if random else "engine"

    def distance(name: str, z: str) -> Column:
        if random:
            far = lambda one: abs(getattr(one, z) or 0.0) > usual  # noqa: E731
            return Column(Head("z", name), lambda one: signed(getattr(one, z)), far)
        field_ = {"steps": "expected_steps"}.get(name, name)
        gap = lambda one: getattr(one.row, field_) - getattr(known(one), field_)  # noqa: E731
        return Column(Head("difference", name), lambda one: f"{gap(one):.1e}")

    rows = [one for one in rows if one.row.reference is not None]
    columns = [
        *_places(result),
        _value("budget", "steps", "steps"),
        _value("success", by, "success", probability),
        Column(Head("success", "theory"), lambda one: probability(known(one).success)),
        distance("success", "z_success"),
        Column(Head("steps", by), lambda one: number(one.row.expected_steps, 5)),
        Column(Head("steps", "theory"), lambda one: number(known(one).expected_steps, 5)),
        distance("steps", "z_steps"),
        Column(Head("theory by", text=True), lambda one: known(one).by.replace("_", " ")),
    ]
    return table_of("Comparison with theory", columns, rows)
