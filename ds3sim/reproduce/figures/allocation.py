"""Lifetime compute: the global optimum against the Chinchilla rule, docs/theory.md section 8."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.allocate.curves import compare, exponents
from ds3sim.allocate.solve import Problem
from ds3sim.core.figure import LIGHT, colour
from ds3sim.report.style import key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import every, mixture_points
from ds3sim.theory.difficulty import Difficulty

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


def draw(options: Options) -> Drawing:
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
