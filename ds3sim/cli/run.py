"""``ds3sim run``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import ds3sim as ds
from ds3sim.cli.config import computed
from ds3sim.cli.console import MOST_LINES, axis_value, interval, new_table, put, say, show
from ds3sim.cli.options import PRINT, STUDY, option
from ds3sim.core.errors import InputError
from ds3sim.core.folder import check_folder
from ds3sim.core.text import terminal_budget as budget
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

ABOUT = "run a config: success and cost at every budget, beside the theory"
OPTIONS = (*STUDY, option("--out", "DIR", "write config, results, figures and report.html to this folder"), *PRINT)


def run(args: Namespace) -> int:
    """``ds3sim run``."""
    if args.out is not None:
        check_folder(args.out, ds.Result.folder)
    result, interrupted = computed(args, ds.run)
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
