"""How wrong traces spread over wrong answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import fraction, whole_number
from ds3sim.core.errors import require, require_kind, shown
from ds3sim.theory.votes import geometric_weights


@dataclass(frozen=True)
class GeometricErrors:
    """(11) c_j = (1 - lambda) lambda^(j-1) / (1 - lambda^(M-1)), j = 1..M-1.

    Attributes:
        categories: M, the number of answers, the correct one included (>= 2).
        decay: lambda in [0, 1]; 1 is uniform, 0 puts everything on one wrong answer.

    >>> ds.GeometricErrors(categories=4, decay=0.5).weights.round(3).tolist()
    [0.571, 0.286, 0.143]
    """

    categories: int = 11
    decay: float = 0.746

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", whole_number("categories", self.categories, 2, 4096))
        object.__setattr__(self, "decay", fraction("decay", self.decay))

    @property
    def weights(self) -> np.ndarray:
        """float64 [M-1], sums to 1."""
        return geometric_weights(self.categories, self.decay)


@dataclass(frozen=True)
class WeightErrors:
    """The chances of the wrong answers as given; they are scaled to sum 1 when they nearly do.

    >>> ds.Majority(5, errors=ds.WeightErrors((0.5, 0.3, 0.2))).errors.weights
    array([0.5, 0.3, 0.2])
    """

    values: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        require_kind(
            self.values,
            tuple | list | np.ndarray,
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
