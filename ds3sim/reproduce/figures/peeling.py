"""Peeling near the threshold: which finite-size law (20) simulated graphs follow."""

from __future__ import annotations

import numpy as np

from ds3sim.report import style
from ds3sim.report.points import Points
from ds3sim.reproduce.drawing import Drawing, Options, Sheet
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.theory.peeling import VARIANTS, large_graph, peeling
from ds3sim.training.finite_size import Stuck, fit_law, ratios_near, simulate_stuck

LABELS = {
    "published": "published, b = 0.6",
    "authors_code": "authors' code",
    "random_graph": "independent edges (ours)",
}
TABLE = (4.6, 4.8, 4.9)


def make(options: Options) -> Drawing:
    """Share of stuck runs against T/R; the fitted scale and shift against R; the law far from the threshold."""
    sheet = Sheet()
    figure, axes = style.canvas(1, 3, (12.6, 4.1))
    found = _shares(sheet, axes[0][0], options)
    found += _fits(sheet, axes[0][1], options)
    found += _far(sheet, axes[0][2], options)
    return Drawing(
        "peeling",
        "Peeling near the threshold",
        "Left: share of runs in which peeling got stuck, R = 4000 concepts; points are simulated (circles: the"
        " exact chain of"
        " counts; squares: sampled graphs). Middle: scale that fits the runs at each R, as a multiple of the"
        " published one."
        " Right: fraction of concepts that stays unknown far from the threshold, R = 4000, with the limit of large"
        " graphs.",
        {"": figure},
        sheet,
        found,
    )


def _points(data: Stuck, theory) -> Points:
    low, high = clopper_pearson(data.stuck, data.runs)
    gap = data.share - theory
    z = gap / np.sqrt(theory * (1 - theory) / data.runs)
    return Points(data.share, low, high, theory, z, int(data.runs[0]))


def _shares(sheet: Sheet, axes, options: Options) -> list[str]:
    ratio = np.linspace(4.2, 5.1, options.pick(181, 31))
    for i, variant in enumerate(VARIANTS):
        value = peeling(4000, 4000 * ratio, variant=variant).stuck
        style.line(axes, ratio, value, i, LABELS[variant])
        sheet.curve("stuck", variant, "texts_per_concept", ratio, "share_stuck", value)
    at = np.union1d(np.round(np.linspace(4.3, 5.0, options.pick(8, 3)), 2), TABLE)
    counts = simulate_stuck(4000, at, options.pick(12_288, 2_048), seed=options.seed)
    graphs = simulate_stuck(4000, TABLE, options.pick(600, 40), by="graphs", seed=options.seed)
    for j, (data, name) in enumerate(((counts, "chain of counts"), (graphs, "sampled graphs"))):
        # the law is asymptotic: the distance from it is a finding, so no z goes to the sheet
        points = _points(data, np.asarray(peeling(4000, 4000 * data.ratio, variant="random_graph").stuck))
        style.dots(axes, data.ratio, points, 4 + j, name, fmt="os"[j], color=style.INK)
        sheet.points("stuck", name, "texts_per_concept", data.ratio, "share_stuck",
                     Points(points.value, points.low, points.high, points.theory, np.full(len(at[:0]) or
                     len(data.ratio),
                     np.nan), points.traces))  # fmt: skip
    axes.set(xlabel="Texts per concept T/R", ylabel="Share of runs stuck")
    style.title(axes, "R = 4000, text degree 6")
    style.legend(axes)
    rows = []
    for t in TABLE:
        k, g = int(np.argmin(abs(counts.ratio - t))), int(np.argmin(abs(graphs.ratio - t)))
        laws = ", ".join(f"{LABELS[v]} {float(peeling(4000, 4000 * t, variant=v).stuck):.4f}" for v in VARIANTS)
        plain = float(peeling(4000, 4000 * t, shift=0.0).stuck)
        rows.append(
            f"T/R = {t}: stuck {counts.share[k]:.4f} ± {counts.error[k]:.4f} of {counts.runs[k]} runs by counts,"
            f" {graphs.share[g]:.4f} ± {graphs.error[g]:.4f} of {graphs.runs[g]} sampled graphs; {laws},"
            f" published without shift {plain:.4f}."
        )
    return rows


