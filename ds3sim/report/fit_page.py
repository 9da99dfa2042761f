"""The figure of a fit: data, fitted curve, band of the predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ds3sim.core.folder import Marker, check_folder, write_folder
from ds3sim.report.run_figures import LIGHT, Theme, apply_style, frameless, magnitude_axis, new_figure, render

FIT = Marker(".ds3sim-fit", "ds3sim fit", ("result.json", "fit.svg", "fit.png"))


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


def check_out(out: str | os.PathLike) -> Path:
    """The folder for a fit, checked before anything is computed; see :func:`ds3sim.core.folder.check_folder`."""
    return check_folder(out, FIT)


def write_fit(result: Mapping[str, Any], out: str | os.PathLike) -> Path:
    """Write result.json, fit.svg and fit.png to the folder ``out``, whole or not at all.

    Raises:
        InputError: ``out`` cannot be used, or the disk refuses.
    """
    figure = fit_figure(result)
    files = {"result.json": (json.dumps(result, indent=2, allow_nan=False) + "\n").encode()}
    files |= {f"fit.{kind}": render(figure, kind) for kind in ("svg", "png")}
    return write_folder(out, files, FIT)[0].parent
