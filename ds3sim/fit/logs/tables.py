"""Tidy tables (one row a sample, or a problem with lists) and counts, as CSV, Parquet or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed, parsed
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.columns import (
    ALIASES,
    column_of,
    columns_of,
    is_graded,
    need,
    other_grades,
    problem_column,
    renamed,
    unused,
)
from ds3sim.fit.logs.file import LogFile, Reader, views
from ds3sim.fit.logs.log import MOST_SAMPLES, Log, ragged
from ds3sim.fit.logs.rows import Rows, how_joined, several
from ds3sim.fit.logs.task_name import task_names
from ds3sim.fit.logs.values import answer_of, blank, grade_of, name_of, number_of, tokens_of, whole_of

TIDY_ROLES = ("problem", "sample", "correct", "answer", "tokens", "score", "source", "content")
COUNTS_ROLES = ("problem", "n", "successes", "answer_counts", "tokens_mean")
TABLES = ("csv", "parquet", "jsonl", "array", "json")
MODELS = ("model", "model_name", "model_id")
"""Columns that name the model."""
LISTED = ("answer", "tokens", "score")
"""What may be a list beside a list of grades."""


def read_tidy(
    files: Sequence[LogFile],
    *,
    problem: str | None = None,
    sample: str | None = None,
    correct: str | None = None,
    answer: str | None = None,
    tokens: str | None = None,
    score: str | None = None,
    threshold: float | None = None,
) -> Log:
    """One row a sample: ``problem, sample, correct[, answer, tokens, score, source]``.

    Columns may have the names of :data:`~ds3sim.fit.logs.columns.ALIASES`, or those that the options give.
    ``sample`` may be missing: the samples of a problem are then numbered in the order of the file. Where ``correct``
    is a list, a row is a problem: ``answer``, ``tokens`` and ``score`` are then lists of the same length.

    Raises:
        InputError: a column that is missing; a value that is none of its kind; a sample that is there twice.
    """
    wanted = {"problem": problem, "sample": sample, "correct": correct, "answer": answer, "tokens": tokens}
    table = Rows(files)
    for file in files:
        table.open(file)
        found = columns_of(file, TIDY_ROLES, wanted | {"score": score, "problem": problem_column(file, problem)})
        need(file, found, ("problem", "correct"))
        table.note(*_about_answers(file, found, answer))
        table.note(*renamed(found), *_other_grades(file, found), *unused(file.columns, found))
        listed = any(isinstance(row.get(found["correct"]), list) for row in file.head)
        if "sample" not in found and not listed:
            table.note("there is no column sample: samples are numbered in the order of the file")
        model = next((column for column in file.columns if column.lower() in MODELS), "")
        for number, row in file.rows():
            table.models.add(str(row.get(model)))
            _add(table, {role: row.get(column) for role, column in found.items()}, row, found, file.at(number), number)
    if len(table.models) > 1:
        names = short(", ".join(sorted(table.models)), 200)
        table.note(f"rows of several models ({names}) are put together: give those of one, unless they are runs of it")
    return table.log("tidy", threshold)


def _other_grades(file: LogFile, found: dict[str, str]) -> list[str]:
    """A note on columns of grades that are not used, where the one that is goes by another name than ``correct``."""
    used = found["correct"]
    if used.lower() == "correct" or not is_graded(file, used):
        return []
    others = other_grades(file, used)
    said = f"{', '.join(others)} could be the grades too: {used} is used (--correct chooses another)"
    return [said] if others else []


def _about_answers(file: LogFile, found: dict[str, str], wanted: str | None) -> list[str]:
    """Take the answers of the samples, not the right ones, which some tools call ``answer`` too; a note if so."""
    column = found.get("answer")
    if wanted is not None or column is None:
        return []
    own = found["problem"].lower() == "problem" and found["correct"].lower() == "correct"
    given = next((c for c in file.columns if c.lower() in ("predicted_answer", "extracted_answer", "prediction")), None)
    if column.lower() == "answer" and given is not None and not own:
        found["content"], found["answer"] = column, given
        return []
    by_name: dict[str, list[tuple[str, str]]] = {}
    for row in file.head:
        pair = (str(row.get(found["correct"])), str(row.get(column)))
        by_name.setdefault(str(row.get(found["problem"])), []).append(pair)
    mixed = [pairs for pairs in by_name.values() if len({grade for grade, _ in pairs}) > 1]
    if not mixed or any(len({text for _, text in pairs}) > 1 for pairs in mixed) or mixed[0][0][1] in ("None", ""):
        return []
    del found["answer"]
    found["content"] = column
    return [
        f"{column} is the same for correct and wrong samples: taken as the right answer, not the sample's"
        " (--answer names the column of the samples' answers)"
    ]


def _add(
    table: Rows, value: dict[str, Any], row: dict[str, Any], found: dict[str, str], place: str, number: int
) -> None:
    """The sample, or the samples, of a row."""
    problem = name_of(needed(row, found["problem"], place), place, found["problem"])
    if "test_id" in row and found["problem"] == "question_id":  # LiveCodeBench's test output prediction
        problem = f"{problem}/{row['test_id']}"
    grades, name = needed(row, found["correct"], place), found["correct"]
    content = None if blank(value.get("content")) else str(value["content"])
    source = None if blank(value.get("source")) else str(value["source"]).strip()
    label = needed(row, found["sample"], place) if "sample" in found else None
    sample = table.number_of(problem, label, place, found["sample"]) if "sample" in found else None
    if not isinstance(grades, list):
        marks = [(grades, {role: value.get(role) for role in LISTED}, name)]
    else:
        require(len(grades) > 0, f"{place}: {name} is an empty list: leave the row out")
        require(sample is None or len(grades) == 1, f"{place}: {name} is a list and the row has a number of one sample")
        beside = {role: _beside(value.get(role), len(grades), place, found.get(role, role)) for role in LISTED}
        marks = [(g, {role: beside[role][i] for role in LISTED}, f"{name}[{i}]") for i, g in enumerate(grades)]
    for grade, more, what in marks:
        points = more["score"]
        table.add(
            problem,
            sample,
            grade_of(grade, place, what),
            answer_of(more["answer"]),
            tokens_of(more["tokens"], place, found.get("tokens", "tokens")),
            number,
            score=None if blank(points) else number_of(points, place, found.get("score", "score")),
            source=source,
            content=content,
        )


def _beside(values: Any, size: int, place: str, name: str) -> list[Any]:
    """What lies beside a list of grades: a list of the same length; anything else tells nothing of one sample."""
    if not isinstance(values, list):
        return [None] * size
    require(len(values) == size, f"{place}: {size} grades and {len(values)} {name}: the lists must be of one length")
    return values


@dataclass
class _Count:
    """A problem's counts; where they were first read."""

    place: str
    samples: int
    correct: int
    tokens: float
    """Mean of a sample, NaN where unknown."""
    answers: dict[str, int] | None

    def add(self, other: _Count) -> None:
        """Put the samples of another file to them."""
        known = [count for count in (self, other) if not np.isnan(count.tokens)]
        if known:
            self.tokens = sum(c.tokens * c.samples for c in known) / sum(c.samples for c in known)
        both = None if self.answers is None or other.answers is None else (self.answers, other.answers)
        self.answers = None if both is None else dict(Counter(both[0]) + Counter(both[1]))
        self.samples += other.samples
        self.correct += other.correct


