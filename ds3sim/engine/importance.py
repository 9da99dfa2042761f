"""The importance engine: rare successes, by simulating a tilted walk and weighting what it finds.

With h(s) = E[theta^T | start at s] the tilted tensor P~(s, s') = theta P(s, s') h(s') / h(s) is
again stochastic, and a path that reaches the goal at time T has weight h(start) theta^-T whatever
it visited (docs/theory.md, tilted walk). theta is chosen so that the tilted walk needs about the
budget on average; on the chain that is r' = m/K. Every budget has a simulation of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.errors import StoppedEarly, require
from ds3sim.core.estimate import Estimate
from ds3sim.core.progress import working
from ds3sim.engine.law import LawRecord, Weights, like
from ds3sim.engine.limits import FIRST_ROUND, EngineOptions, Stopping
from ds3sim.engine.tally import Tally
from ds3sim.engine.tilt import FEW_NODES, Tilt, tilt
from ds3sim.engine.traces.pack import Job
from ds3sim.engine.traces.run import check_steps, run
from ds3sim.engine.traces.tables import has_rare, walk_of
from ds3sim.stats.intervals import mean_interval
from ds3sim.task.task import Task

STEPS_OF_TABLES = 50.0
"""Steps of walks, each by itself, in the time that an entry of the tables of many steps costs, about."""


@dataclass(frozen=True, eq=False)
class _Weighed:
    """Moments of weight * value over the traces of a budget, in units of 2^exponent: squares of the rarest weights are
    no float64, and a power of two rounds nothing."""

    mean: float
    variance: float
    most: float
    largest: float
    traces: int
    exponent: int

    @classmethod
    def of(cls, tilted: Tilt, tally: Tally, k: int, values: Callable[..., Any] = np.ones_like) -> _Weighed:
        time = np.arange(k + 1, dtype=np.float64)
        weight = np.exp(tilted.log_h - time * np.log(tilted.theta)) * values(time)
        exponent = int(np.frexp(weight.max())[1])
        weight = np.ldexp(weight, -exponent)
        hits = tally.hits[: k + 1]
        share = hits / tally.traces
        mean = float(share @ weight)
        variance = max(0.0, float(share @ weight**2) - mean**2)
        largest = float(weight[hits > 0].max(initial=0.0))
        return cls(mean, variance, float(weight.max()), largest, tally.traces, exponent)

    @property
    def diagnostics(self) -> tuple[float, float, float]:
        """The fields of :class:`Weights`."""
        if self.mean == 0.0:
            return 0.0, 0.0, np.inf
        total, square = self.traces * self.mean, self.traces * (self.variance + self.mean**2)
        return total**2 / square, self.largest / total, np.sqrt(self.variance / self.traces) / self.mean


@dataclass(frozen=True, eq=False)
class WeightedTally(LawRecord):
    """Weighted counts of the importance engine.

    Attributes:
        traces: trials of a budget; the most of them where ``relative_error`` ended each for itself.
        parts: budget per trace -> its tally, with the tilt, or None where the goal cannot be reached.
    """

    task: Task = field(repr=False)
    seed: int
    traces: int
    parts: dict[Any, Any] = field(repr=False)
    stopping: Stopping = field(default_factory=Stopping)
    engine: str = "importance"

    @property
    def identity(self) -> str:
        """``Task.identity``."""
        return self.task.identity

    def _part(self, k: int) -> tuple[Tilt | None, Any]:
        require(
            k in self.parts,
            f"a budget of {k} steps per trace was not simulated: engine importance knows only the budgets of the"
            f" task ({', '.join(map(str, sorted(self.parts)))})",
        )
        return self.parts[k]

    def _weighted(self, k: int, values: Callable[..., Any]) -> tuple[float, float, float]:
        """Mean of weight * values(T) 1{T <= k} over the traces, and its 95% interval."""
        tilted, tally = self._part(k)
        if tilted is None:
            return 0.0, 0.0, 0.0
        found = _Weighed.of(tilted, tally, k, values)
        low, high = mean_interval(found.mean, found.variance, tally.traces, found.most)
        mean, low, high = np.ldexp([found.mean, float(low), float(high)], found.exponent).tolist()
        return mean, low, high

    def weights(self, steps: ArrayLike) -> Weights:
        """What the weights of the traces that succeed say of :meth:`success` at each budget of the task."""
        parts = [self._part(int(k)) for k in np.atleast_1d(self.task.per_trace(steps))]
        found = [
            (0.0, 0.0, 0.0) if tilted is None else _Weighed.of(tilted, tally, tally.max_steps).diagnostics
            for tilted, tally in parts
        ]
        return Weights(*np.array(found).T)

    def _found(self, steps: ArrayLike, values: Callable[..., Any]) -> np.ndarray:
        """float64 [3, B]: mean, low, high of gamma times the weighted mean at each budget."""
        budgets = np.atleast_1d(self.task.per_trace(steps))
        return self.task.graph.feasible * np.array([self._weighted(int(k), values(int(k))) for k in budgets]).T

    def success(self, steps: ArrayLike) -> Estimate:
        """Success probability at each budget of the task, with 95% intervals (``mean_interval``)."""
        mean, low, high = self._found(steps, lambda k: np.ones_like)
        return like(steps, np.minimum(mean, 1.0), np.clip(low, 0.0, 1.0), np.minimum(high, 1.0))

    trace_success = success

    def expected_steps(self, steps: ArrayLike) -> Estimate:
        """E[min(T, K)] = K - E[(K - T)+] at each budget of the task, with 95% intervals."""
        full = np.atleast_1d(self.task.per_trace(steps)).astype(np.float64)
        saved, low, high = self._found(steps, lambda k: lambda t: k - t)
        return like(steps, full - saved, np.maximum(full - high, 0.0), np.minimum(full - low, full))

    def expected_square_steps(self, steps: ArrayLike) -> np.ndarray:
        """E[min(T, K)^2] = K^2 - E[(K^2 - T^2)+] at each budget, float64 [B]."""
        full = np.atleast_1d(self.task.per_trace(steps)).astype(np.float64)
        return full**2 - self._found(steps, lambda k: lambda t: float(k) ** 2 - t**2)[0]


def tallies(
    tasks: Sequence[Task],
    options: EngineOptions,
    seed: int,
    _: Sequence[int],
    progress: Callable[..., Any] | None = None,
) -> list[WeightedTally]:
    """``options.traces`` tilted traces for each budget of every task, in one batch, or with ``relative_error`` as many
    as each budget needs; as :func:`evaluate`.

    Raises:
        InputError: several traces a task, a beam, or ``on_dead = stop`` where a trace can die (the tilted walk never
            dies, so it cannot say when).
    """
    jobs: dict[tuple[str, int], tuple[Tilt, Job]] = {}
    budgets = []
    stopped = False
    with working("", 2) as whole:
        with working("tilted walks", sum(len(task.budgets) for task in tasks)) as stage:
            for task in tasks:
                _check(task)
                budgets.append(sorted({int(k) for k in task.budgets}))
                for k in budgets[-1]:
                    shortest, name = task.graph.shortest_path, (task.identity, k)
                    if shortest is not None and k >= shortest and name not in jobs:
                        jobs[name] = _job(task, k, options)
                    stage.advance()
        whole.advance()
        try:
            run([job for _, job in jobs.values()], options, seed, progress)
        except KeyboardInterrupt:
            stopped = True
    out: list[WeightedTally | None] = []
    for task, own in zip(tasks, budgets, strict=True):
        found = {k: jobs.get((task.identity, k)) for k in own}
        whole = all(pair is None or pair[1].ended for pair in found.values())
        pairs = [(k, pair and (pair[0], pair[1].tally(seed, options))) for k, pair in found.items() if whole]
        parts = {k: pair or (None, None) for k, pair in pairs}
        out.append(_tally(task, seed, options, parts) if whole else None)
    if stopped:
        raise StoppedEarly(out)
    return [tally for tally in out if tally is not None]


def _tally(task: Task, seed: int, options: EngineOptions, parts: dict[int, tuple[Any, Any]]) -> WeightedTally:
    done = [(tilted, tally) for tilted, tally in parts.values() if tally is not None]
    traces, wanted = options.traces, options.relative_error
    if wanted is not None:
        traces = max((tally.traces for _, tally in done), default=0)
    reached = wanted is None or all(_error(tilted, tally) <= wanted for tilted, tally in done)
    return WeightedTally(task, seed, traces, parts, Stopping.of(options, reached=reached))


def _error(tilted: Tilt, tally: Tally) -> float:
    """The standard error of success at the budget of a tally, as a share of it."""
    return float(_Weighed.of(tilted, tally, tally.max_steps).diagnostics[2])


def _check(task: Task) -> None:
    alone = f"engine importance estimates single traces, not n = {task.n}: use n = 1, or engine traces"
    require(task.n == 1, alone)
    require(
        task.on_dead == "exhaust" or not bool(task.graph.dead.any()),
        "engine importance cannot count the steps of traces that die with on_dead = stop: use engine traces",
    )
    check_steps(task)


def _job(task: Task, k: int, options: EngineOptions) -> tuple[Tilt, Job]:
    """The tilted walk of one budget."""
    graph, rows = task.graph, task.graph.size
    traces = options.traces if options.relative_error is None else min(FIRST_ROUND, options.most)
    # A dense tensor has tables of many steps: they pay where walks are long.
    dense = rows <= FEW_NODES or float(traces) * k > STEPS_OF_TABLES * rows**2 * (1 + rows / 500)
    tilted = tilt(task.tensor, graph.start, graph.goal, k, dense=dense and isinstance(task.tensor, np.ndarray))
    part = Task(replace(graph, feasible=1.0), task.step, task.aggregate, k)
    name = hashlib.sha256(f"{task.identity} importance {k}".encode()).hexdigest()
    # The tilt makes chances small that the task's success does not depend on: those of its own walk count.
    walk = walk_of(graph, tilted.tensor, tilted.start, has_rare(task.tensor, graph, graph.start))
    return tilted, Job(part, 0, traces, options.most, name, walk, error=partial(_error, tilted))
