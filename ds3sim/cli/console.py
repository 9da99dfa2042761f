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
from ds3sim.core.errors import Interrupted
from ds3sim.core.files import write_file
from ds3sim.core.runtime import configure_process
from ds3sim.core.text import terminal_number as number

if TYPE_CHECKING:
    from ds3sim.config.read import Override
    from ds3sim.config.tables import Config
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


def study_at(config: str, changes: list) -> Any:
    """The study of a config file with changes."""
    from ds3sim.config.expand import read_sweep

    return read_sweep(config, changes, need_axes=False)


def computed(args: Namespace, compute: Callable, *, need_axes: bool) -> tuple[Any, bool]:
    """(record, interrupted) of a run, a sweep or a choice, with its bar and its store."""
    from ds3sim.config.expand import read_sweep
    from ds3sim.engine.limits import RANDOM
    from ds3sim.store.store import Store

    plan = read_sweep(args.config, overrides_of(args), need_axes=need_axes)
    engine = plan.config.engine
    if engine.kind in RANDOM:
        configure_process()
    # Trials are known where the engine counts them and their number is fixed.
    trials = engine.traces * len(plan.strategies) if engine.kind == "traces" and engine.relative_error is None else None
    store = nullcontext() if args.store is None else Store.open(args.store)
    with store as store, progress.study_bar(args.quiet, plan.count, trials) as advance:
        try:
            return compute(plan, store=store, progress=advance), False
        except Interrupted as stop:
            return stop.result, True


def read(args: Namespace) -> Config:
    """The config of a command, with its notes on stderr."""
    import ds3sim as ds

    config = ds.read_config(args.config, overrides_of(args))
    for note in config.notes:
        say(args, f"note: {note}")
    return config


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


def overrides_of(args: Namespace) -> list[Override]:
    """--set and the options that are short for it, in this order."""
    from ds3sim.config.read import override_value, parse_override

    out = [parse_override(text) for text in args.set]
    short = {
        "seed": ("seed",),
        "traces": ("engine", "traces"),
        "engine": ("engine", "kind"),
        "chunk": ("engine", "chunk"),
    }
    for name, path in short.items():
        value = getattr(args, name, None)
        if isinstance(value, str):
            out.append((path, override_value(value), f"--{name} {value}"))
    return out


def print_json(value) -> None:
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def say(args: Namespace, message: str) -> None:
    if not args.quiet:
        print(message, file=sys.stderr)
