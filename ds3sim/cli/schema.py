"""``ds3sim schema``."""

from __future__ import annotations

from argparse import Namespace

from ds3sim.cli.console import print_json


def schema(args: Namespace) -> int:
    """``ds3sim schema``."""
    from ds3sim.config.tables import Config

    print_json(Config.model_json_schema())
    return 0
