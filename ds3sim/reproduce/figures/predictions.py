"""Four predictions of the theory, each with a fitted number and its error."""

from __future__ import annotations

from ds3sim.report import style
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.figures.predictions_power import log_linear, plateau
from ds3sim.reproduce.figures.predictions_strategy import boundary, one_framework

PARTS = (("a", log_linear), ("b", boundary), ("c", plateau), ("d", one_framework))


def make(options: Options) -> Drawing:
    """One figure a prediction; the sheet and what was found are joined."""
    sheet, figures, captions, found = Sheet(), {}, [], []
    for letter, part in PARTS:
        figure, axes = style.canvas(1, 1, (7.0, 4.6))
        caption, numbers = part(sheet, axes[0, 0], options)
        figures[letter] = figure
        captions.append(f"({letter}) {caption}")
        found += [f"({letter}) {n}" for n in numbers]
    return Drawing("predictions", "Four predictions", " ".join(captions), figures, sheet, found)
