"""``ds3sim allocate``."""

from __future__ import annotations

import sys
from argparse import Namespace
from itertools import zip_longest

import ds3sim as ds
from ds3sim.cli.config import config_of
from ds3sim.cli.console import check_result, kept, new_table, put, show_result
from ds3sim.cli.options import PRINT, RESULT, config
from ds3sim.core.text import terminal_number as number

ABOUT = "best model size, training tokens and tokens per task for a compute"
OPTIONS = (*config("TOML file with [allocate] and [tasks]"), RESULT, *PRINT)


def run(args: Namespace) -> int:
    """``ds3sim allocate``."""
    check_result(args)
    found, interrupted = kept(ds.allocate, config_of(args))
    show_result(args, found, print_allocation)
    if interrupted:
        print(f"interrupted: {len(found.points):,} compute values done", file=sys.stderr)
    return 130 if interrupted else 0


def print_allocation(found: ds.Allocation) -> None:
    """The table and the sentences."""
    columns = ["compute", "N", "D", "D/N", "steps", "tokens a task", "inference", "loss", "accuracy"]
    columns += ["with D = kappa N", "extra compute"] if found.comparison else []
    table = new_table([*columns, "held back by<"])
    for point, pair in zip_longest(found.points, found.comparison):
        cells = [number(v) for v in (point.compute, point.parameters, point.training_tokens, point.kappa)]
        cells += [number(point.steps, 6), number(point.tokens_per_task)]
        cells += [f"{100 * point.inference_share:.3g}%", number(point.loss), number(point.accuracy)]
        if pair is not None:
            cells += [number(pair.tied.accuracy), f"{number(pair.extra_compute, 3)}x" if pair.extra_compute else "-"]
        table.add_row(*cells, ", ".join(point.bounds) or ("saturated" if point.saturated else ""))
    head = f"{found.name}: mode {found.mode}, {found.tasks:g} tasks, {found.constants.name}"
    put(head, table, *found.words)
