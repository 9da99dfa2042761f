"""``ds3sim run``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import ds3sim as ds
from ds3sim.cli.config import computed
from ds3sim.cli.console import MOST_LINES, axis_value, interval, new_table, own_stdout, put, say, show
from ds3sim.cli.options import JOB, PRINT, STUDY, option
from ds3sim.cli.progress import silence
from ds3sim.core.errors import InputError, require
from ds3sim.core.folder import check_folder
from ds3sim.core.runtime import join, leave
from ds3sim.core.text import terminal_budget as budget
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

ABOUT = "run a config: success and cost at every budget, beside the theory"
OUT = option("--out", "DIR", "write config, results, figures and report.html to this folder")
OPTIONS = (*STUDY, *JOB, OUT, *PRINT)


def run(args: Namespace) -> int:
    """``ds3sim run``."""
    leads = _joined(args)
    if args.out is not None:
        check_folder(args.out, ds.Result.folder)
    result, interrupted = computed(args, ds.run, distributed=args.distributed)
    if args.distributed:
        leave()
    if not leads:
        return 130 if interrupted else 0
    failed = None
    if args.out is not None:
        try:
            say(args, f"report: {ds.report(result, folder=args.out)}")
        except InputError as error:  # what was computed is still printed
            failed = error
    show(args, result, print_result)
    if failed is not None:
        raise failed
    if interrupted:
        say(args, f"interrupted: the numbers are of the {result.traces:,} traces done until then")
    return 130 if interrupted else 0


def _joined(args: Namespace) -> bool:
    """Join the job of ``--distributed``; whether this process tells the result, as the only one of a job."""
    from ds3sim.core.check import typed_number

    given = {"--coordinator": args.coordinator, "--process": args.process, "--processes": args.processes}
    if not args.distributed:
        for name, value in given.items():
            require(value is None, f"{name} {value} needs --distributed")
        return True
    require(args.store is None, f"--store {args.store}: a store has one writer: leave it out of a distributed run")
    numbers = [
        None if given[name] is None else int(typed_number(name, given[name], whole=True, low=low, high=1e6))
        for name, low in (("--process", 0), ("--processes", 1))
    ]
    number = join(args.coordinator, *numbers)
    if args.processes is None or numbers[1] != 1:
        own_stdout()
    if number == 0:
        return True
    args.quiet = True
    silence()
    return False


def print_result(result: ds.Result) -> None:
    """One line for each point, strategy and budget; of a sweep 200 lines at most."""
    head = f"{result.name}: engine {result.engine}"
    if result.axes:
        head += f", {len(result.points):,} points, seed {result.seed}"
    elif result.traces:
        head += f", {result.traces:,} traces, seed {result.seed}"
    columns = _columns(result)
    table = new_table(columns)
    shown = result.rows[:MOST_LINES] if result.axes else result.rows
    for row in shown:
        table.add_row(*(cell(row) for cell in columns.values()))
    put(head, table)
    if len(shown) < len(result.rows):
        put(f"... and {len(result.rows) - len(shown):,} more rows: --out FILE.csv or --json has them all.")
    if not result.axes:
        sources = ", ".join(sorted({row.reference.by for row in result.rows if row.reference})).replace("_", " ")
        flops = ", FLOPs" if any(row.mean_flops is not None for row in result.rows) else ""
        none = "neither a closed form nor an exact value is known for this task."
        put(f"theory: {f'{sources}. Steps, tokens{flops}: mean of a task.' if sources else none}")


def _columns(result: ds.Result) -> dict[str, Callable[[Any], str]]:
    """Title -> cell of a row."""
    rows = result.rows
    out: dict[str, Callable[[Any], str]] = {
        axis: lambda row, axis=axis: axis_value(row.axes.get(axis)) for axis in result.axes
    }
    if result.strategies != (None,):
        out["strategy<"] = lambda row: row.strategy
    shown = ("tokens", "flops", "cot_steps")
    given = next((name for name in shown if rows and getattr(rows[0], name) is not None), None)
    if given is not None:
        title = "CoT steps" if given == "cot_steps" else f"budget {given}"
        out[title] = lambda row: number(getattr(row, given))
    out["steps"] = lambda row: budget(row.steps)
    out["success"] = lambda row: probability(row.success)
    if result.traces:
        out["95% interval<"] = lambda row: interval(row.success_low, row.success_high)
    if any(row.effective_traces is not None for row in rows):
        out["effective traces"] = lambda row: number(row.effective_traces)
    out["theory"] = lambda row: probability(row.reference.success if row.reference else None)
    out["expected steps"] = lambda row: number(row.expected_steps)
    out["tokens"] = lambda row: number(row.expected_tokens)
    if any(row.mean_flops is not None for row in rows):
        out["FLOPs"] = lambda row: number(row.mean_flops)
    return out
