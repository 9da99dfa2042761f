"""Skills that training gives: by level, against tokens per parameter, and on sampled skill graphs."""

from __future__ import annotations

import numpy as np

from ds3sim.core.figure import LIGHT, dash, tick
from ds3sim.report.points import Points, around
from ds3sim.report.style import key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import whole_budgets
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.stats.tests import binomial_z
from ds3sim.theory.peeling import large_graph, peeling
from ds3sim.theory.skills import (
    Trained,
    Training,
    acquired,
    acquired_exact,
    compute_optimal,
    giant,
    skill_levels,
    train,
)
from ds3sim.training.bernoulli_rows import CONCEPTS, identity, keys
from ds3sim.training.skill_graphs import all_in, giant_shares, skills_with_concepts, walk_models

COMPUTE = (1e22, 1e24, 1e26)
CONCEPTS_IN_ALL = 100_000


def draw_skill_levels(options: Options) -> Drawing:
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


SIZES = (1e10, 1e11, 1e12)
VARIANTS = ("published", "authors_code")


def draw_training_ratio(options: Options) -> Drawing:
    """Left: sum of p_l against kappa. Right: tokens per parameter that the first skills of level l need."""
    sheet = Sheet()
    left, right = sheet.panels(
        (10.2, 4.2), ("levels", "tokens_per_parameter", "sum_p_l"), ("needed", "level", "tokens_per_parameter")
    )
    kappa = np.linspace(10, 40, options.pick(601, 121))
    for i, flops in enumerate(COMPUTE):
        learnt(left, i, flops, kappa)
    left.frame("Training tokens per parameter, kappa", "Levels learnt, sum of p_l",
               title="solid: published (20), dots: authors' code, dashes: large graph")  # fmt: skip
    keys = [key(f"{tick(c)} FLOPs", i, linestyle="solid") for i, c in enumerate(COMPUTE)]
    left.legend(*keys, where="center right", bbox_to_anchor=(1.0, 0.39))
    for i, size in enumerate(SIZES):
        needed(right, i, size, options)
    title = "Fixed N. Solid: published (20); dots: large graph"
    right.frame("Level l", "Tokens per parameter for p_l = 1/2", title=title, ylim=(0, 24))
    right.legend(columns=3, where="upper left")
    return sheet.drawing(
        "Training tokens per parameter",
        "Left: number of levels learnt against tokens per parameter at fixed training compute 6 N D. Right: tokens per"
        " parameter from which skills of a level are acquired with probability 1/2, for models of fixed size.",
    )


def learnt(panel: Panel, i: int, flops: float, kappa: np.ndarray) -> None:
    """Levels learnt at one training compute, by both variants of (20) and with large-graph peeling."""
    for variant, linestyle in zip(VARIANTS, ("solid", dash(2)), strict=True):
        models = train(*compute_optimal(flops, kappa), Training(finite_size=variant))
        value = models.p.sum(axis=-1)
        panel.curve(f"C_tr={flops:g}, {variant}", kappa, value, i, linestyle=linestyle)
        if variant == "published":
            limit = limit_levels(models).sum(axis=-1)
            panel.curve(f"C_tr={flops:g}, large graph", kappa, limit, i, linestyle=dash(1))
            panel.sheet.found.append(
                f"C_tr = {flops:g} at kappa = 10, below the threshold: {value[0]:.2f} levels with (20), {limit[0]:.2f}"
                " with the unknown fraction of large graphs."
            )
        best = int(np.argmax(value))
        panel.sheet.found.append(
            f"C_tr = {flops:g}, {variant}: most skills, {value[best]:.2f} levels, at kappa = {kappa[best]:.2f};"
            f" {value[np.argmin(abs(kappa - 20))]:.2f} levels at kappa = 20."
        )


def needed(panel: Panel, i: int, size: float, options: Options) -> None:
    """Smallest kappa with p_l >= 1/2, by level, for one size."""
    kappa = np.geomspace(2, 100, options.pick(1201, 241))
    models = train(size, kappa * size)
    first, other = (first_able(kappa, p) for p in (models.p, limit_levels(models)))
    level = np.arange(1, models.training.levels + 1)
    panel.curve(f"N={size:g}", level, first, i, f"N = {tick(size)}", linestyle="solid")
    panel.curve(f"N={size:g}, large graph", level, other, i, linestyle=dash(2))
    known = np.flatnonzero(np.isfinite(first))
    if known.size:
        half = kappa[np.argmax(peeling(size / 2.5e3, kappa * size / 1e4).stuck < 0.5)]
        panel.sheet.found.append(
            f"N = {size:g}: level 1 needs kappa = {first[0]:.2f} with (20) ({other[0]:.2f} with large-graph peeling),"
            f" the highest level reached is {known[-1] + 1} and needs kappa = {first[known[-1]]:.2f}; peeling goes"
            f" through with probability 1/2 at kappa = {half:.2f}."
        )


