"""Accuracy against training compute at several token budgets: emergence, plateau, and what reasoning adds there."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.theory.trained import Training, compute_optimal, train
from ds3sim.training.reasoning import Tasks, reason_steps

TOKENS = (100, 250, 500, 1_000, 4_000, 64_000)


def make(options: Options) -> Drawing:
    """Left: all tasks of the study. Right: accuracy by level of the task at one budget."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 2, (10.2, 4.2))
    left, right = axes[0]
    compute = np.geomspace(1e22, 1e28, options.pick(241, 61))
    models = train(*compute_optimal(compute), Training())
    out = reason_steps(models, [t // 25 for t in TOKENS])
    found = []
    for i, tokens in enumerate(TOKENS):
        value = out.accuracy[:, i]
        style.line(left, compute, value, i, f"{style.number(tokens)} tokens", linestyle="solid")
        sheet.curve("accuracy", f"tokens={tokens}", "training_flops", compute, "accuracy", value)
        half = compute[np.argmax(value >= 0.5 * value[-1])]
        low, high = (compute[np.argmax(value >= f * value[-1])] for f in (0.1, 0.9))
        found.append(
            f"{tokens} tokens: plateau {value[-1]:.3f}; half of it at C_tr = {half:.3g}, from a tenth to nine"
            f" tenths over"
            f" {np.log10(high / low):.2f} decades."
        )
    last = compute >= 0.1 * compute[-1]
    found.append(
        "Plateau of training: over the last decade of compute accuracy changes by at most"
        f" {np.ptp(out.accuracy[last], axis=0).max():.1e}, while {TOKENS[-1]:,} tokens in place of {TOKENS[0]} add"
        f" {out.accuracy[-1, -1] - out.accuracy[-1, 0]:.3f} and"
        f" {TOKENS[2]} in place of {TOKENS[0]} add {out.accuracy[-1, 2] - out.accuracy[-1, 0]:.3f}."
    )
    at = [compute[np.argmax(out.accuracy[:, i] >= 0.5)] for i in (4, 5)]
    found.append(f"Accuracy 1/2 at {TOKENS[4]:,} tokens takes C_tr = {at[0]:.3g}, at {TOKENS[5]:,} tokens {at[1]:.3g}.")
    levels = (40, 50, 60, 70, 80)
    by = reason_steps(models, [160], Tasks(levels=levels)).by_level[:, 0]
    for i, level in enumerate(levels):
        style.line(right, compute, by[:, i], i, f"level {level}", linestyle="solid")
        sheet.curve("levels", f"level={level}", "training_flops", compute, "accuracy", by[:, i])
        if by[-1, i] > 0:
            half = compute[np.argmax(by[:, i] >= 0.5 * by[-1, i])]
            found.append(f"Tasks of level {level} at 4,000 tokens: half of the plateau at C_tr = {half:.3g}.")
    for chart in (left, right):
        chart.set(xlabel="Training FLOPs, kappa = 20", ylabel="Accuracy", ylim=(-0.03, 1.03))
        style.logarithmic(chart)
        style.legend(chart)
    style.title(left, "Levels 60 to 70, by token budget")
    style.title(right, "4,000 tokens, by level of the task")
    return Drawing(
        "emergence",
        "Emergence and plateau",
        "Accuracy of CoT against training compute, for compute-optimal models. Left: the AIME mixture at several"
        " token budgets."
        " Right: tasks of one level at 4,000 tokens.",
        {"": figure},
        sheet,
        found,
    )
