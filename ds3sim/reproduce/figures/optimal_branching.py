"""The best number of branches at equal cost."""

from __future__ import annotations

import numpy as np

from ds3sim.report.points import joined
from ds3sim.report.style import key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.equal_cost import COST, surface
from ds3sim.reproduce.simulated import chain_points, whole_budgets
from ds3sim.stats.slopes import fitted_line

SKILLS = 20
RATES = (0.01, 0.03, 0.1, 0.3)
REACHED = 0.8
"""On the left the cost is the least at which the best number of branches reaches this success."""


def draw(options: Options) -> Drawing:
    """Success against b at equal cost; the best b against the budget; the best b against r."""
    sheet = Sheet()
    left, middle, right = sheet.panels(
        (12.6, 4.0),
        ("success", "branches", "success"),
        ("best", "cot_tokens", "best_branches"),
        ("against r", "step_success", "best_branches"),
    )
    dense = whole_budgets(1, 2048, options.pick(200, 60))
    at_equal_cost(left, dense, options)
    budgets = np.geomspace(600, 1e6, options.pick(110, 30))
    for i, r in enumerate(RATES):
        values = surface(r, SKILLS, budgets[:, None], dense)
        top = values.max(axis=1)
        shown = (top > 1e-3) & (top < 1 - 1e-6)
        best = dense[np.argmax(values, axis=1)].astype(float)
        middle.curve(f"r={r:g}", budgets[shown], best[shown], i, f"r = {r:g}", drawstyle="steps-mid",
                     linewidth=2.4 - 0.4 * i)  # fmt: skip
    middle.frame("Budget (tokens of a chain of thought of equal cost)", "Best number of branches", "xy",
                 "Best b while success is above 0.001 and below 1")  # fmt: skip
    middle.legend()
    against_rate(right, dense, options)
    return sheet.drawing(
        "The best number of branches",
        f"A task of {SKILLS} skills at equal cost by (16)-(18), model as in token-budget. Left: success against the"
        " number of branches; points simulated with 95% intervals. Middle: the best number of branches against the"
        " budget. Right: the best number where it reaches success 1/2, against the success r of one proposal, with a"
        " fitted power law.",
    )


def at_equal_cost(panel: Panel, dense: np.ndarray, options: Options) -> None:
    """Success against b, for each rate at the least cost that lets the best b reach a success."""
    few = np.array(options.pick((1, 2, 4, 8, 16, 32, 64, 128, 256), (1, 8, 64)))
    traces = options.pick(100_000, 4_000)
    for i, r in enumerate(RATES):
        tokens = float(np.round(least_budget(r, REACHED, dense, options), -2))
        curve = surface(r, SKILLS, tokens, dense)
        panel.curve(f"r={r:g}", dense, curve, i, f"r = {r:g}, {tokens:,.0f} tokens")
        steps = [COST.max_steps(COST.flops(tokens), int(b)) for b in few]
        parts = [chain_points(SKILLS, r, k, options, traces, b) for k, b in zip(steps, few, strict=True)]
        panel.points(f"r={r:g}", few, joined(parts), i)
        panel.sheet.found.append(
            f"r = {r:g}, cost of {tokens:,.0f} tokens: best b = {dense[np.argmax(curve)]}, success {curve.max():.4f}"
            f" (chain of thought {curve[0]:.4f})."
        )
    panel.frame("Branches b", "Success probability", "x", share=True, xlim=(0.8, 512))
    panel.legend(key("simulation", points=True), where="above", columns=2)


def least_budget(r: float, reached: float, dense: np.ndarray, options: Options) -> float:
    """The least budget, in tokens of a chain of thought, at which the best b reaches a success."""
    budgets = np.geomspace(300, 3e6, options.pick(400, 120))
    return float(budgets[np.argmax(surface(r, SKILLS, budgets[:, None], dense).max(axis=1) >= reached)])


def against_rate(panel: Panel, dense: np.ndarray, options: Options) -> None:
    """The best b at the least budget where the best success is 1/2, against r."""
    rates = np.geomspace(0.003, 0.3, options.pick(17, 7))
    least = [least_budget(r, 0.5, dense, options) for r in rates]
    best = np.array([dense[np.argmax(surface(r, SKILLS, k, dense))] for r, k in zip(rates, least, strict=True)], float)
    slope, error, intercept, r2 = fitted_line(np.log(rates), np.log(best))
    fit = np.exp(intercept + slope * np.log(rates))
    panel.curve("best", rates, best, 0, "best b (theory)", linestyle="none", marker="o", markersize=4.5)
    panel.curve("fit", rates, fit, 1, rf"fit: $b \propto r^{{{slope:.2f}}}$", "fit")
    panel.frame("Success of one proposal, r", "Best number of branches", "xy", "Best b where success reaches 1/2")
    panel.legend()
    panel.sheet.found.append(
        f"Where the best strategy just reaches success 1/2, b ∝ r^({slope:.3f} ± {error:.3f}), R² = {r2:.4f}."
    )
