"""``export_chain``: a trace of a task as a Markov chain, for a probabilistic model checker."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, overload

from ds3sim.config.entries import Entry
from ds3sim.config.study import Study, study_of
from ds3sim.config.tables import Config
from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError, require
from ds3sim.task.export import exported
from ds3sim.task.task import Task


@overload
def export_chain(
    source: str | Path | Config | Study | Task,
    format: Literal["umb"],
    strategy: str | None = None,
    *,
    point: int | None = None,
    part: int | None = None,
) -> bytes: ...


@overload
def export_chain(
    source: str | Path | Config | Study | Task,
    format: Literal["prism", "drn"],
    strategy: str | None = None,
    *,
    point: int | None = None,
    part: int | None = None,
) -> str: ...


@overload
def export_chain(
    source: str | Path | Config | Study | Task,
    format: str,
    strategy: str | None = None,
    *,
    point: int | None = None,
    part: int | None = None,
) -> str | bytes: ...


def export_chain(
    source: str | Path | Config | Study | Task,
    format: str,
    strategy: str | None = None,
    *,
    point: int | None = None,
    part: int | None = None,
) -> str | bytes:
    """One trace under its step policy as a Markov chain, in the language of a model checker.

    P(F <= K "goal") there is the success of one trace with K >= 1 steps. Aggregators are no part of it: what n traces
    become follows from what one does.

    Args:
        source: a task, a study, a config or its file.
        format: ``prism`` (the PRISM language) or ``drn`` (Storm's explicit format), which are text; or ``umb`` (the
            unified Markov binary format that Storm and PRISM read), which is bytes.
        strategy: which one, where there are several.
        point: number of the point, from 0 in the order of the axes, where there are axes.
        part: number of the task, from 0, where the tasks are a distribution.

    Raises:
        InputError: nothing is chosen among several, there is no such thing, or a beam, which has no small tensor.

    Example:
        >>> import ds3sim as ds
        >>> print(ds.export_chain(ds.Task(ds.SkillGraph.chain(1, 0.25)), "prism").splitlines()[2])
        dtmc
    """
    if isinstance(source, Task):
        for name, value in (("strategy", strategy), ("point", point), ("part", part)):
            require(value is None, f"{name} = {value!r} has no effect with a task: leave it out")
        return exported(source, format)
    study = study_of(source)
    entry = _entry(study, _strategy(study, strategy), point)
    found = len(entry.tasks)
    if part is None:
        told = f"{study.source}: is a distribution of {found} tasks, and a chain is one of them: choose part, 0 to"
        require(found == 1, f"{told} {found - 1}")
    task = entry.tasks[0 if part is None else whole_number("part", part, 0, found - 1)]
    try:
        return exported(task, format)
    except InputError as error:
        raise type(error)(f"{study.source}: {error}") from None


def _strategy(study: Study, name: str | None) -> str | None:
    names = study.strategies
    if name is None:
        told = f"{study.source}: has {len(names)} strategies: choose one with strategy"
        require(len(names) == 1, f"{told} = {' or '.join(map(str, names))}")
        return names[0]
    known = "only [strategy]: leave it out" if names == [None] else f"choose {', '.join(map(str, names))}"
    require(name in names, f"strategy = {name}: {study.source} has no such strategy: {known}")
    return name


def _entry(study: Study, strategy: str | None, point: int | None) -> Entry:
    last = study.count - 1
    told = f"{study.source}: has {last + 1} points, and a chain is one of them: choose point, 0 to {last}"
    require(point is not None or last == 0, told)
    number = 0 if point is None else whole_number("point", point, 0, last)
    return next(entry for entry in study.entries() if (entry.point, entry.strategy) == (number, strategy))
