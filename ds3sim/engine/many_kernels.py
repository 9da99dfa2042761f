"""The kernels of :mod:`ds3sim.engine.many`: those of a single task, for rows of lanes of different tasks."""

from __future__ import annotations

import functools

import numpy as np

from ds3sim.core import rng
from ds3sim.engine.alias import lookup
from ds3sim.engine.outcome import _outcome
from ds3sim.engine.walk import NEVER, endings, traced

OVER = -2 - 2 * 2**28
"""State of a walk that has used up its budget: a hitting time beyond any budget."""


def _walk_many(keys, first_trial, limit, numbers, threshold, outcome, *, n, width, stages):
    """:func:`ds3sim.engine.walk._walk` for rows of lanes that belong to different tasks."""
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
    """bool per lane: :func:`ds3sim.engine.walk.feasible_lanes` for rows of different tasks."""
    import jax.numpy as jnp
    from jax import lax

    certain = ((limit[:, 0] & limit[:, 1]) == np.uint32(0xFFFFFFFF))[:, None]
    key0, key1 = keys[:, rng.FEASIBLE, 0, None], keys[:, rng.FEASIBLE, 1, None]

    def drawn(lane):
        words = rng.threefry2x32(key0, key1, lane // group, jnp.zeros_like(lane))
        return certain | rng.below(*words, limit[:, None, :])

    return lax.cond(jnp.all(certain), lambda lane: jnp.ones(lane.shape, bool), drawn, lane)


def _outcome_many(ending, keys, first_trial, tables, *, n, trials, kind):
    import jax

    def one(ending, keys, first_trial, tables):
        first_lane = first_trial * np.uint32(n)
        return _outcome(ending, keys, first_lane, first_trial, tables, n=n, trials=trials, kind=kind)

    return jax.vmap(one)(ending, keys, first_trial, tables)


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


@functools.cache
def outcome_many_kernel():
    """The jitted map from endings int32 [rows, lanes] to task hitting times int32 [rows, trials]."""
    import jax

    return jax.jit(_outcome_many, static_argnames=("n", "trials", "kind"))
