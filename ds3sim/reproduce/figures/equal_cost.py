"""What strategies do at equal cost: the tokens that it buys, maps of success, the best number of branches."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.report.points import Points, joined
from ds3sim.report.style import colour_bar, key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import chain_points, chain_task, steps_points, walk, whole_budgets
from ds3sim.stats.intervals import NORMAL_95
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain
from ds3sim.theory.cost import CostModel

STRATEGIES = (1, 4, 16, 256)
COST = CostModel(parameters=1e10, prompt_tokens=200, layers=96, attention_width=12288)
SKILLS, SUCCESS = 20, 0.05


def name(b: int) -> str:
    """What a strategy is called in legends."""
    return "CoT" if b == 1 else f"ToT({b})"


def draw_token_budget(options: Options) -> Drawing:
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


MAP_RATES = (0.001, 0.01, 0.1, 0.5)
BRANCHES = (1, 4, 16)
PAIRS = ((4, 1), (16, 1), (16, 4))
OMEGA = 25
MOST_WALKED = 4096
"""Longest simulated walk, in steps."""


def draw_strategy_maps(options: Options) -> Drawing:
    """One row a rate; three maps of success, three of differences; discs are simulated."""
    sheet = Sheet()
    kinds = 3 * ["success"] + 3 * ["difference"]
    names = [(f"r={r:g}", "cot_tokens", "skill_tokens", what) for r in MAP_RATES for what in kinds]
    panels = sheet.panels((15.2, 10.2), *names, rows=len(MAP_RATES), sharex=True, sharey=True)
    budgets = OMEGA * whole_budgets(4, 40_000, options.pick(72, 20))
    skills = whole_budgets(1, 1000, options.pick(56, 16))
    meshes = []
    for i, r in enumerate(MAP_RATES):
        row = panels[6 * i : 6 * i + 6]
        meshes = draw_rate(row, r, budgets, skills, options)
        row[0].axes.set_ylabel(f"r = {r:g}\nSkills × tokens a step, mω")
    labels = [name(b) for b in BRANCHES] + [f"{name(b)} − {name(o)}" for b, o in PAIRS]
    for i, panel in enumerate(panels):
        last, first = i >= len(panels) - 6, i < 6
        panel.frame("Budget (CoT tokens)" if last else "", panel.axes.get_ylabel(), "xy", labels[i] if first else "",
                    xlim=(budgets[0], budgets[-1]), ylim=(OMEGA, skills[-1] * OMEGA))  # fmt: skip
    for half, label in enumerate(("Success probability", "Difference of success probabilities")):
        where = [panel.axes for i, panel in enumerate(panels) if i % 6 // 3 == half]
        colour_bar(
            sheet.figures[""], meshes[half], where, label, location="bottom", fraction=0.025, aspect=60, pad=0.02
        )
    return sheet.drawing(
        "Three strategies at equal cost",
        "Success of chain of thought and of tree of thought with 4 and 16 branches, and differences, over the budget"
        " (tokens of a chain of thought of equal cost, by (18)) and the length of the task (skills times 25 tokens),"
        " for four step successes r. Discs are simulated, in the colours of the map: a disc that can be told from its"
        " surroundings would be a disagreement. Model as in token-budget.",
    )


def draw_rate(row: list[Panel], r: float, budgets: np.ndarray, skills: np.ndarray, options: Options) -> list[Any]:
    """One rate: six maps with their discs, what they say, and the two meshes for the colour bars."""
    at = np.array(options.pick((400, 2_000, 10_000, 50_000, 250_000), (2_000, 50_000)))
    lengths = options.pick((2, 10, 50), (5,))
    maps = {b: surface(r, skills[:, None], budgets, b) for b in BRANCHES}
    walked = {(b, m): simulated(r, m, at, b, options) for b in BRANCHES for m in lengths}
    shown = [(name(b), maps[b], [walked[b, m] for m in lengths], (0, 1)) for b in BRANCHES]
    shown += [
        (
            f"{name(b)} - {name(o)}",
            maps[b] - maps[o],
            [difference(walked[b, m], walked[o, m]) for m in lengths],
            (-1, 1),
        )
        for b, o in PAIRS
    ]
    meshes = []
    for panel, (label, values, points, limits) in zip(row, shown, strict=True):
        signed = limits[0] < 0
        meshes.append(panel.heat(label, budgets, skills * OMEGA, values, limits, signed))
        for m, (tokens, each) in zip(lengths, points, strict=True):
            panel.spots(label, tokens, m * OMEGA, each, limits, diverging=signed)
    best = np.max([maps[b] for b in BRANCHES], axis=0)
    undecided = (best > 0.01) & (maps[1] < 0.99)
    first = np.argmax([maps[b] for b in BRANCHES], axis=0)[undecided]
    wins = [float(np.mean(first == i)) for i in range(len(BRANCHES))]
    gain = maps[16] - maps[1]
    row[0].sheet.found.append(
        f"r = {r:g}: where success is undecided, CoT is best on {wins[0]:.0%} of the map, ToT(4) on {wins[1]:.0%},"
        f" ToT(16) on {wins[2]:.0%}; ToT(16) gains up to {gain.max():.3f} over CoT and loses up to {-gain.min():.3f}."
    )
    return [meshes[0], meshes[-1]]


def surface(r: float, m: Any, tokens: Any, b: Any) -> np.ndarray:
    """Success with b branches at the cost of a chain of thought of ``tokens``; broadcast."""
    return chain.success(m, chain.branch_success(r, b), COST.max_steps(COST.flops(tokens), b))


def simulated(r: float, m: int, tokens: np.ndarray, b: int, options: Options) -> tuple[np.ndarray, Points]:
    """(budgets in CoT tokens, points) where the walk is short enough; one run for all budgets."""
    steps = np.asarray(COST.max_steps(COST.flops(tokens), b))
    keep = (steps > 0) & (COST.max_steps(COST.flops(tokens)) <= MOST_WALKED)
    return tokens[keep], chain_points(m, r, steps[keep], options, options.pick(40_000, 2_000), b)


def difference(one: tuple[np.ndarray, Points], other: tuple[np.ndarray, Points]) -> tuple[np.ndarray, Points]:
    """(budgets, points) of the difference of two independent simulations."""
    (at, a), (_, b) = one, other
    theory, value, n = a.theory - b.theory, a.value - b.value, a.traces
    variance = (a.theory * (1 - a.theory) + b.theory * (1 - b.theory)) / n
    # The normal law needs some events; without them the two maps themselves are the check.
    z = np.where(variance * n * n >= 25, (value - theory) / np.sqrt(np.maximum(variance, 1e-300)), np.nan)
    half = NORMAL_95 * np.sqrt((a.value * (1 - a.value) + b.value * (1 - b.value)) / n)
    return at, Points(value, value - half, value + half, theory, z, n)


RATES = (0.01, 0.03, 0.1, 0.3)
REACHED = 0.8
"""On the left the cost is the least at which the best number of branches reaches this success."""


def draw_optimal_branching(options: Options) -> Drawing:
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
