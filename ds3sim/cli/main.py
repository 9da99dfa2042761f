"""The command line. Commands import what they need when they run, so that ``--help`` needs no JAX and no NumPy.

Data go to stdout, progress and messages to stderr. Exit codes: 0 done (validate: all agree),
1 validate found disagreement, 2 bad input (one line ``error: ...``), 130 Ctrl-C with what was
computed kept, 141 the reader of stdout went away.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import time
from argparse import HelpFormatter, RawDescriptionHelpFormatter
from collections.abc import Iterator
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

from ds3sim import __version__, figures
from ds3sim.cli.commands import COMMANDS
from ds3sim.core.errors import InputError


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like all of ours."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def build_parser() -> Parser:
    """The parser of all commands."""
    about = "Simulate reasoning as directed stochastic skill search: success and cost at every budget."
    parser = Parser(prog="ds3sim", description=about, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"ds3sim {__version__}")
    groups = {"": parser.add_subparsers(dest="command", metavar="COMMAND", required=True)}
    for name, (line, options) in COMMANDS.items():
        group, _, last = name.rpartition(" ")
        said, layout = line[0].upper() + line[1:], HelpFormatter
        if name == "reproduce":
            said, layout = f"{said}. Names:\n{_figures()}", RawDescriptionHelpFormatter
        made = groups[group].add_parser(last, help=line, description=said, formatter_class=layout, allow_abbrev=False)
        for option, how in options:
            made.add_argument(option, **how)
        if name == "fit":
            groups[name] = made.add_subparsers(dest="what", metavar="WHAT", required=True)
    return parser


def _figures() -> str:
    """The names of the paper's figures, for the help."""
    every = {**figures(), "all": "every figure that needs no data, or has it"}
    return "\n".join(f"  {name:<24}{about}" for name, about in every.items())


def main(argv: list[str] | None = None) -> int:
    """Run one command; ``argv`` without the program's name, None takes the process'. Returns the exit code."""
    try:
        _tolerant(sys.stdout)
        args = build_parser().parse_args(argv)
        with one_interrupt():
            code = getattr(import_module("ds3sim.cli.actions"), args.command)(args)
            for note in () if getattr(args, "quiet", False) else getattr(args, "notes", ()):
                print(f"note: {note}", file=sys.stderr)
            sys.stdout.flush()
        return code
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was finished", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more at exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


@contextlib.contextmanager
def one_interrupt() -> Iterator[None]:
    """Ctrl-C counts once a second, and is never lost.

    ``timeout -s INT`` and some terminals send it twice in a row; the second would strike while what
    was computed is being put together. Where it strikes in a callback of the garbage collector (JAX has one), Python
    drops it: it is sent again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, report = signal.getsignal(signal.SIGINT), sys.unraisablehook
    last = -math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 1.0:
            last = now
            signal.default_int_handler(number, frame)

    def unraisable(dropped: Any) -> None:
        nonlocal last
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            return report(dropped)
        last = -math.inf
        # After the callback; by a signal of the system, so that a wait for a lock ends too.
        main = threading.main_thread().ident or 0
        threading.Timer(0.01, signal.pthread_kill, (main, signal.SIGINT)).start()

    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
        if hasattr(signal, "pthread_kill"):
            sys.unraisablehook = unraisable
    try:
        yield
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)
            sys.unraisablehook = report


def _tolerant(stream: Any) -> None:
    """Names that the terminal's encoding lacks are escaped rather than fatal."""
    if hasattr(stream, "reconfigure") and (getattr(stream, "encoding", None) or "").lower() not in ("utf-8", "utf8"):
        stream.reconfigure(errors="backslashreplace")
