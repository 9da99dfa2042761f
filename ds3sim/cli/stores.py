"""``ds3sim merge``, and ``ds3sim report`` where it is given a file instead of a folder."""

from __future__ import annotations

import json
import os
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
    from ds3sim.study.store_merge import merge as merge_stores

    said = merge_stores(args.stores, args.out)
    if args.json:
        sys.stdout.write(json.dumps(said, indent=2, allow_nan=False) + "\n")
    else:
        _print(said)
    return 0


def report(args: Namespace) -> int:
    """``ds3sim report`` for a folder of ``run --out``, a store, or what ``--json`` printed.

    The ending of ``--out`` decides: ``.nc``, ``.parquet``, ``.csv``, ``.json`` and ``.zarr`` write the numbers,
    every other one the page.
    """
    from pathlib import Path

    from ds3sim.cli import commands
    from ds3sim.study import dataset

    numbers = Path(args.out).suffix.lower() in dataset.FORMATS
    if not numbers and (os.path.isdir(args.folder) or not os.path.exists(args.folder)):
        return commands.report(args)
    out = dataset.check_path(args.out) if numbers else commands._check_file(args.out)
    result = _result(args)
    if numbers:
        dataset.write(result, out)
        return 0
    from ds3sim.report.store_page import render_store_page
    from ds3sim.study.export import write_text

    write_text(out, render_store_page(result))
    return 0


def _result(args: Namespace) -> dict:
    """The result in a store, a folder of ``run --out``, or a JSON file."""
    from ds3sim.core.errors import InputError
    from ds3sim.study.dataset import read_result
    from ds3sim.study.points import store_result
    from ds3sim.study.store import Store

    if os.path.isdir(args.folder):
        return read_result(os.path.join(args.folder, "results.json"))
    try:
        with open(args.folder, "rb") as file:
            start = file.read(64).lstrip()
    except (OSError, ValueError) as error:
        why = "no such file or folder" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise InputError(f"{args.folder}: {why}: give a folder of run --out or a store of sweep --store") from None
    if start.startswith(b"{"):
        return read_result(args.folder)
    with Store.open(args.folder, create=False, readonly=True) as store:
        return store_result(store, getattr(args, "sweep", None))


def _print(said: dict) -> None:
    from ds3sim.cli.table import _console, _table

    table = _table([("store", False), *((name, True) for name in ("problems", "rows", "trials")), ("sweeps", False)])
    for entry in (*said["inputs"], said["out"]):
        sweeps = ", ".join(f"{s['name']} ({s['points']:,} points)" for s in entry["sweeps"]) or "-"
        table.add_row(entry["file"], *(f"{entry[key]:,}" for key in ("problems", "rows", "trials")), sweeps)
    console = _console()
    console.print(table)
    new = said["new_rows"]
    console.print(f"{said['out']['file']}: {new:,} new row{'' if new == 1 else 's'}." if new else "Nothing was new.")
