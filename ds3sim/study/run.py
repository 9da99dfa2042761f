"""``run`` and ``sweep``: the numbers of a study at every point, strategy and budget, beside the references."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from ds3sim.config.study import Study, study_of
from ds3sim.config.tables import Config
from ds3sim.core.environment import environment
from ds3sim.core.errors import Interrupted, require
from ds3sim.engine.law import Sampled
from ds3sim.engine.stopping import Stopping
from ds3sim.results.result import Result
from ds3sim.results.row import Row
from ds3sim.results.rows import place_of, rows_of
from ds3sim.store.store import Store
from ds3sim.study.evaluate import Progress, evaluate
from ds3sim.study.references import References
from ds3sim.task.task import Task


def run(
    source: str | Path | Config | Study | Task,
    *,
    budgets: Sequence[int] | int | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Result:
    """Success and cost of a study without axes, beside the theory.

    Args:
        source: a config, its file, a study, or a task.
        budgets: of a task, in steps, in place of its own.
        store: keeps what random engines simulate.
        progress: called with the numbers of trials and points just done.

    Raises:
        InputError: the engine cannot do this task.
        Interrupted: Ctrl-C; ``.result`` holds what was done until then.
        KeyboardInterrupt: Ctrl-C before anything was done.
    """
    study = study_of(source, budgets=budgets)
    require(not study.axes, f"{study.source}: has [sweep]: use ds3sim sweep, or remove the table")
    return _result(study, store, progress)


def sweep(
    source: str | Path | Config | Study,
    axes: Mapping[str, Any] | None = None,
    store: Store | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Every point of a study's axes: success and cost, beside the theory.

    Points are computed in blocks; tasks of one kernel shape share launches.

    Args:
        source: a config, its file, or a study.
        axes: instead of its own: dotted keys and their values, as in ``{"graph.success": [0.1, 0.2]}``.
        store: keeps what random engines simulate, and goes on from there.
        seed: instead of its own.
        progress: called with the numbers of trials and points just done.

    Raises:
        InputError: an engine cannot do a point, or the store cannot be used.
        Interrupted: Ctrl-C; ``.result`` holds the points done until then.
    """
    return _result(study_of(source, axes, seed=seed), store, progress)


def _result(study: Study, store: Store | None, progress: Progress | None) -> Result:
    begun = time.perf_counter()
    refer = References(len(study.strategies))
    rows: list[Row] = []
    rules: dict[str | None, list[Stopping]] = {}

    def result(interrupted: bool) -> Result:
        return Result(
            name=study.name,
            engine=study.config.engine.kind,
            seed=study.config.seed,
            axes=tuple(key for axis in study.axes for key in axis.keys),
            strategies=tuple(study.strategies),
            rows=tuple(rows),
            match=study.match,
            stopping=_stopping(rules),
            interrupted=interrupted,
            config=study.tables(),
            environment={**environment(), "wall_s": time.perf_counter() - begun},
        )

    try:
        for entries, laws in evaluate(study, store, progress):
            stopped, known = False, None
            try:
                known = refer(entries)
            except KeyboardInterrupt:  # what was simulated is kept without
                stopped = True
            for own in rows_of([place_of(entry) for entry in entries], laws, known):
                rows += own
            if study.count == 1:
                for entry, own in zip(entries, laws, strict=True):
                    rules[entry.strategy] = [law.stopping for law in own if isinstance(law, Sampled)]
            if stopped:
                raise KeyboardInterrupt
            if progress is not None:
                progress(0, len({entry.point for entry in entries}))
    except KeyboardInterrupt:
        if not rows and not study.axes:
            raise
        raise Interrupted(result(True)) from None
    return result(False)


def _stopping(rules: Mapping[str | None, list[Stopping]]) -> dict[str, Any]:
    """How the simulation ended: for each strategy where they are named, one for all where tasks are many."""
    if list(rules) == [None] or any(len(own) > 1 for own in rules.values()):
        every = [rule for own in rules.values() for rule in own]
        return reduce(add, every).to_dict() if every else {}
    return {str(name): own[0].to_dict() if own else {} for name, own in rules.items()}
