"""Engines: how a task is computed. All speak of the law of the hitting time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from ds3sim.core import runtime
from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError, StoppedEarly, require, require_kind, shown
from ds3sim.engine.limits import DEFAULT_TRACES, ENGINES, MOST_TRACES, NUMBERS, EngineOptions, refuse_idle

if TYPE_CHECKING:
    from ds3sim.engine.closed_form import ClosedForm
    from ds3sim.engine.exact import Exact
    from ds3sim.engine.importance import WeightedTally
    from ds3sim.engine.law import Law
    from ds3sim.engine.tally import Tally
    from ds3sim.graph.lump import ChainForm
    from ds3sim.task.task import Task


def evaluate(
    tasks: Sequence[Task],
    forms: Sequence[ChainForm | None] | None,
    options: EngineOptions,
    seed: int = 0,
    *,
    firsts: Sequence[int] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Law]:
    """The law of every task, computed together where the engine can.

    Each is what ``simulate``, ``exact`` or ``closed_form`` gives for the task alone, bit for bit, whatever stands
    beside it.

    Args:
        tasks: any number of tasks.
        forms: the chain that a task's graph is by construction (before the step policy), or None for each; it saves
            the closed form the search for one. None: no forms.
        options: which engine, and how long it runs.
        seed: whole number in [0, 2^63), for random engines.
        firsts: number of the first trial of each task, for engines whose tallies add; None: 0.
        progress: called with the number of trials done since the last call.

    Raises:
        InputError: an argument out of range, or a task that the engine cannot do.
        StoppedEarly: on Ctrl-C; ``.partial`` is the list of what was done, None where nothing was. A tally in it may
            have fewer trials than asked for.
    """
    kind = ENGINES[options.kind]
    if kind.random:
        runtime.outside_jit()
    seed = whole_number("seed", seed, 0, 2**63 - 1)
    begins = [0] * len(tasks) if firsts is None else [whole_number("first", one, 0, MOST_TRACES) for one in firsts]
    require(len(begins) == len(tasks), f"firsts has {len(begins)} entries for {len(tasks)} tasks")
    if any(begins):
        refuse_idle("first", max(begins), kind)
    if kind.name == "closed_form":
        from ds3sim.engine.closed_form import closed_forms

        return list(closed_forms(tasks, [None] * len(tasks) if forms is None else forms))
    if kind.name == "exact":
        from ds3sim.engine.exact import exacts

        return list(exacts(tasks))
    if kind.name == "traces":
        from ds3sim.engine.traces.run import tallies
    elif kind.name == "importance":
        from ds3sim.engine.importance import tallies
    else:
        from ds3sim.engine.population import tallies
    return list(tallies(tasks, options, seed, begins, progress))


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

    require_kind(task, Task, f"task = {shown(task)} is not a task: make one with Task(graph, steps=...)")
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
