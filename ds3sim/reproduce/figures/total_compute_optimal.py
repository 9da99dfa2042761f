"""Model size and data where the inference demand is fixed, docs/theory.md section 8."""

from __future__ import annotations

import numpy as np

from ds3sim.allocate.solve import Problem, solve
from ds3sim.core.figure import line
from ds3sim.report.points import joined
from ds3sim.report.style import key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import chain_points
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain
from ds3sim.theory.difficulty import Difficulty
from ds3sim.theory.loss import CONSTANTS, loss, step_success
from ds3sim.theory.spending import Box

DEMANDS = (0.0, 1e12, 1e13, 1e14)
SKILLS, EASE, STEPS = 10, 2.2, 25
TASK_DEMAND = 1e13


def optima(compute: np.ndarray, demand: float) -> tuple[np.ndarray, np.ndarray]:
    """N and D of the least loss at 6 N D + 2 N D_inf = C, for every C."""
    problem = Problem(Difficulty.grid([EASE], [SKILLS]), box=Box((1e5, 1e16), (1e5, 1e18)))
    found = [solve(problem, float(c), "fixed_demand", demand_tokens=demand) for c in compute]
    return np.array([f.parameters for f in found]), np.array([f.training_tokens for f in found])


def brute(compute: np.ndarray, demand: float) -> np.ndarray:
    """The least loss over a fine list of N: an independent check."""
    n = np.geomspace(1e4, 1e14, 200_001)
    out = []
    for c in compute:
        d = (c - 2 * n * demand) / (6 * n)
        out.append(loss(n[d > 0], d[d > 0]).min())
    return np.array(out)


def draw(options: Options) -> Drawing:
    """N and D/N against compute for several demands; what it means for a task."""
    sheet = Sheet()
    left, middle, right = sheet.panels(
        (12.6, 4.1),
        ("size", "lifetime_flops", "parameters"),
        ("data", "lifetime_flops", "training_tokens"),
        ("task", "lifetime_flops", "success"),
    )
    compute = np.geomspace(1e20, 1e27, options.pick(57, 12))
    at, worst = int(np.argmin(abs(compute - 1e23))), 0.0
    for i, demand in enumerate(DEMANDS):
        n, d = optima(compute, demand)
        label = "no inference" if demand == 0 else rf"$10^{{{round(np.log10(demand))}}}$ tokens"
        left.curve(f"demand={demand:g}", compute, n, i, label)
        line(middle.axes, compute, d / n, i)
        middle.write(f"demand={demand:g}", compute, d)
        worst = max(worst, float(np.max(loss(n, d) / brute(compute, demand) - 1)))
        slope, error, _, _ = fitted_line(np.log(compute), np.log(n))
        sheet.found.append(
            f"Demand {demand:g} tokens: N ∝ C^({slope:.3f} ± {error:.3f}) over 10^20 to 10^27; near 10^23 FLOPs N ="
            f" {n[at]:.3g}, D/N = {d[at] / n[at]:.3g}."
        )
    c = CONSTANTS["hoffmann"]
    sheet.found.append(
        f"Without inference the exponent is β/(α+β) = {c.beta / (c.alpha + c.beta):.4f} exactly. The solver's loss is"
        f" above that of a list of 200,001 sizes by at most {worst:.1e}, relative."
    )
    left.frame("Lifetime compute C (FLOPs)", "Parameters N", "xy", "Best size for a fixed inference demand")
    middle.frame("Lifetime compute C (FLOPs)", "Training tokens per parameter, D/N", "xy", "Best data")
    middle.level(20, alpha=1.0, linestyle=(0, (1, 2)))
    middle.axes.annotate("D/N = 20", (compute[0], 20), xytext=(0, 3), textcoords="offset points", fontsize=8.5)
    left.legend()
    on_a_task(right, options)
    return sheet.drawing(
        "Fixed inference demand",
        "Model size and training tokens of least loss (24) when 6 N D + 2 N D_inf = C, for several lifetime demands of"
        f" inference tokens. Right: success of a task of {SKILLS} skills (L0 = {EASE:g}, b = 5, {STEPS} steps) with"
        " the models that are best for a demand of 10^13 tokens, and with D = 20 N at the same lifetime compute and"
        " demand; points simulated with 95% intervals. Constants of the paper.",
    )


def on_a_task(panel: Panel, options: Options) -> None:
    """Success of a task with the optimal and with the Chinchilla model."""
    compute = np.geomspace(1e22, 5e23, options.pick(41, 9))
    # 6 kappa N^2 + 2 N D_inf = C
    n = (-2 * TASK_DEMAND + np.sqrt(4 * TASK_DEMAND**2 + 480 * compute)) / 240
    pairs = (("best for the demand", *optima(compute, TASK_DEMAND)), ("D = 20 N", n, 20 * n))
    some = np.unique(np.linspace(0, len(compute) - 1, options.pick(8, 3)).astype(int))
    values = []
    for i, (label, size, data) in enumerate(pairs):
        rate = step_success(loss(size, data), EASE)
        values.append(chain.success(SKILLS, rate, STEPS))
        panel.curve(label, compute, values[i], i, label)
        parts = [chain_points(SKILLS, float(rate[j]), STEPS, options, options.pick(100_000, 4_000)) for j in some]
        panel.points(label, compute[some], joined(parts), i)
    panel.frame("Lifetime compute C (FLOPs)", "Success probability", "x", r"A task at a demand of $10^{13}$ tokens",
                share=True)  # fmt: skip
    panel.legend(key("simulation", points=True))
    gap = values[0] - values[1]
    panel.sheet.found.append(
        f"With a demand of 10^13 tokens the best model is up to {gap.max():.3f} more successful than D = 20 N at the"
        f" same lifetime compute (at {compute[np.argmax(gap)]:.2g} FLOPs)."
    )
