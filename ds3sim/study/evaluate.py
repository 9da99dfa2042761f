"""The laws of a study's tasks, block by block: one evaluator for a run, a sweep and a choice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ds3sim.config.entries import Entry
from ds3sim.config.study import Study
from ds3sim.core.errors import InputError, StoppedEarly, require
from ds3sim.core.memory import require_memory
from ds3sim.core.progress import working
from ds3sim.core.runtime import environment
from ds3sim.core.workers import Crew
from ds3sim.engine.closed_form import real_law
from ds3sim.engine.distributed import evaluate_distributed
from ds3sim.engine.law import Law, Sampled
from ds3sim.engine.limits import ENGINES, NUMBERS
from ds3sim.engine.simulate import evaluate as evaluate_tasks
from ds3sim.engine.spread import evaluate_spread
from ds3sim.store.collect import collect, require_storable
from ds3sim.store.contents import Point
from ds3sim.store.store import Store
from ds3sim.task.task import Task

HISTOGRAM_BYTES = 2**28
"""Memory for the laws of the points that are computed together."""
MOST_ENTRIES = 16384
VALUE_BYTES, ROW_BYTES = 96, 1000
"""Memory of a law's numbers at one budget while they are computed, and of one row of the results, about."""

Progress = Callable[[int, int], None]
"""Called with the numbers of trials and points just done."""


@dataclass(frozen=True)
class Means:
    """How tasks are computed; no result depends on it.

    Attributes:
        store: keeps what is simulated.
        progress: called with what was just done.
        crew: workers that compute; None: this process.
        distributed: this process is one of a job's, which share the trials.
    """

    store: Store | None = None
    progress: Progress | None = None
    crew: Crew | None = None
    distributed: bool = False


def about(study: Study, begun: float) -> dict[str, Any]:
    """What a record says of the study that it is of, and of what it was computed with since ``begun``."""
    return {
        "name": study.name,
        "engine": study.config.engine.kind,
        "seed": study.seed,
        "axes": tuple(key for axis in study.axes for key in axis.keys),
        "match": study.match,
        "environment": {**environment(), "wall_s": time.perf_counter() - begun},
    }


@contextmanager
def opened(store: Store | str | os.PathLike[str] | None) -> Iterator[Store | None]:
    """A store for a ``with``; a path is opened, and closed at the end. A file that was made for work that is then
    refused is taken away, unless something was simulated before."""
    if not isinstance(store, str | os.PathLike):
        yield store
        return
    new = not os.path.exists(store)
    with Store.open(store) as kept:
        try:
            yield kept
        except InputError:
            with suppress(InputError, OSError):  # the first error is told
                if new and not (kept.patient.left or kept.keys()):
                    kept.close()
                    os.unlink(store)
            raise


def evaluate(
    study: Study, means: Means, whole_points: bool = False
) -> Iterator[tuple[list[Entry], list[list[Law]], bool]]:
    """(entries, for each the laws of its tasks, Ctrl-C came), block by block, in the order of the points.

    A block holds all strategies of its points and bounded memory. After Ctrl-C come the leading complete points of
    the block, or of a study of one point the strategies with any traces (unless ``whole_points``), and then the
    KeyboardInterrupt. InputError: an engine cannot do a task, or the store cannot keep what it gives.
    """
    rows = study.count * len(study.strategies) * len(study.amounts)
    require_memory(ROW_BYTES * rows, f"{study.source}: a result of {rows:,} rows", "take fewer budgets or points")
    entries: Iterable[Entry] = study.entries()
    whole = whole_points or study.count > 1
    store = means.store
    if store is not None:
        told = f"{study.source}: a store has one process that writes to it: leave it out of a distributed run"
        require(not means.distributed, told)
        entries = list(entries)
        for options in dict.fromkeys(entry.engine for entry in entries):
            require_storable(options, f"{study.source}: ")
        points, common = [Point.of(entry) for entry in entries], study.common()
        store.patient.do(lambda kept: kept.put_points(study.name, points, common))
    with working("points", study.count) as stage:
        for block in _blocks(entries, study.source):
            stopped = False
            laws: dict[tuple[Any, ...], Law] = {}
            try:
                _block(study, block, means, laws, whole)
            except KeyboardInterrupt:
                stopped = True
            found = [[laws.get(_name(entry, task)) for task in entry.tasks] for entry in block]
            done = _done(block, found, whole) if stopped else block
            stage.advance(_points(done))
            if done:
                yield done, [[law for law in own if law is not None] for own in found[: len(done)]], stopped
            if stopped:
                raise KeyboardInterrupt


