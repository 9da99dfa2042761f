"""``ds3sim train``: what a model learns, level by level."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from ds3sim.cli.options import add_command, config_option, engine_options, output_options
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

if TYPE_CHECKING:
    from rich.table import Table

    from ds3sim import TrainingResult


def add_parser(commands: Any) -> None:
    """Add ``train``; ``commands`` is what ``add_subparsers`` returned."""
    about = "skill levels that a model of given size and training learns, theory beside simulation"
    parser = add_command(commands, "train", about)
    config_option(parser, 'TOML file with [model] of kind = "tripartite"')
    engine_options(parser, "seed")
    output_options(parser)
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    import ds3sim as ds
    from ds3sim.cli.console import config_of, show
    from ds3sim.core.runtime import configure_process

    configure_process()
    show(args, ds.train(config_of(args)), print_training)
    return 0


def print_training(found: TrainingResult) -> None:
    """The table and the sentences."""
    from ds3sim.cli.console import terminal

    said = found.to_dict()
    model, limit, simulation = said["model"], said["threshold"], said["simulation"]
    lines = [
        f"{found.name}: N = {number(model['parameters'])} parameters, D = {number(model['tokens'])} tokens"
        f" (D/N = {model['tokens_per_parameter']:.4g}), C_tr = {number(model['training_flops'])} FLOPs",
        f"R = {number(said['concepts'])} concepts, T = {number(said['texts'])} texts, T/R ="
        f" {said['texts_per_concept']:.4g}. Threshold: eps_BP = {limit['eps_bp']:.5f}, eps ="
        f" {limit['initially_unknown']:g}; law {model['finite_size']}, a = {limit['scale']:.4f}, b ="
        f" {limit['shift']:.3g}.",
        f"Theory: peeling gets stuck with probability {probability(said['stuck'])}, P_b ="
        f" {probability(said['unlearnt'])}, learnt fraction {said['learnt']:.5f}, excess entropy at least"
        f" {number(said['excess_entropy'])} nats.",
    ]
    if simulation is not None:
        share, theory = simulation["stuck"], simulation["theory"]
        lines.append(
            f"Simulation, {simulation['graphs']:,} graphs of {simulation['concepts']:,} concepts: stuck"
            f" {share['estimate']:.4f} (95% {share['low']:.4f} to {share['high']:.4f}; theory at this size"
            f" {theory['stuck']:.4f}), unknown {simulation['unlearnt']['estimate']:.5f} (theory"
            f" {theory['unlearnt']:.5f})."
        )
    console = terminal()
    for line in lines:
        console.print(line, soft_wrap=True)
    sampled = any(row["simulated"] for row in said["levels"])
    console.print(_table(said["levels"], sampled))
    models = f", and {simulation['models']} sampled models with the error of giant" if sampled and simulation else ""
    console.print(f"Theory with g by (21), with g by the exact binomial law{models}.")
    highest = [
        f"{said['highest_level'] or 'none'} by (21)",
        f"{said['highest_level_exact'] or 'none'} by the exact law",
    ]
    highest += [f"{said['highest_level_simulated'] or 'none'} simulated"] if sampled else []
    console.print(
        f"Highest level with p of at least 1/2: {', '.join(highest)}. Sum of p over levels:"
        f" {said['levels_learnt']:.3f}."
    )
    for note in found.notes:
        console.print(f"note: {note}", soft_wrap=True)


def _table(levels: list[dict], sampled: bool) -> Table:
    """The levels by theory, by the exact law and as sampled."""
    from ds3sim.cli.console import new_table

    columns = [("level", True), ("concepts", True), ("g (21)", True), ("p", True), ("giant", True)]
    columns += [("| g exact", True), ("p", True), ("giant", True)]
    columns += [("| g simulated", True), ("p", True), ("giant", True), ("+-", True)] if sampled else []
    table = new_table(columns)
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


def shown_levels(levels: list[dict]) -> list[dict]:
    """Every fifth level, and those where theory by (21) changes most."""
    near = {0, len(levels) - 1, *range(4, len(levels), 5)}
    for at in range(1, len(levels)):
        if any(abs(levels[at][key] - levels[at - 1][key]) > 0.02 for key in ("acquired", "p", "giant")):
            near |= {at - 1, at}
    return [row for at, row in enumerate(levels) if at in near]
