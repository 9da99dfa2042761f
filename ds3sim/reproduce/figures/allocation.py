"""The best use of compute, docs/theory.md section 8: contours, fixed demand, the global optimum, free training."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.allocate.curves import compare, exponents, inference_map
from ds3sim.allocate.solve import Problem, solve
from ds3sim.core.figure import LIGHT, colour, dash, line
from ds3sim.report.points import joined
from ds3sim.report.style import colour_bar, key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import chain_points, every, mixture_points, whole_budgets
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain
from ds3sim.theory.chain_table import study_grid
from ds3sim.theory.difficulty import Bridge, Difficulty
from ds3sim.theory.loss import CONSTANTS, loss, step_success
from ds3sim.theory.spending import Box

MAP_SKILLS, MAP_EASE = 10, 2.5
KAPPA, DEMAND, OMEGA = 20.0, 1e9, 25
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)


def draw_accuracy_contours(options: Options) -> Drawing:
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
    single, mixed = chain.success(MAP_SKILLS, step_success(model_loss, MAP_EASE), steps[:, None]), means[0].T
    lifetime = compute + 2 * parameters * DEMAND * OMEGA * means[1].T
    titles = (f"One task: {MAP_SKILLS} skills, L0 = {MAP_EASE:g}", "Mixture: L0 = 0.1 to 4, m = 1 to 50")
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
        r = float(step_success(loss(n, KAPPA * n), MAP_EASE))
        points = chain_points(MAP_SKILLS, r, steps, options, options.pick(50_000, 2_000))
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


def draw_total_compute_optimal(options: Options) -> Drawing:
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


MOST_WALKED = 3_000
"""Largest budget, in steps, at which the accuracy is simulated."""
SERIES = ("global optimum", "D = 20 N")
QUANTITIES = (
    ("parameters", "Parameters N"),
    ("training_tokens", "Training tokens D"),
    ("tokens_per_task", "Expected tokens of a task"),
    ("kappa", "D/N"),
    ("inference_share", "Inference share of compute"),
)


def draw_allocation(options: Options) -> Drawing:
    """N, D, tokens, D/N, inference share, accuracy with simulation, gap, extra compute."""
    problem = Problem(Difficulty.grid(np.linspace(0.1, 4.0, 8), np.arange(1, 51)), demand=DEMAND)
    compute = np.geomspace(1e19, 3e24, options.pick(17, 4))
    pairs = [compare(problem, float(c)) for c in compute]
    results = ([p.best for p in pairs], [p.tied for p in pairs])
    sheet = Sheet()
    names = [*(name for name, _ in QUANTITIES), "accuracy", "accuracy_gap", "extra_compute"]
    panels = sheet.panels((14.4, 7.2), *((name, "lifetime_flops", name) for name in names), rows=2)
    for panel, (quantity, label) in zip(panels, QUANTITIES, strict=False):
        for i, (name, found) in enumerate(zip(SERIES, results, strict=True)):
            values = np.array([getattr(f, quantity) for f in found], dtype=np.float64)
            panel.curve(name, compute, values, i, name)
            held = np.array([bool(f.bounds) for f in found])
            panel.axes.plot(
                compute[held], values[held], "o", color=colour(i), markerfacecolor=LIGHT.paper, markersize=4
            )
        panel.frame("", label, "x" if quantity == "inference_share" else "xy", share=quantity == "inference_share")
    panels[4].axes.set_ylim(0, 1.03)
    accuracy(panels[5], problem, compute, results, options)
    gap = np.array([p.gap for p in pairs])
    extra = np.array([np.nan if p.extra_compute is None else p.extra_compute for p in pairs])
    for panel, values in zip(panels[6:], (gap, extra), strict=True):
        panel.curve("global against D = 20 N", compute, values, 2, linestyle="solid")
    panels[6].frame("", "Accuracy gap", "x")
    panels[6].axes.set_ylim(bottom=0)
    panels[7].frame("", "Extra compute at equal accuracy (times)", "xy" if np.nanmax(extra) > 8 else "x")
    for panel in panels[4:]:
        panel.axes.set_xlabel("Lifetime compute C (FLOPs)")
    panels[0].legend()
    sheet.found += [*slopes(results), *examples(compute, results, extra)]
    return sheet.drawing(
        "Lifetime compute: global optimum against Chinchilla",
        "The allocation of lifetime compute 6 N D + 2 N I Ω that maximises expected accuracy over 8 values of L0 (0.1"
        " to 4) and 50 of m, uniform, for I = 10^9 tasks at their expected tokens Ω; and the same with D = 20 N. Open"
        " circles: held back by the bounds of the search (N and D within 10^7 and 10^14). Points: accuracy simulated"
        f" over all 400 kinds of task, with 95% intervals, where the budget is at most {MOST_WALKED:,} steps. Extra"
        " compute: what D = 20 N needs to be as accurate. Constants of the paper.",
    )


def accuracy(panel: Panel, problem: Problem, compute: np.ndarray, results: tuple[Any, ...], options: Options) -> None:
    """Expected accuracy with simulated points."""
    for i, (name, found) in enumerate(zip(SERIES, results, strict=True)):
        panel.curve(name, compute, np.array([f.accuracy for f in found]), i)
        some = [j for j in range(i, len(found), options.pick(3, 2)) if 0 < (found[j].steps or 0) <= MOST_WALKED]
        for j in some[: options.pick(6, 1)]:
            if options.quick:  # a few of the tasks, compared with the same few
                points = mixture_points(every(problem.tasks, 57), found[j].loss, found[j].steps, options, 500)
                panel.write_points(name, compute[j], points)
            else:
                points = mixture_points(problem.tasks, found[j].loss, found[j].steps, options, 1_000)
                panel.points(name, compute[j : j + 1], points, i)
    panel.frame("", "Expected accuracy", "x", share=True)
    panel.legend(key("simulation", points=True), where="upper left")


def slopes(results: tuple[Any, ...]) -> list[str]:
    """The exponents in the lifetime compute, one sentence each for the optimum and the rule."""
    words = {"parameters": "N", "training_tokens": "D", "tokens_per_task": "tokens", "kappa": "D/N"}
    out = []
    for name, each in zip(SERIES, results, strict=True):
        found = {words[k]: s for k, s in exponents(each).items() if s is not None}
        said = [f"{k} ∝ C^({s.value:.3f}{'' if s.error is None else f' ± {s.error:.3f}'})" for k, s in found.items()]
        if said:
            inside = sum(1 for e in each if not e.bounds and not e.saturated)
            out.append(f"{name}, over {inside} optima that no bound of the search holds back: {', '.join(said)}.")
    return out


def examples(compute: np.ndarray, results: tuple[Any, ...], extra: np.ndarray) -> list[str]:
    """What the optimum is near three amounts of compute."""
    out = []
    for target in (1e20, 1e22, 1e24):
        j = int(np.argmin(abs(np.log(compute / target))))
        best, tied = results[0][j], results[1][j]
        more = "more than can be had" if np.isnan(extra[j]) else f"{extra[j]:.2f} times the compute"
        out.append(
            f"At {compute[j]:.2g} FLOPs over 10^9 tasks: N = {best.parameters:.2g}, D = {best.training_tokens:.2g},"
            f" {best.tokens_per_task:,.0f} tokens a task, inference {best.inference_share:.0%}, accuracy"
            f" {best.accuracy:.3f}; with D = 20 N accuracy {tied.accuracy:.3f}, and {more} for the same accuracy."
        )
    return out


TASKS = ((5, 2.5), (20, 2.0), (50, 1.8))
"""(m, L0) of the panel with simulation."""
BRIDGE = Bridge(b=20.0)
LONGEST_WALK = 4_000


def draw_inference_optimal(options: Options) -> Drawing:
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
