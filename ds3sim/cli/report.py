"""``ds3sim report``."""

from __future__ import annotations

import os
from argparse import Namespace

from ds3sim.cli.options import add_command
from ds3sim.core.files import check_file


def add_parser(commands) -> None:
    """Add ``report``; ``commands`` is what ``add_subparsers`` returned."""
    about = "make the report page of a folder that run --out wrote, or of a sweep's store"
    parser = add_command(commands, "report", about)
    parser.add_argument("folder", metavar="DIR|STORE", help="folder of run --out, file of sweep --store or of --json")
    parser.add_argument(
        "--out", metavar="FILE", required=True, help="HTML page; or the numbers: .csv, .parquet, .nc, .zarr, .json"
    )
    parser.add_argument("--sweep", metavar="NAME", help="which sweep of a store; without it the one used last")
    parser.set_defaults(function=report)


def _folder_page(args: Namespace) -> int:
    """``ds3sim report``."""
    out = check_file(args.out)
    from ds3sim.report.run_page import report_from_dir

    page = report_from_dir(args.folder)
    from ds3sim.core.files import write_file

    write_file(out, page)
    return 0


def report(args: Namespace) -> int:
    """``ds3sim report`` for a folder of ``run --out``, a store, or what ``--json`` printed.

    The ending of ``--out`` decides: ``.nc``, ``.parquet``, ``.csv``, ``.json`` and ``.zarr`` write the numbers,
    every other one the page.
    """
    from pathlib import Path

    from ds3sim.core.record import PACKAGES, check_out
    from ds3sim.results import dataset

    numbers = Path(args.out).suffix.lower() in PACKAGES
    if not numbers and (os.path.isdir(args.folder) or not os.path.exists(args.folder)):
        return _folder_page(args)
    out = check_out(args.out) if numbers else check_file(args.out)
    result = _result(args)
    if numbers:
        dataset.write(result, out)
        return 0
    from ds3sim.core.files import write_file
    from ds3sim.report.sweep_page import render_store_page

    write_file(out, render_store_page(result))
    return 0


def _result(args: Namespace) -> dict:
    """The result in a store, a folder of ``run --out``, or a JSON file."""
    from ds3sim.core.errors import InputError
    from ds3sim.results.dataset import read_result
    from ds3sim.store.store import Store

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
        found = store.result(getattr(args, "sweep", None))
    points = [{"axes": dict(p.axes), "results": [row.to_dict() for row in p.rows]} for p in found.points]
    said = {"name": found.name, "engine": found.engine, "points": points, "missing": found.missing}
    return said | {"seeds": found.environment["seeds"]}
