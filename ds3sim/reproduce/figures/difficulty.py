"""One law of difficulty, fitted to the published curves of five models at once."""

from __future__ import annotations

import numpy as np

from ds3sim.fit.difficulty import ModelCurve, fit_difficulty, predicted
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.published import MODELS, curve

OMEGA = 25
SHARES, MEAN, DEVIATION = np.array([0.93, 0.07]), np.array([0.529, 1.718]), np.array([0.288, 0.148])
CALIBRATION = ((1, 100), SHARES, MEAN, DEVIATION, 0.141, 1.354, -0.015)
"""m, shares, mean and deviation of L0, a, b, d of the paper's calibration ([DS3])."""


def draw(options: Options) -> Drawing:
    """Left: pass@N of the fitted mixture beside the published points. Right: the law of L0 given m."""
    sheet = Sheet()
    left, right = sheet.panels((10.2, 4.4), ("a", "samples", "pass_at_n"), ("b", "L0", "density"))
    curves = [ModelCurve(m.name, m.loss, m.tokens // OMEGA, *curve(options, m.file)) for m in MODELS]
    fit = fit_difficulty(curves, starts=options.pick(4, 1), seed=options.seed)
    for i, (model, published) in enumerate(zip(curves, MODELS, strict=True)):
        x = np.geomspace(1, 10 * model.n.max(), options.pick(120, 40))
        iota = fit.iota[model.name]
        left.curve(model.name, x, fit.pass_at_n(x, model.loss, model.steps, iota), i, model.name, "fit",
                   linestyle="solid")  # fmt: skip
        left.diamonds(model.name, model.n, model.success, i)
        sheet.found.append(
            f"{model.name}: iota = {iota:.4f} (calibration of the paper {published.iota}), squared error"
            f" {fit.errors[model.name]:.5f}."
        )
    for i, (m, share, mean, spread) in enumerate(zip(fit.skills, fit.shares, fit.mean, fit.deviation, strict=True)):
        ease = np.linspace(mean - 4 * spread, mean + 4 * spread, 161)
        density = np.exp(-0.5 * ((ease - mean) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
        right.curve(f"m={m}", ease, density, i, f"m = {m}: {share:.0%} of the tasks", "fit")
        sheet.found.append(f"m = {m}: share {share:.3f}, L0 normal with mean {mean:.3f} and deviation {spread:.3f}.")
    theirs = sum(
        float(np.sum((predicted(c.n, c.loss, c.steps, m.iota, *CALIBRATION) - c.success) ** 2))
        for c, m in zip(curves, MODELS, strict=True)
    )
    sheet.found += [
        f"b = {fit.b:.3f}; all curves together: squared error {fit.squared_error:.5f}.",
        f"The paper's calibration on the same curves: squared error {theirs:.3f}; it is close at N = 1 and off at"
        " large N, and so is its iota from ours.",
    ]
    left.frame("Samples N", "pass@N", "x", share=True)
    right.frame("Ease of a skill, L0", "Density given m")
    left.legend()
    right.legend()
    return sheet.drawing(
        "One law of difficulty for five models",
        "Left: pass@N of a mixture of tasks with one law of (m, L0) for all models and one iota each, fitted to all"
        " published curves at once (diamonds). Right: the fitted law of L0 given m.",
    )
