"""Predictions (a) accuracy is linear in log compute, and (c) reasoning goes on where parameter scaling has ended."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import joined
from ds3sim.reproduce.drawing import Options, Sheet
from ds3sim.reproduce.simulated import chain_task, mixture_points, success_points, walk, whole_budgets
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain
from ds3sim.theory.loss import loss, step_success

OMEGA = 25
PARAMETERS, TOKENS = 1e9, 2e10
SHAPES = (1, 2, 3, 4, 6, 9, 13, 20, 30, 45)
BAND = 0.01
"""How far accuracy may be from a straight line to count as on it."""


def log_linear(sheet: Sheet, axes, options: Options):
    """(a) The longest range of compute over which accuracy is within ``BAND`` of a straight line."""
    from ds3sim.theory.difficulty import Mixture

    mixture = Mixture.grid(np.linspace(0.1, 4.0, 24), SHAPES)
    level = float(loss(PARAMETERS, TOKENS))
    steps = whole_budgets(1, 1e8, options.pick(150, 60))
    value = mixture.success(level, steps)
    flops = 2 * PARAMETERS * OMEGA * steps
    style.line(axes, flops, value, 0, "theory: 240 kinds of task", linestyle="solid")
    sheet.curve("a", "accuracy", "flops", flops, "accuracy", value)
    x = np.log10(flops)
    # The allocation study's own mixture: a line over far less. The range depends on the mixture.
    study = Mixture.grid(np.linspace(0.1, 4.0, 8), range(1, 51)).success(level, steps)
    style.line(axes, flops, study, 2, "theory: the allocation study's 400 tasks", linestyle="dotted")
    sheet.curve("a", "accuracy of the study's mixture", "flops", flops, "accuracy", study)
    study_low, study_high = longest_line(x, study, BAND)
    study_decades = float(x[study_high - 1] - x[study_low])
    low, high = longest_line(x, value, BAND)
    slope, error, intercept, r2 = fitted_line(x[low:high], value[low:high])
    ends = x[[low, high - 1]]
    axes.plot(
        10**ends, intercept + slope * ends, color=style.colour(1), linestyle=style.dash(1), linewidth=3, alpha=0.6,
        label=f"line: {slope:.3f} a decade, R² = {r2:.4f}",
    )  # fmt: skip
    sheet.curve("a", "line", "flops", 10**ends, "accuracy", intercept + slope * ends, "fit")
    at = np.array(options.pick((5, 12, 30, 80, 200, 600, 2000, 6000), (12, 200)))
    few = mixture
    if options.quick:  # a few of the tasks, compared with the same few
        few = Mixture(mixture.ease[::23], mixture.skills[::23], mixture.weights[::23])
    points = mixture_points(few, level, at, options, options.pick(500, 300))
    if not options.quick:
        style.dots(axes, 2 * PARAMETERS * OMEGA * at, points, 0, "simulation")
    sheet.points("a", "accuracy", "flops", 2 * PARAMETERS * OMEGA * at, "accuracy", points)
    axes.set(xlabel="Compute of one task (FLOPs)", ylabel="Accuracy", ylim=(-0.03, 1.03))
    style.logarithmic(axes)
    style.legend(axes)
    decades = float(ends[1] - ends[0])
    return (
        "Accuracy of a model of 10^9 parameters over 24 values of L0 (0.1 to 4) and 10 of m (1 to 45) against the"
        " compute of a task;"
        f" the line is the longest on which accuracy stays within ±{BAND:g}. How long it is depends on the mixture of"
        " tasks: L0 has to be spread evenly and finely, and m over decades. This mixture was chosen so.",
        [
            f"Accuracy is within {BAND:g} of a straight line in log compute over {decades:.1f} decades"
            f" ({value[low]:.2f} to {value[high - 1]:.2f}): {slope:.4f} ± {error:.4f} a decade, R² = {r2:.5f}.",
            "With the allocation study's mixture (8 values of L0, m = 1..50) it is within the same band over"
            f" {study_decades:.1f} decades only.",
        ],
    )


def longest_line(x, y, band: float) -> tuple[int, int]:
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


def plateau(sheet: Sheet, axes, options: Options):
    """(c) Success against N at fixed data, for direct answers (K = m) and with reasoning."""
    size = np.geomspace(1e8, 1e14, options.pick(121, 31))
    rate = step_success(loss(size, DATA), EASE)
    limit = float(step_success(loss(np.inf, DATA), EASE))
    few = np.geomspace(1e8, 1e14, options.pick(13, 4))
    at = int(np.argmin(abs(np.log(few / 1e10))))
    found = []
    for i, k in enumerate(BUDGETS):
        label = f"K = {k}" + (" = m, no step to spare" if k == SKILLS else f" steps ({k * OMEGA:,} tokens)")
        value = chain.success(SKILLS, rate, k)
        style.line(axes, size, value, i, label)
        sheet.curve("c", f"K={k}", "parameters", size, "success", value)
        parts = []
        for n in few:
            r = float(step_success(loss(n, DATA), EASE))
            tally = walk(chain_task(SKILLS, r, k), options, options.pick(100_000, 4_000))
            parts.append(success_points(tally, k, chain.success(SKILLS, r, k)))
        points = joined(parts)
        style.dots(axes, few, points, i)
        sheet.points("c", f"K={k}", "parameters", few, "success", points)
        top = float(chain.success(SKILLS, limit, k))
        axes.plot([size[0], size[-1]], [top, top], color=style.colour(i), linewidth=0.8, alpha=0.6, zorder=1)
        small, error = points.value[at], float(np.sqrt(points.value[at] * (1 - points.value[at]) / points.traces))
        found.append(
            f"K = {k}: N from 10^10 to infinity raises success from {small:.4f} ± {error:.4f} (simulated) to {top:.4f}."
        )
    axes.set(xlabel="Parameters N", ylabel="Success probability", ylim=(-0.03, 1.03))
    style.logarithmic(axes)
    style.legend(axes, where="above", columns=2)
    return (
        f"Success of a task of {SKILLS} skills (L0 = {EASE:g}) against model size with 10^11 training tokens. With no"
        " step"
        " to spare it ends on a low plateau (thin lines: N infinite); a few steps more bring the ability out.",
        found,
    )
