"""Alias tables (Walker 1977), all rows at once: one table look-up samples any discrete law."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core import arrays, rng, runtime

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CELLS_AT_ONCE = 2**21
"""Cells of a stack of rows whose alias tables are made together."""


def alias_tables(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alias tables of the rows of ``probability``.

    The sweep of Huebschle-Schneider and Sanders ("Parallel weighted random sampling", 2022): light
    items are filled up by the current heavy item; one that falls below 1 is itself filled up by
    the next. Each pass settles one column of every row.

    Args:
        probability: float64 [R, W], nonnegative, rows sum to 1 (they are normalised here).

    Returns:
        threshold float64 [R, W] in [0, 1] and alias int64 [R, W]: draw a column c uniformly, keep it
        with chance ``threshold[r, c]``, else take ``alias[r, c]``.
    """
    weight = _weights(probability)
    if runtime.compiled():
        from ds3sim.engine.traces.native_alias import settled

        threshold, alias = settled(weight)
        return np.clip(threshold, 0.0, 1.0), alias
    rows, width = weight.shape
    everyone = np.arange(rows)
    light = weight < 1.0
    order = np.argsort(~light, axis=1, kind="stable")
    lights = light.sum(axis=1)
    threshold = np.ones((rows, width))
    alias = np.tile(np.arange(width), (rows, 1))
    i = np.zeros(rows, dtype=np.int64)
    j = lights.copy()
    has_heavy = j < width
    heavy = order[everyone, np.minimum(j, width - 1)]
    spare = np.where(has_heavy, weight[everyone, heavy], 1.0)
    for _ in range(width):
        from_light = (spare >= 1.0) & (i < lights) & has_heavy
        r = everyone[from_light]
        item = order[r, i[r]]
        threshold[r, item] = weight[r, item]
        alias[r, item] = heavy[r]
        spare[r] += weight[r, item] - 1.0
        i[r] += 1
        from_heavy = (spare < 1.0) & (j < width - 1) & ~from_light
        r = everyone[from_heavy]
        following = order[r, j[r] + 1]
        threshold[r, heavy[r]] = spare[r]
        alias[r, heavy[r]] = following
        spare[r] += weight[r, following] - 1.0
        heavy[r] = following
        j[r] += 1
        if not (from_light.any() or from_heavy.any()):
            break
    return np.clip(threshold, 0.0, 1.0), alias


def _weights(probability: np.ndarray) -> np.ndarray:
    """Rows that sum to their width."""
    return probability / probability.sum(axis=1, keepdims=True) * probability.shape[1]


