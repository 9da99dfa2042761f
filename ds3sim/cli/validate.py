"""``ds3sim validate``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import config_of, kept, new_table, overrides_of, say, show, terminal, write_record
from ds3sim.cli.options import add_command, config_option, engine_options, output_options, whole
from ds3sim.core.errors import require
from ds3sim.core.runtime import configure_process
from ds3sim.core.text import terminal_number as number


def add_parser(commands: Any) -> None:
    """Add ``validate``; ``commands`` is what ``add_subparsers`` returned."""
    about = "check engines against exact values and formulas; exit 1 where they disagree"
    parser = add_command(commands, "validate", about)
    config_option(parser, "check this config's tasks; without it a suite", nargs="?")
    engine_options(parser, "traces", "engine")
    parser.add_argument("--perturb", metavar="X", default=0.0, type=float, help="shift the simulated r by this share")
    parser.add_argument("--seed", metavar="N", default="0", help="seed of the simulations (0), whatever the config's")
    parser.add_argument("--out", metavar="FILE", help="write the checks: .csv, .json, .parquet, .nc or .zarr")
    output_options(parser)
    parser.set_defaults(function=validate)


def validate(args: Namespace) -> int:
    """The command; returns the exit code."""
    from ds3sim.core.check import fraction

    if args.out is not None:
        from ds3sim.core.record import check_out

        check_out(args.out)
    options = {"perturb": fraction("--perturb", args.perturb, -0.5, 0.5), "seed": whole("--seed", args.seed)}
    args.seed = None
    require(args.config is not None or not overrides_of(args), "--set needs a CONFIG: name the config that it changes")
    config = None if args.config is None else config_of(args)
    for path, _, text in [] if config is None else config.origin.overrides:
        require(path != ("seed",), f"{text}: has no effect on validate, whose simulations have their own: use --seed")
    configure_process()
    found, interrupted = kept(ds.validate, config, **options)
    if args.out is not None:
        say(args, f"results: {write_record(found, args.out)}")
    show(args, found, print_validation)
    if interrupted:
        say(args, "interrupted: the checks are those of the cases done until then")
        return 130
    return 0 if found.passed else 1


def print_validation(found: ds.Validation) -> None:
    """The table of a validation."""
    columns = ("estimate", "expected", "z", "adjusted p")
    table = new_table([("case", False), ("quantity", False), *((name, True) for name in columns), ("", False)])
    for check in found.checks:
        numbers = (number(check.estimate, 6), number(check.expected, 6), number(check.z, 3))
        verdict = "ok" if check.passed else "DISAGREES"
        table.add_row(check.name, check.quantity, *numbers, number(check.p_adjusted, 3), verdict)
    console = terminal()
    console.print(table)
    failed = sum(not check.passed for check in found.checks)
    verdict = f"{failed} disagree" if failed else "all agree"
    console.print(f"{len(found.checks)} cases, family-wise error {found.family_wise_error:g}: {verdict}.")
