"""What is read from an evaluation log: counts a problem, with the tidy table where there is one, or a curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.errors import InputError, require
from ds3sim.core.figure import colour, dots, new_axes
from ds3sim.core.record import Record
from ds3sim.fit.edge import dataset, success_axes

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

MISSING = -1
"""Stands for an unknown number of tokens in ``Samples.tokens``."""

MOST_SAMPLES = 10**9
"""Largest number of samples of a problem."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The tidy table: one row a sample, in the order of the file.

    Attributes:
        problem: names [rows].
        sample: int64 [rows]; with ``problem`` unique.
        correct: float64 [rows] in [0, 1]; a grade between 0 and 1 is partial credit.
        answer: texts, None where a sample gave no answer [rows]; None when the log has no answers at all.
        tokens: int64 [rows], generated tokens, ``MISSING`` where unknown; None when no row has them.
        score: float64 [rows], a verifier's score (larger is better), NaN where unknown; None without.
        source: the file that a row comes from [rows].
    """

    problem: tuple[str, ...]
    sample: np.ndarray
    correct: np.ndarray
    answer: tuple[str | None, ...] | None
    tokens: np.ndarray | None
    score: np.ndarray | None
    source: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.problem)

    def groups(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Problems in order of appearance, and the index of each row's problem, int64 [rows]."""
        index: dict[str, int] = {}
        code = np.fromiter((index.setdefault(p, len(index)) for p in self.problem), np.int64, len(self))
        return tuple(index), code


@dataclass(frozen=True, eq=False)
class Points:
    """Points of a success curve whose counts are not known.

    Attributes:
        n: float64 [points], numbers of samples or votes, > 0, ascending; digitized ones need not be whole.
        success: float64 [points] in [0, 1].
        columns: names of the two columns.
    """

    n: np.ndarray
    success: np.ndarray
    columns: tuple[str, str] = ("N", "success")

    def __post_init__(self) -> None:
        n, y = np.asarray(self.n, dtype=np.float64), np.asarray(self.success, dtype=np.float64)
        require(n.ndim == 1 and n.shape == y.shape, "a curve needs as many N as successes")
        require(bool((np.isfinite(n) & (n > 0)).all()), "a curve's N must be finite and above 0")
        require(bool(((y >= 0) & (y <= 1)).all()), "a curve's successes must lie between 0 and 1")
        object.__setattr__(self, "n", n)
        object.__setattr__(self, "success", y)

    def __len__(self) -> int:
        return len(self.n)


