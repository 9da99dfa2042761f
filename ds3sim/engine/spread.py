"""Simulations cut into pieces for many workers. What happens in a trial depends on its task, its number and the seed
alone, so the sum of the pieces depends neither on the cut nor on who did them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

from ds3sim.core.errors import StoppedEarly, require
from ds3sim.core.progress import working
from ds3sim.core.workers import Crew
from ds3sim.engine.law import Law
from ds3sim.engine.limits import ENGINES, FIRST_ROUND, EngineOptions, Stopping
from ds3sim.engine.population import batches
from ds3sim.engine.simulate import evaluate
from ds3sim.engine.tally import Tally, enough
from ds3sim.graph.lump import ChainForm
from ds3sim.task.task import Task

MOST_IN_GROUP = 1024
"""Pieces of a group at most."""
MOST_PIECES = 2**16
"""Pieces of one task at most."""
UNITS = 1024
UNIT_STEPS = (2.0**28, 2.0**34)
"""About so many units of work are made of much work, of so many walk steps each: a tenth of a second to half a
minute."""


def piece_trials(task: Task) -> int:
    """Trials of one piece at most: 2^24 of a short task, fewer (2^18 at least) of a long one.

    A power of two, decided by the task alone, so that machines cut trials at the same places.
    """
    work = task.n * max(1, task.max_steps)
    return 2 ** max(18, min(24, int(math.log2(2.0**34 / work)) if work < 2**34 else 0))


@dataclass(frozen=True)
class Piece:
    """Trials first .. first + count - 1 of a task."""

    task: Task
    first: int
    count: int

    @property
    def steps(self) -> float:
        """Walk steps at most."""
        return float(self.count) * self.task.n * max(1, self.task.max_steps)

    @property
    def kernel(self) -> tuple[Any, ...]:
        """Pieces next to each other in this order fill few kernels."""
        task = self.task
        return (self.count, task.step.name, task.aggregate.name, task.n, task.graph.size, task.max_steps, self.first)


@dataclass(frozen=True)
class Unit:
    """What one worker does at a time: the arguments of :func:`ds3sim.engine.simulate.evaluate`."""

    tasks: tuple[Task, ...]
    forms: tuple[ChainForm | None, ...] | None
    options: EngineOptions
    seed: int
    firsts: tuple[int, ...] | None = None


def computed(unit: Unit) -> list[Law]:
    """The laws of a unit, in whatever process this is."""
    return evaluate(unit.tasks, unit.forms, unit.options, unit.seed, firsts=unit.firsts)


def cut(first: int, end: int, size: int) -> list[tuple[int, int]]:
    """[first, end) cut at the multiples of ``size``."""
    cuts = [first, *range((first // size + 1) * size, end, size), end]
    return list(pairwise(cuts))


def group(waiting: deque[Piece], size: float) -> tuple[list[Piece], bool]:
    """The next pieces of one number of trials, about ``size`` walk steps; and whether they are so many."""
    out = [waiting.popleft()]
    load = out[0].steps
    while waiting and waiting[0].count == out[0].count and len(out) < MOST_IN_GROUP:
        load += waiting[0].steps
        if load > size:
            return out, True
        out.append(waiting.popleft())
    return out, load > size


def units_of(pieces: Iterable[Piece], options: EngineOptions, seed: int) -> list[Unit]:
    """The pieces as units of about equal work."""
    waiting = deque(sorted(pieces, key=lambda piece: piece.kernel))
    low, high = UNIT_STEPS
    size = min(high, max(low, sum(piece.steps for piece in waiting) / UNITS))
    out = []
    while waiting:
        some, _ = group(waiting, size)
        own = replace(options, traces=some[0].count)
        out.append(Unit(tuple(p.task for p in some), None, own, seed, tuple(p.first for p in some)))
    return out


def evaluate_spread(
    crew: Crew,
    tasks: Sequence[Task],
    forms: Sequence[ChainForm | None] | None,
    options: EngineOptions,
    seed: int = 0,
    *,
    progress: Callable[[int], None] | None = None,
) -> list[Law]:
    """As :func:`ds3sim.engine.simulate.evaluate`, bit for bit, by workers.

    Trials of engines whose tallies add are cut; else, and with ``relative_error``, each task is done by one worker.

    Raises:
        InputError: as there, or from the workers (:meth:`ds3sim.core.workers.Crew.each`).
        StoppedEarly: as there; a tally may have trials with gaps, which its ranges tell.
    """
    kind = ENGINES[options.kind]
    if kind.name == "closed_form":  # formulas: less work than sending them
        return evaluate(tasks, forms, options, seed)
    if not kind.adds or options.relative_error is not None:
        return _whole(crew, tasks, forms, options, seed, progress)
    pieces: list[Piece] = []
    for task in {task.identity: task for task in tasks}.values():
        size = piece_trials(task)
        while options.traces > size * MOST_PIECES:
            size *= 2
        parts = batches(0, options.traces) if kind.name == "population" else cut(0, options.traces, size)
        pieces += [Piece(task, first, end - first) for first, end in parts]
    found: dict[str, Tally] = {}
    try:
        for tallies in each(crew, units_of(pieces, options, seed), progress):
            for tally in tallies:
                before = found.get(tally.identity)
                found[tally.identity] = tally if before is None else before + tally
    except KeyboardInterrupt:
        ended = Stopping.of(options, reached=False, interrupted=True)
        done = {name: t if t.traces == options.traces else replace(t, stopping=ended) for name, t in found.items()}
        raise StoppedEarly([done.get(task.identity) for task in tasks]) from None
    return [found[task.identity] for task in tasks]


def each(crew: Crew, units: Sequence[Unit], progress: Callable[[int], None] | None = None) -> Iterator[list[Tally]]:
    """The tallies of units whose trials were cut, as workers give them, checked to be what was asked.

    Raises:
        InputError: from the workers.
    """
    sizes = [len(unit.tasks) * unit.options.traces for unit in units]
    with working("trials", sum(sizes)) as stage:
        for at, laws in crew.each(computed, units):
            yield asked(units[at], laws)
            stage.advance(sizes[at])
            if progress is not None:
                progress(sizes[at])


def asked(unit: Unit, laws: Sequence[Law]) -> list[Tally]:
    """The tallies of a unit; InputError where they count other trials than it names."""
    count, out = unit.options.traces, []
    for task, first, tally in zip(unit.tasks, unit.firsts or (), laws, strict=True):
        told = f"the engine returned other trials than {first}..{first + count} of problem {task.identity[:8]}"
        require(isinstance(tally, Tally), told)
        counted = cast(Tally, tally)
        require(counted.identity == task.identity and counted.ranges == ((unit.seed, first, first + count),), told)
        out.append(counted)
    return out


def _whole(
    crew: Crew,
    tasks: Sequence[Task],
    forms: Sequence[ChainForm | None] | None,
    options: EngineOptions,
    seed: int,
    progress: Callable[[int], None] | None,
) -> list[Law]:
    """The laws of tasks that are not cut."""
    size = -(-len(tasks) // UNITS)
    bounds = range(0, len(tasks), size)
    chains = [None] * len(tasks) if forms is None else forms
    units = [
        Unit(tuple(tasks[begin : begin + size]), tuple(chains[begin : begin + size]), options, seed) for begin in bounds
    ]
    found: list[Law | None] = [None] * len(tasks)
    try:
        with working("tasks", len(tasks)) as stage:
            for at, laws in crew.each(computed, units):
                found[bounds[at] : bounds[at] + len(laws)] = laws
                stage.advance(len(laws))
                if progress is not None:
                    progress(sum(law.traces for law in laws))
    except KeyboardInterrupt:
        raise StoppedEarly(found) from None
    return [law for law in found if law is not None]


def rounds(
    tasks: Sequence[Task],
    options: EngineOptions,
    up_to: Callable[[int, Sequence[Task], Stopping], list[Tally]],
) -> list[Tally]:
    """Rounds of doubling size until ``relative_error``, as a single task has them: what is precise enough is done.

    Args:
        tasks: any number.
        options: with ``relative_error``.
        up_to: (trials, tasks, rule) -> the tallies of the trials [0, trials) of the tasks.

    Raises:
        StoppedEarly: from ``up_to``; ``partial`` is a list like the result, None where nothing is known.
    """
    assert options.relative_error is not None
    rule = Stopping("relative_error", relative_error=options.relative_error, max_traces=options.most)
    out: dict[int, Tally] = {}
    going, goal = list(range(len(tasks))), min(FIRST_ROUND, options.most)
    while going:
        try:
            found = up_to(goal, [tasks[i] for i in going], rule)
        except StoppedEarly as stop:
            ended = replace(rule, reached=False, interrupted=True)
            out |= {i: replace(t, stopping=ended) for i, t in zip(going, stop.partial, strict=True) if t is not None}
            raise StoppedEarly([out.get(i) for i in range(len(tasks))]) from None
        for i, tally in zip(going, found, strict=True):
            out[i] = replace(tally, stopping=replace(rule, reached=enough(tasks[i], tally, options.relative_error)))
        going = [i for i in going if goal < options.most and not out[i].stopping.reached]
        goal = min(2 * goal, options.most)
    return [out[i] for i in range(len(tasks))]
