"""Reports: a page or the numbers of what was computed, and the folder of a run."""

from __future__ import annotations

import csv
import io
import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from ds3sim.config.read import config_of
from ds3sim.config.study import study_of
from ds3sim.core import files
from ds3sim.core.errors import InputError, require
from ds3sim.core.figure import new_figure, render
from ds3sim.core.folder import check_folder, write_folder
from ds3sim.core.plain import as_plain
from ds3sim.core.record import PACKAGES, Record
from ds3sim.core.record import check_out as check_numbers
from ds3sim.fit.latent_fit import LatentFit
from ds3sim.fit.votes import VoteFit
from ds3sim.report import run_figures
from ds3sim.report.curves import Curve, theory_curves
from ds3sim.report.page import config_text, fit_page, result_page
from ds3sim.report.tables import run_table
from ds3sim.results.result import Result
from ds3sim.store.store import Store


def report(
    source: Record | Store | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    sweep: str | None = None,
) -> Path | str:
    """The page of what was computed, its numbers, or a folder with all of it.

    Args:
        source: what ``run``, ``sweep``, ``fit_pass_at_n`` or ``fit_votes`` returned; a store; or the name of a store,
            of a folder of ``run --out`` or ``fit --out``, of a file that ``save`` or ``--json`` wrote.
        out: a file; endings .csv, .parquet, .nc, .zarr and .json write the numbers, every other one the page.
        folder: instead of ``out``, for a result without axes: a new or empty folder, or one that this wrote before. It
            gets config, results, environment, figures and page; all or none are written, files of others are kept.
        sweep: which sweep of a store; None takes the one used last.

    Returns:
        The file written (of a folder the page); without ``out`` and ``folder`` the page as HTML.

    Raises:
        InputError: the source cannot be read, has no results or no page, or ``out`` cannot be written.

    Example:
        >>> study = ds.Study(ds.SkillGraph.chain(5, 0.5), steps=[10, 20], engine="closed_form", name="five skills")
        >>> result = ds.run(study)
        >>> ds.report(result)[:15]
        '<!doctype html>'
        >>> ds.report(result, "numbers.csv").read_text().count("\\n")
        3
    """
    if folder is not None:
        if out is not None or not isinstance(source, Result):
            raise InputError("report: folder = is for a result of run, and without out: leave one of them out")
        return write_run(source, folder)
    if out is not None and Path(out).suffix.lower() in PACKAGES:
        path, record = check_numbers(out), _record(source, sweep)
        return files.write_file(path, record.to_json() + "\n") if path.suffix.lower() == ".json" else record.save(path)
    place = None if out is None else files.check_file(out)
    if isinstance(source, str | os.PathLike) and os.path.isdir(source):
        page = _folder_page(Path(source))
    else:
        page = _page(_record(source, sweep))
    return page if place is None else files.write_file(place, page.encode(errors="replace"))


def _page(record: Record) -> str:
    if isinstance(record, Result):
        return result_page(record)
    if not isinstance(record, LatentFit | VoteFit):
        raise InputError(f"a {type(record).__name__} has no page: use its plot() and save()")
    figure, axes = new_figure((6.4, 4.2))
    record.plot(axes[0, 0])
    return fit_page(record.to_dict(), render(figure, "svg"))


def _record(source: Record | Store | str | os.PathLike[str], sweep: str | None) -> Record:
    """What a source holds: a record, the result of a store, of a folder or of a file."""
    if isinstance(source, Record):
        return source
    if isinstance(source, Store):
        return source.result(sweep)
    path = Path(source)
    if path.is_dir():
        return Result.load(_part(path, "results.json"))
    try:  # a pipe would be waited for
        require(path.is_file() or not path.exists(), f"{source}: is not a regular file: save it to a file first")
        with path.open("rb") as file:
            start = file.read(64).lstrip()
    except InputError:
        raise
    except (OSError, ValueError) as error:
        why = "no such file or folder" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise InputError(f"{source}: {why}: give a folder of run --out or a store of sweep --store") from None
    if start.startswith(b"{"):  # saved, or printed by run --json or sweep --json
        data = files.parsed(files.read_text(path), str(path))
        return Record.load(path) if isinstance(data, dict) and "record" in data else Result.load(path)
    with Store.open(path, create=False, readonly=True) as store:
        return store.result(sweep)


def write_run(result: Result, out: str | os.PathLike[str]) -> Path:
    """Write config, results, environment, figures and report of a run, whole or not at all; see :func:`report`."""
    check_folder(out, Result.folder)
    require(not result.axes, f"{out}: a result with axes has no folder: name a file")
    study = study_of(config_of(result.config, result.name)) if result.config else None
    curves = () if study is None else theory_curves(study)
    write_folder(out, run_files(result, curves), Result.folder)
    return Path(os.path.abspath(out)) / "report.html"


def run_files(result: Result, curves: tuple[Curve, ...]) -> dict[str, bytes]:
    """The files of a run: name to content."""
    table = io.StringIO()
    rows = run_table(result)
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    about = result.to_dict() | {"curves": [curve.to_dict() for curve in curves]}
    out = {
        "config.toml": config_text(result).encode(errors="replace"),  # a folder may have a name that is not UTF-8
        "results.csv": table.getvalue().encode(),
        "results.json": _json(about),
        "environment.json": _json(about["environment"]),
        "report.html": result_page(result, curves).encode(errors="replace"),
    }
    for name, draw in (("accuracy", run_figures.accuracy_figure), ("cost", run_figures.cost_figure)):
        figure = draw(result, curves)
        out |= {f"{name}.{kind}": render(figure, kind) for kind in ("png", "svg")}
    return out


def _json(value: Any) -> bytes:
    return (json.dumps(as_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _folder_page(folder: Path) -> str:
    """The page of a folder that ``run --out`` or ``fit --out`` wrote, made anew from its files."""
    reproduced = f"{folder}: was written by ds3sim reproduce: its page is index.html"
    require(not (folder / ".ds3sim-reproduce").is_file(), reproduced)
    if (folder / LatentFit.folder.name).is_file():
        path = _part(folder, "result.json")
        return fit_page(files.parsed(files.read_text(path), str(path)), _part(folder, "fit.svg").read_bytes())
    path, config = _part(folder, "results.json"), folder / "config.toml"
    result, data = Result.load(path), json.loads(path.read_bytes())
    try:
        result = replace(result, config=tomllib.loads(files.read_text(_part(folder, "config.toml"))))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{config}: not valid TOML: {error}") from None
    return result_page(result, tuple(map(Curve.from_dict, data.get("curves") or ())))


def _part(folder: Path, name: str) -> Path:
    require((folder / name).is_file(), f"{folder}: has no {name}: give a folder that ds3sim run --out wrote")
    return folder / name
