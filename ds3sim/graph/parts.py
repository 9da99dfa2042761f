"""What a skill graph is made of, as its builders return it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

ROW_TOLERANCE = 1e-9
"""A row may exceed 1 by this much (decimal fractions in files); it is then scaled to 1."""
FLOAT32_ROW = 1e-6
"""A row whose sum differs from 1 by no more than this is taken for one of single precision, and scaled, with a note;
the tolerance of Storm."""


@dataclass(frozen=True)
class BetaRate:
    """The law Beta(alpha, beta) of the success rate that the traces of one task share; both > 0."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """alpha / (alpha + beta)."""
        return self.alpha / (self.alpha + self.beta)


@dataclass(frozen=True, eq=False)
class Parts:
    """The fields of a :class:`~ds3sim.graph.graph.SkillGraph`, described there."""

    names: tuple[str, ...]
    source: np.ndarray = field(repr=False)
    target: np.ndarray = field(repr=False)
    probability: np.ndarray = field(repr=False)
    start: np.ndarray = field(repr=False)
    goal: np.ndarray = field(repr=False)
    dead: np.ndarray = field(repr=False)
    score: np.ndarray | None = field(default=None, repr=False)
    feasible: float = 1.0
    rate: BetaRate | None = None
