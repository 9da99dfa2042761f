"""``ds3sim train``: what a model learns, level by level."""

from __future__ import annotations

from argparse import Namespace

from ds3sim.cli.options import add_command, config_option, engine_options, output_options


def add_parser(commands) -> None:
    """Add ``train``; ``commands`` is what ``add_subparsers`` returned."""
    about = "skill levels that a model of given size and training learns, theory beside simulation"
    parser = add_command(commands, "train", about)
    config_option(parser, 'TOML file with [model] of kind = "tripartite"')
    engine_options(parser, "seed")
    output_options(parser)
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    from ds3sim.cli.console import overrides_of, print_json
    from ds3sim.cli.progress import case_bar
    from ds3sim.config.training import read_train_config
    from ds3sim.core.runtime import configure_process
    from ds3sim.study.train import run_training

    config = read_train_config(args.config, overrides_of(args))
    if config.simulation.enabled:
        configure_process()
    with case_bar(args.quiet or not config.simulation.enabled) as progress:
        result = run_training(config, progress)
    if args.json:
        print_json(result)
    else:
        print_training(result)
    return 0


def print_training(result: dict) -> None:
    """The table and the sentences."""
    from ds3sim.cli.console import new_table, terminal
    from ds3sim.core.text import terminal_number as number
    from ds3sim.core.text import terminal_probability as probability

    model, limit = result["model"], result["threshold"]
    console = terminal()
    console.print(
        f"{result['name']}: N = {number(model['parameters'])} parameters, D = {number(model['tokens'])} tokens"
        f" (D/N = {model['tokens_per_parameter']:.4g}), C_tr = {number(model['training_flops'])} FLOPs"
    )
    console.print(
        f"R = {number(result['concepts'])} concepts, T = {number(result['texts'])} texts, T/R ="
        f" {result['texts_per_concept']:.4g}. Threshold: eps_BP = {limit['eps_bp']:.5f}, eps ="
        f" {limit['initially_unknown']:g}; law {model['finite_size']}, a = {limit['scale']:.4f}, b ="
        f" {limit['shift']:.3g}."
    )
    console.print(
        f"Theory: peeling gets stuck with probability {probability(result['stuck'])}, P_b ="
        f" {probability(result['unlearnt'])}, learnt fraction {result['learnt']:.5f}, excess entropy at least"
        f" {number(result['excess_entropy'])} nats."
    )
    found = result["simulation"]
    if found is not None:
        share, theory = found["stuck"], found["theory"]
        console.print(
            f"Simulation, {found['graphs']:,} graphs of {found['concepts']:,} concepts: stuck {share['estimate']:.4f}"
            f" (95% {share['low']:.4f} to {share['high']:.4f}; theory at this size {theory['stuck']:.4f}), unknown"
            f" {found['unlearnt']['estimate']:.5f} (theory {theory['unlearnt']:.5f}).",
            soft_wrap=True,
        )
    sampled = any(row["simulated"] for row in result["levels"])
    columns = [("level", True), ("concepts", True), ("g (21)", True), ("p", True), ("giant", True)]
    columns += [("| g exact", True), ("p", True), ("giant", True)]
    columns += [("| g simulated", True), ("p", True), ("giant", True), ("+-", True)] if sampled else []
    table = new_table(columns)
    names = ("acquired", "p", "giant")
    for row in shown_levels(result["levels"]):
        own = row["simulated"]
        cells = [str(row["level"]), number(row["concepts_per_skill"])]
        cells += [probability(row[key]) for key in names]
        cells += ["| " + probability(row["exact"]["acquired"])] + [probability(row["exact"][key]) for key in names[1:]]
        if own:
            cells += ["| " + probability(own["acquired"]["estimate"])]
            cells += [probability(own[key]["estimate"]) for key in names[1:]]
            cells += [f"{own['giant']['error']:.5f}"]
        table.add_row(*cells)
    console.print(table)
    models = f", and {found['models']} sampled models with the error of giant" if sampled and found else ""
    console.print(f"Theory with g by (21), with g by the exact binomial law{models}.")
    told = [
        f"{result['highest_level'] or 'none'} by (21)",
        f"{result['highest_level_exact'] or 'none'} by the exact law",
    ]
    if sampled:
        told.append(f"{result['highest_level_simulated'] or 'none'} simulated")
    console.print(
        f"Highest level with p of at least 1/2: {', '.join(told)}. Sum of p over levels: {result['levels_learnt']:.3f}."
    )
    for note in result["notes"]:
        console.print(f"note: {note}", soft_wrap=True)


def shown_levels(levels: list[dict]) -> list[dict]:
    """Every fifth level, and those where theory by (21) changes most."""
    near = {0, len(levels) - 1, *range(4, len(levels), 5)}
    for at in range(1, len(levels)):
        if any(abs(levels[at][key] - levels[at - 1][key]) > 0.02 for key in ("acquired", "p", "giant")):
            near |= {at - 1, at}
    return [row for at, row in enumerate(levels) if at in near]
