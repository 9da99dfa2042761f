"""The kernel of tasks whose n traces share a success rate (:mod:`ds3sim.graph.latent`).

The kernel draws no rate. Given i successes among j traces of a task, the next one succeeds with chance
(alpha + i)/(alpha + beta + j) (Polya's urn), which is the law of n samples of a task whose rate is Beta(alpha, beta).
So it needs only 64-bit thresholds and integer comparisons, like every other kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.core import arrays, rng
from ds3sim.core.errors import require
from ds3sim.engine.limits import MOST_TOGETHER
from ds3sim.engine.traces.walk import Rows, lanes_of, traced
from ds3sim.task.task import Task, latent_rate


def urn_arguments(task: Task) -> tuple[tuple[Any, ...], dict[str, int]]:
    """(arrays, static arguments) of :func:`urn` after those that every kernel takes; InputError: more than
    ``MOST_TOGETHER`` traces a task."""
    rate, n = latent_rate(task), task.n
    require(
        n <= MOST_TOGETHER,
        f"n = {n} traces of a latent graph are more than engine traces holds together ({MOST_TOGETHER})",
    )
    done, before = np.meshgrid(np.arange(n), np.arange(n), indexing="xy")  # [j, i]: i successes among j traces
    chance = (rate.alpha + np.minimum(done, before)) / (rate.alpha + rate.beta + before)
    return (rng.threshold(chance).reshape(-1, 2),), {"n": n}


def urn(
    rows: Rows, limits: arrays.UInt32[arrays.Array, "chances 2"], *, width: int, n: int
) -> arrays.Int32[arrays.Array, "1 width"]:
    """Endings of one row of lanes, coded as in ``ds3sim.engine.traces.walk``.

    ``limits``: the chance of the next success after j traces of which i succeeded, at j n + i.
    """
    import jax.numpy as jnp
    from jax import lax

    traced["urn"] += 1
    lane, walking = (part[0] for part in lanes_of(rows, width))
    trials = width // n
    word0, word1 = (w[: trials * n].reshape(trials, n) for w in rng.draw(rows.keys[0, rng.WALK], lane, jnp.uint32(0)))

    def turn(j: arrays.Array, carry: tuple[Any, ...]) -> tuple[arrays.Array, arrays.Array]:
        successes, out = carry
        won = rng.below(word0[:, j], word1[:, j], jnp.asarray(limits)[j * n + successes])
        return successes + won.astype(jnp.int32), out.at[:, j].set(won)

    start = (jnp.zeros(trials, jnp.int32), jnp.zeros((trials, n), bool))
    won = jnp.pad(lax.fori_loop(0, n, turn, start)[1].reshape(-1), (0, width - trials * n))
    ending = jnp.where(rows.numbers[7, 0] < 1, jnp.int32(0), jnp.where(won, jnp.int32(4), jnp.int32(5)))
    return jnp.where(walking, ending, jnp.int32(1))[None]
