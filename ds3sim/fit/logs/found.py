"""The files that a path, a glob, a folder or a list of them stands for."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import as_path
from ds3sim.core.packed import ENDINGS
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.task_name import are_runs

LOGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".parquet", ".eval", ".yaml", ".yml")
"""Names of files that are looked at in a folder end so, or with an ending of compressed files after it."""

MOST_FILES = 10_000


@dataclass(frozen=True)
class Found:
    """Files.

    Attributes:
        paths: each once, those of a folder or a glob by name.
        where: what they were asked for as.
        searched: they were found in a folder: what is no log may be left out.
    """

    paths: tuple[Path, ...]
    where: str
    searched: bool


def files_of(source: Any) -> Found:
    """The files of a path, a folder, a glob, or several.

    Raises:
        InputError: what is no path, or missing; a glob that nothing matches; a folder without logs, or with logs in
            several folders.
    """
    given = list(source) if isinstance(source, list | tuple) else [source]
    require(len(given) > 0, "no path is given: name a log")
    paths: dict[str, Path] = {}
    searched = False
    for one in given:
        ok = isinstance(one, str | bytes | os.PathLike)
        require(ok, f"path = {shown(one)} is not a path: give the name of a log file or folder")
        name = os.fsdecode(one)
        path = Path(name)
        if glob.has_magic(name) and not os.path.lexists(name):
            found = [Path(each) for each in sorted(glob.glob(name, recursive=True)) if not Path(each).is_dir()]
            require(bool(found), f"{short(name, 300)}: no file matches (working folder {os.getcwd()})")
        elif path.is_dir():
            found, searched = _inside(path), True
        else:
            found = [as_path(path)[0]]
        for each in found:
            paths.setdefault(os.path.realpath(each), each)
    require(len(paths) <= MOST_FILES, f"{len(paths)} files: at most {MOST_FILES} are read as one log")
    where = short(", ".join(os.fsdecode(one) for one in given), 300)
    return Found(tuple(paths.values()), where, searched)


def _is_log(path: Path) -> bool:
    name = path.name.lower()
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return path.name[0] not in "._" and name.endswith(LOGS) and path.is_file()


def _inside(folder: Path) -> list[Path]:
    """The logs in a folder, else its files whose names have no ending, or the logs in the one folder below it, or in
    several that are runs (``seed_0``, ``seed_1``).
    """
    try:
        own = sorted(filter(_is_log, folder.iterdir()))
        own = own or sorted(path for path in folder.iterdir() if path.is_file() and "." not in path.name)
        if own:
            return own
        below: dict[Path, list[Path]] = {}
        for path in sorted(filter(_is_log, folder.rglob("*"))):
            below.setdefault(path.parent, []).append(path)
    except OSError as error:
        raise InputError(f"{short(folder, 300)}: cannot be read ({error.strerror or error}): check the path") from None
    if len(below) == 1 or (below and len({path.parent for path in below}) == 1 and are_runs([p.name for p in below])):
        return [path for found in below.values() for path in found]
    if below:
        raise InputError(
            f"{short(folder, 300)}: its logs lie in {len(below)} folders ({_names(below)}): give those of one model,"
            " by a folder, a glob or their names"
        )
    held = short(", ".join(sorted(p.name for p in folder.iterdir())[:5]), 100) or "nothing"
    raise InputError(f"{short(folder, 300)}: the folder holds no log that is recognized: it has {held} in it")


def _names(paths: Iterable[Path]) -> str:
    return short(", ".join(str(path) for path in paths), 200)
