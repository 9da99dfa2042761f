"""Tokens per parameter: how many levels of skills are learnt against kappa = D/N at fixed training compute."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.theory.peeling import large_graph, peeling
from ds3sim.theory.skills import acquired, skill_levels
from ds3sim.theory.trained import Training, compute_optimal, train
from ds3sim.training.reasoning import learnt_skills

COMPUTE = (1e22, 1e24, 1e26)
VARIANTS = ("published", "authors_code")


def make(options: Options) -> Drawing:
    """Left: sum of p_l against kappa. Right: tokens per parameter that the first skills of level l need."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 2, (10.2, 4.2))
    kappa = np.linspace(10, 40, options.pick(601, 121))
    found = []
    for i, flops in enumerate(COMPUTE):
        for j, variant in enumerate(VARIANTS):
            models = train(*compute_optimal(flops, kappa), Training(finite_size=variant))
            value = learnt_skills(models)
            style.line(axes[0][0], kappa, value, i, linestyle=("solid", style.dash(2))[j])
            sheet.curve("levels", f"C_tr={flops:g}, {variant}", "tokens_per_parameter", kappa, "sum_p_l", value)
            if j == 0:
                limit = _limit_levels(models).sum(axis=-1)
                style.line(axes[0][0], kappa, limit, i, linestyle=style.dash(1))
                sheet.curve("levels", f"C_tr={flops:g}, large graph", "tokens_per_parameter", kappa, "sum_p_l", limit)
                found.append(
                    f"C_tr = {flops:g} at kappa = 10, below the threshold: {value[0]:.2f} levels with (20),"
                    f" {limit[0]:.2f} with the unknown fraction of large graphs."
                )
            best = int(np.argmax(value))
            found.append(
                f"C_tr = {flops:g}, {variant}: most skills, {value[best]:.2f} levels, at kappa = {kappa[best]:.2f};"
                f" {value[np.argmin(abs(kappa - 20))]:.2f} levels at kappa = 20."
            )
    axes[0][0].set(xlabel="Training tokens per parameter, kappa", ylabel="Levels learnt, sum of p_l")
    style.title(axes[0][0], "solid: published (20), dots: authors' code, dashes: large graph")
    style.legend(
        axes[0][0],
        [style.key(f"{style.number(c)} FLOPs", i, linestyle="solid") for i, c in enumerate(COMPUTE)],
        where="center right",
        bbox_to_anchor=(1.0, 0.39),
    )
    found += _needed(sheet, axes[0][1], options)
    return Drawing(
        "training-ratio",
        "Training tokens per parameter",
        "Left: number of levels learnt against tokens per parameter at fixed training compute 6 N D. Right: tokens per"
        " parameter from which skills of a level are acquired with probability 1/2, for models of fixed size.",
        {"": figure},
        sheet,
        found,
    )


def _needed(sheet: Sheet, axes, options: Options) -> list[str]:
    """Smallest kappa with p_l >= 1/2, by level, for three sizes."""
    kappa = np.geomspace(2, 100, options.pick(1201, 241))
    found = []
    for i, size in enumerate((1e10, 1e11, 1e12)):
        models = train(size, kappa * size)
        first = _first(kappa, models.p)
        level = np.arange(1, models.training.levels + 1)
        style.line(axes, level, first, i, f"N = {style.number(size)}", linestyle="solid")
        sheet.curve("needed", f"N={size:g}", "level", level, "tokens_per_parameter", first)
        other = _first(kappa, _limit_levels(models))
        style.line(axes, level, other, i, linestyle=style.dash(2))
        sheet.curve("needed", f"N={size:g}, large graph", "level", level, "tokens_per_parameter", other)
        known = np.flatnonzero(np.isfinite(first))
        if not known.size:
            continue
        law = peeling(size / 2.5e3, kappa * size / 1e4)
        half = kappa[np.argmax(law.stuck < 0.5)]
        found.append(
            f"N = {size:g}: level 1 needs kappa = {first[0]:.2f} with (20) ({other[0]:.2f} with large-graph"
            f" peeling), the highest level reached is {known[-1] + 1} and needs"
            f" kappa = {first[known[-1]]:.2f}; peeling goes through with probability 1/2 at kappa = {half:.2f}."
        )
    axes.set(xlabel="Level l", ylabel="Tokens per parameter for p_l = 1/2")
    style.title(axes, "Fixed N. Solid: published (20); dots: large graph")
    axes.set_ylim(0, 24)
    style.legend(axes, columns=3, where="upper left")
    return found


def _first(kappa, p) -> np.ndarray:
    """Smallest kappa with p_l >= 1/2; NaN where there is none."""
    able = p >= 0.5
    return np.where(able.any(axis=0), kappa[np.argmax(able, axis=0)], np.nan)


def _limit_levels(models) -> np.ndarray:
    """p_l with the unknown fraction of a large graph below the threshold in place of gamma_BP/eps of (20)."""
    training = models.training
    sizes = np.broadcast_to(np.asarray(training.skills_per_level, dtype=np.float64), (training.levels,))
    rest = models.peeling.stuck * large_graph(models.concepts, models.texts, training.text_degree)
    g = acquired(training.shares * models.concepts[:, None] / sizes, rest[:, None], sizes, training.concepts_needed)
    return skill_levels(g, sizes, training.sigma)[0]
