"""Engines: how a task is computed. All speak of the law of the hitting time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from ds3sim.core.errors import InputError, StoppedEarly, require, shown
from ds3sim.engine.evaluate import evaluate
from ds3sim.engine.limits import DEFAULT_TRACES, NUMBERS, EngineOptions

if TYPE_CHECKING:
    from ds3sim.engine.closed_form import ClosedForm
    from ds3sim.engine.exact import Exact
    from ds3sim.engine.importance import WeightedTally
    from ds3sim.engine.tally import Tally
    from ds3sim.task.task import Task


def exact(task: Task) -> Exact:
    """The task by float64 linear algebra; any graph and step policy that has a transition tensor.

    Raises:
        InputError: a beam, a budget above 2^24 steps per trace, or a vote of more than 2000.

    >>> ds.exact(ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20)).success([3, 20]).estimate.round(4).tolist()
    [0.125, 0.9998]
    """
    from ds3sim.engine.exact import Exact

    return Exact.of(_checked(task))


def closed_form(task: Task) -> ClosedForm:
    """The task by formula.

    Raises:
        NoClosedForm: with the reason, where none is known.

    >>> ds.closed_form(ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20)).expected_steps(20).estimate.round(4).tolist()
    5.9996
    """
    from ds3sim.engine.closed_form import ClosedForm

    return ClosedForm(_checked(task))


def _checked(task: Task) -> Task:
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
        KeyboardInterrupt: Ctrl-C before anything was done.

    >>> tally = ds.simulate(ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20), traces=10_000, seed=0)
    >>> tally.success([5, 20]).estimate.tolist()
    [0.4995, 0.9999]
    """
    task = _checked(task)
    if engine in NUMBERS:
        raise InputError(f"engine = {engine} is not random: call ds3sim.{engine}(task)")
    require(
        traces is None or relative_error is None,
        f"traces = {shown(traces)} has no effect with relative_error: remove it, or give max_traces",
    )
    traces = DEFAULT_TRACES if traces is None else traces
    options = EngineOptions(engine, traces, relative_error, max_traces, chunk, macro_steps)
    try:
        law = evaluate([task], None, options, seed, firsts=[first], progress=progress)[0]
    except StoppedEarly as stop:
        if stop.partial[0] is None:  # nothing was done
            raise KeyboardInterrupt from None
        raise StoppedEarly(stop.partial[0]) from None
    return cast("Tally | WeightedTally", law)
