"""The traces engine for many tasks at once: a sweep in a few kernel shapes and full launches.

A launch is [rows, lanes]. A row holds trials of one task that follow each other; a task takes as many
rows as it needs. Lanes draw the same numbers here as in :mod:`ds3sim.engine.traces`, addressed by
(seed, task, batch, trial), so every tally is bit for bit that of ``simulate``, whatever stands beside it.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ds3sim.core import rng, runtime
from ds3sim.core.errors import StoppedEarly, require, whole_number
from ds3sim.engine import MOST_TRACES
from ds3sim.engine.alias import power_of_two
from ds3sim.engine.latent import shared_rate
from ds3sim.engine.many_kernels import outcome_many_kernel, walk_many_kernel
from ds3sim.engine.outcome import outcome_tables
from ds3sim.engine.tables import Table, Walk, batch_keys, macro_steps, macro_tables, walk_of
from ds3sim.engine.traces import MOST_STEPS_PER_TRACE, Sampler, batch_trials
from ds3sim.engine.walk import stage_sizes
from ds3sim.stats.tally import Tally
from ds3sim.strategy.steps import Beam
from ds3sim.strategy.task import Task

ROW_LANES = 1024
TASKS_AT_ONCE = 1024
ENTRIES_AT_ONCE = 2**23
"""At most so many tasks, and about so many table entries, are made together."""
TABLE_ENTRIES = 2**20
"""Entries of the tables of one launch; a task with a larger table goes alone."""
TABLE_SIZES = (2**17, TABLE_ENTRIES)


def simulate_many(
    tasks: Sequence[Task],
    traces: int | Sequence[int],
    seed: int = 0,
    *,
    firsts: Sequence[int] | None = None,
    chunk: int | None = None,
    progress=None,
) -> list[Tally]:
    """Tallies of many tasks, each bit for bit that of ``simulate(task, traces, seed, first=first)``.

    Tasks of any kind may stand side by side; those of one kernel shape share launches. Equal tasks
    are simulated once. Memory: the tallies (24 bytes for each step of each task's budget) and a
    few launches; keep the sum of budgets of one call within what fits.

    Args:
        tasks: any number of tasks.
        traces: trials of each task, one number or one for each.
        seed: whole number in [0, 2^63).
        firsts: number of the first trial of each task; None: 0.
        chunk: walks in one launch; None fits the device. Never changes a result.
        progress: called with the number of trials done since the last call.

    Raises:
        InputError: an argument out of range, or a task that the traces engine cannot do.
        StoppedEarly: on Ctrl-C; ``.partial`` is the list of tallies of what was done, None for
            tasks that were not begun.
    """
    seed = whole_number("seed", seed, 0, 2**63 - 1)
    every = [traces] * len(tasks) if isinstance(traces, int | np.integer) else list(traces)
    begins = [0] * len(tasks) if firsts is None else list(firsts)
    require(len(every) == len(tasks), f"traces has {len(every)} entries for {len(tasks)} tasks")
    require(len(begins) == len(tasks), f"firsts has {len(begins)} entries for {len(tasks)} tasks")
    jobs: dict[tuple, _Job] = {}
    places: list[_Job] = []
    for task, count, first in zip(tasks, every, begins, strict=True):
        count = whole_number("traces", count, 1, MOST_TRACES)
        first = whole_number("firsts", first, 0, MOST_TRACES)
        require(
            task.max_steps <= MOST_STEPS_PER_TRACE,
            f"steps = {task.max_steps} per trace is more than the traces engine keeps ({MOST_STEPS_PER_TRACE}):"
            " use engine closed_form, or lower the budget",
        )
        key = (task.identity, first, count)
        job = jobs.get(key)
        if job is None:
            job = jobs[key] = _Job(task, first, count)
        places.append(job)
    alone = [job for job in jobs.values() if _by_itself(job.task)]
    try:
        _run([job for job in jobs.values() if not _by_itself(job.task)], seed, chunk, progress)
        for job in alone:
            _alone(job, seed, chunk, progress)
    except KeyboardInterrupt:
        raise StoppedEarly([job.tally(seed) if job.done else None for job in places]) from None
    return [job.tally(seed) for job in places]


def _by_itself(task: Task) -> bool:
    """Whether the task has a kernel of its own."""
    return isinstance(task.step, Beam) or shared_rate(task) is not None


@dataclass(eq=False)
class _Job:
    """One task with its sums; these are made when its first launch comes back."""

    task: Task
    first: int
    traces: int
    done: int = 0
    infeasible: int = 0
    endings: np.ndarray | None = None
    task_hits: np.ndarray | None = None
    ready: Tally | None = None

    def add(self, trials: int, infeasible: int, counts: np.ndarray, hits: np.ndarray) -> None:
        if self.endings is None or self.task_hits is None:
            self.endings, self.task_hits = counts, hits
        else:
            self.endings += counts
            self.task_hits += hits
        self.done += trials
        self.infeasible += infeasible

    def tally(self, seed: int) -> Tally:
        if self.ready is not None:
            return self.ready
        assert self.endings is not None and self.task_hits is not None
        task, whole = self.task, self.done == self.traces
        # Copies: half of an interleaved histogram would keep the other half alive.
        self.ready = Tally(
            identity=task.identity,
            engine="traces",
            seed=seed,
            n=task.n,
            traces=self.done,
            feasible=self.done * task.n - self.infeasible,
            task_hits=self.task_hits,
            hits=self.endings[2::2].copy(),
            deaths=self.endings[3::2].copy(),
            shared_feasibility=task.feasibility == "per_task",
            stop_on_dead=task.on_dead == "stop",
            ranges=((seed, self.first, self.first + self.done),),
            stopping={"rule": "traces", "traces": self.traces, "reached": whole}
            | ({} if whole else {"interrupted": True}),
        )
        self.endings = self.task_hits = None
        return self.ready


def _alone(job: _Job, seed: int, chunk, progress) -> None:
    """A task that no batch can hold, by its own kernel."""
    sampler = Sampler(job.task, seed, lanes=chunk, wanted=job.traces)
    try:
        tally = sampler.run(job.first, job.traces, progress)
    except StoppedEarly as stop:
        tally = stop.partial
    counts = np.zeros(2 * len(tally.hits) + 2, np.int64)
    counts[2::2], counts[3::2] = tally.hits, tally.deaths
    if tally.traces:
        job.add(tally.traces, tally.traces * job.task.n - tally.feasible, counts, tally.task_hits)
    if tally.traces < job.traces:
        raise KeyboardInterrupt


# ---- preparing ----------------------------------------------------------------------------------


@dataclass(eq=False)
class _Ready:
    """A job with its tables."""

    job: _Job
    table: Table
    tables: tuple
    rounds: int
    limit: np.ndarray


def _waves(jobs: Sequence[_Job], lanes: int) -> Iterator[tuple]:
    """(kernel shape, jobs with tables, layout), a bounded number at a time. Budgets of one law share its table."""
    shapes: dict[tuple, list[_Job]] = {}
    for job in jobs:
        shapes.setdefault((job.task.n, _kind(job.task.aggregate)), []).append(job)
    for (n, kind), members in shapes.items():
        layout = _layout(members, n, lanes)
        for part in _parts(members):
            groups: dict[bool, list[_Ready]] = {}
            for ready in _prepare(part):
                groups.setdefault(ready.rounds > 8, []).append(ready)
            for long, group in groups.items():
                # Walks of about equal length end together, so that no row waits for others.
                yield (n, kind, long), sorted(group, key=lambda r: r.rounds), layout


def _layout(jobs: Sequence[_Job], n: int, lanes: int) -> tuple[int, int]:
    """(trials of a row, rows of a launch): one size for all launches of a shape, so one compiled kernel."""
    trials = max(1, min(power_of_two(max(job.traces for job in jobs)), ROW_LANES // n))
    total = sum(-(-job.traces // trials) + 1 for job in jobs)
    return trials, min(max(1, lanes // (trials * n)), power_of_two(total))


def _parts(jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
    part: list[_Job] = []
    entries = 0
    for job in jobs:
        size = len(job.task.graph.transient)
        need = (size + 1) * power_of_two(size + 66)
        if part and (len(part) == TASKS_AT_ONCE or entries + need > ENTRIES_AT_ONCE):
            yield part
            part, entries = [], 0
        part.append(job)
        entries += need
    yield part


def _prepare(jobs: Sequence[_Job]) -> Iterator[_Ready]:
    walks: dict[tuple, Walk] = {}
    chosen = []
    for job in jobs:
        task = job.task
        name = (id(task.graph), task.step)
        if name not in walks:
            # Not the task's own cached tensor: it would stay alive with the task.
            walks[name] = walk_of(task, task.step.tensor(task.graph))  # pyright: ignore[reportAttributeAccessIssue]
        chosen.append((name, macro_steps(walks[name], task.max_steps)))
    wanted = list(dict.fromkeys(chosen))
    made = dict(zip(wanted, macro_tables([(walks[name], steps) for name, steps in wanted]), strict=True))
    tables: dict = {}
    limits: dict[float, np.ndarray] = {}
    for job, key in zip(jobs, chosen, strict=True):
        table, feasible, how = made[key], job.task.graph.feasible, job.task.aggregate
        rounds = -(-max(1, job.task.max_steps) // table.steps)
        if how not in tables:
            tables[how] = _small(outcome_tables(how)[1])
        if feasible not in limits:
            limits[feasible] = rng.threshold(feasible)
        yield _Ready(job, table, tables[how], rounds, limits[feasible])


@functools.lru_cache(maxsize=256)
def _kind(aggregate) -> tuple:
    """The static part of an aggregator."""
    return outcome_tables(aggregate)[0]


def _small(tables: tuple) -> tuple:
    """A vote's alias table without the padding that a single task's kernel wants."""
    if len(tables) != 3:
        return tables
    threshold, answer, mask = tables
    return threshold[: int(mask) + 1], answer[: int(mask) + 1], mask


# ---- running ------------------------------------------------------------------------------------


def _run(jobs: Sequence[_Job], seed: int, chunk, progress) -> None:
    devices = runtime.devices()
    count = len(devices)
    threads = count * runtime.workers_per_device(devices[0], count)
    lanes = runtime.lanes_per_launch(devices[0]) if chunk is None else whole_number("chunk", chunk, 1, 2**26)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque = deque()
        number = 0
        try:
            for shape, ready, (trials, size) in _waves(jobs, lanes):
                for rows in _pack(ready, shape[0], trials, size):
                    device = devices[number % count]
                    waiting.append(pool.submit(_launch, rows, shape, trials * shape[0], size, seed, device))
                    number += 1
                    while len(waiting) > 2 * threads:
                        _take(waiting, progress)
            while waiting:
                _take(waiting, progress)
        except KeyboardInterrupt:
            for future in waiting:
                future.cancel()
            raise


def _take(waiting: deque, progress) -> None:
    """Add the oldest launch to its tasks' sums, in the order of trials."""
    future = waiting[0]
    found = future.result()
    waiting.popleft()
    done = 0
    for job, *counts in found:
        job.add(*counts)
        done += counts[0]
    if progress is not None:
        progress(done)


def _pack(ready: Sequence[_Ready], n: int, trials: int, size: int) -> Iterator[list]:
    """Fill launches with at most ``size`` rows of at most ``trials`` trials.

    A row is (job, batch, first trial in the batch, trials), and never crosses the end of a batch.
    """
    batch_size = batch_trials(n)
    rows: list = []
    entries = 0
    for r in ready:
        if rows and entries + r.table.threshold.size > TABLE_ENTRIES:
            yield rows
            rows, entries = [], 0
        entries += r.table.threshold.size
        first, end = r.job.first, r.job.first + r.job.traces
        while first < end:
            batch, inside = divmod(first, batch_size)
            here = min(trials, end - first, batch_size - inside)
            rows.append((r, batch, inside, here))
            first += here
            if len(rows) == size:
                yield rows
                rows, entries = [], r.table.threshold.size
    if rows:
        yield rows


def _launch(rows, shape, width: int, size: int, seed: int, device) -> list:
    """Run one launch: (job, trials, infeasible traces, counts of endings, task hitting times) of its jobs."""
    import jax

    n, kind, long = shape
    pieces: list[tuple[_Ready, int, int]] = []  # consecutive rows of one job
    for i, (r, *_) in enumerate(rows):
        if pieces and pieces[-1][0] is r:
            pieces[-1] = (r, pieces[-1][1], i + 1)
        else:
            pieces.append((r, i, i + 1))
    drawn = list(dict.fromkeys((r.job.task.identity, batch) for r, batch, _, _ in rows))
    made = dict(zip(drawn, batch_keys(seed, [d[0] for d in drawn], [d[1] for d in drawn]), strict=True))
    keys = np.zeros((size, rng.SPARE + 1, 2), np.uint32)
    first = np.zeros(size, np.uint32)
    numbers = np.zeros((8, size), np.int32)
    numbers[1] = 1
    limit = np.full((size, 2), 0xFFFFFFFF, np.uint32)
    for i, (r, batch, inside, trials) in enumerate(rows):
        keys[i] = made[r.job.task.identity, batch]
        first[i] = inside
        numbers[0, i] = trials * n
    base = 0
    for r, begin, end in pieces:
        task, table = r.job.task, r.table
        group = n if task.feasibility == "per_task" else 1
        law = (base, table.width, table.transient, table.steps, r.rounds, task.max_steps)
        numbers[1:, begin:end] = np.array((group, *law))[:, None]
        limit[begin:end] = r.limit
        base += table.threshold.size
    # Few sizes of tables, so that few kernels are compiled.
    space = next((size for size in TABLE_SIZES if base <= size), power_of_two(base))
    threshold, outcome = np.zeros(space, np.uint32), np.zeros(space, np.uint32)
    base = 0
    for r, _, _ in pieces:
        part = slice(base, base + r.table.threshold.size)
        threshold[part], outcome[part] = r.table.threshold, r.table.outcome
        base = part.stop
    given = jax.device_put((keys, first, limit, numbers, threshold, outcome), device)
    stages = stage_sizes(size * width, 9 if long else 1)
    ending = walk_many_kernel()(*given, n=n, width=width, stages=stages)
    times = None
    if kind != ("first",) or n > 1:
        tables = tuple(np.stack([r.tables[j] for r in _filled(rows, size)]) for j in range(len(rows[0][0].tables)))
        tables = jax.device_put(tables, device)
        times = np.asarray(outcome_many_kernel()(ending, *given[:2], tables, n=n, trials=width // n, kind=kind))
    ending = np.asarray(ending)
    out = []
    for r, begin, end in pieces:
        top = r.job.task.max_steps
        counts = np.bincount(ending[begin:end].ravel(), minlength=2 * top + 4)
        trials = sum(row[3] for row in rows[begin:end])
        infeasible = int(counts[1]) - ((end - begin) * width - trials * n)
        hits = counts[2::2].copy() if times is None else _hits(times[begin:end], top)
        out.append((r.job, trials, infeasible, counts, hits))
    return out


def _filled(rows, size: int) -> Iterator[_Ready]:
    """The jobs of all rows of the kernel; unused rows repeat the last one."""
    for i in range(size):
        yield rows[min(i, len(rows) - 1)][0]


def _hits(times: np.ndarray, top: int) -> np.ndarray:
    return np.bincount(times[times <= top], minlength=top + 1)