def read_counts(
    files: Sequence[LogFile], *, problem: str | None = None, n: str | None = None, correct: str | None = None
) -> Log:
    """One row a problem: ``problem, n, correct[, answer_counts, tokens_mean]``.

    ``answer_counts`` is a JSON object answer -> samples. Which answer is the correct one is read off the
    counts: the one given ``correct`` times. If two have that count it does not matter for votes which.
    Where the answers of every problem add up to ``n - correct``, they are taken as the wrong ones alone.
    Counts of several files are added where they are of one task, by the names of the files.

    Raises:
        InputError: a column that is missing; counts that contradict each other; a problem that is in a file twice.
    """
    notes: list[str] = []
    wanted = {"problem": problem, "n": n, "correct": correct}
    parts = [_counts_of(file, wanted, notes) for file in files]
    source = several(files)
    require(any(parts), f"{source}: no rows: there is nothing to estimate")
    counts, more = _added(parts, task_names([file.path for file in files]))
    answers = [count.answers for count in counts.values()]
    size, good = [count.samples for count in counts.values()], [count.correct for count in counts.values()]
    tokens = np.array([count.tokens for count in counts.values()])
    wrong = _wrong(answers, size, good, [count.place for count in counts.values()], more)
    return Log(
        "counts",
        source,
        tuple(counts),
        np.array(size, dtype=np.int64),
        np.array(good, dtype=np.int64),
        None if wrong is None else tuple(found or {} for found in answers),
        wrong,
        None if np.isnan(tokens).all() else tokens,
        notes=(*dict.fromkeys(notes), *more, *ragged(size)),
    )


