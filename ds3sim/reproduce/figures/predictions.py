"""Four predictions of the theory, each with a fitted number and its error."""

from __future__ import annotations

from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.reproduce.figures.predictions_power import log_linear, plateau
from ds3sim.reproduce.figures.predictions_strategy import boundary, one_framework

PARTS = (
    (("a", "flops", "accuracy"), log_linear),
    (("b", "step_success", "skills", "branches"), boundary),
    (("c", "parameters", "success"), plateau),
    (("d", "traces_per_task", "success"), one_framework),
)


def make(options: Options) -> Drawing:
    """One figure a prediction; the sheet and what was found are joined."""
    sheet, captions = Sheet(), []
    for names, part in PARTS:
        (panel,) = sheet.panels((7.0, 4.6), names, suffix=names[0])
        before = len(sheet.found)
        captions.append(f"({names[0]}) {part(panel, options)}")
        sheet.found[before:] = [f"({names[0]}) {sentence}" for sentence in sheet.found[before:]]
    return sheet.drawing("Four predictions", " ".join(captions))
