"""``allocate``: the best use of a lifetime's compute."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ds3sim.allocate.allocation import Allocation, Other
from ds3sim.allocate.curves import Comparison, compare
from ds3sim.allocate.solve import Optimum, Problem, solve
from ds3sim.config.allocate import AllocateConfig, AllocateTable, read_allocate_config
from ds3sim.config.read import Override
from ds3sim.core.environment import environment
from ds3sim.core.errors import InputError
from ds3sim.theory.loss import CONSTANTS


def allocate(
    config: str | os.PathLike[str] | AllocateConfig,
    overrides: Iterable[Override] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Allocation:
    """Best model size, training tokens and tokens per task for a compute over the lifetime.

    The loss is (24) of docs/theory.md, step success (25), the compute (26).

    Args:
        config: a TOML file with [allocate] and [tasks], or what was read from it.
        overrides: changes of its keys.
        progress: told of the compute values done, as ("allocating", done, of).

    Raises:
        InputError: a mistake in the config, or compute that pays for no model in the box.

    Example:
        >>> import ds3sim as ds
        >>> found = ds.allocate("configs/allocate.toml", [(("allocate", "compute"), 1e22, "compute=1e22")])
        >>> round(found.points[0].kappa), round(found.points[0].accuracy, 2)
        (0, 0)
    """
    begun = time.perf_counter()
    source = "" if isinstance(config, AllocateConfig) else str(config)
    if not isinstance(config, AllocateConfig):
        config = read_allocate_config(config, overrides)
    table = config.allocate
    problem = config.problem()
    options = {"tokens_per_task": table.tokens_per_task, "demand_tokens": table.demand_tokens}
    try:
        points, comparison = _optima(table, problem, options, progress)
    except InputError as error:
        raise InputError(f"{source}: {error}" if source else str(error)) from None
    gradient = None
    if table.check and table.mode == "global":
        from ds3sim.allocate.gradient import maximise

        gradient = maximise(problem, points[-1].compute)
    return Allocation(
        name=config.name or Path(source).stem or "allocation",
        mode=table.mode,
        tasks=table.tasks,
        constants=table.constants,
        kappa=table.kappa,
        points=tuple(points),
        comparison=tuple(comparison),
        others=tuple(
            _other(config.problem(constants), points[-1].compute, table.mode, options)
            for constants in CONSTANTS.values()
            if constants != table.constants
        ),
        gradient=gradient,
        environment={**environment(), "wall_s": time.perf_counter() - begun},
    )


def _optima(
    table: AllocateTable,
    problem: Problem,
    options: dict[str, float | None],
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
        if progress is not None:
            progress("allocating", len(points), len(table.compute))
    return points, comparison


def _other(problem: Problem, compute: float, mode: str, options: dict[str, float | None]) -> Other:
    try:
        return Other(problem.constants, solve(problem, compute, mode, **options))
    except InputError as error:
        return Other(problem.constants, None, str(error))
