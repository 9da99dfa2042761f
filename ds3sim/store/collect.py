"""Collecting: ask the store what is missing, simulate it in groups, commit every few seconds."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

from ds3sim.core.errors import StoppedEarly, require
from ds3sim.engine.limits import ENGINES, FIRST_ROUND, EngineOptions, Stopping
from ds3sim.engine.population import batches
from ds3sim.engine.simulate import evaluate
from ds3sim.engine.tally import Tally, enough
from ds3sim.store.store import Store
from ds3sim.task.task import Task

FIRST_GROUP = 2.0**32
"""Walk steps of the first group, a few seconds' work; later groups have 2, 4, ... times as many or as few."""

MOST_IN_GROUP = 1024
"""Pieces of a group at most."""

COMMIT_S = 2.0
"""About how many seconds of work may be lost by a crash."""


def require_storable(options: EngineOptions, where: str = "") -> None:
    """Refuse an engine whose results no store keeps. InputError: ``where`` and the reason."""
    why = ENGINES[options.kind].not_stored
    able = " or ".join(kind.name for kind in ENGINES.values() if kind.not_stored is None)
    told = f"{where}engine.kind = {options.kind}: cannot be kept in a store: {why}"
    require(why is None, f"{told}: use engine {able}, or leave the store out")
    told = f"{where}macro_steps = {options.macro_steps} makes another random stream, which a store would mix up"
    require(options.macro_steps is None, f"{told} with its own: remove it, or leave the store out")


