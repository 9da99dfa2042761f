"""Four predictions of the theory, each with a fitted number and its error.

(a) Accuracy is linear in log compute. (b) The preferred strategy changes with difficulty and capability. (c) Reasoning
goes on where parameter scaling has ended. (d) Best of n and votes in one framework.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.allocate.curves import steps_for
from ds3sim.core.figure import LIGHT, colour, dash
from ds3sim.report.points import Points, joined
from ds3sim.report.style import key
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.reproduce.equal_cost import COST, name
from ds3sim.reproduce.simulated import (
    chain_points,
    chain_task,
    every,
    mixture_points,
    root,
    success_points,
    walk,
    whole_budgets,
)
from ds3sim.stats.slopes import fitted_line
from ds3sim.task.aggregate import BestOfN, Majority, Verifier
from ds3sim.task.wrong_answers import GeometricErrors
from ds3sim.theory import chain
from ds3sim.theory.aggregate import best_of_n, best_of_n_verified
from ds3sim.theory.difficulty import Difficulty
from ds3sim.theory.loss import loss, step_success
from ds3sim.theory.votes import vote_success

OMEGA = 25
PARAMETERS, TOKENS = 1e9, 2e10
SHAPES = (1, 2, 3, 4, 6, 9, 13, 20, 30, 45)
BAND = 0.01
"""How far accuracy may be from a straight line to count as on it."""


def log_linear(panel: Panel, options: Options) -> str:
    """(a) The longest range of compute over which accuracy is within ``BAND`` of a straight line; the caption."""
    mixture = Difficulty.grid(np.linspace(0.1, 4.0, 24), SHAPES)
    level = float(loss(PARAMETERS, TOKENS))
    steps = whole_budgets(1, 1e8, options.pick(150, 60))
    value = mixture.moments(level, steps).success
    flops = 2 * PARAMETERS * OMEGA * steps
    x = np.log10(flops)
    panel.curve("accuracy", flops, value, 0, "theory: 240 kinds of task", linestyle="solid")
    # The allocation study's own mixture: a line over far less. The range depends on the mixture.
    study = Difficulty.grid(np.linspace(0.1, 4.0, 8), range(1, 51)).moments(level, steps).success
    panel.curve("accuracy of the study's mixture", flops, study, 2, "theory: the allocation study's 400 tasks",
                linestyle="dotted")  # fmt: skip
    first, last = longest_line(x, study, BAND)
    low, high = longest_line(x, value, BAND)
    slope, error, intercept, r2 = fitted_line(x[low:high], value[low:high])
    ends = x[[low, high - 1]]
    panel.curve("line", 10**ends, intercept + slope * ends, 1, f"line: {slope:.3f} a decade, R² = {r2:.4f}", "fit",
                linewidth=3, alpha=0.6)  # fmt: skip
    at = np.array(options.pick((5, 12, 30, 80, 200, 600, 2000, 6000), (12, 200)))
    spent = 2 * PARAMETERS * OMEGA * at
    if options.quick:  # a few of the tasks, compared with the same few
        panel.write_points("accuracy", spent, mixture_points(every(mixture, 23), level, at, options, 300))
    else:
        panel.points("accuracy", spent, mixture_points(mixture, level, at, options, 500), 0, "simulation")
    panel.frame("Compute of one task (FLOPs)", "Accuracy", "x", share=True)
    panel.legend()
    panel.sheet.found += [
        f"Accuracy is within {BAND:g} of a straight line in log compute over {ends[1] - ends[0]:.1f} decades"
        f" ({value[low]:.2f} to {value[high - 1]:.2f}): {slope:.4f} ± {error:.4f} a decade, R² = {r2:.5f}.",
        "With the allocation study's mixture (8 values of L0, m = 1..50) it is within the same band over"
        f" {x[last - 1] - x[first]:.1f} decades only.",
    ]
    return (
        "Accuracy of a model of 10^9 parameters over 24 values of L0 (0.1 to 4) and 10 of m (1 to 45) against the"
        f" compute of a task; the line is the longest on which accuracy stays within ±{BAND:g}. How long it is depends"
        " on the mixture of tasks: L0 has to be spread evenly and finely, and m over decades. This mixture was chosen"
        " so."
    )


def longest_line(x: np.ndarray, y: np.ndarray, band: float) -> tuple[int, int]:
    """[low, high) of the longest range of x whose least-squares line is within ``band`` of all its points, where y is
    not flat (between 0.02 and 0.98)."""
    inside = np.flatnonzero((y > 0.02) & (y < 0.98))
    best = (int(inside[0]), int(inside[0]) + 3)
    for low in inside:
        for high in range(int(inside[-1]) + 1, low + 3, -1):
            if x[high - 1] - x[low] <= x[best[1] - 1] - x[best[0]]:
                break
            slope, _, intercept, _ = fitted_line(x[low:high], y[low:high])
            if np.max(np.abs(y[low:high] - intercept - slope * x[low:high])) <= band:
                best = (int(low), high)
                break
    return best


SKILLS, EASE, DATA = 10, 2.2, 1e11
BUDGETS = (10, 13, 20, 50)


def plateau(panel: Panel, options: Options) -> str:
    """(c) Success against N at fixed data, for direct answers (K = m) and with reasoning; the caption."""
    size = np.geomspace(1e8, 1e14, options.pick(121, 31))
    few = np.geomspace(1e8, 1e14, options.pick(13, 4))
    rate, rates = (step_success(loss(n, DATA), EASE) for n in (size, few))
    limit = float(step_success(loss(np.inf, DATA), EASE))
    at = int(np.argmin(abs(np.log(few / 1e10))))
    for i, k in enumerate(BUDGETS):
        label = f"K = {k}" + (" = m, no step to spare" if k == SKILLS else f" steps ({k * OMEGA:,} tokens)")
        panel.curve(f"K={k}", size, chain.success(SKILLS, rate, k), i, label)
        points = joined([chain_points(SKILLS, r, k, options, options.pick(100_000, 4_000)) for r in rates])
        panel.points(f"K={k}", few, points, i)
        top = float(chain.success(SKILLS, limit, k))
        panel.level(top, i)
        small = points.value[at]
        panel.sheet.found.append(
            f"K = {k}: N from 10^10 to infinity raises success from {small:.4f} ±"
            f" {np.sqrt(small * (1 - small) / points.traces):.4f} (simulated) to {top:.4f}."
        )
    panel.frame("Parameters N", "Success probability", "x", share=True)
    panel.legend(where="above", columns=2)
    return (
        f"Success of a task of {SKILLS} skills (L0 = {EASE:g}) against model size with 10^11 training tokens. With no"
        " step to spare it ends on a low plateau (thin lines: N infinite); a few steps more bring the ability out."
    )


BRANCHES = (1, 4, 16)
HALF = 0.5


def half_cost(m: Any, r: Any, b: int) -> np.ndarray:
    """FLOPs at which b branches reach success 1/2, with K real and at least m; broadcast."""
    return COST.flops(COST.tokens_per_step * steps_for(m, chain.branch_success(r, b), HALF), b)


def boundary(panel: Panel, options: Options) -> str:
    """(b) Which of CoT, ToT(4), ToT(16) reaches success 1/2 at the least cost, over (r, m); the caption."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    rates = np.geomspace(0.003, 0.8, options.pick(150, 30))
    skills = np.unique(np.rint(np.geomspace(2, 300, options.pick(80, 16))))
    best = np.argmin([half_cost(skills[:, None], rates, b) for b in BRANCHES], axis=0)
    colours = ListedColormap([colour(i) for i in range(len(BRANCHES))])
    panel.axes.pcolormesh(
        rates, skills, best, cmap=colours, vmin=-0.5, vmax=2.5, alpha=0.35, shading="nearest", rasterized=True
    )
    panel.axes.grid(False)
    panel.write_map("cheapest", rates, skills, np.array(BRANCHES)[best])
    for i, (one, other) in enumerate(((16, 4), (4, 1))):
        m, r = crossing(one, other, options)
        many = m >= 5
        slope, error, intercept, r2 = fitted_line(np.log(m[many]), np.log(r[many]))
        panel.axes.plot(r, m, color=LIGHT.ink, linewidth=1.6, linestyle=dash(i))
        panel.write(f"boundary {name(one)} / {name(other)}", r, m, name="skills")
        panel.sheet.found.append(
            f"{name(one)} gives way to {name(other)} at r = {np.exp(intercept):.3f} m^({slope:.3f} ± {error:.3f}) (R² ="
            f" {r2:.3f}, m = 5 to {m[-1]:.0f}); at m = 20, r ="
            f" {np.exp(np.interp(np.log(20), np.log(m), np.log(r))):.3f}."
        )
    discs(panel, options)
    panel.frame("Success of one proposal, r (capability)", "Skills m (difficulty)", "xy")
    patches = [Patch(color=colour(i), alpha=0.35, label=f"{name(b)} best") for i, b in enumerate(BRANCHES)]
    panel.legend(*patches, key("simulated best", points=True), where="above", columns=4)
    return (
        "The cheapest of CoT, ToT(4) and ToT(16) for success 1/2, over capability and difficulty. Discs: the most"
        " successful at that cost by simulation, open where 95% intervals overlap."
    )


