"""Which wrong answers a failed trace gives: weights fitted to vote curves, and what they do to the vote."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.figures.published import curve, fits
from ds3sim.reproduce.simulated import success_points, walk
from ds3sim.theory import latent

KINDS = ("geometric", "uniform", "zipf")


def make(options: Options) -> Drawing:
    """Left: fitted weights by error model. Right: the vote curves that they give, beside the published ones."""
    from ds3sim.fit.wrong_answers import fit_vote_curve
    from ds3sim.task.aggregate import Majority
    from ds3sim.task.task import Task
    from ds3sim.task.wrong_answers import WeightErrors

    sheet, found = Sheet(), []
    models = [entry for entry in fits(options) if entry[0].vote is not None]
    figure, axes = style.canvas(len(models), 2, (9.8, 3.6 * len(models)))
    votes = np.unique(np.geomspace(1, options.pick(300, 40), options.pick(24, 8)).astype(int))
    for row, (model, _, _, fit) in zip(axes, models, strict=True):
        n, y = curve(options, model.vote or "")
        row[1].plot(n, y, "D", color=style.INK, markersize=3.5, label="published", zorder=5)
        sheet.curve(model.name, "published", "votes", n, "accuracy", y, "published")
        said = []
        for i, kind in enumerate(KINDS):
            errors = fit_vote_curve(n, y, fit.parameters, kind)
            place = np.arange(1, errors.weights.size + 1)
            style.line(row[0], place, errors.weights, i, f"{kind}, M = {errors.categories}", marker=style.marker(i),
                       markersize=3.5)  # fmt: skip
            sheet.curve(model.name, f"{kind}, weights", "wrong_answer", place, "probability", errors.weights, "fit")
            value = np.array([latent.vote_at_n(int(k), *fit.parameters, errors.weights) for k in votes])
            style.line(row[1], votes, value, i, kind)
            sheet.curve(model.name, kind, "votes", votes, "accuracy", value, "fit")
            if kind == "geometric":
                from ds3sim.graph.graph import SkillGraph

                weights = tuple((errors.weights / errors.weights.sum()).tolist())
                for k in options.pick((4, 16, 64), (4,)):
                    task = Task(
                        SkillGraph.latent(*fit.parameters), aggregate=Majority(k, WeightErrors(weights)), steps=k
                    )
                    tally = walk(task, options, options.pick(20_000, 2_000))
                    points = success_points(tally, [k], latent.vote_at_n(k, *fit.parameters, errors.weights))
                    style.dots(row[1], [k], points, i)
                    sheet.points(model.name, kind, "votes", [k], "accuracy", points)
            said.append(f"{kind} c* = {errors.c_star:.3f}, squared error {errors.squared_error:.6f}")
        found.append(f"{model.name}: {'; '.join(said)}.")
        row[0].set(xlabel="Wrong answer, most frequent first", ylabel="Probability")
        style.logarithmic(row[0])
        row[1].set(xlabel="Votes N", ylabel="Accuracy of the vote")
        style.logarithmic(row[1])
        style.title(row[0], model.name)
        style.legend(row[0])
        style.legend(row[1])
    return Drawing(
        "error-weights",
        "Wrong answers and the vote",
        "Left: chances of the wrong answers of three error models, fitted to the published vote curve by the exact vote"
        " (13). Right: the vote curves; dots are simulations of the geometric model with 95% intervals. A vote curve"
        " tells the largest chance c* well, and the number of answers hardly.",
        {"": figure},
        sheet,
        found,
    )
