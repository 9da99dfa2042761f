"""The best use of a lifetime's compute against D = 20 N, docs/theory.md section 8."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.simulated import mixture_points

DEMAND = 1e9
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


def make(options: Options) -> Drawing:
    """N, D, tokens, D/N, inference share, accuracy with simulation, gap, extra compute."""
    from ds3sim.allocate.curves import compare, exponents
    from ds3sim.allocate.solve import Problem
    from ds3sim.theory.difficulty import Mixture

    ease = np.linspace(0.1, 4.0, 8)
    problem = Problem(Mixture.grid(ease, np.arange(1, 51)), demand=DEMAND)
    compute = np.geomspace(1e19, 3e24, options.pick(17, 4))
    pairs = [compare(problem, float(c)) for c in compute]
    results = ([p.best for p in pairs], [p.tied for p in pairs])
    sheet = Sheet()
    figure, axes = style.canvas(2, 4, (14.4, 7.2))
    for panel, (key, label) in zip(axes.flat, QUANTITIES, strict=False):
        for i, (name, found) in enumerate(zip(SERIES, results, strict=True)):
            values = np.array([getattr(f, key) for f in found], dtype=np.float64)
            style.line(panel, compute, values, i, name)
            held = np.array([bool(f.bounds) for f in found])
            panel.plot(
                compute[held], values[held], "o", color=style.colour(i), markerfacecolor=style.PAPER, markersize=4
            )
            sheet.curve(key, name, "lifetime_flops", compute, key, values)
        panel.set_ylabel(label)
        style.logarithmic(panel, "x" if key == "inference_share" else "xy")
    axes[1, 0].set_ylim(0, 1.03)
    accuracy(sheet, axes[1, 1], problem, compute, results, options)
    gap = np.array([p.gap for p in pairs])
    extra = np.array([np.nan if p.extra_compute is None else p.extra_compute for p in pairs])
    for panel, values, key, label in (
        (axes[1, 2], gap, "accuracy_gap", "Accuracy gap"),
        (axes[1, 3], extra, "extra_compute", "Extra compute at equal accuracy (times)"),
    ):
        style.line(panel, compute, values, 2, linestyle="solid")
        sheet.curve(key, "global against D = 20 N", "lifetime_flops", compute, key, values)
        panel.set_ylabel(label)
        style.logarithmic(panel, "xy" if key == "extra_compute" and np.nanmax(extra) > 8 else "x")
        panel.set_ylim(bottom=0 if key == "accuracy_gap" else None)
    for panel in axes[1]:
        panel.set_xlabel("Lifetime compute C (FLOPs)")
    style.legend(axes[0, 0])
    found = []
    for name, each in zip(SERIES, results, strict=True):
        slopes = exponents(each)
        words = {"parameters": "N", "training_tokens": "D", "tokens_per_task": "tokens", "kappa": "D/N"}
        parts = [
            f"{words[k]} ∝ C^({s.value:.3f}{'' if s.error is None else f' ± {s.error:.3f}'})"
            for k, s in slopes.items()
            if s is not None
        ]
        if parts:
            inside = sum(1 for e in each if not e.bounds and not e.saturated)
            found.append(f"{name}, over {inside} optima that no bound of the search holds back: {', '.join(parts)}.")
    for target in (1e20, 1e22, 1e24):
        j = int(np.argmin(abs(np.log(compute / target))))
        best, tied = results[0][j], results[1][j]
        more = "more than can be had" if np.isnan(extra[j]) else f"{extra[j]:.2f} times the compute"
        found.append(
            f"At {compute[j]:.2g} FLOPs over 10^9 tasks: N = {best.parameters:.2g}, D = {best.training_tokens:.2g},"
            f" {best.tokens_per_task:,.0f} tokens a task, inference {best.inference_share:.0%}, accuracy"
            f" {best.accuracy:.3f}; with D = 20 N accuracy {tied.accuracy:.3f}, and {more} for the same accuracy."
        )
    return Drawing(
        "allocation",
        "Lifetime compute: global optimum against Chinchilla",
        "The allocation of lifetime compute 6 N D + 2 N I Ω that maximises expected accuracy over 8 values of L0 (0.1"
        " to"
        " 4) and 50 of m, uniform, for I = 10^9 tasks at their expected tokens Ω; and the same with D = 20 N. Open"
        " circles:"
        " held back by the bounds of the search (N and D within 10^7 and 10^14). Points: accuracy simulated over all"
        " 400"
        f" kinds of task, with 95% intervals, where the budget is at most {MOST_WALKED:,} steps. Extra compute: what"
        " D = 20 N needs to be as accurate. Constants of the paper.",
        {"": figure},
        sheet,
        found,
    )


def accuracy(sheet: Sheet, axes, problem, compute, results, options: Options) -> None:
    """Expected accuracy with simulated points."""
    from ds3sim.theory.difficulty import Mixture

    for i, (name, found) in enumerate(zip(SERIES, results, strict=True)):
        values = np.array([f.accuracy for f in found])
        style.line(axes, compute, values, i)
        sheet.curve("accuracy", name, "lifetime_flops", compute, "accuracy", values)
        some = [j for j in range(i, len(found), options.pick(3, 2)) if 0 < (found[j].steps or 0) <= MOST_WALKED]
        for j in some[: options.pick(6, 1)]:
            mixture = problem.tasks
            if options.quick:  # a few of the tasks, compared with the same few
                mixture = Mixture(mixture.ease[::57], mixture.skills[::57], mixture.weights[::57], mixture.bridge)
            points = mixture_points(mixture, found[j].loss, found[j].steps, options, options.pick(1_000, 500))
            if not options.quick:
                style.dots(axes, compute[j : j + 1], points, i)
            sheet.points("accuracy", name, "lifetime_flops", compute[j], "accuracy", points)
    axes.set(ylabel="Expected accuracy", ylim=(-0.03, 1.03))
    style.logarithmic(axes)
    style.legend(axes, [style.key("simulation", points=True)], where="upper left")
