"""Trace aggregators: what is done with the n traces of one task (docs/theory.md section 3).

These classes say what is asked, and name the formula of their success. How it is simulated lives in
``ds3sim.engine.traces.outcome``, and the enumeration, which shares no code with the formulas, in
``ds3sim.engine.enumerate``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import fraction, one_of, whole_number
from ds3sim.core.errors import require, require_kind, shown
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors
from ds3sim.theory import aggregate, binomial, latent, votes

MOST_TRACES_PER_TASK = 2**16


@dataclass(frozen=True)
class Verifier:
    """Accepts a correct trace with ``true_positive``, a wrong one with ``false_positive``.

    The answer is drawn uniformly from the accepted traces; if there is none, from all n
    (``fallback="random"``) or none is given and the task fails (``fallback="abstain"``).

    >>> task = ds.Task(ds.SkillGraph.chain(1, 0.5), aggregate=ds.BestOfN(1, ds.Verifier(0.9, 0.1, "abstain")), steps=1)
    >>> float(ds.exact(task).success(1).estimate.round(3))
    0.45
    """

    true_positive: float = 1.0
    false_positive: float = 0.0
    fallback: str = "random"

    def __post_init__(self) -> None:
        # Plain numbers, whatever was given: they enter the identity of the task.
        object.__setattr__(self, "true_positive", fraction("true_positive", self.true_positive))
        object.__setattr__(self, "false_positive", fraction("false_positive", self.false_positive))
        one_of("fallback", self.fallback, ("random", "abstain"))

    @property
    def perfect(self) -> bool:
        return self.true_positive == 1.0 and self.false_positive == 0.0


@dataclass(frozen=True)
class Single:
    """One trace decides.

    >>> ds.Task(ds.SkillGraph.chain(3, 0.5), steps=10).aggregate
    Single(n=1)
    """

    n: int = 1
    name = "single"

    def __post_init__(self) -> None:
        require(self.n == 1, f"aggregate = single has n = {shown(self.n)}: use n = 1, or best_of_n or majority")
        object.__setattr__(self, "n", 1)

    def success(self, p: ArrayLike) -> np.ndarray:
        """Success given that of one trace: p itself."""
        return np.asarray(p, dtype=np.float64)

    def shared_success(self, solvable: float, alpha: float, beta: float) -> float:
        """Mean success where the rate of a task is 0 with chance 1 - ``solvable``, else Beta(alpha, beta)."""
        return float(latent.pass_at_n(1, solvable, alpha, beta))


@dataclass(frozen=True)
class BestOfN:
    """Best of n traces, chosen by a verifier; the default one is an oracle: (7), else (8).

    >>> task = ds.Task(ds.SkillGraph.chain(1, 0.5), aggregate=ds.BestOfN(2), steps=2)
    >>> float(ds.exact(task).success(2))
    0.75
    """

    n: int = 1
    verifier: Verifier = field(default_factory=Verifier)
    name = "best_of_n"

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole_number("n", self.n, 1, MOST_TRACES_PER_TASK))
        require_kind(self.verifier, Verifier, f"verifier = {shown(self.verifier)} is not a Verifier")

    def success(self, p: ArrayLike) -> np.ndarray:
        """Success given that of one trace, float64 of the shape of ``p``: (7), or (8)."""
        v = self.verifier
        if v.perfect:
            return aggregate.best_of_n(p, self.n)
        return aggregate.best_of_n_verified(p, self.n, v.true_positive, v.false_positive, v.fallback)

    def shared_success(self, solvable: float, alpha: float, beta: float) -> float:
        """Mean success where the n traces share a rate: 0 with chance 1 - ``solvable``, else Beta(alpha, beta): (12),
        or (8) averaged over it."""
        v = self.verifier
        if v.perfect:
            return float(latent.pass_at_n(self.n, solvable, alpha, beta))
        mean = aggregate.mean_verified(self.n, alpha, beta, v.true_positive, v.false_positive, v.fallback)
        return float(solvable * mean + (1.0 - solvable) * self.success(0.0))


@dataclass(frozen=True)
class Majority:
    """Plurality vote of n traces over one correct and M-1 wrong answers: (9), (10).

    Attributes:
        n: votes.
        errors: which wrong answer a failed trace gives.
        ties: ``random`` (uniform among the tied) or ``wrong`` (a tie counts as failure).

    >>> task = ds.Task(ds.SkillGraph.chain(1, 0.8), aggregate=ds.Majority(3, ds.WeightErrors((1.0,))), steps=3)
    >>> float(ds.exact(task).success(3).estimate.round(3))
    0.896
    """

    n: int = 1
    errors: GeometricErrors | WeightErrors = field(default_factory=GeometricErrors)
    ties: str = "random"
    name = "majority"

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole_number("n", self.n, 1, MOST_TRACES_PER_TASK))
        require_kind(
            self.errors,
            GeometricErrors | WeightErrors,
            f"errors = {shown(self.errors)} is not an error model: use GeometricErrors or WeightErrors",
        )
        one_of("ties", self.ties, ("random", "wrong"))

    def success(self, p: ArrayLike) -> np.ndarray:
        """Success given that of one trace, float64 of the shape of ``p``: (10)."""
        return votes.vote_success(p, self.n, self.errors.weights, self.ties)

    def shared_success(self, solvable: float, alpha: float, beta: float) -> float:
        """Mean success where the n traces share a rate, 0 with chance 1 - ``solvable``, else Beta(alpha, beta);
        (13)."""
        return float(latent.vote_at_n(self.n, solvable, alpha, beta, self.errors.weights, self.ties))


@dataclass(frozen=True)
class Counting(ABC):
    """An aggregator that looks only at how many of the n traces are correct; see CONTRIBUTING.md.

    A subclass is a frozen dataclass with ``name``, a field ``n`` and :meth:`given`. Every engine then does it.
    """

    n: int
    name: ClassVar[str]

    @abstractmethod
    def given(self, correct: int) -> float:
        """Chance of success given that ``correct`` of the n traces are, 1 to n; it must not fall. With none it is 0."""

    @property
    def chances(self) -> np.ndarray:
        """:meth:`given` of 1, ..., n correct traces, float64 [n]."""
        return np.array([self.given(correct) for correct in range(1, self.n + 1)])

    def success(self, p: ArrayLike) -> np.ndarray:
        """Success given that of one trace: the mean of :meth:`given` over a binomial count."""
        law = binomial.binomial_pmf(np.arange(1, self.n + 1), self.n, np.asarray(p, dtype=np.float64)[..., None])
        return np.minimum(law @ self.chances, 1.0)

    def shared_success(self, solvable: float, alpha: float, beta: float) -> float:
        """Mean success where the rate of a task is 0 with chance 1 - ``solvable``, else Beta(alpha, beta)."""
        return float(solvable * (latent.count_law(self.n, alpha, beta)[1:] @ self.chances))


Aggregate = Single | BestOfN | Majority | Counting
AGGREGATORS: tuple[type[Aggregate], ...] = (Single, BestOfN, Majority)
"""What a config can name; the fields of each are keys of [strategy]."""
