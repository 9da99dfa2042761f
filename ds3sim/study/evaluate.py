"""The laws of a study's tasks, block by block: one evaluator for a run, a sweep and a choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from ds3sim.config.expand import Entry, SweepPlan
from ds3sim.core.errors import InputError, StoppedEarly, require
from ds3sim.engine.closed_form import closed_forms, real_law
from ds3sim.engine.exact import exacts
from ds3sim.engine.limits import NUMBERS
from ds3sim.engine.simulate import simulate
from ds3sim.engine.traces.run import simulate_many
from ds3sim.store.collect import collect
from ds3sim.store.contents import contents
from ds3sim.store.store import Store
from ds3sim.task.task import Task

HISTOGRAM_BYTES = 2**28
MOST_ENTRIES = 16384

Progress = Callable[[int, int], None]
"""Called with the numbers of trials and points just done."""


def evaluate(
    study: SweepPlan, store: Store | None = None, progress: Progress | None = None, whole_points: bool = False
) -> Iterator[tuple[list[Entry], list[list]]]:
    """(entries, for each the laws of its tasks), block by block, in the order of the points.

    A block holds all strategies of its points and bounded memory. After Ctrl-C come the leading complete points of
    the block, or of a study of one point the strategies with any traces, and then the KeyboardInterrupt.

    Args:
        study: what is asked.
        store: keeps what random engines simulate, and goes on from there.
        progress: told of trials and points.
        whole_points: keep no part of a point, though it be the only one.

    Raises:
        InputError: an engine cannot do a task, or the store cannot keep what it gives.
        KeyboardInterrupt: Ctrl-C, after the blocks done until then.
    """
    entries: Iterable[Entry] = study.entries()
    whole = whole_points or study.count > 1
    if store is not None:
        entries = list(entries)
        _storable(study, entries)
        store.put_points(study.name, [contents(entry) for entry in entries], study.common())
    for block in _blocks(entries):
        stopped = False
        laws: dict[tuple, object] = {}
        try:
            _block(study, block, laws, store, progress, whole)
        except KeyboardInterrupt:
            stopped = True
        found = [[laws.get(_name(entry, task)) for task in entry.tasks] for entry in block]
        done = _done(block, found, whole) if stopped else block
        if done:
            yield done, found[: len(done)]
        if stopped:
            raise KeyboardInterrupt


def _done(block: list[Entry], found: list[list], whole: bool) -> list[Entry]:
    """The leading entries whose laws are there; those of complete points, if only whole ones count."""
    lacking = next((i for i, own in enumerate(found) if any(law is None for law in own)), len(block))
    if whole and lacking < len(block):
        lacking = next(i for i, entry in enumerate(block) if entry.point == block[lacking].point)
    return block[:lacking]


def _blocks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Whole points, until their histograms fill the memory allowed."""
    block: list[Entry] = []
    used, seen = 0, set()
    for _, group in groupby(entries, key=lambda entry: entry.point):
        point = list(group)
        need = 0
        for task in (task for entry in point for task in entry.tasks):
            if task.identity not in seen and point[0].engine.kind not in NUMBERS:
                need += 24 * (task.max_steps + 64)
        if block and (used + need > HISTOGRAM_BYTES or len(block) >= MOST_ENTRIES):
            yield block
            block, used, seen = [], 0, set()
        block += point
        used += need
        seen |= {task.identity for entry in point for task in entry.tasks}
    if block:
        yield block


def _name(entry: Entry, task: Task) -> tuple:
    """What decides a law: equal tasks of a block are computed once."""
    engine = entry.engine
    budgets = () if engine.kind in ("traces", "population") else tuple(task.budgets.tolist())
    limits = (engine.traces, engine.relative_error, engine.max_traces)
    return (task.identity, budgets, entry.real, engine.kind, *limits, entry.seed)


