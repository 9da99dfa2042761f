"""Published curves of pass@N and of votes ([B24], digitized), read from the folder ``--data``, and their fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ds3sim.core.figure import marker
from ds3sim.fit.difficulty import ModelCurve, fit_difficulty, predicted
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import read_log
from ds3sim.fit.pass_at_n import LatentFit, fit_pass_at_n
from ds3sim.fit.wrong_answers import ErrorFit, fit_vote_curve
from ds3sim.graph.graph import SkillGraph
from ds3sim.report.points import Points, joined
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.simulated import success_points, walk
from ds3sim.task.aggregate import Aggregate, BestOfN, Majority
from ds3sim.task.task import Task
from ds3sim.task.wrong_answers import WeightErrors
from ds3sim.theory import latent


@dataclass(frozen=True)
class Published:
    """One model of [B24].

    Attributes:
        name, file: of the model and of its pass@N curve.
        authors: (A, alpha, beta) of the fit of [DS3].
        squared_error: of that fit, summed over the points.
        vote: file of its majority-vote curve, if any.
        c_star: largest chance of a wrong answer of the fit of [DS3].
        loss, tokens, iota: training loss, output budget in tokens, and iota of the calibration of [DS3].
    """

    name: str
    file: str
    authors: tuple[float, float, float]
    squared_error: float
    loss: float
    tokens: int
    iota: float
    vote: str | None = None
    c_star: float | None = None


MODELS = (
    Published("Llama-3-8B", "llama8BpassN.csv", (1.0, 0.388, 2.715), 0.020805, 1.9485, 8192, 0.117),
    Published("Gemma-2B", "gemma2B.csv", (1.0, 0.361, 4.649), 0.008281, 2.1173, 8192, 0.126),
    Published("Pythia-2.8B", "pythia28B.csv", (0.934, 0.322, 18.0), 0.000565, 2.1906, 2048, 0.146),
    Published(
        "Llama-3-8B-Instruct", "llama38Binstruct_oracle.csv", (1.0, 0.380, 1.134), 0.002135, 1.9485, 8192, 0.288,
        "llama38Binstruct_maj.csv", 0.2683,
    ),
    Published(
        "Llama-3-70B-Instruct", "llama370Binstruct_oracle.csv", (1.0, 0.409, 0.488), 0.001945, 1.8575, 8192, 0.526,
        "llama370Binstruct_maj.csv", 0.4113,
    ),
)  # fmt: skip


def curve(options: Options, file: str) -> tuple[np.ndarray, np.ndarray]:
    """N and success of a published curve, float64 [points], N ascending.

    Raises:
        InputError: the file is missing or no curve.
    """
    assert options.data is not None
    points = read_log(options.data / file, "curve").curve
    assert points is not None
    order = np.argsort(points.n)
    return np.asarray(points.n, dtype=np.float64)[order], np.asarray(points.success, dtype=np.float64)[order]


def fits(options: Options) -> list[tuple[Published, np.ndarray, np.ndarray, LatentFit]]:
    """Each model with its pass@N curve and our fit of (12)."""
    out = []
    for model in MODELS:
        n, y = curve(options, model.file)
        out.append((model, n, y, fit_pass_at_n(Log.from_curve(n, y))))
    return out


def vote(n: int, fit: LatentFit, errors: ErrorFit) -> float:
    """Accuracy of a vote of n by (13)."""
    return latent.vote_at_n(int(n), *fit.parameters, errors.weights)


def best_of_points(fit: LatentFit, n: int, options: Options) -> Points:
    """Simulated pass@n of the fitted model, beside (12)."""
    return _points(fit, BestOfN(n), latent.pass_at_n(n, *fit.parameters), options)


def vote_points(fit: LatentFit, errors: ErrorFit, n: int, options: Options) -> Points:
    """Simulated vote of n of the fitted model, beside (13)."""
    weights = WeightErrors(tuple((errors.weights / errors.weights.sum()).tolist()))
    return _points(fit, Majority(n, weights), vote(n, fit, errors), options)


def _points(fit: LatentFit, aggregate: Aggregate, theory: Any, options: Options) -> Points:
    task = Task(SkillGraph.latent(*fit.parameters), aggregate=aggregate, steps=aggregate.n)
    return success_points(walk(task, options, options.pick(20_000, 2_000)), [aggregate.n], theory)


AHEAD = 10.0
"""How far beyond the last published N the curves are drawn, as a factor."""


def draw_pass_at_n(options: Options) -> Drawing:
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


KINDS = ("geometric", "uniform", "zipf")


def draw_error_weights(options: Options) -> Drawing:
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


OMEGA = 25
SHARES, MEAN, DEVIATION = np.array([0.93, 0.07]), np.array([0.529, 1.718]), np.array([0.288, 0.148])
CALIBRATION = ((1, 100), SHARES, MEAN, DEVIATION, 0.141, 1.354, -0.015)
"""m, shares, mean and deviation of L0, a, b, d of the paper's calibration ([DS3])."""


def draw_difficulty(options: Options) -> Drawing:
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
