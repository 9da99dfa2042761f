"""Collects the samples of one log or several, checking each, into a :class:`~ds3sim.fit.logs.log.Log`."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.file import LogFile
from ds3sim.fit.logs.log import MISSING, Log, Samples, count
from ds3sim.fit.logs.task_name import task_names
from ds3sim.fit.logs.values import blank, is_number, whole_of

MOST_ROWS = 50_000_000


@dataclass
class _Part:
    """One file: its task and what each problem is told by, where they are known."""

    file: LogFile
    task: str | None
    label: str
    contents: dict[str, str | None] = field(default_factory=dict)
    seen: dict[str, set[int]] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)


class Rows:
    """A builder: for each file ``open`` and ``add`` its samples, then ``log``.

    Problems of the same name in several files are one problem, their samples put together, unless the files are of
    different tasks: told by ``task``, by ``content`` (what a problem is, such as the hash of its document), or else by
    the names of the files.
    """

    def __init__(self, files: Sequence[LogFile], source: str | None = None) -> None:
        self.source = source or several(files)
        self.problem: list[str] = []
        self.sample = array("q")
        self.correct = array("d")
        self.answer: list[str | None] = []
        self.tokens = array("q")
        self.score = array("d")
        self.origin: list[str] = []
        self.place: list[int | str] = []
        self.part = array("l")
        self.unscored = 0
        self.models: set[str] = set()
        self.model: tuple[str, LogFile] | None = None
        self.notes: list[str] = []
        self._labels = dict(zip((f.path for f in files), task_names([f.path for f in files]), strict=True))
        self._parts: list[_Part] = []
        self._opened: dict[tuple[Path, str | None], int] = {}
        self._now = 0

    def __len__(self) -> int:
        return len(self.problem)

    def open(self, file: LogFile, task: str | None = None, model: str | None = None) -> None:
        """The rows that follow are of this file, and of this task of it; its task and model where it names them.

        Raises:
            InputError: another model than that of the files before.
        """
        if model is not None:
            known, first = self.model = self.model or (model, file)
            require(
                known == model,
                f"{first.where} is of the model {known}, {file.where} of {model}: give the logs of one model",
            )
        self._now = self._opened.setdefault((file.path, task), len(self._parts))
        if self._now == len(self._parts):
            self._parts.append(_Part(file, task, self._labels[file.path]))

    def note(self, *texts: str) -> None:
        """Notes, each kept once."""
        self.notes += [text for text in dict.fromkeys(texts) if text not in self.notes]

    def _at(self, part: _Part, place: int | str) -> str:
        return part.file.at(place) if isinstance(place, int) else f"{part.file.where}, {place}"

    def number_of(self, problem: str, label: object, place: str, column: str) -> int | None:
        """The number of a sample; None for a label that is none, which is noted, and remembered for one problem.

        Raises:
            InputError: the label was there before.
        """
        labels = self._parts[self._now].labels.setdefault(problem, {})
        if not labels:
            try:
                return whole_of(label, place, column)
            except InputError:
                if blank(label) or is_number(label):
                    raise
        name = str(label).strip()
        require(name not in labels, f"{place}: problem {shown(problem)} has sample {shown(name)} twice (first in"
                f" {labels.get(name)}): remove one, or number the samples of a problem")  # fmt: skip
        labels[name] = place
        self.note(f"{column} holds labels, not numbers: samples are numbered in the order of the file")
        return None

    def add(
        self,
        problem: str,
        sample: int | None,
        correct: float | None,
        answer: str | None,
        tokens: int | None,
        place: int | str,
        *,
        score: float | None = None,
        source: str | None = None,
        content: str | None = None,
    ) -> None:
        """One sample; ``place`` is a line number or a name inside the file.

        ``sample`` None is the next number of the problem, ``correct`` None an unscored sample, which is left out.
        """
        part = self._parts[self._now]
        if correct is None:
            self.unscored += 1
            return
        seen = part.seen.setdefault(problem, set())
        if sample is None:
            sample = len(seen)
            while sample in seen:
                sample += 1
        if sample in seen:
            rows = zip(self.problem, self.sample, self.part, strict=True)
            first = next(i for i, row in enumerate(rows) if row == (problem, sample, self._now))
            raise InputError(
                f"{self._at(part, place)}: problem {shown(problem)} has sample {sample} twice (first in"
                f" {self._at(part, self.place[first])}): remove one, or number the samples of a problem"
            )
        seen.add(sample)
        part.contents.setdefault(problem, content)
        if len(self.problem) >= MOST_ROWS:
            raise InputError(f"{self.source}: more than {MOST_ROWS:,} samples: give counts a problem instead")
        self.problem.append(problem)
        self.sample.append(sample)
        self.correct.append(correct)
        self.answer.append(answer)
        self.tokens.append(MISSING if tokens is None else tokens)
        self.score.append(math.nan if score is None else score)
        self.origin.append(source or part.file.where)
        self.place.append(place)
        self.part.append(self._now)

    def log(self, format: str, threshold: float | None = None) -> Log:
        """The log of what was added; ``threshold`` as for :func:`~ds3sim.fit.logs.log.count`."""
        none = f" ({self.unscored} have no grade)" if self.unscored else ""
        require(len(self) > 0, f"{self.source}: no graded sample in it{none}: there is nothing to estimate")
        names, sample = self._joined()
        if self.unscored:
            self.note(f"{self.unscored} samples have no grade: they are unscored and left out")
        tokens = np.frombuffer(self.tokens, dtype=np.int64).copy()
        score = np.frombuffer(self.score, dtype=np.float64).copy()
        table = Samples(
            problem=tuple(names),
            sample=sample,
            correct=np.frombuffer(self.correct, dtype=np.float64).copy(),
            answer=tuple(self.answer) if any(a is not None for a in self.answer) else None,
            tokens=tokens if (tokens != MISSING).any() else None,
            score=score if not np.isnan(score).all() else None,
            source=tuple(self.origin),
        )
        counts, more = count(table, threshold)
        return Log(format, self.source, notes=(*self.notes, *more), **counts)

    def _joined(self) -> tuple[list[str], np.ndarray]:
        """Names of the problems and numbers of the samples, over all files."""
        sample = np.frombuffer(self.sample, dtype=np.int64).copy()
        if len(self._parts) == 1:
            return self.problem, sample
        owners: dict[str, dict[tuple[str | None, str | None], str]] = {}
        for part in self._parts:
            for problem, content in part.contents.items():
                label = part.task if part.task is not None else part.label
                owners.setdefault(problem, {}).setdefault(_identity(part, content), label)
        clash = any(len(found) > 1 for found in owners.values())
        names = []
        for problem, at in zip(self.problem, self.part, strict=True):
            part = self._parts[at]
            label = owners[problem][_identity(part, part.contents[problem])]
            names.append(f"{label}/{problem}" if clash else problem)
        apart = len({(n, at) for n, at in zip(names, self.part, strict=True)}) == len(set(names))
        tasks = [label for found in owners.values() for label in found.values()] if clash else ()
        files = len({part.file.path for part in self._parts})
        self.note(how_joined(files, tasks, apart, "samples are put together"))
        if apart:
            return names, sample
        seen: Counter[str] = Counter()
        for i, name in enumerate(names):
            sample[i] = seen[name]
            seen[name] += 1
        return names, sample


def _identity(part: _Part, content: str | None) -> tuple[str | None, str | None]:
    """What tells a problem from one of the same name in another file."""
    return (part.task if part.task is not None or content is not None else part.label), content


def how_joined(files: int, tasks: Iterable[str], apart: bool, done: str) -> str:
    """The note on how the problems of several files became one log.

    Args:
        files: how many there are.
        tasks: of the files, where problems are told apart by them.
        apart: no problem is in two files.
        done: what happened to problems that are.
    """
    names = short(", ".join(dict.fromkeys(tasks)), 200)
    read = f"{files} files were read" if files > 1 else "the file was read"
    read += f" as different tasks ({names}): a problem is named task/problem" if names else ""
    return read if apart else f"{read}; problems that are in several of them are the same: their {done}"


def several(files: Iterable[LogFile]) -> str:
    """The name of one file or of several, for messages."""
    first, *more = [file.where for file in files]
    return f"{first} and {len(more)} more" if more else first
