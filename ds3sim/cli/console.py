"""What commands share on the terminal: tables, JSON, files, messages, and what happens on Ctrl-C."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ds3sim.cli.progress import make_way
from ds3sim.cli.stop import stop
from ds3sim.core.errors import Interrupted
from ds3sim.core.files import write_file
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ds3sim.core.record import Record

MOST_LINES = 200
"""Lines of a long table."""


def terminal() -> Console:
    """Where tables go: the console of rich on stdout."""
    from rich.console import Console

    # A pipe has no width: make lines as long as the table needs.
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def new_table(columns: Iterable[str]) -> Table:
    """A table of rich's; a title that ends with ``<`` stands over text, any other over numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name.removesuffix("<"), justify="left" if name.endswith("<") else "right", no_wrap=True)
    return table


def put(*parts: Table | str) -> None:
    """Print tables, and lines that the terminal wraps."""
    console = terminal()
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))


def interval(low: float | None, high: float | None, form: Callable[[float | None], str] = probability) -> str:
    """``low to high``."""
    return f"{form(low)} to {form(high)}"


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


def show(args: Namespace, record: Record, table: Callable[[Any], None]) -> int:
    """Print a record: as JSON, or its table; the exit code of success."""
    make_way()
    if args.json:
        sys.stdout.write(record.to_json() + "\n")
    else:
        table(record)
    return 0


def print_json(value: Any) -> int:
    """Print a value as JSON; the exit code of success."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
    return 0


def check_result(args: Namespace) -> None:
    """``--out FILE``, looked at before any work."""
    if args.out is not None:
        from ds3sim.core.record import check_out

        check_out(args.out)


def show_result(args: Namespace, record: Record, table: Callable[[Any], None]) -> int:
    """Write a record to ``--out FILE``, and print it as :func:`show` does."""
    if args.out is not None:
        say(args, f"results: {write_record(record, args.out)}")
    return show(args, record, table)


def write_record(record: Record, out: str) -> Path:
    """Write a record to ``--out FILE``; JSON as ``--json`` prints it, else as :meth:`Record.save` does."""
    if out.lower().endswith(".json"):
        return write_file(out, record.to_json() + "\n")
    return record.save(out)


def own_stdout() -> None:
    """Stdout is for our results alone: what compiled libraries write to it (Gloo does) goes nowhere."""
    sys.stdout = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def say(args: Namespace, message: str) -> None:
    """A message on stderr, unless --quiet."""
    if not args.quiet:
        make_way()
        print(message, file=sys.stderr)
