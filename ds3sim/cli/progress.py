"""Progress bars on stderr, only where somebody sees them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def case_bar(quiet: bool = False) -> Iterator[Callable[[str, int, int], None] | None]:
    """A function to call with (name, number, of) before each case, or None where stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with _bar() as bar:
        job = bar.add_task("", total=None, said="")

        def show(name: str, number: int, of: int) -> None:
            bar.update(job, completed=number, total=of, description=name, said=f"{number:,} of {of:,}")

        yield show


@contextmanager
def study_bar(quiet: bool, points: int, trials: int | None) -> Iterator[Callable[[int, int], None] | None]:
    """A function to call with (trials, points) just done, or None where stderr is no terminal.

    Args:
        quiet: no bar.
        points: of the study.
        trials: of a point at most, None where nobody knows; they move the bar between points.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with _bar() as bar:
        job = bar.add_task("", total=float(points), said="")
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

        yield advance


def _bar():
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    texts = (TextColumn("{task.description}", markup=False), TextColumn("{task.fields[said]}", markup=False))
    clocks = (TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(texts[0], BarColumn(), texts[1], *clocks, console=Console(stderr=True), transient=True)
