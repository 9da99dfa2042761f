"""Tasks told by the names of files: seeds of one task are samples of the same problems, other tasks are not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ds3sim.core.packed import ENDINGS

_DATE = r"\d{4}-\d\d-\d\dT[\d.:+-]+"
_RUN = r"(?:rs|seed|run|sample|samples|trial|part|shard|attempt|rollout|repeat|epoch|gen|try|s|r)"
_TAIL = re.compile(rf"[-_. ]*(?:{_DATE}|{_RUN}[-_. ]?\d+(?:[-_]of[-_]\d+)?|\d+[-_]of[-_]\d+)$", re.IGNORECASE)
_BARE = re.compile(r"[-_. ](\d+)$")


def stem_of(path: Path) -> str:
    """The name of a file without its endings: ``log`` of ``log.jsonl.gz``."""
    name = path.name
    for ending in (*ENDINGS, path.with_suffix("").suffix if path.suffix in ENDINGS else path.suffix):
        name = name.removesuffix(ending) if ending and name != ending else name
    return name


def task_names(paths: Sequence[Path]) -> list[str]:
    """The task of each file, told by its name; of files of one name, by the names of their folders.

    A date and a number of a run at the end (``-rs3``, ``_seed12``, ``run1``, ``part-00000-of-00004``) are no part of
    it; bare numbers (``_0``, ``_1``) neither where they count from 0 or 1 in all files.
    """
    found = _stripped([stem_of(path) for path in paths])
    if len(set(found)) > 1 or len({path.parent for path in paths}) == 1:
        return found
    folders = _stripped([path.parent.name for path in paths])
    return folders if len(set(folders)) > 1 else found


def are_runs(names: Sequence[str]) -> bool:
    """Whether names differ in the number of a run alone: ``seed_0``, ``seed_1``."""
    return len(set(_stripped(list(names)))) == 1


def _stripped(names: list[str]) -> list[str]:
    bases = []
    for name in names:
        while (short := _TAIL.sub("", name)) != name and short:
            name = short
        bases.append(name if _TAIL.fullmatch(name) is None else "run")
    numbers = [_BARE.search(base) for base in bases]
    if len(bases) > 1 and all(numbers):
        counted = sorted(int(found.group(1)) for found in numbers if found)
        if counted in (list(range(len(counted))), list(range(1, len(counted) + 1))):
            return [_BARE.sub("", base) for base in bases]
    return bases
