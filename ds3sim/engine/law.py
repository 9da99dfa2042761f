"""The law of a hitting time: what engines give and readers take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.estimate import Estimate
from ds3sim.core.figure import band, dots, line, magnitude, new_axes, probability
from ds3sim.core.record import Record
from ds3sim.task.mixture import weighed
from ds3sim.task.task import Task, shared_rate

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

    from ds3sim.engine.limits import Stopping


@runtime_checkable
class Law(Protocol):
    """Success and cost of a task at its budgets, K steps per task, floor(K/n) for each of n traces.

    ``engine`` is the name of the engine, and ``traces`` the number of trials behind the numbers (0 where they
    are not random). All methods take whole numbers [B], or one.
    """

    @property
    def engine(self) -> str: ...
    @property
    def traces(self) -> int: ...

    def success(self, steps: ArrayLike) -> Estimate:
        """Success probability of the task, float64 [B] with 95% intervals (no width where it is not random)."""
        ...

    def expected_steps(self, steps: ArrayLike) -> Estimate:
        """Expected steps of a task, summed over its n traces, float64 [B] with 95% intervals."""
        ...

    def expected_square_steps(self, steps: ArrayLike) -> np.ndarray:
        """E[(steps of one trace)^2], float64 [B]."""
        ...


@runtime_checkable
class Sampled(Law, Protocol):
    """A law that was simulated; ``stopping`` says by which rule the run ended."""

    @property
    def stopping(self) -> Stopping: ...


@runtime_checkable
class Counted(Sampled, Protocol):
    """A law read from counts of trials of ``n`` traces; ``task_hits`` int64 [max_steps + 1] counts them by the
    smallest budget per trace at which the task succeeds."""

    @property
    def n(self) -> int: ...
    @property
    def task_hits(self) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Weights:
    """What the weights of simulated traces say of an estimate of success, float64 [B] each.

    Attributes:
        effective: (sum of weights)^2 / sum of their squares: so many traces of equal weight know as much (Kish,
            "Survey Sampling", 1965).
        largest: the largest share of the estimate that a single trace has.
        relative_error: standard error of success as a share of it; inf where no trace succeeded, 0 where none can.
    """

    effective: np.ndarray
    largest: np.ndarray
    relative_error: np.ndarray


@runtime_checkable
class Weighed(Sampled, Protocol):
    """A law whose traces have weights; :meth:`weights` tells how unequal they are at each budget."""

    def weights(self, steps: ArrayLike) -> Weights: ...


def like(
    steps: ArrayLike, estimate: ArrayLike, low: ArrayLike | None = None, high: ArrayLike | None = None
) -> Estimate:
    """Numbers at budgets [B] as an Estimate, scalars for one budget; without ``low`` and ``high`` of no width."""
    parts = [np.asarray(estimate if part is None else part, dtype=np.float64) for part in (estimate, low, high)]
    return Estimate(*(parts if np.ndim(steps) else [part[0] for part in parts]))


class LawRecord(Record):
    """The record side of a law of a ``task``: its table and its figure."""

    task: Task

    def shown(self) -> np.ndarray:
        """The budgets of the table, steps per task, int64 [B]."""
        return self.task.budgets

    def to_dataset(self) -> xarray.Dataset:
        """Success and expected steps over the dimension ``steps``, the budgets in steps per task."""
        import xarray

        budgets = np.unique(self.shown())
        law = cast(Law, self)
        parts = {"success": law.success(budgets), "expected_steps": law.expected_steps(budgets)}
        said = {"success": ("success probability of the task", "1"), "expected_steps": ("expected steps", "steps")}
        ends = (("estimate", "", ""), ("low", "_low", ", from"), ("high", "_high", ", to (95% interval)"))
        columns = {}
        for (name, (meaning, unit)), (part, end, more) in product(said.items(), ends):
            values = np.asarray(getattr(parts[name], part), np.float64)
            columns[name + end] = ("steps", values, {"units": unit, "long_name": meaning + more})
        steps = ("steps", budgets, {"units": "steps", "long_name": "budget of a task"})
        return xarray.Dataset(columns, {"steps": steps}, {"engine": law.engine, "traces": law.traces})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Success over the budget, with its 95% interval."""
        axes, data = new_axes(ax), self.to_dataset()
        x, y = data["steps"].to_numpy(), data["success"].to_numpy()
        many, random = len(x) > 40, bool(data.attrs["traces"])
        if random and not many:
            dots(axes, x, y, data["success_low"], data["success_high"])
        else:
            line(axes, x, y)
            if random:
                band(axes, x, data["success_low"], data["success_high"])
        magnitude(axes, x.tolist(), force=many)
        probability(axes, y.tolist())
        axes.set(xlabel="budget, steps per task", ylabel="success")
        return axes


