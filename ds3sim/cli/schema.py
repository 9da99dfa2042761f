"""``ds3sim schema``."""

from __future__ import annotations

from argparse import Namespace

import ds3sim as ds
from ds3sim.cli.console import print_json

ABOUT = "print the JSON schema of configs, for editors"
OPTIONS = ()


def run(_: Namespace) -> int:
    """``ds3sim schema``."""
    return print_json(ds.schema())
