"""Writing reproduced figures to a folder, one figure after another, and the page that shows those that are there."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError
from ds3sim.report.run_figures import render
from ds3sim.reproduce.drawing import Drawing, Options
from ds3sim.reproduce.registry import FIGURES

MARKER = ".ds3sim-reproduce"
PAGE = "index.html"
MOST_SVG = 400_000
"""A larger SVG is shown as PNG on the page."""


def check_folder(out) -> Path:
    """The folder for figures, checked before anything is computed.

    Raises:
        InputError: it is a file, a folder with files of others, or cannot be made.
    """
    if not str(out).strip():
        raise InputError("--out is empty: name a folder for the figures")
    path = Path(os.path.abspath(out))
    try:
        if path.is_dir():
            if any(path.iterdir()) and not (path / MARKER).is_file():
                raise InputError(
                    f"{out}: is a folder with files that ds3sim reproduce did not write: give a new or an empty folder"
                )
            base = path
        elif path.exists() or path.is_symlink():
            raise InputError(f"{out}: is a file: give a folder for the figures")
        else:
            base = next(parent for parent in path.parents if parent.exists())
        if not base.is_dir():
            raise InputError(f"{out}: {base} is a file, not a folder: give another folder")
        if not os.access(base, os.W_OK | os.X_OK):
            raise InputError(f"{out}: no permission to write in {base}: give another folder")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{out}: cannot be used: {getattr(error, 'strerror', None) or error}") from error
    return path


def write_drawing(drawing: Drawing, out, options: Options, wall_s: float) -> list[Path]:
    """Write PNG, SVG, CSV and JSON of one figure, then the page anew.

    Everything is rendered first and written to a temporary folder, then moved in file by file, the JSON last: the page
    shows a figure only if its JSON is there, and whatever was finished before a crash stays.

    Returns:
        The paths written, the page last.

    Raises:
        InputError: ``out`` cannot be used, or the disk refuses.
    """
    target = check_folder(out)
    contents = drawing_files(drawing, options, wall_s)
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / MARKER).write_text("Figures written by ds3sim reproduce; it may replace them.\n")
        _put(target, contents)
        _put(target, {PAGE: page(target).encode()})
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    return [target / name for name in (*contents, PAGE)]


def drawing_files(drawing: Drawing, options: Options, wall_s: float) -> dict[str, bytes]:
    """Name to content; the JSON is the last."""
    out: dict[str, bytes] = {}
    pictures = []
    for suffix, figure in drawing.figures.items():
        stem = drawing.name + (f"-{suffix}" if suffix else "")
        pictures.append(stem)
        for kind in ("png", "svg"):
            out[f"{stem}.{kind}"] = render(figure, kind)
    out[f"{drawing.name}.csv"] = drawing.sheet.csv().encode()
    z = drawing.sheet.z
    about = {
        "name": drawing.name,
        "title": drawing.title,
        "caption": drawing.caption,
        "check": drawing.check(),
        "found": drawing.found,
        "largest_z": max((abs(v) for v in z), default=None),
        "simulated_points": len(z),
        "pictures": pictures,
        "rows": len(drawing.sheet.rows),
        "command": command(drawing.name, options),
        "wall_s": round(wall_s, 2),
    }
    out[f"{drawing.name}.json"] = (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode()
    return out


def command(name: str, options: Options) -> str:
    """The command that makes a figure again."""
    parts = ["ds3sim reproduce", name, "--out DIR"]
    parts += ["--quick"] if options.quick else []
    parts += [f"--seed {options.seed}"] if options.seed else []
    parts += ["--data DATA"] if options.data is not None and FIGURES[name].data else []
    return " ".join(parts)


def page(folder: Path) -> str:
    """The page of the figures that are in ``folder``: no script, no network, pictures inside."""
    import jinja2

    template = jinja2.Environment(
        loader=jinja2.PackageLoader("ds3sim.reproduce", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("reproduce.html.jinja")
    shown = list(_present(folder))
    simulated = sum(s["simulated_points"] for s in shown)
    return template.render(figures=shown, simulated=simulated, wall_s=sum(s["wall_s"] for s in shown))


def _present(folder: Path) -> Iterable[dict[str, Any]]:
    """The figures in the order of the registry, with their pictures as data."""
    for name in FIGURES:
        try:
            about = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            about["images"] = [_data(folder, stem) for stem in about["pictures"]]
            yield about
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder / name}.json: cannot be read: {error}: remove it and make it again") from error


def _data(folder: Path, stem: str) -> str:
    svg = folder / f"{stem}.svg"
    kind, content = "svg+xml", svg.read_bytes()
    if len(content) > MOST_SVG:
        kind, content = "png", (folder / f"{stem}.png").read_bytes()
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _put(target: Path, contents: dict[str, bytes]) -> None:
    """Move files in, each whole or not at all, in the order given."""
    temporary = Path(tempfile.mkdtemp(prefix=".reproduce.", suffix=".tmp", dir=target))
    try:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        for name in contents:
            os.replace(temporary / name, target / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
