"""``ds3sim train``."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

import ds3sim as ds
from ds3sim.cli.config import config_of
from ds3sim.cli.console import check_result, new_table, put, show_result
from ds3sim.cli.options import PRINT, RESULT, SEED, config
from ds3sim.core.runtime import configure_process
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

if TYPE_CHECKING:
    from rich.table import Table

ABOUT = "skill levels that a model of given size and training learns, theory beside simulation"
OPTIONS = (*config('TOML file with [model] of kind = "tripartite"'), SEED, RESULT, *PRINT)


def run(args: Namespace) -> int:
    """``ds3sim train``."""
    check_result(args)
    configure_process()
    return show_result(args, ds.train(config_of(args)), print_training)


def print_training(found: ds.TrainingResult) -> None:
    """The table and the sentences."""
    told = found.to_dict()
    model, limit, simulation, levels = told["model"], told["threshold"], told["simulation"], told["levels"]
    lines = [
        f"{found.name}: N = {number(model['parameters'])} parameters, D = {number(model['tokens'])} tokens"
        f" (D/N = {model['tokens_per_parameter']:.4g}), C_tr = {number(model['training_flops'])} FLOPs",
        f"R = {number(told['concepts'])} concepts, T = {number(told['texts'])} texts, T/R ="
        f" {told['texts_per_concept']:.4g}. Threshold: eps_BP = {limit['eps_bp']:.5f}, eps ="
        f" {limit['initially_unknown']:g}; law {model['finite_size']}, a = {limit['scale']:.4f}, b ="
        f" {limit['shift']:.3g}.",
        f"Theory: peeling gets stuck with probability {probability(told['stuck'])}, P_b ="
        f" {probability(told['unlearnt'])}, learnt fraction {told['learnt']:.5f}, excess entropy at least"
        f" {number(told['excess_entropy'])} nats.",
    ]
    if simulation is not None:
        share, theory = simulation["stuck"], simulation["theory"]
        lines.append(
            f"Simulation, {simulation['graphs']:,} graphs of {simulation['concepts']:,} concepts: stuck"
            f" {share['estimate']:.4f} (95% {share['low']:.4f} to {share['high']:.4f}; theory at this size"
            f" {theory['stuck']:.4f}), unknown {simulation['unlearnt']['estimate']:.5f} (theory"
            f" {theory['unlearnt']:.5f})."
        )
    sampled = any(row["simulated"] for row in levels)
    models = f", and {simulation['models']} sampled models with the error of giant" if sampled and simulation else ""
    highest = {"highest_level": "by (21)", "highest_level_exact": "by the exact law"}
    highest |= {"highest_level_simulated": "simulated"} if sampled else {}
    said = ", ".join(f"{told[key] or 'none'} {how}" for key, how in highest.items())
    put(
        *lines,
        _levels_table(levels, sampled),
        f"Theory with g by (21), with g by the exact binomial law{models}.",
        f"Highest level with p of at least 1/2: {said}. Sum of p over levels: {told['levels_learnt']:.3f}.",
        *(f"note: {note}" for note in found.notes),
    )


def _levels_table(levels: list[dict[Any, Any]], sampled: bool) -> Table:
    """The levels by theory, by the exact law and as sampled."""
    columns = ["level", "concepts", "g (21)", "p", "giant", "| g exact", "p", "giant"]
    table = new_table([*columns, *(["| g simulated", "p", "giant", "+-"] if sampled else [])])
    for row in shown_levels(levels):
        exact, own = row["exact"], row["simulated"]
        cells = [str(row["level"]), number(row["concepts_per_skill"])]
        cells += [probability(row[key]) for key in ("acquired", "p", "giant")]
        cells += ["| " + probability(exact["acquired"]), probability(exact["p"]), probability(exact["giant"])]
        if own:
            cells += ["| " + probability(own["acquired"]["estimate"]), probability(own["p"]["estimate"])]
            cells += [probability(own["giant"]["estimate"]), f"{own['giant']['error']:.5f}"]
        table.add_row(*cells)
    return table


def shown_levels(levels: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    """Every fifth level, and those where theory by (21) changes most."""
    near = {0, len(levels) - 1, *range(4, len(levels), 5)}
    for at in range(1, len(levels)):
        if any(abs(levels[at][key] - levels[at - 1][key]) > 0.02 for key in ("acquired", "p", "giant")):
            near |= {at - 1, at}
    return [row for at, row in enumerate(levels) if at in near]
