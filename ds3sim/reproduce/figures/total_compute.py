"""Model size and training tokens where the inference demand is fixed, docs/theory.md section 8."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import joined
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.simulated import chain_task, success_points, walk
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain
from ds3sim.theory.loss import CONSTANTS, loss, step_success

DEMANDS = (0.0, 1e12, 1e13, 1e14)
SKILLS, EASE, STEPS = 10, 2.2, 25
TASK_DEMAND = 1e13


def optima(compute, demand: float):
    """N and D of the least loss at 6 N D + 2 N D_inf = C, for every C."""
    from ds3sim.allocate.solve import Problem, solve
    from ds3sim.theory.difficulty import Mixture
    from ds3sim.theory.spending import Box

    problem = Problem(Mixture.grid([EASE], [SKILLS]), box=Box((1e5, 1e16), (1e5, 1e18)))
    found = [solve(problem, float(c), "fixed_demand", demand_tokens=demand) for c in compute]
    return np.array([f.parameters for f in found]), np.array([f.training_tokens for f in found])


def brute(compute, demand: float) -> np.ndarray:
    """The least loss over a fine list of N: an independent check."""
    n = np.geomspace(1e4, 1e14, 200_001)
    out = []
    for c in compute:
        d = (c - 2 * n * demand) / (6 * n)
        out.append(loss(n[d > 0], d[d > 0]).min())
    return np.array(out)


def make(options: Options) -> Drawing:
    """N and D/N against compute for several demands; what it means for a task."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 3, (12.6, 4.1))
    left, middle, right = axes[0]
    compute = np.geomspace(1e20, 1e27, options.pick(57, 12))
    found, worst = [], 0.0
    for i, demand in enumerate(DEMANDS):
        n, d = optima(compute, demand)
        label = "no inference" if demand == 0 else rf"$10^{{{round(np.log10(demand))}}}$ tokens"
        style.line(left, compute, n, i, label)
        style.line(middle, compute, d / n, i, label)
        sheet.curve("size", f"demand={demand:g}", "lifetime_flops", compute, "parameters", n)
        sheet.curve("data", f"demand={demand:g}", "lifetime_flops", compute, "training_tokens", d)
        worst = max(worst, float(np.max(loss(n, d) / brute(compute, demand) - 1)))
        slope, error, _, _ = fitted_line(np.log(compute), np.log(n))
        at = int(np.argmin(abs(compute - 1e23)))
        found.append(
            f"Demand {demand:g} tokens: N ∝ C^({slope:.3f} ± {error:.3f}) over 10^20 to 10^27; near 10^23 FLOPs"
            f" N = {n[at]:.3g}, D/N = {d[at] / n[at]:.3g}."
        )
    c = CONSTANTS["hoffmann"]
    found.append(
        f"Without inference the exponent is β/(α+β) = {c.beta / (c.alpha + c.beta):.4f} exactly. The solver's loss is"
        " above"
        f" that of a list of 200,001 sizes by at most {worst:.1e}, relative."
    )
    left.set(xlabel="Lifetime compute C (FLOPs)", ylabel="Parameters N")
    middle.set(xlabel="Lifetime compute C (FLOPs)", ylabel="Training tokens per parameter, D/N")
    middle.axhline(20, color=style.INK, linewidth=0.8, linestyle=(0, (1, 2)))
    middle.annotate("D/N = 20", (compute[0], 20), xytext=(0, 3), textcoords="offset points", fontsize=8.5)
    for each in (left, middle):
        style.logarithmic(each, "xy")
    style.title(left, "Best size for a fixed inference demand")
    style.title(middle, "Best data")
    style.legend(left)
    found.append(on_a_task(sheet, right, compute, options))
    return Drawing(
        "total-compute-optimal",
        "Fixed inference demand",
        "Model size and training tokens of least loss (24) when 6 N D + 2 N D_inf = C, for several lifetime demands of"
        f" inference tokens. Right: success of a task of {SKILLS} skills (L0 = {EASE:g}, b = 5, {STEPS} steps) with the"
        " models that are best for a demand of 10^13 tokens, and with D = 20 N at the same lifetime compute and demand;"
        " points simulated with 95% intervals. Constants of the paper.",
        {"": figure},
        sheet,
        found,
    )


def on_a_task(sheet: Sheet, axes, compute, options: Options) -> str:
    """Success of a task with the optimal and with the Chinchilla model."""
    compute = np.geomspace(1e22, 5e23, options.pick(41, 9))
    demand = TASK_DEMAND
    best = optima(compute, demand)
    # 6 kappa N^2 + 2 N D_inf = C
    n = (-2 * demand + np.sqrt(4 * demand**2 + 480 * compute)) / 240
    pairs = (("best for the demand", *best), ("D = 20 N", n, 20 * n))
    gaps = []
    for i, (label, size, data) in enumerate(pairs):
        rate = step_success(loss(size, data), EASE)
        value = chain.success(SKILLS, rate, STEPS)
        gaps.append(value)
        style.line(axes, compute, value, i, label)
        sheet.curve("task", label, "lifetime_flops", compute, "success", value)
        some = np.unique(np.linspace(0, len(compute) - 1, options.pick(8, 3)).astype(int))
        parts = []
        for j in some:
            r = float(rate[j])
            tally = walk(chain_task(SKILLS, r, STEPS), options, options.pick(100_000, 4_000))
            parts.append(success_points(tally, STEPS, chain.success(SKILLS, r, STEPS)))
        points = joined(parts)
        style.dots(axes, compute[some], points, i)
        sheet.points("task", label, "lifetime_flops", compute[some], "success", points)
    axes.set(xlabel="Lifetime compute C (FLOPs)", ylabel="Success probability", ylim=(-0.03, 1.03))
    style.logarithmic(axes)
    style.title(axes, r"A task at a demand of $10^{13}$ tokens")
    style.legend(axes, [*axes.get_legend_handles_labels()[0], style.key("simulation", points=True)])
    gap = gaps[0] - gaps[1]
    return (
        f"With a demand of 10^13 tokens the best model is up to {gap.max():.3f} more successful than D = 20 N at the"
        " same"
        f" lifetime compute (at {compute[np.argmax(gap)]:.2g} FLOPs)."
    )
