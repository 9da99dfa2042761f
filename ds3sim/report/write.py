"""Writing a run to a folder: all files or none."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ds3sim.config.build import Study
from ds3sim.core.errors import InputError
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


def check_out(out) -> Path:
    """The folder for a run, checked before anything is computed.

    A folder that exists is replaced only if ds3sim made it (it holds ``.ds3sim-run``) or if it is empty.

    Raises:
        InputError: it is a file, a folder with other files, or cannot be made.
    """
    if not str(out).strip() or "\0" in str(out):
        raise InputError(f"--out {out}: is not the name of a folder: name one for the results")
    path = Path(os.path.abspath(out))
    try:
        if path.is_dir():
            if any(path.iterdir()) and not (path / MARKER).is_file():
                raise InputError(
                    f"{out}: is a folder with files that ds3sim did not write: give a new or an empty folder"
                )
        elif path.exists() or path.is_symlink():
            raise InputError(f"{out}: is a file: give a folder for the results")
        base = next(parent for parent in path.parents if parent.exists())
        if not base.is_dir():
            raise InputError(f"{out}: {base} is a file, not a folder: give another folder")
        if not os.access(base, os.W_OK | os.X_OK):
            raise InputError(f"{out}: no permission to write in {base}: give another folder")
        # Modes do not tell all (root, special file systems): try.
        os.rmdir(tempfile.mkdtemp(prefix=".ds3sim.", dir=base))
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{out}: cannot be used: {getattr(error, 'strerror', None) or error}") from error
    return path


def write_run(result: Mapping[str, Any], study: Study, out) -> list[Path]:
    """Write config, results, environment, figures and report of a run.

    Everything is written to a temporary folder beside ``out``, which then takes its place: after a crash there is
    the old folder or the new one, never a half. Files in a replaced folder that ds3sim did not write are kept.

    Args:
        result: from :func:`ds3sim.study.run.run`; results.json has ``curves`` besides, the theory at more budgets.
        study: what was run.
        out: the folder; see :func:`check_out`.

    Returns:
        The paths written, the report first.

    Raises:
        InputError: ``out`` cannot be used, or the disk refuses.
    """
    target = check_out(out)
    contents = run_files({**result, "curves": theory_curves(study)}, study.toml())
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent))
    except OSError as error:
        raise InputError(f"{out}: cannot be made: {error.strerror or error}") from error
    try:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        _take_place(temporary, target)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [target / name for name in FILES if name != MARKER]


def run_files(result: Mapping[str, Any], config_text: str) -> dict[str, bytes]:
    """The files of a run: name to content."""
    clean: dict[str, Any] = _finite(result)
    out = {
        "config.toml": config_text.encode(errors="replace"),  # a folder may have a name that is not UTF-8
        "results.csv": results_csv(clean).encode(),
        "results.json": _json(clean),
        "environment.json": _json(clean.get("environment") or {}),
        "report.html": render_page(clean, config_text).encode(errors="replace"),
        MARKER: b"This folder was written by ds3sim run --out; ds3sim may replace it.\n",
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


def _take_place(temporary: Path, target: Path) -> None:
    """Put ``temporary`` where ``target`` is, keeping files that are not ours."""
    if not target.exists():
        os.rename(temporary, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", suffix=".old", dir=target.parent))
    try:
        os.rename(target, old)  # onto an empty folder: atomic
    except OSError:  # a mount point, or the folder may not be moved: file by file, the marker first
        os.rmdir(old)
        for name in sorted(os.listdir(temporary), key=lambda n: n != MARKER):
            os.replace(temporary / name, target / name)
        return
    try:
        os.rename(temporary, target)
    except BaseException:
        os.rename(old, target)
        raise
    for entry in os.listdir(old):
        if entry not in FILES:
            os.rename(old / entry, target / entry)
    shutil.rmtree(old, ignore_errors=True)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    """A copy that JSON can hold: NumPy scalars as Python's, infinities and NaN as null."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
