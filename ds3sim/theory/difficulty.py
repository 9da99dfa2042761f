"""The difficulty of tasks: success and steps averaged over skills m and ease L0 (docs/theory.md section 8).

A task is a chain of m skills whose step success is (25) at its L0. Everything here depends on the model through its
training loss alone.
"""

from __future__ import annotations

import math
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
_NOTHING = 1e-20
"""A share that no sum of float64 shows."""
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

    @cached_property
    def _terms(self) -> np.ndarray:
        """What j = 0..M+1 moves of a chain, and more, add to the averages of :meth:`_dense`, [L, M+3, 7]."""
        phi = np.pad(self.table[1], ((0, 0), (1, 2)))  # of m = 0..M+2
        m = np.arange(phi.shape[1], dtype=np.float64)
        square = m * (m + 1.0) * phi

        def before(terms: np.ndarray, by: int) -> np.ndarray:
            """Sums over m up to j - by."""
            return np.pad(np.cumsum(terms, axis=1), ((0, 0), (by, 0)))[:, : m.size]

        later = np.pad(np.cumsum(phi[:, :0:-1], axis=1)[:, ::-1], ((0, 0), (0, 1)))
        moved = np.roll(square, 1, axis=1)
        return np.stack([before(phi, 0), before(m * phi, 1), m * phi, later, before(square, 2), moved, square], -1)

    def success(self, loss: Numbers, steps: Numbers) -> np.ndarray:
        """The first of :meth:`moments`, alone."""
        return self._averages(loss, steps, 1)[0]

    def moments(self, loss: Numbers, steps: Numbers) -> Moments:
        """Success, steps and square steps, averaged over the tasks.

        Relative error below 1e-12 for K up to 1e9, however small the value.

        Args:
            loss: training loss L, any shape.
            steps: budget K, whole, >= 0; broadcast with ``loss``.

        Raises:
            InputError: ``steps`` not whole, or ``loss`` NaN.
        """
        return Moments(*self._averages(loss, steps, 3))

    def _averages(self, loss: Numbers, steps: Numbers, many: int) -> list[np.ndarray]:
        """The first ``many`` of the three averages."""
        loss, steps = np.broadcast_arrays(np.asarray(loss, dtype=np.float64), whole_array("steps", steps))
        shape, loss, steps = loss.shape, loss.ravel(), steps.ravel()
        out = np.empty((many, loss.size))
        rows = max(1, _BLOCK // (self.table[1].size + 3 * self.table[0].size if self.dense else self.ease.size))
        average = self._dense if self.dense else self._direct
        for low in range(0, loss.size, rows):
            part = slice(low, low + rows)
            out[:, part] = average(loss[part], steps[part], many)
        return [row.reshape(shape)[()] for row in out]

    def _direct(self, loss: np.ndarray, steps: np.ndarray, many: int) -> np.ndarray:
        """Task by task, for few tasks of many skills: [many, points]."""
        law = self.skills, self.step_success(loss), steps[:, None]
        each = (chain.success, chain.expected_steps, chain.expected_square_steps)[:many]
        return np.stack([moment(*law) @ self.weights for moment in each])

    def _dense(self, loss: np.ndarray, steps: np.ndarray, many: int) -> np.ndarray:
        """All m at once from the chances p_j of j = 0..M+1 moves in K steps, and of more: [many, points].

        With q_m = P(X >= m): the success is q_m, the steps m (q_(m+1) + r p_m) / r + K (1 - q_m), and the squares
        m (m+1) (q_(m+2) + r (2-r) p_(m+1) + r^2 p_m) / r^2 - m (q_(m+1) + r p_m) / r + K^2 (1 - q_m): sums over j of
        p_j times what no point changes.
        """
        levels, table = self.table
        most = table.shape[1]
        r = self.bridge.step_success(loss, levels[:, None])  # [L, points]
        j = np.arange(most + 2.0)
        left = np.maximum(steps[:, None] - j, 0.0)
        with np.errstate(divide="ignore"):
            ways = np.zeros(left.shape)
            np.cumsum(np.log(left[:, :-1] / (j[:-1] + 1.0)), axis=1, out=ways[:, 1:])
            log_r = np.where(r > 0, np.log(r), _LOG_ZERO)[..., None]
            log_q = np.where(r < 1, np.log1p(-r), _LOG_ZERO)[..., None]
        with np.errstate(under="ignore", over="ignore"):
            moves = left * log_q
            moves += j * log_r
            moves += ways
            np.exp(moves, out=moves)
        terms = self._terms[..., :1] if many == 1 else self._terms
        sums, more = moves @ terms[:, :-1], terms[:, None, -1]
        sums += _beyond(moves, steps, r, sums[..., 0] / more[..., 0])[..., None] * more
        total = sums.sum(axis=0)
        if many == 1:
            return total.T
        with np.errstate(divide="ignore", invalid="ignore"):
            one, here, late, two, next_, square = np.moveaxis(sums[..., 1:], -1, 0)
            safe = np.where(r > 0, r, 1.0)
            first = one / safe + here
            second = two / safe / safe + (2.0 - r) / safe * next_ + square
        return np.stack(
            [total[:, 0], (first + steps * late).sum(axis=0), (second - first + steps * steps * late).sum(axis=0)]
        )


def _beyond(moves: np.ndarray, steps: np.ndarray, r: np.ndarray, success: np.ndarray) -> np.ndarray:
    """P(X >= J) for the chances ``moves`` [L, points, J] of 0..J-1 moves in K steps [points] of success r [L, points].

    What is left of 1 where that is more than half; 0 where the ratio of two terms shows that it is nothing beside the
    ``success`` without it [L, points]; else a sum of terms by their ratios, (K-j)/(j+1) r/(1-r), or where these are too
    many :func:`ds3sim.theory.binomial.binomial_tails`.
    """
    size = moves.shape[-1]
    out = np.maximum(0.0, 1.0 - moves.sum(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        odds, last = r / (1.0 - r), moves[..., -1]
        ratio = np.maximum(steps - size + 1.0, 0.0) / size * odds
        none = (ratio < 1) & (last * ratio <= (1.0 - ratio) * _NOTHING * success)
        out[none] = 0.0
        some = (out < 0.5) & ~none
        k, j = np.broadcast_to(steps, r.shape)[some], size + np.arange(20.0 + 10.0 * math.sqrt(size))
        terms = np.cumprod(np.maximum(k[:, None] - (j - 1.0), 0.0) / j * odds[some, None], axis=1)
        rest = last[some] * terms.sum(axis=1)
    long = ~(terms[:, -1] <= 1e-18 * terms[:, 0])
    rest[long] = binomial_tails(float(size), k[long], r[some][long])[0]
    out[some] = rest
    return out
