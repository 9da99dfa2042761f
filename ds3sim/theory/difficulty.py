"""The difficulty of tasks: success and steps averaged over skills m and ease L0 (docs/theory.md section 8).

A task is a chain of m skills whose step success is (25) at its L0. Everything here depends on the model through its
training loss alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ds3sim.core.check import Numbers, number, numbers, whole_array
from ds3sim.core.errors import require
from ds3sim.theory import chain
from ds3sim.theory.binomial import binomial_tails
from ds3sim.theory.loss import step_success

_BLOCK = 2**21
"""Most float64 numbers of one temporary array."""
_LOG_ZERO = -1e300
"""Stands for log 0: finite, so that 0 log 0 is 0."""


@dataclass(frozen=True)
class Bridge:
    """The constants of (25), xi = clip(iota (a sigma(b (L0 - L)) + d), 0, 1).

    Raises:
        InputError: a, b or iota not above 0 (step success must not fall as the loss falls), or not finite.
    """

    a: float = 1.0
    d: float = 0.0
    iota: float = 1.0
    b: float = 5.0

    def __post_init__(self) -> None:
        for name in ("a", "d", "iota", "b"):
            number(name, getattr(self, name), above=None if name == "d" else 0)

    def step_success(self, loss: Numbers, ease: Numbers) -> Numbers:
        """(25) at the training ``loss`` and L0 = ``ease``, broadcast; NumPy or JAX."""
        return step_success(loss, ease, self.a, self.d, self.iota, self.b)


@dataclass(frozen=True)
class Moments:
    """Averages over the tasks at a loss and a budget, float64 of the broadcast shape.

    Attributes:
        success: expected accuracy, sum of phi times (1).
        steps: E[min(T, K)], sum of phi times (3).
        square_steps: E[min(T, K)^2], sum of phi times (3.2).
    """

    success: np.ndarray
    steps: np.ndarray
    square_steps: np.ndarray


@dataclass(frozen=True, eq=False)
class Difficulty:
    """A finite distribution phi over the difficulty of tasks.

    Attributes:
        ease: L0 of each task, [J].
        skills: m of each task, whole, >= 1, [J].
        weights: phi, >= 0, [J]; scaled to sum 1.
        bridge: (25).

    Raises:
        InputError: shapes that differ, or values outside their range.
    """

    ease: np.ndarray
    skills: np.ndarray
    weights: np.ndarray
    bridge: Bridge = field(default_factory=Bridge)

    def __post_init__(self) -> None:
        ease, weights = np.atleast_1d(numbers("ease", self.ease), numbers("weights", self.weights, low=0))
        skills = np.atleast_1d(whole_array("skills", self.skills, 1))
        require(ease.ndim == 1 and ease.size > 0, "ease is not a list of numbers")
        require(ease.shape == skills.shape == weights.shape, "ease, skills and weights differ in length")
        require(bool(weights.sum() > 0), "weights are not allowed: they must not all be 0")
        kept = weights > 0
        for name, value in (("ease", ease), ("skills", skills), ("weights", weights / weights.sum())):
            object.__setattr__(self, name, value[kept])

    @classmethod
    def grid(cls, ease: Numbers, skills: Numbers, weights: Numbers = 1.0, bridge: Bridge | None = None) -> Difficulty:
        """All pairs of L0 in ``ease`` [J] and m in ``skills`` [M]; ``weights`` [J, M], uniform by default."""
        ease, skills = np.meshgrid(np.asarray(ease, dtype=np.float64), whole_array("skills", skills, 1), indexing="ij")
        return cls(ease.ravel(), skills.ravel(), np.broadcast_to(weights, ease.shape).ravel(), bridge or Bridge())

    @cached_property
    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """The different L0, [L], and phi of each of them and m = 1..M, [L, M]."""
        levels, group = np.unique(self.ease, return_inverse=True)
        table = np.zeros((levels.size, int(self.skills.max())))
        np.add.at(table, (group, self.skills.astype(np.int64) - 1), self.weights)
        return levels, table

    @cached_property
    def dense(self) -> bool:
        """Whether all m up to the largest are computed at once, which pays where most of them occur: one term of it is
        about 20 times cheaper."""
        return np.unique(self.ease).size * (self.skills.max() + 3) <= 20 * self.ease.size

    def step_success(self, loss: Numbers) -> Numbers:
        """xi of every task, [..., J], at ``loss`` [...]."""
        return self.bridge.step_success(np.asarray(loss, dtype=np.float64)[..., None], self.ease)

    def moments(self, loss: Numbers, steps: Numbers) -> Moments:
        """Success, steps and square steps, averaged over the tasks.

        Relative error below 1e-12 for K up to 1e9, however small the value.

        Args:
            loss: training loss L, any shape.
            steps: budget K, whole, >= 0; broadcast with ``loss``.

        Raises:
            InputError: ``steps`` not whole, or ``loss`` NaN.
        """
        loss, steps = np.broadcast_arrays(np.asarray(loss, dtype=np.float64), whole_array("steps", steps))
        shape, loss, steps = loss.shape, loss.ravel(), steps.ravel()
        out = np.empty((3, loss.size))
        rows = max(1, _BLOCK // (self.table[1].size + 3 * self.table[0].size if self.dense else self.ease.size))
        average = self._dense if self.dense else self._direct
        for low in range(0, loss.size, rows):
            part = slice(low, low + rows)
            out[:, part] = average(loss[part], steps[part])
        return Moments(*(row.reshape(shape)[()] for row in out))

    def _direct(self, loss: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Task by task, for few tasks of many skills: [3, points]."""
        law = self.skills, self.step_success(loss), steps[:, None]
        each = (chain.success, chain.expected_steps, chain.expected_square_steps)
        return np.stack([moment(*law) @ self.weights for moment in each])

    def _dense(self, loss: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """All m at once from the probabilities of 0..m+1 moves in K steps, [points, L0, m]: [3, points]."""
        levels, table = self.table
        most = table.shape[1]
        r = self.bridge.step_success(loss[:, None], levels)
        j = np.arange(most + 2.0)
        below = np.maximum(steps[:, None] - j[:-1], 0.0)
        with np.errstate(divide="ignore"):
            ways = np.concatenate([np.zeros((loss.size, 1)), np.cumsum(np.log(below / (j[:-1] + 1.0)), axis=1)], axis=1)
            log_r = np.where(r > 0, np.log(r), _LOG_ZERO)[..., None]
            log_q = np.where(r < 1, np.log1p(-r), _LOG_ZERO)[..., None]
        left = np.maximum(steps[:, None] - j, 0.0)[:, None, :]
        with np.errstate(under="ignore", over="ignore"):
            moves = np.exp(ways[:, None, :] + j * log_r + left * log_q)
        late = np.cumsum(moves, axis=2)[..., :most]  # P(fewer than m moves), m = 1..most
        beyond = binomial_tails(most + 2.0, np.broadcast_to(steps[:, None], r.shape), r)[0]
        tails = np.concatenate([moves, beyond[..., None]], axis=2)[..., ::-1].cumsum(axis=2)[..., ::-1]
        # Columns m = 1..most of P(X >= m), P(X >= m+1), P(X >= m+2), P(X = m), P(X = m+1).
        done, more, most_more = tails[..., 1 : most + 1], tails[..., 2 : most + 2], tails[..., 3 : most + 3]
        here, next_ = moves[..., 1 : most + 1], moves[..., 2 : most + 2]
        r = r[..., None]
        m = j[1 : most + 1]
        one = more + r * here  # P(Bin(K+1, r) >= m+1)
        two = most_more + r * (2.0 - r) * next_ + r * r * here  # P(Bin(K+2, r) >= m+2)
        safe = np.where(r > 0, r, 1.0)
        first, second = m * one / safe, m * (m + 1.0) * two / safe / safe
        k = steps[:, None, None]
        late = np.where(m > k, 1.0, late)
        return np.stack(
            [np.einsum("pgm,gm->p", v, table) for v in (done, first + k * late, second - first + k * k * late)]
        )
