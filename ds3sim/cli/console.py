"""What commands share: tables for the terminal, JSON, messages, and what happens on Ctrl-C."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ds3sim.cli import progress
from ds3sim.core.errors import Interrupted, require
from ds3sim.core.files import write_file
from ds3sim.core.runtime import configure_process
from ds3sim.core.text import terminal_number as number

if TYPE_CHECKING:
    from ds3sim.core.record import Record


def terminal():
    from rich.console import Console

    # A pipe has no width: make lines as long as the table needs.
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def new_table(columns: list[tuple[str, bool]]):
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, numeric in columns:
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    return table


def axis_value(value: object) -> str:
    """The value of an axis."""
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def config_of(args: Namespace) -> Any:
    """The config that a command was given, with its changes; what is spelled in an old way is said."""
    import ds3sim as ds

    config = ds.read_config(args.config, overrides_of(args))
    for note in config.notes:
        print(f"note: {note}", file=sys.stderr)
    return config


def computed(args: Namespace, compute: Callable, *, need_axes: bool) -> tuple[Any, bool]:
    """(record, interrupted) of a run, a sweep or a choice, with its bar and its store."""
    import ds3sim as ds
    from ds3sim.store.store import Store

    plan = ds.Study.of(config_of(args))
    require(
        len(plan.axes) > 0 or not need_axes,
        f'{args.config}: has no axes: add [sweep.axes] with a key and its values, as in "graph.success" = [0.1, 0.2]',
    )
    engine = plan.config.engine
    if engine.random:
        configure_process()
    # Trials are known where the engine counts them and their number is fixed.
    trials = engine.traces * len(plan.strategies) if engine.kind == "traces" and engine.relative_error is None else None
    store = nullcontext() if args.store is None else Store.open(args.store)
    with store as store, progress.study_bar(args.quiet, plan.count, trials) as advance:
        try:
            return compute(plan, store=store, progress=advance), False
        except Interrupted as stop:
            return stop.result, True


def show(args: Namespace, record: Record, table: Callable[[Any], None]) -> None:
    """Print a record: as JSON, or its table."""
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


def overrides_of(args: Namespace) -> list[tuple[str, str]]:
    """--set and the options that are short for it, in this order: the change, and what the user typed."""
    short = {"seed": "seed", "traces": "engine.traces", "engine": "engine.kind", "chunk": "engine.chunk"}
    given = ((name, getattr(args, name, None)) for name in short)
    return [(text, f"--set {text}") for text in args.set] + [
        (f"{short[name]}={value}", f"--{name} {value}") for name, value in given if isinstance(value, str)
    ]


def print_json(value) -> None:
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def say(args: Namespace, message: str) -> None:
    if not args.quiet:
        print(message, file=sys.stderr)
