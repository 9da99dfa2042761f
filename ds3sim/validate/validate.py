"""``validate``: simulation against numbers, one family-wise error over everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ds3sim.config.entries import Entry
from ds3sim.config.study import Study, study_of
from ds3sim.core import runtime
from ds3sim.core.check import fraction, whole_number
from ds3sim.core.errors import Interrupted, require
from ds3sim.core.progress import working
from ds3sim.core.workers import AnyExecutor, Crew, crew_of
from ds3sim.engine.limits import RANDOM
from ds3sim.study.run import Source
from ds3sim.task.steps import Beam, ToT
from ds3sim.task.task import Task
from ds3sim.validate.checks import Check, Validation, adjusted
from ds3sim.validate.compare import compare
from ds3sim.validate.suite import Case, suite
from ds3sim.validate.training import checks as training_checks

MOST_CASES = 64
"""Tasks of a study that are checked; of more, so many are, evenly chosen from the first to the last."""


def validate(
    source: Source | None = None,
    *,
    perturb: float = 0.0,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
    executor: AnyExecutor | None = None,
) -> Validation:
    """Simulate every case and test it against ``exact`` and ``closed_form``.

    Args:
        source: a config file or a study, with axes or a distribution of tasks too: each of its tasks is checked by
            itself, or ``MOST_CASES`` of them. None: the suite, with the checks of the training side.
        perturb: multiply every chance to move by 1 + perturb in the simulation alone; a check that
            has power must then fail.
        seed: of the simulations, whatever the seed of the study.
        progress: called as progress(name, number, of) with each case.
        executor: workers that simulate and compare, as for :func:`ds3sim.sweep`.

    Returns:
        All checks. The chance that any of them fails although everything is right is at most
        ``family_wise_error`` (Holm), whatever their number.

    Raises:
        InputError: a study that cannot be checked: a beam wider than 1, or an argument out of range.
        Interrupted: Ctrl-C; ``.result`` holds the cases done until then.

    >>> study = ds.Study(ds.SkillGraph.chain(3, 0.5), steps=20, traces=10_000)
    >>> ds.validate(study).passed
    True
    """
    perturb, seed = fraction("perturb", perturb, -0.5, 0.5), whole_number("seed", seed, 0, 2**63 - 1)
    study = None if source is None else study_of(source)
    if executor is None:
        runtime.devices()  # says where none can be used
    cases = suite() if study is None else cases_of(study)
    of = len(cases) + (study is None)
    found: dict[int, list[Check]] = {}

    def result(interrupted: bool) -> Validation:
        checks = adjusted([check for _, own in sorted(found.items()) for check in own])
        return Validation(study.name if study else "suite", checks, perturb=perturb, seed=seed, interrupted=interrupted)

    def tell(number: int, name: str = "training side") -> None:
        if progress is not None:
            progress(name, number, of)

    try:
        with working("cases", of) as stage, crew_of(executor) as crew:
            for number, checks in _checked([(case, perturb, seed) for case in cases], crew, tell):
                found[number] = checks
                stage.advance()
            if study is None:
                tell(of - 1)
                found[of - 1] = training_checks(perturb, seed)
    except KeyboardInterrupt:
        if not found:
            raise
        raise Interrupted(result(True)) from None
    return result(False)


def _compared(call: tuple[Case, float, int]) -> list[Check]:
    return compare(*call)


def _checked(
    calls: Sequence[tuple[Case, float, int]], crew: Crew | None, tell: Callable[[int, str], None]
) -> Iterator[tuple[int, list[Check]]]:
    """(number, checks) of every case; ``tell`` is called before each, or by workers after it."""
    if crew is not None:
        for number, checks in crew.each(_compared, calls):
            tell(number, calls[number][0].name)
            yield number, checks
        return
    for number, call in enumerate(calls):
        tell(number, call[0].name)
        yield number, _compared(call)


def cases_of(study: Study) -> list[Case]:
    """A case for each different task of a study, at most ``MOST_CASES``, evenly chosen.

    Raises:
        InputError: a beam wider than 1, which has no exact numbers.
    """
    known: dict[tuple[Any, ...], Case] = {}
    for entry in study.entries():
        for case in _cases(study, entry):
            known.setdefault((case.task.identity, tuple(case.task.budgets.tolist()), case.engine), case)
    every = list(known.values())
    if len(every) <= MOST_CASES:
        return every
    return [every[i * (len(every) - 1) // (MOST_CASES - 1)] for i in range(MOST_CASES)]


def _cases(study: Study, entry: Entry) -> Iterator[Case]:
    engine = entry.engine
    kind = engine.kind if engine.kind in RANDOM else "traces"
    at = [f"{key} = {value}" for key, value in entry.axes.items()]
    name = " ".join([study.name, *([entry.strategy] if entry.strategy else []), *at])
    for number, task in enumerate(entry.tasks, 1):
        part = f" task {number} of {len(entry.tasks)}" if len(entry.tasks) > 1 else ""
        yield Case(name + part, task, kind, engine.traces, None, _known_as(task, entry.strategy))


def _known_as(task: Task, strategy: str | None) -> Task | None:
    """The task whose numbers a beam of width 1 has; None for all that have numbers of their own."""
    step = task.step
    if not isinstance(step, Beam):
        return None
    require(
        step.width == 1,
        f"strategy {strategy or 'beam'}: a beam of width {step.width} has no exact numbers to be validated against: use"
        " width = 1, or validate without a config",
    )
    return replace(task, step=ToT(step.branches, step.evaluator_error, step.discount))
