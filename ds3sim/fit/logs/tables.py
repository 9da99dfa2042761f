"""Tidy tables and counts, as CSV, Parquet or JSON lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import json_rows, lines_of, needed, parquet_rows, parsed
from ds3sim.core.text import short
from ds3sim.fit.logs.records import MOST_SAMPLES, Counts, Log, to_counts
from ds3sim.fit.logs.rows import Rows, answer_of, blank, grade_of, name_of, number_of, shown, tokens_of, whole_of

TIDY = ("problem", "sample", "correct", "answer", "tokens", "score", "source")
COUNTS = ("problem", "n", "correct", "answer_counts", "tokens_mean")


def kind_of(columns) -> str | None:
    """``counts`` or ``tidy`` if the columns are those of one, else None."""
    have = set(columns)
    if {"problem", "n", "correct"} <= have:
        return "counts"
    if {"problem", "correct"} <= have:
        return "tidy"
    return None


def rows_of(path: Path, where: str, container: str) -> tuple[list[str], Iterator[tuple[int, dict]], str]:
    """Columns, (place, row) and the word for a place, of a CSV, Parquet or JSON lines file."""
    if container == "parquet":
        return *parquet_rows(path, where), "row"
    if container == "jsonl":
        rows = json_rows(path, where)
        first = next(rows, None)
        require(first is not None, f"{where}: the file is empty: it needs at least one row")
        assert first is not None

        def again():
            yield first
            yield from rows

        return list(first[1]), again(), "line"
    return *_csv_rows(path, where), "line"


def _csv_rows(path: Path, where: str) -> tuple[list[str], Iterator[tuple[int, dict]]]:
    at = [0]

    def content():
        for at[0], line in lines_of(path, where):
            # A field may run over lines, so a comment mark counts only before the header.
            if columns or (line.strip() and not line.lstrip().startswith("#")):
                yield line

    columns: list[str] = []
    reader = csv.reader(content(), strict=True, skipinitialspace=True)

    def next_row():
        # answer_counts of many answers are long, lines_of bounds what is read; the limit is global, so it is put back
        before = csv.field_size_limit(2**31 - 1)
        try:
            return next(reader, None)
        except csv.Error as error:
            raise InputError(f"{where}, line {at[0]}: not a CSV row ({error}): check the quotes and commas") from None
        finally:
            csv.field_size_limit(before)

    header = next_row()
    require(header is not None, f"{where}: the file is empty: it needs a header row and rows")
    assert header is not None
    columns += [name.strip().lower() for name in header]
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        raise InputError(f"{where}, line {at[0]}: fields are separated by commas only: {shown(header[0])}")
    double = [c for c in columns if columns.count(c) > 1]
    require(not double, f"{where}, line {at[0]}: the column {shown(double[0]) if double else ''} is there twice")

    def rows():
        while True:
            begin = at[0] + 1
            row = next_row()
            if row is None:
                return
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if len(row) != len(columns):
                raise InputError(
                    f"{where}, line {begin}: {len(row)} fields where the header has {len(columns)}:"
                    f" {shown(','.join(row))}; quote fields that hold a comma"
                )
            yield begin, dict(zip(columns, row, strict=True))

    return columns, rows()


def read_tidy(path: Path, where: str, container: str, *, threshold: float | None = None) -> Log:
    """One row a sample: ``problem, sample, correct[, answer, tokens, score, source]``.

    ``sample`` may be missing: the samples of a problem are then numbered in the order of the file.
    """
    columns, rows, unit = rows_of(path, where, container)
    _columns(columns, ("problem", "correct"), where)
    notes = _ignored(columns, TIDY)
    numbered = "sample" not in columns
    if numbered:
        notes.append("there is no column sample: samples are numbered in the order of the file")
    table = Rows(where, unit)
    for at, row in rows:
        place = f"{where}, {unit} {at}"
        problem = name_of(needed(row, "problem", place), place)
        sample = table.next_sample(problem) if numbered else whole_of(needed(row, "sample", place), place, "sample")
        grade = needed(row, "correct", place)
        if blank(grade):
            raise InputError(f"{place}: correct is empty: grade the sample (0 or 1) or leave the row out")
        score = row.get("score")
        table.add(
            problem,
            sample,
            grade_of(grade, place),
            answer_of(row.get("answer")),
            tokens_of(row.get("tokens"), place),
            at,
            score=None if blank(score) else number_of(score, place, "score"),
            source=None if blank(row.get("source")) else str(row["source"]).strip(),
        )
    samples = table.table()
    counts, more = to_counts(samples, threshold)
    return Log("tidy", where, samples, counts, notes=(*notes, *more))


def read_counts(path: Path, where: str, container: str) -> Log:
    """One row a problem: ``problem, n, correct[, answer_counts, tokens_mean]``.

    ``answer_counts`` is a JSON object answer -> samples. Which answer is the correct one is read off the
    counts: the one given ``correct`` times. If two have that count it does not matter for votes which.
    Where the answers of every problem add up to ``n - correct``, they are taken as the wrong ones alone.
    """
    columns, rows, unit = rows_of(path, where, container)
    _columns(columns, ("problem", "n", "correct"), where)
    notes = _ignored(columns, COUNTS)
    names: dict[str, int] = {}
    n, correct, tokens, answers, places = [], [], [], [], []
    for at, row in rows:
        place = f"{where}, {unit} {at}"
        name = name_of(needed(row, "problem", place), place)
        if name in names:
            raise InputError(
                f"{place}: problem {shown(name)} is there twice (first in {places[names[name]]}): merge them"
            )
        names[name] = len(names)
        places.append(place)
        n.append(whole_of(needed(row, "n", place), place, "n", 1, MOST_SAMPLES))
        correct.append(whole_of(needed(row, "correct", place), place, "correct"))
        if correct[-1] > n[-1]:
            raise InputError(f"{place}: correct = {correct[-1]} is more than n = {n[-1]}: are the columns swapped?")
        mean = row.get("tokens_mean")
        tokens.append(np.nan if blank(mean) else number_of(mean, place, "tokens_mean"))
        if tokens[-1] < 0 or np.isinf(tokens[-1]):
            raise InputError(f"{place}: tokens_mean = {shown(mean)} is not allowed: it must be a number, at least 0")
        answers.append(_answer_counts(row.get("answer_counts"), place, n[-1]))
    require(len(names) > 0, f"{where}: no rows: there is nothing to estimate")
    wrong = _wrong(answers, n, correct, places, notes)
    if min(n) != max(n):
        notes.append(f"the number of samples differs between problems: from {min(n)} to {max(n)}")
    counts = Counts(
        tuple(names),
        np.array(n, dtype=np.int64),
        np.array(correct, dtype=np.int64),
        None if wrong is None else tuple(answers),
        wrong,
        None if np.isnan(tokens).all() else np.array(tokens),
    )
    return Log("counts", where, counts=counts, notes=tuple(notes))


def _columns(columns, wanted, where: str) -> None:
    missing = [c for c in wanted if c not in columns]
    require(
        not missing,
        f"{where}: the column {', '.join(missing)} is missing (there are {short(', '.join(map(str, columns)), 200)})",
    )


def _ignored(columns, known) -> list[str]:
    extra = [str(c) for c in columns if c not in known]
    return [f"columns that are not used: {short(', '.join(extra), 200)}"] if extra else []


def _answer_counts(value, place: str, n: int) -> dict[str, int] | None:
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


def _wrong(answers, n, correct, places, notes):
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
