"""The traces engine for many tasks at once: a sweep in a few kernel shapes and full launches.

A launch is [rows, lanes]. A row holds trials of one task that follow each other; a task takes as many
rows as it needs. Lanes draw the same numbers here as in :mod:`ds3sim.engine.traces.sampler`, addressed by
(seed, task, batch, trial), so every tally is bit for bit that of ``simulate``, whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ds3sim.core import rng, runtime
from ds3sim.core.check import whole_number
from ds3sim.core.errors import StoppedEarly, require
from ds3sim.engine.limits import MOST_STEPS_PER_TRACE, MOST_TRACES
from ds3sim.engine.tally import Tally
from ds3sim.engine.traces.alias import power_of_two
from ds3sim.engine.traces.outcome import outcome_many_kernel
from ds3sim.engine.traces.pack import TABLE_SIZES, Job, Ready, by_itself, filled, packed, waves
from ds3sim.engine.traces.sampler import Sampler
from ds3sim.engine.traces.tables import batch_keys
from ds3sim.engine.traces.walk import stage_sizes, walk_many_kernel
from ds3sim.task.task import Task


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
    jobs: dict[tuple, Job] = {}
    places: list[Job] = []
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
            job = jobs[key] = Job(task, first, count)
        places.append(job)
    alone = [job for job in jobs.values() if by_itself(job.task)]
    try:
        _run([job for job in jobs.values() if not by_itself(job.task)], seed, chunk, progress)
        for job in alone:
            _alone(job, seed, chunk, progress)
    except KeyboardInterrupt:
        raise StoppedEarly([job.tally(seed) if job.done else None for job in places]) from None
    return [job.tally(seed) for job in places]


def _alone(job: Job, seed: int, chunk, progress) -> None:
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


def _run(jobs: Sequence[Job], seed: int, chunk, progress) -> None:
    devices = runtime.devices()
    count = len(devices)
    threads = count * runtime.workers_per_device(devices[0], count)
    lanes = runtime.lanes_per_launch(devices[0]) if chunk is None else whole_number("chunk", chunk, 1, 2**26)

    def take(_, found: list) -> None:
        done = 0
        for job, *counts in found:
            job.add(*counts)
            done += counts[0]
        if progress is not None:
            progress(done)

    runtime.in_order(_launch, _work(jobs, lanes, seed, devices), threads, take)


def _work(jobs: Sequence[Job], lanes: int, seed: int, devices: list) -> Iterator[tuple]:
    """The arguments of every launch, devices in turn."""
    number = 0
    for shape, ready, (trials, size) in waves(jobs, lanes):
        for rows in packed(ready, shape[0], trials, size):
            yield rows, shape, trials * shape[0], size, seed, devices[number % len(devices)]
            number += 1


def _launch(rows, shape, width: int, size: int, seed: int, device) -> list:
    """Run one launch: (job, trials, infeasible traces, counts of endings, task hitting times) of its jobs."""
    import jax

    n, kind, long = shape
    pieces: list[tuple[Ready, int, int]] = []  # consecutive rows of one job
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
        tables = tuple(np.stack([r.tables[j] for r in filled(rows, size)]) for j in range(len(rows[0][0].tables)))
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


def _hits(times: np.ndarray, top: int) -> np.ndarray:
    return np.bincount(times[times <= top], minlength=top + 1)