def _points(entries: Iterable[Entry]) -> int:
    return len({entry.point for entry in entries})


def _done(block: list[Entry], found: list[list[Law | None]], whole: bool) -> list[Entry]:
    """The leading entries whose laws are there; those of complete points, if only whole ones count."""
    lacking = next((i for i, own in enumerate(found) if any(law is None for law in own)), len(block))
    if whole and lacking < len(block):
        lacking = next(i for i, entry in enumerate(block) if entry.point == block[lacking].point)
    return block[:lacking]


def _blocks(entries: Iterable[Entry], source: str) -> Iterator[list[Entry]]:
    """Whole points, until their laws fill the memory allowed."""
    block: list[Entry] = []
    used, seen = 0, set()
    for _, group in groupby(entries, key=lambda entry: entry.point):
        point = list(group)
        need = 0
        for task in (task for entry in point for task in entry.tasks):
            need += VALUE_BYTES * len(task.budgets)
            if task.identity not in seen and point[0].engine.kind not in NUMBERS:
                need += 24 * (task.max_steps + 64)
        parts = sum(len(entry.tasks) for entry in point)
        require_memory(
            need, f"{source}: {parts:,} tasks with their budgets at one point", "take fewer tasks, or lower budgets"
        )
        if block and (used + need > HISTOGRAM_BYTES or len(block) >= MOST_ENTRIES):
            yield block
            block, used, seen = [], 0, set()
        block += point
        used += need
        seen |= {task.identity for entry in point for task in entry.tasks}
    if block:
        yield block


def _name(entry: Entry, task: Task) -> tuple[Any, ...]:
    """What decides a law: equal tasks of a block are computed once."""
    of_all_budgets = ENGINES[entry.engine.kind].adds and entry.engine.relative_error is None
    budgets = () if of_all_budgets else tuple(task.budgets.tolist())
    return task.identity, budgets, entry.real, entry.engine, entry.seed


def _block(
    study: Study,
    block: Sequence[Entry],
    means: Means,
    laws: dict[Any, Any],
    whole: bool,
) -> None:
    """Fill ``laws`` for all tasks of a block."""
    wanted: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for entry in block:
        for task, form in zip(entry.tasks, entry.forms, strict=True):
            wanted.setdefault(_name(entry, task), (entry, task, form))
    kinds: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for name, (entry, _, _) in wanted.items():
        kinds.setdefault((entry.engine, entry.seed, entry.real is not None), []).append(name)
    with working("", len(kinds), _points(block)) as stage:
        for (options, _, _), names in kinds.items():
            entries, tasks, forms = zip(*(wanted[name] for name in names), strict=True)
            try:
                laws.update(zip(names, _laws(entries, tasks, forms, means), strict=True))
            except StoppedEarly as stop:
                done = [(name, law) for name, law in zip(names, stop.partial, strict=True) if law is not None]
                cut = {name for name, law in done if whole and isinstance(law, Sampled) and law.stopping.interrupted}
                laws.update((name, law) for name, law in done if name not in cut)
                raise KeyboardInterrupt from None
            except InputError as error:
                told = str(error)
                where = "" if told.startswith(study.source) else f"{study.source}: engine.kind = {options.kind}: "
                raise type(error)(f"{where}{told}") from None
            stage.advance()


def _laws(entries: Sequence[Entry], tasks: Sequence[Task], forms: Sequence[Any], means: Means) -> Sequence[Law]:
    """The laws of tasks that share engine options and seed."""
    first = entries[0]
    progress = means.progress
    count = None if progress is None else lambda trials: progress(trials, 0)
    if first.real is not None:
        pairs = zip(entries, tasks, forms, strict=True)
        return [real_law(task, form, entry.real) for entry, task, form in pairs if entry.real is not None]
    if means.store is not None:
        items = [(task, {**entry.said, "axes": entry.axes}) for entry, task in zip(entries, tasks, strict=True)]
        return collect(items, means.store, first.engine, first.seed, count, means.crew)
    if means.distributed:
        return evaluate_distributed(tasks, forms, first.engine, first.seed, progress=count)
    if means.crew is not None:
        return evaluate_spread(means.crew, tasks, forms, first.engine, first.seed, progress=count)
    return evaluate_tasks(tasks, forms, first.engine, first.seed, progress=count)
