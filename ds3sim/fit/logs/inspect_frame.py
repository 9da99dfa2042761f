"""Tables of Inspect's ``samples_df``: one row a sample, a column ``score_<scorer>`` for each scorer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed, parsed
from ds3sim.core.text import shown
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows
from ds3sim.fit.logs.values import blank, grade_of, name_of, value_of, whole_of

SCORE = "score_"
_LOG = re.compile(r"(?:.*/)?\d{4}-\d\d-\d\dT[\d:+-]+_(.+)_[A-Za-z0-9]{10,}\.(?:eval|json)")


def read_inspect_frame(
    files: Sequence[LogFile],
    *,
    scorer: str | None = None,
    model: str | None = None,
    failures: str = "skip",
    threshold: float | None = None,
) -> Log:
    """Problem = ``id``, grade = ``score_<scorer>``; rows of several logs of one task are runs of the same problems.

    Args:
        files: tables.
        scorer: which scorer; may be left out where there is one.
        model: whose tokens; may be left out where ``model_usage`` names one.
        failures: samples with an error and no score: ``skip`` leaves them out, ``wrong`` counts them as wrong.
        threshold: from which value on a sample is correct; with it values need not lie in [0, 1].

    Raises:
        InputError: a choice that has to be made; fields that are missing; a value that is no grade.
    """
    one_of("failures", failures, ("skip", "wrong"))
    table = Rows(files)
    failed = 0
    for file in files:
        column = _scorer(file, scorer)
        for number, row in file.rows():
            at = file.at(number)
            table.open(file, _task(row), None if blank(row.get("model")) else str(row["model"]))
            name = name_of(needed(row, "id", at), at, "id")
            whole_of(needed(row, "epoch", at), at, "epoch")
            grade = _grade(row.get(column), threshold, at, column)
            if grade is None and not blank(row.get("error")):
                failed += 1
                if failures == "skip":
                    continue
                grade = 0.0
            table.add(name, None, grade, None, _tokens(row.get("model_usage"), model, at), number)
    if failed:
        done, other = ("left out", "wrong") if failures == "skip" else ("counted as wrong", "skip")
        table.note(f"{failed} samples stopped with an error: {done} (--failures {other} changes that)")
    return table.log("inspect-samples")


def _scorer(file: LogFile, wanted: str | None) -> str:
    names = [column[len(SCORE) :] for column in file.columns if column.startswith(SCORE)]
    have = ", ".join(names) or "none"
    if wanted is not None:
        require(wanted in names, f"{file.where}: there is no scorer {wanted!r} (there are {have})")
        return SCORE + wanted
    require(len(names) == 1, f"{file.where}: there are several scorers ({have}): choose one (--scorer)")
    return SCORE + names[0]


def _task(row: dict[str, Any]) -> str:
    """The task, by the name of the log that a row comes from."""
    found = _LOG.fullmatch(str(row.get("log") or ""))
    return str(row["task_name"]) if not blank(row.get("task_name")) else found.group(1) if found else ""


def _grade(value: Any, threshold: float | None, at: str, column: str) -> float | None:
    if threshold is None:
        return grade_of(value, at, column)
    found = value_of(value, at, column)
    return None if found is None else float(found >= threshold)


def _tokens(usage: Any, model: str | None, at: str) -> int | None:
    """Generated tokens: those of one model."""
    if blank(usage):
        return None
    found = parsed(usage, f"{at}, model_usage") if isinstance(usage, str) else usage
    require(isinstance(found, dict), f"{at}: model_usage = {shown(usage)} is not an object")
    known = {name: entry for name, entry in found.items() if isinstance(entry, dict)}
    if model is not None and model not in known:
        raise InputError(f"{at}: there is no model {model!r} (there are {', '.join(known) or 'none'})")
    if model is None and len(known) != 1:
        return None
    entry = known[model] if model is not None else next(iter(known.values()))
    return whole_of(entry.get("output_tokens") or 0, at, "output_tokens")


READER = Reader(
    "inspect-samples",
    "a table of Inspect's samples_df",
    (("id",), ("epoch",), (f"{SCORE}*",)),
    lambda file: file.container in ("csv", "parquet", "jsonl", "array"),
    read_inspect_frame,
)
