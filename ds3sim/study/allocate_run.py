"""An allocation study from its config: the numbers as plain data, and the answer in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ds3sim.core.errors import InputError
from ds3sim.study.allocate import solve
from ds3sim.study.allocate_config import AllocateConfig
from ds3sim.study.allocate_curves import along, compare, exponents
from ds3sim.study.environment import environment
from ds3sim.study.run import as_plain
from ds3sim.theory.loss import CONSTANTS, loss_optimal


def run_allocation(config: AllocateConfig, source: str, progress: Callable | None = None) -> dict:
    """The result of a study, as ``ds3sim allocate --json`` prints it.

    Args:
        config: from :func:`ds3sim.study.allocate_config.read_allocate_config`.
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
        from ds3sim.study.allocate_gradient import maximise

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


def _amount(value: float) -> str:
    """Two digits, as in 3.1e9; plain where short."""
    if 0.01 <= value < 10_000:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if 10 <= value < 1e6 else _amount(value)


def sentence(row: dict, tasks: float) -> str:
    """One optimum in words; ``row`` is :meth:`Allocation.as_dict`."""
    if row["mode"] == "inference_optimal":
        text = f"at {_amount(row['compute'])} FLOPs for one task, data unlimited: N = {_amount(row['parameters'])}"
        text += f", {_count(row['tokens_per_task'])} tokens"
    else:
        over = f" over {_amount(tasks)} tasks" if tasks > 0 else " without any inference"
        text = f"at {_amount(row['compute'])} FLOPs{over}: N = {_amount(row['parameters'])}"
        text += f", D = {_amount(row['training_tokens'])} ({_count(row['kappa'])} tokens per parameter)"
        if row["tokens_per_task"] is not None:
            text += f", {_count(row['tokens_per_task'])} tokens a task"
        text += f"; {100 * row['inference_share']:.2g}% of the compute goes to inference"
    if row["accuracy"] is not None:
        text += f"; expected accuracy {row['accuracy']:.3g}"
    else:
        text += f"; loss {row['loss']:.4g}"
    if row["bounds"]:
        text += f" (held back by the search box: {', '.join(row['bounds'])})"
    if row["saturated"]:
        text += " (as good as it gets: more compute has no use here)"
    return text + "."


def words(result: dict) -> list[str]:
    """The answer in sentences: the optima, the exponents, against D = kappa N, and with other constants."""
    out = [sentence(row, result["tasks"]) for row in result["results"]]
    said = []
    for key, symbol in (("parameters", "N"), ("training_tokens", "D"), ("tokens_per_task", "tokens a task")):
        e = result["exponents"][key]
        if e is not None:
            said.append(f"{symbol} as C^{e['value']:.3f}" + (f" +- {e['error']:.3f}" if e["error"] is not None else ""))
    if said:
        points = max(e["points"] for e in result["exponents"].values() if e is not None)
        out.append(f"Over the {points} values of C that no bound holds back: {', '.join(said)}.")
    for row in result["comparison"][-1:]:
        extra = row["extra_compute"]
        more = (
            f"it needs {_amount(extra)} times the compute to be as accurate"
            if extra is not None
            else ("within the search box it cannot be as accurate")
        )
        out.append(
            f"With D = {result['kappa']:g} N at {_amount(row['compute'])} FLOPs the accuracy is"
            f" {row['chinchilla']['accuracy']:.3g}, lower by {row['accuracy_gap']:.2g}; {more}."
        )
    last = result["results"][-1]
    mine = result["constants"]
    out.append(
        f"Loss constants {mine['name']}: training alone at {_amount(last['compute'])} FLOPs would want"
        f" {_count(mine['loss_optimal_kappa'])} tokens per parameter."
    )
    for row in result["other_constants"]:
        start = f"With {row['constants']} ({_count(row['loss_optimal_kappa'])} by training alone): "
        if "error" in row:
            out.append(start + row["error"] + ".")
            continue
        change = f"N = {_amount(row['parameters'])} ({row['parameters'] / last['parameters']:.2g} times)"
        if row["training_tokens"] and row["training_tokens"] < float("inf"):
            times = row["training_tokens"] / last["training_tokens"]
            change += f", D = {_amount(row['training_tokens'])} ({times:.2g} times)"
        if row["tokens_per_task"] is not None:
            change += f", {_count(row['tokens_per_task'])} tokens a task"
        end = f"accuracy {row['accuracy']:.3g}" if row["accuracy"] is not None else f"loss {row['loss']:.4g}"
        out.append(f"{start}{change}; {end}.")
    if result["gradient"] is not None:
        g = result["gradient"]
        out.append(
            f"By gradients, with real K: N = {_amount(g['parameters'])}, K = {g['steps']:.6g},"
            f" accuracy different by {g['accuracy_difference']:.1e}, gradient {g['gradient']:.1e}."
        )
    return out
