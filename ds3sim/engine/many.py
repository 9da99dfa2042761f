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
from ds3sim.engine.alias import lookup, power_of_two
from ds3sim.engine.outcome import _outcome, outcome_tables
from ds3sim.engine.tables import Table, Walk, batch_keys, macro_steps, macro_tables, walk_of
from ds3sim.engine.traces import MOST_STEPS_PER_TRACE, Sampler, batch_trials
from ds3sim.engine.walk import NEVER, NOT_REACHED, endings, stage_sizes, traced
from ds3sim.stats.tally import Tally
from ds3sim.strategy.steps import Beam
from ds3sim.strategy.task import Task

ROW_LANES = 1024
TASKS_AT_ONCE = 1024
ENTRIES_AT_ONCE = 2**23
"""At most so many tasks, and about so many table entries, are made together."""
TABLE_ENTRIES = 2**20
"""Entries of the tables of one launch; a task with a larger table goes alone."""
OVER = -2 - 2 * 2**28
"""State of a walk that has used up its budget: a hitting time beyond any budget."""


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
    alone = [job for job in jobs.values() if isinstance(job.task.step, Beam)]
    try:
        _run(_waves([job for job in jobs.values() if job not in alone]), seed, chunk, progress)
        for job in alone:
            _alone(job, seed, chunk, progress)
    except KeyboardInterrupt:
        raise StoppedEarly([job.tally(seed) if job.done else None for job in places]) from None
    return [job.tally(seed) for job in places]


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


def _waves(jobs: Sequence[_Job]) -> Iterator[tuple[tuple, list[_Ready]]]:
    """(kernel shape, jobs with tables), a bounded number at a time. Budgets of one law share its table."""
    shapes: dict[tuple, list[_Job]] = {}
    for job in jobs:
        shapes.setdefault((job.task.n, _kind(job.task.aggregate)), []).append(job)
    for (n, kind), members in shapes.items():
        for part in _parts(members):
            groups: dict[bool, list[_Ready]] = {}
            for ready in _prepare(part):
                groups.setdefault(ready.rounds > 8, []).append(ready)
            for long, group in groups.items():
                # Walks of about equal length end together, so that no row waits for others.
                yield (n, kind, long), sorted(group, key=lambda r: r.rounds)


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


def _run(waves, seed: int, chunk, progress) -> None:
    devices = runtime.devices()
    count = len(devices)
    threads = count * runtime.workers_per_device(devices[0], count)
    lanes = runtime.lanes_per_launch(devices[0]) if chunk is None else whole_number("chunk", chunk, 1, 2**26)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque = deque()
        number = 0
        try:
            for shape, ready in waves:
                for rows, width, size in _pack(ready, shape[0], lanes):
                    device = devices[number % count]
                    waiting.append((rows, pool.submit(_launch, rows, shape, width, size, seed, device)))
                    number += 1
                    while len(waiting) > 2 * threads:
                        _take(waiting, progress)
            while waiting:
                _take(waiting, progress)
        except KeyboardInterrupt:
            for _, future in waiting:
                future.cancel()
            raise


def _take(waiting: deque, progress) -> None:
    """Add the oldest launch to its tasks' sums, in the order of trials."""
    rows, future = waiting[0]
    found = future.result()
    waiting.popleft()
    done = 0
    for job, *counts in found:
        job.add(*counts)
        done += counts[0]
    if progress is not None:
        progress(done)


