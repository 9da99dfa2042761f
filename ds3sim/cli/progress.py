"""Progress bars on stderr, only where somebody sees them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(what: str, total: int | None, quiet: bool = False) -> Iterator[Callable | None]:
    """A function to call with the number of trials just done, or None where stderr is no terminal.

    Args:
        what: text in front of the bar.
        total: trials in all, None where nobody knows.
        quiet: no bar.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    of = "" if total is None else f" of {total:,}"
    with _bar() as bar:
        job = bar.add_task(what, total=total, of=of)

        def advance(done: int) -> None:
            bar.update(job, advance=float(done))

        yield advance


@contextmanager
def case_bar(quiet: bool = False) -> Iterator[Callable | None]:
    """A function to call with (name, number, of) before each case, or None where stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with _bar() as bar:
        job = bar.add_task("validating", total=None, of="")

        def show(name: str, number: int, of: int) -> None:
            bar.update(job, completed=number, total=of, of=f" of {of}", description=name)

        yield show


def _bar():
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f}{task.fields[of]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
