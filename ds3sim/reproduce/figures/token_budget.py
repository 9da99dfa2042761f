"""The tokens that a cost buys."""

from __future__ import annotations

import numpy as np

from ds3sim.report.style import key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.equal_cost import COST, name
from ds3sim.reproduce.simulated import chain_task, steps_points, walk, whole_budgets
from ds3sim.theory import chain

STRATEGIES = (1, 4, 16, 256)
SKILLS, SUCCESS = 20, 0.05


def draw(options: Options) -> Drawing:
    """Tokens against cost; the share of the tokens of a chain; tokens really generated, with simulation."""
    sheet = Sheet()
    left, middle, right = sheet.panels(
        (12.6, 4.0),
        ("tokens", "cost_flops", "tokens_along_path"),
        ("share", "cot_tokens", "tot_tokens_over_cot_tokens"),
        ("used", "budget_flops", "expected_tokens"),
    )
    tokens = np.geomspace(100, 1e6, options.pick(161, 41))
    flops = COST.flops(tokens)
    for i, b in enumerate(STRATEGIES):
        path = COST.equal_cost_tokens(tokens, b)
        left.curve(name(b), flops, path, i, name(b))
        if b > 1:
            middle.curve(name(b), tokens, path / tokens, i)
            middle.level(1 / b, i)
            middle.level(b**-0.5, i)
            low, high = path[0] / tokens[0], path[-1] / tokens[-1]
            sheet.found.append(
                f"ToT({b}) has {low:.4f} of the chain's tokens at 100 tokens (1/b = {1 / b:.4f}) and {high:.4f} at 10^6"
                f" (1/√b = {b**-0.5:.4f})."
            )
    used(right, options)
    left.frame("Cost of a task (FLOPs)", "Tokens along the kept path", "xy", "Equal cost, (18)")
    middle.frame("Tokens of a chain of thought of the same cost", "Tokens of ToT / tokens of CoT", "xy",
                 "Share of the chain's tokens; limits 1/b and 1/√b")  # fmt: skip
    right.frame("Budget of a task (FLOPs)", "Expected tokens along the path", "xy",
                f"Tokens used by a chain of {SKILLS} skills, r = {SUCCESS:g}")  # fmt: skip
    left.legend()
    right.legend(key("simulation", points=True), key("theory, (3)"))
    return sheet.drawing(
        "Tokens that a cost buys",
        "Left: tokens along the kept path against cost, for chain of thought and for tree of thought with 4, 16 and"
        " 256 branches. Middle: the same as a share of the chain's tokens; thin lines are the limits where parameters"
        " (1/b) and where attention (1/√b) dominate. Right: tokens really generated along the path when a task stops"
        " at its goal; curves by (3), points simulated with 95% intervals. Model: 10^10 parameters, 96 layers of width"
        " 12288, prompt of 200 tokens, 25 tokens a step.",
    )


def used(panel: Panel, options: Options) -> None:
    """Expected tokens along the path at budgets of equal cost."""
    budgets = COST.flops(25.0 * whole_budgets(4, 4000, options.pick(120, 30)))
    at = COST.flops(25.0 * np.geomspace(8, 4000, options.pick(8, 4)))
    for i, b in enumerate(STRATEGIES):
        r = chain.branch_success(SUCCESS, b)
        curve = COST.tokens(chain.expected_steps(SKILLS, r, COST.max_steps(budgets, b)))
        keep = curve > 0
        panel.curve(name(b), budgets[keep], curve[keep], i)
        steps = np.asarray(COST.max_steps(at, b))
        some = steps > 0
        steps = steps[some]
        tally = walk(chain_task(SKILLS, SUCCESS, steps, b), options, options.pick(100_000, 4_000))
        mean, square = chain.expected_steps(SKILLS, r, steps), chain.expected_square_steps(SKILLS, r, steps)
        points = steps_points(tally, steps, mean, square).mapped(lambda v: v * COST.tokens_per_step)
        panel.points(name(b), at[some], points, i)
