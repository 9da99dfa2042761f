"""``ds3sim choose``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from itertools import pairwise

from ds3sim.cli.console import computed, finish, show


def choose(args: Namespace) -> int:
    """``ds3sim choose``."""
    from ds3sim.study.choose import choose as run_choice

    result, interrupted = computed(args, run_choice, need_axes=False)
    show(args, result, print_choice)
    return finish(args, interrupted, f"{len(result['choices']):,} budgets")


def print_choice(result: Mapping) -> None:
    """The table of ``ds3sim choose``."""
    from ds3sim.cli.console import new_table, terminal
    from ds3sim.core.text import terminal_number as number
    from ds3sim.core.text import terminal_probability as probability

    choices, said = result["choices"], result["environment"]
    console = terminal()
    console.print(f"{said['name']}: engine {said['engine']}, seed {said['seed']}")
    if not choices:
        return
    axes = list(choices[0]["axes"])
    given = next(key for key in ("cot_tokens", "tokens", "flops", "steps") if key in choices[0])
    columns = [(axis, True) for axis in axes] + [(f"budget {given.replace('cot_', '')}", True), ("best", False)]
    columns += [
        ("success", True),
        ("P(best)", True),
        ("ahead of", False),
        ("by", True),
        ("interval", False),
        ("", False),
    ]
    table = new_table(columns)
    for choice in choices:
        best = next(row for row in choice["results"] if row["strategy"] == choice["best"])
        gap = choice["difference"]
        cells = [
            number(v) if isinstance(v, int | float) and not isinstance(v, bool) else str(v)
            for v in choice["axes"].values()
        ]
        cells += [number(choice[given]), choice["best"], probability(best["success"]["estimate"])]
        cells += [f"{choice['probability_best'][choice['best']]:.4f}", choice["runner_up"], f"{gap['estimate']:.4f}"]
        cells += [f"{gap['low']:.4f} to {gap['high']:.4f}", "clear" if choice["clear"] else "not clear"]
        table.add_row(*cells)
    console.print(table)
    console.print(
        f"P(best): posterior chance to be the best. Intervals of the difference hold together at {result['level']:.0%}"
        f" over all {result['comparisons']:,} comparisons of two strategies at a budget.",
        soft_wrap=True,
    )
    for line in changes(choices, given):
        console.print(line, soft_wrap=True)


def changes(choices, given: str) -> list[str]:
    """Where the best strategy changes along the budgets of a point, in words."""
    out = []
    unit = {"flops": "FLOPs", "cot_tokens": "tokens of one chain of thought"}.get(given, given)
    for before, after in pairwise(choices):
        if before["axes"] != after["axes"] or before["best"] == after["best"]:
            continue
        told = ", ".join(f"{k} = {f'{v:g}' if isinstance(v, float) else v}" for k, v in after["axes"].items())
        between = f"between {before[given]:g} and {after[given]:g} {unit}"
        sure = "" if before["clear"] and after["clear"] else " (not clear)"
        out.append(f"{after['best']} overtakes {before['best']} {between}{f' at {told}' if told else ''}{sure}.")
    return out
