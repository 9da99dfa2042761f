"""``ds3sim plan``: which strategy and how many samples, for a budget or a target, from an evaluation log."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import new_table, terminal
from ds3sim.cli.logs import ERRORS, add_log, finish, given, log_and_cost
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

BUDGETS = {
    "flops": ("X", "budget of a task in FLOPs"),
    "tokens": ("X", "budget of a task in generated tokens"),
    "target": ("P", "success to reach"),
}


def add_parser(commands: Any) -> None:
    """Add the command; ``commands`` is what ``add_subparsers`` returned."""
    about = "which strategy and how many samples, for a budget or a target, from an evaluation log"
    parser = commands.add_parser("plan", help=about, description=about.capitalize() + ".", allow_abbrev=False)
    add_log(parser)
    for name, (metavar, text) in BUDGETS.items():
        parser.add_argument(f"--{name}", metavar=metavar, help=text)
    parser.add_argument("--errors", metavar="KIND", help=ERRORS)
    parser.set_defaults(function=plan)


def plan(args: Namespace) -> int:
    """Run the command."""
    from ds3sim.core.plain import as_plain

    budget = {name: given(f"--{name}", getattr(args, name)) for name in BUDGETS}
    log, about = log_and_cost(args)
    found = ds.plan(log, errors=args.errors, **budget, **about)
    return finish(args, as_plain(found.to_dict()), _print)


def _print(result: dict[str, Any]) -> None:
    table = new_table(
        [("strategy", False), ("samples", True), ("success", True), ("95% interval", False)]
        + [(name, True) for name in ("at most", "tokens", "FLOPs")]
    )
    for row in result["strategies"]:
        reached = row["n"] is not None
        success = row["success"] if reached else {"estimate": None}
        table.add_row(
            row["strategy"].replace("_", " "),
            f"{row['n']:,}" if reached else "out of reach",
            probability(success["estimate"]),
            f"{probability(success['low'])} to {probability(success['high'])}" if reached else "-",
            probability(row["largest"]),
            number(row["tokens"]),
            number(row["flops"]),
        )
    console, best = terminal(), result["recommended"]
    console.print(table)
    if best is None:
        console.print("no strategy reaches the target")
    else:
        console.print(f"recommended: {best['strategy'].replace('_', ' ')} with {best['n']:,} samples")
