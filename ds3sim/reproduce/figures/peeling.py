"""Peeling near the threshold: which finite-size law (20) simulated graphs follow."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.core.figure import LIGHT, colour, dash
from ds3sim.report.points import Points, around
from ds3sim.reproduce.drawing import Drawing, Options, Panel, Sheet
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.theory.peeling import VARIANTS, large_graph, peeling
from ds3sim.training.finite_size import fit_law, ratios_near, simulate_stuck
from ds3sim.training.peeling import peel_counts

LABELS = {
    "published": "published, b = 0.6",
    "authors_code": "authors' code",
    "random_graph": "independent edges (ours)",
}
TABLE = (4.6, 4.8, 4.9)


def draw(options: Options) -> Drawing:
    """Share of stuck runs against T/R; the fitted scale and shift against R; the law far from the threshold."""
    sheet = Sheet()
    left, middle, right = sheet.panels(
        (12.6, 4.1),
        ("stuck", "texts_per_concept", "share_stuck"),
        ("scale", "concepts", "scale_over_published"),
        ("unlearnt", "texts_per_concept", "fraction_unknown"),
    )
    shares(left, options)
    fitted_scales(middle, options)
    far(right, options)
    return sheet.drawing(
        "Peeling near the threshold",
        "Left: share of runs in which peeling got stuck, R = 4000 concepts; points are simulated (circles: the exact"
        " chain of counts; squares: sampled graphs). Middle: scale that fits the runs at each R, as a multiple of the"
        " published one. Right: fraction of concepts that stays unknown far from the threshold, R = 4000, with the"
        " limit of large graphs.",
    )


def shares(panel: Panel, options: Options) -> None:
    """Share of stuck runs against T/R at R = 4000: three laws, the chain of counts, sampled graphs."""
    ratio = np.linspace(4.2, 5.1, options.pick(181, 31))
    for i, variant in enumerate(VARIANTS):
        panel.curve(variant, ratio, stuck(ratio, variant), i, LABELS[variant])
    at = np.union1d(np.round(np.linspace(4.3, 5.0, options.pick(8, 3)), 2), TABLE)
    counts = simulate_stuck(4000, at, options.pick(12_288, 2_048), seed=options.seed)
    graphs = simulate_stuck(4000, TABLE, options.pick(600, 40), by="graphs", seed=options.seed)
    for j, (data, name) in enumerate(((counts, "chain of counts"), (graphs, "sampled graphs"))):
        # the law is asymptotic: the distance from it is a finding, so no z goes to the sheet
        ends, none = clopper_pearson(data.stuck, data.runs), np.full(len(data.ratio), np.nan)
        points = Points(data.share, *ends, stuck(data.ratio, "random_graph"), none, int(data.runs[0]))
        panel.points(name, data.ratio, points, 4 + j, name, fmt="os"[j], color=LIGHT.ink)
    panel.frame("Texts per concept T/R", "Share of runs stuck", title="R = 4000, text degree 6")
    panel.legend()
    for t in TABLE:
        k, g = (int(np.argmin(abs(data.ratio - t))) for data in (counts, graphs))
        laws = ", ".join(f"{LABELS[v]} {float(stuck(t, v)):.4f}" for v in VARIANTS)
        panel.sheet.found.append(
            f"T/R = {t}: stuck {counts.share[k]:.4f} ± {counts.error[k]:.4f} of {counts.runs[k]} runs by counts,"
            f" {graphs.share[g]:.4f} ± {graphs.error[g]:.4f} of {graphs.runs[g]} sampled graphs; {laws}, published"
            f" without shift {float(peeling(4000, 4000 * t, shift=0.0).stuck):.4f}."
        )


def stuck(ratio: Any, variant: str) -> np.ndarray:
    """Share of stuck runs by (20) at R = 4000."""
    return np.asarray(peeling(4000, 4000 * ratio, variant=variant).stuck)


def fitted_scales(panel: Panel, options: Options) -> None:
    """The scale that fits the runs at each R, beside those of the laws."""
    full = ((500, 20_480), (1000, 20_480), (4000, 12_288), (16_000, 6_144), (64_000, 4_096))
    data = [
        simulate_stuck(concepts, ratios_near(concepts, (-1.5, -0.75, 0.0, 0.75, 1.5)), runs, seed=options.seed)
        for concepts, runs in options.pick(full, ((500, 2_048), (1000, 2_048)))
    ]
    fits = [fit_law([d]) for d in data]
    sizes, value = np.array([d.concepts for d in data]), np.array([f.factor for f in fits])
    error = np.array([f.factor_error for f in fits])
    points = around(value, error, np.ones(len(sizes)), int(data[0].runs[0]))
    panel.points("fitted scale", sizes, points, 0, "fitted", color=LIGHT.ink)
    lines = {v: peeling(1e9, 4.6e9, variant=v).scale for v in VARIANTS}
    for i, variant in enumerate(VARIANTS[:1] + VARIANTS[2:]):
        height = float(lines[variant] / lines["published"])
        panel.axes.axhline(height, color=colour(2 * i), linestyle=dash(2 * i), linewidth=1.6)
    far_off = float(lines["authors_code"] / lines["published"])
    panel.frame("Concepts R", "Scale a / published a", "x", f"Fitted scale (authors' code: {far_off:.2f})",
                ylim=(0.95, 1.10))  # fmt: skip
    panel.sheet.found += [
        f"R = {d.concepts}: fitted b = {f.shift:.3f} ± {f.shift_error:.3f}, scale {f.factor:.3f} ± {f.factor_error:.3f}"
        f" times the published one (chi-square {f.chi_square:.1f} for {f.dof})."
        for d, f in zip(data, fits, strict=True)
    ]
    large = data[-3:] if len(data) > 3 else data
    both = fit_law(large)
    wrong = fit_law(large, hold_scale=True, variant="authors_code")
    right = fit_law(large, variant="random_graph")
    panel.sheet.found.append(
        f"R = {large[0].concepts} to {large[-1].concepts} together: b = {both.shift:.3f} ± {both.shift_error:.3f},"
        f" scale {both.factor:.3f} ± {both.factor_error:.3f} times the published one and {right.factor:.3f} ±"
        f" {right.factor_error:.3f} times that of independent edges; the scale of the authors' code is rejected"
        f" whatever the shift (chi-square {wrong.chi_square:.0f} for {wrong.dof})."
    )


def far(panel: Panel, options: Options) -> None:
    """The fraction that stays unknown far from the threshold: the law, its limit, the chain of counts."""
    ratio = np.linspace(1.0, 6.0, options.pick(201, 41))
    curves = {LABELS[v]: peeling(4000, 4000 * ratio, variant=v).unlearnt for v in VARIANTS[:2]}
    curves["large graph (density evolution)"] = large_graph(4000, 4000 * ratio)
    for i, (name, value) in enumerate(curves.items()):
        panel.curve(name, ratio, value, i, name)
    at = np.array(options.pick((1.0, 2.0, 3.0, 4.0, 4.4, 4.8, 5.2), (1.0, 2.0, 4.8)))
    left = np.array([peel_counts(2_048, 4000, round(4000 * t), seed=options.seed) for t in at]) / 4000
    mean, error = left.mean(axis=1), left.std(axis=1) / np.sqrt(2_048)
    panel.points("chain of counts", at, around(mean, error, mean, 2_048), 0, "simulated", color=LIGHT.ink)
    panel.frame("Texts per concept T/R", "Fraction of concepts that stays unknown", title="Far from the threshold",
                share=True)  # fmt: skip
    panel.legend()
    k = int(np.argmin(abs(ratio - 2.0)))
    panel.sheet.found.append(
        f"Far below the threshold (20) keeps too few concepts unknown: at T/R = {ratio[k]:.3g} it says"
        f" {curves[LABELS['published']][k]:.3f}, simulated {mean[1]:.4f}, density evolution"
        f" {float(large_graph(4000, 8000)):.4f}."
    )