def _fits(sheet: Sheet, axes, options: Options) -> list[str]:
    plan = options.pick(
        ((500, 20_480), (1000, 20_480), (4000, 12_288), (16_000, 6_144), (64_000, 4_096)), ((500, 2_048), (1000, 2_048))
    )
    data = [
        simulate_stuck(concepts, ratios_near(concepts, (-1.5, -0.75, 0.0, 0.75, 1.5)), runs, seed=options.seed)
        for concepts, runs in plan
    ]
    fits = [fit_law([d]) for d in data]
    sizes = np.array([d.concepts for d in data])
    value, error = np.array([f.factor for f in fits]), 1.96 * np.array([f.factor_error for f in fits])
    none = np.full(len(sizes), np.nan)
    points = Points(value, value - error, value + error, np.ones(len(sizes)), none, plan[0][1])
    style.dots(axes, sizes, points, 0, "fitted", color=style.INK)
    sheet.points("scale", "fitted scale", "concepts", sizes, "scale_over_published", points)
    lines = {v: peeling(1e9, 4.6e9, variant=v).scale for v in VARIANTS}
    for i, variant in enumerate(VARIANTS[:1] + VARIANTS[2:]):
        axes.axhline(
            float(lines[variant] / lines["published"]),
            color=style.colour(2 * i),
            linestyle=style.dash(2 * i),
            linewidth=1.6,
        )
    axes.set(xlabel="Concepts R", ylabel="Scale a / published a", ylim=(0.95, 1.10))
    style.logarithmic(axes)
    far = float(lines["authors_code"] / lines["published"])
    style.title(axes, f"Fitted scale (authors' code: {far:.2f})")
    found = [
        f"R = {d.concepts}: fitted b = {f.shift:.3f} ± {f.shift_error:.3f}, scale {f.factor:.3f} ±"
        f" {f.factor_error:.3f} times"
        f" the published one (chi-square {f.chi_square:.1f} for {f.dof})."
        for d, f in zip(data, fits, strict=True)
    ]
    large = data[-3:] if len(data) > 3 else data
    both = fit_law(large)
    wrong = fit_law(large, hold_scale=True, variant="authors_code")
    right = fit_law(large, variant="random_graph")
    found.append(
        f"R = {large[0].concepts} to {large[-1].concepts} together: b = {both.shift:.3f} ± {both.shift_error:.3f},"
        f" scale"
        f" {both.factor:.3f} ± {both.factor_error:.3f} times the published one and {right.factor:.3f} ±"
        f" {right.factor_error:.3f} times that of independent edges; the scale of the authors' code is rejected"
        f" whatever the"
        f" shift (chi-square {wrong.chi_square:.0f} for {wrong.dof})."
    )
    return found


def _far(sheet: Sheet, axes, options: Options) -> list[str]:
    ratio = np.linspace(1.0, 6.0, options.pick(201, 41))
    curves = {LABELS[v]: peeling(4000, 4000 * ratio, variant=v).unlearnt for v in VARIANTS[:2]}
    curves["large graph (density evolution)"] = large_graph(4000, 4000 * ratio)
    for i, (name, value) in enumerate(curves.items()):
        style.line(axes, ratio, value, i, name)
        sheet.curve("unlearnt", name, "texts_per_concept", ratio, "fraction_unknown", value)
    from ds3sim.training.peel_counts import peel_counts

    at = np.array([1.0, 2.0, 3.0, 4.0, 4.4, 4.8, 5.2])
    mean, spread = np.zeros((2, len(at)))
    for i, t in enumerate(at):
        share = peel_counts(2_048, 4000, round(4000 * t), seed=options.seed) / 4000
        mean[i], spread[i] = share.mean(), 1.96 * share.std() / np.sqrt(2_048)
    points = Points(mean, mean - spread, mean + spread, mean, np.full(len(at), np.nan), 2_048)
    style.dots(axes, at, points, 0, "simulated", color=style.INK)
    sheet.points("unlearnt", "chain of counts", "texts_per_concept", at, "fraction_unknown", points)
    axes.set(xlabel="Texts per concept T/R", ylabel="Fraction of concepts that stays unknown", ylim=(-0.03, 1.03))
    style.title(axes, "Far from the threshold")
    style.legend(axes)
    k = int(np.argmin(abs(ratio - 2.0)))
    return [
        f"Far below the threshold (20) keeps too few concepts unknown: at T/R = {ratio[k]:.3g} it says"
        f" {curves[LABELS['published']][k]:.3f}, simulated {mean[1]:.4f}, density evolution"
        f" {float(large_graph(4000, 8000)):.4f}."
    ]
