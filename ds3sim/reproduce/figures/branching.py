"""How many branches a tree of thought should have at a given cost."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import joined
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.figures.token_budget import COST
from ds3sim.reproduce.simulated import chain_task, success_points, walk, whole_budgets
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain

SKILLS = 20
RATES = (0.01, 0.03, 0.1, 0.3)
REACHED = 0.8
"""On the left the cost is the least at which the best number of branches reaches this success."""


def success(r: float, tokens, b) -> np.ndarray:
    """Success with b branches at the cost of a chain of thought of ``tokens``; broadcast."""
    steps = COST.max_steps(COST.flops(tokens), b)
    return chain.success(SKILLS, chain.branch_success(r, b), steps)


def make(options: Options) -> Drawing:
    """Success against b at equal cost; the best b against the budget; the best b against r."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 3, (12.6, 4.0))
    left, middle, right = axes[0]
    dense = whole_budgets(1, 2048, options.pick(200, 60))
    few = np.array(options.pick((1, 2, 4, 8, 16, 32, 64, 128, 256), (1, 8, 64)))
    found = []
    for i, r in enumerate(RATES):
        tokens = float(np.round(least_budget(r, REACHED, dense, options), -2))
        curve = success(r, tokens, dense)
        style.line(left, dense, curve, i, f"r = {r:g}, {tokens:,.0f} tokens")
        sheet.curve("success", f"r={r:g}", "branches", dense, "success", curve)
        parts = []
        for b in few:
            k = COST.max_steps(COST.flops(tokens), int(b))
            tally = walk(chain_task(SKILLS, r, max(k, 1), b), options, options.pick(100_000, 4_000))
            parts.append(success_points(tally, k, chain.success(SKILLS, chain.branch_success(r, b), k)))
        points = joined(parts)
        style.dots(left, few, points, i)
        sheet.points("success", f"r={r:g}", "branches", few, "success", points)
        best = int(dense[np.argmax(curve)])
        found.append(
            f"r = {r:g}, cost of {tokens:,.0f} tokens: best b = {best}, success {curve.max():.4f}"
            f" (chain of thought {curve[0]:.4f})."
        )
    left.set(xlabel="Branches b", ylabel="Success probability", ylim=(-0.03, 1.03), xlim=(0.8, 512))
    style.logarithmic(left)
    handles = [*left.get_legend_handles_labels()[0], style.key("simulation", points=True)]
    style.legend(left, handles, where="above", columns=2)
    budgets = np.geomspace(600, 1e6, options.pick(110, 30))
    for i, r in enumerate(RATES):
        values = success(r, budgets[:, None], dense)
        top = values.max(axis=1)
        shown = (top > 1e-3) & (top < 1 - 1e-6)
        best = dense[np.argmax(values, axis=1)]
        style.line(middle, budgets[shown], best[shown], i, f"r = {r:g}", drawstyle="steps-mid", linewidth=2.4 - 0.4 * i)
        sheet.curve("best", f"r={r:g}", "cot_tokens", budgets[shown], "best_branches", best[shown].astype(float))
    middle.set(xlabel="Budget (tokens of a chain of thought of equal cost)", ylabel="Best number of branches")
    style.logarithmic(middle, "xy")
    style.title(middle, "Best b while success is above 0.001 and below 1")
    style.legend(middle)
    found.append(against_rate(sheet, right, dense, options))
    return Drawing(
        "optimal-branching",
        "The best number of branches",
        f"A task of {SKILLS} skills at equal cost by (16)-(18), model as in token-budget. Left: success against the"
        " number"
        " of branches; points simulated with 95% intervals. Middle: the best number of branches against the budget."
        " Right:"
        " the best number where it reaches success 1/2, against the success r of one proposal, with a fitted power"
        " law.",
        {"": figure},
        sheet,
        found,
    )


def least_budget(r: float, reached: float, dense, options: Options) -> float:
    """The least budget, in tokens of a chain of thought, at which the best b reaches a success."""
    budgets = np.geomspace(300, 3e6, options.pick(400, 120))
    return float(budgets[np.argmax(success(r, budgets[:, None], dense).max(axis=1) >= reached)])


def against_rate(sheet: Sheet, axes, dense, options: Options) -> str:
    """The best b at the least budget where the best success is 1/2, against r."""
    rates = np.geomspace(0.003, 0.3, options.pick(17, 7))
    best = np.array([dense[np.argmax(success(r, least_budget(r, 0.5, dense, options), dense))] for r in rates], float)
    slope, error, intercept, r2 = fitted_line(np.log(rates), np.log(best))
    axes.plot(rates, best, "o", color=style.colour(0), markersize=4.5, label="best b (theory)")
    fit = np.exp(intercept + slope * np.log(rates))
    style.line(axes, rates, fit, 1, rf"fit: $b \propto r^{{{slope:.2f}}}$")
    sheet.curve("against r", "best", "step_success", rates, "best_branches", best)
    sheet.curve("against r", "fit", "step_success", rates, "best_branches", fit, "fit")
    axes.set(xlabel="Success of one proposal, r", ylabel="Best number of branches")
    style.logarithmic(axes, "xy")
    style.title(axes, "Best b where success reaches 1/2")
    style.legend(axes)
    return f"Where the best strategy just reaches success 1/2, b ∝ r^({slope:.3f} ± {error:.3f}), R² = {r2:.4f}."
