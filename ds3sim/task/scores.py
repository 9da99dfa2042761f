"""Scores of an evaluator, and their classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.lump import fewest_steps

Column = Callable[[int], tuple[np.ndarray, np.ndarray]]
SCORE_TOLERANCE = 1e-12
"""Scores closer than this, relatively, are one class: the evaluator cannot tell them apart."""


def hitting_value(tensor: np.ndarray, goal: np.ndarray, discount: float) -> tuple[np.ndarray, np.ndarray]:
    """v(s) = E[d^T | start at s] (docs/theory.md section 2) as mantissa * 2^exponent, float64 [S] and int64 [S].

    v is 1 on ``goal`` and exactly 0 where the goal is out of reach; a mantissa is 0 or in [0.5, 1).

    v solves (1 - d P_ss) v(s) = d sum_t P_st v(t), s not in the goal. Every v needs its own leading digits, however
    small: they decide ties and order. So no step may cancel or underflow: the matrix I - d P is an M-matrix, and
    elimination without pivoting adds numbers of one sign only, apart from the pivots, which stay above 1 - d. (Its
    transpose is diagonally dominant by columns, for which LAPACK's partial pivoting leaves the rows alone.) Nodes far
    from the goal are eliminated first; in the back substitution each value is then a sum over nodes closer to the
    goal or as close, done with exponents apart.

    Args:
        tensor: float64 [S, S], rows sum to 1, goal and dead rows absorb.
        goal: bool [S].
        discount: d in (0, 1).
    """
    mantissa, exponent = np.frexp(goal.astype(np.float64))
    exponent = exponent.astype(np.int64)
    source, target = np.nonzero(tensor)
    kept = ~goal[source]
    distance = fewest_steps(source[kept], target[kept], goal)
    inner = np.flatnonzero(np.isfinite(distance) & ~goal)
    if inner.size == 0:
        return mantissa, exponent
    inner = inner[np.argsort(-distance[inner], kind="stable")]
    rows = tensor[inner]
    rows[np.arange(inner.size), inner] = 0.0
    # 1 - d P_ss from the chance to leave: no digits lost where P_ss is near 1.
    pivot = (1.0 - discount) + discount * rows.sum(axis=1)
    matrix = -discount * rows[:, inner]
    matrix[np.arange(inner.size), np.arange(inner.size)] = pivot
    value, column = _eliminate(matrix.T, discount * rows[:, np.flatnonzero(goal)].sum(axis=1))
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


def _eliminate(transposed: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, Column]:
    """A^T = L U without pivoting. Returns y with U^T y = right, and i -> (j, -L[j, i]) over j > i.

    A x = right is then solved by x_i = y_i - sum_{j > i} L[j, i] x_j. Sparse where that pays.
    """
    size = right.size
    row, column = np.nonzero(transposed)
    reach = np.arange(size)
    np.minimum.at(reach, np.maximum(row, column), np.minimum(row, column))
    if size > 256 and np.sum(np.arange(size) - reach) < size**2 / 16:  # elimination fills the envelope at most
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import splu

        matrix = csc_array((transposed[row, column], (row, column)), shape=transposed.shape)
        factors = splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        lower, upper = factors.L.tocsc(), factors.U.tocsc()
        value = np.zeros(size)
        for i in range(size):
            k, u = (part[upper.indptr[i] : upper.indptr[i + 1]] for part in (upper.indices, upper.data))
            value[i] = (right[i] - u[k < i] @ value[k[k < i]]) / u[k == i][0]

        def sparse_column(i: int) -> tuple[np.ndarray, np.ndarray]:
            j, weight = (part[lower.indptr[i] : lower.indptr[i + 1]] for part in (lower.indices, lower.data))
            return j[j > i], -weight[j > i]

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
        mantissa, exponent = hitting_value(graph.transition_tensor(), graph.goal, discount)
        order = np.lexsort((-mantissa, -exponent, mantissa == 0))
        mantissa, exponent = mantissa[order], exponent[order]
        ratio = np.ldexp(mantissa[1:], exponent[1:] - exponent[:-1])  # of the lower score, in units of the higher
        apart = mantissa[:-1] - ratio > SCORE_TOLERANCE * mantissa[:-1]
    classes = np.empty(order.size, dtype=np.int64)
    classes[order] = np.concatenate([[0], np.cumsum(apart)])
    return classes


def best_of_b(tensor: np.ndarray, classes: np.ndarray, branches: int) -> np.ndarray:
    """Law of the best of b independent proposals, float64 [S, S] (docs/theory.md section 2).

    P(best is in class j) = G_j^b - G_{j+1}^b with G_j the chance of class j or worse; within a
    class in proportion to P. Written through log1p and expm1, so small chances keep their digits.
    """
    if branches == 1:
        return tensor.copy()
    row, column = np.nonzero(tensor)
    order = np.lexsort((classes[column], row))
    row, column = row[order], column[order]
    weight, kind = tensor[row, column], classes[column]
    # One group per row and class that occurs in it; a row's groups stand side by side, best first.
    new_row = np.concatenate([[True], row[1:] != row[:-1]])
    group = np.cumsum(new_row | np.concatenate([[True], kind[1:] != kind[:-1]])) - 1
    slot = group - np.maximum.accumulate(np.where(new_row, group, 0))
    mass = np.zeros((len(tensor), int(slot.max()) + 1))
    np.add.at(mass, (row, slot), weight)
    # worse[:, j] = chance of group j or worse, and its complement better[:, j], each summed from
    # its own end: neither loses digits to 1 - x.
    better = np.concatenate([np.zeros((len(mass), 1)), np.cumsum(mass, axis=1)[:, :-1]], axis=1)
    worse = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(worse > 0, np.minimum(mass / worse, 1.0), 0.0)
        log_worse = np.where(better < 0.5, np.log1p(-np.minimum(better, 1.0)), np.log(np.minimum(worse, 1.0)))
        kept = np.where(share >= 1.0, 1.0, -np.expm1(branches * np.log1p(-share)))
        chance = np.where(worse > 0, np.exp(branches * log_worse) * kept, 0.0)
        ratio = np.where(mass > 0, chance / mass, 0.0)
    best = np.zeros_like(tensor)
    best[row, column] = weight * ratio[row, slot]
    return best / best.sum(axis=1, keepdims=True)
