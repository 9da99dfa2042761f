"""What is read from evaluation logs: one tidy table of samples, counts a problem, or points of a curve."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from ds3sim.core.errors import InputError, require

MISSING = -1
"""Stands for an unknown number of tokens in ``Samples.tokens``."""

MOST_SAMPLES = 10**9
"""Largest number of samples of a problem."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The tidy table: one row a sample, in the order of the file.

    Attributes:
        problem: names, object array of str [rows].
        sample: int64 [rows]; with ``problem`` unique.
        correct: float64 [rows] in [0, 1]; a grade between 0 and 1 is partial credit.
        answer: object array of str or None [rows], None when the log has no answers at all.
        tokens: int64 [rows], generated tokens, ``MISSING`` where unknown; None when no row has them.
        score: float64 [rows], a verifier's score (larger is better), NaN where unknown; None without.
        source: object array of str [rows], the file that a row comes from.
    """

    problem: np.ndarray
    sample: np.ndarray
    correct: np.ndarray
    answer: np.ndarray | None
    tokens: np.ndarray | None
    score: np.ndarray | None
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.problem)

    def groups(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Problems in order of appearance, and the index of each row's problem, int64 [rows]."""
        index: dict[str, int] = {}
        code = np.fromiter((index.setdefault(p, len(index)) for p in self.problem), np.int64, len(self))
        return tuple(index), code


@dataclass(frozen=True, eq=False)
class Counts:
    """Samples and correct samples of each problem.

    Attributes:
        problem: names [P].
        n: int64 [P], samples, >= 1.
        correct: int64 [P], 0 <= correct <= n.
        answer_counts: dict answer -> samples for each problem, as read; None without answers.
        wrong: int64 arrays, how often each wrong answer was given, largest first, for each problem;
            None without answers. ``n - correct - wrong.sum()`` samples were wrong and gave no answer.
        tokens_mean: float64 [P], mean generated tokens a sample, NaN where unknown; None without.
    """

    problem: tuple[str, ...]
    n: np.ndarray
    correct: np.ndarray
    answer_counts: tuple[dict[str, int], ...] | None = None
    wrong: tuple[np.ndarray, ...] | None = None
    tokens_mean: np.ndarray | None = None

    def __post_init__(self):
        n, c = np.asarray(self.n), np.asarray(self.correct)
        require(len(self.problem) > 0, "counts without any problem: there is nothing to estimate")
        shape = (len(self.problem),)
        ok = n.shape == shape and c.shape == shape and n.dtype.kind in "iu" and c.dtype.kind in "iu"
        require(ok, "counts: n and correct must be whole numbers, one for each problem")
        bad = np.flatnonzero((n < 1) | (c < 0) | (c > n) | (n > MOST_SAMPLES))
        if bad.size:
            i = bad[0]
            raise InputError(
                f"counts of problem {self.problem[i]!r}: {c[i]} correct of n = {n[i]}: needs"
                f" 0 <= correct <= n and 1 <= n <= {MOST_SAMPLES:g}"
            )
        if self.wrong is not None:
            require(len(self.wrong) == shape[0], "counts: wrong must have one array for each problem")
            total = np.array([int(np.sum(w)) for w in self.wrong])
            bad = np.flatnonzero(total > n - c)
            if bad.size:
                i = bad[0]
                raise InputError(
                    f"counts of problem {self.problem[i]!r}: {total[i]} wrong answers of {n[i] - c[i]} wrong samples"
                )
        object.__setattr__(self, "n", n.astype(np.int64))
        object.__setattr__(self, "correct", c.astype(np.int64))

    def __len__(self) -> int:
        return len(self.problem)

    @property
    def blank(self) -> np.ndarray:
        """Wrong samples that gave no answer, int64 [P]."""
        require(self.wrong is not None, "the log has no answers: how many are blank is not known")
        return self.n - self.correct - np.array([int(np.sum(w)) for w in self.wrong or ()], dtype=np.int64)

    def select(self, which) -> Counts:
        """The problems at the indices or in the mask ``which``."""
        at = np.arange(len(self))[which]
        pick = lambda values: None if values is None else tuple(values[i] for i in at)  # noqa: E731
        return Counts(
            problem=tuple(self.problem[i] for i in at),
            n=self.n[at],
            correct=self.correct[at],
            answer_counts=pick(self.answer_counts),
            wrong=pick(self.wrong),
            tokens_mean=None if self.tokens_mean is None else self.tokens_mean[at],
        )


