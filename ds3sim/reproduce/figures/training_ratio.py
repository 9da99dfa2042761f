"""Levels learnt against training tokens per parameter."""

from __future__ import annotations

import numpy as np

from ds3sim.core.figure import dash, tick
from ds3sim.report.style import key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.theory.peeling import large_graph, peeling
from ds3sim.theory.skills import (
    Trained,
    Training,
    acquired,
    compute_optimal,
    skill_levels,
    train,
)

COMPUTE = (1e22, 1e24, 1e26)
SIZES = (1e10, 1e11, 1e12)
VARIANTS = ("published", "authors_code")


def draw(options: Options) -> Drawing:
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
