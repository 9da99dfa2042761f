"""``ds3sim sweep``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import computed, finish, say, show, write_record
from ds3sim.cli.options import add_command, config_option, engine_options, output_options, store_option
from ds3sim.cli.rows import print_result


def add_parser(commands: Any) -> None:
    """Add ``sweep``; ``commands`` is what ``add_subparsers`` returned."""
    parser = add_command(commands, "sweep", "run every point of a config's [sweep] axes, points of one shape together")
    config_option(parser)
    engine_options(parser)
    store_option(parser)
    parser.add_argument("--out", metavar="FILE", help="write the result: .csv, .json, .parquet, .nc or .zarr")
    output_options(parser)
    parser.set_defaults(function=sweep)


def sweep(args: Namespace) -> int:
    """The command; returns the exit code."""
    if args.out is not None:
        from ds3sim.core.record import check_out

        check_out(args.out)
    result, interrupted = computed(args, ds.sweep)
    if args.out is not None and result.rows:
        say(args, f"results: {write_record(result, args.out)}")
    show(args, result, print_result)
    return finish(args, interrupted, f"{len(result.points):,} points")
