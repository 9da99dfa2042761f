"""Accuracy of a trained model against tokens: the AIME study."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ds3sim.core.errors import require
from ds3sim.core.figure import tick
from ds3sim.fit.logs.read import read_log
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.theory.skills import Training, compute_optimal, train
from ds3sim.training.reasoning import Reasoning, reason, reason_steps

TRAINING_FLOPS = 3.35e25
PUBLISHED = ((2183, 0.314), (5417, 0.404), (8075, 0.435), (13792, 0.510), (19566, 0.565), (22490, 0.571))
"""Claude 3.7 Sonnet on AIME as digitized by [DS3]: thinking tokens, accuracy. The training compute is an assumption."""
STRATEGIES = (
    ("CoT", Reasoning()),
    ("ToT, 4 branches", Reasoning(branches=4)),
    ("best of 8", Reasoning(aggregate="best_of_n", n=8)),
    ("vote of 8", Reasoning(aggregate="majority", n=8)),
)
CHECK = ((1e15, 0.164936, 9.23035e14), (1e16, 0.450262, 7.62076e15), (1e17, 0.733309, 7.21731e16))
"""C_inf, accuracy and cost that the authors' code gives."""
DATA = "claude37_aime.csv"


def published(folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and accuracy of the published points, float64 each: of ``DATA`` in the folder, else as printed.

    Raises:
        InputError: the file has no such columns, or no numbers in them.
    """
    if folder is None or not (folder / DATA).is_file():
        x, y = zip(*PUBLISHED, strict=True)
        return np.array(x, dtype=np.float64), np.array(y)
    points = read_log(folder / DATA, "curve", x="Tokens", y="Accuracy").curve
    assert points is not None
    require(points.n.size >= 2, f"{folder / DATA}: needs at least two rows")
    return np.asarray(points.n, dtype=np.float64), np.asarray(points.success, dtype=np.float64)


def draw(options: Options) -> Drawing:
    """Left: accuracy against tokens by strategy. Right: CoT at other training computes, same token budgets."""
    sheet = Sheet()
    left, right = sheet.panels((10.2, 4.2), *[(p, "budget_tokens", "accuracy") for p in ("accuracy", "compute")])
    model = train(*compute_optimal(TRAINING_FLOPS), Training())
    tokens = np.geomspace(100, 1e6, options.pick(161, 41))
    for i, (name, how) in enumerate(STRATEGIES):
        left.curve(name, tokens, reason_steps(model, np.floor(tokens / (25 * how.branches * how.n)), how=how).accuracy,
                   i, name)  # fmt: skip
    x, y = published(options.data)
    left.diamonds("Claude 3.7 Sonnet on AIME", x, y, markersize=5, label="published points", zorder=5)
    at = reason_steps(model, np.floor(x / 25)).accuracy
    slopes = [np.polyfit(np.log10(x), v, 1)[0] for v in (y, at)]
    sheet.found += [
        "CoT at the published token counts: " + ", ".join(f"{a:.3f} ({b:.3f})" for a, b in zip(at, y, strict=True))
        + f" (published); root mean square difference {np.sqrt(np.mean((at - y) ** 2)):.3f}.",
        f"Accuracy per decade of tokens: {slopes[0]:.3f} published, {slopes[1]:.3f} here.",
    ]  # fmt: skip
    for i, flops in enumerate((1e25, 2e25, 5e25, 1e26)):
        value = reason_steps(train(*compute_optimal(flops), Training()), np.floor(tokens / 25)).accuracy
        right.curve(f"C_tr={flops:g}", tokens, value, i, f"{tick(flops)} FLOPs", linestyle="solid")
    titles = (f"C_tr = {tick(TRAINING_FLOPS)} FLOPs", "CoT, other training compute")
    for panel, title in zip((left, right), titles, strict=True):
        panel.frame("Tokens per task", "Accuracy", "x", title, share=True)
        panel.legend()
    how = Reasoning(round_steps=False, steps="min", feasibility="per_trace", level_ties="lowest")
    authors = train(*compute_optimal(TRAINING_FLOPS), Training(finite_size="authors_code"))
    out = reason(authors, [c for c, _, _ in CHECK], how=how)
    sheet.found += [
        f"Authors' settings, C_inf = {flops:g}: accuracy {b:.6f} (their code {a:.6f}), cost {d:.5e} ({c:.5e})."
        for (flops, a, c), b, d in zip(CHECK, out.accuracy, out.flops, strict=True)
    ]
    return sheet.drawing(
        "The AIME study",
        "Mean accuracy over tasks of levels 60 to 70 and 2 to 15 skills against tokens per task, which all branches"
        " and traces share. Diamonds: Claude 3.7 Sonnet on AIME, as published; its training compute is an assumption"
        " of the paper.",
    )
