"""Tallies: additive counts from which every number of a simulation is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import numbers
from ds3sim.core.errors import InputError, require
from ds3sim.core.estimate import Estimate
from ds3sim.engine.law import Law, LawRecord, Measured, like
from ds3sim.engine.limits import Stopping
from ds3sim.stats.intervals import clopper_pearson, mean_interval

if TYPE_CHECKING:
    import xarray

    from ds3sim.task.task import Task

MOST_SHOWN = 512
"""Most budgets in the table of a tally."""


@dataclass(frozen=True, eq=False)
class Tally(LawRecord):
    """What a random engine counted. Tallies of one task over disjoint trials add up.

    A trial is one simulation of the whole task with its n traces. k runs over budgets per trace,
    0..max_steps; budgets given to the methods are per task (floor(K/n) per trace).

    Attributes:
        identity: ``Task.identity``.
        engine, seed: where the counts come from.
        n: traces per task.
        traces: trials done.
        feasible: traces that could succeed (of ``traces * n``).
        task_hits: int64 [max_steps + 1], trials by the smallest budget per trace at which the task succeeds.
        hits: int64 [max_steps + 1], feasible traces by hitting time of the goal.
        deaths: int64 [max_steps + 1], feasible traces by time of death.
        shared_feasibility: the n traces of a trial share one draw of feasibility.
        stop_on_dead: a dead trace uses no more steps.
        ranges: ((seed, first, end), ...), the trials counted, sorted and disjoint.
        stopping: the rule by which the run ended; sums of runs join theirs.
        squares: sum over trials of the squared number of correct traces, where the traces of a trial share a success
            rate; None where they are independent given feasibility.

    >>> task = ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20)
    >>> tally = ds.simulate(task, 1000) + ds.simulate(task, 500, first=1000)
    >>> tally.traces, bool((tally.hits == ds.simulate(task, 1500).hits).all())
    (1500, True)
    """

    identity: str
    engine: str
    seed: int
    n: int
    traces: int
    feasible: int
    task_hits: np.ndarray = field(repr=False)
    hits: np.ndarray = field(repr=False)
    deaths: np.ndarray = field(repr=False)
    shared_feasibility: bool = True
    stop_on_dead: bool = False
    ranges: tuple[tuple[int, int, int], ...] = ()
    stopping: Stopping = field(default_factory=Stopping)
    squares: int | None = None

    @classmethod
    def of(
        cls, task: Task, engine: str, seed: int, first: int, traces: int, feasible: int, counts: Sequence[np.ndarray],
        stopping: Stopping, squares: int | None = None,
    ) -> Tally:  # fmt: skip
        """The tally of trials ``first`` .. ``first + traces - 1``; ``counts``: hits, deaths, task_hits."""
        hits, deaths, task_hits = counts
        where = ((seed, first, first + traces),) if traces else ()
        how = (task.feasibility == "per_task", task.on_dead == "stop", where, stopping)
        return cls(task.identity, engine, seed, task.n, traces, feasible, task_hits, hits, deaths, *how, squares)

    def __post_init__(self) -> None:
        if self.stopping == Stopping():  # counts made by hand
            object.__setattr__(self, "stopping", Stopping(traces=self.traces))

    def shown(self) -> np.ndarray:
        """All budgets simulated, steps per task; of very many those that are evenly spaced in the logarithm."""
        top = self.max_steps
        some = np.arange(top + 1) if top < MOST_SHOWN else np.rint(np.geomspace(1, top, MOST_SHOWN)).astype(np.int64)
        return self.n * np.unique(some)

    def to_dataset(self) -> xarray.Dataset:
        """As every law, and what was counted, over the dimension ``steps``, the budgets in steps per task."""
        data = super().to_dataset()
        k = data["steps"].to_numpy() // self.n
        counts = {
            "task_hits": (self.task_hits, "trials", "trials that succeed within the budget"),
            "hits": (self.hits, "traces", "feasible traces that reach the goal within the budget"),
            "deaths": (self.deaths, "traces", "feasible traces that die within the budget"),
        }
        for name, (histogram, unit, meaning) in counts.items():
            data[name] = ("steps", np.cumsum(histogram)[k], {"units": unit, "long_name": meaning})
        return data

    @property
    def max_steps(self) -> int:
        """The largest budget per trace that was simulated."""
        return len(self.hits) - 1

    def per_trace(self, steps: ArrayLike) -> np.ndarray:
        """Budgets per trace, int64 [B]; InputError: one is larger than what was simulated."""
        budgets = numbers("steps", steps, whole=True, low=0, high=2**53).ravel()
        require(budgets.size > 0, "steps is empty: give at least one budget")
        k = budgets.astype(np.int64) // self.n
        if int(k.max()) > self.max_steps:  # the text is made only on failure: this runs for every point of a sweep
            raise InputError(
                f"a budget of {int(k.max())} steps per trace was not simulated: the largest was {self.max_steps};"
                " simulate the task with a larger steps"
            )
        return k

    def success(self, steps: ArrayLike) -> Estimate:
        """Success probability of the task at each budget, with exact (Clopper-Pearson) 95% intervals.

        Args:
            steps: budgets per task, whole numbers [B] (or one).

        Raises:
            InputError: a budget larger than the one simulated.
        """
        return like(steps, *_Counted([self], [self.per_trace(steps)]).success())

    def trace_success(self, steps: ArrayLike) -> Estimate:
        """Success probability of one trace at its share floor(K/n) of each budget.

        Where the traces of a trial share something (feasibility, a success rate) the trial is the unit of the
        interval, else the trace.
        """
        hits = np.cumsum(self.hits)[self.per_trace(steps)]
        total = self.traces * self.n
        low, high = clopper_pearson(hits, total)
        if self.shared_feasibility and self.n > 1:
            variance = _Counted([self], [self.per_trace(steps)]).correct_variance() / self.n**2
            low, high = mean_interval(hits / max(1, total), variance, self.traces, 1.0)
        return like(steps, hits / max(1, total), low, high)

    def expected_steps(self, steps: ArrayLike) -> Estimate:
        """Expected steps of a task at each budget, summed over its n traces, with 95% intervals.

        An infeasible trace uses its whole share floor(K/n). Units: steps per task. The unit of the interval is the
        trial, as for :meth:`trace_success`.
        """
        return like(steps, *_Counted([self], [self.per_trace(steps)]).expected_steps())

    def expected_square_steps(self, steps: ArrayLike) -> np.ndarray:
        """E[(steps of one trace)^2] at its share of each budget, float64 [B]."""
        return _Counted([self], [self.per_trace(steps)]).square_steps()

    def at(self, budgets: np.ndarray) -> tuple[np.ndarray, ...]:
        """Sums up to each of ``budgets`` per trace, int64 [B]: trials and traces that succeed, traces that end, and the
        sums of their steps and square steps, [B] each."""
        ends = self.hits + self.deaths if self.stop_on_dead else self.hits
        time, square = _times(self.max_steps + 1)
        parts = (self.task_hits, self.hits, ends, ends * time, ends * square)
        return tuple(part.cumsum()[budgets] for part in parts)

    def __add__(self, other: Tally) -> Tally:
        """The tally of both sets of trials.

        Raises:
            InputError: different tasks or engines, or trials that both have counted.
        """
        require(
            (self.identity, self.engine) == (other.identity, other.engine),
            f"tallies of different problems cannot be added: {self.engine} {self.identity[:8]} and"
            f" {other.engine} {other.identity[:8]}",
        )
        ranges = _joined(self.ranges + other.ranges)
        return replace(
            self,
            traces=self.traces + other.traces,
            feasible=self.feasible + other.feasible,
            task_hits=self.task_hits + other.task_hits,
            hits=self.hits + other.hits,
            deaths=self.deaths + other.deaths,
            ranges=ranges,
            stopping=self.stopping + other.stopping,
            squares=None if self.squares is None or other.squares is None else self.squares + other.squares,
        )


@lru_cache(maxsize=64)
def _times(size: int) -> tuple[np.ndarray, np.ndarray]:
    """0, 1, ... and their squares, float64 [size]."""
    time = np.arange(size, dtype=np.float64)
    return time, time**2


class _Counted:
    """Tallies that differ in nothing but their counts, each at its budgets ``k`` per trace, int64 [B] of each; all
    numbers are arrays over the budgets of the first, then those of the second, and so on."""

    def __init__(self, tallies: Sequence[Tally], k: Sequence[np.ndarray]) -> None:
        sums = [tally.at(own) for tally, own in zip(tallies, k, strict=True)]
        columns = zip(*sums, strict=True)
        self.of, self.k = tallies[0], np.concatenate(k)
        self.solved, self.correct, self.ended, self.first, self.second = map(np.concatenate, columns)
        sizes = [own.size for own in k]
        self.feasible = np.repeat([tally.feasible for tally in tallies], sizes)
        self.squares = None if self.of.squares is None else np.repeat([tally.squares or 0 for tally in tallies], sizes)
        self.share = self.feasible / max(1, self.of.traces * self.of.n)

    def success(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Success of the task with its interval."""
        return self.solved / max(1, self.of.traces), *clopper_pearson(self.solved, self.of.traces)

    def correct_variance(self) -> np.ndarray:
        """Variance of the number of correct traces of a trial."""
        n, trials = self.of.n, max(1, self.of.traces)
        if self.squares is None:  # independent given feasibility
            tasks = np.maximum(1, self.feasible // n)
            p = self.correct / (tasks * n)
            square = (n * p * (1 - p) + (n * p) ** 2) * tasks / trials
        else:  # one step decides such traces: all are correct at once, or none
            square = np.where(self.correct > 0, self.squares / trials, 0.0)
        return np.maximum(0.0, square - (self.correct / trials) ** 2)

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and second moment of the steps of one feasible trace."""
        total = np.maximum(1, self.feasible)
        left = total - self.ended
        k = self.k.astype(np.float64)
        return (self.first + left * k) / total, (self.second + left * k**2) / total

    def expected_steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected steps of a task, summed over its traces, with their interval."""
        k, n, share = self.k, self.of.n, self.share
        mean, square = self._moments()
        estimate = n * (share * mean + (1 - share) * k)
        spread = n * np.maximum(0.0, square - mean**2)
        if self.squares is not None and not self.of.stop_on_dead:
            # A correct trace has used one step, any other its whole share.
            variance = np.maximum(k - 1, 0) ** 2 * self.correct_variance()
        elif self.of.shared_feasibility:
            variance = share * spread + share * (1 - share) * (n * (k - mean)) ** 2
        else:
            variance = share * spread + n * share * (1 - share) * (k - mean) ** 2
        low, high = mean_interval(estimate, variance, self.of.traces, (n * k).astype(np.float64))
        return estimate, np.maximum(low, 0.0), np.minimum(high, n * k)

    def square_steps(self) -> np.ndarray:
        """E[(steps of one trace)^2]."""
        return self.share * self._moments()[1] + (1 - self.share) * self.k.astype(np.float64) ** 2


def measured(laws: Sequence[Law], budgets: Sequence[np.ndarray]) -> list[Measured]:
    """Every law at its budgets, int64 [B]; tallies that differ in nothing but their counts together.

    Raises:
        InputError: a budget larger than the one simulated.
    """
    out: list[Measured | None] = [None] * len(laws)
    alike: dict[tuple[Any, ...], list[tuple[int, Tally, np.ndarray]]] = {}
    for i, (law, steps) in enumerate(zip(laws, budgets, strict=True)):
        if isinstance(law, Tally):
            kind = (law.n, law.traces, law.shared_feasibility, law.stop_on_dead, law.squares is None)
            k = steps // law.n
            alike.setdefault(kind, []).append(
                (i, law, k if k.max(initial=0) <= law.max_steps else law.per_trace(steps))
            )
        else:
            out[i] = Measured(law.success(steps), law.expected_steps(steps), law.expected_square_steps(steps))
    for members in alike.values():
        where, tallies, k = zip(*members, strict=True)
        counted, ends = _Counted(tallies, k), np.cumsum([own.size for own in k])[:-1]
        success, spent = (np.array(part) for part in (counted.success(), counted.expected_steps()))
        columns = (np.split(part, ends, axis=-1) for part in (success, spent, counted.square_steps()))
        for i, p, steps, square in zip(where, *columns, strict=True):
            out[i] = Measured(Estimate(*p), Estimate(*steps), square)
    return [found for found in out if found is not None]


def enough(task: Task, tally: Tally, relative_error: float) -> bool:
    """Whether success is known to ``relative_error`` at every budget where it is possible."""
    shortest = task.graph.shortest_path
    possible = [int(k) for k in task.budgets if shortest is not None and k // task.n >= shortest]
    if not possible or task.graph.feasible == 0:
        return True
    p = np.asarray(tally.success(possible).estimate)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(p > 0, np.sqrt((1 - p) / (p * tally.traces)), np.inf)
    return bool(np.all(error <= relative_error))


def _joined(ranges: Sequence[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Sorted ranges with neighbours merged; overlapping ones are refused."""
    out: list[tuple[int, int, int]] = []
    for seed, first, end in sorted(ranges):
        if out and out[-1][0] == seed and first < out[-1][2]:
            require(False, f"trials {first}..{end} of seed {seed} are in both tallies: they would count twice")
        if out and out[-1][0] == seed and first == out[-1][2]:
            out[-1] = (seed, out[-1][1], end)
        else:
            out.append((seed, first, end))
    return tuple(out)
