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
from argparse import HelpFormatter, RawDescriptionHelpFormatter
from collections.abc import Iterable
from importlib import import_module
from typing import Any, NoReturn

from ds3sim import __version__, figures
from ds3sim.cli.options import Option
from ds3sim.cli.progress import make_way, progress_line
from ds3sim.cli.stop import Stop, one_interrupt
from ds3sim.core.errors import InputError, Note
from ds3sim.core.text import short

_show_warning = warnings.showwarning

COMMANDS = ("run", "sweep", "choose", "validate", "report", "merge", "export", "reproduce", "allocate", "train", "fit",
            "plan", "schema", "doctor")  # fmt: skip
"""Each is a module beside this one: ABOUT and OPTIONS (or PARTS, name -> both) for the parser, and ``run``."""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like all of ours."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def build_parser() -> Parser:
    """The parser of all commands."""
    about = "Simulate reasoning as directed stochastic skill search: success and cost at every budget."
    parser = Parser(prog="ds3sim", description=about, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"ds3sim {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"ds3sim.cli.{name}")
        if name == "fit":
            parts = _add(commands, name, module.ABOUT).add_subparsers(dest="what", metavar="WHAT", required=True)
            for part, (about, options) in module.PARTS.items():
                _add(parts, part, about, options)
        elif name == "reproduce":
            _add(commands, name, module.ABOUT, module.OPTIONS, f". Names:\n{_figures()}", RawDescriptionHelpFormatter)
        else:
            _add(commands, name, module.ABOUT, module.OPTIONS)
    return parser


def _add(
    commands: Any,
    name: str,
    about: str,
    options: Iterable[Option] = (),
    more: str = "",
    layout: type[HelpFormatter] = HelpFormatter,
) -> argparse.ArgumentParser:
    """The parser of a command, ``more`` after its line."""
    said = about[0].upper() + about[1:] + more
    made = commands.add_parser(name, help=about, description=said, formatter_class=layout, allow_abbrev=False)
    for option, how in options:
        made.add_argument(option, **how)
    return made


def _figures() -> str:
    """The names of the paper's figures, for the help."""
    every = {**figures(), "all": "every figure that needs no data, or has it"}
    return "\n".join(f"  {name:<24}{about}" for name, about in every.items())


def main(argv: list[str] | None = None) -> int:
    """Run one command; ``argv`` without the program's name, None takes the process'. Returns the exit code."""
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
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):  # as XLA says it
            raise
        print(f"error: out of memory ({short(error, 120) or 'no more is free'}): ask for less at once", file=sys.stderr)
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
            code = import_module(f"ds3sim.cli.{args.command}").run(args)
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


def _tolerant(stream: Any) -> None:
    """Names that the terminal's encoding lacks are escaped rather than fatal."""
    if hasattr(stream, "reconfigure") and (getattr(stream, "encoding", None) or "").lower() not in ("utf-8", "utf8"):
        stream.reconfigure(errors="backslashreplace")
