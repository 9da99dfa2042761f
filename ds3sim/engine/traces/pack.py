"""Jobs of the traces engine, and how their trials fill launches of rows and lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ds3sim.core import rng
from ds3sim.engine.limits import FIRST_ROUND, EngineOptions, Stopping
from ds3sim.engine.tally import Tally, enough
from ds3sim.engine.traces.alias import power_of_two
from ds3sim.engine.traces.beam import beam, beam_arguments
from ds3sim.engine.traces.choice import LONG_RUN, Choice
from ds3sim.engine.traces.outcome import outcome_tables
from ds3sim.engine.traces.tables import Walk, macro_steps, macro_tables, walk_of
from ds3sim.engine.traces.urn import urn, urn_arguments
from ds3sim.engine.traces.walk import walk
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task, shared_rate

FEWEST_LANES = 64
"""A smaller chunk saves no memory: a launch would only cost more than what it does."""
ROW_LANES = 1024
"""Lanes of a row where several tasks share a launch; a single task has one row of all lanes."""
DEVICE_ROW, SHARED_LANES = 2**13, 2**22
"""On an accelerator: lanes of a row where several tasks share a launch, and of any launch but those of one task's
single traces, which have as many as :func:`ds3sim.core.runtime.lanes_per_launch` says."""
TASKS_AT_ONCE = 1024
ENTRIES_AT_ONCE = 2**23
"""At most so many tasks, and about so many table entries, are made together."""
TABLE_ENTRIES = 2**20
"""Entries of the tables of one launch; a task with a larger table goes alone."""
MOST_VOTE_COUNTS = 2**24
"""Counts of votes that one launch keeps, 4 bytes each."""
BATCH = 2**20
"""Trials of one batch (fewer where a task has more than 4096 traces): part of the definition of
the random stream, so never a setting."""


@dataclass(eq=False)
class Job:
    """The trials ``first .. first + goal - 1`` of a task, and the sums of those done.

    Attributes:
        stream: names the random stream.
        most: trials it may take, for the size of launches.
        walk: another walk than the task's own.
        error: the relative standard error that the tally leaves; None: :func:`enough` decides.
        ended: nothing is left to do; reached: the stopping rule is met.
        counts: hits, deaths and task_hits as in :class:`Tally`; empty before the first launch came back.
        squares: as in :class:`Tally`.
    """

    task: Task
    first: int
    goal: int
    most: int
    stream: str
    walk: Walk | None = None
    error: Callable[[Tally], float] | None = None
    done: int = 0
    infeasible: int = 0
    ended: bool = False
    reached: bool = False
    counts: tuple[np.ndarray, ...] = ()
    squares: int | None = None

    @classmethod
    def of(cls, task: Task, first: int, options: EngineOptions) -> Job:
        """The job that ``options`` ask for."""
        goal = options.traces if options.relative_error is None else min(FIRST_ROUND, options.most)
        return cls(task, first, goal, options.most, task.identity)

    def add(
        self, trials: int, infeasible: int, endings: np.ndarray, task_hits: np.ndarray, squares: int | None
    ) -> None:
        """Count a launch; ``endings`` int64 [2 max_steps + 4] counts its endings."""
        found = (endings[2::2], endings[3::2], task_hits)
        self.counts = self.counts or tuple(map(np.zeros_like, found))
        for total, new in zip(self.counts, found, strict=True):
            total += new
        if squares is not None:
            self.squares = (self.squares or 0) + squares
        self.done += trials
        self.infeasible += infeasible
        self.ended = self.reached = self.done == self.goal

    def goes_on(self, seed: int, options: EngineOptions) -> bool:
        """Whether ``relative_error`` wants another round; sets its goal."""
        assert options.relative_error is not None
        wanted, tally = options.relative_error, self.tally(seed, options)
        self.reached = enough(self.task, tally, wanted) if self.error is None else self.error(tally) <= wanted
        self.ended = self.reached or self.done >= self.most
        if not self.ended:
            self.goal = min(2 * self.done, self.most)
        return not self.ended

    def tally(self, seed: int, options: EngineOptions) -> Tally:
        """The tally of what is done."""
        feasible = self.done * self.task.n - self.infeasible
        ended = Stopping.of(options, reached=self.reached, interrupted=not self.ended)
        run = (self.task, "traces", seed, self.first, self.done, feasible, self.counts, ended)
        return Tally.of(*run, squares=self.squares)


MOST_PROPOSALS = 2**23
"""Proposals of beams that a launch holds, 50 bytes each, about."""
LONG_LAUNCH = 2**17
"""Steps of a launch of full size; longer ones have fewer lanes, since Ctrl-C waits for a launch."""


@dataclass(frozen=True)
class Shape:
    """What a kernel is compiled for, beside the sizes of its arrays: the kernel, its static arguments, traces of a
    trial, the static part of the aggregator, and whether walks are so long that lanes are compacted."""

    kernel: Callable[..., Any]
    static: tuple[tuple[str, int], ...]
    n: int
    outcome: tuple[Any, ...]
    long: bool = False

    @property
    def alone(self) -> bool:
        """Whether a trial is its only trace."""
        return self.n == 1 and self.outcome == ("first",)


KERNELS = {beam: beam_arguments, urn: urn_arguments}
"""Kernels of tasks that no batch can hold, and what makes their arguments."""


@dataclass(frozen=True, eq=False)
class Ready:
    """A job with its tables.

    Attributes:
        arrays: of the kernel; for walks threshold and outcome uint32 [entries], without padding, and the rest of wide
            ones.
        law: of walks: table width, transient states, steps per draw, draws.
        marks: the aggregator's tables; limit: uint32 [2], threshold of feasibility.
    """

    job: Job
    arrays: tuple[np.ndarray, ...]
    law: tuple[int, int, int, int]
    marks: tuple[np.ndarray, ...]
    limit: np.ndarray

    @property
    def entries(self) -> int:
        """Table entries."""
        return self.arrays[0].size


@dataclass(frozen=True, eq=False)
class Wave:
    """Jobs of one shape with their tables; launches of ``rows`` rows of ``width`` lanes; ``compiled`` and
    ``accelerator`` as in :class:`~ds3sim.engine.traces.backend.Backend`."""

    shape: Shape
    ready: Sequence[Ready]
    width: int
    rows: int
    compiled: bool = False
    accelerator: Choice | None = None

    @property
    def long(self) -> bool:
        """Whether there is so much to do, as far as is known now, that a choice of kernels is worth its time."""
        job = self.ready[-1].job  # the one with the longest walks
        return len(self.ready) * job.goal * job.task.n * job.task.max_steps >= LONG_RUN

    @property
    def trials(self) -> int:
        """Trials of a row at most."""
        return self.width // self.shape.n


class Row(NamedTuple):
    """Trials ``first .. first + count - 1`` of a batch of one job."""

    ready: Ready
    batch: int
    first: int
    count: int


def waves(
    jobs: Sequence[Job], lanes: int, macro: int | None, compiled: bool = False, accelerator: Choice | None = None
) -> Iterator[Wave]:
    """The jobs by kernel shape, a bounded number at a time; walks ``compiled`` by numba where asked for, or made for an
    ``accelerator``. Budgets of one law share its table."""
    shapes: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        own = beam if isinstance(job.task.step, Beam) else urn if shared_rate(job.task) is not None else None
        alone = own and (own, id(job))
        shapes.setdefault((job.task.n, outcome_tables(job.task.aggregate)[0], alone), []).append(job)
    for (n, outcome, alone), members in shapes.items():
        several = accelerator is not None and not alone
        layout = _layout(members, n, lanes, outcome, compiled and not alone, several)
        if alone:
            (job,), (kernel, _) = members, alone
            arrays, static = KERNELS[kernel](job.task)
            marks, limit = outcome_tables(job.task.aggregate)[1], rng.threshold(job.task.graph.feasible)
            ready = Ready(job, arrays, (1, 0, 0, 0), marks, limit)
            shape = Shape(kernel, tuple(static.items()), n, outcome)
            yield Wave(shape, [ready], *layout, accelerator=accelerator)
            continue
        for part in _parts(members):
            groups: dict[tuple[Any, ...], list[Ready]] = {}
            for ready in _prepare(part, macro):
                own = id(ready) if len(ready.arrays) > 2 else None  # a wide table goes alone
                groups.setdefault((ready.law[3] > 8, own), []).append(ready)
            for (long, _), group in groups.items():
                # Walks of about equal length end together, so that no row waits for others.
                group.sort(key=lambda r: r.law[3])
                yield Wave(Shape(walk, (), n, outcome, long), group, *layout, compiled, accelerator)


def _layout(
    jobs: Sequence[Job], n: int, lanes: int, outcome: tuple[Any, ...], compiled: bool, several: bool
) -> tuple[int, int]:
    """(lanes of a row, rows of a launch): one size for all launches of a shape, so one compiled kernel; ``several``:
    for an accelerator, and kernels that take several rows."""
    most = max(job.most for job in jobs)
    step, steps = jobs[0].task.step, max(job.task.max_steps for job in jobs)
    fewest, held = FEWEST_LANES, lanes
    if isinstance(step, Beam):  # a lane holds its proposals
        held, steps = MOST_PROPOSALS // step.proposals, 8 * step.proposals * steps
    if steps > LONG_LAUNCH:
        lanes, fewest = max(1, lanes * LONG_LAUNCH // steps), 1
    lanes = min(lanes, held)
    if several:
        width, rows = _device_rows(jobs, n, lanes, outcome)
    elif len(jobs) == 1 or compiled:
        width = power_of_two(max(n, min(max(lanes, fewest), max(ROW_LANES, most * n))))
        rows = 1 if len(jobs) == 1 else max(1, min(lanes // width, power_of_two(2 * len(jobs))))
    else:
        trials = max(1, min(power_of_two(most), ROW_LANES // n))
        total = sum(-(-job.most // trials) + 1 for job in jobs)
        width, rows = trials * n, min(max(1, lanes // (trials * n)), power_of_two(total))
    if outcome[0] == "voted":  # a trial keeps a count for each wrong answer
        while rows * (width // n) > 1 and rows * (width // n) * outcome[2] > MOST_VOTE_COUNTS:
            width, rows = (width, rows // 2) if rows > 1 else (width // 2, rows)
    return width, rows


def _device_rows(jobs: Sequence[Job], n: int, lanes: int, outcome: tuple[Any, ...]) -> tuple[int, int]:
    """As :func:`_layout` on an accelerator: the host works for each launch and each row, so both are large. A row never
    crosses the end of a batch, so a single task takes several too."""
    most, alone = max(job.most for job in jobs), len(jobs) == 1
    if not alone or n > 1 or outcome != ("first",):
        lanes = min(lanes, SHARED_LANES)
    size = batch_trials(n)
    longest = max(1, min(size if alone else DEVICE_ROW // n, lanes // n))
    trials = -(-most // -(-most // longest))  # evenly, so that few lanes idle
    trials = min(longest, power_of_two(max(trials, ROW_LANES // n)) if alone else -(-trials // 64) * 64)
    total = sum(-(-job.most // trials) + (job.first % size + job.most) // size for job in jobs)
    # A quarter of a long run at most: the next launch is prepared while one runs.
    return trials * n, max(1, min(lanes // (trials * n), power_of_two(-(-total // 4) if alone else total)))


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


def _prepare(jobs: Sequence[Job], macro: int | None) -> Iterator[Ready]:
    walks: dict[tuple[Any, ...], Walk] = {}
    chosen = []
    for job in jobs:
        task = job.task
        name = (id(task.graph), task.step, job.walk and id(job.walk))
        if name not in walks:
            # A batch leaves no tensors behind in its tasks, where they would stay as long as these.
            walks[name] = job.walk or walk_of(task.graph, task.tensor if len(jobs) == 1 else task.step_tensor())
        chosen.append((name, macro or macro_steps(walks[name], task.max_steps)))
    wanted = list(dict.fromkeys(chosen))
    made = dict(zip(wanted, macro_tables([(walks[name], steps) for name, steps in wanted]), strict=True))
    limits = {chance: rng.threshold(chance) for chance in {job.task.graph.feasible for job in jobs}}
    for job, key in zip(jobs, chosen, strict=True):
        table = made[key]
        law = (table.width, table.transient, table.steps, -(-max(1, job.task.max_steps) // table.steps))
        marks = outcome_tables(job.task.aggregate)[1]
        yield Ready(job, (table.threshold, table.outcome, *table.wide), law, marks, limits[job.task.graph.feasible])


def packed(ready: Sequence[Ready], trials: int, rows: int) -> Iterator[list[Row]]:
    """Fill launches with at most ``rows`` rows of at most ``trials`` trials; a row never crosses the end of a batch."""
    out: list[Row] = []
    entries = 0
    for r in ready:
        if out and entries + r.entries > TABLE_ENTRIES:
            yield out
            out, entries = [], 0
        entries += r.entries
        job = r.job
        size = batch_trials(job.task.n)
        first, end = job.first + job.done, job.first + job.goal
        while first < end:
            batch, inside = divmod(first, size)
            here = min(trials, end - first, size - inside)
            out.append(Row(r, batch, inside, here))
            first += here
            if len(out) == rows:
                yield out
                out, entries = [], r.entries
    if out:
        yield out


def batch_trials(n: int) -> int:
    """Trials of a batch: lane numbers must fit 32 bits."""
    return min(BATCH, 2 ** ((2**32 // n).bit_length() - 1))