@dataclass(frozen=True, eq=False)
class Log(Record):
    """What :func:`ds3sim.read_log` found: counts of P problems, or the points of a curve.

    Attributes:
        format: name of the format.
        source: the file or folder.
        problems: names [P]; none for a curve.
        samples: int64 [P], samples of each problem, >= 1.
        correct: int64 [P], correct samples, 0 <= correct <= samples.
        answers: answer -> samples that gave it, for each problem, as read; None without answers.
        wrong: int64 arrays [P], how often each wrong answer was given, largest first; None without answers.
            ``samples - correct - wrong.sum()`` samples were wrong and gave no answer.
        tokens: float64 [P], mean generated tokens of a sample, NaN where unknown; None without.
        table: one row a sample, None for counts and curves.
        curve: points of a curve, None otherwise.
        notes: repairs and choices that were made, a sentence each; the command line prints them.

    Raises:
        InputError: counts that contradict each other.

    >>> log = ds.Log(problems=("a", "b"), samples=[10, 10], correct=[3, 5])
    >>> len(log), log.correct.tolist()
    (2, [3, 5])
    """

    format: str = "counts"
    source: str = "counts"
    problems: tuple[str, ...] = ()
    samples: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    correct: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    answers: tuple[dict[str, int], ...] | None = None
    wrong: tuple[np.ndarray, ...] | None = None
    tokens: np.ndarray | None = None
    table: Samples | None = None
    curve: Points | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.curve is not None:
            return
        n, c = np.asarray(self.samples), np.asarray(self.correct)
        require(len(self.problems) > 0, "counts without any problem: there is nothing to estimate")
        shape = (len(self.problems),)
        ok = n.shape == shape and c.shape == shape and n.dtype.kind in "iu" and c.dtype.kind in "iu"
        require(ok, "counts: samples and correct must be whole numbers, one for each problem")
        self._check((n < 1) | (c < 0) | (c > n) | (n > MOST_SAMPLES), lambda i: (
            f"{c[i]} correct of n = {n[i]}: needs 0 <= correct <= n and 1 <= n <= {MOST_SAMPLES:g}"
        ))  # fmt: skip
        if self.wrong is not None:
            require(len(self.wrong) == shape[0], "counts: wrong must have one array for each problem")
            total = np.array([int(np.sum(w)) for w in self.wrong])
            self._check(total > n - c, lambda i: f"{total[i]} wrong answers of {n[i] - c[i]} wrong samples")
        object.__setattr__(self, "samples", n.astype(np.int64))
        object.__setattr__(self, "correct", c.astype(np.int64))

    @classmethod
    def from_counts(cls, samples: ArrayLike, correct: ArrayLike, source: str = "counts") -> Log:
        """Counts of P problems: ``correct`` of ``samples``, whole numbers [P] (or one number for all).

        Raises:
            InputError: as the class.
        """
        n, c = np.broadcast_arrays(np.atleast_1d(np.asarray(samples)), np.atleast_1d(np.asarray(correct)))
        return cls("counts", source, tuple(map(str, range(n.size))), n, c)

    @classmethod
    def from_curve(cls, n: ArrayLike, success: ArrayLike, source: str = "curve") -> Log:
        """A curve: success at ``n`` samples or votes, [points] each.

        Raises:
            InputError: lengths that differ; an n that is not above 0; a success outside [0, 1].
        """
        return cls("curve", source, curve=Points(np.asarray(n), np.asarray(success)))

    @classmethod
    def none(cls) -> Log:
        """The log of parameters that were given: a curve without points."""
        return cls.from_curve([], [], "given")

    def _check(self, bad: np.ndarray, why: Callable[[int], str]) -> None:
        if bad.any():
            at = int(np.argmax(bad))
            raise InputError(f"counts of problem {self.problems[at]!r}: {why(at)}")

    def __len__(self) -> int:
        """Problems, or points of a curve."""
        return len(self.problems) if self.curve is None else len(self.curve)

    @property
    def blank(self) -> np.ndarray:
        """Wrong samples that gave no answer, int64 [P]."""
        return self.samples - self.correct - np.array([int(np.sum(w)) for w in self.need_answers()], dtype=np.int64)

    def need_counts(self) -> Log:
        """The log itself; InputError for a curve."""
        if self.curve is not None:
            raise InputError(f"{self.source}: a curve has no counts of samples: give the log of the samples or counts")
        return self

    def need_answers(self) -> tuple[np.ndarray, ...]:
        """``wrong``; InputError for a log without answers."""
        self.need_counts()
        if self.wrong is None:
            raise InputError(
                f"{self.source}: the log has no answers, and votes need them: give answer or answer_counts"
                " (counts alone give pass@k only)"
            )
        return self.wrong

    # ---- as a record ----------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """The tidy table where there is one, else one row a problem, or a point of the curve."""
        if self.table is None:
            return super().to_frame()
        import pandas as pd

        rows = {name: getattr(self.table, name) for name in self.table.__dataclass_fields__}
        return pd.DataFrame({name: values for name, values in rows.items() if values is not None})

    def to_dataset(self) -> xr.Dataset:
        """Counts over the dimension ``problem``, or success over ``n``."""
        about = {"format": self.format, "source": self.source}
        if self.curve is not None:
            return dataset("n", self.curve.n, "samples", {"success": (self.curve.success, "1")}, **about)
        columns = {"samples": (self.samples, "samples"), "correct": (self.correct, "samples")}
        if self.tokens is not None:
            columns["tokens"] = (self.tokens, "tokens")
        return dataset("problem", list(self.problems), None, columns, **about)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The points of a curve, or how the problems' shares of correct samples spread."""
        axes = new_axes(ax)
        if self.curve is not None:
            n, y = self.curve.n, self.curve.success
            dots(axes, n, y, y, y, label=self.source)
            return success_axes(axes, n, y, "N", "success")
        axes.hist(self.correct / self.samples, bins=np.linspace(0.0, 1.0, 21).tolist(), color=colour(0))
        axes.set(xlabel="share of correct samples", ylabel="problems")
        return axes


