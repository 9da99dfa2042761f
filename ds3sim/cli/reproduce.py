"""``ds3sim reproduce``: the paper's figures."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from pathlib import Path

from ds3sim.core.errors import InputError


def add_parser(commands) -> None:
    """Add the command; ``commands`` is what ``add_subparsers`` returned."""
    from ds3sim.reproduce.registry import FIGURES

    names = "\n".join(f"  {e.name:<24}{e.about}" for e in FIGURES.values())
    from argparse import RawDescriptionHelpFormatter

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
    from ds3sim.core.check import whole_number
    from ds3sim.reproduce.registry import chosen

    entries = chosen(args.name)
    try:
        seed = int(args.seed)
    except ValueError:
        raise InputError(f"--seed {args.seed}: is not a whole number") from None
    seed = whole_number("--seed", seed, 0, 2**63 - 1)
    data = None if args.data is None else Path(args.data)
    if data is not None and not data.is_dir():
        raise InputError(f"--data {args.data}: no such folder")
    from ds3sim.core.runtime import configure_process
    from ds3sim.reproduce.drawing import Options
    from ds3sim.reproduce.write import check_out, write_drawing

    options = Options(quick=args.quick, seed=seed, data=data)
    check_out(args.out)
    configure_process()
    begin = time.perf_counter()
    page = done = None
    try:
        for number, entry in enumerate(entries, 1):
            if args.name == "all" and entry.data is not None and data is None:
                _say(args, f"{entry.name}: left out, it needs --data with {entry.data}")
                continue
            at = time.perf_counter()
            drawing = entry.make(options)
            page = write_drawing(drawing, args.out, options, time.perf_counter() - at)[-1]
            done = entry.name
            _say(args, f"[{number}/{len(entries)}] {entry.name}: {time.perf_counter() - at:.1f} s. {drawing.check()}")
    except KeyboardInterrupt:
        print(
            f"interrupted: {f'the figures up to {done} are kept' if done else 'nothing was finished'}", file=sys.stderr
        )
        return 130
    _say(args, f"{page} ({time.perf_counter() - begin:.0f} s)")
    return 0


def _say(args: Namespace, message: str) -> None:
    if not args.quiet:
        print(message, file=sys.stderr)
