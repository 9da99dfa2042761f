"""``ds3sim run``."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import ds3sim as ds
from ds3sim.cli.console import computed, overrides_of, say, show
from ds3sim.cli.options import add_command, config_option, engine_options, output_options, store_option
from ds3sim.cli.rows import print_result
from ds3sim.core.errors import InputError


def add_parser(commands) -> None:
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
        from ds3sim.report.write import check_out

        check_out(args.out)
    result, interrupted = computed(args, ds.run)
    failed = None
    if args.out is not None:
        from ds3sim.config.build import load
        from ds3sim.report.write import write_run

        try:
            study = load(args.config, overrides_of(args))
            say(args, f"report: {write_run(result.to_dict(), study, Path(args.out))[0]}")
        except InputError as error:  # what was computed is still printed
            failed = error
    show(args, result, print_result)
    if failed is not None:
        raise failed
    if interrupted:
        say(args, f"interrupted: the numbers are of the {result.traces:,} traces done until then")
    return 130 if interrupted else 0
