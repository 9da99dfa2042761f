"""``ds3sim merge``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ds3sim.cli.options import add_command


def add_parser(commands: Any) -> None:
    """Add ``merge``; ``commands`` is what ``add_subparsers`` returned."""
    about = "put what several stores hold into one"
    more = "Merging a store again changes nothing. Prints what each store holds."
    parser = add_command(commands, "merge", about, description=f"{about.capitalize()}. {more}")
    parser.add_argument("stores", metavar="STORE", nargs="+", help="files that sweep --store wrote")
    parser.add_argument("--out", metavar="STORE", required=True, help="the store to add to; made where it is missing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    import ds3sim as ds
    from ds3sim.cli.console import show

    found = ds.merge(args.stores, args.out)
    show(args, found, print_merged)
    return 0


def print_merged(found: Any) -> None:
    """What each store holds."""
    from ds3sim.cli.console import new_table, terminal

    table = new_table([("store", False), *((name, True) for name in ("problems", "rows", "trials")), ("sweeps", False)])
    for held in (*found.inputs, found.out):
        sweeps = ", ".join(f"{sweep.name} ({len(sweep.points):,} points)" for sweep in held.sweeps) or "-"
        table.add_row(held.file, *(f"{count:,}" for count in (len(held.problems), held.rows, held.trials)), sweeps)
    console = terminal()
    console.print(table)
    new = found.new_rows
    console.print(f"{found.out.file}: {new:,} new row{'' if new == 1 else 's'}." if new else "Nothing was new.")
