"""Tables for the terminal."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds3sim.config.read import Override


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


def computed(args: Namespace, compute: Callable, *, need_axes: bool) -> tuple[dict, bool]:
    """(result, interrupted) of a sweep or a choice, with its bar and its store."""
    from ds3sim.config.expand import read_sweep
    from ds3sim.core.runtime import configure_process
    from ds3sim.engine.limits import RANDOM
    from ds3sim.store.store import Store
    from ds3sim.study.run import Interrupted

    plan = read_sweep(args.config, overrides_of(args), need_axes=need_axes)
    if plan.config.engine.kind in RANDOM:
        configure_process()
    with Store.open(args.store) if args.store is not None else nullcontext() as store, _bar(args, plan) as progress:
        try:
            return compute(plan, store, progress), False
        except Interrupted as stop:
            return stop.result, True


def show(args: Namespace, result: dict, table: Callable) -> None:

    if args.json:
        print_json(result)
    else:
        table(result)


def finish(args: Namespace, interrupted: bool, done: str) -> int:
    if not interrupted:
        return 0
    kept = f"{args.store} keeps what was simulated; the same command goes on from there"
    print(
        f"interrupted: {done} done; {kept if args.store else 'with --store FILE more would be kept'}", file=sys.stderr
    )
    return 130


@contextmanager
def _bar(args: Namespace, plan) -> Iterator[Callable | None]:
    """A function for (trials, points) just done, with rate and time left, where stderr is a terminal."""
    if args.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Points a second."""

        def render(self, task) -> Text:
            speed = task.finished_speed or task.speed
            trials, seconds = task.fields["trials"], task.elapsed or 0.0
            said = f"{speed:,.1f} points/s" if speed else ""
            return Text(said + (f" {trials / seconds:.3g} trials/s" if trials and seconds else ""))

    columns = (BarColumn(), TextColumn("{task.fields[points]:,} of {task.fields[of]:,} points"), Rate())
    clocks = (TimeElapsedColumn(), TimeRemainingColumn())
    engine = plan.config.engine
    # Trials move the bar between points; a point of several tasks has more of them than one.
    each = engine.traces * len(plan.strategies) if engine.kind == "traces" and engine.relative_error is None else 0
    with Progress(*columns, *clocks, console=Console(stderr=True), transient=True) as bar:
        job = bar.add_task("sweep", total=float(plan.count), points=0, of=plan.count, trials=0)
        state = {"trials": 0, "points": 0}

        def advance(trials: int, points: int) -> None:
            state["trials"] += trials
            state["points"] += points
            reached = min(plan.count, state["trials"] / each) if each else 0.0
            bar.update(job, completed=max(state["points"], reached), points=state["points"], trials=state["trials"])

        yield advance


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
