"""``ds3sim allocate``: the best use of a lifetime's compute."""

from __future__ import annotations

from argparse import Namespace
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds3sim import Allocation


def add_parser(commands) -> None:
    """Add the command; ``commands`` is what ``add_subparsers`` returned."""
    parser = commands.add_parser(
        "allocate",
        help="best model size, training tokens and tokens per task for a compute",
        description="Best model size, training tokens and tokens per task for a compute over the lifetime.",
        allow_abbrev=False,
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file with [allocate] and [tasks]")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change or add a key of the config, as in --set allocate.compute=1e22 (repeatable)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress and no messages")
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    import ds3sim as ds
    from ds3sim.cli.console import overrides_of, print_json
    from ds3sim.cli.progress import case_bar

    with case_bar(args.quiet) as progress:
        found = ds.allocate(args.config, overrides_of(args), progress)
    if args.json:
        print_json(found.to_dict())
    else:
        print_allocation(found)
    return 0


def print_allocation(found: Allocation) -> None:
    """The table and the sentences."""
    from ds3sim.cli.console import new_table, number, terminal

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
