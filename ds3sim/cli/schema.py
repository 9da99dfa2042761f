"""``ds3sim schema``."""

from __future__ import annotations

from argparse import Namespace

import ds3sim as ds
from ds3sim.cli.console import print_json


def schema(args: Namespace) -> int:
    """``ds3sim schema``."""
    print_json(ds.schema())
    return 0
