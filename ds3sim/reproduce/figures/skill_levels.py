"""Skills by level and training compute, and the error of their Chernoff form (21)."""

from __future__ import annotations

import numpy as np

from ds3sim.core.figure import dash, tick
from ds3sim.report.points import Points
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.stats.tests import binomial_z
from ds3sim.theory.skills import (
    Training,
    acquired,
    acquired_exact,
    compute_optimal,
    skill_levels,
    train,
)
from ds3sim.training.bernoulli_rows import CONCEPTS, identity, keys
from ds3sim.training.skill_graphs import skills_with_concepts

COMPUTE = (1e22, 1e24, 1e26)
CONCEPTS_IN_ALL = 100_000


def draw(options: Options) -> Drawing:
    """Left: p_l. Middle: gamma_l. Right: g of (21) against the exact law and sampled skills."""
    sheet = Sheet()
    left, middle, right = sheet.panels(
        (12.6, 4.1), ("p", "level", "p"), ("gamma", "level", "gamma"), ("acquired", "concepts_per_skill", "acquired")
    )
    training = Training()
    models = train(*compute_optimal(np.array(COMPUTE)), training)
    level = np.arange(1, training.levels + 1)
    sizes = training.sizes
    mean = training.shares * models.concepts[:, None] / sizes
    g = acquired_exact(mean, models.peeling.unlearnt[:, None], models.concepts[:, None])
    p, gamma = skill_levels(g, sizes, training.sigma)
    for i, flops in enumerate(COMPUTE):
        for panel, chernoff, exact in ((left, models.p[i], p[i]), (middle, models.giant[i], gamma[i])):
            panel.curve(f"C_tr={flops:g}, Chernoff form", level, chernoff, i, f"{tick(flops)} FLOPs", linestyle="solid")
            panel.curve(f"C_tr={flops:g}, exact", level, exact, i, linestyle=dash(2))
        half, some = ([int(np.max(level[v >= w], initial=0)) for v in (models.p[i], p[i])] for w in (0.5, 0.01))
        sheet.found.append(
            f"C_tr = {flops:g}: levels with p_l >= 1/2 end at {half[0]} with (21), at {half[1]} with the exact law;"
            f" with p_l >= 0.01 at {some[0]} and {some[1]}."
        )
    left.frame("Level l", "p_l, probability of a skill", title="solid: (21), dots: exact binomial law")
    middle.frame("Level l", "gamma_l, giant component")
    left.legend()
    for i, unlearnt in enumerate((0.0, 0.3, 0.8)):
        acquisition(right, i, unlearnt, options)
    right.frame("Mean concepts of a skill, mu", "Probability that a skill has its concepts", "x",
                "solid: (21), dots: exact, points: sampled")  # fmt: skip
    right.legend()
    return sheet.drawing(
        "Skill levels and the Chernoff form",
        "Left and middle: probability of a skill and giant component by level, for compute-optimal models (kappa ="
        " 20), with (21) and with the exact binomial law in its place. Right: acquisition probability against the mean"
        " number of concepts of a skill, S = 10,000, eta = 5; points are sampled skills.",
    )


def acquisition(panel: Panel, i: int, unlearnt: float, options: Options) -> None:
    """The chance that a skill has its concepts, where a share of the concepts is unknown."""
    mean, at = np.geomspace(2, 200, options.pick(241, 61)), np.array([3.0, 6.0, 10.0, 16.0, 30.0])
    ways = acquired(mean, unlearnt, 1e4), acquired_exact(mean, unlearnt, CONCEPTS_IN_ALL)
    panel.curve(f"P_b={unlearnt:g}, Chernoff form", mean, ways[0], i, f"P_b = {unlearnt:g}", linestyle="solid")
    panel.curve(f"P_b={unlearnt:g}, exact", mean, ways[1], i, linestyle=dash(2))
    skills, known = options.pick(20_000, 2_000), np.arange(CONCEPTS_IN_ALL) >= round(unlearnt * CONCEPTS_IN_ALL)
    made = keys(options.seed, identity("skill-levels", unlearnt), range(len(at)), CONCEPTS)
    hits = np.array([int(skills_with_concepts(k, known, skills, mu, 5).sum()) for k, mu in zip(made, at, strict=True)])
    theory = acquired_exact(at, unlearnt, CONCEPTS_IN_ALL)
    z = binomial_z(hits, skills, theory)
    panel.points(f"P_b={unlearnt:g}", at, Points(hits / skills, *clopper_pearson(hits, skills), theory, z, skills), i)
    half = [float(mean[np.argmax(w >= 0.5)]) for w in ways]
    panel.sheet.found.append(
        f"P_b = {unlearnt:g}: half of the skills are acquired at {half[0]:.1f} concepts a skill with (21), at"
        f" {half[1]:.1f} with the exact law; largest difference {np.max(np.abs(ways[0] - ways[1])):.3f}."
    )