def _counts_of(file: LogFile, wanted: dict[str, str | None], notes: list[str]) -> dict[str, _Count]:
    """The counts of each problem in a file."""
    found = columns_of(file, COUNTS_ROLES, wanted)
    need(file, found, ("problem", "n", "successes"))
    notes += (*renamed(found), *unused(file.columns, found))
    counts: dict[str, _Count] = {}
    for number, row in file.rows():
        place = file.at(number)
        name = name_of(needed(row, found["problem"], place), place, found["problem"])
        if name in counts:
            raise InputError(
                f"{place}: problem {shown(name)} is there twice (first in {counts[name].place}): merge them"
                " (if a row is a sample: --format tidy)"
            )
        size = whole_of(needed(row, found["n"], place), place, found["n"], 1, MOST_SAMPLES)
        good = whole_of(needed(row, found["successes"], place), place, found["successes"])
        if good > size:
            raise InputError(f"{place}: correct = {good} is more than n = {size}: are the columns swapped?")
        mean = row.get(found.get("tokens_mean", ""))
        tokens = np.nan if blank(mean) else number_of(mean, place, "tokens_mean")
        if tokens < 0 or np.isinf(tokens):
            raise InputError(f"{place}: tokens_mean = {shown(mean)} is not allowed: it must be a number, at least 0")
        answers = _answer_counts(row.get(found.get("answer_counts", "")), place, size)
        counts[name] = _Count(place, size, good, tokens, answers)
    return counts


def _added(parts: Sequence[dict[str, _Count]], tasks: Sequence[str]) -> tuple[dict[str, _Count], list[str]]:
    """The counts of all files: added within a task, told apart by ``task/problem`` where two tasks share names."""
    if len(parts) == 1:
        return parts[0], []
    owners: dict[str, set[str]] = {}
    for part, task in zip(parts, tasks, strict=True):
        for name in part:
            owners.setdefault(name, set()).add(task)
    clash = any(len(found) > 1 for found in owners.values())
    counts: dict[str, _Count] = {}
    for part, task in zip(parts, tasks, strict=True):
        for problem, count in part.items():
            name = f"{task}/{problem}" if clash else problem
            if name in counts:
                counts[name].add(count)
            else:
                counts[name] = count
    apart = sum(map(len, parts)) == len(counts)
    return counts, [how_joined(len(parts), tasks if clash else (), apart, "counts are added")]


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


def _is_tidy(file: LogFile) -> bool:
    """A table with a column of problems and one of grades; of a lone object, neither an average nor what holds rows."""
    correct = column_of(file, "correct")
    if file.container not in TABLES or correct is None or column_of(file, "problem") is None:
        return False
    problem = file.first.get(column_of(file, "problem") or "")
    lone = file.container == "json"
    summary = lone and (correct.lower() in ("acc", "accuracy") or len(views(file)) > 1)
    return not isinstance(problem, dict | list) and not summary


def is_plainly_tidy(file: LogFile) -> bool:
    """Whether it has the columns of a tidy table under their own names: then others beside them do not matter."""
    names = {column.strip().lower() for column in file.columns}
    own = {"problem", "correct"} <= names and ("sample" in names or not _is_counts(file))
    return own and _is_tidy(file) and is_graded(file, column_of(file, "correct") or "")


def _is_counts(file: LogFile) -> bool:
    """A table with a row a problem: how many samples, and how many of them correct."""
    roles = columns_of(file, ("problem", "n", "successes"), {})
    if file.container not in TABLES or len(roles) < 3 or column_of(file, "sample"):
        return False
    if any(isinstance(row.get(roles["n"]), list) for row in file.head):
        return False
    names = [str(row.get(roles["problem"])) for row in file.head]
    return roles["n"].lower() == "n" or len(set(names)) == len(names) or not is_graded(file, roles["successes"])


TIDY = Reader("tidy", "one row a sample", (ALIASES["problem"], ALIASES["correct"]), _is_tidy, read_tidy)
COUNTS = Reader(
    "counts", "one row a problem", (ALIASES["problem"], ALIASES["n"], ALIASES["successes"]), _is_counts, read_counts
)