def _pack(ready: Sequence[_Ready], n: int, lanes: int):
    """Fill launches with rows: (rows, lanes of a row, rows of the kernel).

    A row is (job, batch, first trial in the batch, trials), and never crosses the end of a batch.
    """
    most = max(r.job.traces for r in ready)
    trials = max(1, min(power_of_two(most), ROW_LANES // n))
    width = trials * n
    capacity = max(1, lanes // width)
    total = sum(-(-r.job.traces // trials) + 1 for r in ready)
    size = min(capacity, power_of_two(total))
    batch_size = batch_trials(n)
    rows: list = []
    entries = 0
    for r in ready:
        if rows and entries + r.table.threshold.size > TABLE_ENTRIES:
            yield rows, width, size
            rows, entries = [], 0
        entries += r.table.threshold.size
        first, end = r.job.first, r.job.first + r.job.traces
        while first < end:
            batch, inside = divmod(first, batch_size)
            here = min(trials, end - first, batch_size - inside)
            rows.append((r, batch, inside, here))
            first += here
            if len(rows) == size:
                yield rows, width, size
                rows, entries = [], r.table.threshold.size
    if rows:
        yield rows, width, size


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
    space = 2**16
    while space < base:
        space *= 4
    space = min(space, max(power_of_two(base), 2**16))
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


# ---- kernels ------------------------------------------------------------------------------------


def _walk_many(keys, first_trial, limit, numbers, threshold, outcome, *, n, width, stages):
    """:func:`ds3sim.engine.walk._walk` for rows of lanes that belong to different tasks."""
    import jax.numpy as jnp
    from jax import lax

    traced["walk_many"] += 1
    valid, group, base, columns, transient, steps, rounds, max_steps = numbers[:, :, None]
    index = jnp.arange(width, dtype=jnp.int32)[None, :]
    lane = (first_trial * np.uint32(n))[:, None] + index.astype(jnp.uint32)
    walking = (index < valid) & _feasible(keys, lane, group.astype(jnp.uint32), limit)
    state = jnp.where(walking, transient * columns, jnp.int32(NEVER))
    home = jnp.arange(stages[0], dtype=jnp.int32)
    result = jnp.full(stages[0], NEVER, dtype=jnp.int32)
    law = (keys[:, rng.WALK, 0, None], keys[:, rng.WALK, 1, None], base, columns, transient, steps, rounds)
    time = jnp.int32(0)

    def advance(carry, lane, law):
        state, time = carry
        key0, key1, base, columns, transient, steps, rounds = law
        word0, word1 = rng.threefry2x32(key0, key1, lane, jnp.broadcast_to(time.astype(jnp.uint32), lane.shape))
        mask = (columns - 1).astype(jnp.uint32)
        code = lookup(threshold, outcome, base + jnp.maximum(state, 0), mask, word0, word1)
        left = code - transient
        died = (left > steps).astype(jnp.int32)
        when = time * steps + left - died * (steps + 1)
        walks = jnp.where(time + 1 < rounds, code * columns, jnp.int32(OVER))
        after = jnp.where(left < 0, walks, -2 - (2 * when + died))
        return jnp.where(state >= 0, after, state), time + 1

    row = None
    for size, smaller in zip(stages, (*stages[1:], 0), strict=True):

        def unfinished(carry, smaller=smaller):
            return jnp.sum(carry[0] >= 0, dtype=jnp.int32) > smaller

        state, time = lax.while_loop(unfinished, functools.partial(advance, lane=lane, law=law), (state, time))
        flat = state.reshape(-1)
        result = result.at[home].set(flat, mode="drop")
        if smaller:
            kept = jnp.nonzero(flat >= 0, size=smaller, fill_value=size - 1)[0].astype(jnp.int32)
            real = jnp.arange(smaller, dtype=jnp.int32) < jnp.sum(flat >= 0, dtype=jnp.int32)
            home = jnp.where(real, home[kept], stages[0])
            state = jnp.where(real, flat[kept], NEVER)
            lane = lane.reshape(-1)[kept]
            if row is None:  # from here on each lane carries its task's numbers
                row = kept // width
                law = tuple(a[:, 0][row] for a in law)
            else:
                law = tuple(a[kept] for a in law)
    return endings(result.reshape(-1, width), max_steps)


def _feasible(keys, lane, group, limit):
    """bool per lane: :func:`ds3sim.engine.walk.feasible_lanes` for rows of different tasks."""
    import jax.numpy as jnp
    from jax import lax

    certain = ((limit[:, 0] & limit[:, 1]) == np.uint32(0xFFFFFFFF))[:, None]
    key0, key1 = keys[:, rng.FEASIBLE, 0, None], keys[:, rng.FEASIBLE, 1, None]

    def drawn(lane):
        words = rng.threefry2x32(key0, key1, lane // group, jnp.zeros_like(lane))
        return certain | rng.below(*words, limit[:, None, :])

    return lax.cond(jnp.all(certain), lambda lane: jnp.ones(lane.shape, bool), drawn, lane)


def _outcome_many(ending, keys, first_trial, tables, *, n, trials, kind):
    import jax

    def one(ending, keys, first_trial, tables):
        first_lane = first_trial * np.uint32(n)
        return _outcome(ending, keys, first_lane, first_trial, tables, n=n, trials=trials, kind=kind)

    return jax.vmap(one)(ending, keys, first_trial, tables)


@functools.cache
def walk_many_kernel():
    """The jitted walk over [rows, lanes].

    Args of the kernel: keys uint32 [rows, purposes, 2]; first trial uint32 [rows]; limit uint32
    [rows, 2]; numbers int32 [8, rows] (valid lanes, lanes that share feasibility, first table
    entry, table width, transient states, steps per draw, draws, largest budget); threshold, outcome
    uint32 [entries]; static n, width, stages. Returns endings int32 [rows, width].
    """
    import jax

    return jax.jit(_walk_many, static_argnames=("n", "width", "stages"))


@functools.cache
def outcome_many_kernel():
    """The jitted map from endings int32 [rows, lanes] to task hitting times int32 [rows, trials]."""
    import jax

    return jax.jit(_outcome_many, static_argnames=("n", "trials", "kind"))


__all__ = ["NOT_REACHED", "simulate_many"]
