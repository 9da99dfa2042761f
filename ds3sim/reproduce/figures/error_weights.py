"""Which wrong answers are given, fitted to published vote curves."""

from __future__ import annotations

import numpy as np

from ds3sim.core.figure import marker
from ds3sim.fit.pass_at_n import LatentFit
from ds3sim.fit.wrong_answers import fit_vote_curve
from ds3sim.report.points import joined
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.published import Published, curve, fits, vote, vote_points

KINDS = ("geometric", "uniform", "zipf")


def draw(options: Options) -> Drawing:
    """Left: fitted weights by error model. Right: the vote curves that they give, beside the published ones."""
    sheet = Sheet()
    models = [(model, fit) for model, _, _, fit in fits(options) if model.vote is not None]
    names = [(m.name, *pair) for m, _ in models for pair in (("wrong_answer", "probability"), ("votes", "accuracy"))]
    panels = sheet.panels((9.8, 3.6 * len(models)), *names, rows=len(models))
    for i, (model, fit) in enumerate(models):
        by_kind(panels[2 * i], panels[2 * i + 1], model, fit, options)
    return sheet.drawing(
        "Wrong answers and the vote",
        "Left: chances of the wrong answers of three error models, fitted to the published vote curve by the exact"
        " vote (13). Right: the vote curves; dots are simulations of the geometric model with 95% intervals. A vote"
        " curve tells the largest chance c* well, and the number of answers hardly.",
    )


def by_kind(left: Panel, right: Panel, model: Published, fit: LatentFit, options: Options) -> None:
    """One model: its vote curve under each error model."""
    n, y = curve(options, model.vote or "")
    many = np.unique(np.geomspace(1, options.pick(300, 40), options.pick(24, 8)).astype(int))
    right.diamonds("published", n, y, markersize=3.5, label="published", zorder=5)
    said = []
    for i, kind in enumerate(KINDS):
        errors = fit_vote_curve(n, y, fit.parameters, kind)
        place = np.arange(1, errors.weights.size + 1)
        left.curve(f"{kind}, weights", place, errors.weights, i, f"{kind}, M = {errors.categories}", "fit",
                   marker=marker(i), markersize=3.5)  # fmt: skip
        right.curve(kind, many, [vote(k, fit, errors) for k in many], i, kind, "fit")
        if kind == "geometric":
            some = options.pick((4, 16, 64), (4,))
            right.points(kind, some, joined([vote_points(fit, errors, k, options) for k in some]), i)
        said.append(f"{kind} c* = {errors.c_star:.3f}, squared error {errors.squared_error:.6f}")
    left.sheet.found.append(f"{model.name}: {'; '.join(said)}.")
    left.frame("Wrong answer, most frequent first", "Probability", "x", model.name)
    right.frame("Votes N", "Accuracy of the vote", "x")
    left.legend()
    right.legend()
