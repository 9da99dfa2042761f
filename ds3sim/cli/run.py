"""``ds3sim run``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import computed, say, show
from ds3sim.cli.options import add_command, config_option, engine_options, output_options, store_option
from ds3sim.cli.rows import print_result
from ds3sim.core.errors import InputError
from ds3sim.core.folder import check_folder


def add_parser(commands: Any) -> None:
    """Add ``run``; ``commands`` is what ``add_subparsers`` returned."""
    parser = add_command(commands, "run", "run a config: success and cost at every budget, beside the theory")
    config_option(parser)
    engine_options(parser)
    store_option(parser)
    parser.add_argument("--out", metavar="DIR", help="write config, results, figures and report.html to this folder")
    output_options(parser)
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    if args.out is not None:
        check_folder(args.out, ds.Result.folder)
    result, interrupted = computed(args, ds.run)
    failed = None
    if args.out is not None:
        try:
            say(args, f"report: {ds.report(result, folder=args.out)}")
        except InputError as error:  # what was computed is still printed
            failed = error
    show(args, result, print_result)
    if failed is not None:
        raise failed
    if interrupted:
        say(args, f"interrupted: the numbers are of the {result.traces:,} traces done until then")
    return 130 if interrupted else 0
