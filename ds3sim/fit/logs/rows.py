"""Collects the samples of a log, checking each value, into a :class:`~ds3sim.fit.logs.log.Log`."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.text import shown
from ds3sim.fit.logs.log import MISSING, Log, Samples, count

MOST_ROWS = 50_000_000


class Rows:
    """A builder: ``add`` rows, then ``log``."""

    def __init__(self, where: str, unit: str = "line") -> None:
        self.where, self.unit = where, unit
        self.problem: list[str] = []
        self.sample = array("q")
        self.correct = array("d")
        self.answer: list[str | None] = []
        self.tokens = array("q")
        self.score = array("d")
        self.source: list[str] = []
        self.place: list[int | str] = []
        self._seen: dict[str, set[int]] = {}

    def __len__(self) -> int:
        return len(self.problem)

    def at(self, place: int | str) -> str:
        """How an error names a place of a file: a line number, or the name of a part."""
        return f"{self.where}, {self.unit} {place}" if isinstance(place, int) else f"{self.where}, {place}"

    def next_sample(self, problem: str) -> int:
        """The number of a sample that has none: how many rows the problem has so far."""
        return len(self._seen.get(problem, ()))

    def add(
        self,
        problem: str,
        sample: int,
        correct: float,
        answer: str | None,
        tokens: int | None,
        place: int | str,
        *,
        score: float | None = None,
        source: str | None = None,
    ) -> None:
        """One sample; ``place`` is a line number or a name inside the file."""
        seen = self._seen.setdefault(problem, set())
        if sample in seen:
            pairs = zip(self.problem, self.sample, strict=True)
            first = next(i for i, pair in enumerate(pairs) if pair == (problem, sample))
            raise InputError(
                f"{self.at(place)}: problem {shown(problem)} has sample {sample} twice (first in"
                f" {self.at(self.place[first])}): remove one, or number the samples of a problem"
            )
        seen.add(sample)
        if len(self.problem) >= MOST_ROWS:
            raise InputError(f"{self.where}: more than {MOST_ROWS:,} samples: give counts a problem instead")
        self.problem.append(problem)
        self.sample.append(sample)
        self.correct.append(correct)
        self.answer.append(answer)
        self.tokens.append(MISSING if tokens is None else tokens)
        self.score.append(math.nan if score is None else score)
        self.source.append(source or self.where)
        self.place.append(place)

    def log(self, format: str, notes: Iterable[str] = (), threshold: float | None = None) -> Log:
        """The log of what was added; ``threshold`` as for :func:`~ds3sim.fit.logs.log.count`."""
        require(len(self) > 0, f"{self.where}: no graded sample in it: there is nothing to estimate")
        tokens = np.frombuffer(self.tokens, dtype=np.int64).copy()
        score = np.frombuffer(self.score, dtype=np.float64).copy()
        table = Samples(
            problem=tuple(self.problem),
            sample=np.frombuffer(self.sample, dtype=np.int64).copy(),
            correct=np.frombuffer(self.correct, dtype=np.float64).copy(),
            answer=tuple(self.answer) if any(a is not None for a in self.answer) else None,
            tokens=tokens if (tokens != MISSING).any() else None,
            score=score if not np.isnan(score).all() else None,
            source=tuple(self.source),
        )
        counts, more = count(table, threshold)
        return Log(format, self.where, notes=(*notes, *more), **counts)


# ---- one value --------------------------------------------------------------------------------


def name_of(value: object, place: str, what: str = "problem") -> str:
    """The name of a problem: a non-empty string or a whole number."""
    if isinstance(value, str):
        name = value.strip()
    elif isinstance(value, int | np.integer) and not isinstance(value, bool):
        name = str(value)
    elif isinstance(value, float) and value.is_integer():
        name = str(int(value))  # pandas turns whole numbers into floats where one is missing
    else:
        name = ""
    if not name:
        raise InputError(
            f"{place}: {what} = {shown(value)} is not a name: it must be a non-empty text or a whole number"
        )
    return name


_WORDS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


def number_of(value: object, place: str, what: str) -> float:
    """``value`` as a float; strings of numbers and true/false too. NaN passes."""
    if isinstance(value, bool | np.bool_):
        return float(value)
    if isinstance(value, int | float | np.number) and not isinstance(value, complex):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _WORDS:
            return _WORDS[text]
        try:
            if "_" not in text:
                return float(text)
        except ValueError:
            pass
    raise InputError(f"{place}: {what} = {shown(value)} is not a number")


def grade_of(value: object, place: str, what: str = "correct") -> float:
    """A grade in [0, 1]."""
    grade = number_of(value, place, what)
    if not 0.0 <= grade <= 1.0:
        raise InputError(f"{place}: {what} = {shown(value)} is not a grade: it must be 0, 1 or a number between")
    return grade


def whole_of(value: object, place: str, what: str, low: int = 0, high: int = 2**53) -> int:
    """A whole number in [low, high]."""
    number = number_of(value, place, what)
    if not (low <= number <= high and number == math.floor(number)):
        raise InputError(
            f"{place}: {what} = {shown(value)} is not allowed: it must be a whole number, {low} to {high:.3g}"
        )
    return int(value) if isinstance(value, int) else int(number)


def blank(value: object) -> bool:
    """True for what stands for "missing" in a table: None, NaN, an empty string."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def tokens_of(value: object, place: str, what: str = "tokens") -> int | None:
    return None if blank(value) else whole_of(value, place, what)


def answer_of(value: object) -> str | None:
    """An answer as text: outer blanks go; numbers and other values are written as JSON would."""
    if blank(value):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