def _block(study: SweepPlan, block: Sequence[Entry], laws: dict, store: Store | None, progress, whole) -> None:
    """Fill ``laws`` for all tasks of a block."""
    wanted: dict[tuple, tuple] = {}
    for entry in block:
        for task, form in zip(entry.tasks, entry.forms, strict=True):
            wanted.setdefault(_name(entry, task), (entry, task, form))
    kinds: dict[tuple, list[tuple]] = {}
    for name, (entry, _, _) in wanted.items():
        until, real = entry.engine.relative_error is not None, entry.real is not None
        kinds.setdefault((entry.engine.kind, entry.engine.traces, until, entry.seed, real), []).append(name)
    for (kind, traces, *_), names in kinds.items():
        entries, tasks, forms = zip(*(wanted[name] for name in names), strict=True)
        try:
            for name, law in zip(names, _laws(entries, tasks, forms, store, progress), strict=False):
                laws[name] = law
        except StoppedEarly as stop:
            # Points of a sweep are compared: each has all of its traces. A single point keeps what it has.
            done = stop.partial if isinstance(stop.partial, list) else [stop.partial]
            names = names[len([name for name in names if name in laws]) :]
            for name, law in zip(names, done, strict=False):
                if law is not None and law.traces > 0 and (not whole or law.traces == traces):
                    laws[name] = law
            raise KeyboardInterrupt from None
        except InputError as error:
            where = f"{study.source}: engine.kind = {kind}"
            raise type(error)(f"{where}: {error}" if not str(error).startswith(study.source) else str(error)) from None


def _laws(entries: Sequence[Entry], tasks: Sequence[Task], forms: Sequence, store: Store | None, progress) -> Iterable:
    """The laws of tasks that share engine, traces and seed; one after the other where there is no batch."""
    first = entries[0]
    engine = first.engine
    count = None if progress is None else lambda trials: progress(trials, 0)
    if first.real is not None:
        return map(real_law, tasks, forms, (entry.real for entry in entries))
    if engine.kind == "closed_form":
        return closed_forms(tasks, forms)
    if engine.kind == "exact":
        return exacts(tasks)
    if store is not None:
        return _stored(entries, tasks, store, count)
    if engine.kind == "traces" and engine.relative_error is None:
        return simulate_many(tasks, engine.traces, first.seed, chunk=engine.chunk, progress=count)
    return (_single(entry, task, count) for entry, task in zip(entries, tasks, strict=True))


def _single(entry: Entry, task: Task, progress):
    """One task by an engine that has no batch."""
    engine = entry.engine
    limit = {} if engine.max_traces is None else {"max_traces": engine.max_traces}
    return simulate(
        task,
        traces=engine.traces,
        seed=entry.seed,
        engine=engine.kind,
        chunk=engine.chunk,
        relative_error=engine.relative_error,
        progress=progress,
        **limit,
    )


def _storable(study: SweepPlan, entries: Sequence[Entry]) -> None:
    """Only tallies that add up can be kept."""
    for entry in entries:
        kind = entry.engine.kind
        require(
            kind in ("traces", "population"),
            f"{study.source}: engine.kind = {kind}: a store keeps counts of traces: use engine traces or population,"
            " or leave --store out",
        )
        require(
            entry.engine.relative_error is None,
            f"{study.source}: engine.relative_error cannot be kept in a store: give engine.traces; a later run with"
            " more traces extends what is there",
        )


def _stored(entries: Sequence[Entry], tasks: Sequence[Task], store: Store, progress) -> list:
    engine, told = entries[0].engine, [0]

    def count(now) -> None:
        if progress is not None:
            progress(now.trials_done - told[0])
            told[0] = now.trials_done

    def many(tasks, traces, seed, *, firsts, progress):
        if engine.kind == "traces":
            return simulate_many(tasks, traces, seed, firsts=firsts, chunk=engine.chunk, progress=progress)
        each = zip(tasks, firsts, strict=True)
        return [simulate(task, traces, seed, "population", first=first, progress=progress) for task, first in each]

    items = [(task, {**entry.said, "axes": entry.axes}) for entry, task in zip(entries, tasks, strict=True)]
    seed = entries[0].seed
    return collect(
        items, store, traces=engine.traces, seed=seed, simulate_many=many, engine=engine.kind, progress=count
    )
