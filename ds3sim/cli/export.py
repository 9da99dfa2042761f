"""``ds3sim export``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ds3sim.cli.console import config_of
from ds3sim.cli.options import add_command, config_option, whole
from ds3sim.core.files import check_file, write_file


def add_parser(commands: Any) -> None:
    """Add ``export``; ``commands`` is what ``add_subparsers`` returned."""
    parser = add_command(commands, "export", "write one trace's Markov chain for a model checker")
    config_option(parser)
    parser.add_argument(
        "--format", metavar="FORMAT", required=True, choices=("prism", "drn", "umb"), help="prism, drn or umb"
    )
    parser.add_argument("--out", metavar="FILE", required=True, help="the file to write")
    parser.add_argument("--strategy", metavar="NAME", help="which one of several strategies")
    parser.add_argument("--point", metavar="N", help="which point of a sweep, from 0")
    parser.add_argument("--part", metavar="N", help="which task of a distribution, from 0")
    parser.set_defaults(function=export)


def export(args: Namespace) -> int:
    """The command; returns the exit code."""
    import ds3sim as ds

    out = check_file(args.out)
    given = {name: getattr(args, name) for name in ("point", "part")}
    chosen = {name: None if text is None else whole(f"--{name}", text) for name, text in given.items()}
    write_file(out, ds.export_chain(config_of(args), args.format, args.strategy, **chosen))
    return 0
