"""Tables for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def _console():
    from rich.console import Console

    # A pipe has no width: make lines as long as the table needs.
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def _table(columns: list[tuple[str, bool]]):
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, numeric in columns:
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    return table


def number(value, digits: int = 4) -> str:
    """A number for reading: plain from 0.001 to 10 million, else with an exponent; - for none."""
    if value is None:
        return "-"
    size = abs(value)
    if value == 0:
        return "0"
    if not 1e-3 <= size < 1e7:
        return f"{value:.{digits - 1}e}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def budget(steps) -> str:
    """A budget in steps, which may be a real number."""
    return f"{steps:,}" if isinstance(steps, int) else number(steps, 6)


def probability(value) -> str:
    """A probability with 5 decimals; small ones keep their digits."""
    if value is None:
        return "-"
    return f"{value:.5f}" if value == 0 or value >= 1e-3 else f"{value:.3e}"


def print_result(result: Mapping) -> None:
    """The table of ``ds3sim run``."""
    rows = result["results"]
    several = any("strategy" in row for row in rows)
    sampled = result["traces"] > 0
    flops = any(row["expected_flops"] is not None for row in rows)
    given = next((unit for unit in ("tokens", "flops") if unit in rows[0]), None)
    theory = {(row.get("strategy"), row["steps"]): row for row in result["reference"]}
    columns = [("strategy", False)] if several else []
    columns += [(f"budget {given}", True)] if given else []
    columns += [("steps", True), ("success", True)]
    columns += [("95% interval", False)] if sampled else []
    columns += [("theory", True), ("expected steps", True), ("tokens", True)]
    columns += [("FLOPs", True)] if flops else []
    table = _table(columns)
    for row in rows:
        known = theory.get((row.get("strategy"), row["steps"]))
        success = row["success"]
        cells = [row["strategy"]] if several else []
        cells += [number(row[given])] if given else []
        cells += [budget(row["steps"]), probability(success["estimate"])]
        cells += [f"{probability(success['low'])} to {probability(success['high'])}"] if sampled else []
        cells += [probability(known["success"]) if known else "-"]
        cells += [number(row["expected_steps"]["estimate"]), number(row["expected_tokens"])]
        cells += (
            [number(row["mean_flops"] if row["mean_flops"] is not None else row["expected_flops"])] if flops else []
        )
        table.add_row(*cells)
    console = _console()
    head = f"{result['name']}: engine {result['engine']}"
    if sampled:
        head += f", {result['traces']:,} traces, seed {result['seed']}"
    console.print(head)
    console.print(table)
    sources = sorted({row["by"] for row in result["reference"]})
    if sources:
        console.print(
            f"theory: {', '.join(sources).replace('_', ' ')}. Steps, tokens{', FLOPs' * flops}: mean of a task."
        )
    else:
        console.print("theory: neither a closed form nor an exact value is known for this task.")


def print_validation(outcome: Mapping) -> None:
    """The table of ``ds3sim validate``."""
    table = _table(
        [
            ("case", False),
            ("quantity", False),
            *((c, True) for c in ("estimate", "expected", "z", "adjusted p")),
            ("", False),
        ]
    )
    for case in outcome["cases"]:
        table.add_row(
            str(case["name"]),
            str(case["quantity"]),
            *(number(case[key], 6) for key in ("estimate", "expected")),
            number(case["z"], 3),
            number(case["p_adjusted"], 3),
            "ok" if case["passed"] else "DISAGREES",
        )
    console = _console()
    console.print(table)
    failed = sum(not case["passed"] for case in outcome["cases"])
    total = len(outcome["cases"])
    verdict = "all agree" if outcome["passed"] else f"{failed} disagree"
    console.print(f"{total} cases, family-wise error {outcome['family_wise_error']:g}: {verdict}.")


def print_diagnosis(found: Mapping) -> None:
    """The lines of ``ds3sim doctor``."""
    console = _console()
    entries = [(key, value) for key, value in found.items() if key not in ("checks", "passed")]
    width = max(len(key) for key, _ in entries)
    for key, value in entries:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        console.print(f"{key.replace('_', ' '):{width}}  {shown}", soft_wrap=True)
    for check in found["checks"]:
        console.print(
            f"{'ok' if check['passed'] else 'FAILED':{width}}  {check['name']}: {check['detail']}", soft_wrap=True
        )
