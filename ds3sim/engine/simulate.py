"""Engines: how a task is computed. All speak of the law of the hitting time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError, StoppedEarly, require, shown
from ds3sim.engine.limits import MOST_TRACES, NUMBERS, RANDOM

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
    """
    from ds3sim.engine.exact import Exact

    return Exact(_checked(task))


def closed_form(task: Task) -> ClosedForm:
    """The task by formula.

    Raises:
        NoClosedForm: with the reason, where none is known.
    """
    from ds3sim.engine.closed_form import ClosedForm

    return ClosedForm(_checked(task))


def _checked(task) -> Task:
    from ds3sim.task.task import Task

    require(isinstance(task, Task), f"task = {shown(task)} is not a task: make one with Task(graph, steps=...)")
    return task


def simulate(
    task: Task,
    traces: int = 1_000_000,
    seed: int = 0,
    engine: str = "traces",
    *,
    chunk: int | None = None,
    relative_error: float | None = None,
    max_traces: int = 10**9,
    macro_steps: int | None = None,
    first: int = 0,
    progress=None,
) -> Tally | WeightedTally:
    """Simulate ``traces`` trials of a task (each has n traces).

    The result depends on (task, seed, first, traces) alone: not on ``chunk``, the number of devices
    or threads, or the kind of device.

    Args:
        task: the task; its largest budget bounds the walks.
        traces: trials; not used with ``relative_error``.
        seed: whole number in [0, 2^63).
        engine: ``traces``, ``population`` or ``importance``.
        chunk: walks in one kernel launch; None fits the device.
        relative_error: go on, doubling the trials, until the standard error of success is at most
            this share of success at every budget where success is possible.
        max_traces: bound for ``relative_error``.
        macro_steps: steps per draw, 1 to 1024; None chooses. It is part of the random stream.
        first: number of the first trial: trials [0, a) and [a, b) add up to [0, b).
        progress: called with the number of trials done since the last call.

    Raises:
        InputError: an argument out of range, or a task that the engine cannot do.
        StoppedEarly: on Ctrl-C; ``.partial`` is the tally of what was done.
    """
    task = _checked(task)
    seed = whole_number("seed", seed, 0, 2**63 - 1)
    traces = whole_number("traces", traces, 1, MOST_TRACES)
    first = whole_number("first", first, 0, MOST_TRACES)
    if engine in NUMBERS:
        raise InputError(f"engine = {engine} is not random: call ds3sim.{engine}(task)")
    require(engine in RANDOM, f"engine = {engine!r} is not known: choose one of {', '.join(RANDOM + NUMBERS)}")
    if engine == "importance":
        from ds3sim.engine import importance

        require(relative_error is None, "relative_error works with engines traces and population, not importance")
        require(first == 0, "engine importance always begins at trial 0")
        return importance.run(task, seed, traces, lanes=chunk, progress=progress)
    if engine == "population":
        from ds3sim.engine import population

        def run(begin, count):
            return population.run(task, seed, begin, count, progress)
    else:
        from ds3sim.engine.traces.sampler import Sampler

        if macro_steps is not None:
            macro_steps = whole_number("macro_steps", macro_steps, 1, 1024)
        wanted = traces if relative_error is None else max_traces
        sampler = Sampler(task, seed, macro=macro_steps, lanes=chunk, wanted=wanted)

        def run(begin, count):
            return sampler.run(begin, count, progress)

    if relative_error is None:
        return _stopped(run, first, traces)
    most = whole_number("max_traces", max_traces, 1, MOST_TRACES)
    return _until(run, task, first, relative_error, most, adds=engine == "traces")


def _stopped(run, first: int, traces: int):
    from dataclasses import replace

    rule = {"rule": "traces", "traces": traces}
    try:
        return replace(run(first, traces), stopping=rule | {"reached": True})
    except StoppedEarly as stop:
        raise StoppedEarly(replace(stop.partial, stopping=rule | {"reached": False, "interrupted": True})) from None


def _until(run, task, first: int, relative_error: float, max_traces: int, adds: bool):
    """Rounds of doubling size until every possible budget is known well enough.

    ``adds``: a round simulates what is missing. Else each simulates all trials from ``first`` on (a
    population splits all of its traces at once, and costs the same for any number).
    """
    from dataclasses import replace

    require(
        isinstance(relative_error, float | int) and 1e-6 <= relative_error < 1,
        f"relative_error = {relative_error!r} is not allowed: it must lie between 1e-6 and 1",
    )
    shortest = task.graph.shortest_path
    possible = [int(k) for k in task.budgets if shortest is not None and k // task.n >= shortest]
    rule = {"rule": "relative_error", "relative_error": float(relative_error), "max_traces": max_traces}
    tally, goal, reached = None, min(FIRST_ROUND, max_traces), False
    while True:
        done = tally.traces if tally is not None else 0
        try:
            part = run(first + done, goal - done) if adds else run(first, goal)
        except StoppedEarly as stop:
            part = stop.partial if tally is None or not adds else tally + stop.partial
            if not adds and tally is not None and part.traces < tally.traces:
                part = tally
            raise StoppedEarly(replace(part, stopping=rule | {"reached": False, "interrupted": True})) from None
        tally = part if tally is None or not adds else tally + part
        if not possible or task.graph.feasible == 0:
            reached = True
            break
        p = np.asarray(tally.success(possible).estimate)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.where(p > 0, np.sqrt((1 - p) / (p * tally.traces)), np.inf)
        reached = bool(np.all(error <= relative_error))
        if reached or tally.traces >= max_traces:
            break
        goal = min(2 * tally.traces, max_traces)
    return replace(tally, stopping=rule | {"reached": reached})


__all__ = ["closed_form", "exact", "simulate"]
