"""Beam search as it is described: w particles, w*b real proposals a step, the w best are kept.

With w = 1 this is ToT step by step, which the tests hold against its compiled tensor.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ds3sim.core import arrays, rng
from ds3sim.core.errors import require
from ds3sim.engine.traces.alias import lookup, padded, wide_lookup
from ds3sim.engine.traces.tables import law_table
from ds3sim.engine.traces.walk import NEVER, Rows, endings, lanes_of, traced
from ds3sim.task.scores import score_classes
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task

PROPOSALS_PER_STEP = 2**12


def _best(
    rank: arrays.Array, shuffle: arrays.Array, proposed: arrays.Array, w: int, classes: int
) -> arrays.Int32[arrays.Array, "w lanes"]:
    """The w of the w * b proposals of least rank, equal ranks in random order.

    Rank, random bits and place go into one 32-bit key, so the next best is one minimum away. A key
    needs 20 random bits (a tie between those falls to the lower place); else a full sort does it.
    """
    import jax.numpy as jnp
    from jax import lax

    places = max(1, (len(proposed) - 1).bit_length())
    if w > 64 or classes + places > 12:
        return lax.sort([jnp.asarray(part) for part in (rank, shuffle, proposed)], dimension=0, num_keys=2)[2][:w]
    place = jnp.arange(len(proposed), dtype=jnp.uint32)[:, None]
    noise = (shuffle >> np.uint32(classes + places)) << np.uint32(places)
    key = (rank.astype(jnp.uint32) << np.uint32(32 - classes)) | noise | place

    def take(key: arrays.Array, _: None) -> tuple[arrays.Array, arrays.Array]:
        found = key == key.min(axis=0)
        return jnp.where(found, np.uint32(2**32 - 1), key), jnp.where(found, proposed, 0).sum(axis=0, dtype=jnp.int32)

    # A loop even for few rounds: written out, XLA works out every key again for each of its uses.
    return lax.scan(take, key, length=w)[1]


def _settled(kind: arrays.Array, node: arrays.Array, time: arrays.Array, state: arrays.Array) -> arrays.Array:
    """Lanes whose beam holds the goal, or only dead nodes, are done."""
    import jax.numpy as jnp

    won = (kind[node] == 1).any(axis=0)
    lost = (kind[node] == 2).all(axis=0)
    done = -2 - (2 * time + jnp.where(won, 0, 1))
    return jnp.where((state >= 0) & (won | lost), done.astype(jnp.int32), state)


def _successor(
    tables: tuple[Any, ...], mask: arrays.Array, draws: Callable[..., Any], row: arrays.Array, purpose: int,
    number: Any, more: Any,
) -> arrays.Array:  # fmt: skip
    """The node drawn from the row at ``row``; ``more`` numbers the words that settle a draw from a wide table."""
    import jax.numpy as jnp

    threshold, outcome, *wide = tables
    word0, word1 = draws(purpose, number)
    if not wide:
        return lookup(threshold, outcome, row, mask, word0, word1)
    *fine, places = wide
    place = jnp.asarray(places)[row].astype(jnp.int32)
    return wide_lookup((threshold, outcome, *fine), place, word0, word1, functools.partial(draws, rng.SPARE, more))


def beam(
    rows: Rows,
    error: arrays.UInt32[arrays.Array, " 2"],
    mask: arrays.UInt32[arrays.Array, ""],
    begin: arrays.Int32[arrays.Array, ""],
    rank: arrays.Int32[arrays.Array, " nodes"],
    kind: arrays.Int32[arrays.Array, " nodes"],
    threshold: arrays.UInt32[arrays.Array, " entries"],
    outcome: arrays.UInt32[arrays.Array, " entries"],
    *wide: arrays.UInt32[arrays.Array, " _"],
    width: int,
    w: int,
    b: int,
    classes: int,
) -> arrays.Int32[arrays.Array, "1 width"]:
    """Endings of one row of lanes, coded as in ``ds3sim.engine.traces.walk``.

    Args:
        error: chance that a step keeps proposals at random.
        mask: entries of a table row less one. begin: the last row, of the start (its number in a wide table).
        rank: class of each node by score, 0 the best; ``classes`` bits hold any. kind: 1 goal, 2 dead, 0 else.
        threshold, outcome, wide: alias table with one row per node and, last, the start.
    """
    import jax.numpy as jnp
    from jax import lax

    traced["beam"] += 1
    lane, walking = (part[0] for part in lanes_of(rows, width))
    keys, max_steps, columns = rows.keys[0], rows.numbers[7, 0], mask.astype(jnp.int32) + 1
    rank, settle = jnp.asarray(rank), functools.partial(_settled, jnp.asarray(kind))

    def draws(purpose: int, number: arrays.Array) -> tuple[arrays.Array, arrays.Array]:
        return rng.draw(keys[purpose], lane, number)

    successor = functools.partial(_successor, (threshold, outcome, *wide), mask, draws)
    # The whole beam starts at one node: one draw, copied. Lanes are the last axis throughout.
    begins = successor(jnp.broadcast_to(begin, (width,)), rng.SPARE, np.uint32(0), np.uint32(2**32 - 1))
    node = jnp.broadcast_to(begins, (w, width))
    state = settle(node, jnp.int32(0), jnp.where(walking, jnp.int32(0), jnp.int32(NEVER)))

    def unfinished(carry: tuple[Any, ...]) -> arrays.Array:
        return (carry[2] < max_steps) & jnp.any(carry[1] >= 0)

    def advance(carry: tuple[Any, ...]) -> tuple[arrays.Array, arrays.Array, arrays.Array]:
        node, state, time = carry
        at_random = rng.below(*draws(rng.PRIORITY, time.astype(jnp.uint32)), error)
        number = time.astype(jnp.uint32) * np.uint32(PROPOSALS_PER_STEP)

        def propose(place: arrays.Array) -> tuple[arrays.Array, arrays.Array, arrays.Array]:
            parent = node[place // np.uint32(b)] * columns
            proposed = successor(parent, rng.WALK, number + place, number + place + np.uint32(1))
            return jnp.where(at_random, 0, rank[proposed]), draws(rng.KEEP, number + place)[0], proposed

        ranks, shuffle, proposed = lax.map(propose, jnp.arange(w * b, dtype=jnp.uint32))
        kept = _best(ranks, shuffle, proposed, w, classes)
        node = jnp.where(state >= 0, kept, node)
        return node, settle(node, time + 1, state), time + 1

    return endings(lax.while_loop(unfinished, advance, (node, state, jnp.int32(0)))[1], max_steps)[None]


def beam_arguments(task: Task) -> tuple[tuple[Any, ...], dict[str, int]]:
    """(arrays, static arguments) of :func:`beam` after those that every kernel takes; InputError: more proposals or
    steps than a beam's random stream has numbers for."""
    step, graph = task.step, task.graph
    assert isinstance(step, Beam)
    require(
        step.proposals <= PROPOSALS_PER_STEP,
        f"width * branches = {step.proposals} is more than {PROPOSALS_PER_STEP} proposals a step: lower one of them",
    )
    most = 2**32 // PROPOSALS_PER_STEP - 1
    require(task.max_steps <= most, f"steps = {task.max_steps} per trace is more than a beam can do ({most})")
    threshold, outcome, columns, *wide = law_table(graph)
    kind = np.where(graph.goal, 1, np.where(graph.dead, 2, 0)).astype(np.int32)
    rank = score_classes(graph, step.discount).astype(np.int32)
    place = (np.uint32(columns - 1), np.int32(graph.size * columns))
    arguments = (rng.threshold(step.evaluator_error), *place, rank, kind, *map(padded, (threshold, outcome, *wide)))
    return arguments, {"w": step.width, "b": step.branches, "classes": max(1, int(rank.max()).bit_length())}
