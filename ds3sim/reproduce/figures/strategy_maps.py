"""Maps of the success of three strategies at equal cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.report.points import Points
from ds3sim.report.style import colour_bar
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.equal_cost import COST, name, surface
from ds3sim.reproduce.simulated import chain_points, whole_budgets
from ds3sim.stats.intervals import NORMAL_95

RATES = (0.001, 0.01, 0.1, 0.5)
BRANCHES = (1, 4, 16)
PAIRS = ((4, 1), (16, 1), (16, 4))
OMEGA = 25
MOST_WALKED = 4096
"""Longest simulated walk, in steps."""


def draw(options: Options) -> Drawing:
    """One row a rate; three maps of success, three of differences; discs are simulated."""
    sheet = Sheet()
    kinds = 3 * ["success"] + 3 * ["difference"]
    names = [(f"r={r:g}", "cot_tokens", "skill_tokens", what) for r in RATES for what in kinds]
    panels = sheet.panels((15.2, 10.2), *names, rows=len(RATES), sharex=True, sharey=True)
    budgets = OMEGA * whole_budgets(4, 40_000, options.pick(72, 20))
    skills = whole_budgets(1, 1000, options.pick(56, 16))
    meshes = []
    for i, r in enumerate(RATES):
        row = panels[6 * i : 6 * i + 6]
        meshes = draw_rate(row, r, budgets, skills, options)
        row[0].axes.set_ylabel(f"r = {r:g}\nSkills × tokens a step, mω")
    labels = [name(b) for b in BRANCHES] + [f"{name(b)} − {name(o)}" for b, o in PAIRS]
    for i, panel in enumerate(panels):
        last, first = i >= len(panels) - 6, i < 6
        panel.frame("Budget (CoT tokens)" if last else "", panel.axes.get_ylabel(), "xy", labels[i] if first else "",
                    xlim=(budgets[0], budgets[-1]), ylim=(OMEGA, skills[-1] * OMEGA))  # fmt: skip
    for half, label in enumerate(("Success probability", "Difference of success probabilities")):
        where = [panel.axes for i, panel in enumerate(panels) if i % 6 // 3 == half]
        colour_bar(
            sheet.figures[""], meshes[half], where, label, location="bottom", fraction=0.025, aspect=60, pad=0.02
        )
    return sheet.drawing(
        "Three strategies at equal cost",
        "Success of chain of thought and of tree of thought with 4 and 16 branches, and differences, over the budget"
        " (tokens of a chain of thought of equal cost, by (18)) and the length of the task (skills times 25 tokens),"
        " for four step successes r. Discs are simulated, in the colours of the map: a disc that can be told from its"
        " surroundings would be a disagreement. Model as in token-budget.",
    )


def draw_rate(row: list[Panel], r: float, budgets: np.ndarray, skills: np.ndarray, options: Options) -> list[Any]:
    """One rate: six maps with their discs, what they say, and the two meshes for the colour bars."""
    at = np.array(options.pick((400, 2_000, 10_000, 50_000, 250_000), (2_000, 50_000)))
    lengths = options.pick((2, 10, 50), (5,))
    maps = {b: surface(r, skills[:, None], budgets, b) for b in BRANCHES}
    walked = {(b, m): simulated(r, m, at, b, options) for b in BRANCHES for m in lengths}
    shown = [(name(b), maps[b], [walked[b, m] for m in lengths], (0, 1)) for b in BRANCHES]
    shown += [
        (
            f"{name(b)} - {name(o)}",
            maps[b] - maps[o],
            [difference(walked[b, m], walked[o, m]) for m in lengths],
            (-1, 1),
        )
        for b, o in PAIRS
    ]
    meshes = []
    for panel, (label, values, points, limits) in zip(row, shown, strict=True):
        signed = limits[0] < 0
        meshes.append(panel.heat(label, budgets, skills * OMEGA, values, limits, signed))
        for m, (tokens, each) in zip(lengths, points, strict=True):
            panel.spots(label, tokens, m * OMEGA, each, limits, diverging=signed)
    best = np.max([maps[b] for b in BRANCHES], axis=0)
    undecided = (best > 0.01) & (maps[1] < 0.99)
    first = np.argmax([maps[b] for b in BRANCHES], axis=0)[undecided]
    wins = [float(np.mean(first == i)) for i in range(len(BRANCHES))]
    gain = maps[16] - maps[1]
    row[0].sheet.found.append(
        f"r = {r:g}: where success is undecided, CoT is best on {wins[0]:.0%} of the map, ToT(4) on {wins[1]:.0%},"
        f" ToT(16) on {wins[2]:.0%}; ToT(16) gains up to {gain.max():.3f} over CoT and loses up to {-gain.min():.3f}."
    )
    return [meshes[0], meshes[-1]]


def simulated(r: float, m: int, tokens: np.ndarray, b: int, options: Options) -> tuple[np.ndarray, Points]:
    """(budgets in CoT tokens, points) where the walk is short enough; one run for all budgets."""
    steps = np.asarray(COST.max_steps(COST.flops(tokens), b))
    keep = (steps > 0) & (COST.max_steps(COST.flops(tokens)) <= MOST_WALKED)
    return tokens[keep], chain_points(m, r, steps[keep], options, options.pick(40_000, 2_000), b)


def difference(one: tuple[np.ndarray, Points], other: tuple[np.ndarray, Points]) -> tuple[np.ndarray, Points]:
    """(budgets, points) of the difference of two independent simulations."""
    (at, a), (_, b) = one, other
    theory, value, n = a.theory - b.theory, a.value - b.value, a.traces
    variance = (a.theory * (1 - a.theory) + b.theory * (1 - b.theory)) / n
    # The normal law needs some events; without them the two maps themselves are the check.
    z = np.where(variance * n * n >= 25, (value - theory) / np.sqrt(np.maximum(variance, 1e-300)), np.nan)
    half = NORMAL_95 * np.sqrt((a.value * (1 - a.value) + b.value * (1 - b.value)) / n)
    return at, Points(value, value - half, value + half, theory, z, n)
