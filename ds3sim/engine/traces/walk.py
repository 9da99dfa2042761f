"""The traces kernel: many walks at once, only 32-bit integer operations.

Every lane is one trace. While it runs, a lane's state is one int32: >= 0 while it walks (first entry
of its row in the table), ``-1`` if it never could succeed, else ``-2 - (2 * time + died)``. What
comes out is an ``ending`` per lane: 0 still walking, 1 infeasible, 2 + 2 * time reached the goal,
3 + 2 * time died; times above the budget are 0.
"""

from __future__ import annotations

import functools
from collections import Counter

import numpy as np

from ds3sim.core import rng
from ds3sim.engine.traces.alias import lookup

OVER = -2 - 2 * 2**28
"""State of a walk that has used up its budget: a hitting time beyond any budget."""

traced: Counter[str] = Counter()
"""How often each kernel was traced (compiled): a test holds it to one per shape."""

NEVER = -1
NOT_REACHED = 2**31 - 1
"""Stands for an infinite hitting time."""


def stage_sizes(lanes: int, rounds: int) -> tuple[int, ...]:
    """Lane counts of the stages: a long walk is compacted to a quarter when a quarter still walks."""
    sizes = [lanes]
    while rounds > 8 and sizes[-1] >= 1024 and len(sizes) < 5:
        sizes.append(sizes[-1] // 4)
    return tuple(sizes)


def feasible_lanes(keys, lane, group, limit):
    """bool per lane: the draw of feasibility, shared by ``group`` consecutive lanes."""
    import jax.numpy as jnp
    from jax import lax

    def drawn(lane):
        return rng.below(*rng.draw(keys[rng.FEASIBLE], lane // group, np.uint32(0)), limit)

    certain = (limit[0] & limit[1]) == np.uint32(0xFFFFFFFF)
    return lax.cond(certain, lambda lane: jnp.ones(lane.shape, bool), drawn, lane)


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


def _walk(
    keys, first_lane, valid, group, limit, threshold, outcome, mask, transient, steps, rounds, max_steps, *, stages
):
    import jax.numpy as jnp
    from jax import lax

    traced["walk"] += 1
    index = jnp.arange(stages[0], dtype=jnp.int32)
    lane = first_lane + index.astype(jnp.uint32)
    walking = (index < valid) & feasible_lanes(keys, lane, group, limit)
    width = mask.astype(jnp.int32) + 1
    # All lanes begin in the table's last row, the start distribution.
    state = jnp.where(walking, transient * width, jnp.int32(NEVER))
    result = jnp.full(stages[0], NEVER, dtype=jnp.int32)
    home = index
    time = jnp.int32(0)

    def advance(carry, lane):
        state, time = carry
        word0, word1 = rng.draw(keys[rng.WALK], lane, time.astype(jnp.uint32))
        code = lookup(threshold, outcome, jnp.maximum(state, 0), mask, word0, word1)
        left = code - transient
        died = (left > steps).astype(jnp.int32)
        when = time * steps + left - died * (steps + 1)
        after = jnp.where(left < 0, code * width, -2 - (2 * when + died))
        return jnp.where(state >= 0, after, state), time + 1

    for size, smaller in zip(stages, (*stages[1:], 0), strict=True):

        def unfinished(carry, smaller=smaller):
            return (carry[1] < rounds) & (jnp.sum(carry[0] >= 0, dtype=jnp.int32) > smaller)

        state, time = lax.while_loop(unfinished, functools.partial(advance, lane=lane), (state, time))
        result = result.at[home].set(state, mode="drop")
        if smaller:
            kept = jnp.nonzero(state >= 0, size=smaller, fill_value=size - 1)[0].astype(jnp.int32)
            real = jnp.arange(smaller, dtype=jnp.int32) < jnp.sum(state >= 0, dtype=jnp.int32)
            home = jnp.where(real, home[kept], stages[0])
            state = jnp.where(real, state[kept], NEVER)
            lane = lane[kept]
    return endings(result, max_steps)


@functools.cache
def walk_kernel():
    """The jitted kernel; made on first use, so that importing this module touches no device.

    Args of the kernel: keys uint32 [purposes, 2]; first_lane uint32; valid int32 (lanes that count);
    group uint32 (lanes that share feasibility); limit uint32 [2]; threshold, outcome uint32 [table];
    mask uint32; transient, steps, rounds, max_steps int32; static ``stages``. Returns endings int32 [lanes].
    """
    import jax

    return jax.jit(_walk, static_argnames=("stages",))


def _walk_many(keys, first_trial, limit, numbers, threshold, outcome, *, n, width, stages):
    """:func:`ds3sim.engine.traces.walk._walk` for rows of lanes that belong to different tasks."""
    import jax.numpy as jnp
    from jax import lax

    traced["walk_many"] += 1
    valid, group, base, columns, transient, steps, rounds, max_steps = numbers[:, :, None]
    index = jnp.arange(width, dtype=jnp.int32)[None, :]
    lane = (first_trial * np.uint32(n))[:, None] + index.astype(jnp.uint32)
    walking = (index < valid) & _feasible(keys, lane, group.astype(jnp.uint32), limit)
    state = jnp.where(walking, transient * columns, jnp.int32(NEVER))
    home = jnp.arange(stages[0], dtype=jnp.int32)
    result = jnp.full(stages[0], NEVER, dtype=jnp.int32)
    law = (keys[:, rng.WALK, 0, None], keys[:, rng.WALK, 1, None], base, columns, transient, steps, rounds)
    time = jnp.int32(0)

    def advance(carry, lane, law):
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

    row = None
    for size, smaller in zip(stages, (*stages[1:], 0), strict=True):

        def unfinished(carry, smaller=smaller):
            return jnp.sum(carry[0] >= 0, dtype=jnp.int32) > smaller

        state, time = lax.while_loop(unfinished, functools.partial(advance, lane=lane, law=law), (state, time))
        flat = state.reshape(-1)
        result = result.at[home].set(flat, mode="drop")
        if smaller:
            kept = jnp.nonzero(flat >= 0, size=smaller, fill_value=size - 1)[0].astype(jnp.int32)
            real = jnp.arange(smaller, dtype=jnp.int32) < jnp.sum(flat >= 0, dtype=jnp.int32)
            home = jnp.where(real, home[kept], stages[0])
            state = jnp.where(real, flat[kept], NEVER)
            lane = lane.reshape(-1)[kept]
            if row is None:  # from here on each lane carries its task's numbers
                row = kept // width
                law = tuple(a[:, 0][row] for a in law)
            else:
                law = tuple(a[kept] for a in law)
    return endings(result.reshape(-1, width), max_steps)


def _feasible(keys, lane, group, limit):
    """bool per lane: :func:`ds3sim.engine.traces.walk.feasible_lanes` for rows of different tasks."""
    import jax.numpy as jnp
    from jax import lax

    certain = ((limit[:, 0] & limit[:, 1]) == np.uint32(0xFFFFFFFF))[:, None]
    key0, key1 = keys[:, rng.FEASIBLE, 0, None], keys[:, rng.FEASIBLE, 1, None]

    def drawn(lane):
        words = rng.threefry2x32(key0, key1, lane // group, jnp.zeros_like(lane))
        return certain | rng.below(*words, limit[:, None, :])

    return lax.cond(jnp.all(certain), lambda lane: jnp.ones(lane.shape, bool), drawn, lane)


@functools.cache
def walk_many_kernel():
    """The jitted walk over [rows, lanes].

    Args of the kernel: keys uint32 [rows, purposes, 2]; first trial uint32 [rows]; limit uint32
    [rows, 2]; numbers int32 [8, rows] (valid lanes, lanes that share feasibility, first table
    entry, table width, transient states, steps per draw, draws, largest budget); threshold, outcome
    uint32 [entries]; static n, width, stages. Returns endings int32 [rows, width].
    """
    import jax

    return jax.jit(_walk_many, static_argnames=("n", "width", "stages"))
