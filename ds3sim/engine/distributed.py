"""One simulation by all processes of a job, as srun or mpirun start them. Each does its share of the trials, and one
collective adds the counts; every process then has the same tallies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from ds3sim.core import runtime
from ds3sim.core.errors import StoppedEarly, require
from ds3sim.engine.law import Law
from ds3sim.engine.limits import EngineOptions, Stopping
from ds3sim.engine.simulate import evaluate
from ds3sim.engine.spread import rounds
from ds3sim.engine.tally import Tally
from ds3sim.graph.lump import ChainForm
from ds3sim.task.task import Task, shared_rate

LAUNCHES = (2**17, 2**21)
"""Lanes of a whole launch of a CPU core and of an accelerator: shares end between launches."""
MANY_LAUNCHES = 16
"""Launches of a process from which on the larger ones are counted."""


def share(
    works: Sequence[int], sizes: Sequence[int], units: Sequence[int], rank: int, of: int
) -> list[tuple[int, int]]:
    """(begin, count) of each task's trials that process ``rank`` does. All trials of all tasks stand in one line, which
    is cut into ``of`` parts of equal work, between launches.

    Args:
        works: of one trial of each task.
        sizes: trials of each task.
        units: trials of a launch of each task.
        rank, of: number of the process, and how many there are.
    """
    total = sum(work * size for work, size in zip(works, sizes, strict=True))
    out, before = [], 0
    for work, size, unit in zip(works, sizes, units, strict=True):
        ends = []
        for at in (rank, rank + 1):
            inside = (total * at // of - before) // work  # trials of this task before the cut
            ends.append(min(size, max(0, -(-inside // unit) * unit)) if at < of else size)
        out.append((ends[0], ends[1] - ends[0]))
        before += work * size
    return out


@dataclass(frozen=True)
class _Job:
    """The processes of a job, of which this is one, and what they simulate."""

    options: EngineOptions
    seed: int
    progress: Callable[[int], None] | None
    rank: int
    of: int

    def shares(self, tasks: Sequence[Task], traces: int, rank: int) -> list[tuple[int, int]]:
        """(begin, count) of process ``rank``."""
        works = [task.n * max(1, task.max_steps) for task in tasks]
        small, large = LAUNCHES
        units = []
        for task in tasks:
            lanes = large if traces * task.n >= MANY_LAUNCHES * self.of * large else small
            units.append(max(1, lanes // task.n))
        return share(works, [traces] * len(tasks), units, rank, self.of)

    def up_to(self, first: int, end: int, tasks: Sequence[Task]) -> tuple[list[Tally], bool]:
        """The tallies of the trials first .. end - 1 of every task, and whether any process was interrupted."""
        own = self.shares(tasks, end - first, self.rank)
        counts: dict[int, list[int]] = {}
        for i, (_, count) in enumerate(own):
            if count:
                counts.setdefault(count, []).append(i)
        found: dict[int, Tally | None] = {}
        interrupted = False
        try:
            for count, members in counts.items():
                options = replace(self.options, relative_error=None, max_traces=None, traces=count)
                firsts = [first + own[i][0] for i in members]
                some = [tasks[i] for i in members]
                try:
                    laws: Any = evaluate(some, None, options, self.seed, firsts=firsts, progress=self.progress)
                except StoppedEarly as stop:
                    found |= dict(zip(members, stop.partial, strict=True))
                    raise
                found |= dict(zip(members, laws, strict=True))
        except KeyboardInterrupt:
            interrupted = True
        return self._joined(tasks, first, end, [found.get(i) for i in range(len(tasks))], interrupted)

    def _joined(
        self, tasks: Sequence[Task], first: int, end: int, own: Sequence[Tally | None], interrupted: bool
    ) -> tuple[list[Tally], bool]:
        """The collective."""
        parts = [np.array([interrupted], np.int64)]
        for task, tally in zip(tasks, own, strict=True):
            size = 3 * (task.max_steps + 1) + 3
            if tally is None:
                parts.append(np.zeros(size, np.int64))
                continue
            numbers = np.array([tally.traces, tally.feasible, tally.squares or 0], np.int64)
            parts += [tally.hits, tally.deaths, tally.task_hits, numbers]
        every = gathered(np.concatenate(parts))
        shares = [self.shares(tasks, end - first, rank) for rank in range(self.of)]
        out, at = [], 1
        for i, task in enumerate(tasks):
            width = task.max_steps + 1
            mine = every[:, at : at + 3 * width + 3]
            at += 3 * width + 3
            tallies = [
                self._tally(task, first + shares[rank][i][0], row) for rank, row in enumerate(mine) if row[3 * width]
            ]
            none = self._tally(task, first, np.zeros(3 * width + 3, np.int64))
            out.append(reduce(add, tallies) if tallies else none)
        return out, bool(every[:, 0].any())

    def _tally(self, task: Task, first: int, row: np.ndarray) -> Tally:
        """What one process counted."""
        *counts, numbers = np.split(row, np.arange(1, 4) * (task.max_steps + 1))
        traces, feasible, squares = (int(value) for value in numbers)
        own = squares if shared_rate(task) is not None else None
        return Tally.of(task, "traces", self.seed, first, traces, feasible, counts, Stopping(traces=traces), own)


def gathered(values: np.ndarray) -> np.ndarray:
    """Whole numbers int64 [N] of every process, int64 [processes, N]."""
    from jax.experimental import multihost_utils

    # As bytes: JAX without 64 bits would make int32 of them.
    every = np.asarray(multihost_utils.process_allgather(np.ascontiguousarray(values).view(np.uint8)))
    return np.ascontiguousarray(every.reshape(-1, values.size * 8)).view(np.int64)


def evaluate_distributed(
    tasks: Sequence[Task],
    forms: Sequence[ChainForm | None] | None,
    options: EngineOptions,
    seed: int = 0,
    *,
    progress: Callable[[int], None] | None = None,
) -> list[Law]:
    """As :func:`ds3sim.engine.simulate.evaluate`, bit for bit, by all processes of a job, which all call it with the
    same arguments; after Ctrl-C in any of them, all have what was done in all of them.

    Raises:
        InputError: as there, or an engine whose trials are not split.
        StoppedEarly: as there.
    """
    require(
        options.kind == "traces",
        f"engine = {options.kind}: its trials are not split over the processes of a job: use engine traces, or one"
        " process",
    )
    runtime.outside_jit()
    rank, of = runtime.rank()
    job = _Job(options, seed, progress, rank, of)
    kept: dict[str, Tally] = {}
    at = {task.identity: i for i, task in reversed(list(enumerate(tasks)))}

    def up_to(traces: int, some: Sequence[Task], rule: Stopping) -> list[Tally]:
        done = kept[some[0].identity].traces if kept else 0
        found, interrupted = job.up_to(done, traces, some)
        for task, tally in zip(some, found, strict=True):
            kept[task.identity] = kept[task.identity] + tally if done else tally
        if not interrupted:
            return [replace(kept[task.identity], stopping=rule) for task in some]
        ended = replace(rule, reached=False, interrupted=True)
        tallies = [kept[task.identity] for task in some]
        raise StoppedEarly(
            [replace(t, stopping=rule if t.traces == traces else ended) if t.traces else None for t in tallies]
        )

    distinct = [tasks[i] for i in sorted(at.values())]
    try:
        if options.relative_error is None:
            found = up_to(options.traces, distinct, Stopping.of(options))
        else:
            found = rounds(distinct, options, up_to)
    except StoppedEarly as stop:
        made = dict(zip((task.identity for task in distinct), stop.partial, strict=True))
        raise StoppedEarly([made[task.identity] for task in tasks]) from None
    made = {tally.identity: tally for tally in found}
    return [made[task.identity] for task in tasks]
