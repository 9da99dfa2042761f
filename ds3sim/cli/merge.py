"""``ds3sim merge``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import new_table, put, show
from ds3sim.cli.options import JSON, option

ABOUT = "put what several stores hold into one; merging one again changes nothing"
OPTIONS = (
    option("stores", "STORE", "files that sweep --store wrote", nargs="+"),
    option("--out", "STORE", "the store to add to; made where it is missing", required=True),
    JSON,
)


def run(args: Namespace) -> int:
    """``ds3sim merge``."""
    return show(args, ds.merge(args.stores, args.out), print_merged)


def print_merged(found: Any) -> None:
    """What each store holds."""
    table = new_table(["store<", "problems", "rows", "trials", "sweeps<"])
    for held in (*found.inputs, found.out):
        sweeps = ", ".join(f"{sweep.name} ({len(sweep.points):,} points)" for sweep in held.sweeps) or "-"
        table.add_row(held.file, *(f"{count:,}" for count in (len(held.problems), held.rows, held.trials)), sweeps)
    new = found.new_rows
    put(table, f"{found.out.file}: {new:,} new row{'' if new == 1 else 's'}." if new else "Nothing was new.")
