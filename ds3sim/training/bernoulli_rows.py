"""Sampled random graphs: rows of independent Bernoulli cells, in JAX, addressed by counter.

Row i of a graph is a sequence of cells, each filled with probability p. The gap to the next filled cell is geometric,
so a row costs one draw per filled cell: gap = floor(ln U / ln(1 - p)), U uniform in (0, 1) with 53 bits. Draw j of row
i is a function of (key, i, j) alone, so a graph does not depend on the batch it was made in, and rows that need more
draws than the array is wide are made again, wider, with the same beginning.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
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


def generators(seed: int, name: str, batches: Numbers, purpose: int) -> Iterator[np.random.Generator]:
    """NumPy's generators (Philox) for host-side draws of several batches."""
    for high, low in keys(seed, name, batches, purpose).tolist():
        yield np.random.Generator(np.random.Philox(key=[high << 32 | low, 0]))


def generator(seed: int, name: str, batch: int, purpose: int) -> np.random.Generator:
    """The generator of one batch."""
    return next(generators(seed, name, [batch], purpose))


def few_sizes(need: float) -> int:
    """The least size >= ``need`` of a few (a quarter of a power of two apart), as each is compiled."""
    unit = 2 ** max(2, math.floor(math.log2(need)) - 2)
    return math.ceil(need / unit) * unit


@partial(jax.jit, static_argnums=(2, 4))
def _rows(made: jax.Array, cells: jax.Array, rows: int, log_empty: jax.Array, width: int) -> jax.Array:
    """int32 [graphs, rows, width]: filled cells in increasing order, ``cells`` beyond the last."""
    lane = jnp.arange(rows, dtype=jnp.uint32)[:, None]
    number = jnp.arange(width, dtype=jnp.uint32)[None, :]

    def of(key: jax.Array) -> jax.Array:
        high, low = rng.draw(key, lane, number)
        uniform = ((high >> 5).astype(jnp.float64) * 2.0**26 + (low >> 6).astype(jnp.float64) + 0.5) * 2.0**-53
        gap = jnp.minimum(jnp.floor(jnp.log(uniform) / log_empty), cells.astype(jnp.float64)).astype(jnp.int64)
        return jnp.minimum(jnp.cumsum(gap + 1, axis=1) - 1, cells).astype(jnp.int32)

    return jax.vmap(of)(made)


def bernoulli_rows(made: Numbers, rows: int, cells: int, chance: float) -> np.ndarray:
    """Filled cells of independent rows of ``cells`` cells, each filled with probability ``chance``.

    Args:
        made: keys of the graphs, uint32 [graphs, 2].
        rows, cells: sizes of a graph; cells <= ``MOST_CELLS``.
        chance: p in [0, 1].

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
    mean = cells * chance
    width = min(few_sizes(mean + 7.0 * math.sqrt(mean + 1.0) + 8.0), cells + 1)  # almost never filled
    while True:
        found = np.asarray(_rows(made, np.int64(cells), rows, math.log1p(-chance), width))
        if (found[..., -1] == cells).all():
            return found
        width = min(width + max(8, width // 4), cells + 1)


def precise() -> AbstractContextManager[None]:
    """64-bit types for the calls inside, and nowhere else."""
    return jax.enable_x64(True)
