"""Collecting: ask the store what is missing, simulate it in groups, commit every few seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ds3sim.core.errors import StoppedEarly, require
from ds3sim.core.workers import Crew
from ds3sim.engine.limits import ENGINES, EngineOptions, Stopping
from ds3sim.engine.population import batches
from ds3sim.engine.simulate import evaluate
from ds3sim.engine.spread import Piece, Unit, asked, cut, each, group, piece_trials, rounds, units_of
from ds3sim.engine.tally import Tally
from ds3sim.store.store import Store
from ds3sim.task.task import Task

FIRST_GROUP = 2.0**32
"""Walk steps of the first group, a few seconds' work; later groups have 2, 4, ... times as many or as few."""

COMMIT_S = 2.0
"""About how many seconds of work may be lost by a crash."""


def require_storable(options: EngineOptions, where: str = "") -> None:
    """Refuse an engine whose results no store keeps. InputError: ``where`` and the reason."""
    why = ENGINES[options.kind].not_stored
    able = " or ".join(kind.name for kind in ENGINES.values() if kind.not_stored is None)
    told = f"{where}engine.kind = {options.kind}: cannot be kept in a store: {why}"
    require(why is None, f"{told}: use engine {able}, or leave the store out")
    told = f"{where}macro_steps = {options.macro_steps} makes another random stream, which a store would mix up"
    require(options.macro_steps is None, f"{told} with its own: remove it, or leave the store out")


def collect(
    items: Sequence[tuple[Task, Mapping[str, Any]]],
    store: Store,
    options: EngineOptions,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    crew: Crew | None = None,
) -> list[Tally]:
    """The tally of every task, bit for bit that of ``simulate`` alone, simulating only what the store lacks.

    What has been simulated is committed group by group, so that a crash costs the last seconds; while another process
    holds the file, it is kept in memory (:class:`ds3sim.store.patient.Patient`). The result does not depend on what the
    store held before, nor on how often the work was interrupted.

    Args:
        items: tasks, each with a description for the store. A task may occur more than once.
        progress: called with the number of trials simulated since the last call.
        crew: who simulates; None: this process. The store is this process's in any case.

    Raises:
        InputError: from the engine or the workers, or the store cannot be used; what was committed is kept.
        StoppedEarly: on Ctrl-C. ``partial`` is a list like the result; a tally has fewer trials than asked for, or
            is None, where the task is not done.
    """
    require_storable(options)
    problems = {task.identity: said for task, said in reversed(items)}
    store.patient.do(lambda kept: kept.put_problems(problems.items()))
    tasks = [task for task, _ in items]
    run = _Run(store, options, seed, progress, crew)
    if options.relative_error is None:
        return run.up_to(options.traces, tasks, Stopping(traces=options.traces))
    return rounds(tasks, options, run.up_to)


@dataclass(frozen=True)
class _Run:
    """One collection."""

    store: Store
    options: EngineOptions
    seed: int
    progress: Callable[[int], None] | None
    crew: Crew | None

    def up_to(self, traces: int, tasks: Sequence[Task], rule: Stopping) -> list[Tally]:
        """Trials [0, traces) of every task."""
        try:
            self._simulate(self._missing(traces, {task.identity: task for task in tasks}.values()))
        except KeyboardInterrupt:
            ended = replace(rule, reached=False, interrupted=True)
            whole = self.store.whole()
            found = [self._kept(task, traces, whole) for task in tasks]
            partial = [t and replace(t, stopping=rule if t.traces == traces else ended) for t in found]
            raise StoppedEarly(partial) from None
        found = [self._kept(task, traces, self.store) for task in tasks]
        whole = [replace(tally, stopping=rule) for tally in found if tally is not None and tally.traces == traces]
        require(len(whole) == len(tasks), f"{self.store.path}: lost trials: is it on a sound disk?")
        return whole

    def _kept(self, task: Task, traces: int, store: Store) -> Tally | None:
        return store.tally(task.identity, self.options.kind, self.seed, traces)

    def _missing(self, traces: int, tasks: Iterable[Task]) -> list[Piece]:
        """What has to be simulated."""
        out = []
        for task in tasks:
            key = (task.identity, self.options.kind, self.seed)
            if self.options.kind == "population":
                # Splits of a population are drawn for the whole batch: a shorter row is no part of a longer one.
                rows = set(self.store.rows(*key))
                new = [piece for piece in batches(0, traces) if piece not in rows]
            else:
                left = self.store.missing(*key, 0, traces)
                new = [piece for part in left for piece in cut(*part, piece_trials(task))]
            out += [Piece(task, first, end - first) for first, end in new]
        return out

    def _simulate(self, work: list[Piece]) -> None:
        """What is done is committed whatever happens."""
        kept, since = [], time.monotonic()
        try:
            for tallies in self._groups(work) if self.crew is None else self._spread(self.crew, work):
                kept += tallies
                if time.monotonic() - since >= COMMIT_S:
                    self._keep(kept)
                    kept, since = [], time.monotonic()
        finally:
            self._keep(kept)
        self.store.patient.finish()

    def _groups(self, work: list[Piece]) -> Iterator[list[Tally]]:
        """The tallies of groups of pieces, each a few seconds' work."""
        waiting = deque(sorted(work, key=lambda piece: piece.kernel))
        size = FIRST_GROUP
        while waiting:
            some, full = group(waiting, size)
            begun = time.monotonic()
            options, firsts = replace(self._options, traces=some[0].count), tuple(piece.first for piece in some)
            unit = Unit(tuple(piece.task for piece in some), None, options, self.seed, firsts)
            try:
                found = evaluate(unit.tasks, None, options, self.seed, firsts=firsts, progress=self.progress)
            except StoppedEarly as stop:  # parts of pieces would be rows that no other machine has
                yield [t for t in stop.partial if t is not None and t.traces == options.traces]
                raise
            yield asked(unit, found)
            took = time.monotonic() - begun
            if took > 2 * COMMIT_S:
                size /= 2
            elif took < COMMIT_S / 4 and full:
                size *= 2

    def _spread(self, crew: Crew, work: list[Piece]) -> Iterator[list[Tally]]:
        """The same by workers, as they come."""
        return each(crew, units_of(work, self._options, self.seed), self.progress)

    @property
    def _options(self) -> EngineOptions:
        """What decides the rows; the number of trials is each piece's."""
        return EngineOptions(self.options.kind, chunk=self.options.chunk)

    def _keep(self, tallies: list[Tally]) -> None:
        if tallies:
            self.store.patient.do(lambda store: store.add_all(tallies))
