"""``ds3sim export``."""

from __future__ import annotations

from argparse import Namespace

from ds3sim.cli.console import overrides_of
from ds3sim.cli.options import add_command, config_option
from ds3sim.core.errors import InputError, require
from ds3sim.core.files import check_file


def add_parser(commands) -> None:
    """Add ``export``; ``commands`` is what ``add_subparsers`` returned."""
    parser = add_command(commands, "export", "write one trace's Markov chain for a model checker")
    config_option(parser)
    parser.add_argument("--format", metavar="FORMAT", required=True, choices=("prism", "drn"), help="prism or drn")
    parser.add_argument("--out", metavar="FILE", required=True, help="the file to write")
    parser.add_argument("--strategy", metavar="NAME", help="which one of several strategies")
    parser.set_defaults(function=export)


def export(args: Namespace) -> int:
    """``ds3sim export``."""
    out = check_file(args.out)
    from ds3sim.config.build import load
    from ds3sim.core.files import write_file
    from ds3sim.task.export import as_text

    study = load(args.config, overrides_of(args))
    names = [planned.name for planned in study.tasks]
    if args.strategy is None:
        require(
            len(names) == 1,
            f"{args.config}: has {len(names)} strategies: choose one with --strategy {' or '.join(map(str, names))}",
        )
        planned = study.tasks[0]
    else:
        require(
            args.strategy in names,
            f"--strategy {args.strategy}: {args.config} has no such strategy"
            + (
                f": choose {', '.join(map(str, names))}"
                if names != [None]
                else ", only [strategy]: leave the option out"
            ),
        )
        planned = study.tasks[names.index(args.strategy)]
    try:
        text = as_text(planned.task, args.format)
    except InputError as error:
        raise InputError(f"{args.config}: {error}") from None
    write_file(out, text)
    return 0