class Computed(LawRecord, ABC):
    """A law without randomness, from that of one feasible trace; all methods take budgets in steps per task, [B]."""

    traces = 0

    @abstractmethod
    def _arrived(self, k: np.ndarray) -> np.ndarray:
        """Success probability of one feasible trace at budget k."""

    @abstractmethod
    def _moment(self, k: np.ndarray, power: int) -> np.ndarray:
        """E[(steps of one trace)^power] at budget k, infeasible traces included."""

    @abstractmethod
    def _judged(self, p: np.ndarray) -> np.ndarray:
        """Success of the aggregator of traces that are each correct with chance p."""

    @abstractmethod
    def _together(self, k: np.ndarray) -> np.ndarray:
        """Success of a task whose traces share a success rate, at budget k of each."""

    def trace_success(self, steps: ArrayLike) -> Estimate:
        """Success probability of one trace at its share of each budget: (1)."""
        k = np.atleast_1d(self.task.per_trace(steps))
        return like(steps, self.task.graph.feasible * self._arrived(k))

    def success(self, steps: ArrayLike) -> Estimate:
        """Success probability of the task at each budget: (1) with (7), (8) or (10); with a success rate that the
        traces share (12) or (13)."""
        k, able = np.atleast_1d(self.task.per_trace(steps)), self.task.graph.feasible
        if shared_rate(self.task) is not None:
            return like(steps, self._together(k))
        if self.task.feasibility == "per_trace":
            return like(steps, self._judged(able * self._arrived(k)))
        return like(steps, able * self._judged(self._arrived(k)))

    def expected_steps(self, steps: ArrayLike) -> Estimate:
        """Expected steps of a task at each budget, summed over its n traces: (3), or (3.3), (3.4)."""
        return like(steps, self.task.n * self._moment(np.atleast_1d(self.task.per_trace(steps)), 1))

    def expected_square_steps(self, steps: ArrayLike) -> np.ndarray:
        """E[(steps of one trace)^2] at its share of each budget, float64 [B]: (3.2), (3.5)."""
        return self._moment(np.atleast_1d(self.task.per_trace(steps)), 2)


@dataclass(frozen=True, eq=False)
class Known(LawRecord):
    """Numbers at the budgets of a task, float64 [B] each; other budgets are not known.

    Attributes:
        engine: where they come from.
        budgets: int64 [B], steps per task.
        values: success. spent: expected steps of a task. square: E[(steps of one trace)^2].
    """

    engine: str
    budgets: np.ndarray
    values: np.ndarray
    spent: np.ndarray
    square: np.ndarray
    traces: int = 0

    def shown(self) -> np.ndarray:
        """The budgets of the task."""
        return self.budgets

    def _at(self, steps: ArrayLike) -> np.ndarray:
        order = np.argsort(self.budgets, kind="stable")
        return order[np.searchsorted(self.budgets[order], np.atleast_1d(steps))]

    def success(self, steps: ArrayLike) -> Estimate:
        """Success at each of ``steps``, which are budgets of the task."""
        return Estimate.of(self.values[self._at(steps)])

    def expected_steps(self, steps: ArrayLike) -> Estimate:
        """Expected steps of a task, summed over its traces."""
        return Estimate.of(self.spent[self._at(steps)])

    def expected_square_steps(self, steps: ArrayLike) -> np.ndarray:
        """E[(steps of one trace)^2]."""
        return self.square[self._at(steps)]


def known(law: Law, task: Task) -> Known:
    """A law reduced to the budgets of its task."""
    budgets = task.budgets
    columns = (law.success(budgets).estimate, law.expected_steps(budgets).estimate, law.expected_square_steps(budgets))
    success, spent, square = (np.asarray(column, dtype=np.float64) for column in columns)
    return Known(law.engine, budgets, success, spent, square)


class InOrder(Known):
    """Numbers at the budgets of an entry, in their order; whole steps do not tell such budgets apart."""

    def _at(self, steps: ArrayLike) -> np.ndarray:
        return np.arange(len(self.budgets))


@dataclass(frozen=True, eq=False)
class Measured:
    """A law at some budgets, [B] each: success, expected steps of a task, E[(steps of one trace)^2]."""

    success: Estimate
    expected_steps: Estimate
    square: np.ndarray

    @classmethod
    def mixed(cls, parts: Sequence[Measured], weights: Sequence[Any] | np.ndarray) -> Measured:
        """That of a task drawn from a distribution: the one place where laws are mixed. ``weights``, float64 [P] or one
        column for each budget [P, B], sum to 1; the ``parts`` were computed independently."""
        if len(parts) == 1:
            return parts[0]
        columns = ([part.success for part in parts], [part.expected_steps for part in parts])
        success, spent = (Estimate(*mixed(column, weights)) for column in columns)
        return cls(success, spent, weighed(weights, np.array([part.square for part in parts], np.float64)))


def mixed(estimates: Sequence[Estimate], weights: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean of independent estimates with its interval: estimate, low, high, float64 [B] each.

    The half widths, times the weights, add in quadrature, lower and upper ones apart (MOVER: Zou and Donner,
    "Construction of confidence limits about effect measures", 2008). So the interval is the part's own
    where there is one part, and is not zero wide where no part saw an event.
    """
    if len(estimates) == 1:
        one = estimates[0]
        return np.asarray(one.estimate), np.asarray(one.low), np.asarray(one.high)
    mid, low, high = (np.array([getattr(e, key) for e in estimates]) for key in ("estimate", "low", "high"))
    square, mean = np.square(np.asarray(weights, dtype=np.float64)), weighed(weights, mid)
    return mean, mean - np.sqrt(weighed(square, (mid - low) ** 2)), mean + np.sqrt(weighed(square, (high - mid) ** 2))
