"""What commands share: tables for the terminal, JSON, messages, and what happens on Ctrl-C."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ds3sim as ds
from ds3sim.cli.progress import make_way
from ds3sim.cli.stop import stop
from ds3sim.core.errors import Interrupted
from ds3sim.core.files import write_file
from ds3sim.core.runtime import configure_process
from ds3sim.core.text import terminal_number as number

if TYPE_CHECKING:
    from ds3sim.core.record import Record


def terminal() -> Any:
    """Where tables go: the console of rich on stdout."""
    from rich.console import Console

    # A pipe has no width: make lines as long as the table needs.
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def new_table(columns: list[tuple[str, bool]]) -> Any:
    """A table of rich's; ``columns`` are titles, and whether they hold numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, numeric in columns:
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    return table


def axis_value(value: object) -> str:
    """The value of an axis."""
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def kept(compute: Callable[..., Any], *given: Any, **options: Any) -> tuple[Any, bool]:
    """(what was computed, whether a signal ended it); what follows is the writing of it."""
    try:
        found, interrupted = compute(*given, **options), False
    except Interrupted as ended:
        found, interrupted = ended.result, True
    stop.finishing = True
    return found, interrupted


def computed(args: Namespace, compute: Callable[..., Any]) -> tuple[Any, bool]:
    """(record, interrupted) of a run, a sweep or a choice, with its store."""
    config = config_of(args)
    if config.engine.random:
        configure_process()
    if config.origin.axes and compute is ds.run:
        told = f"{args.config}: [sweep] is for ds3sim sweep: this is the point of the tables as they stand"
        args.notes = (*args.notes, told)
    return kept(compute, config, store=args.store)


def config_of(args: Namespace) -> Any:
    """The config of a command; its notes are told on stderr when the command is done."""
    config = ds.read_config(args.config, overrides_of(args))
    args.notes = config.notes
    return config


def show(args: Namespace, record: Record, table: Callable[[Any], None]) -> None:
    """Print a record: as JSON, or its table."""
    make_way()
    if args.json:
        sys.stdout.write(record.to_json() + "\n")
    else:
        table(record)


def write_record(record: Record, out: str) -> Path:
    """Write a record to ``--out FILE``; JSON as ``--json`` prints it, else as :meth:`Record.save` does."""
    if out.lower().endswith(".json"):
        return write_file(out, record.to_json() + "\n")
    return record.save(out)


def finish(args: Namespace, interrupted: bool, done: str) -> int:
    """The exit code; after Ctrl-C, a line that says what was kept."""
    if not interrupted:
        return 0
    kept = f"{args.store} keeps what was simulated; the same command goes on from there"
    print(
        f"interrupted: {done} done; {kept if args.store else 'with --store FILE more would be kept'}", file=sys.stderr
    )
    return 130


def overrides_of(args: Namespace) -> list[str | tuple[str, str]]:
    """--set and the options that are short for it, in this order."""
    short = {"seed": "seed", "traces": "engine.traces", "engine": "engine.kind", "chunk": "engine.chunk"}
    typed = [(name, key, getattr(args, name, None)) for name, key in short.items()]
    return [*args.set, *((f"{key}={value}", f"--{name} {value}") for name, key, value in typed if value is not None)]


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def say(args: Namespace, message: str) -> None:
    """A message on stderr, unless --quiet."""
    if not args.quiet:
        make_way()
        print(message, file=sys.stderr)
