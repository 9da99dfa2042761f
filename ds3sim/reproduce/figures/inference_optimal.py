"""The best size and tokens of one task where training is free, docs/theory.md section 8."""

from __future__ import annotations

import numpy as np

from ds3sim.allocate.curves import inference_map
from ds3sim.allocate.solve import Problem, solve
from ds3sim.core.figure import dash
from ds3sim.report.points import joined
from ds3sim.report.style import colour_bar, key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import chain_points, whole_budgets
from ds3sim.theory import chain
from ds3sim.theory.difficulty import Bridge, Difficulty
from ds3sim.theory.loss import loss
from ds3sim.theory.spending import Box

TASKS = ((5, 2.5), (20, 2.0), (50, 1.8))
"""(m, L0) of the panel with simulation."""
BRIDGE = Bridge(b=20.0)
LONGEST_WALK = 4_000


def draw(options: Options) -> Drawing:
    """Two maps of exponents, and accuracy of three tasks at their optimum."""
    sheet = Sheet()
    names = [("map", "ease_nats", "skills", f"exponent_{what}") for what in ("parameters", "tokens")]
    *maps, right = sheet.panels((13.4, 4.3), *names, ("tasks", "flops", "success"))
    skills = options.pick(np.arange(1, 101), whole_budgets(1, 100, 7))
    ease = np.linspace(1.5, 3.0, options.pick(16, 4))
    result = inference_map(skills, ease)
    for panel, values, what in zip(maps, (result.parameters, result.tokens), ("parameters", "tokens"), strict=True):
        mesh = panel.heat(f"exponent of {what}", ease, skills, values, (0, 1))
        panel.axes.contour(ease, skills, values, (0.1, 0.3, 0.5, 0.7, 0.9), colors="white", linewidths=0.7)
        panel.frame("Ease of the skill, L0 (nats)", "Skills m", title=f"Exponent of {what} in compute")
        panel.axes.invert_xaxis()
        colour_bar(sheet.figures[""], mesh, panel.axes, "")
    n, tokens = result.parameters, result.tokens
    sheet.found += [
        f"Exponent of parameters: mean {n.mean():.3f} over the map, from {n.min():.3f} to {n.max():.3f} (the authors:"
        " about 0 to 1, mean near 0.37).",
        f"Exponent of tokens: mean {tokens.mean():.3f}, from {tokens.min():.3f} to {tokens.max():.3f} (the authors:"
        f" mean near 0.64). The largest standard error of a slope is {np.nanmax(result.error):.3f}.",
        f"Points where the box of N holds the optimum back: {int(result.bounded.sum())} of {result.bounded.size}.",
    ]
    for i, (m, l0) in enumerate(TASKS):
        at_optimum(right, i, m, l0, options)
    right.frame("Compute of one task (FLOPs)", "Success probability", "x", share=True)
    right.legend(key("simulation", points=True), where="above", columns=2)
    return sheet.drawing(
        "Inference-optimal size and tokens",
        "With unlimited training data and the compute C of one task, N maximises success with K = C/(2 N ω) steps."
        " Maps: exponents of N and of the tokens in C, fitted where success lies in (0.01, 0.99), over the number of"
        " skills and their ease (b = 20); white lines at 0.1, 0.3, 0.5, 0.7, 0.9. Right: success of three tasks at"
        " their optimum and, dashed, with a model twice as large; points simulated with 95% intervals, K a whole"
        " number.",
    )


def at_optimum(panel: Panel, i: int, m: int, ease: float, options: Options) -> None:
    """Success of one task against compute at the optimum, with simulation, and with a model twice as large."""
    problem = Problem(Difficulty.grid([ease], [m], bridge=BRIDGE), box=Box((1e4, 1e16), (1e7, 1e14)))
    middle = half_way(problem)
    compute = np.geomspace(middle / 2.5, middle * 2.5, options.pick(41, 9))
    best = [solve(problem, float(c), "inference_optimal") for c in compute]
    value, size = np.array([b.accuracy for b in best]), np.array([b.parameters for b in best])
    label = f"m = {m}, L0 = {ease:g}"
    panel.curve(label, compute, value, i, label, linestyle="solid")
    panel.write(label, compute, size, name="parameters")
    steps = np.floor(compute / (2 * 2 * size * problem.tokens_per_step))
    other = chain.success(m, BRIDGE.step_success(loss(2 * size, np.inf), ease), steps)
    panel.curve(f"{label}, 2 N", compute, other, i, linestyle=dash(1), linewidth=1.0)
    kept = [j for j in range(0, len(best), options.pick(5, 4)) if 0 < int(best[j].steps or 0) <= LONGEST_WALK]
    traces = options.pick(100_000, 4_000)
    rates = [float(BRIDGE.step_success(best[j].loss, ease)) for j in kept]
    parts = [chain_points(m, r, int(best[j].steps or 0), options, traces) for j, r in zip(kept, rates, strict=True)]
    if parts:
        panel.points(label, compute[kept], joined(parts), i)
    half = int(np.argmin(abs(value - 0.5)))
    panel.sheet.found.append(
        f"{label}: success {value[half]:.2f} at {compute[half]:.2g} FLOPs a task, with N = {size[half]:.2g} and"
        f" {best[half].steps} steps; a model twice as large reaches {other[half]:.2f}."
    )


def half_way(problem: Problem) -> float:
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
