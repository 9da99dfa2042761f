"""Options that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

ENGINE = {
    "seed": "seed of the random engines, a whole number: same as --set seed=N",
    "traces": "trials of the whole task: same as --set engine.traces=N",
    "engine": "how it is computed: same as --set engine.kind=KIND",
    "chunk": "walks in one launch: same as --set engine.chunk=N; never changes results",
}


def number_of(text: str) -> int | float | str:
    """The number that an argument is, 1e3 too; else the text, for the message that refuses it."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def whole(option: str, text: str, low: int = 0) -> int:
    """A whole number from ``low`` to below 2^63: 1000, 1_000 and 1e3 are the same, as in a config.

    Raises:
        InputError: it is none.
    """
    from ds3sim.core.check import whole_text

    return whole_text(option, text, low, 2**63 - 1)


def add_command(commands: Any, name: str, about: str, **more: Any) -> ArgumentParser:
    """A parser for a command; ``commands`` is what ``add_subparsers`` returned, ``about`` one line for the help."""
    said = {"help": about, "description": about[0].upper() + about[1:], "allow_abbrev": False}
    return commands.add_parser(name, **(said | more))


def config_option(parser: ArgumentParser, about: str = "TOML file", nargs: str | None = None) -> None:
    """``CONFIG`` and ``--set``."""
    parser.add_argument("config", metavar="CONFIG", nargs=nargs, help=about)
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change or add a key of the config, as in --set strategy.branches=4 (repeatable)",
    )


def engine_options(parser: ArgumentParser, *names: str) -> None:
    """Those of ``--seed``, ``--traces``, ``--engine`` and ``--chunk`` that are named; all of them if none is."""
    for name in names or ENGINE:
        parser.add_argument(f"--{name}", metavar="KIND" if name == "engine" else "N", help=ENGINE[name])


def store_option(parser: ArgumentParser) -> None:
    """``--store``."""
    parser.add_argument("--store", metavar="FILE", help="keep what is simulated in this file, and go on from there")


def output_options(parser: ArgumentParser) -> None:
    """``--json`` and ``--quiet``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress and no messages")
