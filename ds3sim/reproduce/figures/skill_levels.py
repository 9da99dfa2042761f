"""Skill levels: p_l and gamma_l by level and training compute, and how good the Chernoff form (21) is."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import Points
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.stats.tests import binomial_z
from ds3sim.theory.skills import acquired, acquired_exact, skill_levels
from ds3sim.theory.trained import Training, compute_optimal, train
from ds3sim.training.bernoulli_rows import CONCEPTS, identity, keys
from ds3sim.training.sampled_model import skills_with_concepts

COMPUTE = (1e22, 1e24, 1e26)


def make(options: Options) -> Drawing:
    """Left: p_l. Middle: gamma_l. Right: g of (21) against the exact law and sampled skills."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 3, (12.6, 4.1))
    training = Training()
    models = train(*compute_optimal(np.array(COMPUTE)), training)
    level = np.arange(1, training.levels + 1)
    sizes = np.broadcast_to(np.asarray(training.skills_per_level, dtype=np.float64), (training.levels,))
    mean = training.shares * models.concepts[:, None] / sizes
    g = acquired_exact(mean, models.peeling.unlearnt[:, None], models.concepts[:, None])
    p, gamma = skill_levels(g, sizes, training.sigma)
    found = []
    for i, flops in enumerate(COMPUTE):
        for panel, chernoff, exact in (("p", models.p[i], p[i]), ("gamma", models.giant[i], gamma[i])):
            chart = axes[0][0 if panel == "p" else 1]
            label = f"{style.number(flops)} FLOPs" if panel == "p" else None
            style.line(chart, level, chernoff, i, label, linestyle="solid")
            style.line(chart, level, exact, i, linestyle=style.dash(2))
            sheet.curve(panel, f"C_tr={flops:g}, Chernoff form", "level", level, panel, chernoff)
            sheet.curve(panel, f"C_tr={flops:g}, exact", "level", level, panel, exact)
        last = [int(np.max(level[v >= 0.5], initial=0)) for v in (models.p[i], p[i])]
        none = [int(np.max(level[v >= 0.01], initial=0)) for v in (models.p[i], p[i])]
        found.append(
            f"C_tr = {flops:g}: levels with p_l >= 1/2 end at {last[0]} with (21), at {last[1]} with the exact law;"
            f" with"
            f" p_l >= 0.01 at {none[0]} and {none[1]}."
        )
    for chart, name in ((axes[0][0], "p_l, probability of a skill"), (axes[0][1], "gamma_l, giant component")):
        chart.set(xlabel="Level l", ylabel=name)
    style.title(axes[0][0], "solid: (21), dots: exact binomial law")
    style.legend(axes[0][0])
    found += _chernoff(sheet, axes[0][2], options)
    return Drawing(
        "skill-levels",
        "Skill levels and the Chernoff form",
        "Left and middle: probability of a skill and giant component by level, for compute-optimal models (kappa ="
        " 20), with"
        " (21) and with the exact binomial law in its place. Right: acquisition probability against the mean number of"
        " concepts of a skill, S = 10,000, eta = 5; points are sampled skills.",
        {"": figure},
        sheet,
        found,
    )


def _chernoff(sheet: Sheet, axes, options: Options) -> list[str]:
    mean = np.geomspace(2, 200, options.pick(241, 61))
    big_r, skills = 100_000, options.pick(20_000, 2_000)
    found = []
    for i, unlearnt in enumerate((0.0, 0.3, 0.8)):
        ways = acquired(mean, unlearnt, 1e4), acquired_exact(mean, unlearnt, big_r)
        style.line(axes, mean, ways[0], i, f"P_b = {unlearnt:g}", linestyle="solid")
        style.line(axes, mean, ways[1], i, linestyle=style.dash(2))
        sheet.curve("acquired", f"P_b={unlearnt:g}, Chernoff form", "concepts_per_skill", mean, "acquired", ways[0])
        sheet.curve("acquired", f"P_b={unlearnt:g}, exact", "concepts_per_skill", mean, "acquired", ways[1])
        at = np.array([3.0, 6.0, 10.0, 16.0, 30.0])
        known = np.arange(big_r) >= round(unlearnt * big_r)
        made = keys(options.seed, identity("skill-levels", unlearnt), range(len(at)), CONCEPTS)
        hits = np.array(
            [int(skills_with_concepts(k, known, skills, mu, 5).sum()) for k, mu in zip(made, at, strict=True)]
        )
        theory = acquired_exact(at, unlearnt, big_r)
        low, high = clopper_pearson(hits, skills)
        z = binomial_z(hits, skills, theory)
        points = Points(hits / skills, low, high, theory, z, skills)
        style.dots(axes, at, points, i)
        sheet.points("acquired", f"P_b={unlearnt:g}", "concepts_per_skill", at, "acquired", points)
        half = [float(mean[np.argmax(w >= 0.5)]) for w in ways]
        found.append(
            f"P_b = {unlearnt:g}: half of the skills are acquired at {half[0]:.1f} concepts a skill with (21), at"
            f" {half[1]:.1f}"
            f" with the exact law; largest difference {np.max(np.abs(ways[0] - ways[1])):.3f}."
        )
    axes.set(xlabel="Mean concepts of a skill, mu", ylabel="Probability that a skill has its concepts")
    style.logarithmic(axes)
    style.title(axes, "solid: (21), dots: exact, points: sampled")
    style.legend(axes)
    return found
