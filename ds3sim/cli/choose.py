"""``ds3sim choose``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import (
    axis_value,
    computed,
    finish,
    new_table,
    say,
    show,
    terminal,
    write_record,
)
from ds3sim.cli.options import add_command, config_option, engine_options, output_options, store_option
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

WORDS = {"flops": "FLOPs", "cot_tokens": "tokens of one chain of thought"}


def add_parser(commands: Any) -> None:
    """Add ``choose``; ``commands`` is what ``add_subparsers`` returned."""
    about = "say which strategy is best at each budget, how sure that is, and by how much"
    parser = add_command(commands, "choose", about)
    config_option(parser)
    engine_options(parser)
    store_option(parser)
    parser.add_argument("--out", metavar="FILE", help="write the result: .csv, .json, .parquet, .nc or .zarr")
    output_options(parser)
    parser.set_defaults(function=choose)


def choose(args: Namespace) -> int:
    """The command; returns the exit code."""
    if args.out is not None:
        from ds3sim.core.record import check_out

        check_out(args.out)
    choice, interrupted = computed(args, ds.choose)
    if args.out is not None and choice.decisions:
        say(args, f"results: {write_record(choice, args.out)}")
    show(args, choice, print_choice)
    return finish(args, interrupted, f"{len(choice.decisions):,} budgets")


def print_choice(choice: ds.Choice) -> None:
    """The table of a choice, and where the best strategy changes."""
    console = terminal()
    console.print(f"{choice.name}: engine {choice.engine}, seed {choice.seed}")
    if not choice.decisions:
        return
    unit = choice.decisions[0].unit
    columns = [(axis, True) for axis in choice.axes]
    columns += [(f"budget {unit.removeprefix('cot_')}", True), ("best", False), ("success", True), ("P(best)", True)]
    columns += [("ahead of", False), ("by", True), ("interval", False), ("", False)]
    table = new_table(columns)
    for one in choice.decisions:
        (best,) = (row for row in one.rows if row.strategy == one.best)
        gap = one.gaps[0]
        cells = [axis_value(one.axes.get(axis)) for axis in choice.axes]
        cells += [number(one.budget), one.best, probability(best.success), f"{one.probability_best[one.best]:.4f}"]
        cells += [gap.against, f"{gap.estimate:.4f}", f"{gap.low:.4f} to {gap.high:.4f}"]
        table.add_row(*cells, "clear" if one.clear else "not clear")
    console.print(table)
    console.print(
        f"P(best): posterior chance to be the best. Intervals of the difference hold together at {choice.level:.0%}"
        f" over all {choice.comparisons:,} comparisons of two strategies at a budget.",
        soft_wrap=True,
    )
    for line in changes(choice.decisions):
        console.print(line, soft_wrap=True)


def changes(decisions: Sequence[Any]) -> list[str]:
    """Where the best strategy changes along the budgets of a point, in words."""
    out = []
    for before, after in pairwise(decisions):
        if before.axes != after.axes or before.best == after.best:
            continue
        told = ", ".join(f"{k} = {f'{v:g}' if isinstance(v, float) else v}" for k, v in after.axes.items())
        between = f"between {before.budget:g} and {after.budget:g} {WORDS.get(after.unit, after.unit)}"
        sure = "" if before.clear and after.clear else " (not clear)"
        out.append(f"{after.best} overtakes {before.best} {between}{f' at {told}' if told else ''}{sure}.")
    return out
