"""``ds3sim validate``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from ds3sim.cli.console import new_table, overrides_of, print_json, terminal
from ds3sim.cli.options import add_command, config_option, output_options
from ds3sim.cli.progress import case_bar
from ds3sim.core.errors import require
from ds3sim.core.runtime import configure_process
from ds3sim.core.text import terminal_number as number


def add_parser(commands) -> None:
    """Add ``validate``; ``commands`` is what ``add_subparsers`` returned."""
    about = "check engines against exact values and formulas; exit 1 where they disagree"
    parser = add_command(commands, "validate", about)
    config_option(parser, "check this config's task; without it a suite", nargs="?")
    parser.add_argument("--perturb", metavar="X", default=0.0, type=float, help="shift the simulated r by this share")
    parser.add_argument("--seed", metavar="N", default=0, type=int, help="seed (0)")
    output_options(parser)
    parser.set_defaults(function=validate)


def print_validation(outcome: Mapping) -> None:
    """The table of ``ds3sim validate``."""
    table = new_table(
        [
            ("case", False),
            ("quantity", False),
            *((c, True) for c in ("estimate", "expected", "z", "adjusted p")),
            ("", False),
        ]
    )
    for case in outcome["cases"]:
        table.add_row(
            str(case["name"]),
            str(case["quantity"]),
            *(number(case[key], 6) for key in ("estimate", "expected")),
            number(case["z"], 3),
            number(case["p_adjusted"], 3),
            "ok" if case["passed"] else "DISAGREES",
        )
    console = terminal()
    console.print(table)
    failed = sum(not case["passed"] for case in outcome["cases"])
    total = len(outcome["cases"])
    verdict = "all agree" if outcome["passed"] else f"{failed} disagree"
    console.print(f"{total} cases, family-wise error {outcome['family_wise_error']:g}: {verdict}.")


def validate(args: Namespace) -> int:
    """``ds3sim validate``."""
    from ds3sim.core.check import fraction, whole_number

    perturb = fraction("--perturb", args.perturb, -0.5, 0.5)
    seed = whole_number("--seed", args.seed, 0, 2**63 - 1)
    require(args.config is not None or not args.set, "--set needs a CONFIG: name the config that it changes")
    study = None
    if args.config is not None:
        from ds3sim.config.build import load

        study = load(args.config, overrides_of(args))
    from ds3sim.validate.validate import validate as check

    configure_process()
    with case_bar(args.quiet) as progress:
        outcome = check(study, perturb=perturb, seed=seed, progress=progress)
    if args.json:
        from ds3sim.core.plain import as_plain

        print_json(as_plain(outcome))
    else:
        print_validation(outcome)
    return 0 if outcome["passed"] else 1
