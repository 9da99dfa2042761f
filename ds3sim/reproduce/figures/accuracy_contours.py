"""Contours of accuracy over training compute and tokens, docs/theory.md section 8."""

from __future__ import annotations

import numpy as np

from ds3sim.report.style import colour_bar, key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import chain_points, whole_budgets
from ds3sim.theory import chain
from ds3sim.theory.chain_table import study_grid
from ds3sim.theory.loss import loss, step_success

SKILLS, EASE = 10, 2.5
KAPPA, DEMAND, OMEGA = 20.0, 1e9, 25
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)


def draw(options: Options) -> Drawing:
    """Contours of accuracy; the lines of equal lifetime compute; where the least compute reaches a level."""
    sheet = Sheet()
    names = [(panel, "training_flops", "budget_tokens", "accuracy") for panel in ("one task", "mixture")]
    left, right = sheet.panels((11.6, 4.7), *names)
    compute = np.geomspace(1e18, 1e27, options.pick(110, 30))
    steps = whole_budgets(4, 1e6, options.pick(110, 30))
    parameters = np.sqrt(compute / 6 / KAPPA)
    model_loss = loss(parameters, KAPPA * parameters)
    ease, weights = np.linspace(0.1, 4.0, 8), np.full((8, 50), 1 / 400)
    means = study_grid(step_success(model_loss[:, None], ease), steps, weights)
    single, mixed = chain.success(SKILLS, step_success(model_loss, EASE), steps[:, None]), means[0].T
    lifetime = compute + 2 * parameters * DEMAND * OMEGA * means[1].T
    titles = (f"One task: {SKILLS} skills, L0 = {EASE:g}", "Mixture: L0 = 0.1 to 4, m = 1 to 50")
    mesh = None
    for panel, values, title in zip((left, right), (single, mixed), titles, strict=True):
        mesh = panel.heat("accuracy", compute, steps * OMEGA, values, (0, 1))
        panel.axes.contour(compute, steps * OMEGA, values, LEVELS, colors="white", linewidths=1.1)
        panel.frame("Training compute (FLOPs), D = 20 N", "Token budget of a task", "xy", title)
    column = int(np.argmin(abs(np.log(compute / 3e24))))
    for level in LEVELS:
        height = OMEGA * np.interp(level, mixed[:, column], steps)
        right.axes.annotate(f"{level:g}", (compute[column], height), xytext=(0, 2), textcoords="offset points",
                            fontsize=8.5, color="white")  # fmt: skip
    colour_bar(sheet.figures[""], mesh, right.axes, "Accuracy")
    simulate(left, options)
    cheapest(right, compute, steps, mixed, lifetime)
    left.legend(key("simulation", points=True, markerfacecolor="none", color="white"), where="lower left",
                labelcolor="white", framealpha=0)  # fmt: skip
    return sheet.drawing(
        "Accuracy over training compute and tokens",
        "Accuracy against training compute (D = 20 N, loss by (24) with the paper's constants, step success by (25)"
        " with b = 5) and the token budget of a task; lines at 0.1, 0.3, 0.5, 0.7, 0.9. Left: one task; discs are"
        " simulated, in the colours of the map. Right: uniform over 8 values of L0 and 50 of m. Circles on the right:"
        " the point of least lifetime compute for each level of accuracy, with 10^9 inference tasks at their expected"
        " tokens.",
    )


def simulate(panel: Panel, options: Options) -> None:
    """Discs on the map of one task."""
    steps = np.array(options.pick((12, 30, 80, 250, 800, 2500, 8000), (30, 250)))
    for compute in options.pick((1e19, 1e20, 1e21, 1e22, 1e23, 1e25), (1e21, 1e23)):
        n = np.sqrt(compute / 6 / KAPPA)
        r = float(step_success(loss(n, KAPPA * n), EASE))
        points = chain_points(SKILLS, r, steps, options, options.pick(50_000, 2_000))
        panel.spots("accuracy", compute, steps * OMEGA, points, (0, 1), size=34)


def cheapest(panel: Panel, compute: np.ndarray, steps: np.ndarray, accuracy: np.ndarray, lifetime: np.ndarray) -> None:
    """Least lifetime compute per level, marked on the map."""
    at = []
    for level in LEVELS[:-1]:
        cost = np.where(accuracy >= level, lifetime, np.inf)
        i, j = np.unravel_index(np.argmin(cost), cost.shape)
        if not np.isfinite(cost[i, j]):
            continue
        at.append((compute[j], steps[i] * OMEGA))
        panel.sheet.found.append(
            f"Accuracy {level:g} needs at least {cost[i, j]:.2g} FLOPs over a lifetime of 10^9 tasks with D = 20 N:"
            f" {compute[j]:.2g} for training and a budget of {steps[i] * OMEGA:,.0f} tokens; inference takes"
            f" {1 - compute[j] / cost[i, j]:.0%}."
        )
        panel.write("cheapest", compute[j], cost[i, j], y=float(steps[i] * OMEGA), name="lifetime_flops")
    panel.axes.plot(*zip(*at, strict=True), marker="o", color="white", markersize=6, markerfacecolor="none",
                    linewidth=1.0, linestyle=":")  # fmt: skip
