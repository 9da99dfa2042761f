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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.errors import InputError, StoppedEarly, require
from ds3sim.core.estimate import Estimate
from ds3sim.core.progress import working
from ds3sim.engine.law import LawRecord, like
from ds3sim.engine.limits import EngineOptions, Stopping
from ds3sim.engine.traces.pack import Job
from ds3sim.engine.traces.run import check_steps, run
from ds3sim.engine.traces.tables import RARE, has_rare, walk_of
from ds3sim.graph.hitting import hitting_values
from ds3sim.graph.lump import fewest_steps
from ds3sim.graph.tensor import assembled, entries, part, sparse, sums
from ds3sim.stats.intervals import mean_interval
from ds3sim.task.task import Task

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from ds3sim.graph.tensor import Tensor

HALVINGS = 60


@dataclass(frozen=True, eq=False)
class Tilt:
    """A tilted walk: tensor float64 [S, S], start float64 [S], theta, and log h(start)."""

    tensor: Tensor = field(repr=False)
    start: np.ndarray = field(repr=False)
    theta: float
    log_h: float


def tilt(tensor: Tensor, start: np.ndarray, goal: np.ndarray, reaches: np.ndarray, steps: int) -> Tilt:
    """The tilt whose mean hitting time is the budget ``steps``, at least the shortest path (or the untilted walk given
    that it arrives). ``tensor`` float64 [S, S], dense or sparse, ``start`` float64 [S], ``goal`` and ``reaches`` bool
    [S]; InputError: a large graph on which h does not settle."""
    # Any theta gives the right mean; on a large graph, where h takes time, one near the best will do.
    values, near = (
        (_dense_values(tensor, goal, reaches), 0.0)
        if isinstance(tensor, np.ndarray)
        else (_sparse_values(tensor, goal, reaches), 1e-3)
    )

    def solve(theta: float, rough: bool = True) -> tuple[np.ndarray, float, float]:
        h, slope = values(theta, rough)
        total = float(start @ h)
        late = float(start @ np.where(start > 0, slope, 0.0))  # infinite where a step hardly ever leads on
        return h, total, late / total if total > 0 else 0.0  # h underflows at a theta far too small

    low, high, theta = np.log(1e-9), 0.0, 1.0
    if solve(theta)[2] > steps:
        with working("tilts tried", HALVINGS) as stage:
            for _ in range(HALVINGS):
                middle = 0.5 * (low + high)
                _, total, mean = solve(float(np.exp(middle)))
                stage.advance()
                low, high = (low, middle) if total > 0 and mean > steps else (middle, high)
                if total > 0 and abs(mean - steps) < near * steps:
                    low = high = middle
                    break
        theta = float(np.exp(0.5 * (low + high)))
    h, total, _ = solve(theta, rough=False)
    require(
        total > 0,
        f"engine importance: success within {steps} steps is below the smallest number that there is (1e-308): leave"
        " this budget out, or raise it",
    )
    alive = h > 0
    fixed = np.flatnonzero(goal | ~alive)
    if isinstance(tensor, np.ndarray):
        tilted = np.zeros_like(tensor)
        tilted[alive] = theta * tensor[alive] * h / h[alive][:, None]
        tilted[fixed] = np.eye(len(h))[fixed]
        tilted /= tilted.sum(axis=1, keepdims=True)
    else:
        tilted = _sparse_tilted(tensor, theta, h, fixed)
    return Tilt(tilted, start * h / total, theta, float(np.log(total)))


def _dense_values(tensor: np.ndarray, goal: np.ndarray, reaches: np.ndarray) -> Callable[..., Any]:
    """(theta, rough) -> h(s) = E[theta^T] and theta dh/dtheta, float64 [S] each; these are never rough."""
    inner = np.flatnonzero(reaches & ~goal)
    moves = tensor[np.ix_(inner, inner)]
    arrive = sums(tensor, inner, np.flatnonzero(goal))
    # Where a walk hardly ever moves, 1 - P_ss has to come from the chances to move.
    leave = tensor[inner].sum(axis=1, where=np.arange(len(tensor)) != inner[:, None])
    rare = np.flatnonzero(leave < RARE)

    def values(theta: float, _: bool) -> tuple[np.ndarray, np.ndarray]:
        system = np.eye(inner.size) - theta * moves
        system[rare, rare] = (1.0 - theta) + theta * leave[rare]
        h, slope = goal.astype(np.float64), np.zeros(len(tensor))
        try:
            h[inner] = np.linalg.solve(system, theta * arrive)
            slope[inner] = np.linalg.solve(system, h[inner])
        except np.linalg.LinAlgError:
            raise InputError(
                "engine importance: from some nodes the goal is so much less likely than a return to them that no"
                " number tells it from never: use engine exact or traces"
            ) from None
        return h, slope

    return values


