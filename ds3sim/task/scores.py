"""Scores of an evaluator, and their classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.errors import require
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.hitting import SMALLEST, hitting_system, hitting_values
from ds3sim.graph.lump import fewest_steps
from ds3sim.graph.tensor import assembled, entries, part, sparse, sums

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

Column = Callable[[int], tuple[np.ndarray, np.ndarray]]
SCORE_TOLERANCE = 1e-12
"""Scores closer than this, relatively, are one class: the evaluator cannot tell them apart."""
MOST_ENVELOPE = 2**24
"""Entries that the elimination of a sparse system may fill, 12 bytes each; beyond, it is iterated."""


def hitting_value(tensor: Tensor, goal: np.ndarray, discount: float) -> tuple[np.ndarray, np.ndarray]:
    """v(s) = E[d^T | start at s] (docs/theory.md section 2) as mantissa * 2^exponent, float64 [S] and int64 [S].

    v is 1 on ``goal`` and exactly 0 where the goal is out of reach; a mantissa is 0 or in [0.5, 1).

    v solves (1 - d P_ss) v(s) = d sum_t P_st v(t), s not in the goal. Every v needs its own leading digits, however
    small: they decide ties and order. So no step may cancel or underflow: the matrix I - d P is an M-matrix, and
    elimination without pivoting adds numbers of one sign only, apart from the pivots, which stay above 1 - d. (Its
    transpose is diagonally dominant by columns, for which LAPACK's partial pivoting leaves the rows alone.) Nodes far
    from the goal are eliminated first; in the back substitution each value is then a sum over nodes closer to the
    goal or as close, done with exponents apart.

    Args:
        tensor: float64 [S, S], dense or sparse, rows sum to 1, goal and dead rows absorb.
        goal: bool [S].
        discount: d in (0, 1).

    Raises:
        InputError: a sparse tensor on which the values do not settle.
    """
    mantissa, exponent = np.frexp(goal.astype(np.float64))
    exponent = exponent.astype(np.int64)
    source, target, _ = entries(tensor)
    kept = ~goal[source]
    distance = fewest_steps(source[kept], target[kept], goal)
    inner = np.flatnonzero(np.isfinite(distance) & ~goal)
    if inner.size == 0:
        return mantissa, exponent
    inner = inner[np.argsort(-distance[inner], kind="stable")]
    arrive = sums(tensor, inner, np.flatnonzero(goal))
    matrix, leave = _system(tensor, inner, arrive, distance, discount)
    if matrix is None:
        near = inner[::-1]
        value = hitting_values(sparse(part(tensor, near, near)), leave[::-1], discount, discount * arrive[::-1])
        require(value.min() > SMALLEST, "some default scores are below 1e-290: give every node a score")
        mantissa[near], exponent[near] = np.frexp(value)
        return mantissa, exponent
    value, column = _eliminate(matrix.T, discount * arrive)
    inner_mantissa, inner_exponent = np.frexp(value)
    inner_exponent = inner_exponent.astype(np.int64)
    for i in range(inner.size - 2, -1, -1):
        after, weight = column(i)
        # Terms weight * v(after), and y_i, each with its own exponent; the largest sets the scale.
        term, power = np.frexp(np.append(weight * inner_mantissa[after], value[i]))
        power = power + np.append(inner_exponent[after], 0)
        if not np.any(term > 0):
            continue
        top = power[term > 0].max()
        total = np.sum(np.ldexp(term, power - top))
        inner_mantissa[i], more = np.frexp(total)
        inner_exponent[i] = top + more
    mantissa[inner], exponent[inner] = inner_mantissa, inner_exponent
    return mantissa, exponent


def _system(
    tensor: Tensor, inner: np.ndarray, arrive: np.ndarray, distance: np.ndarray, discount: float
) -> tuple[Tensor | None, np.ndarray]:
    """The matrix I - d P of the nodes ``inner``, None where its elimination would fill too much, and their chances to
    leave for the goal or for where it is out of reach."""
    leave = arrive + sums(tensor, inner, np.flatnonzero(~np.isfinite(distance)))
    if isinstance(tensor, np.ndarray):
        rows = tensor[inner]
        rows[np.arange(inner.size), inner] = 0.0
        # 1 - d P_ss from the chance to leave: no digits lost where P_ss is near 1.
        matrix = -discount * rows[:, inner]
        matrix[np.arange(inner.size), np.arange(inner.size)] = (1.0 - discount) + discount * rows.sum(axis=1)
        return matrix, leave
    moves = sparse(part(tensor, inner, inner))
    if _envelope(*entries(moves)[:2], inner.size) > MOST_ENVELOPE:
        return None, leave
    return hitting_system(moves, leave, discount), leave


def _envelope(row: np.ndarray, column: np.ndarray, size: int) -> int:
    """Entries that elimination in the given order fills at most."""
    reach = np.arange(size)
    np.minimum.at(reach, np.maximum(row, column), np.minimum(row, column))
    return int(np.sum(np.arange(size) - reach))


def _eliminate(transposed: Tensor, right: np.ndarray) -> tuple[np.ndarray, Column]:
    """A^T = L U without pivoting. Returns y with U^T y = right, and i -> (j, -L[j, i]) over j > i.

    A x = right is then solved by x_i = y_i - sum_{j > i} L[j, i] x_j. Sparse where that pays.
    """
    size = right.size
    whole = isinstance(transposed, np.ndarray)
    row, column, entry = entries(transposed if whole else transposed.tocsr())
    if not whole or (size > 256 and _envelope(row, column, size) < size**2 / 16):
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import splu

        matrix = csc_array((entry, (row, column)), shape=transposed.shape)
        factors = splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        lower, upper = factors.L.tocsc(), factors.U.tocsc()
        value = np.zeros(size)
        for i in range(size):
            here = slice(upper.indptr[i], upper.indptr[i + 1])
            k, u = upper.indices[here], upper.data[here]
            value[i] = (right[i] - u[k < i] @ value[k[k < i]]) / u[k == i][0]

        def sparse_column(i: int) -> tuple[np.ndarray, np.ndarray]:
            here = slice(lower.indptr[i], lower.indptr[i + 1])
            j = lower.indices[here]
            return j[j > i], -lower.data[here][j > i]

        return value, sparse_column
    from scipy.linalg import lu_factor, solve_triangular

    factor, _ = lu_factor(transposed, check_finite=False)
    value = solve_triangular(factor, right, trans=1, check_finite=False)
    return value, lambda i: (np.arange(i + 1, size), -factor[i + 1 :, i])


def score_classes(graph: SkillGraph, discount: float) -> np.ndarray:
    """Class of each node by score, int64 [S]; 0 is the best, equal scores share a class.

    Scores count as equal when neighbours in the ranking differ by at most ``SCORE_TOLERANCE``
    relatively. Nodes without a path to the goal have the score 0 and share the last class.
    """
    if graph.score is not None:
        score = graph.score
        order = np.argsort(-score, kind="stable")
        ranked = score[order]
        gap = ranked[:-1] - ranked[1:]
        apart = gap > SCORE_TOLERANCE * np.maximum(np.abs(ranked[:-1]), np.abs(ranked[1:]))
    else:
        mantissa, exponent = hitting_value(graph.tensor(), graph.goal, discount)
        order = np.lexsort((-mantissa, -exponent, mantissa == 0))
        mantissa, exponent = mantissa[order], exponent[order]
        ratio = np.ldexp(mantissa[1:], exponent[1:] - exponent[:-1])  # of the lower score, in units of the higher
        apart = mantissa[:-1] - ratio > SCORE_TOLERANCE * mantissa[:-1]
    classes = np.empty(order.size, dtype=np.int64)
    classes[order] = np.concatenate([[0], np.cumsum(apart)])
    return classes


def best_of_b(tensor: Tensor, classes: np.ndarray, branches: int) -> Tensor:
    """Law of the best of b independent proposals, float64 [S, S] (docs/theory.md section 2).

    P(best is in class j) = G_j^b - G_{j+1}^b with G_j the chance of class j or worse; within a
    class in proportion to P. Written through log1p and expm1, so small chances keep their digits.
    """
    if branches == 1:
        return tensor.copy()
    row, column, weight = entries(tensor)
    order = np.lexsort((classes[column], row))
    row, column, weight = row[order], column[order], weight[order]
    kind = classes[column]
    # One group per row and class that occurs in it; a row's groups stand side by side, best first.
    new_row = np.concatenate([[True], row[1:] != row[:-1]])
    group = np.cumsum(new_row | np.concatenate([[True], kind[1:] != kind[:-1]])) - 1
    slot = group - np.maximum.accumulate(np.where(new_row, group, 0))
    most = np.zeros(classes.size, dtype=np.int64)
    np.maximum.at(most, row, slot)
    most = 1 << np.ceil(np.log2(most + 1)).astype(np.int64)
    best = np.empty_like(weight)
    for size in np.unique(most).tolist():  # rows of about equal length together: memory in proportion to the entries
        rows = np.flatnonzero(most == size)
        place = np.empty_like(most)
        place[rows] = np.arange(rows.size)
        mine = most[row] == size
        mass = np.zeros((rows.size, size))
        np.add.at(mass, (place[row[mine]], slot[mine]), weight[mine])
        best[mine] = weight[mine] * _kept(mass, branches)[place[row[mine]], slot[mine]]
    if isinstance(tensor, np.ndarray):
        law = np.zeros_like(tensor)
        law[row, column] = best
        return law / law.sum(axis=1, keepdims=True)
    return assembled(row, column, best / np.bincount(row, best)[row], (classes.size, classes.size))


def _kept(mass: np.ndarray, branches: int) -> np.ndarray:
    """Factor by which the best of b changes the chances of the groups of each row, best first, float64 [R, J]."""
    # worse[:, j] = chance of group j or worse, and its complement better[:, j], each summed from
    # its own end: neither loses digits to 1 - x.
    better = np.concatenate([np.zeros((len(mass), 1)), np.cumsum(mass, axis=1)[:, :-1]], axis=1)
    worse = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(worse > 0, np.minimum(mass / worse, 1.0), 0.0)
        log_worse = np.where(better < 0.5, np.log1p(-np.minimum(better, 1.0)), np.log(np.minimum(worse, 1.0)))
        kept = np.where(share >= 1.0, 1.0, -np.expm1(branches * np.log1p(-share)))
        chance = np.where(worse > 0, np.exp(branches * log_worse) * kept, 0.0)
        return np.where(mass > 0, chance / mass, 0.0)
