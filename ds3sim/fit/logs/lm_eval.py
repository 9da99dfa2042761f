"""lm-evaluation-harness: ``samples_<task>_<date>.jsonl``, one line for each document and filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed
from ds3sim.core.text import shown
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.grade import extractor, grader, normalized
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows, answer_of, grade_of, name_of, number_of

PREFERRED = ("exact_match", "acc")


@dataclass
class _Choice:
    """What was asked for, and what was seen on the way."""

    asked: str | None
    extract: Callable[[str], str | None] | None
    threshold: float
    metric: str = ""
    notes: list[str] = field(default_factory=list)
    compared: int = 0
    agree: int = 0


def read_lm_eval(
    file: LogFile,
    *,
    filter: str | None = None,
    metric: str | None = None,
    pattern: str | None = None,
    match: int = 0,
    threshold: float | None = None,
) -> Log:
    """One filter's samples of a log of lm-evaluation-harness.

    One response a document: the grade is the metric's. Several (``repeats``): the harness grades only
    what its filter lets through, as a rule the first, so each response is graded again: with ``pattern``
    against ``target``; without it where the filter kept one answer a response, by comparing with ``target``.

    Args:
        filter: which filter; may be left out where the log has one, or with ``pattern`` (filters change what
            is graded, not the responses).
        metric: which metric; may be left out where there is one, or ``exact_match``.
        pattern, match: see :func:`ds3sim.fit.logs.grade.extractor`.
        threshold: from which grade on a sample is correct.

    Raises:
        InputError: a choice that has to be made; missing fields; a document twice under one filter; responses
            whose number does not fit; repeats that cannot be graded.
    """
    choice = _Choice(metric, None if pattern is None else extractor(pattern, match), threshold or 1.0)
    table = Rows(file.where, file.unit)
    filters: Counter[str] = Counter()
    first_seen: dict[str, int] = {}
    for number, row in file.rows():
        place, name = file.at(number), str(row.get("filter", "none"))
        filters[name] += 1
        if name != (next(iter(filters)) if filter is None else filter):
            continue  # all names are gathered, for the message
        doc = name_of(needed(row, "doc_id", place), place, "doc_id")
        if doc in first_seen:
            raise InputError(
                f"{place}: document {doc} is there twice under filter {name!r} (first in {file.unit}"
                f" {first_seen[doc]}): the file holds two runs; split it"
            )
        first_seen[doc] = number
        for sample, (value, answer) in enumerate(_graded(row, place, choice)):
            table.add(doc, sample, value, answer, None, number)
    _check_filter(filters, filter, choice, file.where)
    if choice.extract is not None:
        agree, of = choice.agree, choice.compared
        share = f"; on {agree} of {of} documents its grade of the first response is the harness'" if of else ""
        choice.notes.append(f"responses were graded again with the pattern{share}")
        if of and agree < 0.9 * of:
            choice.notes.append(
                "the pattern disagrees with the harness on more than a tenth of the documents: check it"
            )
    return table.log("lm-eval", choice.notes, threshold)


def _graded(row: dict[str, Any], place: str, choice: _Choice) -> list[tuple[float, str | None]]:
    """(grade, answer) of each response to a document."""
    responses = _responses(row, place)
    metric = choice.metric = choice.metric or _metric(row, choice.asked, place, choice.notes)
    if choice.extract is None and len(responses) == 1:
        return [(_value(needed(row, metric, place), place, metric), _filtered(row))]
    target = answer_of(needed(row, "target", place))
    if target is None:
        raise InputError(f"{place}: target is empty: there is nothing to grade against")
    if choice.extract is not None:
        grade = grader(choice.extract, target)
        grades = [grade(text) for text in responses]
        if isinstance(row.get(metric), int | float):
            choice.compared += 1
            choice.agree += float(row[metric] >= choice.threshold) == grades[0][0]
        return grades
    kept = _kept(row, len(responses))
    if kept is None:
        raise InputError(
            f"{place}: {len(responses)} responses, of which the harness graded one: give a regular expression"
            " that extracts the answer (--pattern); it is compared with target"
        )
    return [(float(normalized(text) == normalized(target)), normalized(text) or None) for text in kept]


def _check_filter(filters: Counter[str], chosen: str | None, choice: _Choice, where: str) -> None:
    names = ", ".join(sorted(filters))
    require(bool(filters), f"{where}: the file is empty: it needs at least one row")
    if chosen is not None:
        require(chosen in filters, f"{where}: there is no filter {chosen!r} (there are {names})")
    elif len(filters) > 1:
        require(
            choice.extract is not None,
            f"{where}: documents were scored under several filters ({names}): choose one (--filter)",
        )
        names = ", ".join(filters)
        choice.notes.append(f"the responses are the same under all filters ({names}): those of the first were read")


def _responses(row: dict[str, Any], place: str) -> list[str]:
    """Responses to the one request of a generation task; one entry for a task of log likelihoods."""
    resps = needed(row, "resps", place)
    ok = isinstance(resps, list) and resps and all(isinstance(r, list) and r for r in resps)
    if not ok:
        raise InputError(f"{place}: resps = {shown(resps)}: must be a list of lists, requests x repeats")
    if len(resps) > 1:
        # Several requests a document: the choices of a multiple-choice task, scored together.
        if any(len(r) > 1 and isinstance(r[0], str) for r in resps) and any(len(r) != len(resps[0]) for r in resps):
            raise InputError(f"{place}: resps is ragged: {[len(r) for r in resps][:8]} repeats")
        return [""]
    only = resps[0]
    if all(isinstance(r, str) for r in only):
        return list(only)
    return [""]  # a log likelihood: (value, is_greedy)


def _metric(row: dict[str, Any], metric: str | None, place: str, notes: list[str]) -> str:
    names = row.get("metrics")
    if names is None:  # files written before metrics were listed
        names = [m for m in PREFERRED if m in row]
    names = [str(m) for m in names]
    if metric is not None:
        require(metric in row, f"{place}: there is no metric {metric!r} (there are {', '.join(names)})")
        return metric
    if len(names) == 1:
        return names[0]
    for name in PREFERRED:
        if name in names:
            notes.append(f"of the metrics {', '.join(names)}, {name} is used (--metric chooses another)")
            return name
    raise InputError(f"{place}: metrics {', '.join(names) or '(none)'}: choose one (--metric)")


def _value(value: Any, place: str, metric: str) -> float:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict | list):
        raise InputError(f"{place}: {metric} = {shown(value)} is not a grade: choose another metric (--metric)")
    number = number_of(value, place, metric)
    return grade_of(number, place, metric)


def _filtered(row: dict[str, Any]) -> str | None:
    """The answer that the filter extracted, for a generation task."""
    kept = row.get("filtered_resps")
    while isinstance(kept, list) and len(kept) == 1:
        kept = kept[0]
    answer = answer_of(kept) if isinstance(kept, str) else None
    return None if answer == "[invalid]" else answer


def _kept(row: dict[str, Any], repeats: int) -> list[str] | None:
    """One extracted answer a response, where the filter kept them all."""
    kept = row.get("filtered_resps")
    if isinstance(kept, list) and len(kept) == 1 and isinstance(kept[0], list):
        kept = kept[0]
    if isinstance(kept, list) and len(kept) == repeats and all(isinstance(k, str) for k in kept):
        return ["" if k == "[invalid]" else k for k in kept]
    return None


READER = Reader("lm-eval", lambda file: "doc_id" in file.keys and bool({"resps", "filter"} & file.keys), read_lm_eval)
