"""Expected steps (3), and what others use in its place: min(m/r, K) and a Gaussian approximation."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.simulated import chain_task, steps_points, walk, whole_budgets
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain

SKILLS = (1, 10, 50)
SUCCESS = 0.1
RATES = (0.01, 0.1, 0.5)
APPROXIMATIONS = (("min(m/r, K)", chain.expected_steps_min), ("Gaussian", chain.expected_steps_gaussian))


def make(options: Options) -> Drawing:
    """Expected steps against budget; errors of the approximations; the largest error against m."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 3, (12.6, 4.1))
    left, middle, right = axes[0]
    for i, m in enumerate(SKILLS):
        steps = np.union1d(whole_budgets(1, 10 * m / SUCCESS, options.pick(160, 40)), [round(m / SUCCESS)])
        value = chain.expected_steps(m, SUCCESS, steps)
        style.line(left, steps, value, i, f"m = {m}", linestyle="solid")
        sheet.curve("steps", f"m={m}", "budget_steps", steps, "expected_steps", value)
        for j, (label, function) in enumerate(APPROXIMATIONS):
            other = function(m, SUCCESS, steps)
            style.line(left, steps, other, i, linestyle=style.dash(j + 1), linewidth=1.0)
            style.line(middle, steps * SUCCESS / m, 100 * (other / value - 1), i, linestyle=style.dash(j + 1))
            sheet.curve("steps", f"m={m}, {label}", "budget_steps", steps, "expected_steps", other, "approximation")
        at = whole_budgets(max(2, m / 2), 8 * m / SUCCESS, options.pick(9, 4))
        tally = walk(chain_task(m, SUCCESS, at), options, options.pick(200_000, 4_000))
        mean, square = chain.expected_steps(m, SUCCESS, at), chain.expected_square_steps(m, SUCCESS, at)
        points = steps_points(tally, at, mean, square)
        style.dots(left, at, points, i)
        sheet.points("steps", f"m={m}", "budget_steps", at, "expected_steps", points)
        off = points.mapped(lambda v, mean=mean: 100 * (v / mean - 1))
        style.dots(middle, at * SUCCESS / m, off, i)
    left.set(xlabel="Budget K (steps)", ylabel="Expected steps E[min(T, K)]")
    middle.set(xlabel="Budget in units of the mean, K r / m", ylabel="Relative error (%)", xlim=(0.05, 10))
    style.logarithmic(left, "xy")
    style.logarithmic(middle)
    style.title(left, f"r = {SUCCESS:g}; dashes as in the middle")
    style.title(middle, "Error of the approximations, and of the simulation")
    kinds = [style.key(label, linestyle=style.dash(j + 1)) for j, (label, _) in enumerate(APPROXIMATIONS)]
    style.legend(left, [*(style.key(f"m = {m}", i, linestyle="solid") for i, m in enumerate(SKILLS)),
                        style.key("simulation", points=True)])  # fmt: skip
    style.legend(middle, kinds)
    found = largest(sheet, right, options)
    style.legend(right, [*(style.key(f"r = {r:g}", i, linestyle="solid") for i, r in enumerate(RATES)), *kinds])
    return Drawing(
        "expected-steps",
        "Expected steps and two approximations",
        f"Left: expected steps of a feasible chain of m skills with step success {SUCCESS:g}; solid lines are (3),"
        " dashes"
        " the approximations, points simulated with 95% intervals. Middle: relative errors. Right: the largest error"
        " over"
        " all budgets against m. min(m/r, K) is never too small; the Gaussian errs on both sides.",
        {"": figure},
        sheet,
        found,
    )


def largest(sheet: Sheet, axes, options: Options) -> list[str]:
    """The largest absolute relative error over K, against m."""
    skills = whole_budgets(1, 1000, options.pick(25, 8))
    found = []
    for i, r in enumerate(RATES):
        for j, (label, function) in enumerate(APPROXIMATIONS):
            worst = np.empty(len(skills))
            for a, m in enumerate(skills):
                steps = np.union1d(whole_budgets(1, 30 * m / r, 600), [round(m / r)])
                worst[a] = np.max(np.abs(function(m, r, steps) / chain.expected_steps(m, r, steps) - 1))
            style.line(axes, skills, 100 * worst, i, linestyle=style.dash(j + 1))
            sheet.curve("largest", f"r={r:g}, {label}", "skills", skills, "largest_relative_error", worst)
            if r == SUCCESS:
                many = skills >= 10
                slope, error, _, _ = fitted_line(np.log(skills[many]), np.log(worst[many]))
                found.append(
                    f"r = {r:g}: {label} is off by up to {100 * worst[0]:.1f}% at m = 1,"
                    f" {100 * worst[np.argmin(abs(skills - 10))]:.1f}% near m = 10 and {100 * worst[-1]:.2f}% at m ="
                    " 1000;"
                    f" from m = 10 on the error falls as m^({slope:.3f} ± {error:.3f})."
                )
    axes.set(xlabel="Skills m", ylabel="Largest relative error over K (%)")
    style.logarithmic(axes, "xy")
    style.title(axes, "Largest error against m")
    return found
