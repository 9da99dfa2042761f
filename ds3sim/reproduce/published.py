"""Published curves of pass@N and of votes ([B24], digitized), read from the folder ``--data``, and their fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import read_log
from ds3sim.fit.pass_at_n import LatentFit, fit_pass_at_n
from ds3sim.fit.wrong_answers import ErrorFit
from ds3sim.graph.graph import SkillGraph
from ds3sim.report.points import Points
from ds3sim.reproduce.drawing import Options
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
