"""Quenched disorder: the mean field gamma^m and (23) against sampled skill graphs."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import Points
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.theory.skills import giant
from ds3sim.training.components import all_in, giant_shares
from ds3sim.training.walks import walk_models

SIZES = (100, 1_000, 10_000)
DEGREES = (0.8, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0)


def make(options: Options) -> Drawing:
    """Left: giant component. Middle: chance that m skills lie in it. Right: success with fixed connections."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 3, (12.6, 4.1))
    found = _components(sheet, axes[0][0], axes[0][1], options)
    found += _walks(sheet, axes[0][2], options)
    return Drawing(
        "disorder",
        "Quenched disorder of the skill graph",
        "Left: share of the largest component of sampled skill graphs G(S, c/S), with (23). Middle: probability"
        " that 10 random"
        " skills all lie in it, over gamma^10. Right: success of a task of 5 skills against budget: the mean field"
        " (1), and walks"
        " on sampled graphs whose connections are fixed.",
        {"": figure},
        sheet,
        found,
    )


def _components(sheet: Sheet, left, middle, options: Options) -> list[str]:
    c = np.linspace(0.5, 4.0, 201)
    left.plot(c, giant(c), color=style.INK, linewidth=1.6, label="(23)", zorder=2)
    sheet.curve("giant", "(23)", "mean_degree", c, "giant", giant(c))
    found = []
    m = 10
    for i, skills in enumerate(SIZES):
        graphs = options.pick((4_000, 1_000, 100), (200, 40, 4))[i]
        shares = np.stack([giant_shares(graphs, skills, d / skills, options.seed) for d in DEGREES])
        mean, error = shares.mean(axis=1), shares.std(axis=1, ddof=1) / np.sqrt(graphs)
        none = np.full(len(DEGREES), np.nan)
        points = Points(mean, mean - 1.96 * error, mean + 1.96 * error, giant(np.array(DEGREES)), none, graphs)
        style.dots(left, DEGREES, points, i, f"S = {style.number(skills)}")
        sheet.points("giant", f"S={skills}", "mean_degree", DEGREES, "giant", points)
        inside = all_in(shares, skills, m)
        field = giant(np.array(DEGREES)) ** m
        some = np.array(DEGREES) >= 1.25
        ratio = inside.mean(axis=1)[some] / field[some]
        spread = 1.96 * inside.std(axis=1, ddof=1)[some] / np.sqrt(graphs) / field[some]
        points = Points(ratio, ratio - spread, ratio + spread, np.ones(some.sum()), none[some], graphs)
        style.dots(middle, np.array(DEGREES)[some], points, i, f"S = {style.number(skills)}")
        sheet.points("all inside", f"S={skills}", "mean_degree", np.array(DEGREES)[some], "ratio_to_mean_field", points)
        for d in (1.0, 1.25, 1.5, 2.0, 4.0):
            k = DEGREES.index(d)
            text = f"S = {skills}, c = {d:g}: gamma {mean[k]:.4f} ± {error[k]:.4f}, (23) {float(giant(d)):.4f}"
            if d > 1:
                text += (
                    f"; ten skills inside {inside[k].mean():.3g} ± {inside[k].std() / np.sqrt(graphs):.2g}, gamma^10"
                    f" {field[k]:.3g}; between models its standard deviation is {inside[k].std():.2g}"
                )
            found.append(text + ".")
    left.set(xlabel="Mean degree c = S p^2", ylabel="Share of the largest component", ylim=(-0.03, 1.03))
    middle.set(xlabel="Mean degree c = S p^2", ylabel="P(10 skills inside) / gamma^10", yscale="log")
    middle.axhline(1.0, color=style.INK, linewidth=1.0)
    style.legend(left)
    style.legend(middle)
    style.title(left, "Giant component")
    style.title(middle, "Ten skills in the giant component")
    return found


def _walks(sheet: Sheet, axes, options: Options) -> list[str]:
    skills, m = 1_000, 5
    steps = np.unique(np.rint(np.geomspace(5, 3000, options.pick(40, 12))).astype(np.int64))
    found = []
    for i, c in enumerate((2.0, 4.0)):
        runs = {
            r: walk_models(options.pick(60, 4), skills, c / skills, m, steps, r, seed=options.seed)
            for r in ("giant", "detours")
        }
        style.line(axes, steps, runs["giant"].mean_field, i, f"mean field, c = {c:g}", linestyle="solid")
        sheet.curve("walks", f"c={c:g}, mean field", "budget_steps", steps, "success", runs["giant"].mean_field)
        for j, (reading, run) in enumerate(runs.items()):
            value = run.success.mean(axis=0)
            error = 1.96 * run.success.std(axis=0, ddof=1) / np.sqrt(len(run.success))
            none = np.full(len(steps), np.nan)
            points = Points(value, value - error, value + error, run.mean_field, none, run.success.size)
            style.dots(axes, steps, points, i + 2 * j, f"{reading}, c = {c:g}", markersize=3)
            sheet.points("walks", f"c={c:g}, {reading}", "budget_steps", steps, "success", points)
        hops = np.nanmean(runs["detours"].hops)
        half = [steps[np.argmax(v >= 0.5 * v[-1])] for v in (runs["giant"].success.mean(axis=0),
                                                             runs["detours"].success.mean(axis=0))]  # fmt: skip
        found.append(
            f"S = {skills}, c = {c:g}, m = {m}: with fixed connections and detours a task takes {hops:.1f} hops;"
            f" the mean field's"
            f" fresh chances take {m * skills / c:.0f} tries at search weight 1. Half of the final success is"
            f" reached at"
            f" {half[0]} steps (giant) and {half[1]} (detours) of {steps[-1]}; feasible"
            f" {runs['giant'].feasible.mean():.3f} and"
            f" {runs['detours'].feasible.mean():.3f}, gamma^m {float(giant(c)) ** m:.3f}; standard deviation of success"
            f" between models at the largest budget {runs['detours'].success[:, -1].std():.3f}."
        )
    axes.set(xlabel="Budget (steps)", ylabel="Success", ylim=(-0.03, 1.03))
    style.logarithmic(axes)
    style.legend(axes, where="upper left")
    style.title(axes, f"S = {skills}, m = {m}")
    return found
