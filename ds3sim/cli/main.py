"""The command line. Only the parser is here, so that ``--help`` needs no JAX and no NumPy.

Data go to stdout, progress and messages to stderr. Exit codes: 0 done (validate: all agree),
1 validate found disagreement, 2 bad input (one line ``error: ...``), 130 Ctrl-C with what was
computed kept, 141 the reader of stdout went away.
"""

from __future__ import annotations

import _thread
import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from typing import NoReturn

from ds3sim.core.errors import InputError

ENGINES = ("traces", "population", "importance", "exact", "closed_form")


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, like all of ours."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


class Version(argparse.Action):
    """``--version``, looked up only when asked for."""

    def __init__(self, option_strings, dest, **options):
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser, namespace, values, option_string=None):
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

    def command(name: str, about: str) -> Parser:
        return commands.add_parser(name, help=about, description=about[0].upper() + about[1:], allow_abbrev=False)

    run = command("run", "run a config: success and cost at every budget, beside the theory")
    run.add_argument("config", metavar="CONFIG", help="TOML file")
    _set_option(run)
    run.add_argument("--seed", metavar="N", help="same as --set seed=N")
    run.add_argument("--traces", metavar="N", help="same as --set engine.traces=N")
    run.add_argument("--engine", metavar="KIND", help=f"same as --set engine.kind=KIND: {', '.join(ENGINES)}")
    run.add_argument("--chunk", metavar="N", help="same as --set engine.chunk=N; never changes results")
    run.add_argument("--out", metavar="DIR", help="write config, results, figures and report.html to this folder")
    _output_options(run)

    from ds3sim.cli import sweep

    sweep.add_parsers(command, _set_option, _output_options)

    validate = command("validate", "check engines against exact values and formulas; exit 1 where they disagree")
    validate.add_argument("config", metavar="CONFIG", nargs="?", help="check this config's task; without it a suite")
    validate.add_argument("--perturb", metavar="X", default=0.0, type=float, help="shift the simulated r by this share")
    validate.add_argument("--seed", metavar="N", default=0, type=int, help="seed (0)")
    _set_option(validate)
    _output_options(validate)

    report = command("report", "make the report page of a folder that run --out wrote, or of a sweep's store")
    report.add_argument("folder", metavar="DIR|STORE", help="folder of run --out, file of sweep --store or of --json")
    report.add_argument(
        "--out", metavar="FILE", required=True, help="HTML page; or the numbers: .csv, .parquet, .nc, .zarr, .json"
    )
    report.add_argument("--sweep", metavar="NAME", help="which sweep of a store; without it the one used last")

    from ds3sim.cli import merge

    merge.add_parser(commands)

    export = command("export", "write one trace's Markov chain for a model checker")
    export.add_argument("config", metavar="CONFIG", help="TOML file")
    export.add_argument("--format", metavar="FORMAT", required=True, choices=("prism", "drn"), help="prism or drn")
    export.add_argument("--out", metavar="FILE", required=True, help="the file to write")
    export.add_argument("--strategy", metavar="NAME", help="which one of several strategies")
    _set_option(export)

    from ds3sim.cli import reproduce

    reproduce.add_parser(commands)

    from ds3sim.cli import allocate

    allocate.add_parser(commands)

    from ds3sim.cli import train

    train.add_parser(commands, _set_option, _output_options)

    from ds3sim.cli import fit

    fit.add_parsers(commands)

    schema = command("schema", "print the JSON schema of configs, for editors")
    schema.set_defaults(json=True)

    doctor = command("doctor", "show versions, devices and settings, and run a small self-test")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    return parser


def command_named(name: str):
    """The function of a command: its file is imported only now."""
    return getattr(import_module(f"ds3sim.cli.{name}"), name)


def _set_option(parser: Parser) -> None:
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change or add a key of the config, as in --set strategy.branches=4 (repeatable)",
    )


def _output_options(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress and no messages")


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
        function = getattr(args, "function", None) or command_named(args.command)
        with one_interrupt():
            code = function(args)
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

    def interrupt(number, frame):
        nonlocal last
        now = time.monotonic()
        if now - last >= 1.0:
            last = now
            signal.default_int_handler(number, frame)

    def unraisable(dropped):
        nonlocal last
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            return report(dropped)
        last = -math.inf
        threading.Timer(0.01, _thread.interrupt_main).start()  # after the callback

    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
        sys.unraisablehook = unraisable
    try:
        yield
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)
            sys.unraisablehook = report


def _tolerant(stream) -> None:
    """Names that the terminal's encoding lacks are escaped rather than fatal."""
    if hasattr(stream, "reconfigure") and (getattr(stream, "encoding", None) or "").lower() not in ("utf-8", "utf8"):
        stream.reconfigure(errors="backslashreplace")