def _packed_alias(probability: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An alias table for two 32-bit words: uint32 thresholds, and both outcomes in one uint32.

    Args:
        probability: float64 [R, W], W a power of two.
        code: uint16 [R, W], what column c of row r stands for.

    Returns:
        threshold and outcome, uint32 [R, W] (low half: the column's own code, high half: its alias). Each probability
        is kept to within 2^-32 absolutely.
    """
    if runtime.compiled():
        from ds3sim.engine.traces.native_alias import packed

        return packed(_weights(probability), code)
    threshold, alias = alias_tables(probability)
    other = np.take_along_axis(code, alias, axis=1)
    limit = np.minimum(np.rint(threshold * 2.0**32), 2.0**32 - 1).astype(np.uint32)
    return limit, (code.astype(np.uint32) | (other.astype(np.uint32) << np.uint32(16)))


def row_tables(stacks: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Flat packed tables of the rows of each law, over its possible outcomes only: threshold and outcome, uint32 [R *
    W], and W, a power of two. Laws of one width share the passes over the columns of their tables.

    ``stacks``: laws of equal shape each, float64 [T, R, C], rows sum to 1; an outcome's code is its column.
    """
    wide: dict[int, list[tuple[list[int], np.ndarray, np.ndarray]]] = {}  # width: places, chances and codes [T R, W]
    total = 0
    for laws in stacks:
        possible = (laws > 0).sum(axis=2).max(axis=1, initial=1)
        widths = np.array([power_of_two(max(2, int(most))) for most in possible])
        for width in np.unique(widths).tolist():
            members = np.flatnonzero(widths == width)
            flat = (laws if len(members) == len(laws) else laws[members]).reshape(-1, laws.shape[2])
            wide.setdefault(width, []).append(((total + members).tolist(), *_possible(flat, width)))
        total += len(laws)
    out = {}
    for width, parts in wide.items():
        chance, code = (np.concatenate([part[j] for part in parts]) for j in (1, 2))
        size = max(1, CELLS_AT_ONCE // width)
        found = [_packed_alias(chance[i : i + size], code[i : i + size]) for i in range(0, len(chance), size)]
        threshold, outcome = (np.concatenate(part) for part in zip(*found, strict=True))
        end = 0
        for members, chance, _ in parts:
            for i in members:
                own = slice(end, end := end + len(chance) // len(members))
                out[i] = (threshold[own].ravel(), outcome[own].ravel(), width)
    return [out[i] for i in range(total)]


def _possible(laws: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Chances and codes, [R, width] each, of the possible outcomes of rows, float64 [R, C]."""
    row, column = np.nonzero(laws > 0)
    fanout = np.bincount(row, minlength=len(laws))
    first = np.cumsum(fanout) - fanout
    place = row * width + np.arange(row.size) - np.repeat(first, fanout)
    chance = np.zeros((len(laws), width))
    # What has no chance repeats a possible outcome, so that rounding can never produce it.
    code = np.repeat(column[first].astype(np.uint16), width).reshape(chance.shape)
    chance.ravel()[place], code.ravel()[place] = laws[row, column], column
    return chance, code


def uniform_tables(law: csr_array, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat packed tables of the rows of a sparse law, threshold and outcome uint32 [R * width], as :func:`row_tables`.

    Args:
        law: float64 [R, C], rows sum to 1. width: a power of two, at least the entries of any row.
    """
    found = [_packed_alias(chance, code) for _, chance, code in _filled(law, np.full(law.indptr.size - 1, width))]
    return np.concatenate([t.ravel() for t, _ in found]), np.concatenate([o.ravel() for _, o in found])


def wide_tables(law: csr_array) -> tuple[np.ndarray, ...]:
    """Flat tables whose rows have their own widths and thresholds 96 bits: memory in proportion to the entries.

    Args:
        law: float64 [R, C], rows sum to 1, C at most 65536; an outcome's code is its column.

    Returns:
        threshold, outcome, middle and low words of the thresholds, uint32 [entries] each, and places uint32 [R]: the
        first entry of a row and the logarithm of its width, in 27 and 5 bits.
    """
    fanout = np.maximum(2, np.diff(law.indptr)).astype(np.int64)
    logarithm = np.ceil(np.log2(fanout)).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(1 << logarithm)])
    threshold, outcome, middle, low = np.zeros((4, first[-1]), np.uint32)
    for rows, chance, code in _filled(law, 1 << logarithm):
        keep, alias = alias_tables(chance)
        at = first[rows][:, None] + np.arange(chance.shape[1])
        threshold[at], middle[at], low[at] = np.moveaxis(rng.threshold(keep, 3), -1, 0)
        other = np.take_along_axis(code, alias, axis=1)
        outcome[at] = code.astype(np.uint32) | (other.astype(np.uint32) << np.uint32(16))
    return threshold, outcome, middle, low, (first[:-1] << 5 | logarithm).astype(np.uint32)


def wide_entries(law: csr_array) -> int:
    """Entries of :func:`wide_tables` at most."""
    return 2 * (law.nnz + law.indptr.size)


def _filled(law: csr_array, widths: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(rows, chances, codes) of rows of one width, filled up to it; what has no chance repeats a possible outcome."""
    fanout = np.diff(law.indptr)
    for width in np.unique(widths).tolist():
        every = np.flatnonzero(widths == width)
        for rows in np.array_split(every, -(-every.size * width // CELLS_AT_ONCE)):
            inside = np.arange(width) < fanout[rows][:, None]
            place = law.indptr[rows][:, None] + np.where(inside, np.arange(width), 0)
            yield rows, np.where(inside, law.data[place], 0.0), law.indices[place].astype(np.uint16)


def padded(table: np.ndarray, least: int = 4096) -> np.ndarray:
    """``table`` with zeros up to a power of two, so that tables of many sizes share one compiled kernel."""
    size = power_of_two(max(least, table.size))
    return np.concatenate([table, np.zeros(size - table.size, table.dtype)])


def power_of_two(value: int) -> int:
    """The smallest power of two that is at least ``value`` (>= 1)."""
    return 1 << max(0, int(value) - 1).bit_length()


def lookup(
    threshold: arrays.UInt32[arrays.Array, " entries"],
    outcome: arrays.UInt32[arrays.Array, " entries"],
    row: arrays.Int32[arrays.Array, "*#lanes"],
    mask: arrays.UInt32[arrays.Array, "*#lanes"],
    word0: arrays.UInt32[arrays.Array, "*#lanes"],
    word1: arrays.UInt32[arrays.Array, "*#lanes"],
) -> arrays.Int32[arrays.Array, "*_"]:
    """Codes drawn by two words from the rows of ``mask`` + 1 entries that begin at ``row`` in flat packed tables."""
    import jax.numpy as jnp
    from jax import lax

    entry = row + (word0 & mask).astype(jnp.int32)
    found = jnp.asarray(outcome)[entry], jnp.asarray(threshold)[entry]
    # Without the barrier XLA's CPU back end makes a loop for each look-up, and works out the random words in both; on
    # accelerators it would keep a draw from becoming one kernel.
    both, limit = lax.platform_dependent(*found, cpu=_apart, default=_together)
    code = jnp.where(word1 < limit, both & np.uint32(0xFFFF), both >> np.uint32(16))
    return code.astype(jnp.int32)


def _apart(*found: arrays.Array) -> tuple[arrays.Array, ...]:
    from jax import lax

    return lax.optimization_barrier(found)


def _together(*found: arrays.Array) -> tuple[arrays.Array, ...]:
    return found


def wide_lookup(
    tables: tuple[arrays.Array, ...],
    place: arrays.Int32[arrays.Array, "*#lanes"],
    word0: arrays.UInt32[arrays.Array, "*#lanes"],
    word1: arrays.UInt32[arrays.Array, "*#lanes"],
    more: Callable[[], tuple[Any, ...]],
) -> arrays.Int32[arrays.Array, "*_"]:
    """Codes drawn from the rows at ``place`` (see :func:`wide_tables`, whose first four arrays are ``tables``).

    ``more`` draws two further words, which decide where the first do not: once in 2^32 draws.
    """
    import jax.numpy as jnp
    from jax import lax

    threshold, outcome, middle, low = (jnp.asarray(table) for table in tables)
    mask = (jnp.uint32(1) << (place & 31).astype(jnp.uint32)) - np.uint32(1)
    entry = (place >> 5) + (word0 & mask).astype(jnp.int32)
    limit, both = threshold[entry], outcome[entry]
    tied = word1 == limit

    def settled() -> arrays.Array:
        word2, word3 = more()
        return tied & rng.below(word2, word3, jnp.stack([middle[entry], low[entry]], axis=-1))

    kept = (word1 < limit) | lax.cond(jnp.any(tied), settled, lambda: jnp.zeros_like(tied))
    return jnp.where(kept, both & np.uint32(0xFFFF), both >> np.uint32(16)).astype(jnp.int32)
