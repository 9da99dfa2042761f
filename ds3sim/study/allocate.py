"""``allocate``: the best use of a lifetime's compute."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from ds3sim.allocate.allocation import Allocation, Other
from ds3sim.allocate.curves import Comparison, compare
from ds3sim.allocate.sentences import words
from ds3sim.allocate.solve import Optimum, Problem, solve
from ds3sim.config.allocate import allocate_table, problem_of
from ds3sim.config.read import read_config
from ds3sim.config.tables import AllocateTable, Config
from ds3sim.core import runtime
from ds3sim.core.environment import environment
from ds3sim.core.errors import InputError
from ds3sim.core.progress import Stage, working
from ds3sim.theory.loss import CONSTANTS


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
    options = {"tokens_per_task": table.tokens_per_task, "demand_tokens": table.demand_tokens}
    rest = [constants for constants in CONSTANTS.values() if constants != table.constants]
    gradient, others = None, []
    if table.check and table.mode == "global":
        runtime.devices()  # says where none can be used
    with working("compute values", len(table.compute) + len(rest)) as stage:
        try:
            points, comparison = _optima(table, problem, options, stage, progress)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
        if table.check and table.mode == "global":
            from ds3sim.allocate.gradient import maximise

            gradient = maximise(problem, points[-1].compute)
        for constants in rest:
            others.append(_other(problem_of(config, constants), points[-1].compute, table.mode, options))
            stage.advance()
    found = Allocation(
        name=config.name or Path(source).stem or "allocation",
        mode=table.mode,
        tasks=table.tasks,
        constants=table.constants,
        kappa=table.kappa,
        points=tuple(points),
        comparison=tuple(comparison),
        others=tuple(others),
        gradient=gradient,
    )
    return replace(found, words=words(found), environment={**environment(), "wall_s": time.perf_counter() - begun})


def _optima(
    table: AllocateTable,
    problem: Problem,
    options: dict[str, float | None],
    stage: Stage,
    progress: Callable[[str, int, int], None] | None,
) -> tuple[list[Optimum], list[Comparison]]:
    """The optimum at every compute, and beside D = kappa N where that is wanted."""
    points: list[Optimum] = []
    comparison: list[Comparison] = []
    for compute in table.compute:
        if table.mode == "global" and table.compare:
            comparison.append(compare(problem, compute))
            points.append(comparison[-1].best)
        else:
            points.append(solve(problem, compute, table.mode, **options))
        stage.advance()
        if progress is not None:
            progress("allocating", len(points), len(table.compute))
    return points, comparison


def _other(problem: Problem, compute: float, mode: str, options: dict[str, float | None]) -> Other:
    try:
        return Other(problem.constants, solve(problem, compute, mode, **options))
    except InputError as error:
        return Other(problem.constants, None, str(error))
