"""Which column of a table is what: by its name, by names that tools give it, or as the options say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.file import HEAD_ROWS, LogFile, plain_name
from ds3sim.fit.logs.log import MOST_SAMPLES
from ds3sim.fit.logs.values import blank, grade_of, whole_of

ALIASES: dict[str, tuple[str, ...]] = {
    "problem": ("problem", "problem_id", "task_id", "question_id", "qid", "problem_idx", "problem_num", "prompt_id",
                "instance_id", "example_id", "example_abbr", "item_id", "unique_id", "doc_id", "id", "question",
                "prompt"),
    "sample": ("sample",),
    "correct": ("correct", "is_correct", "passed", "pass", "graded_list", "symbolic_correct", "judge_correct",
                "success", "solved", "resolved", "is_resolved", "exact_match", "acc", "accuracy", "grade", "judgement",
                "reward", "result", "status"),
    "answer": ("answer", "predicted_answer", "extracted_answer", "parsed_answer", "model_answer", "final_answer",
               "prediction", "pred"),
    "tokens": ("tokens", "output_tokens", "completion_tokens", "num_generated_tokens", "generated_tokens", "num_tokens",
               "n_tokens", "response_tokens"),
    "score": ("score",),
    "source": ("source",),
    "n": ("n", "total", "num_samples", "n_samples", "total_samples", "num_total", "samples", "attempts", "trials"),
    "successes": ("correct", "passed", "num_correct", "n_correct", "num_passed", "n_passed", "successes", "solved",
                  "c"),
    "answer_counts": ("answer_counts",),
    "tokens_mean": ("tokens_mean",),
    "content": ("doc_hash", "question", "expected_answer", "gold_answer", "ground_truth", "gold", "target",
                "reference_answer"),
}  # fmt: skip
"""Names of each role, the first ones first, whatever their case."""

OPTIONS = {"successes": "correct"}
"""Roles whose option has another name."""


FEWER = 0.9
"""A column of problems has at most so many values for a row; few questions of a benchmark are asked twice in it."""


def _graded(value: Any) -> bool:
    return all(_passes(grade_of, part) for part in (value if isinstance(value, list) else [value]))


def _tokens(value: Any) -> bool:
    return all(blank(part) or _passes(whole_of, part, "tokens") for part in _parts(value))


def _parts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _passes(read: Callable[..., Any], value: Any, *more: Any) -> bool:
    try:
        read(value, "", *(more or ("",)))
    except InputError:
        return False
    return True


KINDS: dict[str, Callable[[Any], bool]] = {
    "problem": lambda value: isinstance(value, str | int | float) and not isinstance(value, bool),
    "correct": _graded,
    "answer": lambda value: not isinstance(value, dict),
    "tokens": _tokens,
    "n": lambda value: _passes(whole_of, value, "n", 1, MOST_SAMPLES),
    "successes": lambda value: not isinstance(value, bool) and _passes(whole_of, value, "correct"),
}
"""What the values of a column of another name have to be for it to play a role."""


def option_of(role: str) -> str:
    """The option that names the column of a role."""
    return OPTIONS.get(role, role)


def column_of(file: LogFile, role: str, wanted: str | None = None) -> str | None:
    """The column that plays a role: ``wanted``, or that of its name, or the first alias whose values fit.

    Raises:
        InputError: there is no column ``wanted``.
    """
    return next(iter(_candidates(file, role, wanted)), None)


def problem_column(file: LogFile, wanted: str | None = None) -> str | None:
    """As :func:`column_of` of ``problem``, but of several aliases one whose values repeat goes before an earlier one
    that is another in nearly every row, which numbers samples, and before one that is the same in all.
    """
    found = _candidates(file, "problem", wanted)
    if len(found) < 2 or _repeats(file.head, found[:1]):
        return next(iter(found), None)
    rows = file.head if len(file.head) < HEAD_ROWS else (row for _, row in file.rows())
    return next(iter(_repeats(rows, found)), found[0])


def _repeats(rows: Iterable[Mapping[str, Any]], columns: list[str]) -> list[str]:
    """The columns whose values repeat, and are not all the same."""
    seen: dict[str, set[str]] = {column: set() for column in columns}
    size = 0
    for row in rows:
        size += 1
        for column, values in seen.items():
            values.add(str(row.get(column)))
    return [column for column, values in seen.items() if 1 < len(values) <= FEWER * size]


def _candidates(file: LogFile, role: str, wanted: str | None) -> list[str]:
    low: dict[str, str] = {}
    for column in file.columns:
        low.setdefault(column.strip().lower(), column)
    for column in file.columns:
        low.setdefault(plain_name(column), column)
    if wanted is not None:
        have = short(", ".join(file.columns), 200)
        require(
            str(wanted).strip().lower() in low,
            f"{file.where}: there is no column {shown(wanted)} (there are {have}): --{option_of(role)} names one",
        )
        return [low[str(wanted).strip().lower()]]
    first, *others = ALIASES[role]
    if first in low:
        return [low[first]]
    fits = KINDS.get(role, lambda value: True)
    return [low[name] for name in others if name in low and all(fits(row.get(low[name])) for row in file.head)]


def is_graded(file: LogFile, column: str) -> bool:
    """Whether the first values of a column are grades, or lists of them."""
    return all(_graded(row.get(column)) for row in file.head)


def other_grades(file: LogFile, used: str) -> list[str]:
    """Columns whose first values are grades, and not those of the column ``used``."""
    names = [column for column in file.columns if plain_name(column) in ALIASES["correct"] and column != used]
    return [name for name in names if is_graded(file, name) and _grades(file, name) != _grades(file, used)]


def _grades(file: LogFile, column: str) -> list[list[float | None]]:
    return [[grade_of(part, "") for part in _parts(row.get(column))] for row in file.head]


def columns_of(file: LogFile, roles: Iterable[str], wanted: Mapping[str, str | None]) -> dict[str, str]:
    """Role -> column, for the roles that have one; ``wanted`` holds the options."""
    found = {role: column_of(file, role, wanted.get(option_of(role))) for role in roles}
    return {role: column for role, column in found.items() if column is not None}


def need(file: LogFile, found: Mapping[str, str], roles: Iterable[str]) -> None:
    """InputError where a role has no column: which, and under which names it would be known."""
    missing = [role for role in roles if role not in found]
    if missing:
        names = "; ".join(f"{option_of(r)} (or {', '.join(ALIASES[r][1:6])})" for r in missing)
        options = ", ".join(f"--{option_of(r)} COLUMN" for r in missing)
        raise InputError(f"{file.where}: {file.about}: a column is missing: {names}: name it with {options}")


def renamed(found: Mapping[str, str]) -> list[str]:
    """The note on columns of other names, if there are any."""
    other = {option_of(role): column for role, column in found.items() if column.lower() != option_of(role)}
    other.pop("content", None)
    if not other:
        return []
    said = ", ".join(f"{role} from {column}" for role, column in other.items())
    return [f"columns that were read under other names: {said}"]


def unused(columns: Iterable[str], found: Mapping[str, str]) -> list[str]:
    """The note on columns that are not used, if there are any."""
    extra = [str(column) for column in columns if column not in found.values() and str(column).strip()]
    return [f"columns that are not used: {short(', '.join(extra), 200)}"] if extra else []
