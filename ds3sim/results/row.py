"""What is known of one strategy at one budget of one point, with its units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ds3sim.config.entries import Place
from ds3sim.core.errors import InputError
from ds3sim.core.estimate import Estimate
from ds3sim.engine.law import Law, Measured, Weighed
from ds3sim.engine.tally import Tally, measured
from ds3sim.theory.cost import CostModel

WEIGHED = ("effective_traces", "largest_weight", "relative_error")
"""Fields that only engines whose traces have weights fill."""
AS_GIVEN = ("tokens", "flops", "cot_steps", "cot_tokens")
"""Fields that hold the budget as the config gives it."""
COSTS = ("expected_tokens", "expected_flops", "mean_flops", "budget_tokens", "budget_flops")
ENDS = {"estimate": "", "low": "_low", "high": "_high"}
"""Keys of an interval, and what their fields end with."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Success and expected steps of a row that are not random, ``by`` closed_form or exact."""

    success: float
    expected_steps: float
    by: str


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy at one budget of one point. What the numbers mean, and their units, is in ``labels.COLUMNS``.

    Attributes:
        point: number of the point, 0, 1, ... in row-major order of the axes.
        axes: the point's value on each axis, by dotted key; empty without axes.
        strategy: name, None where there is a single one.
        traces: 0 where the numbers are not random; intervals then have no width.
        expected_flops, mean_flops, budget_flops: None without a cost model.
        tokens, flops: None where the budget is in steps.
        authors_flops: for tasks of levels of skills; NaN where the authors' code has no such strategy.
        effective_traces, largest_weight, relative_error: of engines whose traces have weights, else None: see
            :class:`ds3sim.engine.law.Weights`; of a distribution over tasks those of its worst part.
        reference: what a formula or linear algebra gives for the same row, where it can be had.
    """

    point: int
    axes: Mapping[str, Any]
    strategy: str | None
    steps: int | float
    steps_per_trace: int | float
    traces: int
    success: float
    success_low: float
    success_high: float
    expected_steps: float
    expected_steps_low: float
    expected_steps_high: float
    expected_tokens: float
    expected_flops: float | None
    mean_flops: float | None
    budget_tokens: float
    budget_flops: float | None
    tokens: float | None = None
    flops: float | None = None
    cot_steps: int | float | None = None
    cot_tokens: float | None = None
    authors_flops: float | None = None
    effective_traces: float | None = None
    largest_weight: float | None = None
    relative_error: float | None = None
    reference: Reference | None = None

    def to_dict(self) -> dict[str, Any]:
        """The row as ``ds3sim run --json`` prints it."""
        return {
            **({} if self.strategy is None else {"strategy": self.strategy}),
            "steps": self.steps,
            "steps_per_trace": self.steps_per_trace,
            **{
                name: None if value != value else value
                for name in (*AS_GIVEN, "authors_flops")
                if (value := getattr(self, name)) is not None
            },
            "traces": self.traces,
            **{
                name: {end: getattr(self, name + suffix) for end, suffix in ENDS.items()}
                for name in ("success", "expected_steps")
            },
            **{name: getattr(self, name) for name in COSTS},
            **{name: value for name in WEIGHED if (value := getattr(self, name)) is not None},
        }

    def reference_dict(self) -> dict[str, Any]:
        """The row's reference as ``ds3sim run --json`` prints it."""
        known = self.reference
        if known is None:
            raise InputError("this row has no reference")
        name = {} if self.strategy is None else {"strategy": self.strategy}
        said = {"steps": self.steps, "success": known.success, "expected_steps": known.expected_steps, "by": known.by}
        return name | said


def read_rows(
    point: int,
    axes: Mapping[str, Any],
    results: Iterable[Mapping[str, Any]],
    references: Iterable[Mapping[str, Any]],
    traces: int = 0,
) -> tuple[Row, ...]:
    """The rows of a point from what ``--json`` printed; ``traces`` is for rows that do not say theirs."""
    try:
        known = {(row.get("strategy"), row["steps"]): row for row in references}
        return tuple(_read(point, axes, row, known.get((row.get("strategy"), row["steps"])), traces) for row in results)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"a row of the result cannot be read: {type(error).__name__}: {error}") from None


def _read(
    point: int, axes: Mapping[str, Any], row: Mapping[Any, Any], known: Mapping[Any, Any] | None, traces: int
) -> Row:
    authors = row.get("authors_flops")
    if authors is None and "authors_flops" in row:
        authors = math.nan
    values: dict[str, Any] = {key: row.get(key) for key in ("strategy", *COSTS, *AS_GIVEN, *WEIGHED)}
    values |= {key: row[key] for key in ("steps", "expected_tokens", "budget_tokens")}
    values |= {
        key + suffix: float(row[key][end]) for key in ("success", "expected_steps") for end, suffix in ENDS.items()
    }
    reference = None if known is None else Reference(known["success"], known["expected_steps"], known["by"])
    each = row.get("steps_per_trace", row["steps"])
    return Row(
        point,
        axes,
        steps_per_trace=each,
        traces=row.get("traces", traces),
        **values,
        authors_flops=authors,
        reference=reference,
    )


