"""``ds3sim schema``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import print_json
from ds3sim.cli.options import add_command


def add_parser(commands: Any) -> None:
    """Add ``schema``; ``commands`` is what ``add_subparsers`` returned."""
    parser = add_command(commands, "schema", "print the JSON schema of configs, for editors")
    parser.set_defaults(function=schema)


def schema(args: Namespace) -> int:
    """``ds3sim schema``."""
    print_json(ds.schema())
    return 0
