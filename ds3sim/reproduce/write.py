"""Reproducing figures into a folder, one after another, and the page that shows those that are there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ds3sim.core import runtime
from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError, StoppedEarly, require
from ds3sim.core.figure import data_uri, render
from ds3sim.core.folder import Marker, add_files, check_folder
from ds3sim.core.progress import working
from ds3sim.report.page import rendered
from ds3sim.reproduce.drawing import Drawing, Options
from ds3sim.reproduce.registry import FIGURES, Entry, chosen

MARKER = Marker(".ds3sim-reproduce", "ds3sim reproduce")
PAGE = "index.html"
MOST_SVG = 400_000
"""A larger SVG is shown as PNG on the page."""


def reproduce(
    name: str,
    out: str | os.PathLike[str],
    *,
    quick: bool = False,
    seed: int = 0,
    data: str | os.PathLike[str] | None = None,
    progress: Callable[[str], object] | None = None,
) -> Path:
    """Make a figure of the theory with simulation as points on it, or all of them.

    A folder keeps the figures made before. Each is written as PNG, SVG, CSV (all that is drawn) and JSON (what was
    found) as soon as it is finished, so Ctrl-C keeps those.

    Args:
        name: of a figure, or "all"; those that need ``data`` are then left out where it is None.
        out: the folder, new or of an earlier call.
        quick: fewer points and traces: to try, not to show.
        seed: of the simulations.
        data: folder with published curves, for the figures that need them.
        progress: called with one line of text for each figure.

    Returns:
        The page, ``index.html``.

    Raises:
        InputError: no such figure, a seed that is no whole number, data that are not there, a folder of others.
        StoppedEarly: Ctrl-C; ``.partial`` names the figures that were finished.

    Example:
        >>> page = ds.reproduce("emergence", "figures", quick=True)
        >>> sorted(path.suffix for path in page.parent.glob("emergence.*"))
        ['.csv', '.json', '.png', '.svg']
    """
    entries = chosen(name)
    folder = None if data is None else Path(data)
    require(folder is None or folder.is_dir(), f"data = {data}: no such folder")
    options = Options(quick, whole_number("seed", seed, 0, 2**63 - 1), folder)
    check_folder(out, MARKER)
    runtime.devices()  # says where none can be used
    tell: Callable[[str], object] = progress or (lambda _: None)
    done: list[str] = []
    try:
        with working("figures", len(entries)) as stage:
            for number, entry in enumerate(entries, 1):
                if name == "all" and entry.data is not None and folder is None:
                    tell(f"{entry.name}: left out, it needs --data with {entry.data}")
                    continue
                begun = time.perf_counter()
                with working(f"simulations of {entry.name}"):
                    drawing = entry.make(options)
                taken = time.perf_counter() - begun
                write_drawing(entry, drawing, out, options, taken)
                done.append(entry.name)
                stage.advance()
                tell(f"[{number}/{len(entries)}] {entry.name}: {taken:.1f} s. {drawing.check()}")
    except KeyboardInterrupt:
        raise StoppedEarly(tuple(done)) from None
    return Path(os.path.abspath(out)) / PAGE


def write_drawing(
    entry: Entry, drawing: Drawing, out: str | os.PathLike[str], options: Options, wall_s: float
) -> list[Path]:
    """Write PNG, SVG, CSV and JSON of one figure, then the page anew.

    Everything is rendered first and then moved in file by file, the JSON last: the page shows a figure only if its
    JSON is there, and whatever was finished before a crash stays.

    Returns:
        The paths written, the page last.

    Raises:
        InputError: ``out`` cannot be used, or the disk refuses.
    """
    written = add_files(out, drawing_files(entry, drawing, options, wall_s), MARKER)
    return written + add_files(out, {PAGE: page(written[0].parent).encode()}, MARKER)


def drawing_files(entry: Entry, drawing: Drawing, options: Options, wall_s: float) -> dict[str, bytes]:
    """Name to content; the JSON is the last."""
    stems = {entry.name + (f"-{suffix}" if suffix else ""): figure for suffix, figure in drawing.figures.items()}
    out = {f"{stem}.{kind}": render(figure, kind) for stem, figure in stems.items() for kind in ("png", "svg")}
    z = drawing.z
    about = {
        "name": entry.name,
        "title": drawing.title,
        "caption": drawing.caption,
        "check": drawing.check(),
        "found": drawing.found,
        "largest_z": max((abs(v) for v in z), default=None),
        "simulated_points": len(z),
        "pictures": list(stems),
        "rows": len(drawing.rows),
        "command": command(entry, options),
        "wall_s": round(wall_s, 2),
    }
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    return {**out, f"{entry.name}.csv": drawing.csv().encode(), f"{entry.name}.json": text.encode()}


def command(entry: Entry, options: Options) -> str:
    """The command that makes a figure again."""
    parts = ["ds3sim reproduce", entry.name, "--out DIR"]
    parts += ["--quick"] if options.quick else []
    parts += [f"--seed {options.seed}"] if options.seed else []
    parts += ["--data DATA"] if options.data is not None and entry.data else []
    return " ".join(parts)


def page(folder: Path) -> str:
    """The page of the figures that are in ``folder``: no script, no network, pictures inside."""
    shown = list(_present(folder))
    wall_s = sum(s["wall_s"] for s in shown)
    simulated = sum(s["simulated_points"] for s in shown)
    about = {"kind": "reproduce", "name": "Figures reproduced", "headline": ()}
    return rendered(
        "ds3sim.reproduce", "reproduce.html.jinja", **about, figures=shown, simulated=simulated, wall_s=wall_s
    )


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
    svg = (folder / f"{stem}.svg").read_bytes()
    return data_uri(svg) if len(svg) <= MOST_SVG else data_uri((folder / f"{stem}.png").read_bytes(), "png")
