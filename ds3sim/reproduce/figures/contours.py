"""Accuracy over training compute and tokens per task: one task, and the mixture of the paper's allocation study."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.simulated import chain_task, success_points, walk, whole_budgets
from ds3sim.theory import chain
from ds3sim.theory.chain_table import study_grid
from ds3sim.theory.loss import loss, step_success

SKILLS, EASE = 10, 2.5
KAPPA, DEMAND, OMEGA = 20.0, 1e9, 25
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
MOST_WALKED = 10_000


def make(options: Options) -> Drawing:
    """Contours of accuracy; the lines of equal lifetime compute; where the least compute reaches a level."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 2, (11.6, 4.7))
    compute = np.geomspace(1e18, 1e27, options.pick(110, 30))
    steps = whole_budgets(4, 1e6, options.pick(110, 30))
    parameters = np.sqrt(compute / 6 / KAPPA)
    model_loss = loss(parameters, KAPPA * parameters)
    rate = step_success(model_loss, EASE)
    single = chain.success(SKILLS, rate, steps[:, None])
    ease, weights = np.linspace(0.1, 4.0, 8), np.full((8, 50), 1 / 400)
    means = study_grid(step_success(model_loss[:, None], ease), steps, weights)
    mixed, used = means[0].T, means[1].T
    lifetime = compute + 2 * parameters * DEMAND * OMEGA * used
    titles = (f"One task: {SKILLS} skills, L0 = {EASE:g}", "Mixture: L0 = 0.1 to 4, m = 1 to 50")
    mesh = None
    for panel, values, text in zip(axes[0], (single, mixed), titles, strict=True):
        mesh = style.heat(panel, compute, steps * OMEGA, values, (0, 1))
        panel.contour(compute, steps * OMEGA, values, LEVELS, colors="white", linewidths=1.1)
        if panel is axes[0, 1]:
            column = int(np.argmin(abs(np.log(compute / 3e24))))
            for level in LEVELS:
                height = OMEGA * np.interp(level, values[:, column], steps)
                panel.annotate(f"{level:g}", (compute[column], height), xytext=(0, 2), textcoords="offset points",
                               fontsize=8.5, color="white")  # fmt: skip
        panel.set(xlabel="Training compute (FLOPs), D = 20 N", ylabel="Token budget of a task")
        style.logarithmic(panel, "xy")
        style.title(panel, text)
        sheet.surface(text.split(":")[0].lower(), "accuracy", "training_flops", compute, "budget_tokens",
                      steps * OMEGA, "accuracy", values)  # fmt: skip
    style.colourbar(figure, mesh, axes[0, 1], "Accuracy")
    simulate(sheet, axes[0, 0], options)
    found = cheapest(sheet, axes[0, 1], compute, steps, mixed, lifetime)
    style.legend(axes[0, 0], [style.key("simulation", points=True, markerfacecolor="none", color="white")],
                 where="lower left", labelcolor="white", framealpha=0)  # fmt: skip
    return Drawing(
        "accuracy-contours",
        "Accuracy over training compute and tokens",
        "Accuracy against training compute (D = 20 N, loss by (24) with the paper's constants, step success by (25)"
        " with"
        " b = 5) and the token budget of a task; lines at 0.1, 0.3, 0.5, 0.7, 0.9. Left: one task; discs are"
        " simulated, in the colours of the map. Right:"
        " uniform over 8 values of L0 and 50 of m. Circles on the right: the point of least lifetime compute for each"
        " level of accuracy, with 10^9 inference tasks at their expected tokens.",
        {"": figure},
        sheet,
        found,
    )


def simulate(sheet: Sheet, axes, options: Options) -> None:
    """Discs on the left map."""
    for compute in options.pick((1e19, 1e20, 1e21, 1e22, 1e23, 1e25), (1e21, 1e23)):
        n = np.sqrt(compute / 6 / KAPPA)
        r = float(step_success(loss(n, KAPPA * n), EASE))
        steps = np.array(options.pick((12, 30, 80, 250, 800, 2500, 8000), (30, 250)))
        tally = walk(chain_task(SKILLS, r, steps), options, options.pick(50_000, 2_000))
        points = success_points(tally, steps, chain.success(SKILLS, r, steps))
        style.spots(axes, np.full(len(steps), compute), steps * OMEGA, points.value, (0, 1), size=34)
        for i, k in enumerate(steps):
            sheet.points("one task", "accuracy", "training_flops", [compute], "accuracy", points[i : i + 1],
                         y_name="budget_tokens", y=int(k) * OMEGA)  # fmt: skip


def cheapest(sheet: Sheet, axes, compute, steps, accuracy, lifetime) -> list[str]:
    """Least lifetime compute per level, marked on the map."""
    found, at, needed = [], [], []
    for level in LEVELS[:-1]:
        cost = np.where(accuracy >= level, lifetime, np.inf)
        i, j = np.unravel_index(np.argmin(cost), cost.shape)
        if not np.isfinite(cost[i, j]):
            continue
        at.append((compute[j], steps[i] * OMEGA))
        needed.append(cost[i, j])
        share = 1 - compute[j] / cost[i, j]
        found.append(
            f"Accuracy {level:g} needs at least {cost[i, j]:.2g} FLOPs over a lifetime of 10^9 tasks with D = 20 N:"
            f" {compute[j]:.2g} for training and a budget of {steps[i] * OMEGA:,.0f} tokens; inference takes"
            f" {share:.0%}."
        )
        sheet.add("mixture", "cheapest", "theory", x_name="training_flops", x=compute[j], y_name="budget_tokens",
                  y=float(steps[i] * OMEGA), value_name="lifetime_flops", value=cost[i, j])  # fmt: skip
    x, y = zip(*at, strict=True)
    axes.plot(x, y, marker="o", color="white", markersize=6, markerfacecolor="none", linewidth=1.0, linestyle=":")
    return found
