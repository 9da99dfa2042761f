"""Many tasks by any engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ds3sim.core import runtime
from ds3sim.core.check import whole_number
from ds3sim.core.errors import require
from ds3sim.engine.law import Law
from ds3sim.engine.limits import ENGINES, MOST_TRACES, EngineOptions, refuse_idle
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

        return list(tallies(tasks, options, seed, begins, progress))
    if kind.name == "importance":
        from ds3sim.engine.importance import weighted_tallies

        return list(weighted_tallies(tasks, options, seed, progress))
    from ds3sim.engine import population

    return list(population.tallies(tasks, options, seed, begins, progress))
