"""The table of a result, for ``run`` and ``sweep``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import axis_value, new_table, terminal
from ds3sim.core.text import terminal_budget as budget
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

MOST_LINES = 200


def print_result(result: ds.Result) -> None:
    """One line for each point, strategy and budget; of a sweep 200 lines at most."""
    console = terminal()
    sampled = any(row.traces for row in result.rows)
    head = f"{result.name}: engine {result.engine}"
    if result.axes:
        head += f", {len(result.points):,} points, seed {result.seed}"
    elif sampled:
        head += f", {result.traces:,} traces, seed {result.seed}"
    console.print(head)
    columns = list(_columns(result))
    table = new_table([(name, numeric) for name, numeric, _ in columns])
    shown = result.rows[:MOST_LINES] if result.axes else result.rows
    for row in shown:
        table.add_row(*(cell(row) for *_, cell in columns))
    console.print(table)
    if len(shown) < len(result.rows):
        console.print(f"... and {len(result.rows) - len(shown):,} more rows: --out FILE.csv or --json has them all.")
    if not result.axes:
        sources = sorted({row.reference.by for row in result.rows if row.reference})
        flops = ", FLOPs" if any(row.mean_flops is not None for row in result.rows) else ""
        if sources:
            said = f"{', '.join(sources).replace('_', ' ')}. Steps, tokens{flops}: mean of a task."
        else:
            said = "neither a closed form nor an exact value is known for this task."
        console.print(f"theory: {said}")


def _columns(result: ds.Result) -> Iterator[tuple]:
    """(title, whether it holds numbers, cell of a row)."""
    rows = result.rows
    for axis in result.axes:
        yield axis, True, lambda row, axis=axis: axis_value(row.axes.get(axis))
    if result.strategies != (None,):
        yield "strategy", False, lambda row: row.strategy
    shown = ("tokens", "flops", "cot_steps")
    given = next((name for name in shown if rows and getattr(rows[0], name) is not None), None)
    if given is not None:
        yield {"cot_steps": "CoT steps"}.get(given, f"budget {given}"), True, lambda row: number(getattr(row, given))
    yield "steps", True, lambda row: budget(row.steps)
    yield "success", True, lambda row: probability(row.success)
    if any(row.traces for row in rows):
        yield "95% interval", False, _interval
    yield "theory", True, lambda row: probability(row.reference.success if row.reference else None)
    yield "expected steps", True, lambda row: number(row.expected_steps)
    yield "tokens", True, lambda row: number(row.expected_tokens)
    if any(row.mean_flops is not None for row in rows):
        yield "FLOPs", True, lambda row: number(row.mean_flops)


def _interval(row: Any) -> str:
    return f"{probability(row.success_low)} to {probability(row.success_high)}"
