"""Writing reproduced figures to a folder, one figure after another, and the page that shows those that are there."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError
from ds3sim.core.folder import Marker, add_files, check_folder
from ds3sim.report.run_figures import render
from ds3sim.reproduce.drawing import Drawing, Options
from ds3sim.reproduce.registry import FIGURES

PAGE = "index.html"
FIGURES_FOLDER = Marker(".ds3sim-reproduce", "ds3sim reproduce")
MOST_SVG = 400_000
"""A larger SVG is shown as PNG on the page."""


def check_out(out: str | os.PathLike) -> Path:
    """The folder for figures, checked before anything is computed; see :func:`ds3sim.core.folder.check_folder`."""
    return check_folder(out, FIGURES_FOLDER)


def write_drawing(drawing: Drawing, out: str | os.PathLike, options: Options, wall_s: float) -> list[Path]:
    """Write PNG, SVG, CSV and JSON of one figure, then the page anew.

    Everything is rendered first and moved in file by file, the JSON last: the page shows a figure only if its JSON is
    there, and whatever was finished before a crash stays.

    Returns:
        The paths written, the page last.

    Raises:
        InputError: ``out`` cannot be used, or the disk refuses.
    """
    target = check_out(out)
    written = add_files(target, drawing_files(drawing, options, wall_s), FIGURES_FOLDER)
    return written + add_files(target, {PAGE: page(target).encode()}, FIGURES_FOLDER)


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
