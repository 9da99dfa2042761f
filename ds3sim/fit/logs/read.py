"""Evaluation logs of several formats, read into :class:`~ds3sim.fit.logs.log.Log` (docs/logs.md)."""

from __future__ import annotations

import inspect
import os

from numpy.typing import ArrayLike

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.foreign import reads
from ds3sim.core.text import short, shown
from ds3sim.fit.logs import curve, lm_eval, monkeys, search_learn, tables
from ds3sim.fit.logs import inspect_ai as inspect_log
from ds3sim.fit.logs.file import LogFile, look
from ds3sim.fit.logs.log import Log

READERS = {
    reader.name: reader
    for reader in (
        inspect_log.READER,
        lm_eval.READER,
        search_learn.READER,
        monkeys.READER,
        tables.COUNTS,
        tables.TIDY,
        curve.READER,
    )
}
"""Every format, in the order in which they are tried."""

LogLike = Log | str | os.PathLike[str] | tuple[ArrayLike, ArrayLike]
"""A log, the path of one, or a pair (samples, correct) of arrays, one number a problem."""


@reads("log")
def read_log(path: str | os.PathLike[str], format: str | None = None, **options: object) -> Log:
    """Read an evaluation log; the format is recognized from the content unless ``format`` names it.

    Args:
        path: a file, or a folder of Large Language Monkeys' YAML files.
        format: a name in :data:`READERS`.
        options: those of the format's reader that are not None: ``threshold`` (all but counts and curves);
            ``filter``, ``metric``, ``pattern``, ``match`` (lm-eval); ``scorer``, ``key``, ``model``, ``errors``
            (inspect); ``pattern``, ``match`` (monkeys, search-and-learn); ``aggregate`` (search-and-learn);
            ``x``, ``y`` (curve).

    Returns:
        The log; ``notes`` says what was repaired or chosen.

    Raises:
        InputError: one line naming file and line, row or member: what cannot be read, an unknown format, an option
            that the format does not have or that would do nothing.

    >>> from pathlib import Path
    >>> path = Path("counts.csv")
    >>> _ = path.write_text("problem,n,correct\\na,10,3\\nb,10,5\\n")
    >>> ds.read_log(path).correct.tolist()
    [3, 5]
    """
    names = ", ".join(READERS)
    one_of("format", format, (*READERS, None))
    file = look(path)
    name = format or next((name for name, reader in READERS.items() if reader.recognizes(file)), None)
    if name is None:
        raise InputError(
            f"{file.where}: the format is not recognized{_hint(file)}: name it with format (--format): {names}"
        )
    require(file.container != "folder" or name == "monkeys", f"{file.where}: is a folder: name the log file in it")
    read = READERS[name].read
    allowed = [p for p, spec in inspect.signature(read).parameters.items() if spec.kind is spec.KEYWORD_ONLY]
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        have = f"it has {', '.join(allowed)}" if allowed else "it has none"
        require(key in allowed, f"{file.where}: the format {name} has no option {key}: {have}")
    require(
        "match" not in given or given.get("pattern", "boxed") != "boxed",
        "match has no effect: it says which match of a regular expression counts: give pattern (--pattern)",
    )
    return read(file, **given)


def log_of(log: LogLike) -> Log:
    """``log`` as a :class:`~ds3sim.fit.logs.log.Log`.

    Raises:
        InputError: a path that :func:`read_log` cannot read; a pair that is no counts.
    """
    if isinstance(log, Log):
        return log
    if isinstance(log, tuple) and len(log) == 2:
        return Log.from_counts(*log)
    require(isinstance(log, str | os.PathLike), f"log = {shown(log)} is not a log: give the path of one, read_log(...)"
            " or a pair (samples, correct)")  # fmt: skip
    return read_log(log)  # pyright: ignore[reportArgumentType]


def _hint(file: LogFile) -> str:
    if file.container != "folder":
        return ""
    held = short(", ".join(sorted(p.name for p in file.path.iterdir())[:5]), 100) or "nothing"
    return f" (a folder with {held} in it; only Large Language Monkeys' YAML is read from folders)"
