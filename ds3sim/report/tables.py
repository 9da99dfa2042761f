"""Tables of a page: columns with units, cells as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ds3sim.core.text import number, probability, signed
from ds3sim.report.rows import Compared
from ds3sim.results.plot import units
from ds3sim.results.result import Result

NONE = "–"


@dataclass(frozen=True)
class Column:
    """A column of a page's table.

    Attributes:
        title, unit: its head.
        cell: what it says of a row.
        text: words, not a number.
        far: whether a row's cell is to be marked.
    """

    title: str
    unit: str
    cell: Callable[[Compared], str]
    text: bool = False
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
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


def table_of(label: str, columns: Sequence[Column], rows: Sequence[Compared]) -> Table:
    """The columns that some row fills."""
    filled = [column for column in columns if any(column.cell(one) != NONE for one in rows)]
    return Table(label, filled, [[Cell(c.cell(one), c.far(one)) for c in filled] for one in rows])


def _value(title: str, unit: str, name: str, form: Callable[[float | None], str] = number) -> Column:
    return Column(title, unit, lambda one: form(getattr(one.row, name)))


def _interval(unit: str, name: str, form: Callable[..., str], *digits: int) -> Column:
    def cell(one: Compared) -> str:
        low, high = (form(getattr(one.row, f"{name}_{end}"), *digits) for end in ("low", "high"))
        return f"{low} to {high}" if one.row.traces else NONE

    return Column("95% interval", unit, cell)


def _axis(name: str) -> Column:
    def cell(one: Compared) -> str:
        value = one.row.axes.get(name)
        return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)

    return Column(name, units(name), cell)


def _places(result: Result) -> list[Column]:
    strategy = Column("strategy", "", lambda one: one.row.strategy or NONE, text=True)
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


def theory_table(result: Result, rows: Sequence[Compared], usual: float) -> Table:
    """Every row with a reference beside it; a |z| above ``usual`` is marked."""
    random = any(one.row.traces for one in rows)
    by = "simulation" if random else "engine"

    def distance(name: str, z: str) -> Column:
        if random:
            far = lambda one: abs(getattr(one, z) or 0.0) > usual  # noqa: E731
            return Column("z", name, lambda one: signed(getattr(one, z)), far=far)
        field_ = {"steps": "expected_steps"}.get(name, name)
        gap = lambda one: getattr(one.row, field_) - getattr(one.row.reference, field_)  # noqa: E731
        return Column("difference", name, lambda one: f"{gap(one):.1e}")

    columns = [
        *_places(result),
        _value("budget", "steps", "steps"),
        _value("success", by, "success", probability),
        Column("success", "theory", lambda one: probability(one.row.reference.success)),
        distance("success", "z_success"),
        Column("steps", by, lambda one: number(one.row.expected_steps, 5)),
        Column("steps", "theory", lambda one: number(one.row.reference.expected_steps, 5)),
        distance("steps", "z_steps"),
        Column("theory by", "", lambda one: one.row.reference.by.replace("_", " "), text=True),
    ]
    return table_of("Comparison with theory", columns, [one for one in rows if one.row.reference is not None])
