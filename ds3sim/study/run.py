"""Run a study: the numbers of its engine at every budget, beside the reference, as plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from ds3sim.config.build import PlannedTask, Study
from ds3sim.config.expand import Entry, SweepPlan
from ds3sim.core.environment import environment
from ds3sim.core.errors import InputError, StoppedEarly, require
from ds3sim.core.plain import as_plain
from ds3sim.engine.closed_form import real_law
from ds3sim.engine.evaluate import evaluate as evaluate_tasks
from ds3sim.engine.law import Law, Sampled
from ds3sim.engine.limits import NUMBERS, EngineOptions
from ds3sim.engine.simulate import closed_form, exact
from ds3sim.results.rows import rows_of, rows_of_law
from ds3sim.store.collect import collect
from ds3sim.store.contents import contents
from ds3sim.store.store import Store
from ds3sim.study.references import References, references
from ds3sim.task.task import Task

HISTOGRAM_BYTES = 2**28
MOST_ENTRIES = 16384


def run(study: Study, progress: Callable | None = None) -> dict:
    """The result of a study, as ``ds3sim run --json`` prints it.

    Args:
        study: from :func:`ds3sim.config.build.load`.
        progress: called with the number of trials of each piece of work that is done.

    Returns:
        ``name, engine, seed, traces, stopping, results, reference, environment``; numbers are plain
        Python numbers or None. ``traces`` is the largest number of trials of any strategy. After
        Ctrl-C it holds what was done, and ``stopping["interrupted"]`` is true.

    Raises:
        InputError: the engine cannot do this task.
        KeyboardInterrupt: Ctrl-C before anything was done.
    """
    begun = time.perf_counter()
    results: list[dict] = []
    done: list[PlannedTask] = []
    stopping: dict[str | None, dict] = {}
    interrupted = False
    for planned in study.tasks:
        try:
            law = _law(study, planned, progress)
            rows = rows_of_law(study, planned, law) if (law.traces > 0 or study.engine.kind in NUMBERS) else []
        except StoppedEarly as stop:
            interrupted, law = True, stop.partial
            rows = rows_of_law(study, planned, law) if law.traces > 0 else []
        except KeyboardInterrupt:
            interrupted = True
            break
        except InputError as error:
            place = "" if planned.name is None else f", strategy {planned.name}"
            raise type(error)(f"{study.source}{place}: engine.kind = {study.engine.kind}: {error}") from None
        if rows:
            results += rows
            done.append(planned)
            stopping[planned.name] = law.stopping.to_dict() if isinstance(law, Sampled) else {}
        if interrupted:
            break
    if interrupted and not results:
        raise KeyboardInterrupt
    reference: list[dict] = []
    try:
        for planned in done:
            reference += references(planned)
    except KeyboardInterrupt:
        interrupted = True
    said = stopping if study.config.strategies is not None else stopping[None]
    if interrupted:
        said = {**said, "interrupted": True}
    return as_plain(
        {
            "name": study.name,
            "engine": study.engine.kind,
            "seed": study.seed,
            "traces": max(row["traces"] for row in results),
            "stopping": said,
            "results": results,
            "reference": reference,
            "environment": {**environment(), "wall_s": time.perf_counter() - begun},
        }
    )


def _law(study: Study, planned: PlannedTask, progress):
    """Tally or law of one strategy."""
    if study.engine.kind in NUMBERS:
        return (exact if study.engine.kind == "exact" else closed_form)(planned.task)
    try:
        return evaluate_tasks([planned.task], None, _options(study.engine), study.seed, progress=progress)[0]
    except StoppedEarly as stop:
        if stop.partial[0] is None:
            raise KeyboardInterrupt from None
        raise StoppedEarly(stop.partial[0]) from None


def _options(engine) -> EngineOptions:
    return engine


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a sweep; ``result`` holds the points that were finished."""

    def __init__(self, result: dict):
        super().__init__("stopped by Ctrl-C; finished points are kept")
        self.result = result


def run_sweep(plan: SweepPlan, store: Store | None = None, progress: Callable | None = None) -> dict:
    """The result of a sweep, as ``ds3sim sweep --json`` prints it.

    Args:
        plan: from :func:`ds3sim.config.expand.read_sweep`.
        store: keeps what random engines simulate, and goes on from there.
        progress: called with (trials, points) just done.

    Returns:
        ``{"points": [{"axes", "results", "reference"}], "environment": {...}}``, points in row-major order of
        the axes, ``results`` and ``reference`` as in ``run``.

    Raises:
        InputError: an engine cannot do a point, or the store cannot be used.
        Interrupted: Ctrl-C; ``.result`` holds the points done until then.
    """
    begun = time.perf_counter()
    points: list[dict] = []
    refer = References()
    first = plan.strategies[0]

    def result(**more) -> dict:
        said = {"name": plan.name, "seed": plan.config.seed, "engine": plan.config.engine.kind, "match": plan.match}
        said |= {"wall_s": time.perf_counter() - begun, **more}
        return as_plain({"points": points, "environment": {**environment(), **said}})

    try:
        for entries, found in evaluate(plan, store, progress):
            rows, reference = rows_of(entries, found), refer(entries)
            for entry, own, known in zip(entries, rows, reference, strict=True):
                if entry.strategy == first:
                    points.append({"axes": entry.axes, "results": [], "reference": []})
                points[-1]["results"] += own
                points[-1]["reference"] += known
            if progress is not None:
                progress(0, sum(entry.strategy == first for entry in entries))
    except KeyboardInterrupt:
        raise Interrupted(result(interrupted=True)) from None
    return result()


