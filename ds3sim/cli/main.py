"""The command line. Commands import what they need when they run, so that ``--help`` needs no JAX and no NumPy.

Data go to stdout, progress and messages to stderr. Exit codes: 0 done (validate: all agree),
1 validate found disagreement, 2 bad input (one line ``error: ...``), 130 Ctrl-C with what was
computed kept, 129 and 143 the same for SIGHUP and SIGTERM, 141 the reader of stdout went away.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from importlib import import_module
from typing import Any, NoReturn

from ds3sim.cli.progress import make_way, progress_line
from ds3sim.cli.stop import Stop, one_interrupt
from ds3sim.core.errors import InputError, Note

_show_warning = warnings.showwarning

COMMANDS = (
    "run",
    "sweep",
    "choose",
    "validate",
    "report",
    "merge",
    "export",
    "reproduce",
    "allocate",
    "train",
    "fit",
    "plan",
    "schema",
    "doctor",
)
"""Modules of ``ds3sim.cli``, each with ``add_parser``; a parser's ``function`` default runs the command."""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like all of ours."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


class Version(argparse.Action):
    """``--version``, looked up only when asked for."""

    def __init__(self, option_strings: Any, dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        from ds3sim.core.environment import version

        print(f"ds3sim {version()}")
        parser.exit()


def build_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="ds3sim",
        description="Simulate reasoning as directed stochastic skill search: success and cost at every budget.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"ds3sim.cli.{name}").add_parser(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name; None takes those of the process.

    Returns:
        The exit code.
    """
    try:
        _tolerant(sys.stdout)
        args = build_parser().parse_args(argv)
        quiet = getattr(args, "quiet", False)
        with one_interrupt() as stop, warnings.catch_warnings(), progress_line(quiet):
            warnings.simplefilter("always", Note)
            warnings.showwarning = _notes
            return stop.code(_run(args, stop))
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"error: out of memory ({error or 'no more is free'}): ask for less at once", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was finished", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more at exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def tell(args: argparse.Namespace) -> None:
    """The notes of what was read, also where the command then fails."""
    for note in () if getattr(args, "quiet", False) else getattr(args, "notes", ()):
        print(f"note: {note}", file=sys.stderr)


def _run(args: argparse.Namespace, stop: Stop) -> int:
    """The command itself; what a closed terminal no longer takes is not missed."""
    try:
        try:
            code = args.function(args)
        except InputError:
            tell(args)
            raise
        tell(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            print("interrupted: nothing was finished", file=sys.stderr)
        return 130
    except OSError:
        if stop.first is None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 130


def _notes(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
    """Notes are lines of ours; other warnings look as Python prints them."""
    if issubclass(category, Note):
        make_way()
        print(f"note: {message}", file=sys.stderr)
    else:
        _show_warning(message, category, *where, **more)


def _tolerant(stream) -> None:
    """Names that the terminal's encoding lacks are escaped rather than fatal."""
    if hasattr(stream, "reconfigure") and (getattr(stream, "encoding", None) or "").lower() not in ("utf-8", "utf8"):
        stream.reconfigure(errors="backslashreplace")
