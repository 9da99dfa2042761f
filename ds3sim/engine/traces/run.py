"""The traces engine: simulate traces one by one, millions at a time, for any number of tasks.

Trials are numbered. Trial t belongs to batch t // B, which has its own keys; what happens in it depends on nothing
else. So any split into launches, threads and devices gives the same tally, whatever stands beside the task.

A launch is [rows, lanes]. A row holds trials of one task that follow each other; a task takes as many rows as it
needs. A single task is a batch of one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from ds3sim.core import rng, runtime
from ds3sim.core.errors import StoppedEarly, require
from ds3sim.core.progress import working
from ds3sim.engine.limits import MOST_STEPS_PER_TRACE, EngineOptions
from ds3sim.engine.tally import Tally
from ds3sim.engine.traces import native, xla
from ds3sim.engine.traces.backend import Backend
from ds3sim.engine.traces.pack import Job, Ready, Row, Wave, packed, waves
from ds3sim.engine.traces.walk import NUMBERS, Rows
from ds3sim.task.task import Task

MOST_KEYS = 4096
"""Keys of batches that are kept, 64 bytes each."""


def tallies(
    tasks: Sequence[Task],
    options: EngineOptions,
    seed: int,
    firsts: Sequence[int],
    progress: Callable[..., Any] | None = None,
    backend: Backend | None = None,
) -> list[Tally]:
    """The tally of every task, as :func:`ds3sim.engine.simulate.evaluate`; equal tasks are simulated once. ``backend``:
    None takes what is there.

    Memory: the tallies (24 bytes for each step of each task's budget) and a few launches; keep the sum of budgets of
    one call within what fits.
    """
    jobs: dict[tuple[Any, ...], Job] = {}
    for task, first in zip(tasks, firsts, strict=True):
        check_steps(task)
        jobs.setdefault((task.identity, first), Job.of(task, first, options))

    def found() -> list[Tally | None]:
        made = {name: job.tally(seed, options) if job.done else None for name, job in jobs.items()}
        return [made[task.identity, first] for task, first in zip(tasks, firsts, strict=True)]

    try:
        run(list(jobs.values()), options, seed, progress, backend)
    except KeyboardInterrupt:
        raise StoppedEarly(found()) from None
    return [tally for tally in found() if tally is not None]


def check_steps(task: Task) -> None:
    """InputError for a budget whose histogram is too large."""
    require(
        task.max_steps <= MOST_STEPS_PER_TRACE,
        f"steps = {task.max_steps} per trace is more than the traces engine keeps ({MOST_STEPS_PER_TRACE}):"
        " use engine closed_form, or lower the budget",
    )


def run(
    jobs: Sequence[Job],
    options: EngineOptions,
    seed: int,
    progress: Callable[..., Any] | None = None,
    backend: Backend | None = None,
) -> None:
    """Do the jobs. KeyboardInterrupt on Ctrl-C: the jobs hold what was done, in the order of trials."""
    backend = Backend.found(options.chunk) if backend is None else backend
    launch = _Launch(backend.devices, seed)

    def take(_: tuple[Any, ...], found: list[Any]) -> None:
        for job, *counts in found:
            job.add(*counts)
        trials = sum(counts[0] for _, *counts in found)
        stage.advance(trials)
        if progress is not None:
            progress(trials)

    def work(ready: Sequence[Ready], wave: Wave) -> Iterator[tuple[list[Row], Wave]]:
        return ((rows, wave) for rows in packed(ready, wave.trials, wave.rows))

    found = waves(jobs, backend.lanes, options.macro_steps, backend.compiled, backend.accelerator)
    with working("trials", sum(job.goal for job in jobs)) as stage:
        if options.relative_error is None:
            runtime.in_order(launch, (args for wave in found for args in work(wave.ready, wave)), backend.threads, take)
            return
        for wave in found:
            ready = wave.ready
            while ready:
                runtime.in_order(launch, work(ready, wave), backend.threads, take)
                ready = [r for r in ready if r.job.goes_on(seed, options)]
                stage.total = sum(job.goal for job in jobs)


class _Launch:
    """Runs launches, from many threads, on the devices in turn; keeps what the next ones may share."""

    def __init__(self, devices: list[Any], seed: int) -> None:
        self.devices, self.seed = devices, seed
        self.number = count()
        self.kept_keys: dict[tuple[str, int], np.ndarray] = {}
        self.kept_tables: dict[int, tuple[Any, ...]] = {}
        self.checked: set[tuple[Any, ...]] = set()

    def __call__(self, rows: list[Row], wave: Wave) -> list[tuple[Any, ...]]:
        """Run one launch: (job, and the arguments of :meth:`Job.add`) of each of its jobs."""
        device = self.devices[number := next(self.number) % len(self.devices)]
        pieces = _pieces(rows)
        given = self._rows(rows, pieces, wave)
        if (name := (wave.shape, wave.rows, wave.width)) not in self.checked:  # all launches of a wave are alike
            given.checked()
            self.checked.add(name)
        tops = [ready.job.task.max_steps for ready, _, _ in pieces]
        spans = [(begin, end) for _, begin, end in pieces]
        kernels: Any = native if wave.compiled else xla
        tables = self._tables(rows, pieces, wave, kernels, number)
        endings, hits, squares = kernels.counts(
            given, *tables, wave, spans, tops, device if len(self.devices) > 1 else None
        )
        trials = [sum(row.count for row in rows[begin:end]) for begin, end in spans]
        return [
            (ready.job, many, int(found[1]), found, own, squares)
            for (ready, _, _), many, found, own in zip(pieces, trials, endings, hits, strict=True)
        ]

    def _rows(self, rows: list[Row], pieces: list[tuple[Ready, int, int]], wave: Wave) -> Rows:
        """The rows as kernels take them."""
        n, size = wave.shape.n, wave.rows
        keys = np.zeros((size, rng.SPARE + 1, 2), np.uint32)
        first = np.zeros((2, size), np.uint32)
        limit = np.full((size, 2), 0xFFFFFFFF, np.uint32)
        numbers = np.zeros((len(NUMBERS), size), np.int32)
        numbers[1], used = 1, len(rows)
        keys[:used] = self._keys([(row.ready.job.stream, row.batch) for row in rows])
        first[:, :used] = [[row.first * n for row in rows], [row.first for row in rows]]
        numbers[0, :used] = [row.count * n for row in rows]
        laws, base = [], 0
        for ready, _, _ in pieces:
            task = ready.job.task
            laws.append((n if task.feasibility == "per_task" else 1, base, *ready.law, task.max_steps))
            base += ready.entries
        sizes = [end - begin for _, begin, end in pieces]
        numbers[1:, :used] = np.repeat(np.array(laws).T, sizes, axis=1)
        limit[:used] = np.repeat([ready.limit for ready, _, _ in pieces], sizes, axis=0)
        return Rows(keys, first, limit, numbers)

    def _keys(self, wanted: list[tuple[str, int]]) -> list[np.ndarray]:
        """Keys uint32 [purposes, 2] of (stream, batch); kept, since many launches share them."""
        kept = self.kept_keys  # threads may replace it meanwhile
        lacking = [name for name in dict.fromkeys(wanted) if name not in kept]
        if lacking:
            made = rng.batch_keys(self.seed, [stream for stream, _ in lacking], [batch for _, batch in lacking])
            few = {name: kept[name] for name in wanted if name in kept} if len(kept) > MOST_KEYS else kept
            self.kept_keys = kept = {**few, **dict(zip(lacking, made, strict=True))}
        return [kept[name] for name in wanted]

    def _tables(
        self, rows: list[Row], pieces: list[tuple[Ready, int, int]], wave: Wave, kernels: Any, number: int
    ) -> tuple[Any, ...]:
        """The kernel's arrays and the aggregators' tables on the device; kept, since launches may share them."""
        owners = [row.ready for row in rows]
        kept = self.kept_tables.get(number)  # one read: threads may replace it meanwhile
        if kept is not None and kept[0] == owners:
            return kept[1]
        # Rows without a task repeat the last one.
        every = [owners[min(i, len(owners) - 1)].marks for i in range(wave.rows)]
        marks = tuple(np.stack([marks[j] for marks in every]) for j in range(len(every[0])))
        made = kernels.tables([ready.arrays for ready, _, _ in pieces], marks, wave, self.devices[number])
        self.kept_tables[number] = (owners, made)
        return made


def _pieces(rows: list[Row]) -> list[tuple[Ready, int, int]]:
    """(job with tables, begin, end): the rows of each job, which follow each other."""
    ends = [i + 1 for i, row in enumerate(rows) if i + 1 == len(rows) or rows[i + 1].ready is not row.ready]
    return [(rows[begin].ready, begin, end) for begin, end in zip([0, *ends], ends, strict=False)]
