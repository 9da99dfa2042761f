"""Writing a run to a folder: all files or none."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ds3sim.config.build import Study
from ds3sim.core.folder import Marker, check_folder, write_folder
from ds3sim.core.plain import as_plain
from ds3sim.report import run_figures as figures
from ds3sim.report.curves import theory_curves
from ds3sim.report.rows import COLUMNS, table
from ds3sim.report.run_page import MARKER, render_page

FILES = (
    "report.html",
    "results.csv",
    "results.json",
    "config.toml",
    "environment.json",
    "accuracy.png",
    "accuracy.svg",
    "cost.png",
    "cost.svg",
    MARKER,
)
RUN = Marker(MARKER, "ds3sim run", FILES)


def check_out(out: str | os.PathLike) -> Path:
    """The folder for a run, checked before anything is computed; see :func:`ds3sim.core.folder.check_folder`."""
    return check_folder(out, RUN)


def write_run(result: Mapping[str, Any], study: Study, out: str | os.PathLike) -> list[Path]:
    """Write config, results, environment, figures and report of a run, whole or not at all.

    Args:
        result: from :func:`ds3sim.study.run.run`; results.json has ``curves`` besides, the theory at more budgets.
        study: what was run.
        out: the folder; see :func:`ds3sim.core.folder.write_folder`.

    Returns:
        The paths written, the report first.

    Raises:
        InputError: ``out`` cannot be used, or the disk refuses.
    """
    check_out(out)
    contents = run_files({**result, "curves": theory_curves(study)}, study.toml())
    written = {path.name: path for path in write_folder(out, contents, RUN)}
    return [written[name] for name in FILES if name != MARKER]


def run_files(result: Mapping[str, Any], config_text: str) -> dict[str, bytes]:
    """The files of a run: name to content."""
    clean: dict[str, Any] = as_plain(result)
    out = {
        "config.toml": config_text.encode(errors="replace"),  # a folder may have a name that is not UTF-8
        "results.csv": results_csv(clean).encode(),
        "results.json": _json(clean),
        "environment.json": _json(clean.get("environment") or {}),
        "report.html": render_page(clean, config_text).encode(errors="replace"),
    }
    for name, make in (("accuracy", figures.accuracy_figure), ("cost", figures.cost_figure)):
        figure = make(clean)
        out |= {f"{name}.{kind}": figures.render(figure, kind) for kind in ("png", "svg")}
    return out


def results_csv(result: Mapping[str, Any]) -> str:
    """Tidy CSV, one row a strategy and budget; units are in the column names."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table(result))
    return out.getvalue()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