def evaluate(plan: SweepPlan, store: Store | None = None, progress: Callable | None = None) -> Iterator[tuple]:
    """(entries, laws of their tasks), block by block, in the order of the points.

    A block holds all strategies of its points and bounded memory; a law is a tally, or numbers.
    On Ctrl-C the leading complete points of the block are yielded before the KeyboardInterrupt goes on.
    """
    if store is not None:
        entries = list(plan.entries())
        _storable(plan, entries)
        store.put_points(plan.name, [contents(entry) for entry in entries], plan.common())
    else:
        entries = plan.entries()
    for block in _blocks(entries):
        stopped = False
        laws: dict[tuple, object] = {}
        try:
            _block(plan, block, laws, store, progress)
        except KeyboardInterrupt:
            stopped = True
        found = [[laws.get(_name(entry, task)) for task in entry.tasks] for entry in block]
        whole = len(block)
        if stopped:
            lacking = next((e.point for e, own in zip(block, found, strict=True) if any(x is None for x in own)), None)
            whole = next((i for i, entry in enumerate(block) if entry.point == lacking), whole)
        if whole:
            yield block[:whole], found[:whole]
        if stopped:
            raise KeyboardInterrupt


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


def _block(plan: SweepPlan, block: Sequence[Entry], laws: dict, store, progress) -> None:
    """Fill ``laws`` for all tasks of a block."""
    wanted: dict[tuple, tuple] = {}
    for entry in block:
        for task, form in zip(entry.tasks, entry.forms, strict=True):
            wanted.setdefault(_name(entry, task), (entry, task, form))
    kinds: dict[tuple, list[tuple]] = {}
    for name, (entry, _, _) in wanted.items():
        engine = entry.engine
        kinds.setdefault((_options(engine), entry.seed, entry.real is not None), []).append(name)
    for (options, seed, _), names in kinds.items():
        kind, traces = options.kind, options.traces
        entries, tasks, forms = zip(*(wanted[name] for name in names), strict=True)
        try:
            if entries[0].real is not None:
                laws.update(zip(names, map(real_law, tasks, forms, (e.real for e in entries)), strict=True))
            elif store is not None and kind in ("traces", "population"):
                laws.update(zip(names, _stored(entries, tasks, store, kind, traces, seed, progress), strict=True))
            else:
                found = evaluate_tasks(tasks, forms, options, seed, progress=_tell(progress))
                laws.update(zip(names, found, strict=True))
        except StoppedEarly as stop:
            if isinstance(stop.partial, list):
                done = zip(names, stop.partial, strict=True)
                whole = ((name, law) for name, law in done if law is not None)
                laws.update(
                    (name, law) for name, law in whole if not (isinstance(law, Sampled) and law.stopping.interrupted)
                )
            raise KeyboardInterrupt from None
        except InputError as error:
            where = f"{plan.source}: engine.kind = {kind}"
            raise type(error)(f"{where}: {error}" if not str(error).startswith(plan.source) else str(error)) from None


def _whole(law: Law) -> bool:
    return not (isinstance(law, Sampled) and law.stopping.interrupted)


def _tell(progress):
    return None if progress is None else lambda trials: progress(trials, 0)


def _storable(plan: SweepPlan, entries: Sequence[Entry]) -> None:
    """Only tallies that add up can be kept."""
    for entry in entries:
        kind = entry.engine.kind
        require(
            kind in ("traces", "population"),
            f"{plan.source}: engine.kind = {kind}: a store keeps counts of traces: use engine traces or population,"
            " or leave --store out",
        )
        require(
            entry.engine.relative_error is None,
            f"{plan.source}: engine.relative_error cannot be kept in a store: give engine.traces; a later run with more"
            " traces extends what is there",
        )


def _stored(entries, tasks, store: Store, kind: str, traces: int, seed: int, progress) -> list:
    told = [0]

    def count(now) -> None:
        if progress is not None:
            progress(now.trials_done - told[0], 0)
            told[0] = now.trials_done

    def many(tasks, traces, seed, *, firsts, progress):
        options = replace(_options(entries[0].engine), traces=traces)
        return evaluate_tasks(tasks, None, options, seed, firsts=firsts, progress=progress)

    items = [(task, {**entry.said, "axes": entry.axes}) for entry, task in zip(entries, tasks, strict=True)]
    return collect(items, store, traces=traces, seed=seed, simulate_many=many, engine=kind, progress=count)
