"""Sampled random graphs: rows of independent Bernoulli cells, in JAX, addressed by counter.

Row i of a graph is a sequence of cells, each filled with probability p. The gap to the next filled cell is geometric,
so
a row costs one draw per filled cell: gap = floor(ln U / ln(1 - p)), U uniform in (0, 1] with 53 bits. Draw j of row i
is a
function of (key, i, j) alone, so a graph does not depend on the batch it was made in, and rows that need more draws
than
the array is wide are made again, wider, with the same beginning.
"""

from __future__ import annotations

import hashlib
import math
from contextlib import AbstractContextManager
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ds3sim.core import rng
from ds3sim.core.check import Numbers
from ds3sim.core.errors import require

MOST_CELLS = 2**31 - 2
"""Cells of a row."""

EDGES, UNKNOWN, CONCEPTS, _, LINKS, TASK, WALKS = range(16, 23)
"""Purposes of keys, beyond those of core/rng.py."""


def identity(*parts: object) -> str:
    """Hex digest that stands for a simulation's parameters in keys."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def keys(seed: int, name: str, batches: Numbers, purpose: int) -> np.ndarray:
    """Keys of several batches, uint32 [len(batches), 2]."""
    return rng.batch_keys(seed, [name] * len(batches), batches, [purpose])[:, 0]


def generator(seed: int, name: str, batch: int, purpose: int) -> np.random.Generator:
    """NumPy's generator (Philox) for host-side draws of one batch."""
    words = rng.batch_key(seed, name, batch, purpose)
    return np.random.Generator(np.random.Philox(key=[int(words[0]) << 32 | int(words[1]), 0]))


def enough(mean: float) -> int:
    """A width that a row with ``mean`` filled cells almost never fills; few distinct ones, as each is compiled."""
    need = mean + 7.0 * math.sqrt(mean + 1.0) + 8.0
    unit = 2 ** max(2, math.floor(math.log2(need)) - 2)
    return math.ceil(need / unit) * unit


def uniform(key: Numbers, lane: Numbers, number: Numbers) -> Numbers:
    """Uniform in (0, 1), 53 bits: (k + 1/2) 2^-53. Needs 64-bit types to be on."""
    high, low = rng.draw(key, lane, number)
    return ((high >> 5).astype(jnp.float64) * 2.0**26 + (low >> 6).astype(jnp.float64) + 0.5) * 2.0**-53


@partial(jax.jit, static_argnums=(2, 4))
def _rows(made, cells, rows: int, log_empty, width: int):
    """int32 [graphs, rows, width]: filled cells in increasing order, ``cells`` beyond the last."""
    return jax.vmap(lambda key: _rows_of(key, cells, rows, log_empty, width))(made)


def _rows_of(key, cells, rows: int, log_empty, width: int):
    lane = jnp.arange(rows, dtype=jnp.uint32)[:, None]
    number = jnp.arange(width, dtype=jnp.uint32)[None, :]
    gap = jnp.log(uniform(key, lane, number)) / log_empty
    gap = jnp.minimum(jnp.floor(gap), cells.astype(jnp.float64)).astype(jnp.int64)
    place = jnp.cumsum(gap + 1, axis=1) - 1
    return jnp.minimum(place, cells).astype(jnp.int32)


def bernoulli_rows(made: Numbers, rows: int, cells: int, chance: float, width: int | None = None) -> np.ndarray:
    """Filled cells of independent rows of ``cells`` cells, each filled with probability ``chance``.

    Args:
        made: keys of the graphs, uint32 [graphs, 2].
        rows, cells: sizes of a graph; cells <= ``MOST_CELLS``.
        chance: p in [0, 1].
        width: columns to begin with; None chooses.

    Returns:
        int32 array [graphs, rows, width]: positions in increasing order, then ``cells`` to the end. The last column is
        always ``cells``, so no filled cell is missing. Call with 64-bit types on (:func:`precise`).

    Raises:
        InputError: sizes out of range.
    """
    require(rows > 0 and 0 < cells <= MOST_CELLS, f"{rows} rows of {cells} cells cannot be sampled")
    if chance <= 0:
        return np.full((len(made), rows, 1), cells, dtype=np.int32)
    if chance >= 1:
        return np.broadcast_to(np.arange(cells + 1, dtype=np.int32), (len(made), rows, cells + 1))
    width = min(width or enough(cells * chance), cells + 1)
    while True:
        found = np.asarray(_rows(made, np.int64(cells), rows, math.log1p(-chance), width))
        if (found[..., -1] == cells).all():
            return found
        width = min(width + max(8, width // 4), cells + 1)


def precise() -> AbstractContextManager[None]:
    """64-bit types for the calls inside, and nowhere else."""
    return jax.enable_x64(True)
