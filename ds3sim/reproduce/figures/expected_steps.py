"""Expected steps (3), and what others use in its place: min(m/r, K) and a Gaussian approximation."""

from __future__ import annotations

import numpy as np

from ds3sim.core.figure import dash, dots, line
from ds3sim.report.style import key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import chain_task, steps_points, walk, whole_budgets
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain

SKILLS = (1, 10, 50)
SUCCESS = 0.1
RATES = (0.01, 0.1, 0.5)
APPROXIMATIONS = (("min(m/r, K)", chain.expected_steps_min), ("Gaussian", chain.expected_steps_gaussian))


def draw(options: Options) -> Drawing:
    """Expected steps against budget; errors of the approximations; the largest error against m."""
    sheet = Sheet()
    left, middle, right = sheet.panels(
        (12.6, 4.1),
        ("steps", "budget_steps", "expected_steps"),
        ("error", "budget", "relative_error"),
        ("largest", "skills", "largest_relative_error"),
    )
    for i, m in enumerate(SKILLS):
        by_budget(left, middle, i, m, options)
    left.frame("Budget K (steps)", "Expected steps E[min(T, K)]", "xy", f"r = {SUCCESS:g}; dashes as in the middle")
    middle.frame("Budget in units of the mean, K r / m", "Relative error (%)", "x",
                 "Error of the approximations, and of the simulation", xlim=(0.05, 10))  # fmt: skip
    kinds = [key(label, linestyle=dash(j + 1)) for j, (label, _) in enumerate(APPROXIMATIONS)]
    lengths = [key(f"m = {m}", i, linestyle="solid") for i, m in enumerate(SKILLS)]
    left.legend(*lengths, key("simulation", points=True))
    middle.legend(*kinds)
    largest(right, options)
    right.legend(*(key(f"r = {r:g}", i, linestyle="solid") for i, r in enumerate(RATES)), *kinds)
    return sheet.drawing(
        "Expected steps and two approximations",
        f"Left: expected steps of a feasible chain of m skills with step success {SUCCESS:g}; solid lines are (3),"
        " dashes the approximations, points simulated with 95% intervals. Middle: relative errors. Right: the largest"
        " error over all budgets against m. min(m/r, K) is never too small; the Gaussian errs on both sides.",
    )


def by_budget(left: Panel, middle: Panel, i: int, m: int, options: Options) -> None:
    """One number of skills: (3), the approximations, the simulation, and how far they are from (3)."""
    steps = np.union1d(whole_budgets(1, 10 * m / SUCCESS, options.pick(160, 40)), [round(m / SUCCESS)])
    value = chain.expected_steps(m, SUCCESS, steps)
    left.curve(f"m={m}", steps, value, i, linestyle="solid")
    for j, (label, function) in enumerate(APPROXIMATIONS):
        other = function(m, SUCCESS, steps)
        left.curve(f"m={m}, {label}", steps, other, i, kind="approximation", linestyle=dash(j + 1), linewidth=1.0)
        line(middle.axes, steps * SUCCESS / m, 100 * (other / value - 1), i, linestyle=dash(j + 1))
    at = whole_budgets(max(2, m / 2), 8 * m / SUCCESS, options.pick(9, 4))
    tally = walk(chain_task(m, SUCCESS, at), options, options.pick(200_000, 4_000))
    mean, square = chain.expected_steps(m, SUCCESS, at), chain.expected_square_steps(m, SUCCESS, at)
    points = steps_points(tally, at, mean, square)
    left.points(f"m={m}", at, points, i)
    off = points.mapped(lambda v: 100 * (v / mean - 1))
    dots(middle.axes, at * SUCCESS / m, off.value, off.low, off.high, i)


def largest(panel: Panel, options: Options) -> None:
    """The largest absolute relative error over K, against m."""
    skills = whole_budgets(1, 1000, options.pick(25, 8))
    for i, r in enumerate(RATES):
        for j, (label, function) in enumerate(APPROXIMATIONS):
            worst = np.empty(len(skills))
            for a, m in enumerate(skills):
                steps = np.union1d(whole_budgets(1, 30 * m / r, 600), [round(m / r)])
                worst[a] = np.max(np.abs(function(m, r, steps) / chain.expected_steps(m, r, steps) - 1))
            line(panel.axes, skills, 100 * worst, i, linestyle=dash(j + 1))
            panel.write(f"r={r:g}, {label}", skills, worst)
            if r == SUCCESS:
                many = skills >= 10
                slope, error, _, _ = fitted_line(np.log(skills[many]), np.log(worst[many]))
                one, ten, last = (100 * worst[k] for k in (0, np.argmin(abs(skills - 10)), -1))
                panel.sheet.found.append(
                    f"r = {r:g}: {label} is off by up to {one:.1f}% at m = 1, {ten:.1f}% near m = 10 and {last:.2f}% at"
                    f" m = 1000; from m = 10 on the error falls as m^({slope:.3f} ± {error:.3f})."
                )
    panel.frame("Skills m", "Largest relative error over K (%)", "xy", "Largest error against m")
