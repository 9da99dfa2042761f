"""Tidy tables and counts, as CSV, Parquet or JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed, parsed
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.file import LogFile, Reader, missing_columns
from ds3sim.fit.logs.log import MOST_SAMPLES, Log, ragged
from ds3sim.fit.logs.rows import Rows, answer_of, blank, grade_of, name_of, number_of, tokens_of, whole_of

USED = {
    "tidy": ("problem", "sample", "correct", "answer", "tokens", "score", "source"),
    "counts": ("problem", "n", "correct", "answer_counts", "tokens_mean"),
}
"""Columns that are read."""


def read_tidy(file: LogFile, *, threshold: float | None = None) -> Log:
    """One row a sample: ``problem, sample, correct[, answer, tokens, score, source]``.

    ``sample`` may be missing: the samples of a problem are then numbered in the order of the file.
    """
    columns, rows = file.table()
    missing_columns(columns, ("problem", "correct"), file.where)
    notes = _ignored(columns, "tidy")
    numbered = "sample" not in columns
    if numbered:
        notes.append("there is no column sample: samples are numbered in the order of the file")
    out = Rows(file.where, file.unit)
    for number, row in rows:
        place = file.at(number)
        problem = name_of(needed(row, "problem", place), place)
        sample = out.next_sample(problem) if numbered else whole_of(needed(row, "sample", place), place, "sample")
        grade = needed(row, "correct", place)
        if blank(grade):
            raise InputError(f"{place}: correct is empty: grade the sample (0 or 1) or leave the row out")
        score = row.get("score")
        out.add(
            problem,
            sample,
            grade_of(grade, place),
            answer_of(row.get("answer")),
            tokens_of(row.get("tokens"), place),
            number,
            score=None if blank(score) else number_of(score, place, "score"),
            source=None if blank(row.get("source")) else str(row["source"]).strip(),
        )
    return out.log("tidy", notes, threshold)


def read_counts(file: LogFile) -> Log:
    """One row a problem: ``problem, n, correct[, answer_counts, tokens_mean]``.

    ``answer_counts`` is a JSON object answer -> samples. Which answer is the correct one is read off the
    counts: the one given ``correct`` times. If two have that count it does not matter for votes which.
    Where the answers of every problem add up to ``n - correct``, they are taken as the wrong ones alone.
    """
    columns, rows = file.table()
    missing_columns(columns, ("problem", "n", "correct"), file.where)
    notes = _ignored(columns, "counts")
    places: dict[str, str] = {}
    n: list[int] = []
    correct: list[int] = []
    tokens: list[float] = []
    answers: list[dict[str, int] | None] = []
    for number, row in rows:
        place = file.at(number)
        name = name_of(needed(row, "problem", place), place)
        if name in places:
            raise InputError(f"{place}: problem {shown(name)} is there twice (first in {places[name]}): merge them")
        places[name] = place
        n.append(whole_of(needed(row, "n", place), place, "n", 1, MOST_SAMPLES))
        correct.append(whole_of(needed(row, "correct", place), place, "correct"))
        if correct[-1] > n[-1]:
            raise InputError(f"{place}: correct = {correct[-1]} is more than n = {n[-1]}: are the columns swapped?")
        mean = row.get("tokens_mean")
        tokens.append(np.nan if blank(mean) else number_of(mean, place, "tokens_mean"))
        if tokens[-1] < 0 or np.isinf(tokens[-1]):
            raise InputError(f"{place}: tokens_mean = {shown(mean)} is not allowed: it must be a number, at least 0")
        answers.append(_answer_counts(row.get("answer_counts"), place, n[-1]))
    require(len(places) > 0, f"{file.where}: no rows: there is nothing to estimate")
    wrong = _wrong(answers, n, correct, list(places.values()), notes)
    return Log(
        "counts",
        file.where,
        tuple(places),
        np.array(n, dtype=np.int64),
        np.array(correct, dtype=np.int64),
        None if wrong is None else tuple(found or {} for found in answers),
        wrong,
        None if np.isnan(tokens).all() else np.array(tokens),
        notes=(*notes, *ragged(n)),
    )


def _ignored(columns: Iterable[str], format: str) -> list[str]:
    extra = [str(c) for c in columns if c not in USED[format]]
    return [f"columns that are not used: {short(', '.join(extra), 200)}"] if extra else []


def _answer_counts(value: Any, place: str, n: int) -> dict[str, int] | None:
    if blank(value):
        return None
    if isinstance(value, list):  # Arrow's map type
        value = dict(value) if all(isinstance(v, tuple) and len(v) == 2 for v in value) else value
    if isinstance(value, str):
        value = parsed(value, f"{place}: answer_counts")
    if not isinstance(value, dict):
        raise InputError(f'{place}: answer_counts = {shown(value)} is not a JSON object such as {{"42": 7, "41": 3}}')
    # Arrow's struct type gives every row the answers of all rows, as None
    found = {
        str(answer): whole_of(count, place, f"answer_counts[{shown(answer)}]")
        for answer, count in value.items()
        if count is not None
    }
    found = {answer: count for answer, count in found.items() if count > 0}
    total = sum(found.values())
    if total > n:
        raise InputError(f"{place}: answer_counts add up to {total}, more than n = {n}")
    return found


def _wrong(
    answers: Sequence[dict[str, int] | None],
    n: Sequence[int],
    correct: Sequence[int],
    places: Sequence[str],
    notes: list[str],
) -> tuple[np.ndarray, ...] | None:
    """Counts of the wrong answers of each problem, or None when no row has answers."""
    if all(a is None for a in answers):
        return None
    for found, c, size, place in zip(answers, correct, n, places, strict=True):
        if found is None and c < size:
            raise InputError(f"{place}: answer_counts is empty here and given elsewhere: give it for all problems")
    some = [(sum(a.values()), c, s) for a, c, s in zip(answers, correct, n, strict=True) if a is not None and c > 0]
    alone = bool(some) and all(total == size - c for total, c, size in some) and any(t for t, _, _ in some)
    if alone:
        notes.append("answer_counts add up to n - correct in every problem: taken as the counts of the wrong answers")
    wrong = []
    for found, c, place in zip(answers, correct, places, strict=True):
        rest = sorted((found or {}).values(), reverse=True)
        if c > 0 and not alone and found is not None:
            if c not in rest:
                raise InputError(
                    f"{place}: no answer in answer_counts was given {c} times, as often as a sample was correct: merge"
                    " the spellings of the correct answer, or give one row a sample (tidy)"
                )
            rest.remove(c)
        wrong.append(np.array(rest, dtype=np.int64))
    return tuple(wrong)


TIDY = Reader(
    "tidy", lambda file: {"problem", "correct"} <= file.keys or (file.container == "csv" and "problem" in file.keys),
    read_tidy,
)  # fmt: skip
COUNTS = Reader("counts", lambda file: {"problem", "n"} <= file.keys, read_counts)