def _sparse_values(tensor: csr_array, goal: np.ndarray, reaches: np.ndarray) -> Callable[..., Any]:
    """As :func:`_dense_values`, by iteration; the slope is always rough."""
    row, column, chance = entries(tensor)
    kept = (chance > 0) & ~goal[row]
    distance = fewest_steps(row[kept], column[kept], goal)
    inner = np.flatnonzero(reaches & ~goal)
    inner = inner[np.argsort(distance[inner], kind="stable")]
    moves, arrive = sparse(part(tensor, inner, inner)), sums(tensor, inner, np.flatnonzero(goal))
    leave = arrive + sums(tensor, inner, np.flatnonzero(~reaches))

    def values(theta: float, rough: bool) -> tuple[np.ndarray, np.ndarray]:
        h, slope = goal.astype(np.float64), np.zeros(len(goal))
        h[inner] = hitting_values(moves, leave, theta, theta * arrive, rough)
        slope[inner] = hitting_values(moves, leave, theta, h[inner], rough=True)
        return h, slope

    return values


def _sparse_tilted(tensor: csr_array, theta: float, h: np.ndarray, fixed: np.ndarray) -> csr_array:
    row, column, chance = entries(tensor)
    kept = ~np.isin(row, fixed)
    row, column = np.append(row[kept], fixed), np.append(column[kept], fixed)
    weight = np.append(theta * chance[kept] * h[column[: kept.sum()]] / h[row[: kept.sum()]], np.ones(fixed.size))
    weight /= np.bincount(row, weight)[row]
    return assembled(row, column, weight, (h.size, h.size))


@dataclass(frozen=True, eq=False)
class WeightedTally(LawRecord):
    """Weighted counts of the importance engine; ``parts``: budget per trace -> its tally, with the tilt, or None where
    the goal cannot be reached."""

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

    def _weighted(self, k: int, values: Callable[..., Any]) -> tuple[float, float, float]:
        """Mean of weight * values(T) 1{T <= k} over the traces, and its 95% interval."""
        require(
            k in self.parts,
            f"a budget of {k} steps per trace was not simulated: engine importance knows only the budgets of the"
            f" task ({', '.join(map(str, sorted(self.parts)))})",
        )
        tilted, tally = self.parts[k]
        if tilted is None:
            return 0.0, 0.0, 0.0
        time = np.arange(k + 1, dtype=np.float64)
        weight = np.exp(tilted.log_h - time * np.log(tilted.theta)) * values(time)
        # Squares of the rarest weights are no float64: all is computed in units of a power of two, so without rounding.
        exponent = int(np.frexp(weight.max())[1])
        weight = np.ldexp(weight, -exponent)
        share = tally.hits[: k + 1] / tally.traces
        mean = float(share @ weight)
        variance = max(0.0, float(share @ weight**2) - mean**2)
        low, high = mean_interval(mean, variance, tally.traces, float(weight.max()))
        mean, low, high = np.ldexp([mean, float(low), float(high)], exponent).tolist()
        return mean, low, high

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
    """``options.traces`` tilted traces for each budget of every task, in one batch; as :func:`evaluate`.

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
        out.append(WeightedTally(task, seed, options.traces, parts, Stopping.of(options)) if whole else None)
    if stopped:
        raise StoppedEarly(out)
    return [tally for tally in out if tally is not None]


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
    graph = task.graph
    tilted = tilt(task.tensor, graph.start, graph.goal, graph.reaches_goal, k)
    part = Task(replace(graph, feasible=1.0), task.step, task.aggregate, k)
    name = hashlib.sha256(f"{task.identity} importance {k}".encode()).hexdigest()
    # The tilt makes chances small that the task's success does not depend on: those of its own walk count.
    walk = walk_of(graph, tilted.tensor, tilted.start, has_rare(task.tensor, graph, graph.start))
    return tilted, Job(part, 0, options.traces, options.traces, name, walk)
