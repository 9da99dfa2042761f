"""The kernel of walks: rows of lanes at once, only 32-bit integer operations.

Every lane is one trace, and the lanes of a row are consecutive traces of one task. While it runs, a lane's state is
one int32: >= 0 while it walks (first entry of its row in the table, or its place in a wide one), ``-1`` if it never
could succeed, else ``-2 - (2 * time + died)``. What comes out is an ``ending`` per lane: 0 still walking, 1 infeasible,
2 + 2 * time reached the goal, 3 + 2 * time died; times above the budget are 0.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ds3sim.core import arrays, rng
from ds3sim.engine.traces.alias import lookup, wide_lookup

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


class Rows(NamedTuple):
    """What a kernel has to know of the rows of a launch, beside tables.

    Attributes:
        keys: of the batch, for all purposes of ``core/rng.py``.
        first: the first lane and the first trial in the batch.
        limit: threshold of feasibility; all ones: certain.
        numbers: int32, see ``NUMBERS``.
    """

    keys: arrays.UInt32[arrays.Array, "rows purposes 2"]
    first: arrays.UInt32[arrays.Array, "2 rows"]
    limit: arrays.UInt32[arrays.Array, "rows 2"]
    numbers: arrays.Int32[arrays.Array, "8 rows"]

    def checked(self) -> Rows:
        """Itself, with the shapes and dtypes that kernels are made for; else AssertionError."""
        import chex

        size = len(self.keys)
        chex.assert_shape(tuple(self), ((size, rng.SPARE + 1, 2), (2, size), (size, 2), (len(NUMBERS), size)))
        chex.assert_type(tuple(self), (np.uint32, np.uint32, np.uint32, np.int32))
        return self


def lanes_of(
    rows: Rows, width: int
) -> tuple[arrays.UInt32[arrays.Array, "rows width"], arrays.Bool[arrays.Array, "rows width"]]:
    """The lanes of rows: their numbers in the batch, and which of them walk at all."""
    import jax.numpy as jnp
    from jax import lax

    keys, first, limit, numbers = rows
    index = jnp.arange(width, dtype=jnp.int32)[None, :]
    lane = first[0, :, None] + index.astype(jnp.uint32)
    group = numbers[1, :, None].astype(jnp.uint32)
    certain = ((limit[:, 0] & limit[:, 1]) == np.uint32(0xFFFFFFFF))[:, None]
    key0, key1 = keys[:, rng.FEASIBLE, 0, None], keys[:, rng.FEASIBLE, 1, None]

    def drawn(lane: arrays.Array) -> arrays.Array:
        words = rng.threefry2x32(key0, key1, lane // group, jnp.zeros_like(lane))
        return certain | rng.below(*words, limit[:, None, :])

    able = lax.cond(jnp.all(certain), lambda lane: jnp.ones(lane.shape, bool), drawn, lane)
    return lane, (index < numbers[0, :, None]) & able


def endings(
    state: arrays.Int32[arrays.Array, "*lanes"], max_steps: arrays.Int32[arrays.Array, "*#lanes"]
) -> arrays.Int32[arrays.Array, "*lanes"]:
    """Final states as endings, int32 (see the head of this module)."""
    import jax.numpy as jnp

    code = -2 - state
    over = (code < 0) | (code // 2 > max_steps)
    return jnp.where(state == NEVER, jnp.int32(1), jnp.where(over, jnp.int32(0), code + 2))


def hitting_times(ending: arrays.Int32[arrays.Array, "*lanes"]) -> arrays.Int32[arrays.Array, "*lanes"]:
    """Hitting time of the goal per lane, int32; ``NOT_REACHED`` where there is none."""
    import jax.numpy as jnp

    return jnp.where((ending >= 2) & (ending % 2 == 0), ending // 2 - 1, jnp.int32(NOT_REACHED))


def _advance(
    carry: tuple[Any, ...], lane: arrays.Array, law: tuple[Any, ...], tables: tuple[Any, ...]
) -> tuple[arrays.Array, arrays.Array]:
    """One draw for every lane that walks."""
    import jax.numpy as jnp

    state, time = carry
    key0, key1, more0, more1, base, columns, transient, steps, rounds = law
    threshold, outcome, *wide = tables
    alone = jnp.ndim(rounds) == 0  # one task: the loop itself ends after its rounds
    number = jnp.broadcast_to(time.astype(jnp.uint32), lane.shape)
    word0, word1 = rng.threefry2x32(key0, key1, lane, number)
    if wide:
        *fine, places = wide
        more = functools.partial(rng.threefry2x32, more0, more1, lane, number)
        code = wide_lookup((threshold, outcome, *fine), jnp.maximum(state, 0), word0, word1, more)
        row = jnp.asarray(places)[jnp.minimum(code, transient)].astype(jnp.int32)
    else:
        mask = (columns - 1).astype(jnp.uint32)
        code = lookup(threshold, outcome, base + jnp.maximum(state, 0), mask, word0, word1)
        row = code * columns
    left = code - transient
    died = (left > steps).astype(jnp.int32)
    when = time * steps + left - died * (steps + 1)
    walks = row if alone else jnp.where(time + 1 < rounds, row, jnp.int32(OVER))
    after = jnp.where(left < 0, walks, -2 - (2 * when + died))
    return jnp.where(state >= 0, after, state), time + 1


def _repeated(advance: Callable[..., Any], draws: int, carry: tuple[Any, ...]) -> tuple[Any, ...]:
    for _ in range(draws):
        carry = advance(carry)
    return carry


def walk(
    rows: Rows,
    threshold: arrays.UInt32[arrays.Array, " entries"],
    outcome: arrays.UInt32[arrays.Array, " entries"],
    *wide: arrays.UInt32[arrays.Array, " _"],
    width: int,
    stages: tuple[int, ...],
    draws: int = 1,
) -> arrays.Int32[arrays.Array, "rows width"]:
    """Endings of all lanes, from the tables of all rows side by side, or the wide table of one task; ``draws`` between
    two decisions whether to go on, which a walk past its end does not notice."""
    import jax.numpy as jnp
    from jax import lax

    traced["walk"] += 1
    keys, numbers = rows.keys, rows.numbers
    _, _, base, columns, transient, steps, rounds, max_steps = numbers[:, :, None]
    lane, walking = lanes_of(rows, width)
    # All lanes begin in the last row of their table, the start distribution.
    begin = jnp.asarray(wide[-1])[transient].astype(jnp.int32) if wide else transient * columns
    state = jnp.where(walking, begin, jnp.int32(NEVER))
    home = jnp.arange(stages[0], dtype=jnp.int32)
    result = jnp.full(stages[0], NEVER, dtype=jnp.int32)
    words = (keys[:, purpose, word, None] for purpose in (rng.WALK, rng.SPARE) for word in (0, 1))
    law = (*words, base, columns, transient, steps, rounds)
    if len(keys) == 1:
        law = tuple(a.reshape(()) for a in law)
    time = jnp.int32(0)
    for size, smaller in zip(stages, (*stages[1:], 0), strict=True):

        def unfinished(carry: tuple[Any, ...], smaller: int = smaller, law: tuple[Any, ...] = law) -> arrays.Array:
            many = jnp.sum(carry[0] >= 0, dtype=jnp.int32) > smaller
            return many & (carry[1] < law[-1]) if len(keys) == 1 else many

        advance = functools.partial(_advance, lane=lane, law=law, tables=(threshold, outcome, *wide))
        turn = functools.partial(_repeated, advance, draws)
        state, time = lax.while_loop(unfinished, turn, (state, time))
        flat = state.reshape(-1)
        result = result.at[home].set(flat, mode="drop")
        if not smaller:
            break
        kept = jnp.nonzero(flat >= 0, size=smaller, fill_value=size - 1)[0].astype(jnp.int32)
        real = jnp.arange(smaller, dtype=jnp.int32) < jnp.sum(flat >= 0, dtype=jnp.int32)
        home = jnp.where(real, home[kept], stages[0])
        state, lane = jnp.where(real, flat[kept], NEVER), lane.reshape(-1)[kept]
        if len(keys) == 1:  # one task: its numbers stay numbers
            continue
        # From here on each lane carries its task's numbers.
        law = tuple(a[:, 0][kept // width] if a.ndim == 2 else a[kept] for a in law)
    return endings(result.reshape(-1, width), max_steps)


@functools.cache
def jitted(kernel: Callable[..., Any], *static: str) -> Callable[..., Any]:
    """``kernel``, jitted on first use, so that importing its module touches no device; ``static``: arguments."""
    import jax

    return jax.jit(kernel, static_argnames=static)
