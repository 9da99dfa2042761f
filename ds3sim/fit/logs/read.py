"""Evaluation logs of several formats, read into :class:`~ds3sim.fit.logs.log.Log` (docs/logs.md)."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import replace

from numpy.typing import ArrayLike

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.files import READ
from ds3sim.core.guard import reads
from ds3sim.core.packed import ENDINGS
from ds3sim.core.progress import working
from ds3sim.core.text import short, shown
from ds3sim.fit.logs import (
    best_of_infinity,
    code_results,
    curve,
    inspect_frame,
    lighteval,
    lm_eval,
    monkeys,
    search_learn,
    tables,
)
from ds3sim.fit.logs import inspect_ai as inspect_log
from ds3sim.fit.logs.file import LogFile, Reader, look, views
from ds3sim.fit.logs.foreign import foreign
from ds3sim.fit.logs.found import Found, files_of
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.values import is_number

READERS = {
    reader.name: reader
    for reader in (
        inspect_log.READER,
        lm_eval.READER,
        lighteval.READER,
        inspect_frame.READER,
        best_of_infinity.READER,
        search_learn.READER,
        monkeys.READER,
        code_results.CODE_RESULTS,
        code_results.MULTIPL_E,
        tables.COUNTS,
        tables.TIDY,
        curve.READER,
    )
}
"""Every format, in the order in which they are tried."""

ASKS_FOR: dict[str, tuple[str, ...]] = {
    "curve": ("x", "y"),
    "counts": ("n",),
    "tidy": ("problem", "correct", "sample", "answer", "tokens", "score"),
}
"""Options that name a format by themselves."""

Source = str | os.PathLike[str]
LogLike = Log | Source | Sequence[Source] | tuple[ArrayLike, ArrayLike]
"""A log, the path of one (or several), or a pair (samples, correct) of arrays, one number a problem."""


@reads("log")
def read_log(path: Source | Sequence[Source], format: str | None = None, **options: object) -> Log:
    """Read an evaluation log; the format is recognized from the content unless ``format`` names it.

    Args:
        path: a file (also one that gzip, bzip2, xz or zstd packed), a folder, a glob, or several of them as one log:
            runs of one task are samples of the same problems, other tasks are told apart.
        format: a name in :data:`READERS`.
        options: those of the format's reader that are not None: ``problem``, ``sample``, ``correct``, ``answer``,
            ``tokens``, ``score`` (tidy: names of columns); ``problem``, ``n``, ``correct`` (counts); ``threshold`` (all
            but counts, curves and code); ``filter``, ``metric``, ``pattern``, ``match`` (lm-eval); ``metric``
            (lighteval, code-results); ``scorer``, ``key``, ``model``, ``failures`` (inspect); ``pattern``, ``match``
            (monkeys, search-and-learn); ``aggregate`` (search-and-learn); ``x``, ``y`` (curve); where answers are
            compared, ``compare``: "spelling" (the default) or "math-verify".

    Returns:
        The log; ``notes`` says what was repaired or chosen.

    Raises:
        InputError: one line naming file and line, row or member: what cannot be read, an unknown format (with what the
            file looks like), an option that the format does not have or that would do nothing.

    >>> from pathlib import Path
    >>> path = Path("counts.csv")
    >>> _ = path.write_text("problem,n,correct\\na,10,3\\nb,10,5\\n")
    >>> ds.read_log(path).correct.tolist()
    [3, 5]
    """
    one_of("format", format, (*READERS, None))
    given = {key: value for key, value in options.items() if value is not None}
    named = format or next((name for name, keys in ASKS_FOR.items() if not given.keys().isdisjoint(keys)), None)
    found = files_of(path)
    files, reader, left = _recognized(found, named)
    where = files[0].where if len(found.paths) == 1 else found.where
    allowed = [p for p, spec in inspect.signature(reader.read).parameters.items() if spec.kind is spec.KEYWORD_ONLY]
    own = [name for name in allowed if name != "asked"]
    for key in given:
        have = f"it has {', '.join(own)}" if own else "it has none"
        require(key in own, f"{where}: the format {reader.name} has no option {key}: {have}")
    require(
        "match" not in given or given.get("pattern", "boxed") != "boxed",
        "match has no effect: it says which match of a regular expression counts: give pattern (--pattern)",
    )
    packed = any(file.path.suffix.lower() in ENDINGS for file in files)
    with working(READ, None if packed else sum(file.path.stat().st_size for file in files) / 2**20):
        log = reader.read(files, **given, **({"asked": named is not None} if "asked" in allowed else {}))
    return replace(log, source=where, notes=(*left, *log.notes, *_unsolved(log)))


def _unsolved(log: Log) -> list[str]:
    """A note where many problems have no correct sample in several: wrong grades would look the same."""
    unsolved = int((log.correct == 0).sum())
    if log.curve is not None or log.samples.max() < 2 or 4 * unsolved < max(log.correct.size, 8):
        return []
    return [
        f"{unsolved} of {log.correct.size} problems have no correct sample: if that is how their answers were compared,"
        " the share of solvable problems (A) comes out too small: look at some of them"
    ]


def log_of(log: LogLike) -> Log:
    """``log`` as a :class:`~ds3sim.fit.logs.log.Log`.

    Raises:
        InputError: a path that :func:`read_log` cannot read; a pair that is no counts.
    """
    if isinstance(log, Log):
        return log
    several = isinstance(log, list | tuple) and len(log) > 0 and all(isinstance(p, str | os.PathLike) for p in log)
    if isinstance(log, tuple) and len(log) == 2 and not several:
        samples, correct = log
        return Log.from_counts(samples, correct)  # pyright: ignore[reportArgumentType]
    require(several or isinstance(log, str | os.PathLike), f"log = {shown(log)} is not a log: give the path of one,"
            " read_log(...) or a pair (samples, correct)")  # fmt: skip
    return read_log(log)  # pyright: ignore[reportArgumentType]


# ---- recognition -------------------------------------------------------------------------------


def _recognized(found: Found, named: str | None) -> tuple[list[LogFile], Reader, list[str]]:
    """The files that are logs, their format, and notes on those that were left out."""
    if named is not None and not (found.searched and len(found.paths) > 1):
        return [_view(look(path), READERS[named]) for path in found.paths], READERS[named], []
    groups: dict[str, list[LogFile]] = {}
    left: list[str] = []
    for path in found.paths:
        try:
            name, file = _format_of(look(path), named)
            groups.setdefault(name, []).append(file)
        except InputError as error:
            if not found.searched:
                raise
            left.append(str(error))
    if len(groups) > 1 and found.searched and groups.pop("curve", None):
        left.append("curves beside logs are not read")
    require(bool(groups), _nothing(found, left))
    held = "; ".join(f"{name}: {files[0].where}" for name, files in groups.items())
    require(
        len(groups) == 1,
        f"{found.where}: logs of several formats ({held}): name the files of one, or the format with format (--format)",
    )
    ((name, files),) = groups.items()
    notes = [f"{len(left)} files are left out: {short(left[0], 250)}"] if left else []
    return files, READERS[name], notes


def _view(file: LogFile, reader: Reader) -> LogFile:
    """What a reader that was asked for reads of a file: the table inside it, where that is what it takes."""
    own, *inner = views(file)
    if reader.name in (tables.TIDY.name, tables.COUNTS.name) and inner:
        return next(filter(reader.recognizes, inner), inner[0])
    return next(filter(reader.recognizes, (own, *inner)), own)


def _nothing(found: Found, left: Sequence[str]) -> str:
    if len(left) == 1:
        return left[0]
    return f"{found.where}: none of its {len(left)} files is recognized as a log: {short(left[0] if left else '', 400)}"


def _format_of(file: LogFile, named: str | None) -> tuple[str, LogFile]:
    """The format of a file, and the file, or the table inside it; an InputError says what it is where there is none."""
    if named is None and tables.is_plainly_tidy(file):
        return tables.TIDY.name, file
    known = None
    for view in views(file):
        for name, reader in READERS.items():
            if (named is None or name == named) and reader.recognizes(view):
                return name, view
        known = known or foreign(view)
        if known is not None:
            break
    if known is not None:
        raise InputError(f"{file.where}: this is {known.about}: {known.advice}")
    raise InputError(f"{file.where}: the format is not recognized: {file.about}{_nearest(file)}{_ways(file)}")


def _nearest(file: LogFile) -> str:
    """Which formats come nearest, and what of them is missing."""
    some: list[tuple[float, bool, str]] = []
    for reader in READERS.values():
        missing = reader.missing(file)
        if 0 < len(missing) < len(reader.needs):
            lacks = ", ".join(names[0] + (f" (or {', '.join(names[1:5])})" if names[1:] else "") for names in missing)
            table = reader.name in ("tidy", "counts")
            some.append(
                (len(missing) / len(reader.needs), not table, f"{reader.name} ({reader.about}) would need {lacks}")
            )
    some.sort(key=lambda found: found[:2])
    return f"; {'; '.join(text for *_, text in some[:2])}" if some else ""


def _ways(file: LogFile) -> str:
    """What can be done."""
    names = f"the format with format (--format): {', '.join(READERS)}"
    if file.container not in ("csv", "parquet", "jsonl", "array"):
        return f"; write its samples as a table (one row a sample, with problem and correct), or name {names}"
    numbers = sum(is_number(value) for value in file.first.values())
    curve = "; if it is a curve, choose them with x and y (--x, --y)" if numbers >= 2 else ""
    return f"; name the columns with problem and correct (--problem, --correct){curve}, or {names}"
