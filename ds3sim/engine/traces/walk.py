"""The kernel of walks: rows of lanes at once, only 32-bit integer operations.

Every lane is one trace, and the lanes of a row are consecutive traces of one task. While it runs, a lane's state is
one int32: >= 0 while it walks (first entry of its row in the table), ``-1`` if it never could succeed, else
``-2 - (2 * time + died)``. What comes out is an ``ending`` per lane: 0 still walking, 1 infeasible, 2 + 2 * time
reached the goal, 3 + 2 * time died; times above the budget are 0.
"""

from __future__ import annotations

import functools
from collections import Counter

import numpy as np

from ds3sim.core import rng
from ds3sim.engine.traces.alias import lookup

traced: Counter[str] = Counter()
"""How often each kernel was traced (compiled): a test holds it to one per shape."""

NEVER = -1
OVER = -2 - 2 * 2**28
"""State of a walk that has used up its budget: a hitting time beyond any budget."""
NOT_REACHED = 2**31 - 1
"""Stands for an infinite hitting time."""

NUMBERS = ("valid", "group", "base", "columns", "transient", "steps", "rounds", "max_steps")
"""The numbers of a row that kernels take, int32 [8, rows]: lanes that count, lanes that share feasibility, first
entry of the task's table, table width, transient states, steps per draw, draws, largest budget of a trace."""


def stage_sizes(lanes: int, long: bool) -> tuple[int, ...]:
    """Lane counts of the stages: a long walk is compacted to a quarter when a quarter still walks."""
    sizes = [lanes]
    while long and sizes[-1] >= 1024 and len(sizes) < 5:
        sizes.append(sizes[-1] // 4)
    return tuple(sizes)


def lanes_of(keys, first, limit, numbers, width: int):
    """(lane, walking) of rows of lanes: their numbers in the batch, uint32, and which of them can succeed, bool.

    Args:
        keys: uint32 [rows, purposes, 2].
        first: uint32 [2, rows], the first lane and the first trial in the batch.
        limit: uint32 [rows, 2], threshold of feasibility; all ones: certain.
        numbers: int32 [8, rows], see ``NUMBERS``.

    Returns:
        two arrays [rows, width].
    """
    import jax.numpy as jnp
    from jax import lax

    index = jnp.arange(width, dtype=jnp.int32)[None, :]
    lane = first[0, :, None] + index.astype(jnp.uint32)
    group = numbers[1, :, None].astype(jnp.uint32)
    certain = ((limit[:, 0] & limit[:, 1]) == np.uint32(0xFFFFFFFF))[:, None]
    key0, key1 = keys[:, rng.FEASIBLE, 0, None], keys[:, rng.FEASIBLE, 1, None]

    def drawn(lane):
        words = rng.threefry2x32(key0, key1, lane // group, jnp.zeros_like(lane))
        return certain | rng.below(*words, limit[:, None, :])

    able = lax.cond(jnp.all(certain), lambda lane: jnp.ones(lane.shape, bool), drawn, lane)
    return lane, (index < numbers[0, :, None]) & able


def endings(state, max_steps):
    """Final states as endings, int32 (see the head of this module)."""
    import jax.numpy as jnp

    code = -2 - state
    over = (code < 0) | (code // 2 > max_steps)
    return jnp.where(state == NEVER, jnp.int32(1), jnp.where(over, jnp.int32(0), code + 2))


def hitting_times(ending):
    """Hitting time of the goal per lane, int32; ``NOT_REACHED`` where there is none."""
    import jax.numpy as jnp

    return jnp.where((ending >= 2) & (ending % 2 == 0), ending // 2 - 1, jnp.int32(NOT_REACHED))


def _advance(carry, lane, law, threshold, outcome):
    """One draw for every lane that walks."""
    import jax.numpy as jnp

    state, time = carry
    key0, key1, base, columns, transient, steps, rounds = law
    word0, word1 = rng.threefry2x32(key0, key1, lane, jnp.broadcast_to(time.astype(jnp.uint32), lane.shape))
    mask = (columns - 1).astype(jnp.uint32)
    code = lookup(threshold, outcome, base + jnp.maximum(state, 0), mask, word0, word1)
    left = code - transient
    died = (left > steps).astype(jnp.int32)
    when = time * steps + left - died * (steps + 1)
    walks = jnp.where(time + 1 < rounds, code * columns, jnp.int32(OVER))
    after = jnp.where(left < 0, walks, -2 - (2 * when + died))
    return jnp.where(state >= 0, after, state), time + 1


def _walk(keys, first, limit, numbers, threshold, outcome, *, width, stages):
    import jax.numpy as jnp
    from jax import lax

    traced["walk"] += 1
    _, _, base, columns, transient, steps, rounds, max_steps = numbers[:, :, None]
    lane, walking = lanes_of(keys, first, limit, numbers, width)
    # All lanes begin in the last row of their table, the start distribution.
    state = jnp.where(walking, transient * columns, jnp.int32(NEVER))
    home = jnp.arange(stages[0], dtype=jnp.int32)
    result = jnp.full(stages[0], NEVER, dtype=jnp.int32)
    law = (keys[:, rng.WALK, 0, None], keys[:, rng.WALK, 1, None], base, columns, transient, steps, rounds)
    time, row = jnp.int32(0), None
    for size, smaller in zip(stages, (*stages[1:], 0), strict=True):

        def unfinished(carry, smaller=smaller):
            return jnp.sum(carry[0] >= 0, dtype=jnp.int32) > smaller

        advance = functools.partial(_advance, lane=lane, law=law, threshold=threshold, outcome=outcome)
        state, time = lax.while_loop(unfinished, advance, (state, time))
        flat = state.reshape(-1)
        result = result.at[home].set(flat, mode="drop")
        if not smaller:
            break
        kept = jnp.nonzero(flat >= 0, size=smaller, fill_value=size - 1)[0].astype(jnp.int32)
        real = jnp.arange(smaller, dtype=jnp.int32) < jnp.sum(flat >= 0, dtype=jnp.int32)
        home = jnp.where(real, home[kept], stages[0])
        state, lane = jnp.where(real, flat[kept], NEVER), lane.reshape(-1)[kept]
        if len(keys) == 1:  # one task: its numbers stay numbers
            law = tuple(a.reshape(()) for a in law)
        elif row is None:  # from here on each lane carries its task's numbers
            row = kept // width
            law = tuple(a[:, 0][row] for a in law)
        else:
            law = tuple(a[kept] for a in law)
    return endings(result.reshape(-1, width), max_steps)


@functools.cache
def walk_kernel():
    """The jitted kernel; made on first use, so that importing this module touches no device.

    Args of the kernel: as :func:`lanes_of`, then threshold, outcome uint32 [entries], the tables of all rows; static
    width (lanes of a row) and ``stages``. Returns endings int32 [rows, width].
    """
    import jax

    return jax.jit(_walk, static_argnames=("width", "stages"))
