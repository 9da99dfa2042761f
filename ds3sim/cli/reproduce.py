"""``ds3sim reproduce``."""

from __future__ import annotations

import sys
from argparse import Namespace

import ds3sim as ds
from ds3sim.cli.config import seed_of
from ds3sim.cli.console import say
from ds3sim.cli.options import QUIET, option
from ds3sim.core.errors import StoppedEarly
from ds3sim.core.runtime import configure_process

ABOUT = "make the paper's figures: theory as curves, simulation as points on them"
OPTIONS = (
    option("name", "NAME", "a figure, or all"),
    option("--out", "DIR", "folder for PNG, SVG, CSV and index.html", required=True),
    option("--quick", None, "fewer points and traces: to try, not to show"),
    option("--seed", "N", "seed of the simulations (0)", default="0"),
    option("--data", "DIR", "folder with published curves, for the figures that need them"),
    QUIET,
)


def run(args: Namespace) -> int:
    """``ds3sim reproduce``."""
    seed = seed_of(args)
    configure_process()
    how = {"quick": args.quick, "seed": seed, "data": args.data, "progress": lambda line: say(args, line)}
    try:
        say(args, str(ds.reproduce(args.name, args.out, **how)))
    except StoppedEarly as stop:
        kept = f"the figures up to {stop.partial[-1]} are kept" if stop.partial else "nothing was finished"
        print(f"interrupted: {kept}", file=sys.stderr)
        return 130
    return 0