def rows_of(
    places: Sequence[Place],
    laws: Sequence[Sequence[Law]],
    references: Sequence[Sequence[Reference | None]] | None = None,
) -> list[tuple[Row, ...]]:
    """The rows of every place, from the laws of its tasks, with the references at its budgets."""
    budgets = {id(place.rows): np.array([int(row.steps) for row in place.rows], dtype=np.int64) for place in places}
    steps = [budgets[id(place.rows)] for place in places]
    asked = [k for k, own in zip(steps, laws, strict=True) for _ in own]
    each = iter(measured([law for own in laws for law in own], asked))
    found = [Measured.mixed(list(islice(each, len(own))), p.weights) for p, own in zip(places, laws, strict=True)]
    flops = _flops(places, found)
    if references is None:
        references = [[None] * len(place.rows) for place in places]
    return [_rows(*parts) for parts in zip(places, laws, steps, found, flops, references, strict=True)]


def _weighed(laws: Sequence[Law], steps: np.ndarray) -> Sequence[Sequence[float | None]]:
    """The fields ``WEIGHED`` at each budget, of the worst of the laws."""
    found = [law.weights(steps) for law in laws if not isinstance(law, Tally) and isinstance(law, Weighed)]
    if not found:
        return [[None] * len(WEIGHED)] * len(steps)
    effective = np.min([one.effective for one in found], axis=0)
    largest, error = (np.max([getattr(one, name) for one in found], axis=0) for name in ("largest", "relative_error"))
    return [
        [many, most, share if np.isfinite(share) else None]
        for many, most, share in np.stack([effective, largest, error], axis=1).tolist()
    ]


def _within(found: Estimate, most: float | np.ndarray) -> np.ndarray:
    """An estimate with its interval clipped to what is possible, [3, B]."""
    high = np.minimum(found.high, np.maximum(most, found.estimate))
    return np.array([found.estimate, np.maximum(found.low, 0.0), high])


def _flops(places: Sequence[Place], found: Sequence[Measured]) -> list[np.ndarray | None]:
    """FLOPs at the expected tokens, mean FLOPs, FLOPs of the budget: [3, B] a place; one call a cost model."""
    out: list[np.ndarray | None] = [None] * len(places)
    groups: dict[CostModel, list[int]] = {}
    for i, place in enumerate(places):
        if place.cost is not None:
            groups.setdefault(place.cost, []).append(i)
    for cost, members in groups.items():
        own = [places[i] for i in members]
        sizes = [len(place.rows) for place in own]
        omega, n = cost.tokens_per_step, np.repeat([place.n for place in own], sizes)
        kind = {"branches": np.repeat([place.proposals for place in own], sizes), "n": n}
        mean = omega * (np.concatenate([found[i].expected_steps.estimate for i in members]) / n)
        # A mean and a mean square that were rounded apart may miss mean^2 <= square by an ulp or two.
        square = np.maximum(omega**2 * np.concatenate([found[i].square for i in members]), mean * mean)
        full = omega * np.array([row.steps_per_trace for place in own for row in place.rows], dtype=np.float64)
        values = np.array([cost.flops(mean, **kind), cost.mean_flops(mean, square, **kind), cost.flops(full, **kind)])
        for i, part in zip(members, np.split(values, np.cumsum(sizes)[:-1], axis=1), strict=True):
            out[i] = part
    return out


def _rows(
    place: Place,
    laws: Sequence[Law],
    steps: np.ndarray,
    found: Measured,
    flops: np.ndarray | None,
    references: Sequence[Any],
) -> tuple[Row, ...]:
    tokens, traces = place.proposals * place.tokens_per_step, int(sum(law.traces for law in laws))
    none = [None] * len(place.rows)
    costs = (none, none, none) if flops is None else flops.tolist()
    success, spent = _within(found.success, 1.0), _within(found.expected_steps, steps)
    columns = (place.rows, success.T.tolist(), spent.T.tolist(), *costs, references, _weighed(laws, steps))
    out = []
    for given, p, k, at_mean, mean, full, known, weighed in zip(*columns, strict=True):
        price = (tokens * k[0], at_mean, mean, float(tokens * place.n * given.steps_per_trace), full)
        asked = (given.tokens, given.flops, given.cot_steps, given.cot_tokens, given.authors_flops)
        budget = (given.steps, given.steps_per_trace, traces)
        values = [place.point, place.axes, place.strategy, *budget, *p, *k, *price, *asked, *weighed, known]
        out.append(Row(*values))
    return tuple(out)