def collect(
    items: Sequence[tuple[Task, Mapping[str, Any]]],
    store: Store,
    options: EngineOptions,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> list[Tally]:
    """The tally of every task, bit for bit that of ``simulate`` alone, simulating only what the store lacks.

    What has been simulated is committed group by group, so that a crash costs the last seconds; while another process
    holds the file, it is kept in memory (:class:`ds3sim.store.patient.Patient`). The result does not depend on what the
    store held before, nor on how often the work was interrupted.

    Args:
        items: tasks, each with a description for the store. A task may occur more than once.
        progress: called with the number of trials simulated since the last call.

    Raises:
        InputError: from the engine, or the store cannot be used; what was committed is kept.
        StoppedEarly: on Ctrl-C. ``partial`` is a list like the result; a tally has fewer trials than asked for, or
            is None, where the task is not done.
    """
    require_storable(options)
    problems = {task.identity: said for task, said in reversed(items)}
    store.patient.do(lambda kept: kept.put_problems(problems.items()))
    tasks = [task for task, _ in items]
    run = _Run(store, options, seed, progress)
    if options.relative_error is None:
        return run.up_to(options.traces, tasks, Stopping(traces=options.traces))
    # Rounds of doubling size, as a single task has them: what is precise enough is done.
    rule = Stopping("relative_error", relative_error=options.relative_error, max_traces=options.most)
    out: dict[int, Tally] = {}
    going, goal = list(range(len(tasks))), min(FIRST_ROUND, options.most)
    while going:
        try:
            found = run.up_to(goal, [tasks[i] for i in going], rule)
        except StoppedEarly as stop:
            ended = replace(rule, reached=False, interrupted=True)
            out |= {i: replace(t, stopping=ended) for i, t in zip(going, stop.partial, strict=True) if t is not None}
            raise StoppedEarly([out.get(i) for i in range(len(tasks))]) from None
        for i, tally in zip(going, found, strict=True):
            out[i] = replace(tally, stopping=replace(rule, reached=enough(tasks[i], tally, options.relative_error)))
        going = [i for i in going if goal < options.most and not out[i].stopping.reached]
        goal = min(2 * goal, options.most)
    return [out[i] for i in range(len(tasks))]


def piece_trials(task: Task) -> int:
    """Trials of one row at most: 2^24 of a short task, fewer (2^18 at least) of a long one.

    A power of two, decided by the task alone, so that machines cut trials at the same places.
    """
    work = task.n * max(1, task.max_steps)
    return 2 ** max(18, min(24, int(math.log2(2.0**34 / work)) if work < 2**34 else 0))


@dataclass(frozen=True)
class _Piece:
    """Trials first .. first + count - 1 of a task."""

    task: Task
    first: int
    count: int

    @property
    def steps(self) -> float:
        """Walk steps at most."""
        return float(self.count) * self.task.n * max(1, self.task.max_steps)

    @property
    def kernel(self) -> tuple[Any, ...]:
        """Pieces next to each other in this order fill few kernels."""
        task = self.task
        return (self.count, task.step.name, task.aggregate.name, task.n, task.graph.size, task.max_steps, self.first)


@dataclass(frozen=True)
class _Run:
    """One collection."""

    store: Store
    options: EngineOptions
    seed: int
    progress: Callable[[int], None] | None

    def up_to(self, traces: int, tasks: Sequence[Task], rule: Stopping) -> list[Tally]:
        """Trials [0, traces) of every task."""
        try:
            self._simulate(self._missing(traces, {task.identity: task for task in tasks}.values()))
        except KeyboardInterrupt:
            ended = replace(rule, reached=False, interrupted=True)
            whole = self.store.whole()
            found = [self._kept(task, traces, whole) for task in tasks]
            partial = [t and replace(t, stopping=rule if t.traces == traces else ended) for t in found]
            raise StoppedEarly(partial) from None
        found = [self._kept(task, traces, self.store) for task in tasks]
        whole = [replace(tally, stopping=rule) for tally in found if tally is not None and tally.traces == traces]
        require(len(whole) == len(tasks), f"{self.store.path}: lost trials: is it on a sound disk?")
        return whole

    def _kept(self, task: Task, traces: int, store: Store) -> Tally | None:
        return store.tally(task.identity, self.options.kind, self.seed, traces)

    def _missing(self, traces: int, tasks: Iterable[Task]) -> list[_Piece]:
        """What has to be simulated."""
        out = []
        for task in tasks:
            key = (task.identity, self.options.kind, self.seed)
            if self.options.kind == "population":
                # Splits of a population are drawn for the whole batch: a shorter row is no part of a longer one.
                rows = set(self.store.rows(*key))
                new = [piece for piece in batches(0, traces) if piece not in rows]
            else:
                left = self.store.missing(*key, 0, traces)
                new = [piece for part in left for piece in _cut(*part, piece_trials(task))]
            out += [_Piece(task, first, end - first) for first, end in new]
        return out

    def _simulate(self, work: list[_Piece]) -> None:
        """Groups of pieces, each a few seconds' work; what is done is committed whatever happens."""
        waiting = deque(sorted(work, key=lambda piece: piece.kernel))
        size, kept, since = FIRST_GROUP, [], time.monotonic()
        try:
            while waiting:
                group, full = _group(waiting, size)
                begun = time.monotonic()
                try:
                    kept += self._tallies(group)
                except StoppedEarly as stop:  # parts of pieces would be rows that no other machine has
                    kept += [t for t in stop.partial if t is not None and t.traces == group[0].count]
                    raise
                took = time.monotonic() - begun
                if took > 2 * COMMIT_S:
                    size /= 2
                elif took < COMMIT_S / 4 and full:
                    size *= 2
                if time.monotonic() - since >= COMMIT_S:
                    self._keep(kept)
                    kept, since = [], time.monotonic()
        finally:
            self._keep(kept)
        self.store.patient.finish()

    def _keep(self, tallies: list[Tally]) -> None:
        if tallies:
            self.store.patient.do(lambda store: store.add_all(tallies))

    def _tallies(self, group: list[_Piece]) -> list[Tally]:
        """The tallies of a group, checked to be what was asked."""
        firsts, count = [piece.first for piece in group], group[0].count
        options = EngineOptions(self.options.kind, count, chunk=self.options.chunk)
        tasks = [piece.task for piece in group]
        found = cast(list[Tally], evaluate(tasks, None, options, self.seed, firsts=firsts, progress=self.progress))
        for task, first, tally in zip(tasks, firsts, found, strict=True):
            good = tally.identity == task.identity and tally.ranges == ((self.seed, first, first + count),)
            told = f"the engine returned other trials than {first}..{first + count} of problem {task.identity[:8]}"
            require(good, told)
        return found


def _group(waiting: deque[_Piece], size: float) -> tuple[list[_Piece], bool]:
    """The next pieces of one number of trials, about ``size`` walk steps; and whether they are so many."""
    group = [waiting.popleft()]
    load = group[0].steps
    while waiting and waiting[0].count == group[0].count and len(group) < MOST_IN_GROUP:
        load += waiting[0].steps
        if load > size:
            return group, True
        group.append(waiting.popleft())
    return group, load > size


def _cut(first: int, end: int, size: int) -> list[tuple[int, int]]:
    """[first, end) cut at the multiples of ``size``."""
    cuts = [first, *range((first // size + 1) * size, end, size), end]
    return list(pairwise(cuts))
