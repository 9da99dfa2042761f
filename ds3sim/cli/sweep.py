"""``ds3sim sweep``."""

from __future__ import annotations

from argparse import Namespace

import ds3sim as ds
from ds3sim.cli.config import many
from ds3sim.cli.options import PRINT, RESULT, STUDY, WORKERS
from ds3sim.cli.run import print_result

ABOUT = "run every point of a config's [sweep] axes, points of one shape together"
OPTIONS = (*STUDY, *WORKERS, RESULT, *PRINT)


def run(args: Namespace) -> int:
    """``ds3sim sweep``."""
    return many(args, ds.sweep, print_result, lambda result: (len(result.points), "points"))
