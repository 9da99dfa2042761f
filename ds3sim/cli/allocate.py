"""``ds3sim allocate``: the best use of a lifetime's compute."""

from __future__ import annotations

from argparse import Namespace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ds3sim.cli.options import add_command, config_option, output_options

if TYPE_CHECKING:
    from ds3sim import Allocation


def add_parser(commands: Any) -> None:
    """Add ``allocate``; ``commands`` is what ``add_subparsers`` returned."""
    about = "best model size, training tokens and tokens per task for a compute"
    parser = add_command(commands, "allocate", about)
    config_option(parser, "TOML file with [allocate] and [tasks]")
    output_options(parser)
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    import ds3sim as ds
    from ds3sim.cli.console import config_of, show

    show(args, ds.allocate(config_of(args)), print_allocation)
    return 0


def print_allocation(found: Allocation) -> None:
    """The table and the sentences."""
    from ds3sim.cli.console import new_table, terminal
    from ds3sim.core.text import terminal_number as number

    columns = [("compute", True), ("N", True), ("D", True), ("D/N", True), ("steps", True), ("tokens a task", True)]
    columns += [("inference", True), ("loss", True), ("accuracy", True)]
    columns += [("with D = kappa N", True), ("extra compute", True)] if found.comparison else []
    columns += [("held back by", False)]
    table = new_table(columns)
    for point, pair in zip_longest(found.points, found.comparison):
        cells = [number(v) for v in (point.compute, point.parameters, point.training_tokens, point.kappa)]
        cells += [number(point.steps, 6), number(point.tokens_per_task)]
        cells += [f"{100 * point.inference_share:.3g}%", number(point.loss), number(point.accuracy)]
        if pair is not None:
            cells += [number(pair.tied.accuracy), f"{number(pair.extra_compute, 3)}x" if pair.extra_compute else "-"]
        table.add_row(*cells, ", ".join(point.bounds) or ("saturated" if point.saturated else ""))
    console = terminal()
    console.print(f"{found.name}: mode {found.mode}, {found.tasks:g} tasks, {found.constants.name}")
    console.print(table)
    for line in found.words:
        console.print(line, soft_wrap=True)
