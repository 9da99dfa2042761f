"""Large Language Monkeys: one YAML file a problem, a folder of them, or the data set's rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import read_text
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.answer import Answer
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.grade import Comparison, extractor
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows
from ds3sim.fit.logs.task_name import stem_of
from ds3sim.fit.logs.values import answer_of, blank, name_of

GRADES = ("is_correct", "is_corrects")
MOST_VALUES = 10**7
"""Values of a YAML file, every alias written out."""
NAMES = frozenset(("samples", "question", "orig_dset_idx", "gt_answer"))
"""What stands beside a list of grades."""


def read_monkeys(
    files: Sequence[LogFile],
    *,
    pattern: str | None = None,
    match: int = 0,
    compare: str | None = None,
    threshold: float | None = None,
) -> Log:
    """``samples[]`` and ``is_correct[]`` (published: ``is_corrects[]``) of each problem.

    The files have no answers: with ``pattern`` they are extracted from the samples, for votes. Files that were
    not graded need ``pattern``, which then grades against ``gt_answer``.

    Raises:
        InputError: not YAML; lists that are missing or of different lengths; a grade that is not true or
            false; a problem that is there twice.
    """
    comparison = Comparison(None if pattern is None else extractor(pattern, match), compare)
    table, tally = Rows(files), _Tally()
    for file in files:
        table.open(file, task="" if file.container == "yaml" else None)
        names: set[str] = set()
        for name, at, row in _problems(file):
            if name in names:
                raise InputError(f"{at}: problem {shown(name)} is there twice: the files of two runs are mixed")
            names.add(name)
            target = answer_of(row.get("gt_answer"))
            rows = _graded(row, target, comparison, at, tally)
            require(len(rows) > 0, f"{at}: no samples")
            for i, (value, answer) in enumerate(rows):
                table.add(name, i, value, answer, None, at.removeprefix(f"{file.where}, "), content=target)
    if tally.again:
        table.note(f"{tally.again} problems were graded with the pattern against gt_answer")
    if tally.same < tally.compared:
        table.note(f"the pattern's answers agree with the grades on {tally.same} of {tally.compared} samples")
    if tally.again or not tally.compared:
        table.note(*comparison.notes(table.source))
    return table.log("monkeys", threshold)


@dataclass
class _Tally:
    """Problems that were graded again; samples whose grade was compared with the pattern's, and those that agree."""

    again: int = 0
    compared: int = 0
    same: int = 0


def _graded(
    row: dict[str, Any], target: str | None, comparison: Comparison, at: str, tally: _Tally
) -> list[tuple[float | None, str | None]]:
    """Grade and answer of each sample of a problem."""
    samples, grades, extract = _samples(row, at), _grades(row, at), comparison.extract
    if grades is None:
        if extract is None or samples is None or target is None:
            raise InputError(
                f"{at}: the samples are not graded (no is_correct): run the evaluation script, or give a regular"
                " expression that extracts the answer (--pattern); it is compared with gt_answer"
            )
        tally.again += 1
        return [(grade, answer) for grade, answer in (comparison.of_completion(text, [target]) for text in samples)]
    if samples is not None and len(samples) != len(grades):
        raise InputError(f"{at}: {len(samples)} samples and {len(grades)} grades: the lists must be of one length")
    if extract is None or samples is None:
        return [(grade, None) for grade in grades]
    if target is None:
        found = [extract(text) for text in samples]
        return [(g, None if a is None else str(Answer.of(a))) for g, a in zip(grades, found, strict=True)]
    ours = [comparison.of_completion(text, [target]) for text in samples]
    both = [(said, grade) for said, (grade, answer) in zip(grades, ours, strict=True) if answer and said is not None]
    hits = [said == grade for said, grade in both]
    tally.compared, tally.same = tally.compared + len(hits), tally.same + sum(hits)
    return [(said, answer) for said, (_, answer) in zip(grades, ours, strict=True)]


def _problems(file: LogFile) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(problem, place, content)."""
    if file.container == "yaml":
        yield stem_of(file.path), file.where, _yaml(file.path, file.where)
        return
    for number, row in file.rows():
        at = file.at(number)
        keys = ("orig_dset_idx", "name", "theorem_name", "question")
        name = name_of(next((row[k] for k in keys if row.get(k) is not None), number), at)
        split = row.get("orig_dset_split")
        yield f"{split}/{name}" if isinstance(split, str) else name, at, row


def _yaml(file: Path, where: str) -> dict[str, Any]:
    try:
        import yaml
    except ImportError:
        raise InputError(f"{where}: reading YAML needs PyYAML: pip install pyyaml") from None
    text = read_text(file, where)
    require(text.strip() != "", f"{where}: the file is empty")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    try:
        content = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or error
        raise InputError(f"{where}{line}: not valid YAML ({short(reason, 120)})") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{where}: not usable YAML ({short(error, 120)})") from None
    require(isinstance(content, dict), f"{where}: must be a mapping with samples and is_correct")
    require(
        _size(content, {}) <= MOST_VALUES,
        f"{where}: its aliases stand for more than {MOST_VALUES:,} values, or for themselves: write the values out",
    )
    return content


def _size(value: Any, known: dict[int, float]) -> float:
    """How many values there are with every alias written out; infinite where one holds itself."""
    if not isinstance(value, dict | list):
        return 1.0
    if id(value) not in known:
        known[id(value)] = math.inf  # while it is looked through
        known[id(value)] = 1.0 + sum(
            _size(part, known) for part in (value.values() if isinstance(value, dict) else value)
        )
    return known[id(value)]


def _samples(row: dict[str, Any], at: str) -> list[str] | None:
    samples = row.get("samples")
    ok = samples is None or (isinstance(samples, list) and all(isinstance(s, str) for s in samples))
    require(ok, f"{at}: samples = {shown(samples)} is not a list of texts")
    return samples


def _grades(row: dict[str, Any], at: str) -> list[float | None] | None:
    both = [key for key in GRADES if row.get(key) is not None]
    if not both:
        return None
    require(len(both) == 1, f"{at}: both is_correct and is_corrects are there: which one counts?")
    grades = row[both[0]]
    require(isinstance(grades, list), f"{at}: {both[0]} = {shown(grades)} is not a list")
    for i, grade in enumerate(grades):
        if not isinstance(grade, bool) and not blank(grade) and grade not in (0, 1):
            raise InputError(f"{at}: {both[0]}[{i}] = {shown(grade)} is neither true nor false")
    return [None if blank(g) else float(g) for g in grades]


def _recognizes(file: LogFile) -> bool:
    if file.container == "yaml":
        return True
    grades = [file.first[key] for key in GRADES if file.first.get(key) is not None]
    if grades:
        return isinstance(grades[0], list) and not NAMES.isdisjoint(file.columns)
    samples = file.first.get("samples")
    return isinstance(samples, list) and bool(samples) and all(isinstance(s, str) for s in samples)


READER = Reader("monkeys", "Large Language Monkeys' YAML or rows", ((*GRADES, "samples"),), _recognizes, read_monkeys)
