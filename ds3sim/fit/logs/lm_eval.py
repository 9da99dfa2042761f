"""lm-evaluation-harness: ``samples_<task>_<date>.jsonl``, one line for each document and filter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed
from ds3sim.core.text import shown
from ds3sim.fit.logs.answer import Answer
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.grade import Comparison, extractor
from ds3sim.fit.logs.harness import Counted, counted, is_average, k_of_metric
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows
from ds3sim.fit.logs.task_name import stem_of
from ds3sim.fit.logs.values import answer_of, blank, grade_of, name_of

PREFERRED = ("exact_match", "acc", "pass@1")
"""Metrics that are taken by themselves where there are several."""

_NAME = re.compile(r"samples_(.+?)(?:_\d{4}-\d\d-\d\dT.*)?")

Graded = tuple[float | None, str | None]
"""Grade and answer of a response."""


@dataclass(frozen=True)
class _Doc:
    """A document under the chosen filter."""

    file: LogFile
    number: int
    name: str
    row: dict[str, Any]
    size: int
    """How many responses there are."""
    responses: list[str]
    """Their texts, where they have to be graded again."""
    metric: str
    value: Any
    kept: list[str] | None
    """The responses that the filter let through, where they are texts."""

    @property
    def place(self) -> str:
        return self.file.at(self.number)

    @property
    def content(self) -> str | None:
        """What the document is, to tell it from that of the same number in another file."""
        told = self.row.get("doc_hash") or self.row.get("target")
        return None if blank(told) else str(told)

    @property
    def targets(self) -> list[str]:
        """The right answer, or those that are right."""
        given = needed(self.row, "target", self.place)
        found = [answer_of(one) for one in (given if isinstance(given, list) else [given])]
        named = [one for one in found if one is not None]
        require(bool(named), f"{self.place}: target is empty: there is nothing to grade against")
        return named


@dataclass
class _Choice:
    """What was asked for, and what was seen on the way."""

    filter: str | None
    metric: str | None
    comparison: Comparison
    threshold: float
    notes: list[str] = field(default_factory=list)
    compared: int = 0
    agree: int = 0
    counted: int = 0

    def agreement(self) -> str:
        """On how many documents our grades are the harness'."""
        return f"on {self.agree} of {self.compared} documents"


def read_lm_eval(
    files: Sequence[LogFile],
    *,
    filter: str | None = None,
    metric: str | None = None,
    pattern: str | None = None,
    match: int = 0,
    compare: str | None = None,
    threshold: float | None = None,
) -> Log:
    """One filter's samples of logs of lm-evaluation-harness.

    One response a document: the grade is the metric's. Several (``repeats``): the harness' own values where they
    determine the counts, which are a list with a grade for each response, pass@k of all of them, or their mean. Else
    each response is graded again: with ``pattern`` against ``target``; without it by comparing what the filter kept
    with ``target``, where that agrees with the harness on every document.

    Args:
        files: logs of one model; of one task (by their names) they are runs of the same documents.
        filter: which filter; may be left out where the log has one, or with ``pattern`` (filters change what
            is graded, not the responses).
        metric: which metric; may be left out where there is one, or one of :data:`PREFERRED`.
        pattern, match: see :func:`ds3sim.fit.logs.grade.extractor`.
        compare: see :class:`ds3sim.fit.logs.grade.Comparison`.
        threshold: from which grade on a sample is correct.

    Raises:
        InputError: a choice that has to be made; missing fields; a document twice under one filter; responses
            whose number does not fit; repeats that cannot be graded, and on how many documents our grades are the
            harness'.
    """
    extract = None if pattern is None else extractor(pattern, match)
    choice = _Choice(filter, metric, Comparison(extract, compare), 1.0 if threshold is None else threshold)
    table = Rows(files)
    grades = _harness_grades if extract is None else _graded_again
    for file in files:
        table.open(file, _task(file.path))
        for doc, graded in grades(_documents(file, choice), choice):
            for value, answer in graded:
                table.add(doc.name, None, value, answer, None, doc.number, content=doc.content)
    _conclude(choice, table)
    table.note(*choice.comparison.notes(table.source))
    return table.log("lm-eval", threshold)


def _task(path: Path) -> str | None:
    """The task in the name of a file that the harness wrote."""
    found = _NAME.fullmatch(stem_of(path))
    return found.group(1) if found else None


def _conclude(choice: _Choice, table: Rows) -> None:
    table.note(*choice.notes)
    if choice.counted:
        table.note(
            f"of {choice.counted} documents the harness' values determine how many responses are correct, not which:"
            " their samples have no answers"
        )
    if choice.comparison.extract is not None:
        share = f"; {choice.agreement()} its grades are the harness'" if choice.compared else ""
        table.note(f"responses were graded again with the pattern{share}")
        if choice.agree < 0.9 * choice.compared:
            table.note("the pattern disagrees with the harness on more than a tenth of the documents: check it")
    elif choice.compared:
        table.note(f"responses were graded by comparing them with target: {choice.agreement()} as the harness did")


