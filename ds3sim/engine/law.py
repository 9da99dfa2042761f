"""The law of a hitting time at the budgets asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ds3sim.core.estimate import Estimate
from ds3sim.task.mixture import weighed
from ds3sim.task.task import Task


@dataclass(frozen=True, eq=False)
class Known:
    """A law at the budgets of its task, float64 [B] each; as Tally and Exact, but only there."""

    budgets: np.ndarray
    values: np.ndarray
    spent: np.ndarray
    square: np.ndarray

    def _at(self, steps) -> np.ndarray:
        order = np.argsort(self.budgets, kind="stable")
        return order[np.searchsorted(self.budgets[order], np.atleast_1d(steps))]

    def success(self, steps) -> Estimate:
        """Success at each of ``steps``, which are budgets of the task."""
        return Estimate.of(self.values[self._at(steps)])

    def expected_steps(self, steps) -> Estimate:
        """Expected steps of a task, summed over its traces."""
        return Estimate.of(self.spent[self._at(steps)])

    def expected_square_steps(self, steps) -> np.ndarray:
        """E[(steps of one trace)^2]."""
        return self.square[self._at(steps)]


def known(law, task: Task) -> Known:
    """A law reduced to the budgets of its task."""
    budgets = task.budgets
    return Known(
        budgets,
        np.asarray(law.success(budgets).estimate, dtype=np.float64),
        np.asarray(law.expected_steps(budgets).estimate, dtype=np.float64),
        np.asarray(law.expected_square_steps(budgets), dtype=np.float64),
    )


class InOrder(Known):
    """Numbers at the budgets of an entry, in their order; whole steps do not tell such budgets apart."""

    def _at(self, steps) -> np.ndarray:
        return np.arange(len(self.budgets))


def mixed(estimates: Sequence, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean of independent estimates with its interval: estimate, low, high, float64 [B] each.

    The half widths, times the weights, add in quadrature, lower and upper ones apart (MOVER: Zou and Donner,
    "Construction of confidence limits about effect measures", 2008). So the interval is the part's own
    where there is one part, and is not zero wide where no part saw an event.
    """
    if len(estimates) == 1:
        one = estimates[0]
        return np.asarray(one.estimate), np.asarray(one.low), np.asarray(one.high)
    mid, low, high = (np.array([getattr(e, key) for e in estimates]) for key in ("estimate", "low", "high"))
    square, mean = np.square(np.asarray(weights, dtype=np.float64)), weighed(weights, mid)
    return mean, mean - np.sqrt(weighed(square, (mid - low) ** 2)), mean + np.sqrt(weighed(square, (high - mid) ** 2))
