"""An allocation study from its config: the numbers as plain data, and the answer in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ds3sim.allocate.curves import along, compare, exponents
from ds3sim.allocate.sentences import words
from ds3sim.allocate.solve import solve
from ds3sim.config.allocate import AllocateConfig
from ds3sim.core.environment import environment
from ds3sim.core.errors import InputError
from ds3sim.core.plain import as_plain
from ds3sim.theory.loss import CONSTANTS, loss_optimal


def run_allocation(config: AllocateConfig, source: str, progress: Callable | None = None) -> dict:
    """The result of a study, as ``ds3sim allocate --json`` prints it.

    Args:
        config: from :func:`ds3sim.config.allocate.read_allocate_config`.
        source: the file, for the name and for errors.
        progress: called with the number of compute values done.

    Returns:
        ``name, mode, tasks, constants, results, exponents, comparison, other_constants, gradient, words,
        environment``. ``comparison`` (mode global) has D = kappa N at every compute; ``other_constants`` solves
        the largest compute with the other named constants.

    Raises:
        InputError: the compute pays for no model in the box.
    """
    begun = time.perf_counter()
    table = config.allocate
    problem = config.problem()
    options = {"tokens_per_task": table.tokens_per_task, "demand_tokens": table.demand_tokens}
    comparison: list[dict] = []
    try:
        if table.mode == "global" and table.compare:
            results = []
            for compute in table.compute:
                found = compare(problem, compute)
                results.append(found.best)
                comparison.append(
                    {
                        "compute": compute,
                        "chinchilla": found.tied.as_dict(),
                        "accuracy_gap": found.gap,
                        "extra_compute": found.extra_compute,
                    }
                )
                if progress is not None:
                    progress(len(results))
        else:
            results = along(problem, table.compute, table.mode, progress, **options)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    last = results[-1]
    others = []
    for name, constants in CONSTANTS.items():
        if constants == table.constants:
            continue
        n, d = loss_optimal(last.compute, constants)
        row: dict = {"constants": name, "compute": last.compute, "loss_optimal_kappa": float(d / n)}
        try:
            row |= solve(config.problem(constants), last.compute, table.mode, **options).as_dict()
        except InputError as error:
            row["error"] = str(error)
        others.append(row)
    gradient = None
    if table.check and table.mode == "global":
        from ds3sim.allocate.gradient import maximise

        optimum = maximise(problem, last.compute)
        gradient = {**asdict(optimum), "accuracy_difference": optimum.accuracy - (last.accuracy or 0.0)}
    n, d = loss_optimal(last.compute, table.constants)
    result = {
        "name": config.name or Path(source).stem,
        "mode": table.mode,
        "tasks": table.tasks,
        "constants": {**asdict(table.constants), "loss_optimal_kappa": float(d / n)},
        "kappa": table.kappa,
        "results": [r.as_dict() for r in results],
        "exponents": {name: None if e is None else asdict(e) for name, e in exponents(results).items()},
        "comparison": comparison,
        "other_constants": others,
        "gradient": gradient,
    }
    result["words"] = words(result)
    result["environment"] = {**environment(), "wall_s": time.perf_counter() - begun}
    return as_plain(result)
