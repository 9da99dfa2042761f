"""Maps of success over budget and length of the task, for three strategies at equal cost, and their differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import Points
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.figures.token_budget import COST, name
from ds3sim.reproduce.simulated import chain_task, success_points, walk, whole_budgets
from ds3sim.theory import chain

RATES = (0.001, 0.01, 0.1, 0.5)
BRANCHES = (1, 4, 16)
PAIRS = ((4, 1), (16, 1), (16, 4))
OMEGA = 25
MOST_WALKED = 4096
"""Longest simulated walk, in steps."""


def make(options: Options) -> Drawing:
    """One row a rate; three maps of success, three of differences; discs are simulated."""
    sheet = Sheet()
    figure, axes = style.canvas(len(RATES), 6, (15.2, 10.2), sharex=True, sharey=True)
    budgets = OMEGA * whole_budgets(4, 40_000, options.pick(72, 20))
    skills = whole_budgets(1, 1000, options.pick(56, 16))
    spot_tokens = np.array(options.pick((400, 2_000, 10_000, 50_000, 250_000), (2_000, 50_000)))
    spot_skills = options.pick((2, 10, 50), (5,))
    found: list[str] = []
    mesh: Any = None
    change: Any = None
    for row, r in enumerate(RATES):
        maps = {b: surface(r, skills[:, None], budgets, b) for b in BRANCHES}
        walked = {(b, m): simulated(r, m, spot_tokens, b, options) for b in BRANCHES for m in spot_skills}
        for column, b in enumerate(BRANCHES):
            panel = axes[row, column]
            mesh = style.heat(panel, budgets, skills * OMEGA, maps[b], (0, 1))
            sheet.surface(
                f"r={r:g}", name(b), "cot_tokens", budgets, "skill_tokens", skills * OMEGA, "success", maps[b]
            )
            for m in spot_skills:
                at, points = walked[b, m]
                style.spots(panel, at, np.full(len(at), m * OMEGA), points.value, (0, 1))
                sheet.points(f"r={r:g}", name(b), "cot_tokens", at, "success", points, y_name="skill_tokens",
                             y=m * OMEGA)  # fmt: skip
        for column, (b, other) in enumerate(PAIRS, 3):
            panel, gap = axes[row, column], maps[b] - maps[other]
            change = style.heat(panel, budgets, skills * OMEGA, gap, (-1, 1), diverging=True)
            label = f"{name(b)} - {name(other)}"
            sheet.surface(f"r={r:g}", label, "cot_tokens", budgets, "skill_tokens", skills * OMEGA, "difference", gap)
            for m in spot_skills:
                at, points = difference(walked[b, m], walked[other, m])
                style.spots(panel, at, np.full(len(at), m * OMEGA), points.value, (-1, 1), diverging=True)
                sheet.points(f"r={r:g}", label, "cot_tokens", at, "difference", points, y_name="skill_tokens",
                             y=m * OMEGA)  # fmt: skip
        best = np.max([maps[b] for b in BRANCHES], axis=0)
        open_ = (best > 0.01) & (maps[1] < 0.99)
        first = np.argmax([maps[b] for b in BRANCHES], axis=0)[open_]
        wins = [float(np.mean(first == i)) for i in range(len(BRANCHES))]
        gain, loss = (maps[16] - maps[1]).max(), (maps[16] - maps[1]).min()
        found.append(
            f"r = {r:g}: where success is undecided, CoT is best on {wins[0]:.0%} of the map, ToT(4) on {wins[1]:.0%},"
            f" ToT(16) on {wins[2]:.0%}; ToT(16) gains up to {gain:.3f} over CoT and loses up to {-loss:.3f}."
        )
        axes[row, 0].set_ylabel(f"r = {r:g}\nSkills × tokens a step, mω", fontsize=9.5)
    labels = [name(b) for b in BRANCHES] + [f"{name(b)} − {name(o)}" for b, o in PAIRS]
    for column, label in enumerate(labels):
        style.title(axes[0, column], label)
        axes[-1, column].set_xlabel("Budget (CoT tokens)", fontsize=9.5)
    for panel in axes.flat:
        style.logarithmic(panel, "xy")
        panel.set(xlim=(budgets[0], budgets[-1]), ylim=(OMEGA, skills[-1] * OMEGA))
    bars = ((mesh, axes[:, :3], "Success probability"), (change, axes[:, 3:], "Difference of success probabilities"))
    for drawn, where, label in bars:
        bar = figure.colorbar(drawn, ax=where, location="bottom", fraction=0.025, aspect=60, pad=0.02)
        bar.set_label(label, fontsize=9.5)
        bar.ax.tick_params(labelsize=8.5)
    return Drawing(
        "strategy-maps",
        "Three strategies at equal cost",
        "Success of chain of thought and of tree of thought with 4 and 16 branches, and differences, over the budget"
        " (tokens of a chain of thought of equal cost, by (18)) and the length of the task (skills times 25 tokens),"
        " for"
        " four step successes r. Discs are simulated, in the colours of the map: a disc that can be told from its"
        " surroundings would be a disagreement. Model as in token-budget.",
        {"": figure},
        sheet,
        found,
    )


def surface(r: float, m, tokens, b: int) -> np.ndarray:
    """Success with b branches at the cost of a chain of thought of ``tokens``; broadcast."""
    return chain.success(m, chain.branch_success(r, b), COST.max_steps(COST.flops(tokens), b))


def simulated(r: float, m: int, tokens, b: int, options: Options):
    """(budgets in CoT tokens, points) where the walk is short enough; one run for all budgets."""
    steps = np.asarray(COST.max_steps(COST.flops(tokens), b))
    keep = (steps > 0) & (COST.max_steps(COST.flops(tokens)) <= MOST_WALKED)
    steps = steps[keep]
    tally = walk(chain_task(m, r, steps, b), options, options.pick(40_000, 2_000))
    return tokens[keep], success_points(tally, steps, chain.success(m, chain.branch_success(r, b), steps))


def difference(one, other):
    """(budgets, points) of the difference of two independent simulations."""
    (at, a), (_, b) = one, other
    theory = a.theory - b.theory
    n = a.traces
    variance = (a.theory * (1 - a.theory) + b.theory * (1 - b.theory)) / n
    gap = a.value - b.value - theory
    # The normal law needs some events; without them the two maps themselves are the check.
    z = np.where(variance * n * n >= 25, gap / np.sqrt(np.maximum(variance, 1e-300)), np.nan)
    half = 1.96 * np.sqrt((a.value * (1 - a.value) + b.value * (1 - b.value)) / n)
    return at, Points(a.value - b.value, a.value - b.value - half, a.value - b.value + half, theory, z, n)