def crossing(one: int, other: int, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """(m, r) at which both strategies need the same cost; the cost ratio crosses 1 once in r."""
    skills = np.unique(np.rint(np.geomspace(2, 300, options.pick(40, 8))))
    out = []
    for m in skills:

        def ratio(x: float, m: float = m) -> float:
            return float(np.log(half_cost(m, np.exp(x), one) / half_cost(m, np.exp(x), other)))

        low, high = np.log(1e-4), np.log(0.95)
        if ratio(low) < 0 < ratio(high):
            out.append((m, np.exp(root(ratio, low, high))))
    m, r = np.array(out).T
    return m, r


def discs(panel: Panel, options: Options) -> None:
    """The best strategy by simulation at the least cost of theory, and how often it is the best of theory."""
    right = certain = points = 0
    traces = options.pick(20_000, 2_000)
    for m in options.pick((2, 6, 20, 60, 150), (6, 20)):
        for r in options.pick((0.005, 0.012, 0.03, 0.07, 0.15, 0.3, 0.6), (0.02, 0.3)):
            cost = min(float(half_cost(m, r, b)) for b in BRANCHES)
            steps = [max(int(COST.max_steps(cost, b)), 1) for b in BRANCHES]
            if max(steps) > MOST_WALKED:
                continue
            found = [chain_points(m, r, k, options, traces, b) for b, k in zip(BRANCHES, steps, strict=True)]
            for b, each in zip(BRANCHES, found, strict=True):
                panel.write_points(name(b), r, each, m, name="success")
            order = np.argsort([-f.value[0] for f in found])
            sure = bool(found[order[0]].low[0] > found[order[1]].high[0])
            points, certain = points + 1, certain + sure
            right += sure and int(order[0]) == int(np.argmax([f.theory[0] for f in found]))
            fill = colour(order[0]) if sure else LIGHT.paper
            ring = LIGHT.ink if sure else colour(order[0])
            panel.axes.plot(r, m, "o", markersize=6.5, markeredgewidth=1.2, markerfacecolor=fill, markeredgecolor=ring)
    panel.sheet.found.append(
        "Simulated at the cost at which the best reaches 1/2: the best strategy is certain (95% intervals apart) at"
        f" {certain} of {points} points, and there it is that of theory at {right}."
    )


ERRORS = GeometricErrors(11, 0.746)
VERIFIER = Verifier(0.9, 0.1)
MOST_WALKED = 20_000
CHAIN = (5, 25)
"""m, and K of one trace."""
KINDS = (
    ("best of n", BestOfN, best_of_n),
    ("verifier (0.9, 0.1)", lambda n: BestOfN(n, VERIFIER), lambda p, n: best_of_n_verified(p, n, 0.9, 0.1)),
    ("majority", lambda n: Majority(n, ERRORS), lambda p, n: vote_success(p, n, ERRORS.weights)),
)
"""Label, aggregator of n traces, and its success from that of one trace."""


def one_framework(panel: Panel, options: Options) -> str:
    """(d) Success against n for verifiers and votes, above and below the threshold of the vote; the caption."""
    weights = ERRORS.weights
    threshold = weights.max() / (1 + weights.max())
    many = np.unique(np.rint(np.geomspace(1, 256, options.pick(60, 16)))).astype(int)
    few = options.pick((1, 2, 4, 8, 16, 32, 64), (1, 8))
    for index, wanted in enumerate((0.3, 0.12)):
        r = root(lambda r, p=wanted: float(chain.success(CHAIN[0], r, CHAIN[1])) - p, 1e-4, 0.9)
        p1 = float(chain.success(CHAIN[0], r, CHAIN[1]))
        for kind, (label, aggregate, theory) in enumerate(KINDS):
            series = f"{label}, P1 = {p1:.2f}"
            value = np.array([float(theory(p1, int(n))) for n in many])
            panel.curve(series, many, value, kind, linestyle=dash(index))
            parts = []
            for n in few:
                task = chain_task(CHAIN[0], r, CHAIN[1] * n, aggregate=aggregate(n))
                tally = walk(task, options, options.pick(40_000, 2_000))
                parts.append(success_points(tally, CHAIN[1] * n, float(theory(p1, n))))
            points = joined(parts)
            panel.points(series, few, points, kind, markerfacecolor=(colour(kind), LIGHT.paper)[index],
                         markeredgecolor=colour(kind))  # fmt: skip
            if label == "best of n":
                panel.sheet.found.append(decay(points, few, p1))
            if label == "majority":
                panel.sheet.found.append(
                    f"P1 = {p1:.3f}: the vote of 256 has {value[-1]:.3f}, of one {value[0]:.3f} (threshold c*/(1+c*) ="
                    f" {threshold:.4f})."
                )
    half = ", ".join(f"{votes_half(weights, n):.4f} (n = {n})" for n in options.pick((64, 256, 1024), (16, 64)))
    panel.sheet.found.append(
        f"A vote is won half of the time at P1 = {half}; the threshold for n without end is {threshold:.4f}."
    )
    panel.frame("Traces n", "Success probability", "x", share=True)
    panel.legend(
        *(key(label + " (oracle)" * (i == 0), i, linestyle="solid") for i, (label, _, _) in enumerate(KINDS)),
        key("P1 = 0.30", linestyle=dash(0), marker="o"),
        key("P1 = 0.12", linestyle=dash(1), marker="o", markerfacecolor=LIGHT.paper),
        where="above",
        columns=3,
    )
    return (
        f"One chain of {CHAIN[0]} skills, {CHAIN[1]} steps a trace; success against the number of traces for an oracle,"
        " a verifier that accepts 90% of right and 10% of wrong traces, and a vote with geometric errors (11 answers,"
        " 0.746). A vote helps only above its threshold."
    )


def decay(points: Points, few: tuple[int, ...], p1: float) -> str:
    """The rate at which the failures of best of n fall, fitted to the simulated points."""
    n, failed = np.array(few, dtype=np.float64), 1.0 - points.value
    good = failed * points.traces >= 25
    n, failed = n[good], failed[good]
    # weighted least squares through the origin of ln(failure) = -rate n; var ln(failure) = (1-q)/(q traces)
    weight = failed * points.traces / np.maximum(1.0 - failed, 1e-9)
    rate = float(-(weight * n * np.log(failed)).sum() / (weight * n * n).sum())
    error = float(1.0 / np.sqrt((weight * n * n).sum()))
    return (
        f"Failures of best of n fall as exp(-{rate:.4f} n), ± {error:.4f}; theory -ln(1 - P1) = {-np.log1p(-p1):.4f}."
    )


def votes_half(weights: np.ndarray, n: int) -> float:
    """The P1 at which a vote of n is won with probability 1/2."""
    return root(lambda p: float(vote_success(p, n, weights)) - 0.5, 0.01, 0.9)


PARTS = (
    (("a", "flops", "accuracy"), log_linear),
    (("b", "step_success", "skills", "branches"), boundary),
    (("c", "parameters", "success"), plateau),
    (("d", "traces_per_task", "success"), one_framework),
)


def draw(options: Options) -> Drawing:
    """One figure a prediction; the sheet and what was found are joined."""
    sheet, captions = Sheet(), []
    for names, part in PARTS:
        (panel,) = sheet.panels((7.0, 4.6), names, suffix=names[0])
        before = len(sheet.found)
        captions.append(f"({names[0]}) {part(panel, options)}")
        sheet.found[before:] = [f"({names[0]}) {sentence}" for sentence in sheet.found[before:]]
    return sheet.drawing("Four predictions", " ".join(captions))