@dataclass(frozen=True, eq=False)
class Points:
    """Points of a success curve whose counts are not known: float64 [points], ascending in ``n``.

    ``n`` need not be whole (digitized figures).
    """

    n: np.ndarray
    success: np.ndarray
    source: str
    columns: tuple[str, str] = ("N", "success")

    def __len__(self) -> int:
        return len(self.n)


@dataclass(frozen=True, eq=False)
class Log:
    """What :func:`ds3sim.fit.logs.load.load_log` found.

    Attributes:
        format: name of the format.
        source: the file or folder.
        samples: the tidy table, None for counts and curves.
        counts: counts a problem, None for curves.
        points: points of a curve, None otherwise.
        notes: repairs and choices that were made, a sentence each; the command line prints them.
    """

    format: str
    source: str
    samples: Samples | None = None
    counts: Counts | None = None
    points: Points | None = None
    notes: tuple[str, ...] = field(default=())

    def need_counts(self) -> Counts:
        """The counts; InputError for a curve."""
        if self.counts is None:
            raise InputError(f"{self.source}: a curve has no counts of samples: give the log of the samples or counts")
        return self.counts

    def with_notes(self, *notes: str) -> Log:
        return replace(self, notes=(*self.notes, *notes))


def to_counts(samples: Samples, threshold: float | None = None) -> tuple[Counts, list[str]]:
    """Counts a problem from the tidy table, and notes on what was decided.

    A sample counts as correct when ``correct >= threshold`` (1 if None). In votes all correct samples
    of a problem are one answer, however it was spelled; a wrong sample without an answer casts no vote.

    Args:
        samples: the table.
        threshold: in (0, 1], or None.

    Raises:
        InputError: no rows; a threshold outside (0, 1]; grades that are all partial with no threshold.
    """
    require(len(samples) > 0, "no samples: there is nothing to count")
    notes: list[str] = []
    limit = 1.0 if threshold is None else float(threshold)
    require(0.0 < limit <= 1.0, f"threshold = {threshold!r} is not allowed: it must lie in (0, 1]")
    right = samples.correct >= limit
    partial = int(np.count_nonzero((samples.correct > 0) & (samples.correct < 1)))
    if partial and threshold is None:
        graded = int(np.count_nonzero(samples.correct > 0))
        require(
            partial < graded,
            f"{samples.source[0]}: every grade above 0 lies below 1 ({partial} samples): say from which grade on a"
            " sample counts as correct with threshold (--threshold)",
        )
        notes.append(f"{partial} samples have a grade between 0 and 1 and count as wrong (--threshold changes that)")
    names, code = samples.groups()
    n = np.bincount(code, minlength=len(names))
    correct = np.bincount(code, weights=right, minlength=len(names)).astype(np.int64)
    answer_counts = wrong = None
    if samples.answer is not None:
        answer_counts, wrong = _answers(samples.answer, right, code, len(names), notes)
    tokens = None
    if samples.tokens is not None:
        known = samples.tokens != MISSING
        have = np.bincount(code[known], minlength=len(names))
        total = np.bincount(code[known], weights=samples.tokens[known], minlength=len(names))
        with np.errstate(invalid="ignore", divide="ignore"):
            tokens = np.where(have > 0, total / have, np.nan)
        if not known.all():
            notes.append(f"{int(np.count_nonzero(~known))} samples have no number of tokens; means are over the others")
    if n.min() != n.max():
        notes.append(f"the number of samples differs between problems: from {n.min()} to {n.max()}")
    return Counts(names, n, correct, answer_counts, wrong, tokens), notes


def _answers(answer, right, code, problems: int, notes: list[str]):
    """Counts of answers and of wrong answers, and notes on blanks, spellings and contradictions."""
    given = [Counter() for _ in range(problems)]
    good = [Counter() for _ in range(problems)]
    blank = 0
    for at, text, ok in zip(code.tolist(), answer, right.tolist(), strict=True):
        if text is None:
            blank += not ok
            continue
        given[at][text] += 1
        if ok:
            good[at][text] += 1
    wrong = []
    spellings = mixed = 0
    for all_of, correct_of in zip(given, good, strict=True):
        rest = all_of - correct_of
        spellings += len(correct_of) > 1
        mixed += bool(rest.keys() & correct_of.keys())
        wrong.append(np.array(sorted(rest.values(), reverse=True), dtype=np.int64))
    if blank:
        notes.append(f"{blank} wrong samples have no answer: they cast no vote")
    if spellings:
        notes.append(f"{spellings} problems have several answers graded correct: they vote as one")
    if mixed:
        notes.append(f"{mixed} problems have an answer graded both correct and wrong: each sample keeps its own grade")
    return tuple(dict(c) for c in given), tuple(wrong)
