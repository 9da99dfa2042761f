"""The figure of a fit: data, fitted curve, band of the predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ds3sim.report.run_figures import LIGHT, Theme, apply_style, frameless, magnitude_axis, new_figure, render


def fit_figure(result: Mapping[str, Any], theme: Theme = LIGHT):
    """Data and predictions of ``ds3sim fit``, success against N.

    Returns:
        ``matplotlib.figure.Figure``.
    """
    is_vote = "c_star" in result
    figure = new_figure((6.4, 4.2), theme)
    axes = figure.subplots(1, 1)
    rows = sorted(result.get("curve") or result["predictions"], key=lambda row: row["n"])
    n = [row["n"] for row in rows]
    blue, orange = theme.lines[0], theme.lines[1]
    axes.fill_between(
        n, [r["low"] for r in rows], [r["high"] for r in rows], color=blue, alpha=0.18, linewidth=0, label="95% band"
    )
    axes.plot(n, [r["estimate"] for r in rows], color=blue, linewidth=1.6, label="fit")
    seen = result["observed"]
    spread = None
    if seen and "low" in seen[0]:
        spread = [[s["estimate"] - s["low"] for s in seen], [s["high"] - s["estimate"] for s in seen]]
    axes.errorbar(
        [s["n"] for s in seen],
        [s["estimate"] for s in seen],
        yerr=spread,
        fmt="o",
        color=orange,
        markersize=4,
        linewidth=1,
        label="data",
    )
    if is_vote:
        axes.axhline(result["plateau"], color=theme.ink, linewidth=0.9, linestyle=(0, (5, 3)), label="plateau")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("Votes N" if is_vote else "Samples N")
    axes.set_ylabel("Accuracy of the vote" if is_vote else "pass@N")
    magnitude_axis(axes, [*n, *(s["n"] for s in seen)])
    apply_style(axes, theme)
    frameless(axes, *axes.get_legend_handles_labels(), theme, 4)
    return figure


def write_fit(result: Mapping[str, Any], out) -> Path:
    """Write result.json, fit.svg and fit.png to the folder ``out``, made if needed (checked before)."""
    from ds3sim.report.write import MARKER

    folder = Path(os.path.abspath(out))
    files = {
        "result.json": (json.dumps(result, indent=2, allow_nan=False) + "\n").encode(),
        MARKER: b"",
    }
    figure = fit_figure(result)
    for kind in ("svg", "png"):
        files[f"fit.{kind}"] = render(figure, kind)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


__all__ = ["fit_figure", "write_fit"]
