"""``ds3sim schema``."""

from __future__ import annotations

from argparse import Namespace

from ds3sim.cli.console import print_json
from ds3sim.cli.options import add_command


def add_parser(commands) -> None:
    """Add ``schema``; ``commands`` is what ``add_subparsers`` returned."""
    parser = add_command(commands, "schema", "print the JSON schema of configs, for editors")
    parser.set_defaults(function=schema)


def schema(args: Namespace) -> int:
    """``ds3sim schema``."""
    from ds3sim.config.tables import Config

    print_json(Config.model_json_schema())
    return 0
