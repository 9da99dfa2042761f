"""Engines: how a task is computed. All speak of the law of the hitting time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError, StoppedEarly, require, shown
from ds3sim.engine.limits import ENGINES, MOST_TRACES, NUMBERS, EngineOptions, refuse_idle
from ds3sim.engine.stopping import Stopping

if TYPE_CHECKING:
    from ds3sim.engine.closed_form import ClosedForm
    from ds3sim.engine.exact import Exact
    from ds3sim.engine.importance import WeightedTally
    from ds3sim.engine.tally import Tally
    from ds3sim.task.task import Task

FIRST_ROUND = 2**16


def exact(task: Task) -> Exact:
    """The task by float64 linear algebra; any graph and step policy that has a transition tensor.

    Raises:
        InputError: a beam, a budget above 2^24 steps per trace, or a vote of more than 2000.

    >>> ds.exact(ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20)).success([3, 20]).estimate.round(4).tolist()
    [0.125, 0.9998]
    """
    from ds3sim.engine.exact import Exact

    return Exact(_checked(task))


def closed_form(task: Task) -> ClosedForm:
    """The task by formula.

    Raises:
        NoClosedForm: with the reason, where none is known.

    >>> ds.closed_form(ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20)).expected_steps(20).estimate.round(4).tolist()
    5.9996
    """
    from ds3sim.engine.closed_form import ClosedForm

    return ClosedForm(_checked(task))


def _checked(task) -> Task:
    from ds3sim.task.task import Task

    require(isinstance(task, Task), f"task = {shown(task)} is not a task: make one with Task(graph, steps=...)")
    return task


def simulate(
    task: Task,
    traces: int | None = None,
    seed: int = 0,
    engine: str = "traces",
    *,
    chunk: int | None = None,
    relative_error: float | None = None,
    max_traces: int | None = None,
    macro_steps: int | None = None,
    first: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Tally | WeightedTally:
    """Simulate ``traces`` trials of a task (each has n traces).

    The result depends on (task, seed, first, traces) alone: not on ``chunk``, the number of devices
    or threads, or the kind of device.

    Args:
        task: the task; its largest budget bounds the walks.
        traces: trials; None: a million.
        seed: whole number in [0, 2^63).
        engine: ``traces``, ``population`` or ``importance``.
        chunk, relative_error, max_traces, macro_steps: see :class:`ds3sim.engine.limits.EngineOptions`.
        first: number of the first trial: trials [0, a) and [a, b) add up to [0, b).
        progress: called with the number of trials done since the last call.

    Raises:
        InputError: an argument out of range, or without effect, or a task that the engine cannot do.
        StoppedEarly: on Ctrl-C; ``.partial`` is the tally of what was done.

    >>> tally = ds.simulate(ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20), traces=10_000, seed=0)
    >>> tally.success([5, 20]).estimate.tolist()
    [0.4995, 0.9999]
    """
    task = _checked(task)
    seed = whole_number("seed", seed, 0, 2**63 - 1)
    first = whole_number("first", first, 0, MOST_TRACES)
    if engine in NUMBERS:
        raise InputError(f"engine = {engine} is not random: call ds3sim.{engine}(task)")
    require(
        traces is None or relative_error is None,
        f"traces = {shown(traces)} has no effect with relative_error: remove it, or give max_traces",
    )
    given = {} if traces is None else {"traces": traces}
    options = EngineOptions(
        engine,
        **given,
        chunk=chunk,
        relative_error=relative_error,
        max_traces=max_traces,
        macro_steps=macro_steps,
    )
    if first:
        refuse_idle("first", first, ENGINES[engine])
    return simulated(task, options, seed, first, progress)


def simulated(task: Task, options: EngineOptions, seed: int, first: int, progress) -> Tally | WeightedTally:
    """:func:`simulate` with checked options."""
    if options.kind == "importance":
        from ds3sim.engine import importance

        return importance.run(task, seed, options.traces, lanes=options.chunk, progress=progress)
    if options.kind == "population":
        from ds3sim.engine import population

        def run(begin, count):
            return population.run(task, seed, begin, count, progress)
    else:
        from ds3sim.engine.traces.sampler import Sampler

        sampler = Sampler(task, seed, macro=options.macro_steps, lanes=options.chunk, wanted=options.most)

        def run(begin, count):
            return sampler.run(begin, count, progress)

    if options.relative_error is None:
        return _stopped(run, first, options.traces)
    return _until(run, task, first, options.relative_error, options.most, adds=options.kind == "traces")


def _stopped(run, first: int, traces: int):
    from dataclasses import replace

    try:
        return replace(run(first, traces), stopping=Stopping(traces=traces))
    except StoppedEarly as stop:
        ended = Stopping(traces=traces, reached=False, interrupted=True)
        raise StoppedEarly(replace(stop.partial, stopping=ended)) from None


def precise(task: Task, tally: Tally, relative_error: float) -> bool:
    """Whether the standard error of success is at most this share of it at every budget where it is possible."""
    shortest = task.graph.shortest_path
    possible = [int(k) for k in task.budgets if shortest is not None and k // task.n >= shortest]
    if not possible or task.graph.feasible == 0:
        return True
    p = np.asarray(tally.success(possible).estimate)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(p > 0, np.sqrt((1 - p) / (p * tally.traces)), np.inf)
    return bool(np.all(error <= relative_error))


def _until(run, task, first: int, relative_error: float, max_traces: int, adds: bool):
    """Rounds of doubling size until every possible budget is known well enough.

    ``adds``: a round simulates what is missing. Else each simulates all trials from ``first`` on (a
    population splits all of its traces at once, and costs the same for any number).
    """
    from dataclasses import replace

    rule = Stopping("relative_error", relative_error=relative_error, max_traces=max_traces)
    tally, goal, reached = None, min(FIRST_ROUND, max_traces), False
    while True:
        done = tally.traces if tally is not None else 0
        try:
            part = run(first + done, goal - done) if adds else run(first, goal)
        except StoppedEarly as stop:
            part = stop.partial if tally is None or not adds else tally + stop.partial
            if not adds and tally is not None and part.traces < tally.traces:
                part = tally
            raise StoppedEarly(replace(part, stopping=replace(rule, reached=False, interrupted=True))) from None
        tally = part if tally is None or not adds else tally + part
        reached = precise(task, tally, relative_error)
        if reached or tally.traces >= max_traces:
            break
        goal = min(2 * tally.traces, max_traces)
    return replace(tally, stopping=replace(rule, reached=reached))


__all__ = ["closed_form", "exact", "simulate"]
