"""Collecting: ask the store what is missing, simulate it in groups, commit every few seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError, StoppedEarly, require
from ds3sim.core.text import time_left
from ds3sim.engine.stopping import Stopping
from ds3sim.engine.tally import Tally
from ds3sim.store.ranges import cover, gaps
from ds3sim.store.store import Store
from ds3sim.task.task import Task

FIRST_GROUP = 2.0**32
"""Walk steps of the first group, a few seconds' work; later groups have 2, 4, ... times as many or as few."""

MOST_IN_GROUP = 1024
"""Pieces of a group at most."""


@dataclass(frozen=True)
class Progress:
    """How far a collection is.

    Attributes:
        points, points_done: tasks asked for, and those that need no more work.
        trials, trials_done: trials that were missing at the start, and those simulated since.
        seconds: since the start.
        rate: trials a second since the start, 0.0 before the first.
        steps, steps_done: the same work counted in walk steps at most, which is what takes the time.
    """

    points: int
    points_done: int
    trials: int
    trials_done: int
    seconds: float
    steps: float
    steps_done: float

    @property
    def rate(self) -> float:
        return self.trials_done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take at this pace; None before anything was done."""
        if self.steps_done <= 0:
            return 0.0 if self.trials == 0 else None
        return self.seconds * (self.steps - self.steps_done) / self.steps_done

    def text(self) -> str:
        """One line: points, trials, rate, time left."""
        out = f"{self.points_done:,} of {self.points:,} points"
        if self.trials:
            out += f", {self.trials_done:,} of {self.trials:,} trials, {self.rate:.3g} trials/s"
        if self.left_s is not None and self.trials_done < self.trials:
            out += f", {time_left(self.left_s)} left"
        return out


@dataclass(frozen=True)
class _Piece:
    """Trials first .. first + count - 1 of a task."""

    item: int
    first: int
    count: int


def collect(
    items: Sequence[tuple[Task, dict]],
    store: Store | None,
    *,
    traces: int | Sequence[int],
    seed: int | Sequence[int],
    simulate_many: Callable,
    engine: str = "traces",
    progress: Callable[[Progress], None] | None = None,
    commit_s: float = 2.0,
) -> list[Tally]:
    """The tally of trials [0, traces) of every task, simulating only what the store lacks.

    What has been simulated is committed group by group, so that a crash costs the last seconds. The
    result does not depend on what the store held before, nor on how often the work was interrupted:
    it equals ``simulate(task, traces, seed)`` bit for bit.

    Args:
        items: tasks, each with a description for the store. A task may occur more than once.
        store: None keeps nothing.
        traces, seed: one for all, or one an item.
        simulate_many: ``(tasks, traces, seed, firsts=[...], progress=f) -> list[Tally]``, all tasks with the same
            number of trials; ``f`` is called with numbers of trials done.
        engine: the engine's name in the tallies.
        progress: called with a :class:`Progress` now and then.
        commit_s: about how many seconds of work may be lost by a crash.

    Raises:
        InputError: from the engine, or the store cannot be used; what was committed is kept.
        StoppedEarly: on Ctrl-C. ``partial`` is a list like the result with None for what is not complete.
    """
    wanted = _each("traces", traces, len(items), 1)
    seeds = _each("seed", seed, len(items), 0)
    if store is None:
        with Store.in_memory() as store:
            return collect(
                items,
                store,
                traces=wanted,
                seed=seeds,
                simulate_many=simulate_many,
                engine=engine,
                progress=progress,
                commit_s=commit_s,
            )
    tasks = [task for task, _ in items]
    store.put_problems({task.identity: said for task, said in reversed(items)}.items())
    work = _missing(tasks, store, wanted, seeds, engine)
    meter = _Meter(tasks, work, progress)
    try:
        _simulate(tasks, seeds, work, store, simulate_many, meter, commit_s)
    except KeyboardInterrupt:
        done = [
            None
            if store.missing(task.identity, engine, one, 0, count)
            else store.tally(task.identity, engine, one, count)
            for task, one, count in zip(tasks, seeds, wanted, strict=True)
        ]
        raise StoppedEarly(done) from None
    found = [
        store.tally(task.identity, engine, one, count) for task, one, count in zip(tasks, seeds, wanted, strict=True)
    ]
    out = []
    for tally, task, count in zip(found, tasks, wanted, strict=True):
        if tally is None or tally.traces != count:
            raise InputError(f"{store.path}: lost trials of problem {task.identity[:8]}: is it on a sound disk?")
        out.append(replace(tally, stopping=Stopping(traces=count)))
    return out


def piece_trials(task: Task) -> int:
    """Trials of one row at most: 2^24 of a short task, fewer (2^18 at least) of a long one.

    A power of two, decided by the task alone, so that machines cut trials at the same places.
    """
    work = task.n * max(1, task.max_steps)
    return 2 ** max(18, min(24, int(math.log2(2.0**34 / work)) if work < 2**34 else 0))


def _missing(tasks, store: Store, wanted, seeds, engine: str) -> list[_Piece]:
    """What has to be simulated, each row once however many items need it."""
    out, rows = [], {}
    for number, (task, count, seed) in enumerate(zip(tasks, wanted, seeds, strict=True)):
        key = (task.identity, seed)
        if key not in rows:
            rows[key] = set(store.rows(task.identity, engine, seed))
        if engine == "population":
            from ds3sim.engine.population import BATCH

            # Splits of a population are drawn for the whole batch: a shorter row is no part of a longer one.
            new = [r for r in _cut(0, count, BATCH) if r not in rows[key]]
        else:
            open_ranges = gaps(cover(rows[key], 0, count), 0, count)
            new = [piece for r in open_ranges for piece in _cut(*r, piece_trials(task))]
        rows[key].update(new)
        out += [_Piece(number, first, end - first) for first, end in new]
    return out


def _cut(first: int, end: int, size: int) -> list[tuple[int, int]]:
    """[first, end) cut at the multiples of ``size``."""
    cuts = [first, *range((first // size + 1) * size, end, size), end]
    return list(pairwise(cuts))


def _simulate(tasks, seeds, work, store: Store, simulate_many, meter, commit_s: float) -> None:
    # Tasks of one shape next to each other, so that a group fills few kernels.
    def shape(piece: _Piece):
        task = tasks[piece.item]
        kind = (task.step.name, task.aggregate.name, task.n, task.graph.size, task.max_steps)
        return (seeds[piece.item], piece.count, *kind)

    waiting = sorted(work, key=lambda piece: (shape(piece), piece.first, piece.item))
    size, kept, since = FIRST_GROUP, [], time.monotonic()
    start = 0
    try:
        while start < len(waiting):
            group, load = [], 0.0
            alike = (seeds[waiting[start].item], waiting[start].count)
            for piece in waiting[start : start + MOST_IN_GROUP]:
                load += _steps(tasks, piece)
                if (seeds[piece.item], piece.count) != alike or (group and load > size):
                    break
                group.append(piece)
            start += len(group)
            begun = time.monotonic()
            done, stopped = _run(group, tasks, alike, simulate_many, meter)
            kept += done
            if stopped:
                raise KeyboardInterrupt
            took = time.monotonic() - begun
            meter.finished(group)
            if took > 2 * commit_s:
                size /= 2
            elif took < commit_s / 4 and load > size:
                size *= 2
            if time.monotonic() - since >= commit_s:
                store.add_all(kept)
                kept, since = [], time.monotonic()
    finally:
        if kept:
            store.add_all(kept)


def _run(group: list[_Piece], tasks, alike, simulate_many, meter) -> tuple[list[Tally], bool]:
    """The tallies of a group, checked to be what was asked, and whether Ctrl-C came between."""
    seed, count = alike
    todo, firsts = [tasks[p.item] for p in group], [p.first for p in group]
    try:
        found = simulate_many(todo, count, seed, firsts=firsts, progress=meter.trials)
    except StoppedEarly as stop:  # parts of pieces would be rows that no other machine has
        partial = stop.partial if isinstance(stop.partial, list) else []
        return [tally for tally in partial if tally is not None and tally.traces == count], True
    for task, first, tally in zip(todo, firsts, found, strict=True):
        require(
            tally.identity == task.identity and tally.ranges == ((seed, first, first + count),),
            f"the engine returned other trials than {first}..{first + count} of problem {task.identity[:8]}",
        )
    return list(found), False


def _steps(tasks, piece: _Piece) -> float:
    """Walk steps of a piece at most."""
    task = tasks[piece.item]
    return float(piece.count) * task.n * max(1, task.max_steps)


class _Meter:
    """Keeps count and tells ``progress``, at most ten times a second."""

    def __init__(self, tasks, work: list[_Piece], progress):
        self.tasks, self.progress = tasks, progress
        self.left: dict[int, int] = {}
        for piece in work:
            self.left[piece.item] = self.left.get(piece.item, 0) + 1
        self.total = sum(p.count for p in work)
        self.steps = float(sum(_steps(tasks, p) for p in work))
        self.done = self.certain = 0
        self.steps_done = 0.0
        self.begun = self.told = time.monotonic()
        self.tell(True)

    def trials(self, count: int) -> None:
        """Trials just done inside a group."""
        self.done += count
        self.tell()

    def finished(self, group: list[_Piece]) -> None:
        for piece in group:
            self.left[piece.item] -= 1
        self.certain += sum(p.count for p in group)
        self.steps_done += sum(_steps(self.tasks, p) for p in group)
        self.done = self.certain
        self.tell(True)

    def tell(self, always: bool = False) -> None:
        now = time.monotonic()
        if self.progress is None or (not always and now - self.told < 0.1):
            return
        self.told = now
        inside = self.done - self.certain
        # Inside a group only trials are known: take its steps in proportion.
        open_trials = max(1, self.total - self.certain)
        steps = self.steps_done + (self.steps - self.steps_done) * min(1.0, inside / open_trials)
        points = len(self.tasks) - sum(left > 0 for left in self.left.values())
        self.progress(Progress(len(self.tasks), points, self.total, self.done, now - self.begun, self.steps, steps))


def _each(name: str, value, count: int, low: int) -> list[int]:
    values = list(value) if isinstance(value, Sequence) else [value] * count
    require(len(values) == count, f"{name} has {len(values)} values for {count} tasks: give one, or one a task")
    return [whole_number(name, v, low, 2**63 - 1) for v in values]
