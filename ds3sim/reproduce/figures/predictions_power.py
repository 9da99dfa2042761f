"""Predictions (a) accuracy is linear in log compute, and (c) reasoning goes on where parameter scaling has ended."""

from __future__ import annotations

import numpy as np

from ds3sim.report.points import joined
from ds3sim.reproduce.drawing import Options, Panel
from ds3sim.reproduce.simulated import chain_points, every, mixture_points, whole_budgets
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain
from ds3sim.theory.difficulty import Mixture
from ds3sim.theory.loss import loss, step_success

OMEGA = 25
PARAMETERS, TOKENS = 1e9, 2e10
SHAPES = (1, 2, 3, 4, 6, 9, 13, 20, 30, 45)
BAND = 0.01
"""How far accuracy may be from a straight line to count as on it."""


def log_linear(panel: Panel, options: Options) -> str:
    """(a) The longest range of compute over which accuracy is within ``BAND`` of a straight line; the caption."""
    mixture = Mixture.grid(np.linspace(0.1, 4.0, 24), SHAPES)
    level = float(loss(PARAMETERS, TOKENS))
    steps = whole_budgets(1, 1e8, options.pick(150, 60))
    value = mixture.success(level, steps)
    flops = 2 * PARAMETERS * OMEGA * steps
    x = np.log10(flops)
    panel.curve("accuracy", flops, value, 0, "theory: 240 kinds of task", linestyle="solid")
    # The allocation study's own mixture: a line over far less. The range depends on the mixture.
    study = Mixture.grid(np.linspace(0.1, 4.0, 8), range(1, 51)).success(level, steps)
    panel.curve("accuracy of the study's mixture", flops, study, 2, "theory: the allocation study's 400 tasks",
                linestyle="dotted")  # fmt: skip
    first, last = longest_line(x, study, BAND)
    low, high = longest_line(x, value, BAND)
    slope, error, intercept, r2 = fitted_line(x[low:high], value[low:high])
    ends = x[[low, high - 1]]
    panel.curve("line", 10**ends, intercept + slope * ends, 1, f"line: {slope:.3f} a decade, R² = {r2:.4f}", "fit",
                linewidth=3, alpha=0.6)  # fmt: skip
    at = np.array(options.pick((5, 12, 30, 80, 200, 600, 2000, 6000), (12, 200)))
    spent = 2 * PARAMETERS * OMEGA * at
    if options.quick:  # a few of the tasks, compared with the same few
        panel.write_points("accuracy", spent, mixture_points(every(mixture, 23), level, at, options, 300))
    else:
        panel.points("accuracy", spent, mixture_points(mixture, level, at, options, 500), 0, "simulation")
    panel.frame("Compute of one task (FLOPs)", "Accuracy", "x", share=True)
    panel.legend()
    panel.sheet.found += [
        f"Accuracy is within {BAND:g} of a straight line in log compute over {ends[1] - ends[0]:.1f} decades"
        f" ({value[low]:.2f} to {value[high - 1]:.2f}): {slope:.4f} ± {error:.4f} a decade, R² = {r2:.5f}.",
        "With the allocation study's mixture (8 values of L0, m = 1..50) it is within the same band over"
        f" {x[last - 1] - x[first]:.1f} decades only.",
    ]
    return (
        "Accuracy of a model of 10^9 parameters over 24 values of L0 (0.1 to 4) and 10 of m (1 to 45) against the"
        f" compute of a task; the line is the longest on which accuracy stays within ±{BAND:g}. How long it is depends"
        " on the mixture of tasks: L0 has to be spread evenly and finely, and m over decades. This mixture was chosen"
        " so."
    )


def longest_line(x: np.ndarray, y: np.ndarray, band: float) -> tuple[int, int]:
    """[low, high) of the longest range of x whose least-squares line is within ``band`` of all its points, where y is
    not flat (between 0.02 and 0.98)."""
    inside = np.flatnonzero((y > 0.02) & (y < 0.98))
    best = (int(inside[0]), int(inside[0]) + 3)
    for low in inside:
        for high in range(int(inside[-1]) + 1, low + 3, -1):
            if x[high - 1] - x[low] <= x[best[1] - 1] - x[best[0]]:
                break
            slope, _, intercept, _ = fitted_line(x[low:high], y[low:high])
            if np.max(np.abs(y[low:high] - intercept - slope * x[low:high])) <= band:
                best = (int(low), high)
                break
    return best


SKILLS, EASE, DATA = 10, 2.2, 1e11
BUDGETS = (10, 13, 20, 50)


def plateau(panel: Panel, options: Options) -> str:
    """(c) Success against N at fixed data, for direct answers (K = m) and with reasoning; the caption."""
    size = np.geomspace(1e8, 1e14, options.pick(121, 31))
    few = np.geomspace(1e8, 1e14, options.pick(13, 4))
    rate, rates = (step_success(loss(n, DATA), EASE) for n in (size, few))
    limit = float(step_success(loss(np.inf, DATA), EASE))
    at = int(np.argmin(abs(np.log(few / 1e10))))
    for i, k in enumerate(BUDGETS):
        label = f"K = {k}" + (" = m, no step to spare" if k == SKILLS else f" steps ({k * OMEGA:,} tokens)")
        panel.curve(f"K={k}", size, chain.success(SKILLS, rate, k), i, label)
        points = joined([chain_points(SKILLS, r, k, options, options.pick(100_000, 4_000)) for r in rates])
        panel.points(f"K={k}", few, points, i)
        top = float(chain.success(SKILLS, limit, k))
        panel.level(top, i)
        small = points.value[at]
        panel.sheet.found.append(
            f"K = {k}: N from 10^10 to infinity raises success from {small:.4f} ±"
            f" {np.sqrt(small * (1 - small) / points.traces):.4f} (simulated) to {top:.4f}."
        )
    panel.frame("Parameters N", "Success probability", "x", share=True)
    panel.legend(where="above", columns=2)
    return (
        f"Success of a task of {SKILLS} skills (L0 = {EASE:g}) against model size with 10^11 training tokens. With no"
        " step to spare it ends on a low plateau (thin lines: N infinite); a few steps more bring the ability out."
    )