# ---- documents -----------------------------------------------------------------------------------


def _documents(file: LogFile, choice: _Choice) -> Iterator[_Doc]:
    """The documents of a file under one filter."""
    filters: Counter[str] = Counter()
    seen: dict[str, int] = {}
    metric = ""
    for number, row in file.rows():
        place, name = file.at(number), str(row.get("filter", "none"))
        filters[name] += 1
        if name != (next(iter(filters)) if choice.filter is None else choice.filter):
            continue  # all names are gathered, for the message
        doc = name_of(needed(row, "doc_id", place), place, "doc_id")
        if doc in seen:
            raise InputError(
                f"{place}: document {doc} is there twice under filter {name!r} (first in {file.unit}"
                f" {seen[doc]}): the file holds two runs; split it"
            )
        seen[doc] = number
        responses = _responses(row, place)
        metric = metric or _metric(row, choice, place)
        value = row.get(metric) if choice.comparison.extract is not None else needed(row, metric, place)
        if metric == "bypass" and choice.comparison.extract is None:
            raise InputError(
                f"{place}: the run only predicted (metric bypass): nothing is graded: give a regular expression that"
                " extracts the answer (--pattern); it is compared with target"
            )
        slim = {key: row[key] for key in ("doc_hash", "target") if key in row}
        texts = responses if choice.comparison.extract is not None else []
        yield _Doc(file, number, doc, slim, len(responses), texts, metric, value, _kept(row))
    _check_filter(filters, choice, file.where)


def _check_filter(filters: Counter[str], choice: _Choice, where: str) -> None:
    names = ", ".join(sorted(filters))
    require(bool(filters), f"{where}: the file is empty: it needs at least one row")
    if choice.filter is not None:
        require(choice.filter in filters, f"{where}: there is no filter {choice.filter!r} (there are {names})")
    elif len(filters) > 1:
        require(
            choice.comparison.extract is not None,
            f"{where}: documents were scored under several filters ({names}): choose one (--filter)",
        )
        choice.notes.append(
            f"the responses are the same under all filters ({', '.join(filters)}): those of the first were read"
        )


def _responses(row: dict[str, Any], place: str) -> list[str]:
    """Responses to the one request of a generation task; one entry for a task of log likelihoods."""
    resps = needed(row, "resps", place)
    ok = isinstance(resps, list) and resps and all(isinstance(r, list) and r for r in resps)
    if not ok:
        raise InputError(f"{place}: resps = {shown(resps)}: must be a list of lists, requests x repeats")
    if len(resps) > 1 and all(len(r) == 1 and isinstance(r[0], str) for r in resps):
        return [r[0] for r in resps]  # a request for each response
    if len(resps) > 1:
        # Several requests a document: the choices of a multiple-choice task, scored together.
        if any(len(r) > 1 and isinstance(r[0], str) for r in resps) and any(len(r) != len(resps[0]) for r in resps):
            raise InputError(f"{place}: resps is ragged: {[len(r) for r in resps][:8]} repeats")
        return [""]
    only = resps[0]
    if all(isinstance(r, str) for r in only):
        return list(only)
    return [""]  # a log likelihood: (value, is_greedy)


def _kept(row: dict[str, Any]) -> list[str] | None:
    """What the filter let through, as texts."""
    kept = row.get("filtered_resps")
    if isinstance(kept, list) and len(kept) == 1 and isinstance(kept[0], list):
        kept = kept[0]
    elif isinstance(kept, list) and all(isinstance(k, list) and len(k) == 1 for k in kept):
        kept = [k[0] for k in kept]
    if isinstance(kept, list) and kept and all(isinstance(k, str) for k in kept):
        return ["" if k == "[invalid]" else k for k in kept]
    return None


def _metric(row: dict[str, Any], choice: _Choice, place: str) -> str:
    listed = row.get("metrics")
    names = [m for m in PREFERRED if m in row] if listed is None else [str(m) for m in listed]
    if choice.metric is not None:
        require(choice.metric in row, f"{place}: there is no metric {choice.metric!r} (there are {', '.join(names)})")
        return choice.metric
    if len(names) == 1:
        return names[0]
    for name in PREFERRED:
        if name in names:
            choice.notes.append(f"of the metrics {', '.join(names)}, {name} is used (--metric chooses another)")
            return name
    raise InputError(f"{place}: metrics {', '.join(names) or '(none)'}: choose one (--metric)")


# ---- the harness' grades ---------------------------------------------------------------------------


def _harness_grades(given: Iterable[_Doc], choice: _Choice) -> Iterator[tuple[_Doc, list[Graded]]]:
    """Grades and answers of each document's responses, as far as the harness' values determine them."""
    docs = list(given)
    graded = [_from_value(doc, choice) for doc in docs]
    open_ones = [doc for doc, known in zip(docs, graded, strict=True) if known is None]
    rest: list[list[Graded]] = []
    if any(is_average(doc.metric, doc.value) for doc in open_ones):
        means = (counted(d.metric, len(d.kept or ()), d.value, d.place, mean=True) for d in open_ones)
        rest = [_counted(found, choice) for found in means]
        choice.notes.append(f"{open_ones[0].metric} was read as the mean over the responses that the filter kept")
    elif open_ones:
        rest = _compared(open_ones, choice)
    again = iter(rest)
    for doc, known in zip(docs, graded, strict=True):
        yield doc, next(again) if known is None else known


