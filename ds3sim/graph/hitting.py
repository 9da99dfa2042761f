"""Hitting values E[d^T] of large sparse walks, by iteration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_array

    Solve = Callable[[np.ndarray], np.ndarray]

RESIDUAL = 1e-14
"""Largest difference between a value and what its successors say, relative to the value."""
SWEEPS = 2000
SMALLEST = 1e-290


def hitting_system(moves: csr_array, leave: np.ndarray, discount: float) -> csr_array:
    """The matrix 1 - d P of :func:`hitting_values`, float64 [S, S].

    Args:
        moves: float64 [S, S], P among the nodes. leave: float64 [S], chance of a step away from them.
        discount: d in (0, 1].
    """
    from scipy.sparse import csr_array, diags_array

    others = moves - diags_array(moves.diagonal())
    # 1 - d P_ss from the chances to move: no digits lost where P_ss is near 1.
    pivot = (1.0 - discount) + discount * (leave + np.asarray(others.sum(axis=1)))
    return csr_array(diags_array(pivot) - discount * others)


def factored(matrix: Any, order: str) -> Solve:
    """right -> the solution for a matrix with diagonal 1 - d P_ss and no positive entries beside it: without pivots
    nothing cancels off the diagonal. ``order``: SuperLU's name of the order of columns."""
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    options: Any = {"SymmetricMode": True}
    return splu(csc_array(matrix), permc_spec=order, diag_pivot_thresh=0.0, options=options).solve


def krylov(system: csr_array, near: Solve, right: np.ndarray, value: np.ndarray | None, digits: float) -> np.ndarray:
    """About the solution of ``system`` v = ``right`` with v >= 0, from the guess ``value``; ``near`` solves nearly."""
    from scipy.sparse.linalg import LinearOperator, bicgstab

    nearly = LinearOperator(system.shape, matvec=near, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    found, _ = bicgstab(system, right, value, rtol=digits, atol=0.0, maxiter=500, M=nearly)
    return np.where(np.isfinite(found), np.maximum(found, 0.0), 0.0)


def swept(
    near: Solve, behind: csr_array, right: np.ndarray, value: np.ndarray, least: float, sweeps: int
) -> tuple[np.ndarray, float]:
    """``value`` after sweeps of Gauss and Seidel until none changes by more than ``least`` of itself, and the last
    change; all terms are nonnegative. ``near`` solves the lower triangle, ``behind`` is minus the strict upper one."""
    change = np.inf
    for _ in range(sweeps):
        after = near(right + behind @ value)
        change = float(np.max(np.abs(after - value) / np.maximum(after, SMALLEST), initial=0.0))
        value = after
        if change <= least:
            break
    return value, change


def hitting_values(moves: csr_array, leave: np.ndarray, discount: float, right: np.ndarray) -> np.ndarray:
    """The v that solves v = d P v + ``right``, float64 [S]; all terms are nonnegative.

    A Krylov method finds v nearly; sweeps of Gauss and Seidel, nearest nodes first, then settle every value to its
    own leading digits. Relative to the value, the error is about ``RESIDUAL`` times the mean number of steps of the
    tilted walk. Values below ``SMALLEST`` are not accurate.

    Args:
        moves: float64 [S, S], P among the nodes from which the goal can be reached, nearest to the goal first.
        leave: float64 [S], chance of a step away from these nodes.
        discount: d in (0, 1].
        right: float64 [S]; d times the chance of a step to the goal for v = E[d^T].

    Raises:
        InputError: the sweeps do not settle.
    """
    from scipy.sparse import tril, triu

    system = hitting_system(moves, leave, discount)
    near, behind = factored(tril(system), "NATURAL"), -triu(system, 1)
    value, change = swept(near, behind, right, krylov(system, near, right, None, 1e-14), RESIDUAL, SWEEPS)
    require(
        change <= RESIDUAL,
        f"the hitting values of a graph of {right.size} nodes do not settle in {SWEEPS} sweeps: give every node a"
        " score, or use step = cot and engine traces, population or exact",
    )
    return value
