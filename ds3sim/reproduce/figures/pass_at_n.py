"""pass@N and vote curves of five models, the fits of (12) and (13), and the laws of success rates behind them."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.figures.published import curve, fits
from ds3sim.reproduce.simulated import success_points, walk
from ds3sim.theory import latent

AHEAD = 10.0
"""How far beyond the last published N the curves are drawn, as a factor."""


def make(options: Options) -> Drawing:
    """(a) pass@N, (b) votes, (c) densities and distribution functions of the success rates."""
    found: list[str] = []
    sheet = Sheet()
    every = fits(options)
    figures = {
        "a": _oracle(every, sheet, options, found),
        "b": _votes(every, sheet, options, found),
        "c": _rates(every, sheet),
    }
    return Drawing(
        "pass-at-n",
        "pass@N of five models",
        "(a) Published pass@N (diamonds), least-squares fit of the zero-inflated beta-binomial (lines), and simulation"
        " of the fitted model (dots with 95% intervals). (b) Majority votes of two models: published, fitted,"
        " simulated; the dashed line is the plateau. (c) The fitted laws of a task's success rate.",
        figures,
        sheet,
        found,
    )


def _task(parameters, n: int, aggregate):
    from ds3sim.graph.graph import SkillGraph
    from ds3sim.task.task import Task

    return Task(SkillGraph.latent(*parameters), aggregate=aggregate, steps=n)


def _vote(n: int, fit, errors) -> float:
    return latent.vote_at_n(n, fit.solvable, fit.alpha, fit.beta, errors.weights)


def _published(axes, n, y, index: int) -> None:
    axes.plot(n, y, "D", color=style.colour(index), markersize=3.2, markerfacecolor="none", markeredgewidth=0.9)


def _oracle(every, sheet: Sheet, options: Options, found: list[str]):
    from ds3sim.task.aggregate import BestOfN

    figure, axes = style.canvas(1, 1, (7.4, 4.6))
    axes = axes[0, 0]
    for i, (model, n, y, fit) in enumerate(every):
        x = np.geomspace(1, AHEAD * n.max(), options.pick(200, 60))
        style.line(axes, x, fit.predict(x).estimate, i, model.name, linestyle="solid")
        _published(axes, n, y, i)
        sheet.curve("a", model.name, "samples", n, "pass_at_n", y, "published")
        sheet.curve("a", model.name, "samples", x, "pass_at_n", fit.predict(x).estimate, "fit")
        for k in options.pick((1, 10, 100, 1000), (1, 10)):
            tally = walk(_task(fit.parameters, k, BestOfN(k)), options, options.pick(20_000, 2_000))
            points = success_points(tally, [k], latent.pass_at_n(k, *fit.parameters))
            style.dots(axes, [k], points, i)
            sheet.points("a", model.name, "samples", [k], "pass_at_n", points)
        a, alpha, beta = fit.parameters
        bound = f"; at its bound: {', '.join(fit.at_bound)}" if fit.at_bound else "; an interior optimum"
        theirs = "the same optimum, A at its bound" if model.authors[0] == 1.0 else "no optimum of the squared error"
        found.append(
            f"{model.name}: A = {a:.3f}, alpha = {alpha:.3f}, beta = {beta:.3f}, squared error"
            f" {fit.quality:.6f}{bound}. The authors' {model.authors}: {model.squared_error:.6f}; {theirs}."
        )
    axes.set(xlabel="Samples N", ylabel="pass@N", ylim=(-0.03, 1.03))
    style.logarithmic(axes)
    style.legend(axes)
    return figure


def _votes(every, sheet: Sheet, options: Options, found: list[str]):
    from ds3sim.fit.wrong_answers import fit_vote_curve
    from ds3sim.task.aggregate import Majority
    from ds3sim.task.wrong_answers import WeightErrors

    figure, axes = style.canvas(1, 1, (7.4, 4.2))
    axes = axes[0, 0]
    for i, (model, _, _, fit) in enumerate(every):
        if model.vote is None:
            continue
        n, y = curve(options, model.vote)
        errors = fit_vote_curve(n, y, fit.parameters, "geometric")
        votes = np.unique(np.geomspace(1, options.pick(1000, 100), options.pick(40, 12)).astype(int))
        value = np.array([_vote(int(k), fit, errors) for k in votes])
        end = float(latent.plateau(fit.solvable, fit.alpha, fit.beta, errors.c_star))
        style.line(axes, votes, value, i, model.name, linestyle="solid")
        axes.axhline(end, color=style.colour(i), linewidth=0.9, linestyle=(0, (5, 3)))
        _published(axes, n, y, i)
        sheet.curve("b", model.name, "votes", n, "accuracy", y, "published")
        sheet.curve("b", model.name, "votes", votes, "accuracy", value, "fit")
        weights = tuple((errors.weights / errors.weights.sum()).tolist())
        for k in options.pick((1, 8, 64, 256), (1, 8)):
            task = _task(fit.parameters, k, Majority(k, WeightErrors(weights)))
            tally = walk(task, options, options.pick(20_000, 2_000))
            points = success_points(tally, [k], _vote(k, fit, errors))
            style.dots(axes, [k], points, i)
            sheet.points("b", model.name, "votes", [k], "accuracy", points)
        found.append(
            f"{model.name}, votes: c* = {errors.c_star:.4f} (authors {model.c_star}), plateau {end:.4f}, squared error"
            f" {errors.squared_error:.6f}."
        )
    axes.set(xlabel="Votes N", ylabel="Accuracy of the vote", ylim=(0.2, 0.65))
    style.logarithmic(axes)
    style.legend(axes)
    return figure


def _rates(every, sheet: Sheet):
    figure, axes = style.canvas(1, 2, (9.6, 4.0))
    left, right = axes[0]
    rate = np.concatenate([np.geomspace(1e-4, 0.1, 120), np.linspace(0.101, 0.999, 240)])
    for i, (model, _, _, fit) in enumerate(every):
        density = latent.density(rate, *fit.parameters)
        law = latent.distribution(rate, *fit.parameters)
        style.line(left, rate, density, i, model.name)
        style.line(right, rate, law, i, model.name)
        sheet.curve("c", f"{model.name}, density", "success_rate", rate, "density", density, "fit")
        sheet.curve("c", f"{model.name}, distribution", "success_rate", rate, "probability", law, "fit")
    left.set(xlabel="Success rate of a task", ylabel="Density")
    style.logarithmic(left, "xy")
    right.set(xlabel="Success rate of a task", ylabel="Tasks with at most this rate", ylim=(-0.03, 1.03))
    style.logarithmic(right)
    style.legend(left)
    return figure
