"""Batches of walks: which tasks share a launch, and their tables side by side."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ds3sim.core import rng
from ds3sim.engine.stopping import Stopping
from ds3sim.engine.tally import Tally
from ds3sim.engine.traces.alias import power_of_two
from ds3sim.engine.traces.outcome import outcome_tables
from ds3sim.engine.traces.tables import Table, Walk, macro_steps, macro_tables, walk_of
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task, shared_rate

ROW_LANES = 1024
TASKS_AT_ONCE = 1024
ENTRIES_AT_ONCE = 2**23
"""At most so many tasks, and about so many table entries, are made together."""
TABLE_ENTRIES = 2**20
"""Entries of the tables of one launch; a task with a larger table goes alone."""
TABLE_SIZES = (2**17, TABLE_ENTRIES)
BATCH = 2**20
"""Trials of one batch (fewer where a task has more than 4096 traces): part of the definition of
the random stream, so never a setting."""


def by_itself(task: Task) -> bool:
    """Whether the task has a kernel of its own."""
    return isinstance(task.step, Beam) or shared_rate(task) is not None


@dataclass(eq=False)
class Job:
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
            stopping=Stopping(traces=self.traces, reached=whole, interrupted=not whole),
        )
        self.endings = self.task_hits = None
        return self.ready


@dataclass(eq=False)
class Ready:
    """A job with its tables."""

    job: Job
    table: Table
    tables: tuple
    rounds: int
    limit: np.ndarray


def waves(jobs: Sequence[Job], lanes: int) -> Iterator[tuple]:
    """(kernel shape, jobs with tables, layout), a bounded number at a time. Budgets of one law share its table."""
    shapes: dict[tuple, list[Job]] = {}
    for job in jobs:
        shapes.setdefault((job.task.n, _kind(job.task.aggregate)), []).append(job)
    for (n, kind), members in shapes.items():
        layout = _layout(members, n, lanes)
        for part in _parts(members):
            groups: dict[bool, list[Ready]] = {}
            for ready in _prepare(part):
                groups.setdefault(ready.rounds > 8, []).append(ready)
            for long, group in groups.items():
                # Walks of about equal length end together, so that no row waits for others.
                yield (n, kind, long), sorted(group, key=lambda r: r.rounds), layout


def _layout(jobs: Sequence[Job], n: int, lanes: int) -> tuple[int, int]:
    """(trials of a row, rows of a launch): one size for all launches of a shape, so one compiled kernel."""
    trials = max(1, min(power_of_two(max(job.traces for job in jobs)), ROW_LANES // n))
    total = sum(-(-job.traces // trials) + 1 for job in jobs)
    return trials, min(max(1, lanes // (trials * n)), power_of_two(total))


def _parts(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    part: list[Job] = []
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


def _prepare(jobs: Sequence[Job]) -> Iterator[Ready]:
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
        yield Ready(job, table, tables[how], rounds, limits[feasible])


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


def packed(ready: Sequence[Ready], n: int, trials: int, size: int) -> Iterator[list]:
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


def filled(rows, size: int) -> Iterator[Ready]:
    """The jobs of all rows of the kernel; unused rows repeat the last one."""
    for i in range(size):
        yield rows[min(i, len(rows) - 1)][0]


def batch_trials(n: int) -> int:
    """Trials of a batch: lane numbers must fit 32 bits."""
    return min(BATCH, 2 ** ((2**32 // n).bit_length() - 1))


@dataclass(frozen=True)
class Launch:
    """One kernel call: trials first .. first + count - 1 of a batch."""

    batch: int
    first: int
    count: int


def launches(first: int, traces: int, n: int, trials: int) -> Iterator[Launch]:
    """Cut the trials first .. first + traces - 1 at batch ends and every ``trials`` trials."""
    size = batch_trials(n)
    end = first + traces
    while first < end:
        batch, inside = divmod(first, size)
        count = min(trials, end - first, size - inside)
        yield Launch(batch, inside, count)
        first += count
