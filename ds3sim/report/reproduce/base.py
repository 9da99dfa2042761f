"""What the figures share: options, the sheet of numbers drawn, and simulated points beside their theory."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from ds3sim.report.rows import NORMAL_95
from ds3sim.stats.tests import binomial_p

COLUMNS: tuple[str, ...] = (
    "panel",
    "series",
    "kind",
    "x_name",
    "x",
    "y_name",
    "y",
    "value_name",
    "value",
    "low",
    "high",
    "theory",
    "z",
    "traces",
)
"""Of every CSV; names of quantities carry their units."""


@dataclass(frozen=True)
class Options:
    """How a figure is made.

    Attributes:
        quick: fewer points and traces, for tests.
        seed: of all simulations.
        data: folder with published curves, for the figures that need them.
    """

    quick: bool = False
    seed: int = 0
    data: Path | None = None

    def pick(self, full, quick):
        """``full``, or ``quick`` where a quick figure is wanted."""
        return quick if self.quick else full


@dataclass
class Drawing:
    """A finished figure.

    Attributes:
        name: of the files.
        title, caption: what is seen, in words. The caption need not mention z: :meth:`check` does.
        figures: matplotlib figures by suffix; "" is the only one, else "a", "b", ...
        sheet: the numbers drawn.
        found: the numbers found, one sentence each.
    """

    name: str
    title: str
    caption: str
    figures: dict[str, Any]
    sheet: Sheet
    found: list[str] = field(default_factory=list)

    def check(self) -> str:
        """One sentence on the distance between simulation and theory."""
        z = self.sheet.z
        if not z:
            return "Nothing is simulated in this figure."
        usual = NormalDist().inv_cdf(1 - 0.025 / len(z))
        return (
            f"Largest |z| between simulation and theory: {max(abs(v) for v in z):.2f} over {len(z)} points"
            f" (it exceeds {usual:.2f} once in twenty figures if both are right)."
        )


class Sheet:
    """Rows of what is drawn, one a point, in the order drawn."""

    def __init__(self):
        self.rows: list[dict[str, Any]] = []

    @property
    def z(self) -> list[float]:
        """The z-scores of the simulated points."""
        return [z for row in self.rows if (z := row.get("z")) is not None and not math.isnan(z)]

    def curve(self, panel: str, series: str, x_name: str, x, value_name: str, value, kind: str = "theory") -> None:
        """Points of a line. NaN and infinity become empty cells."""
        for a, v in zip(np.ravel(x).tolist(), np.ravel(value).tolist(), strict=True):
            self.add(panel, series, kind, x_name=x_name, x=a, value_name=value_name, value=v)

    def surface(self, panel: str, series: str, x_name: str, x, y_name: str, y, value_name: str, value) -> None:
        """A map: x [X], y [Y], value [Y, X]."""
        value = np.asarray(value)
        for i, b in enumerate(np.ravel(y).tolist()):
            for j, a in enumerate(np.ravel(x).tolist()):
                v = float(value[i, j])
                self.add(
                    panel, series, "theory", x_name=x_name, x=a, y_name=y_name, y=b, value_name=value_name, value=v
                )

    def points(self, panel: str, series: str, x_name: str, x, value_name: str, points: Points, **more) -> None:
        """Simulated points."""
        columns = (points.value, points.low, points.high, points.theory, points.z)
        for a, *numbers in zip(np.ravel(x).tolist(), *(np.ravel(c).tolist() for c in columns), strict=True):
            found = dict(zip(("value", "low", "high", "theory", "z"), numbers, strict=True))
            self.add(
                panel, series, "simulation", x_name=x_name, x=a, value_name=value_name, traces=points.traces,
                **found, **more,
            )  # fmt: skip

    def add(self, panel: str, series: str, kind: str, **cells) -> None:
        """One row; ``cells`` are named as in ``COLUMNS``."""
        self.rows.append({"panel": panel, "series": series, "kind": kind, **cells})

    def csv(self) -> str:
        """Tidy CSV with the columns ``COLUMNS``; numbers with all their digits."""
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({k: _cell(v) for k, v in row.items()})
        return out.getvalue()


def _cell(value):
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else value


@dataclass(frozen=True)
class Points:
    """Simulated values with 95% intervals, the theory at them, and z; float64 arrays of one shape."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    theory: np.ndarray
    z: np.ndarray
    traces: int

    def scaled(self, factor) -> Points:
        """In another unit."""
        return self.mapped(lambda v: v * factor)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Points:
        """A growing function of the values; z stays."""
        value, low, high, theory = (function(v) for v in (self.value, self.low, self.high, self.theory))
        return Points(value, low, high, theory, self.z, self.traces)

    def __getitem__(self, index) -> Points:
        value, low, high, theory, z = (p[index] for p in (self.value, self.low, self.high, self.theory, self.z))
        return Points(value, low, high, theory, z, self.traces)


def joined(parts: Sequence[Points]) -> Points:
    """One after the other."""
    names = ("value", "low", "high", "theory", "z")
    value, low, high, theory, z = (np.concatenate([np.atleast_1d(getattr(p, n)) for p in parts]) for n in names)
    return Points(value, low, high, theory, z, parts[0].traces)


