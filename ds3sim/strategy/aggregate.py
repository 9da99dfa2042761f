"""Trace aggregators: what is done with the n traces of one task (docs/theory.md section 3).

These classes say what is asked. How it is simulated lives in ``ds3sim.engine.outcome``, the
formulas in ``ds3sim.theory.aggregate`` and the enumeration in ``ds3sim.engine.enumerate``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ds3sim.core.errors import fraction, require, shown, whole_number

MOST_TRACES_PER_TASK = 2**16


@dataclass(frozen=True)
class Verifier:
    """Accepts a correct trace with ``true_positive``, a wrong one with ``false_positive``.

    The answer is drawn uniformly from the accepted traces; if there is none, from all n
    (``fallback="random"``) or none is given and the task fails (``fallback="abstain"``).
    """

    true_positive: float = 1.0
    false_positive: float = 0.0
    fallback: str = "random"

    def __post_init__(self):
        # Plain numbers, whatever was given: they enter the identity of the task.
        object.__setattr__(self, "true_positive", fraction("true_positive", self.true_positive))
        object.__setattr__(self, "false_positive", fraction("false_positive", self.false_positive))
        require(
            self.fallback in ("random", "abstain"),
            f"fallback = {self.fallback!r} is not known: choose random or abstain",
        )

    @property
    def perfect(self) -> bool:
        return self.true_positive == 1.0 and self.false_positive == 0.0


@dataclass(frozen=True)
class GeometricErrors:
    """(11) c_j = (1 - lambda) lambda^(j-1) / (1 - lambda^(M-1)), j = 1..M-1.

    Attributes:
        categories: M, the number of answers, the correct one included (>= 2).
        decay: lambda in [0, 1]; 1 is uniform, 0 puts everything on one wrong answer.
    """

    categories: int = 11
    decay: float = 0.746

    def __post_init__(self):
        object.__setattr__(self, "categories", whole_number("categories", self.categories, 2, 4096))
        object.__setattr__(self, "decay", fraction("decay", self.decay))

    @property
    def weights(self) -> np.ndarray:
        """float64 [M-1], sums to 1."""
        power = np.power(float(self.decay), np.arange(self.categories - 1))
        return power / power.sum()


@dataclass(frozen=True)
class WeightErrors:
    """The chances of the wrong answers as given; they are scaled to sum 1 when they nearly do."""

    values: tuple[float, ...] = (1.0,)

    def __post_init__(self):
        require(
            isinstance(self.values, tuple | list | np.ndarray),
            f"errors.weights = {shown(self.values)} is not a list: give one chance per wrong answer",
        )
        object.__setattr__(self, "values", tuple(fraction("errors.weights", w) for w in self.values))
        require(1 <= len(self.values) < 4096, "errors.weights needs one chance per wrong answer, 1 to 4095 of them")
        total = sum(self.values)
        require(abs(total - 1) <= 1e-9, f"errors.weights sum to {total:.12g}: they must sum to 1")

    @property
    def weights(self) -> np.ndarray:
        """float64 [M-1], sums to 1."""
        return np.array(self.values) / sum(self.values)


@dataclass(frozen=True)
class Single:
    """One trace decides."""

    n: int = 1
    name = "single"

    def __post_init__(self):
        require(self.n == 1, f"aggregate = single has n = {shown(self.n)}: use n = 1, or best_of_n or majority")
        object.__setattr__(self, "n", 1)


@dataclass(frozen=True)
class BestOfN:
    """Best of n traces, chosen by a verifier; the default one is an oracle: (7), else (8)."""

    n: int = 1
    verifier: Verifier = field(default_factory=Verifier)
    name = "best_of_n"

    def __post_init__(self):
        object.__setattr__(self, "n", whole_number("n", self.n, 1, MOST_TRACES_PER_TASK))
        require(isinstance(self.verifier, Verifier), f"verifier = {shown(self.verifier)} is not a Verifier")


@dataclass(frozen=True)
class Majority:
    """Plurality vote of n traces over one correct and M-1 wrong answers: (9), (10).

    Attributes:
        n: votes.
        errors: which wrong answer a failed trace gives.
        ties: ``random`` (uniform among the tied) or ``wrong`` (a tie counts as failure).
    """

    n: int = 1
    errors: GeometricErrors | WeightErrors = field(default_factory=GeometricErrors)
    ties: str = "random"
    name = "majority"

    def __post_init__(self):
        object.__setattr__(self, "n", whole_number("n", self.n, 1, MOST_TRACES_PER_TASK))
        require(
            isinstance(self.errors, GeometricErrors | WeightErrors),
            f"errors = {shown(self.errors)} is not an error model: use GeometricErrors or WeightErrors",
        )
        require(self.ties in ("random", "wrong"), f"ties = {self.ties!r} is not known: choose random or wrong")


Aggregate = Single | BestOfN | Majority
