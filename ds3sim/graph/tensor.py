"""Transition tensors: dense arrays of small graphs, sparse ones of large graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from scipy.sparse import csr_array

    Tensor: TypeAlias = np.ndarray | Any  # or a csr_array, which SciPy does not annotate

DENSE_NODES = 2048
"""Nodes up to which a tensor is a dense array, 32 MiB; above, memory grows with the edges."""


def entries(tensor: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The entries that are not 0, row by row: row and column int64 [E], value float64 [E]."""
    if isinstance(tensor, np.ndarray):
        row, column = map(np.ascontiguousarray, np.nonzero(tensor))  # they are columns of one array
        return row, column, tensor[row, column]
    row = np.repeat(np.arange(tensor.indptr.size - 1), np.diff(tensor.indptr))
    return row, tensor.indices.astype(np.int64), tensor.data


def mixture(share: float, one: Tensor, other: Tensor) -> Tensor:
    """``one`` with chance 1 - ``share``, ``other`` with ``share``."""
    return (1.0 - share) * one + share * other


def part(tensor: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """The entries in ``rows`` and ``columns``, as a tensor of the same kind."""
    if isinstance(tensor, np.ndarray):
        return tensor.take(rows, axis=0).take(columns, axis=1)
    if isinstance(tensor, np.ndarray):
        return tensor.take(rows, axis=0).take(columns, axis=1)
    return tensor[np.ix_(rows, columns)]


def sums(tensor: Tensor, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """For each of ``rows`` the chance to go to ``columns``, float64 [rows]."""
    return np.asarray(part(tensor, rows, columns).sum(axis=1))


def dense(tensor: Tensor) -> np.ndarray:
    """The tensor as a dense array."""
    return tensor if isinstance(tensor, np.ndarray) else tensor.toarray()


def sparse(tensor: Tensor) -> csr_array:
    """The tensor as a sparse array."""
    from scipy.sparse import csr_array

    return csr_array(tensor)


def assembled(row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """The sparse array of these entries; those of one place are added."""
    from scipy.sparse import coo_array

    matrix = coo_array((value, (row, column)), shape=shape).tocsr()
    matrix.eliminate_zeros()
    return matrix
