"""Hitting values E[d^T] of large sparse walks, by iteration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

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


def hitting_values(
    moves: csr_array, leave: np.ndarray, discount: float, right: np.ndarray, rough: bool = False
) -> np.ndarray:
    """The v that solves v = d P v + ``right``, float64 [S]; all terms are nonnegative.

    A Krylov method finds v nearly; sweeps of Gauss and Seidel, nearest nodes first, then settle every value to its
    own leading digits. Relative to the value, the error is about ``RESIDUAL`` times the mean number of steps of the
    tilted walk. Values below ``SMALLEST`` are not accurate.

    Args:
        moves: float64 [S, S], P among the nodes from which the goal can be reached, nearest to the goal first.
        leave: float64 [S], chance of a step away from these nodes.
        discount: d in (0, 1].
        right: float64 [S]; d times the chance of a step to the goal for v = E[d^T].
        rough: a few digits will do.

    Raises:
        InputError: the sweeps do not settle.
    """
    from scipy.sparse import csc_array, tril, triu
    from scipy.sparse.linalg import LinearOperator, bicgstab, splu

    size = right.size
    system = hitting_system(moves, leave, discount)
    lower, behind = tril(system), -triu(system, 1)
    near = splu(csc_array(lower), permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve
    nearly = LinearOperator((size, size), matvec=near, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    value, _ = bicgstab(system, right, rtol=1e-8 if rough else 1e-14, atol=0.0, maxiter=500, M=nearly)
    value = np.where(np.isfinite(value), np.maximum(value, 0.0), 0.0)
    for _ in range(SWEEPS):
        after = near(right + behind @ value)
        change = np.max(np.abs(after - value) / np.maximum(after, SMALLEST), initial=0.0)
        value = after
        if change <= (1e-5 if rough else RESIDUAL):
            return value
    raise InputError(
        f"the hitting values of a graph of {size} nodes do not settle in {SWEEPS} sweeps: give every node a score, or"
        " use step = cot and engine traces, population or exact"
    )
