"""The walk of a trace in the registers of a GPU, from its first draw to its end (Pallas, which Triton compiles).

XLA's loop (:mod:`ds3sim.engine.traces.walk`) writes the state of every lane to memory after each draw, and lanes that
have ended wait for the others of their launch. Here a lane takes the next trace as soon as one ends. A program is one
warp, so nothing waits for another program. Endings are stored and counted afterwards: without atomic additions the
tables stay in the cache next to the cores. The endings are those of the other kernel, bit for bit.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ds3sim.core import arrays, rng
from ds3sim.engine.traces.walk import NUMBERS, Rows, lanes_of, traced

LANES = 32
"""Lanes of a program: one for each thread of a warp."""
PROGRAMS = 2**13
"""Programs of a launch at most: about twice what the largest cards hold at once."""
DRAWS = 2
"""Draws between two looks at whether a program has done its share."""

COLUMNS = 16
"""Numbers of a row: its keys and first lane, those of ``NUMBERS``, and zeros up to a power of two."""


def gpu_walk(
    rows: Rows,
    threshold: arrays.UInt32[arrays.Array, " entries"],
    outcome: arrays.UInt32[arrays.Array, " entries"],
    *,
    width: int,
    lanes: int = LANES,
    programs: int = PROGRAMS,
    draws: int = DRAWS,
    interpret: bool = False,
) -> arrays.Int32[arrays.Array, "rows width"]:
    """Endings of all lanes, as :func:`ds3sim.engine.traces.walk.walk` gives them; not for wide tables.

    Args:
        lanes: of a program, a power of two. programs: of the launch at most. draws: between two looks at the end.
        interpret: run on any device, step by step, as tests do.
    """
    import jax
    import jax.numpy as jnp
    from jax.experimental import pallas as pl
    from jax.experimental.pallas import triton

    traced["gpu_walk"] += 1
    keys, first, _, numbers = rows
    size = len(keys)
    parts = max(1, min(width // lanes, programs // size))
    own = jnp.stack([keys[:, rng.WALK, 0], keys[:, rng.WALK, 1], first[0], *jnp.asarray(numbers).astype(jnp.uint32)])
    own = jnp.pad(own.T, ((0, 0), (0, COLUMNS - 3 - len(NUMBERS)))).reshape(-1)
    # Side by side, so that both words of an entry come with one line of the cache.
    table = jnp.stack([jnp.asarray(threshold), jnp.asarray(outcome)], axis=-1).reshape(-1)
    body = functools.partial(_program, width=width, lanes=lanes, parts=parts, draws=draws, store=triton.store)
    parameters = None if interpret else triton.CompilerParams(num_warps=1, num_stages=1)
    shape, grid = jax.ShapeDtypeStruct((size * width,), jnp.int32), (size * parts,)
    call = pl.pallas_call(body, out_shape=shape, grid=grid, interpret=interpret, compiler_params=parameters)
    found = call(own, table).reshape(size, width)
    # Traces that never could succeed have walked in vain.
    return jnp.where(lanes_of(rows, width)[1], found, jnp.int32(1))


def _program(own: Any, table: Any, out: Any, *, width: int, lanes: int, parts: int, draws: int, store: Any) -> None:
    """One program: every ``parts * lanes``-th trace of a row, from the first of each lane on."""
    import jax.numpy as jnp
    from jax import lax
    from jax.experimental import pallas as pl

    program = pl.program_id(0)
    row, part = program // parts, program % parts
    key0, key1, first, valid, _, base, columns, transient, steps, rounds, max_steps = (
        own[row * COLUMNS + number] for number in range(3 + len(NUMBERS))
    )
    base, columns, transient, count = (number.astype(jnp.int32) for number in (base, columns, transient, valid))
    mask = (columns - 1).astype(jnp.uint32)
    begin = base + transient * columns
    place = part * lanes + jnp.arange(lanes, dtype=jnp.int32)

    def draw(trace: Any, time: Any, entry: Any) -> tuple[Any, Any, Any]:
        words = rng.threefry2x32(key0, key1, first + trace.astype(jnp.uint32), time)
        at = 2 * (entry + (words[0] & mask).astype(jnp.int32))
        limit, both = table[at], table[at + 1]
        code = jnp.where(words[1] < limit, both & np.uint32(0xFFFF), both >> np.uint32(16))
        ended = code.astype(jnp.int32) >= transient
        left = code - transient.astype(jnp.uint32)  # wraps around while the walk goes on
        died = ended & (left > steps)
        when = time * steps + left - jnp.where(died, steps + np.uint32(1), np.uint32(0))
        ending = jnp.where(ended & (when <= max_steps), 2 + 2 * when.astype(jnp.int32) + died.astype(jnp.int32), 0)
        mine = trace < count
        over = mine & (ended | (time + np.uint32(1) >= rounds))
        store(out.at[row * width + trace], ending, mask=over)
        trace = jnp.where(over, trace + parts * lanes, trace)
        time = jnp.where(over, np.uint32(0), time + np.uint32(1))
        return trace, time, jnp.where(over | ~mine, begin, base + code.astype(jnp.int32) * columns)

    def turn(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        state = carry[:3]
        for _ in range(draws):
            state = draw(*state)
        return *state, jnp.min(state[0])

    start = (place, jnp.zeros(lanes, jnp.uint32), jnp.full(lanes, begin, jnp.int32), jnp.min(place))
    lax.while_loop(lambda carry: carry[3] < count, turn, start)
