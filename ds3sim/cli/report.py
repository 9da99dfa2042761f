"""``ds3sim report``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ds3sim.cli.options import add_command


def add_parser(commands: Any) -> None:
    """Add ``report``; ``commands`` is what ``add_subparsers`` returned."""
    about = "make the report page of a folder that run --out wrote, or of a sweep's store"
    parser = add_command(commands, "report", about)
    parser.add_argument("folder", metavar="DIR|STORE", help="folder of run --out, file of sweep --store or of --json")
    parser.add_argument(
        "--out", metavar="FILE", required=True, help="HTML page; or the numbers: .csv, .parquet, .nc, .zarr, .json"
    )
    parser.add_argument("--sweep", metavar="NAME", help="which sweep of a store; without it the one used last")
    parser.set_defaults(function=report)


def report(args: Namespace) -> int:
    """The command; returns the exit code."""
    import ds3sim as ds

    ds.report(args.folder, args.out, sweep=args.sweep)
    return 0