def count(table: Samples, threshold: float | None = None) -> tuple[dict[str, Any], list[str]]:
    """Counts a problem from the tidy table as fields of :class:`Log`, and notes on what was decided.

    A sample counts as correct when ``correct >= threshold`` (1 if None). In votes all correct samples
    of a problem are one answer, however it was spelled; a wrong sample without an answer casts no vote.

    Args:
        table: at least one row.
        threshold: in (0, 1], or None.

    Raises:
        InputError: a threshold outside (0, 1]; grades that are all partial with no threshold.
    """
    notes: list[str] = []
    limit = 1.0 if threshold is None else float(threshold)
    require(0.0 < limit <= 1.0, f"threshold = {threshold!r} is not allowed: it must lie in (0, 1]")
    right = table.correct >= limit
    partial = int(np.count_nonzero((table.correct > 0) & (table.correct < 1)))
    if partial and threshold is None:
        require(
            partial < int(np.count_nonzero(table.correct > 0)),
            f"{table.source[0]}: every grade above 0 lies below 1 ({partial} samples): say from which grade on a"
            " sample counts as correct with threshold (--threshold)",
        )
        notes.append(f"{partial} samples have a grade between 0 and 1 and count as wrong (--threshold changes that)")
    names, code = table.groups()
    n = np.bincount(code, minlength=len(names))
    out: dict[str, Any] = {"problems": names, "samples": n, "table": table}
    out["correct"] = np.bincount(code, weights=right, minlength=len(names)).astype(np.int64)
    if table.answer is not None:
        out["answers"], out["wrong"] = _answers(table.answer, right, code, len(names), notes)
    if table.tokens is not None:
        known = table.tokens != MISSING
        have = np.bincount(code[known], minlength=len(names))
        total = np.bincount(code[known], weights=table.tokens[known], minlength=len(names))
        with np.errstate(invalid="ignore", divide="ignore"):
            out["tokens"] = np.where(have > 0, total / have, np.nan)
        if not known.all():
            notes.append(f"{int(np.count_nonzero(~known))} samples have no number of tokens; means are over the others")
    return out, [*notes, *ragged(n)]


def ragged(n: Iterable[int]) -> list[str]:
    """The note on numbers of samples that differ, if they do."""
    low, high = min(n), max(n)
    return [f"the number of samples differs between problems: from {low} to {high}"] if low != high else []


def _answers(
    answer: tuple[str | None, ...], right: np.ndarray, code: np.ndarray, problems: int, notes: list[str]
) -> tuple[tuple[dict[str, int], ...], tuple[np.ndarray, ...]]:
    """Counts of answers and of wrong answers, and notes on blanks, spellings and contradictions."""
    given: list[Counter[str]] = [Counter() for _ in range(problems)]
    good: list[Counter[str]] = [Counter() for _ in range(problems)]
    blank = 0
    for at, text, ok in zip(code.tolist(), answer, right.tolist(), strict=True):
        if text is None:
            blank += not ok
            continue
        given[at][text] += 1
        if ok:
            good[at][text] += 1
    rest = [all_of - correct_of for all_of, correct_of in zip(given, good, strict=True)]
    spellings = sum(len(correct_of) > 1 for correct_of in good)
    mixed = sum(bool(r.keys() & g.keys()) for r, g in zip(rest, good, strict=True))
    for number, text in (
        (blank, "wrong samples have no answer: they cast no vote"),
        (spellings, "problems have several answers graded correct: they vote as one"),
        (mixed, "problems have an answer graded both correct and wrong: each sample keeps its own grade"),
    ):
        if number:
            notes.append(f"{number} {text}")
    return tuple(dict(c) for c in given), tuple(np.array(sorted(r.values(), reverse=True), np.int64) for r in rest)
