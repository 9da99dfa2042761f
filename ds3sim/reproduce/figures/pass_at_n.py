"""Published pass@N and vote curves of five models, their fits and simulation of the fits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.fit.wrong_answers import fit_vote_curve
from ds3sim.report.points import joined
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.published import best_of_points, curve, fits, vote, vote_points
from ds3sim.theory import latent

AHEAD = 10.0
"""How far beyond the last published N the curves are drawn, as a factor."""


def draw(options: Options) -> Drawing:
    """(a) pass@N, (b) votes, (c) densities and distribution functions of the success rates."""
    sheet = Sheet()
    every = fits(options)
    (first,) = sheet.panels((7.4, 4.6), ("a", "samples", "pass_at_n"), suffix="a")
    oracle(first, every, options)
    (second,) = sheet.panels((7.4, 4.2), ("b", "votes", "accuracy"), suffix="b")
    votes(second, every, options)
    names = [("c", "success_rate", value) for value in ("density", "probability")]
    left, right = sheet.panels((9.6, 4.0), *names, suffix="c")
    rates(left, right, every)
    return sheet.drawing(
        "pass@N of five models",
        "(a) Published pass@N (diamonds), least-squares fit of the zero-inflated beta-binomial (lines), and simulation"
        " of the fitted model (dots with 95% intervals). (b) Majority votes of two models: published, fitted,"
        " simulated; the dashed line is the plateau. (c) The fitted laws of a task's success rate.",
    )


def oracle(panel: Panel, every: list[Any], options: Options) -> None:
    """pass@N: published, fitted, simulated."""
    for i, (model, n, y, fit) in enumerate(every):
        panel.diamonds(model.name, n, y, i, markeredgewidth=0.9)
        x = np.geomspace(1, AHEAD * n.max(), options.pick(200, 60))
        panel.curve(model.name, x, fit.predict(x).estimate, i, model.name, "fit", linestyle="solid")
        some = options.pick((1, 10, 100, 1000), (1, 10))
        panel.points(model.name, some, joined([best_of_points(fit, k, options) for k in some]), i)
        a, alpha, beta = fit.parameters
        bound = f"; at its bound: {', '.join(fit.at_bound)}" if fit.at_bound else "; an interior optimum"
        theirs = "the same optimum, A at its bound" if model.authors[0] == 1.0 else "no optimum of the squared error"
        panel.sheet.found.append(
            f"{model.name}: A = {a:.3f}, alpha = {alpha:.3f}, beta = {beta:.3f}, squared error"
            f" {fit.quality:.6f}{bound}. The authors' {model.authors}: {model.squared_error:.6f}; {theirs}."
        )
    panel.frame("Samples N", "pass@N", "x", share=True)
    panel.legend()


def votes(panel: Panel, every: list[Any], options: Options) -> None:
    """Majority votes of the models that have them: published, fitted, simulated, and their plateau."""
    for i, (model, _, _, fit) in enumerate(every):
        if model.vote is None:
            continue
        n, y = curve(options, model.vote)
        errors = fit_vote_curve(n, y, fit.parameters, "geometric")
        panel.diamonds(model.name, n, y, i, markeredgewidth=0.9)
        many = np.unique(np.geomspace(1, options.pick(1000, 100), options.pick(40, 12)).astype(int))
        panel.curve(model.name, many, [vote(k, fit, errors) for k in many], i, model.name, "fit", linestyle="solid")
        end = float(latent.plateau(fit.solvable, fit.alpha, fit.beta, errors.c_star))
        panel.level(end, i, linewidth=0.9, alpha=1.0, linestyle=(0, (5, 3)))
        some = options.pick((1, 8, 64, 256), (1, 8))
        panel.points(model.name, some, joined([vote_points(fit, errors, k, options) for k in some]), i)
        panel.sheet.found.append(
            f"{model.name}, votes: c* = {errors.c_star:.4f} (authors {model.c_star}), plateau {end:.4f}, squared error"
            f" {errors.squared_error:.6f}."
        )
    panel.frame("Votes N", "Accuracy of the vote", "x", ylim=(0.2, 0.65))
    panel.legend()


def rates(left: Panel, right: Panel, every: list[Any]) -> None:
    """Density and distribution function of a task's success rate."""
    rate = np.concatenate([np.geomspace(1e-4, 0.1, 120), np.linspace(0.101, 0.999, 240)])
    for i, (model, _, _, fit) in enumerate(every):
        left.curve(f"{model.name}, density", rate, latent.density(rate, *fit.parameters), i, model.name, "fit")
        right.curve(f"{model.name}, distribution", rate, latent.distribution(rate, *fit.parameters), i, kind="fit")
    left.frame("Success rate of a task", "Density", "xy")
    right.frame("Success rate of a task", "Tasks with at most this rate", "x", share=True)
    left.legend()
