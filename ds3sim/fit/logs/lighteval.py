"""lighteval: ``details_<task>_<date>.parquet``, one row a document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.harness import SAMPLES, Counted, counted, k_of_metric
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows
from ds3sim.fit.logs.task_name import stem_of
from ds3sim.fit.logs.values import answer_of, blank, grade_of, name_of

_NAME = re.compile(r"details_(.+?)(?:_\d{4}.*)?")


def read_lighteval(files: Sequence[LogFile], *, metric: str | None = None, threshold: float | None = None) -> Log:
    """Samples of lighteval's details: its metrics say how many of a document's responses are correct.

    Args:
        files: details of one model; of one task (by their names) they are runs of the same documents.
        metric: which metric; may be left out where one is pass@1 or a mean of all responses, or where there is one.
        threshold: from which grade on a sample is correct.

    Raises:
        InputError: a choice that has to be made; a metric that does not determine how many responses are correct.
    """
    table = Rows(files)
    several = 0
    for file in files:
        found = _NAME.fullmatch(stem_of(file.path))
        table.open(file, found.group(1) if found else None)
        name = ""
        for number, row in file.rows():
            place = file.at(number)
            metrics = {key: value for key, value in _metrics(row, place).items() if not blank(value)}
            name = name or (_choose(metrics, metric, place, table) if metrics else "")
            size, tokens = _responses(row)
            problem, content = _problem(row, number, place)
            value = needed(metrics, name, place) if metrics else None
            graded, about = _graded(name, size, value, place)
            several += about
            for i, grade in enumerate(graded):
                spent = tokens[i] if len(tokens) == len(graded) else None
                table.add(problem, i, grade, None, spent, number, content=content)
    if several:
        table.note(f"of {several} documents the metric determines how many responses are correct, not which")
    return table.log("lighteval", threshold)


def _metrics(row: dict[str, Any], place: str) -> dict[str, Any]:
    found = row["metric"] if "metric" in row else needed(row, "metrics", place)
    require(isinstance(found, dict), f"{place}: the metrics are {shown(found)}, not an object")
    return found


def _choose(metrics: dict[str, Any], wanted: str | None, place: str, table: Rows) -> str:
    """The metric: that of the most responses among those that tell how many are correct."""
    names = short(", ".join(metrics), 200)
    if wanted is not None:
        require(wanted in metrics, f"{place}: there is no metric {wanted!r} (there are {names})")
        return wanted
    if len(metrics) == 1:
        return next(iter(metrics))
    telling = [name for name in metrics if k_of_metric(name) == 1]
    require(bool(telling), f"{place}: metrics {names or '(none)'}: choose one (--metric)")
    best = max(telling, key=lambda name: int(found.group(1)) if (found := SAMPLES.search(name)) else 0)
    table.note(f"of the metrics {names}, {best} is used (--metric chooses another)")
    return best


def _responses(row: dict[str, Any]) -> tuple[int, list[int]]:
    """How many responses a document has, and how many tokens each."""
    answer = row.get("model_response")
    answer = answer if isinstance(answer, dict) else {"text": row.get("predictions"), "output_tokens": None}
    texts, tokens = answer.get("text"), answer.get("output_tokens") or []
    spent = [len(each) for each in tokens if isinstance(each, list)]
    return max(len(texts) if isinstance(texts, list) else 1, 1), spent


def _problem(row: dict[str, Any], number: int, place: str) -> tuple[str, str | None]:
    """Name of the document, and its text."""
    doc = row.get("doc")
    doc = doc if isinstance(doc, dict) else {"query": row.get("example") or row.get("full_prompt")}
    name = doc.get("id")
    return str(number - 1) if blank(name) else name_of(name, place, "doc.id"), answer_of(doc.get("query"))


def _graded(metric: str, size: int, value: Any, place: str) -> tuple[list[float | None], bool]:
    """Grades, and whether they are of several responses whose order is not known."""
    if blank(value):
        return [None] * size, False
    found = Counted(1, int(value)) if size == 1 and value in (0, 1) else counted(metric, size, value, place)
    if found is not None:
        return [float(i < found.correct) for i in range(found.samples)], found.samples > 1
    if size > 1:
        raise InputError(
            f"{place}: {size} responses, and {metric} is one grade for them, which does not tell how many are correct:"
            " choose a metric that does (--metric), such as pass@1 or avg@n of all responses"
        )
    return [grade_of(value, place, metric)], False


def _recognizes(file: LogFile) -> bool:
    return any(isinstance(file.first.get(key), dict) for key in ("metric", "metrics"))


READER = Reader(
    "lighteval",
    "lighteval's details",
    (("metric", "metrics"), ("model_response", "predictions"), ("doc", "example", "full_prompt")),
    _recognizes,
    read_lighteval,
)
