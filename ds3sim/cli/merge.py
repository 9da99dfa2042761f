"""``ds3sim merge``."""

from __future__ import annotations

import json
import sys
from argparse import Namespace


def add_parser(commands) -> None:
    """Add ``merge``; ``commands`` is what ``add_subparsers`` returned."""
    about = "put what several stores hold into one"
    parser = commands.add_parser(
        "merge",
        help=about,
        description=f"{about.capitalize()}. Merging a store again changes nothing. Prints what each store holds.",
        allow_abbrev=False,
    )
    parser.add_argument("stores", metavar="STORE", nargs="+", help="files that sweep --store wrote")
    parser.add_argument("--out", metavar="STORE", required=True, help="the store to add to; made where it is missing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(function=merge)


def merge(args: Namespace) -> int:
    """``ds3sim merge``."""
    from ds3sim.store.merge import merge as merge_stores

    said = merge_stores(args.stores, args.out)
    if args.json:
        sys.stdout.write(json.dumps(said, indent=2, allow_nan=False) + "\n")
    else:
        _print(said)
    return 0


def _print(said: dict) -> None:
    from ds3sim.cli.console import new_table, terminal

    table = new_table([("store", False), *((name, True) for name in ("problems", "rows", "trials")), ("sweeps", False)])
    for entry in (*said["inputs"], said["out"]):
        sweeps = ", ".join(f"{s['name']} ({s['points']:,} points)" for s in entry["sweeps"]) or "-"
        table.add_row(entry["file"], *(f"{entry[key]:,}" for key in ("problems", "rows", "trials")), sweeps)
    console = terminal()
    console.print(table)
    new = said["new_rows"]
    console.print(f"{said['out']['file']}: {new:,} new row{'' if new == 1 else 's'}." if new else "Nothing was new.")
