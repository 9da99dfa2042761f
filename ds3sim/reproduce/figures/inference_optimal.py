"""Model size and tokens for one task where training is free: exponents over (m, L0), docs/theory.md section 8."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import joined
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.simulated import chain_task, success_points, walk, whole_budgets
from ds3sim.theory import chain

TASKS = ((5, 2.5), (20, 2.0), (50, 1.8))
"""(m, L0) of the panel with simulation."""
MOST_WALKED = 4_000


def make(options: Options) -> Drawing:
    """Two maps of exponents, and accuracy of three tasks at their optimum."""
    from ds3sim.allocate.curves import inference_map

    sheet = Sheet()
    figure, axes = style.canvas(1, 3, (13.4, 4.3))
    skills = options.pick(np.arange(1, 101), whole_budgets(1, 100, 7))
    ease = np.linspace(1.5, 3.0, options.pick(16, 4))
    result = inference_map(skills, ease)
    for panel, values, what in zip(axes[0], (result.parameters, result.tokens), ("parameters", "tokens"), strict=False):
        mesh = style.heat(panel, ease, skills, values, (0, 1))
        panel.contour(ease, skills, values, (0.1, 0.3, 0.5, 0.7, 0.9), colors="white", linewidths=0.7)
        panel.set(xlabel="Ease of the skill, L0 (nats)", ylabel="Skills m")
        panel.invert_xaxis()
        style.title(panel, f"Exponent of {what} in compute")
        style.colourbar(figure, mesh, panel, "")
        sheet.surface("map", f"exponent of {what}", "ease_nats", ease, "skills", skills, f"exponent_{what}", values)
    found = [
        f"Exponent of parameters: mean {result.parameters.mean():.3f} over the map, from"
        f" {result.parameters.min():.3f} to"
        f" {result.parameters.max():.3f} (the authors: about 0 to 1, mean near 0.37).",
        f"Exponent of tokens: mean {result.tokens.mean():.3f}, from {result.tokens.min():.3f} to"
        f" {result.tokens.max():.3f} (the authors: mean near 0.64). The largest standard error of a slope is"
        f" {np.nanmax(result.error):.3f}.",
        f"Points where the box of N holds the optimum back: {int(result.bounded.sum())} of {result.bounded.size}.",
        *tasks(sheet, axes[0, 2], options),
    ]
    return Drawing(
        "inference-optimal",
        "Inference-optimal size and tokens",
        "With unlimited training data and the compute C of one task, N maximises success with K = C/(2 N ω) steps."
        " Maps:"
        " exponents of N and of the tokens in C, fitted where success lies in (0.01, 0.99), over the number of skills"
        " and their ease (b = 20); white lines at 0.1, 0.3, 0.5, 0.7, 0.9. Right: success of three tasks at their"
        " optimum"
        " and, dashed, with a model twice as large; points simulated with 95% intervals, K a whole number.",
        {"": figure},
        sheet,
        found,
    )


def tasks(sheet: Sheet, axes, options: Options) -> list[str]:
    """Success against compute at the optimum, with simulation."""
    from ds3sim.allocate.solve import Problem, solve
    from ds3sim.theory.difficulty import Bridge, Mixture
    from ds3sim.theory.loss import loss
    from ds3sim.theory.spending import Box

    bridge, found = Bridge(b=20.0), []
    for i, (m, ease) in enumerate(TASKS):
        problem = Problem(Mixture.grid([ease], [m], bridge=bridge), box=Box((1e4, 1e16), (1e7, 1e14)))
        middle = _middle(problem, solve)
        compute = np.geomspace(middle / 2.5, middle * 2.5, options.pick(41, 9))
        best = [solve(problem, float(c), "inference_optimal") for c in compute]
        value = np.array([b.accuracy for b in best])
        label = f"m = {m}, L0 = {ease:g}"
        style.line(axes, compute, value, i, label, linestyle="solid")
        sheet.curve("tasks", label, "flops", compute, "success", value)
        size = np.array([b.parameters for b in best])
        sheet.curve("tasks", label, "flops", compute, "parameters", size)
        large = np.floor(compute / (2 * 2 * size * problem.tokens_per_step))
        other = chain.success(m, bridge.step_success(loss(2 * size, np.inf), ease), large)
        style.line(axes, compute, other, i, linestyle=style.dash(1), linewidth=1.0)
        sheet.curve("tasks", f"{label}, 2 N", "flops", compute, "success", other)
        some = np.arange(0, len(best), options.pick(5, 4))
        parts, kept = [], []
        for j in some:
            steps = int(best[j].steps or 0)
            if not 0 < steps <= MOST_WALKED:
                continue
            r = float(bridge.step_success(best[j].loss, ease))
            tally = walk(chain_task(m, r, steps), options, options.pick(100_000, 4_000))
            parts.append(success_points(tally, steps, chain.success(m, r, steps)))
            kept.append(j)
        if parts:
            points = joined(parts)
            style.dots(axes, compute[kept], points, i)
            sheet.points("tasks", label, "flops", compute[kept], "success", points)
        half = int(np.argmin(abs(value - 0.5)))
        found.append(
            f"{label}: success {value[half]:.2f} at {compute[half]:.2g} FLOPs a task, with N = {size[half]:.2g} and"
            f" {best[half].steps} steps; a model twice as large reaches {other[half]:.2f}."
        )
    axes.set(xlabel="Compute of one task (FLOPs)", ylabel="Success probability", ylim=(-0.03, 1.03))
    style.logarithmic(axes)
    style.legend(
        axes, [*axes.get_legend_handles_labels()[0], style.key("simulation", points=True)], where="above", columns=2
    )
    return found


def _middle(problem, solve) -> float:
    """The compute at which the optimum has success of about 1/2, by bisection in its logarithm."""
    low, high = np.log(1e8), np.log(1e22)
    for _ in range(24):
        at = (low + high) / 2
        try:
            enough = (solve(problem, float(np.exp(at)), "inference_optimal").accuracy or 0.0) >= 0.5
        except ValueError:  # too little for any model
            enough = False
        low, high = (low, at) if enough else (at, high)
    return float(np.exp(high))