def first_able(kappa: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Smallest kappa with p_l >= 1/2; NaN where there is none."""
    able = p >= 0.5
    return np.where(able.any(axis=0), kappa[np.argmax(able, axis=0)], np.nan)


def limit_levels(models: Trained) -> np.ndarray:
    """p_l with the unknown fraction of a large graph below the threshold in place of gamma_BP/eps of (20)."""
    training = models.training
    sizes = training.sizes
    rest = models.peeling.stuck * large_graph(models.concepts, models.texts, training.text_degree)
    g = acquired(training.shares * models.concepts[:, None] / sizes, rest[:, None], sizes, training.concepts_needed)
    return skill_levels(g, sizes, training.sigma)[0]


GRAPH_SIZES = (100, 1_000, 10_000)
DEGREES = np.array((0.8, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0))
INSIDE = 10
"""Skills that have to lie in the giant component."""


def draw_disorder(options: Options) -> Drawing:
    """Left: giant component. Middle: chance that m skills lie in it. Right: success with fixed connections."""
    sheet = Sheet()
    left, middle, right = sheet.panels(
        (12.6, 4.1),
        ("giant", "mean_degree", "giant"),
        ("all inside", "mean_degree", "ratio_to_mean_field"),
        ("walks", "budget_steps", "success"),
    )
    components(left, middle, options)
    walks(right, options)
    return sheet.drawing(
        "Quenched disorder of the skill graph",
        "Left: share of the largest component of sampled skill graphs G(S, c/S), with (23). Middle: probability that"
        " 10 random skills all lie in it, over gamma^10. Right: success of a task of 5 skills against budget: the mean"
        " field (1), and walks on sampled graphs whose connections are fixed.",
    )


def components(left: Panel, middle: Panel, options: Options) -> None:
    """The largest component of sampled graphs beside (23), and the chance that ten skills lie in it."""
    c = np.linspace(0.5, 4.0, 201)
    left.curve("(23)", c, giant(c), 0, "(23)", color=LIGHT.ink)
    field, some = giant(DEGREES) ** INSIDE, DEGREES >= 1.25
    for i, skills in enumerate(GRAPH_SIZES):
        graphs = options.pick((4_000, 1_000, 100), (200, 40, 4))[i]
        shares = np.stack([giant_shares(graphs, skills, d / skills, options.seed) for d in DEGREES])
        mean, error = shares.mean(axis=1), shares.std(axis=1, ddof=1) / np.sqrt(graphs)
        left.points(f"S={skills}", DEGREES, around(mean, error, giant(DEGREES), graphs), i, f"S = {tick(skills)}")
        inside = all_in(shares, skills, INSIDE)
        ratio = inside.mean(axis=1)[some] / field[some]
        spread = inside.std(axis=1, ddof=1)[some] / np.sqrt(graphs) / field[some]
        points = around(ratio, spread, np.ones(some.sum()), graphs)
        middle.points(f"S={skills}", DEGREES[some], points, i, f"S = {tick(skills)}")
        for d in (1.0, 1.25, 1.5, 2.0, 4.0):
            k = int(np.flatnonzero(d == DEGREES)[0])
            text = f"S = {skills}, c = {d:g}: gamma {mean[k]:.4f} ± {error[k]:.4f}, (23) {float(giant(d)):.4f}"
            if d > 1:
                text += (
                    f"; ten skills inside {inside[k].mean():.3g} ± {inside[k].std() / np.sqrt(graphs):.2g}, gamma^10"
                    f" {field[k]:.3g}; between models its standard deviation is {inside[k].std():.2g}"
                )
            left.sheet.found.append(text + ".")
    left.frame("Mean degree c = S p^2", "Share of the largest component", title="Giant component", share=True)
    middle.frame("Mean degree c = S p^2", "P(10 skills inside) / gamma^10", "y", "Ten skills in the giant component")
    middle.level(1.0, linewidth=1.0, alpha=1.0)
    left.legend()
    middle.legend()


def walks(panel: Panel, options: Options) -> None:
    """Success against the budget: the mean field, and walks with fixed connections, with and without detours."""
    skills, m = 1_000, 5
    steps = whole_budgets(5, 3000, options.pick(40, 12))
    for i, c in enumerate((2.0, 4.0)):
        runs = {
            r: walk_models(options.pick(60, 4), skills, c / skills, m, steps, r, seed=options.seed)
            for r in ("giant", "detours")
        }
        mean = {r: run.success.mean(axis=0) for r, run in runs.items()}
        field = runs["giant"].mean_field
        panel.curve(f"c={c:g}, mean field", steps, field, i, f"mean field, c = {c:g}", linestyle="solid")
        for j, (reading, run) in enumerate(runs.items()):
            error = run.success.std(axis=0, ddof=1) / np.sqrt(len(run.success))
            points = around(mean[reading], error, run.mean_field, run.success.size)
            panel.points(f"c={c:g}, {reading}", steps, points, i + 2 * j, f"{reading}, c = {c:g}", markersize=3)
        half = [steps[np.argmax(v >= 0.5 * v[-1])] for v in mean.values()]
        detours = runs["detours"]
        panel.sheet.found.append(
            f"S = {skills}, c = {c:g}, m = {m}: with fixed connections and detours a task takes"
            f" {np.nanmean(detours.hops):.1f} hops; the mean field's fresh chances take {m * skills / c:.0f} tries at"
            f" search weight 1. Half of the final success is reached at {half[0]} steps (giant) and {half[1]} (detours)"
            f" of {steps[-1]}; feasible {runs['giant'].feasible.mean():.3f} and {detours.feasible.mean():.3f}, gamma^m"
            f" {float(giant(c)) ** m:.3f}; standard deviation of success between models at the largest budget"
            f" {detours.success[:, -1].std():.3f}."
        )
    panel.frame("Budget (steps)", "Success", "x", f"S = {skills}, m = {m}", share=True)
    panel.legend(where="upper left")
