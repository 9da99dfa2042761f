"""Tokens that a cost buys: chain of thought against tree of thought, docs/theory.md (16)-(18)."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import joined
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.simulated import chain_task, steps_points, walk, whole_budgets
from ds3sim.theory import chain
from ds3sim.theory.cost import CostModel

BRANCHES = (1, 4, 16, 256)
COST = CostModel(parameters=1e10, prompt_tokens=200, layers=96, attention_width=12288)
SKILLS, SUCCESS = 20, 0.05


def name(b: int) -> str:
    """What a strategy is called in legends."""
    return "CoT" if b == 1 else f"ToT({b})"


def make(options: Options) -> Drawing:
    """Tokens against cost; the share of the tokens of a chain; tokens really generated, with simulation."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 3, (12.6, 4.0))
    left, middle, right = axes[0]
    tokens = np.geomspace(100, 1e6, options.pick(161, 41))
    flops = COST.flops(tokens)
    for i, b in enumerate(BRANCHES):
        path = COST.equal_cost_tokens(tokens, b)
        style.line(left, flops, path, i, name(b))
        sheet.curve("tokens", name(b), "cost_flops", flops, "tokens_along_path", path)
        if b > 1:
            style.line(middle, tokens, path / tokens, i, name(b))
            sheet.curve("share", name(b), "cot_tokens", tokens, "tot_tokens_over_cot_tokens", path / tokens)
            for limit in (1 / b, b**-0.5):
                middle.axhline(limit, color=style.colour(i), linewidth=0.8, alpha=0.6, zorder=1)
    left.set(xlabel="Cost of a task (FLOPs)", ylabel="Tokens along the kept path")
    middle.set(xlabel="Tokens of a chain of thought of the same cost", ylabel="Tokens of ToT / tokens of CoT")
    style.title(left, "Equal cost, (18)")
    style.title(middle, "Share of the chain's tokens; limits 1/b and 1/√b")
    used(sheet, right, options)
    style.title(right, f"Tokens used by a chain of {SKILLS} skills, r = {SUCCESS:g}")
    for each in (left, middle, right):
        style.logarithmic(each, "xy")
    style.legend(left)
    style.legend(right, [style.key("simulation", points=True), style.key("theory, (3)")])
    ends = {b: COST.equal_cost_tokens(np.array([100.0, 1e6]), b) / np.array([100.0, 1e6]) for b in BRANCHES[1:]}
    found = [
        f"ToT({b}) has {e[0]:.4f} of the chain's tokens at 100 tokens (1/b = {1 / b:.4f}) and {e[1]:.4f} at 10^6"
        f" (1/√b = {b**-0.5:.4f})."
        for b, e in ends.items()
    ]
    return Drawing(
        "token-budget",
        "Tokens that a cost buys",
        "Left: tokens along the kept path against cost, for chain of thought and for tree of thought with 4, 16 and 256"
        " branches. Middle: the same as a share of the chain's tokens; thin lines are the limits where parameters (1/b)"
        " and where attention (1/√b) dominate. Right: tokens really generated along the path when a task stops at its"
        " goal; curves by (3), points simulated with 95% intervals. Model: 10^10 parameters, 96 layers of width 12288,"
        " prompt of 200 tokens, 25 tokens a step.",
        {"": figure},
        sheet,
        found,
    )


def used(sheet: Sheet, axes, options: Options) -> None:
    """Expected tokens along the path at budgets of equal cost."""
    budgets = COST.flops(25.0 * whole_budgets(4, 4000, options.pick(120, 30)))
    at = COST.flops(25.0 * np.geomspace(8, 4000, options.pick(8, 4)))
    for i, b in enumerate(BRANCHES):
        r = chain.branch_success(SUCCESS, b)
        curve = COST.tokens(chain.expected_steps(SKILLS, r, COST.max_steps(budgets, b)))
        keep = curve > 0
        style.line(axes, budgets[keep], curve[keep], i)
        sheet.curve("used", name(b), "budget_flops", budgets[keep], "expected_tokens", curve[keep])
        steps = np.asarray(COST.max_steps(at, b))
        some = steps > 0
        steps = steps[some]
        tally = walk(chain_task(SKILLS, SUCCESS, steps, b), options, options.pick(100_000, 4_000))
        mean, square = chain.expected_steps(SKILLS, r, steps), chain.expected_square_steps(SKILLS, r, steps)
        points = joined([steps_points(tally, steps, mean, square)]).scaled(COST.tokens_per_step)
        style.dots(axes, at[some], points, i)
        sheet.points("used", name(b), "budget_flops", at[some], "expected_tokens", points)
    axes.set(xlabel="Budget of a task (FLOPs)", ylabel="Expected tokens along the path")
