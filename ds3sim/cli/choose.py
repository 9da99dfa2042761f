"""``ds3sim choose``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import ds3sim as ds
from ds3sim.cli.config import many
from ds3sim.cli.console import MOST_LINES, axis_value, new_table, put
from ds3sim.cli.options import PRINT, RESULT, STUDY, WORKERS
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

ABOUT = "say which strategy is best at each budget, how sure that is, and by how much"
OPTIONS = (*STUDY, *WORKERS, RESULT, *PRINT)
WORDS = {"flops": "FLOPs", "cot_tokens": "tokens of one chain of thought"}
"""Units of budgets in sentences."""


def run(args: Namespace) -> int:
    """``ds3sim choose``."""
    return many(args, ds.choose, print_choice, lambda choice: (len(choice.decisions), "budgets"))


def print_choice(choice: ds.Choice) -> None:
    """The table of a choice, and where the best strategy changes."""
    put(f"{choice.name}: engine {choice.engine}, seed {choice.seed}")
    if not choice.decisions:
        return
    unit = choice.decisions[0].unit.removeprefix("cot_")
    columns = [f"budget {unit}", "best<", "success", "P(best)", "ahead of<", "by", "interval<", "<"]
    table = new_table([*choice.axes, *columns])
    shown = choice.decisions[:MOST_LINES]
    for one in shown:
        (best,) = (row for row in one.rows if row.strategy == one.best)
        gap = one.gaps[0]
        cells = [axis_value(one.axes.get(axis)) for axis in choice.axes]
        cells += [number(one.budget), one.best, probability(best.success), f"{one.probability_best[one.best]:.4f}"]
        cells += [gap.against, f"{gap.estimate:.4f}", f"{gap.low:.4f} to {gap.high:.4f}"]
        table.add_row(*cells, "clear" if one.clear else "not clear")
    put(table)
    if len(shown) < len(choice.decisions):
        put(f"... and {len(choice.decisions) - len(shown):,} more budgets: --out FILE.csv or --json has them all.")
    said = changes(choice.decisions)
    put(
        f"P(best): posterior chance to be the best. Intervals of the difference hold together at {choice.level:.0%}"
        f" over all {choice.comparisons:,} comparisons of two strategies at a budget.",
        *said[:MOST_LINES],
        *([f"... and {len(said) - MOST_LINES:,} more."] if len(said) > MOST_LINES else []),
    )


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
