"""``ds3sim report``."""

from __future__ import annotations

from argparse import Namespace

import ds3sim as ds
from ds3sim.cli.options import option

ABOUT = "make the report page of a folder that run --out wrote, or of a sweep's store"
OPTIONS = (
    option("folder", "DIR|STORE", "folder of run --out, file of sweep --store or of --json"),
    option("--out", "FILE", "HTML page; or the numbers: .csv, .parquet, .nc, .zarr, .json", required=True),
    option("--sweep", "NAME", "which sweep of a store; without it the one used last"),
)


def run(args: Namespace) -> int:
    """``ds3sim report``."""
    ds.report(args.folder, args.out, sweep=args.sweep)
    return 0
