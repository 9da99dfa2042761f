"""Tasks whose n traces share a success rate (:mod:`ds3sim.graph.latent`): formulas, sums, and a kernel.

The kernel draws no rate. Given i successes among j traces of a task, the next one succeeds with chance
(alpha + i)/(alpha + beta + j) (Polya's urn), which is the law of n samples of a task whose rate is Beta(alpha, beta).
So it needs only 64-bit thresholds and integer comparisons, like every other kernel.
"""

from __future__ import annotations

import functools

import numpy as np

from ds3sim.core import rng
from ds3sim.core.errors import require
from ds3sim.engine.enumerate import MOST_TRACES
from ds3sim.engine.traces.walk import feasible_lanes, traced
from ds3sim.task.task import Task, latent_rate

# ---- formulas ----------------------------------------------------------------------------------


# ---- sums --------------------------------------------------------------------------------------


# ---- kernel ------------------------------------------------------------------------------------


def urn_arguments(task: Task, lanes: int) -> tuple[tuple, dict]:
    """(arrays, static arguments) of :func:`urn_kernel` after keys, first lane, valid lanes, group and feasibility."""
    rate, n = latent_rate(task), task.n
    require(
        n <= MOST_TRACES, f"n = {n} traces of a latent graph are more than engine traces holds together ({MOST_TRACES})"
    )
    done, before = np.meshgrid(np.arange(n), np.arange(n), indexing="xy")  # [j, i]: i successes among j traces
    chance = (rate.alpha + np.minimum(done, before)) / (rate.alpha + rate.beta + before)
    limits = thresholds(chance).reshape(-1, 2)
    return (limits, np.int32(task.max_steps)), {"n": n, "trials": lanes // n, "lanes": lanes}


def thresholds(chance: np.ndarray) -> np.ndarray:
    """As :func:`ds3sim.core.rng.threshold`, for arrays of chances below 1: uint32 [..., 2], exact."""
    scaled = np.ldexp(chance, 32)
    high = np.floor(scaled)
    low = np.floor(np.ldexp(scaled - high, 32))
    sure = high >= 2.0**32
    high, low = np.where(sure, 2.0**32 - 1, high), np.where(sure, 2.0**32 - 1, low)
    return np.stack([high, low], axis=-1).astype(np.uint64).astype(np.uint32)


def _urn(keys, first_lane, valid, group, limit, limits, max_steps, *, n, trials, lanes):
    import jax.numpy as jnp
    from jax import lax

    traced["urn"] += 1
    index = jnp.arange(lanes, dtype=jnp.int32)
    lane = first_lane + index.astype(jnp.uint32)
    walking = (index < valid) & feasible_lanes(keys, lane, group, limit)
    words = rng.draw(keys[rng.WALK], lane, np.uint32(0))
    word0, word1 = (w[: trials * n].reshape(trials, n) for w in words)

    def turn(j, carry):
        successes, out = carry
        won = rng.below(word0[:, j], word1[:, j], limits[j * n + successes])
        return successes + won.astype(jnp.int32), out.at[:, j].set(won)

    start = (jnp.zeros(trials, jnp.int32), jnp.zeros((trials, n), bool))
    won = lax.fori_loop(0, n, turn, start)[1].reshape(-1)
    won = jnp.concatenate([won, jnp.zeros(lanes - trials * n, bool)])
    ending = jnp.where(max_steps < 1, jnp.int32(0), jnp.where(won, jnp.int32(4), jnp.int32(5)))
    return jnp.where(walking, ending, jnp.int32(1))


@functools.cache
def urn_kernel():
    """The jitted kernel: endings int32 [lanes] as :func:`ds3sim.engine.traces.walk.walk_kernel`'s."""
    import jax

    return jax.jit(_urn, static_argnames=("n", "trials", "lanes"))
