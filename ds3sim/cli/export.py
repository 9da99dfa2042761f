"""``ds3sim export``."""

from __future__ import annotations

from argparse import Namespace

from ds3sim.cli.console import overrides_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.files import check_file


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