def chain_task(m: int, r: float, steps, branches: int = 1, aggregate=None):
    """A task on the chain; ``steps`` per task (shared by its traces) is one budget or several."""
    from ds3sim.model.graph import SkillGraph
    from ds3sim.strategy.aggregate import Single
    from ds3sim.strategy.steps import CoT, ToT
    from ds3sim.strategy.task import Task

    step = ToT(branches=int(branches)) if branches > 1 else CoT()
    budgets = [int(k) for k in np.atleast_1d(steps)]
    return Task(SkillGraph.chain(int(m), float(r)), step=step, aggregate=aggregate or Single(), steps=budgets)


def walk(task, options: Options, traces: int):
    """The tally of a simulation with the traces engine."""
    from ds3sim.engine import simulate

    return simulate(task, traces=traces, seed=options.seed)


def success_points(tally, steps, theory) -> Points:
    """Success of the task at budgets (per task), Clopper-Pearson intervals, and z from the exact binomial p-value."""
    steps = np.atleast_1d(steps).astype(np.int64)
    theory = np.broadcast_to(np.asarray(theory, dtype=np.float64), steps.shape)
    found = tally.success(steps)
    hits = np.rint(np.asarray(found.estimate) * tally.traces)
    p = binomial_p(hits, tally.traces, theory)
    return Points(found.estimate, found.low, found.high, theory, _score(p, found.estimate - theory), tally.traces)


def mixture_points(mixture, loss: float, steps, options: Options, traces: int) -> Points:
    """Mean success over a :class:`~ds3sim.theory.difficulty.Mixture` at a loss: ``traces`` walks of every task.

    ``steps``: budgets; one run of each task serves all of them. The tasks are strata, so the variance is that within.
    """
    steps = np.atleast_1d(steps).astype(np.int64)
    rates = mixture.step_success(loss)
    theory = mixture.success(loss, steps)
    value, spread, variance = (np.zeros(len(steps)) for _ in range(3))
    for r, m, w in zip(rates.tolist(), mixture.skills.tolist(), mixture.weights.tolist(), strict=True):
        p = np.asarray(walk(chain_task(m, r, steps), options, traces).success(steps).estimate)
        right = np.asarray(_success_of(m, r, steps))
        value += w * p
        spread += w * w * p * (1 - p) / traces
        variance += w * w * right * (1 - right) / traces
    half = NORMAL_95 * np.sqrt(spread) + mixture.weights.max() * 3.0 / traces
    # With the correction for continuity: one hit where 0.05 are expected is no four standard errors.
    gap = value - theory
    gap = np.sign(gap) * np.maximum(np.abs(gap) - 0.5 * mixture.weights.max() / traces, 0.0)
    z = np.divide(gap, np.sqrt(variance), out=np.zeros(len(steps)), where=variance > 0)
    return Points(value, np.maximum(value - half, 0.0), np.minimum(value + half, 1.0), theory, z, traces * len(rates))


def _success_of(m, r, steps):
    from ds3sim.theory.chain import success

    return success(m, r, steps)


def steps_points(tally, steps, mean, square) -> Points:
    """Expected steps of a task with one trace; ``mean`` and ``square`` are the moments of theory."""
    steps = np.atleast_1d(steps).astype(np.int64)
    mean, square = (np.broadcast_to(np.asarray(v, dtype=np.float64), steps.shape) for v in (mean, square))
    found = tally.expected_steps(steps)
    error = np.sqrt(np.maximum(square - mean * mean, 0.0) / tally.traces)
    gap = np.asarray(found.estimate) - mean
    close = np.abs(gap) <= 1e-12 * mean
    z = np.divide(gap, error, out=np.where(close, 0.0, np.copysign(np.inf, gap)), where=error > 1e-12 * mean)
    return Points(found.estimate, found.low, found.high, mean, z, tally.traces)


def _score(p, gap) -> np.ndarray:
    """The normal score with the two-sided p-value ``p`` and the sign of ``gap``."""
    from scipy.special import ndtri

    return np.copysign(np.where(p >= 1, 0.0, -ndtri(np.minimum(p, 1.0) / 2.0)), gap)


def fitted_line(x, y) -> tuple[float, float, float, float]:
    """Least squares y = intercept + slope x: slope, its standard error, intercept, R^2."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    dx = x - x.mean()
    spread = (dx * dx).sum()
    slope = float((dx * y).sum() / spread)
    intercept = float(y.mean() - slope * x.mean())
    rest = ((y - intercept - slope * x) ** 2).sum()
    total = ((y - y.mean()) ** 2).sum()
    error = math.sqrt(rest / max(1, len(x) - 2) / spread)
    return slope, error, intercept, float(1 - rest / total) if total > 0 else 1.0


def root(function, low: float, high: float) -> float:
    """Where a function of one number changes its sign in [low, high]."""
    from scipy.optimize import brentq

    found: Any = brentq(function, low, high)
    return float(found)


def whole_budgets(low: float, high: float, points: int) -> np.ndarray:
    """Distinct whole numbers, about evenly spread in the logarithm."""
    return np.unique(np.rint(np.geomspace(low, high, points)).astype(np.int64))