def _from_value(doc: _Doc, choice: _Choice) -> list[Graded] | None:
    """The grades that one document's value tells; None where the filter kept several responses and it is one grade."""
    value, kept = doc.value, len(doc.kept or ())
    size = kept if isinstance(doc.value, list) and len(doc.value) == kept else doc.size
    if isinstance(value, list) and len(value) == size and (size > 1 or not isinstance(value[0], list)):
        texts = doc.kept if doc.kept is not None and len(doc.kept) == size else [None] * size
        pairs = enumerate(zip(value, texts, strict=True))
        return [(grade_of(v, doc.place, f"{doc.metric}[{i}]"), str(Answer.of(t)) if t else None) for i, (v, t) in pairs]
    if isinstance(value, dict | list):
        raise InputError(f"{doc.place}: {doc.metric} = {shown(value)} is not a grade: choose another metric (--metric)")
    if size == 1 and (value in (0, 1) or blank(value) or k_of_metric(doc.metric) is None):
        answer = doc.kept[0] if doc.kept is not None and len(doc.kept) == 1 else None
        return [(grade_of(value, doc.place, doc.metric), answer or None)]
    if blank(value):
        return [(None, None) for _ in range(size)]
    found = counted(doc.metric, kept or size, value, doc.place) if kept != 1 or size == 1 else None
    if found is not None:
        return _counted(found, choice)
    if kept != size:
        some = "one" if kept < 2 else f"{kept} as one"
        raise InputError(
            f"{doc.place}: {size} responses, of which the harness graded {some}: give a regular expression that"
            " extracts the answer (--pattern); it is compared with target"
        )
    return None


def _counted(found: Counted | None, choice: _Choice) -> list[Graded]:
    assert found is not None
    choice.counted += 1
    return [(float(i < found.correct), None) for i in range(found.samples)]


def _compared(docs: list[_Doc], choice: _Choice) -> list[list[Graded]]:
    """Kept responses compared with the target, where that is what the harness did."""
    found: list[list[Graded]] = []
    known = 0
    for doc in docs:
        found.append([choice.comparison.of_answer(text, doc.targets) for text in doc.kept or ()])
        said = grade_of(doc.value, doc.place, doc.metric)
        choice.compared += 1
        choice.agree += said == found[-1][0][0]
        known += said == found[-1][0][0] == 1.0
    if choice.agree < choice.compared or not known:
        doc = docs[0]
        raise InputError(
            f"{doc.place}: the filter kept {len(doc.kept or ())} responses, and {doc.metric} is one grade for them,"
            f" which does not tell how many are correct; comparing them with target agrees with it {choice.agreement()}"
            f"{'' if known else ', none of them correct'}: give a regular expression that extracts the answer"
            " (--pattern)"
        )
    return found


# ---- our grades ------------------------------------------------------------------------------------


def _graded_again(docs: Iterable[_Doc], choice: _Choice) -> Iterator[tuple[_Doc, list[Graded]]]:
    """Each response graded by what the pattern extracts; counts where the harness' values agree."""
    for doc in docs:
        found: list[Graded] = [choice.comparison.of_completion(text, doc.targets) for text in doc.responses]
        # A filter that lets the responses vote (maj@k) grades none of them.
        voted = "maj" in (choice.filter or "").lower()
        said = None if voted else _agrees(doc, [float(grade or 0.0) for grade, _ in found], choice.threshold)
        if said is not None:
            choice.compared += 1
            choice.agree += said
        yield doc, found


def _agrees(doc: _Doc, grades: list[float], threshold: float) -> bool | None:
    """Whether our grades of a document are the harness'; None where it has none."""
    value, size = doc.value, len(grades)
    if isinstance(value, list) and len(value) == size:
        return [grade_of(v, doc.place, doc.metric) for v in value] == grades
    if isinstance(value, dict | list) or blank(value):
        return None
    kept = len(doc.kept or ())
    if kept != 1 and size > 1:
        found = counted(doc.metric, kept or size, value, doc.place)
        if found is not None:
            return found.correct == sum(grades[: found.samples])
        if is_average(doc.metric, value):
            return abs(float(value) - sum(grades) / size) < 1e-6
    grade = grade_of(value, doc.place, doc.metric)
    return grade is not None and float(grade >= threshold) == grades[0]


def _recognizes(file: LogFile) -> bool:
    return not file.head or isinstance(file.first.get("resps"), list)


READER = Reader(
    "lm-eval",
    "lm-evaluation-harness' samples_*.jsonl",
    (("doc_id",), ("resps",), ("filter", "filtered_resps", "metrics", "target")),
    _recognizes,
    read_lm_eval,
)
