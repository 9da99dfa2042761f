"""Tilted walks: the change of measure by which the importance engine makes rare successes common.

With h(s) = E[theta^T | start at s] the tensor P~(s, s') = theta P(s, s') h(s') / h(s) is again stochastic, and a path
that reaches the goal at time T has weight h(start) theta^-T whatever it visited (docs/theory.md, tilted walk). Where h
may be too small for a number, it is its ratio u >= 1 to the part of the shortest paths that is solved for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.errors import require
from ds3sim.core.progress import working
from ds3sim.engine.traces.tables import RARE
from ds3sim.graph.hitting import factored, krylov, swept
from ds3sim.graph.lump import fewest_steps
from ds3sim.graph.tensor import assembled, entries, sums

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

    Solve = Callable[[float, np.ndarray, np.ndarray, bool], np.ndarray]

TRIALS = 60
LEAST = 1e-9
"""The smallest theta: where the budget is the shortest path, none is best."""
NEAR = 1e-3
"""Any theta gives the right mean: where a solution takes time, one with about the right mean time will do."""
FEW_NODES = 64
"""Graphs up to this size are tilted by dense solves."""
FACTORED_NODES = 8192
"""Where sweeps do not settle, systems up to this size are factored whole."""
SWEEPS, SOME_SWEEPS = 2000, 60
DRIFT, MOST_DRIFT = 1e-10, 1e-6
"""Relative error of a weight that comes from the error of h along a whole walk: wanted, and the largest allowed."""


@dataclass(frozen=True, eq=False)
class Tilt:
    """A tilted walk: tensor float64 [S, S], start float64 [S], theta, and log h(start)."""

    tensor: Tensor = field(repr=False)
    start: np.ndarray = field(repr=False)
    theta: float
    log_h: float


@dataclass(frozen=True, eq=False)
class Moves:
    """The nodes from which the goal can be reached, numbered from the nearest to the goal on, and what they do.

    Attributes:
        nodes: int64 [I], the node of each number.
        row, column: int64 [E], numbers; the goals are I, the last column.
        chance: float64 [E], P(row, column) of moves.
        ahead: int64 [E], 1 + d(column) - d(row) >= 0.
        leave: float64 [I], the chance to move at all. stay: the chance not to.
        distance: float64 [S], d of every node; inf where the goal is out of reach.
        target: int64 [E], the node that a move leads to.
        shortest: int64, the moves towards the goal by row; layers: where those of each distance begin and end among
            them; begins: where those of each row begin.
    """

    nodes: np.ndarray
    row: np.ndarray
    column: np.ndarray
    chance: np.ndarray
    ahead: np.ndarray
    leave: np.ndarray
    stay: np.ndarray
    distance: np.ndarray
    target: np.ndarray
    shortest: np.ndarray
    layers: list[int]
    begins: np.ndarray

    @classmethod
    def of(cls, tensor: Tensor, goal: np.ndarray) -> Moves:
        """Those of a transition tensor float64 [S, S] with ``goal`` bool [S]."""
        row, column, chance = entries(tensor)
        moving = (row != column) & (chance > 0) & ~goal[row]
        distance = fewest_steps(row[moving], column[moving], goal)
        nodes = np.flatnonzero(np.isfinite(distance) & ~goal)
        nodes = nodes[np.argsort(distance[nodes], kind="stable")]
        leave = np.bincount(row[moving], chance[moving], goal.size)[nodes]
        same = row == column
        stay = np.bincount(row[same], chance[same], goal.size)[nodes]
        number = np.full(goal.size, -1)
        number[nodes], number[goal] = np.arange(nodes.size), nodes.size
        kept = moving & (number[row] >= 0) & (number[column] >= 0)
        row, column = row[kept], column[kept]
        ahead = (1 + distance[column] - distance[row]).astype(np.int64)
        shortest = np.flatnonzero(ahead == 0)
        shortest = shortest[np.argsort(number[row[shortest]], kind="stable")]
        begins = np.searchsorted(number[row[shortest]], np.arange(nodes.size + 1))
        layers = np.searchsorted(distance[nodes], np.arange(1, distance[nodes].max(initial=0) + 2)).tolist()
        where = (number[row], number[column], chance[kept], ahead, leave, stay, distance, column)
        return cls(nodes, *where, shortest, layers, begins)

    def heights(self, theta: float) -> np.ndarray:
        """log of the part of h(s) / theta^d(s) that walks have which never leave a shortest path, float64 [I + 1]."""
        row, column = self.row[self.shortest], self.column[self.shortest]
        step = np.log(self.chance[self.shortest]) - np.log(self.pivot(theta))[row]
        out = np.zeros(self.nodes.size + 1)
        for first, last in pairwise(self.layers):
            begin, end = self.begins[first], self.begins[last]
            out[first:last] = np.logaddexp.reduceat(
                step[begin:end] + out[column[begin:end]],
                self.begins[first:last] - begin,
            )
        return out

    def scaled(self, theta: float, height: np.ndarray) -> np.ndarray:
        """theta P(s, s') h0(s') / h0(s) of the moves, float64 [E], with h0(s) = theta^d(s) exp(height(s))."""
        return self.chance * np.exp(self.ahead * np.log(theta) + height[self.column] - height[self.row])

    def pivot(self, theta: float) -> np.ndarray:
        """1 - theta P(s, s) from the chances to move, float64 [I]: no digits are lost where P(s, s) is near 1."""
        return (1.0 - theta) + theta * self.leave


def tilt(tensor: Tensor, start: np.ndarray, goal: np.ndarray, steps: int, *, dense: bool = True) -> Tilt:
    """The tilt whose mean hitting time is the budget ``steps``, at least the shortest path (or the untilted walk given
    that it arrives).

    Args:
        tensor: float64 [S, S], dense or sparse. start: float64 [S]. goal: bool [S].
        dense: whether the tilted tensor is to be dense.

    Raises:
        InputError: h does not settle, or success is below the smallest number.
    """
    moves = Moves.of(tensor, goal)
    if isinstance(tensor, np.ndarray) and len(tensor) <= FEW_NODES:
        found = _small_tilt(tensor, start, goal, np.isfinite(moves.distance), steps)
        if found is not None:
            return found
    solve = _solver(moves, steps)
    begin = np.flatnonzero((start > 0) & np.isfinite(moves.distance))
    shortest = moves.distance[begin].min(initial=np.inf)
    both = np.stack([goal, np.zeros(goal.size)])
    u, late = both
    height = np.zeros(goal.size)

    def first(theta: float) -> np.ndarray:
        """log of what u is to be multiplied with for start(s) h(s), at the nodes to begin with."""
        return np.log(start[begin]) + moves.distance[begin] * np.log(theta) + height[begin]

    def mean(theta: float, rough: bool = True) -> float:
        """The mean hitting time of the tilted walk, infinite where a step hardly ever leads on; leaves u and height."""
        height[moves.nodes] = (heights := moves.heights(theta))[:-1]
        both[:, moves.nodes] = solve(theta, heights, np.nan_to_num(both[:, moves.nodes]), rough)
        weight = np.exp(first(theta) - first(theta).max(initial=-np.inf))
        total, time = float(weight @ u[begin]), float(weight @ late[begin])
        return time / total if 0 < total < np.inf and time < np.inf else np.inf

    slowest = mean(1.0)
    theta = 1.0 if slowest <= steps else _root(mean, steps, shortest, slowest)
    mean(theta, rough=False)
    most = first(theta).max(initial=-np.inf)
    weight = np.exp(first(theta) - most) * u[begin]
    log_h = most + np.log(weight.sum())
    require(
        log_h - steps * np.log(theta) > np.log(np.finfo(np.float64).tiny),
        f"engine importance: success within {steps} steps is below the smallest number that there is (1e-308): leave"
        " this budget out, or raise it",
    )
    tilted = np.zeros(goal.size)
    tilted[begin] = weight / weight.sum()
    return Tilt(_tilted(moves, theta, height, u, dense), tilted, theta, float(log_h))


def _root(mean: Callable[[float], float], steps: int, shortest: float, slowest: float) -> float:
    """The theta in [LEAST, 1] whose mean time is ``steps``, by regula falsi on 1 / mean, which is linear in theta on a
    chain; every third trial halves the bracket. ``shortest`` and ``slowest``: the mean times at 0 and 1."""
    low, high = 0.0, 1.0
    below, above = steps / max(shortest, 0.5) - 1.0, steps / slowest - 1.0
    theta, side = 0.0, 0
    with working("tilts tried", TRIALS) as stage:
        for trial in range(TRIALS if below > 0 else 0):
            theta = 0.5 * (low + high) if trial % 3 == 2 else high - above * (high - low) / (above - below)
            theta = min(max(theta, low), high)
            found = steps / mean(theta) - 1.0
            stage.advance()
            if abs(found) <= NEAR or high - low <= 1e-15 * high or high < LEAST:
                break
            # An end that stays twice counts half (the Illinois rule), so that both ends move.
            if found > 0:
                low, below, above = theta, found, above * (0.5 if side > 0 else 1.0)
            else:
                high, above, below = theta, found, below * (0.5 if side < 0 else 1.0)
            side = 1 if found > 0 else -1
    return max(theta, LEAST)


def _small_tilt(
    tensor: np.ndarray, start: np.ndarray, goal: np.ndarray, reaches: np.ndarray, steps: int
) -> Tilt | None:
    """:func:`tilt` of a small graph by bisection and dense solves of h itself; None where h is no number. Every digit
    is part of the random stream: a rounding may order an alias table otherwise."""
    inner = np.flatnonzero(reaches & ~goal)
    moves = tensor[np.ix_(inner, inner)]
    arrive = sums(tensor, inner, np.flatnonzero(goal))
    # Where a walk hardly ever moves, 1 - P_ss has to come from the chances to move.
    leave = tensor[inner].sum(axis=1, where=np.arange(len(tensor)) != inner[:, None])
    rare = np.flatnonzero(leave < RARE)

    def solve(theta: float) -> tuple[np.ndarray, float, float]:
        system = np.eye(inner.size) - theta * moves
        system[rare, rare] = (1.0 - theta) + theta * leave[rare]
        h, slope = goal.astype(np.float64), np.zeros(len(tensor))
        h[inner] = np.linalg.solve(system, theta * arrive)
        slope[inner] = np.linalg.solve(system, h[inner])
        total = float(start @ h)
        late = float(start @ np.where(start > 0, slope, 0.0))  # infinite where a step hardly ever leads on
        return h, total, late / total if total > 0 else 0.0  # h underflows at a theta far too small

    low, high, theta = np.log(LEAST), 0.0, 1.0
    try:
        if solve(theta)[2] > steps:
            for _ in range(TRIALS):
                middle = 0.5 * (low + high)
                _, total, mean = solve(float(np.exp(middle)))
                low, high = (low, middle) if total > 0 and mean > steps else (middle, high)
            theta = float(np.exp(0.5 * (low + high)))
        h, total, _ = solve(theta)
    except np.linalg.LinAlgError:
        return None
    if not total > 0:
        return None
    alive = h > 0
    fixed = np.flatnonzero(goal | ~alive)
    tilted = np.zeros_like(tensor)
    tilted[alive] = theta * tensor[alive] * h / h[alive][:, None]
    tilted[fixed] = np.eye(len(h))[fixed]
    tilted /= tilted.sum(axis=1, keepdims=True)
    return Tilt(tilted, start * h / total, theta, float(np.log(total)))


def _solver(moves: Moves, steps: int) -> Solve:
    """(theta, heights, guess, rough) -> u = h / h0 and theta dh/dtheta / h0, float64 [2, I], with h0 of
    :meth:`Moves.scaled`; rough ones have a few digits.

    A Krylov method finds u nearly; sweeps of Gauss and Seidel, nearest nodes first, then settle every value to its own
    leading digits. Where that takes long, the system is factored. What counts is what u lacks to u = A u + b: a walk
    that arrives at the budget has a weight right to about ``DRIFT``.
    """
    from scipy.sparse import csr_array

    size, row, column = moves.nodes.size, moves.row, moves.column
    numbers, inner = np.arange(size), column < size

    def matrix(data: np.ndarray, part: np.ndarray, diagonal: np.ndarray | None = None) -> csr_array:
        if diagonal is None:
            return csr_array((data[part], (row[part], column[part])), shape=(size, size))
        where = (np.append(row[part], numbers), np.append(column[part], numbers))
        return csr_array((np.append(-data[part], diagonal), where), shape=(size, size))

    def solve(theta: float, height: np.ndarray, guess: np.ndarray, rough: bool) -> np.ndarray:
        scaled, pivot = moves.scaled(theta, height), moves.pivot(theta)
        behind = matrix(scaled, inner & (column > row))
        near = factored(matrix(scaled, column < row, pivot), "NATURAL")
        system = matrix(scaled, inner, pivot)

        def settled(right: np.ndarray, value: np.ndarray, rough: bool) -> np.ndarray:
            least = 1e-5 if rough else max(4e-15, DRIFT / steps)
            small = size <= FACTORED_NODES
            value = krylov(system, near, right, value, 1e-8 if rough else 1e-14)
            value, change = swept(near, behind, right, value, least, SOME_SWEEPS if small else SWEEPS)
            if change > least and small:
                with suppress(RuntimeError):  # singular, to the last digit
                    value = np.maximum(factored(system, "COLAMD")(right), 0.0)
                value, change = swept(near, behind, right, value, least, SOME_SWEEPS)
            if rough and not change <= least:
                return np.full(size, np.nan)
            require(
                change <= max(least, MOST_DRIFT / steps),
                f"engine importance: the tilt of a graph of {size} nodes does not settle: use engine traces, population"
                " or exact",
            )
            return value

        with np.errstate(all="ignore"):  # what is too large has not settled
            u = settled(np.bincount(row[~inner], scaled[~inner], size), guess[0], rough)
            return np.stack([u, settled(u, guess[1], True) if rough else guess[1]])

    return solve


def _tilted(moves: Moves, theta: float, height: np.ndarray, u: np.ndarray, dense: bool) -> Tensor:
    """P~(s, s') float64 [S, S]; nodes that no walk to the goal visits stay where they are."""
    alive = u[moves.nodes] > 0
    kept = alive[moves.row]
    row = moves.nodes[moves.row[kept]]
    column, chance = moves.target[kept], moves.scaled(theta, np.append(height[moves.nodes], 0.0))[kept]
    weight = chance * u[column] / u[row]
    others = np.setdiff1d(np.arange(u.size), moves.nodes[alive])
    stay = np.append(theta * moves.stay[alive], np.ones(others.size))
    places = np.append(moves.nodes[alive], others)
    row, column = np.append(row, places), np.append(column, places)
    weight = np.append(weight, stay)
    weight /= np.bincount(row, weight)[row]
    if not dense:
        return assembled(row, column, weight, (u.size, u.size))
    out = np.zeros((u.size, u.size))
    out[row, column] = weight
    return out
