"""``ds3sim export``."""

from __future__ import annotations

from argparse import Namespace

import ds3sim as ds
from ds3sim.cli.config import config_of
from ds3sim.cli.options import config, option
from ds3sim.core.files import check_file, write_file

ABOUT = "write one trace's Markov chain for a model checker"
OPTIONS = (
    *config(),
    option("--format", "FORMAT", "prism, drn or umb", required=True, choices=("prism", "drn", "umb")),
    option("--out", "FILE", "the file to write", required=True),
    option("--strategy", "NAME", "which one of several strategies"),
    option("--point", "N", "which point of a sweep, from 0"),
    option("--part", "N", "which task of a distribution, from 0"),
)


def run(args: Namespace) -> int:
    """``ds3sim export``."""
    from ds3sim.core.check import typed_number

    out = check_file(args.out)
    given = {name: getattr(args, name) for name in ("point", "part")}
    chosen = {
        name: int(typed_number(f"--{name}", text, whole=True, low=0))
        for name, text in given.items()
        if text is not None
    }
    write_file(out, ds.export_chain(config_of(args), args.format, args.strategy, **chosen))
    return 0
