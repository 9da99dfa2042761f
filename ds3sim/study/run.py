"""``run`` and ``sweep``: the numbers of a study at every point, strategy and budget, beside the references."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from ds3sim.config.study import Study, study_of
from ds3sim.config.tables import Config
from ds3sim.core.errors import InputError, Interrupted
from ds3sim.core.workers import AnyExecutor, crew_of
from ds3sim.engine.law import Sampled
from ds3sim.engine.limits import EngineOptions, Stopping
from ds3sim.results.result import Result
from ds3sim.results.row import Row, rows_of
from ds3sim.store.store import Store
from ds3sim.study.evaluate import Means, Progress, about, evaluate, opened
from ds3sim.study.references import References
from ds3sim.task.task import Task
from ds3sim.theory.cost import CostModel

Source = str | Path | Config | Study | Task
"""What a study is made from: a config file, a config, a task, or a study itself."""


def run(
    source: Source,
    *,
    budgets: int | Sequence[int] | None = None,
    engine: str | EngineOptions | None = None,
    traces: int | None = None,
    cost: CostModel | None = None,
    seed: int | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    distributed: bool = False,
) -> Result:
    """Success and cost of a task or a study at every budget, beside the theory.

    Args:
        source: a task; or a config file, a config or a study, of which axes are left aside.
        budgets: of a task, in steps; None: its own.
        engine, traces, cost: of a task; a study says its own.
        seed: of the random engines; None: 0 for a task, its own for a study.
        store: file or :class:`ds3sim.Store` that keeps what is simulated; a later run goes on from there.
        progress: called with the numbers of trials and points just done.
        distributed: this process is one of several that call this with the same arguments, after
            ``jax.distributed.initialize``. They share the trials of engine traces, and each has the whole result.

    Raises:
        InputError: the engine cannot do a task, or an argument that has no effect.
        Interrupted: Ctrl-C; ``.result`` holds what was done until then.
        KeyboardInterrupt: Ctrl-C before anything was done.

    >>> study = ds.Study(ds.SkillGraph.chain(3, 0.5), steps=[10, 20], engine="exact")
    >>> [round(row.success, 4) for row in ds.run(study).rows]
    [0.9453, 0.9998]
    """
    study = study_of(source, seed=seed, budgets=budgets, engine=engine, traces=traces, cost=cost)
    if study.axes:
        try:
            study = study_of(study, {})
        except InputError as error:
            keys = ", ".join(key for axis in study.axes for key in axis.keys)
            raise InputError(f"{error}; run leaves the axes ({keys}) aside: use sweep for them") from None
    return _result(study, store, progress, distributed=distributed)


def sweep(
    source: Source,
    axes: Mapping[str, Any] | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    seed: int | None = None,
    *,
    progress: Progress | None = None,
    executor: AnyExecutor | None = None,
) -> Result:
    """Every point of a study's axes: success and cost, beside the theory; tasks of one kernel shape share launches.

    Args:
        source: a config file, a config or a study.
        axes: instead of its own: dotted keys and their values, as in ``{"graph.success": [0.1, 0.2]}``.
        store, progress: as for :func:`run`.
        seed: instead of the study's.
        executor: workers that compute: an executor of :mod:`concurrent.futures`, a function that opens one, a name
            (``processes``, ``dask``, ``ray``, ``slurm``), or :class:`ds3sim.Workers`. The numbers are the same, bit for
            bit, whatever becomes of the workers; the store stays with this process.

    Raises:
        InputError: an engine that cannot do a point, workers that fail again and again, or a store that cannot be used.
        Interrupted: Ctrl-C; ``.result`` holds the points done until then.

    >>> study = ds.Study(ds.SkillGraph.chain(3, 0.5), steps=10, engine="exact", axes={"graph.success": [0.25, 0.5]})
    >>> ds.sweep(study).to_dataset()["success"].round(4).values.ravel().tolist()
    [0.4744, 0.9453]
    """
    return _result(study_of(source, axes, seed=seed), store, progress, executor, swept=True)


def _result(
    study: Study,
    store: Store | str | os.PathLike[str] | None,
    progress: Progress | None,
    executor: AnyExecutor | None = None,
    *,
    swept: bool = False,
    distributed: bool = False,
) -> Result:
    begun = time.perf_counter()
    refer = References(len(study.strategies))
    rows: list[Row] = []
    rules: dict[str | None, list[Stopping]] = {}

    def result(interrupted: bool) -> Result:
        return Result(
            **about(study, begun),
            strategies=tuple(study.strategies),
            rows=tuple(rows),
            stopping=_stopping(rules),
            interrupted=interrupted,
            config=study.tables(),
            swept=swept,
        )

    try:
        with opened(store) as kept, crew_of(executor) as crew:
            for entries, laws, stopped in evaluate(study, Means(kept, progress, crew, distributed)):
                known = None
                try:
                    if stopped:
                        refer.hurry()
                    known = refer(entries)
                except KeyboardInterrupt:  # what was simulated is kept without
                    stopped = True
                for own in rows_of(entries, laws, known):
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
