"""``ds3sim allocate``: the best use of a lifetime's compute."""

from __future__ import annotations

from argparse import Namespace

from ds3sim.cli.options import add_command, config_option, output_options


def add_parser(commands) -> None:
    """Add ``allocate``; ``commands`` is what ``add_subparsers`` returned."""
    about = "best model size, training tokens and tokens per task for a compute"
    parser = add_command(commands, "allocate", about)
    config_option(parser, "TOML file with [allocate] and [tasks]")
    output_options(parser)
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    from ds3sim.cli.console import overrides_of, print_json
    from ds3sim.cli.progress import case_bar
    from ds3sim.config.allocate import read_allocate_config
    from ds3sim.study.allocate import run_allocation

    config = read_allocate_config(args.config, overrides_of(args))
    total = len(config.allocate.compute)
    with case_bar(args.quiet or total == 1) as progress:
        report = None if progress is None else lambda done: progress("allocating", done, total)
        result = run_allocation(config, args.config, report)
    if args.json:
        print_json(result)
    else:
        print_allocation(result)
    return 0


def print_allocation(result: dict) -> None:
    """The table and the sentences."""
    from ds3sim.cli.console import new_table, terminal
    from ds3sim.core.text import terminal_number as number

    compared = {row["compute"]: row for row in result["comparison"]}
    columns = [("compute", True), ("N", True), ("D", True), ("D/N", True), ("steps", True), ("tokens a task", True)]
    columns += [("inference", True), ("loss", True), ("accuracy", True)]
    columns += [("with D = kappa N", True), ("extra compute", True)] if compared else []
    columns += [("held back by", False)]
    table = new_table(columns)
    for row in result["results"]:
        other = compared.get(row["compute"])
        cells = [
            number(row["compute"]),
            number(row["parameters"]),
            number(row["training_tokens"]),
            number(row["kappa"]),
        ]
        cells += [number(row["steps"], 6), number(row["tokens_per_task"])]
        cells += [f"{100 * row['inference_share']:.3g}%", number(row["loss"]), number(row["accuracy"])]
        if compared:
            cells += [number(other["chinchilla"]["accuracy"]) if other else "-"]
            cells += [f"{number(other['extra_compute'], 3)}x" if other and other["extra_compute"] else "-"]
        table.add_row(*cells, ", ".join(row["bounds"]) or ("saturated" if row["saturated"] else ""))
    console = terminal()
    console.print(f"{result['name']}: mode {result['mode']}, {result['tasks']:g} tasks, {result['constants']['name']}")
    console.print(table)
    for line in result["words"]:
        console.print(line, soft_wrap=True)
