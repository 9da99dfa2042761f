"""Counts of endings on the device that holds them: a launch then gives back a few thousand numbers, not its lanes.

No atomic additions: they contend where most walks end alike, and their speed depends on the law. Few bins are counted
by comparing every value with each of them; more by sorting, after which a count is a difference of places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3sim.core import arrays
from ds3sim.engine.traces.alias import power_of_two
from ds3sim.engine.traces.walk import jitted, traced

MOST_COMPARED = 256
"""Bins that are counted by comparisons at most: so many operations a value, where a sort of 16-bit keys makes about two
passes over memory."""
FEWEST_CELLS = 2**16
"""So many counts of a launch are never worth a look at its lanes on the host."""


def histogram(
    values: arrays.Int32[arrays.Array, "rows lanes"],
    owner: arrays.Int32[arrays.Array, " rows"],
    *,
    owners: int,
    bins: int,
) -> arrays.Int32[arrays.Array, "owners bins"]:
    """How often each value below ``bins`` is in the rows of each owner; larger values are left out, and so are the rows
    of owner ``owners``. ``owners * bins`` is below 2^31."""
    import jax.numpy as jnp

    traced["histogram"] += 1
    cells = owners * bins
    inside = (owner[:, None] < owners) & (values < bins)
    cell = jnp.where(inside, owner[:, None] * bins + values, cells).reshape(-1)
    if cells <= MOST_COMPARED:
        equal = cell[:, None] == jnp.arange(cells, dtype=jnp.int32)
        return equal.sum(axis=0, dtype=jnp.int32).reshape(owners, bins)
    cell = jnp.sort(cell.astype(jnp.uint16 if cells < 2**16 else jnp.int32))
    edges = jnp.arange(cells + 1, dtype=jnp.int32).astype(cell.dtype)
    # Unrolled: one kernel, no decision between the halvings.
    places = jnp.searchsorted(cell, edges, method="scan_unrolled").astype(jnp.int32)
    return jnp.diff(places).reshape(owners, bins)


def device_counts(
    values: arrays.Int32[arrays.Array, "rows lanes"], spans: Sequence[tuple[int, int]], sizes: Sequence[int]
) -> list[np.ndarray] | None:
    """Counts of 0..size-1 in rows begin..end-1 of a device array, int64 [size] for each span; larger values are left
    out. None: there are more bins than lanes, and the lanes are less to copy."""
    # Powers of two, so that launches with about as many tasks share a kernel.
    owners, bins = power_of_two(len(spans)), power_of_two(max(sizes))
    if owners * bins > max(FEWEST_CELLS, values.size):
        return None
    owner = np.full(len(values), owners, np.int32)
    for number, (begin, end) in enumerate(spans):
        owner[begin:end] = number
    found = np.asarray(jitted(histogram, "owners", "bins")(values, owner, owners=owners, bins=bins))
    return [own[:size].astype(np.int64) for own, size in zip(found, sizes, strict=False)]
