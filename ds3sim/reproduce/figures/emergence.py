"""Emergence: accuracy against training compute at several token budgets."""

from __future__ import annotations

import numpy as np

from ds3sim.core.figure import tick
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.theory.skills import Training, compute_optimal, train
from ds3sim.training.reasoning import reason_steps

TOKENS = (100, 250, 500, 1_000, 4_000, 64_000)
LEVELS = (40, 50, 60, 70, 80)


def draw(options: Options) -> Drawing:
    """Left: all tasks of the study. Right: accuracy by level of the task at one budget."""
    sheet = Sheet()
    left, right = sheet.panels((10.2, 4.2), *[(p, "training_flops", "accuracy") for p in ("accuracy", "levels")])
    compute = np.geomspace(1e22, 1e28, options.pick(241, 61))
    models = train(*compute_optimal(compute), Training())
    by_budget(left, compute, reason_steps(models, [t // 25 for t in TOKENS]).accuracy)
    skills = np.arange(2, 16)
    for i, level in enumerate(LEVELS):
        by = reason_steps(models, [160], tasks=(np.full(skills.size, level), skills)).accuracy[:, 0]
        right.curve(f"level={level}", compute, by, i, f"level {level}", linestyle="solid")
        if by[-1] > 0:
            half = reached(compute, by, 0.5)
            sheet.found.append(f"Tasks of level {level} at 4,000 tokens: half of the plateau at C_tr = {half:.3g}.")
    for panel, title in ((left, "Levels 60 to 70, by token budget"), (right, "4,000 tokens, by level of the task")):
        panel.frame("Training FLOPs, kappa = 20", "Accuracy", "x", title, share=True)
        panel.legend()
    return sheet.drawing(
        "Emergence and plateau",
        "Accuracy of CoT against training compute, for compute-optimal models. Left: the AIME mixture at several token"
        " budgets. Right: tasks of one level at 4,000 tokens.",
    )


def by_budget(panel: Panel, compute: np.ndarray, accuracy: np.ndarray) -> None:
    """Accuracy [compute, budget] against compute: where it rises, and the plateau."""
    found = panel.sheet.found
    for i, tokens in enumerate(TOKENS):
        value = accuracy[:, i]
        panel.curve(f"tokens={tokens}", compute, value, i, f"{tick(tokens)} tokens", linestyle="solid")
        low, half, high = (reached(compute, value, share) for share in (0.1, 0.5, 0.9))
        found.append(
            f"{tokens} tokens: plateau {value[-1]:.3f}; half of it at C_tr = {half:.3g}, from a tenth to nine tenths"
            f" over {np.log10(high / low):.2f} decades."
        )
    last, end = compute >= 0.1 * compute[-1], accuracy[-1]
    found.append(
        "Plateau of training: over the last decade of compute accuracy changes by at most"
        f" {np.ptp(accuracy[last], axis=0).max():.1e}, while {TOKENS[-1]:,} tokens in place of {TOKENS[0]} add"
        f" {end[-1] - end[0]:.3f} and {TOKENS[2]} in place of {TOKENS[0]} add {end[2] - end[0]:.3f}."
    )
    at = [compute[np.argmax(accuracy[:, i] >= 0.5)] for i in (4, 5)]
    found.append(f"Accuracy 1/2 at {TOKENS[4]:,} tokens takes C_tr = {at[0]:.3g}, at {TOKENS[5]:,} tokens {at[1]:.3g}.")


def reached(compute: np.ndarray, value: np.ndarray, share: float) -> float:
    """The compute from which on ``value`` is this share of its last one."""
    return compute[np.argmax(value >= share * value[-1])]
