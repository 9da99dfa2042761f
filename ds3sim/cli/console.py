"""What commands share on the terminal: JSON, files, messages, progress bars, and what happens on Ctrl-C."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ds3sim.core.errors import Interrupted
from ds3sim.core.files import write_file

if TYPE_CHECKING:
    from ds3sim.core.record import Record


def kept(compute: Callable[..., Any], *given: Any, **options: Any) -> tuple[Any, bool]:
    """(what was computed, whether Ctrl-C ended it)."""
    try:
        return compute(*given, **options), False
    except Interrupted as stop:
        return stop.result, True


def show(args: Namespace, record: Record, table: Callable[[Any], None]) -> int:
    """Print a record: as JSON, or its table; the exit code of success."""
    if args.json:
        sys.stdout.write(record.to_json() + "\n")
    else:
        table(record)
    return 0


def print_json(value: Any) -> int:
    """Print a value as JSON; the exit code of success."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
    return 0


def write_record(record: Record, out: str) -> Path:
    """Write a record to ``--out FILE``; JSON as ``--json`` prints it, else as :meth:`Record.save` does."""
    if out.lower().endswith(".json"):
        return write_file(out, record.to_json() + "\n")
    return record.save(out)


def say(args: Namespace, message: str) -> None:
    """A message on stderr, unless --quiet."""
    if not args.quiet:
        print(message, file=sys.stderr)


@contextmanager
def case_bar(quiet: bool = False) -> Iterator[Callable[[str, int, int], None] | None]:
    """A function to call with (name, number, of) before each case, or None where stderr is no terminal."""
    with _bar(quiet) as bar:
        job = bar and bar.add_task("", total=None, said="")

        def advance(name: str, number: int, of: int) -> None:
            bar.update(job, completed=number, total=of, description=name, said=f"{number:,} of {of:,}")

        yield bar and advance


@contextmanager
def study_bar(quiet: bool, points: int, trials: int | None) -> Iterator[Callable[[int, int], None] | None]:
    """A function to call with (trials, points) just done, or None where nobody sees it; ``trials`` of a point."""
    with _bar(quiet) as bar:
        job = bar and bar.add_task("", total=float(points), said="")
        done = {"trials": 0, "points": 0}

        def advance(more_trials: int, more_points: int) -> None:
            done["trials"] += more_trials
            done["points"] += more_points
            reached = min(points, done["trials"] / trials) if trials else 0.0
            seconds = bar.tasks[0].elapsed or 0.0
            said = f"{done['points']:,} of {points:,} points" if points > 1 else f"{done['trials']:,} trials"
            if seconds and done["trials"]:
                said += f", {done['trials'] / seconds:.3g} trials/s"
            bar.update(job, completed=max(done["points"], reached), said=said)

        yield bar and advance


@contextmanager
def _bar(quiet: bool) -> Iterator[Any]:
    """rich's bar on stderr; None where nobody sees it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    texts = (TextColumn("{task.description}", markup=False), TextColumn("{task.fields[said]}", markup=False))
    clocks = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(texts[0], BarColumn(), texts[1], *clocks, console=Console(stderr=True), transient=True) as bar:
        yield bar
