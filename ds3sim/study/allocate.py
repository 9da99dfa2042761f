"""``allocate``: the best use of a lifetime's compute."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ds3sim.allocate.allocation import Allocation, Other, words
from ds3sim.allocate.curves import Comparison, compare
from ds3sim.allocate.gradient import GradientOptimum
from ds3sim.allocate.solve import Optimum, Problem, solve
from ds3sim.config.models import LossModel, TripartiteModel
from ds3sim.config.read import read_config
from ds3sim.config.say import missing
from ds3sim.config.tables import AllocateTable, Config, CostTable
from ds3sim.core import runtime
from ds3sim.core.errors import InputError, Interrupted, require
from ds3sim.core.progress import working
from ds3sim.core.runtime import environment
from ds3sim.theory.difficulty import Difficulty
from ds3sim.theory.loss import CONSTANTS, LossConstants
from ds3sim.theory.spending import Box


def allocate(
    config: str | os.PathLike[str] | Config,
    overrides: Iterable[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Allocation:
    """Best model size, training tokens and tokens per task for a compute over the lifetime.

    The loss is (24) of docs/theory.md, step success (25), the compute (26).

    Args:
        config: a TOML file with [allocate] and [tasks], or what was read from it.
        overrides: changes of its keys, as ``"allocate.compute=1e22"``.
        progress: told of the compute values done, as ("allocating", done, of).

    Raises:
        InputError: a mistake in the config, or compute that pays for no model in the box.
        Interrupted: Ctrl-C; ``.result`` holds the compute values done until then.

    >>> from pathlib import Path
    >>> text = "[allocate]\\ncompute = 1e19\\ntasks = 1e7\\n[tasks]\\nskills = [2, 5]\\nL0 = [1.0, 3.0]\\n"
    >>> _ = Path("asked.toml").write_text(text)
    >>> found = ds.allocate("asked.toml")
    >>> found.words[0]
    'at 1e19 FLOPs over 1e7 tasks: N = ...
    """
    begun = time.perf_counter()
    if not isinstance(config, Config):
        config = read_config(Path(config), overrides)
    table, problem, source = allocate_table(config), problem_of(config), config.origin.source
    found = _Found()
    try:
        _fill(found, config, table, problem, progress)
    except KeyboardInterrupt:
        if not found.points:
            raise
        found.interrupted = True
    made = Allocation(
        name=config.name or Path(source).stem or "allocation",
        mode=table.mode,
        tasks=table.tasks,
        constants=table.constants,
        kappa=table.kappa,
        points=tuple(found.points),
        comparison=tuple(found.comparison[: len(found.points)]),
        others=tuple(found.others),
        gradient=found.gradient,
    )
    told = {**environment(), "wall_s": time.perf_counter() - begun}
    told |= {"interrupted": True} if found.interrupted else {}
    made = replace(made, words=words(made), environment=told)
    if found.interrupted:
        raise Interrupted(made) from None
    return made


@dataclass
class _Found:
    """What was found until now; ``interrupted``: Ctrl-C came."""

    points: list[Optimum] = field(default_factory=list[Optimum])
    comparison: list[Comparison] = field(default_factory=list[Comparison])
    others: list[Other] = field(default_factory=list[Other])
    gradient: GradientOptimum | None = None
    interrupted: bool = False


def _fill(
    found: _Found,
    config: Config,
    table: AllocateTable,
    problem: Problem,
    progress: Callable[[str, int, int], None] | None,
) -> None:
    """All optima, in their order."""
    options = {"tokens_per_task": table.tokens_per_task, "demand_tokens": table.demand_tokens}
    rest = [constants for constants in CONSTANTS.values() if constants != table.constants]
    check = table.check and table.mode == "global"
    if check:
        runtime.devices()  # says where none can be used
    with working("compute values", len(table.compute) + len(rest)) as stage:
        for point, pair in _optima(table, problem, options, config.origin.source):
            found.comparison += pair
            found.points.append(point)
            stage.advance()
            if progress is not None:
                progress("allocating", len(found.points), len(table.compute))
        if check:
            from ds3sim.allocate.gradient import maximise

            found.gradient = maximise(problem, found.points[-1].compute)
        for constants in rest:
            problem = problem_of(config, constants)
            found.others.append(_other(problem, found.points[-1].compute, table.mode, options))
            stage.advance()


def _optima(
    table: AllocateTable,
    problem: Problem,
    options: dict[str, float | None],
    source: str,
) -> Iterator[tuple[Optimum, list[Comparison]]]:
    """The optimum at every compute, and beside D = kappa N where that is wanted."""
    try:
        for compute in table.compute:
            if table.mode == "global" and table.compare:
                pair = compare(problem, compute)
                yield pair.best, [pair]
            else:
                yield solve(problem, compute, table.mode, **options), []
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _other(problem: Problem, compute: float, mode: str, options: dict[str, float | None]) -> Other:
    try:
        return Other(problem.constants, solve(problem, compute, mode, **options))
    except InputError as error:
        return Other(problem.constants, None, str(error))


def allocate_table(config: Config) -> AllocateTable:
    """The [allocate] table. InputError: the config has none, or has no tasks of difficulties."""
    origin, table, tasks, cost = config.origin, config.allocate, config.tasks, config.cost or CostTable()
    if table is None or tasks is None:
        raise InputError(f"{origin.source}: {missing(('tasks' if table else 'allocate',), origin.raw)}")
    need = f"an allocation needs tasks.difficulty in place of tasks.{tasks.kind}"
    require(tasks.kind == "difficulty", f"{origin.source}: {need}")
    own = f"{origin.place(('model', 'kind'))}: model.kind = tripartite"
    require(not isinstance(config.model, TripartiteModel), f"{own}: an allocation needs kind = loss")
    idle = f"{origin.place(('cost', 'prompt_tokens'))}: cost.prompt_tokens = {cost.prompt_tokens:g} has no effect"
    charged = cost.prompt_tokens == 0 or cost.aspect is not None or cost.table is not None
    require(charged, f"{idle} without attention: add aspect or table, or remove it")
    return table


def problem_of(config: Config, constants: LossConstants | None = None) -> Problem:
    """The problem of a config, with other loss ``constants`` where given; errors as :func:`allocate_table`."""
    table, cost = allocate_table(config), config.cost or CostTable()
    model = config.model if isinstance(config.model, LossModel) else LossModel()
    tasks = config.tasks
    assert tasks is not None
    skills, ease, weights = tasks.each
    if not tasks.zip and tasks.groups is None:  # L0 by L0: the order of the sums
        assert tasks.skills is not None
        skills, ease, weights = (np.reshape(v, (len(tasks.skills), -1)).T.ravel() for v in (skills, ease, weights))
    return Problem(
        tasks=Difficulty(ease, skills, weights, model.bridge),
        demand=table.tasks,
        constants=constants or table.constants,
        kappa=table.kappa,
        tokens_per_step=cost.tokens_per_step,
        prompt_tokens=cost.prompt_tokens,
        shape=cost.shape,
        box=Box(config.box.parameters, config.box.tokens, config.box.steps),
    )
