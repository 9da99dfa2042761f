"""``ds3sim reproduce``: the paper's figures."""

from __future__ import annotations

import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import say
from ds3sim.core.errors import StoppedEarly
from ds3sim.core.runtime import configure_process


def add_parser(commands: Any) -> None:
    """Add the command; ``commands`` is what ``add_subparsers`` returned."""
    names = "\n".join(f"  {name:<24}{about}" for name, about in ds.figures().items())
    parser = commands.add_parser(
        "reproduce",
        help="make the paper's figures: theory as curves, simulation as points on them",
        description="Make the paper's figures: theory as curves, simulation as points with intervals, a CSV of all that"
        " is\ndrawn, and a page. Names:\n" + names + f"\n  {'all':<24}every figure that needs no data, or has it",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME", help="a figure, or all")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for PNG, SVG, CSV and index.html")
    parser.add_argument("--quick", action="store_true", help="fewer points and traces: to try, not to show")
    parser.add_argument("--seed", metavar="N", default="0", help="seed of the simulations (0)")
    parser.add_argument("--data", metavar="DIR", help="folder with published curves, for the figures that need them")
    parser.add_argument("--quiet", action="store_true", help="no messages")
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    configure_process()
    how = {
        "quick": args.quick,
        "seed": _number(args.seed),
        "data": args.data,
        "progress": lambda line: say(args, line),
    }
    try:
        say(args, str(ds.reproduce(args.name, args.out, **how)))
    except StoppedEarly as stop:
        kept = f"the figures up to {stop.partial[-1]} are kept" if stop.partial else "nothing was finished"
        print(f"interrupted: {kept}", file=sys.stderr)
        return 130
    return 0


def _number(text: str) -> int | float | str:
    """The number that a text is, 1e3 too; else the text, for the message that refuses it."""
    try:
        return int(text) if text.strip("+-").isdecimal() else float(text)
    except ValueError:
        return text
