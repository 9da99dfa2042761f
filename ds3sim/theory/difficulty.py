"""Distributions of tasks: success and steps averaged over skills m and ease L0 (docs/theory.md section 8).

A task is a chain of m skills whose step success is (25) at its L0. A mixture is a finite distribution
phi over (L0, m). Everything here depends on the model through its training loss alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ds3sim.core.check import Numbers, number, numbers, whole_array
from ds3sim.core.errors import require
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
class Mixture:
    """A finite distribution phi over tasks.

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
    _levels: np.ndarray = field(init=False, repr=False)
    _table: np.ndarray | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ease, weights = np.atleast_1d(numbers("ease", self.ease), numbers("weights", self.weights, low=0))
        skills = np.atleast_1d(whole_array("skills", self.skills, 1))
        require(ease.ndim == 1 and ease.size > 0, "ease is not a list of numbers")
        require(ease.shape == skills.shape == weights.shape, "ease, skills and weights differ in length")
        require(bool(weights.sum() > 0), "weights are not allowed: they must not all be 0")
        kept = weights > 0
        for name, value in (("ease", ease), ("skills", skills), ("weights", weights / weights.sum())):
            object.__setattr__(self, name, value[kept])
        levels, group = np.unique(self.ease, return_inverse=True)
        most = int(self.skills.max())
        object.__setattr__(self, "_levels", levels)
        # The table over all m up to the largest pays when most of it is used; one term is about 20 times cheaper.
        dense = levels.size * (most + 3) <= 20 * self.ease.size
        table = None
        if dense:
            table = np.zeros((levels.size, most))
            np.add.at(table, (group, self.skills.astype(np.int64) - 1), self.weights)
        object.__setattr__(self, "_table", table)

    @classmethod
    def grid(cls, ease: Numbers, skills: Numbers, weights: Numbers = None, bridge: Bridge | None = None) -> Mixture:
        """All pairs of L0 in ``ease`` [J] and m in ``skills`` [M]; ``weights`` [J, M], uniform when None."""
        ease = np.atleast_1d(np.asarray(ease, dtype=np.float64))
        skills = np.atleast_1d(whole_array("skills", skills, 1))
        shape = (ease.size, skills.size)
        weights = np.ones(shape) if weights is None else np.asarray(weights, dtype=np.float64)
        require(weights.shape == shape, f"weights have the shape {weights.shape}: [L0, m] needs {shape}")
        pairs = np.meshgrid(ease, skills, indexing="ij")
        return cls(pairs[0].ravel(), pairs[1].ravel(), weights.ravel(), bridge or Bridge())

    def __len__(self) -> int:
        return int(self.ease.size)

    @property
    def hardest(self) -> int:
        """The largest m."""
        return int(self.skills.max())

    def step_success(self, loss: Numbers) -> Numbers:
        """xi of every task, [..., J], at ``loss`` [...]."""
        return self.bridge.step_success(np.asarray(loss, dtype=np.float64)[..., None], self.ease)

    def success(self, loss: Numbers, steps: Numbers) -> np.ndarray:
        """Expected accuracy sum phi I_xi(m, K-m+1), broadcast over ``loss`` and whole ``steps`` K."""
        return self.moments(loss, steps).success

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
        width = len(self) if self._table is None else self._levels.size * (self._table.shape[1] + 3)
        rows = max(1, _BLOCK // width)
        average = self._direct if self._table is None else self._dense
        for low in range(0, loss.size, rows):
            part = slice(low, low + rows)
            out[:, part] = average(loss[part], steps[part])
        success, first, second = (row.reshape(shape)[()] for row in out)
        return Moments(success, first, second)

    def _dense(self, loss, steps):
        """All m at once from the probabilities of 0..m+1 moves in K steps: [points, L0, m]."""
        table = self._table
        assert table is not None
        most = table.shape[1]
        r = self.bridge.step_success(loss[:, None], self._levels)
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

    def _direct(self, loss, steps):
        """Task by task, for few tasks of many skills: [points, J]."""
        r, m, k = self.step_success(loss), self.skills, steps[:, None]
        done, late = binomial_tails(m, k, r)
        safe = np.where(r > 0, r, 1.0)
        first = m * binomial_tails(m + 1.0, k + 1.0, r)[0] / safe
        second = m * (m + 1.0) * binomial_tails(m + 2.0, k + 2.0, r)[0] / safe / safe
        return np.stack([v @ self.weights for v in (done, first + k * late, second - first + k * k * late)])
