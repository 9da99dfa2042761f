"""Sampled skill graphs against the mean field of the giant component (23)."""

from __future__ import annotations

import numpy as np

from ds3sim.core.figure import LIGHT, tick
from ds3sim.report.points import around
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import whole_budgets
from ds3sim.theory.skills import (
    giant,
)
from ds3sim.training.skill_graphs import all_in, giant_shares, walk_models

GRAPH_SIZES = (100, 1_000, 10_000)
DEGREES = np.array((0.8, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0))
INSIDE = 10
"""Skills that have to lie in the giant component."""


def draw(options: Options) -> Drawing:
    """Left: giant component. Middle: chance that m skills lie in it. Right: success with fixed connections."""
    sheet = Sheet()
    left, middle, right = sheet.panels(
        (12.6, 4.1),
        ("giant", "mean_degree", "giant"),
        ("all inside", "mean_degree", "ratio_to_mean_field"),
        ("walks", "budget_steps", "success"),
    )
    components(left, middle, options)
    walks(right, options)
    return sheet.drawing(
        "Quenched disorder of the skill graph",
        "Left: share of the largest component of sampled skill graphs G(S, c/S), with (23). Middle: probability that"
        " 10 random skills all lie in it, over gamma^10. Right: success of a task of 5 skills against budget: the mean"
        " field (1), and walks on sampled graphs whose connections are fixed.",
    )


def components(left: Panel, middle: Panel, options: Options) -> None:
    """The largest component of sampled graphs beside (23), and the chance that ten skills lie in it."""
    c = np.linspace(0.5, 4.0, 201)
    left.curve("(23)", c, giant(c), 0, "(23)", color=LIGHT.ink)
    field, some = giant(DEGREES) ** INSIDE, DEGREES >= 1.25
    for i, skills in enumerate(GRAPH_SIZES):
        graphs = options.pick((4_000, 1_000, 100), (200, 40, 4))[i]
        shares = np.stack([giant_shares(graphs, skills, d / skills, options.seed) for d in DEGREES])
        mean, error = shares.mean(axis=1), shares.std(axis=1, ddof=1) / np.sqrt(graphs)
        left.points(f"S={skills}", DEGREES, around(mean, error, giant(DEGREES), graphs), i, f"S = {tick(skills)}")
        inside = all_in(shares, skills, INSIDE)
        ratio = inside.mean(axis=1)[some] / field[some]
        spread = inside.std(axis=1, ddof=1)[some] / np.sqrt(graphs) / field[some]
        points = around(ratio, spread, np.ones(some.sum()), graphs)
        middle.points(f"S={skills}", DEGREES[some], points, i, f"S = {tick(skills)}")
        for d in (1.0, 1.25, 1.5, 2.0, 4.0):
            k = int(np.flatnonzero(d == DEGREES)[0])
            text = f"S = {skills}, c = {d:g}: gamma {mean[k]:.4f} ± {error[k]:.4f}, (23) {float(giant(d)):.4f}"
            if d > 1:
                text += (
                    f"; ten skills inside {inside[k].mean():.3g} ± {inside[k].std() / np.sqrt(graphs):.2g}, gamma^10"
                    f" {field[k]:.3g}; between models its standard deviation is {inside[k].std():.2g}"
                )
            left.sheet.found.append(text + ".")
    left.frame("Mean degree c = S p^2", "Share of the largest component", title="Giant component", share=True)
    middle.frame("Mean degree c = S p^2", "P(10 skills inside) / gamma^10", "y", "Ten skills in the giant component")
    middle.level(1.0, linewidth=1.0, alpha=1.0)
    left.legend()
    middle.legend()


def walks(panel: Panel, options: Options) -> None:
    """Success against the budget: the mean field, and walks with fixed connections, with and without detours."""
    skills, m = 1_000, 5
    steps = whole_budgets(5, 3000, options.pick(40, 12))
    for i, c in enumerate((2.0, 4.0)):
        runs = {
            r: walk_models(options.pick(60, 4), skills, c / skills, m, steps, r, seed=options.seed)
            for r in ("giant", "detours")
        }
        mean = {r: run.success.mean(axis=0) for r, run in runs.items()}
        field = runs["giant"].mean_field
        panel.curve(f"c={c:g}, mean field", steps, field, i, f"mean field, c = {c:g}", linestyle="solid")
        for j, (reading, run) in enumerate(runs.items()):
            error = run.success.std(axis=0, ddof=1) / np.sqrt(len(run.success))
            points = around(mean[reading], error, run.mean_field, run.success.size)
            panel.points(f"c={c:g}, {reading}", steps, points, i + 2 * j, f"{reading}, c = {c:g}", markersize=3)
        half = [steps[np.argmax(v >= 0.5 * v[-1])] for v in mean.values()]
        detours = runs["detours"]
        panel.sheet.found.append(
            f"S = {skills}, c = {c:g}, m = {m}: with fixed connections and detours a task takes"
            f" {np.nanmean(detours.hops):.1f} hops; the mean field's fresh chances take {m * skills / c:.0f} tries at"
            f" search weight 1. Half of the final success is reached at {half[0]} steps (giant) and {half[1]} (detours)"
            f" of {steps[-1]}; feasible {runs['giant'].feasible.mean():.3f} and {detours.feasible.mean():.3f}, gamma^m"
            f" {float(giant(c)) ** m:.3f}; standard deviation of success between models at the largest budget"
            f" {detours.success[:, -1].std():.3f}."
        )
    panel.frame("Budget (steps)", "Success", "x", f"S = {skills}, m = {m}", share=True)
    panel.legend(where="upper left")
