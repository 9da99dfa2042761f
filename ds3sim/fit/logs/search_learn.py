"""search-and-learn: JSON lines with problem, answer, completions[], scores[][], completion_tokens[]."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed
from ds3sim.core.text import shown
from ds3sim.fit.logs.columns import column_of
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.grade import BOXED, Comparison, extractor
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows
from ds3sim.fit.logs.values import answer_of, name_of, number_of, tokens_of

AGGREGATES: dict[str, Callable[[list[float]], float]] = {"last": lambda s: s[-1], "min": min, "prod": math.prod}
"""How the scores of a completion's steps become one score; ``last`` is search-and-learn's."""


def read_search_learn(
    files: Sequence[LogFile],
    *,
    pattern: str | None = None,
    match: int = -1,
    compare: str | None = None,
    aggregate: str = "last",
    threshold: float | None = None,
) -> Log:
    """Completions of each problem, graded by comparing their extracted answer with ``answer``.

    ``pattern`` is ``boxed`` unless given: the content of the last ``\\boxed{}``. The process reward model's
    scores become ``Samples.score``.

    Raises:
        InputError: missing fields; lists of different lengths; a problem that is there twice.
    """
    comparison = Comparison(extractor(pattern or BOXED, match), compare)
    one_of("aggregate", aggregate, AGGREGATES)
    table = Rows(files)
    empty = 0
    for file in files:
        table.open(file)
        names: dict[str, int] = {}
        for number, row in file.rows():
            at = file.at(number)
            name = name_of(row.get("unique_id") or needed(row, "problem", at), at)
            if name in names:
                raise InputError(
                    f"{at}: problem {shown(name)} is there twice (first in {file.unit} {names[name]}): one file a run"
                )
            names[name] = number
            target = answer_of(needed(row, "answer", at))
            completions = needed(row, "completions", at)
            ok = isinstance(completions, list) and bool(completions) and all(isinstance(c, str) for c in completions)
            require(ok, f"{at}: completions = {shown(completions)} is not a list of texts")
            if target is None:
                raise InputError(f"{at}: answer is empty: there is nothing to grade against")
            size = len(completions)
            tokens, scores = _list(row, "completion_tokens", size, at), _list(row, "scores", size, at)
            for i, text in enumerate(completions):
                value, answer = comparison.of_completion(text, [target])
                empty += answer is None
                spent = tokens_of(tokens[i], at, f"completion_tokens[{i}]") if tokens else None
                points = _score(scores[i], aggregate, at, i) if scores else None
                table.add(name, i, value, answer, spent, number, score=points, content=target)
    how = "the boxed answer" if pattern is None else "the extracted answer"
    table.note(f"completions were graded by comparing {how}")
    if empty:
        table.note(f"in {empty} of {len(table)} completions no answer was found: they count as wrong")
    table.note(*comparison.notes(table.source))
    return table.log("search-and-learn", threshold)


def _list(row: dict[str, Any], key: str, size: int, at: str) -> list[Any] | None:
    values = row.get(key)
    if values is None:
        return None
    require(isinstance(values, list), f"{at}: {key} = {shown(values)} is not a list")
    require(len(values) == size, f"{at}: {size} completions and {len(values)} {key}: the lists must be of one length")
    return values


def _score(value: Any, aggregate: str, at: str, i: int) -> float | None:
    if value is None or value == []:
        return None
    steps = value if isinstance(value, list) else [value]
    return float(AGGREGATES[aggregate]([number_of(s, at, f"scores[{i}]") for s in steps]))


def _recognizes(file: LogFile) -> bool:
    """Lists of completions, without a list of their grades: those would count."""
    grades = file.first.get(column_of(file, "correct") or "")
    return not file.head or (isinstance(file.first.get("completions"), list) and not isinstance(grades, list))


READER = Reader(
    "search-and-learn",
    "search-and-learn's completions",
    (("problem",), ("answer",), ("completions",)),
    _recognizes,
    read_search_learn,
)
