"""``ds3sim plan``."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import check_result, interval, new_table, put, say, write_record
from ds3sim.cli.logs import ERRORS, LOG, above_zero, log_and_cost, told
from ds3sim.cli.options import RESULT, option
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

ABOUT = "which strategy and how many samples, for a budget or a target, from an evaluation log"
OPTIONS = (
    *LOG,
    option("--flops", "X", "budget of a task in FLOPs"),
    option("--tokens", "X", "budget of a task in generated tokens"),
    option("--target", "P", "success to reach"),
    ERRORS,
    RESULT,
)


def run(args: Namespace) -> int:
    """``ds3sim plan``."""
    from ds3sim.core.plain import as_plain

    budget = {name: above_zero(name, getattr(args, name)) for name in ("flops", "tokens", "target")}
    check_result(args)
    log, about = log_and_cost(args)
    found = ds.plan(log, errors=args.errors, **budget, **about)
    if args.out is not None:
        say(args, f"results: {write_record(found, args.out)}")
    return told(args, as_plain(found.to_dict()), print_plan)


def print_plan(result: dict[str, Any]) -> None:
    """What each strategy needs, and the one that is recommended."""
    table = new_table(["strategy<", "samples", "success", "95% interval<", "at most", "tokens", "FLOPs"])
    for row in result["strategies"]:
        cells = ["out of reach", probability(None), "-"]
        if row["n"] is not None:
            success = row["success"]
            cells = [f"{row['n']:,}", probability(success["estimate"]), interval(success["low"], success["high"])]
        costs = (number(row["tokens"]), number(row["flops"]))
        table.add_row(row["strategy"].replace("_", " "), *cells, probability(row["largest"]), *costs)
    best = result["recommended"]
    said = best and f"recommended: {best['strategy'].replace('_', ' ')} with {best['n']:,} samples"
    put(table, said or "no strategy reaches the target")
