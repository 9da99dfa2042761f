"""Tasks whose n traces share a success rate (:mod:`ds3sim.model.latent`): formulas, sums, and a kernel.

The kernel draws no rate. Given i successes among j traces of a task, the next one succeeds with chance
(alpha + i)/(alpha + beta + j) (Polya's urn), which is the law of n samples of a task whose rate is Beta(alpha, beta).
So it needs only 64-bit thresholds and integer comparisons, like every other kernel.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import special

from ds3sim.core import rng
from ds3sim.core.errors import NoClosedForm, require
from ds3sim.engine import enumerate as sums
from ds3sim.engine.walk import feasible_lanes, traced
from ds3sim.model.latent import LatentGraph
from ds3sim.strategy.aggregate import Aggregate, BestOfN, Majority
from ds3sim.strategy.task import Task

MOST_TRACES = 2000
"""Most traces of a task in the kernel and in the sums."""


def shared_rate(task: Task) -> LatentGraph | None:
    """The graph, where several traces of a task share a latent success rate."""
    return task.graph if isinstance(task.graph, LatentGraph) and task.n > 1 else None


# ---- formulas ----------------------------------------------------------------------------------


def by_formula(task: Task, steps_per_trace: np.ndarray) -> np.ndarray:
    """Success at budgets per trace, float64: docs/theory.md (12), (13); (8) averaged over R by Gauss-Jacobi."""
    from ds3sim.theory import latent

    graph, how = _graph(task), task.aggregate
    law = (graph.feasible, graph.alpha, graph.beta)
    if isinstance(how, BestOfN) and how.verifier.perfect:
        value = float(latent.pass_at_n(how.n, *law))
        none = 0.0
    elif isinstance(how, BestOfN):
        value, none = _verified(how, *law)
    elif isinstance(how, Majority):
        if how.n > MOST_TRACES:
            raise NoClosedForm(f"(13) is evaluated for up to {MOST_TRACES} votes, not {how.n}: use fit votes for more")
        value, none = latent.vote_at_n(how.n, *law, how.errors.weights, how.ties), 0.0
    else:
        raise NoClosedForm(f"no closed form for aggregate = {how.name} of a latent graph")
    return np.where(steps_per_trace >= 1, value, none)


def _verified(how: BestOfN, solvable: float, alpha: float, beta: float) -> tuple[float, float]:
    from ds3sim.theory.aggregate import best_of_n_verified

    v = how.verifier
    # (8) is a polynomial of degree n in the rate: n/2 + 1 nodes are exact, and 200 are beyond float64 for any n
    nodes, weights = special.roots_jacobi(min(how.n // 2 + 1, 200), beta - 1.0, alpha - 1.0)
    rate = np.clip((nodes + 1.0) / 2.0, 0.0, 1.0)
    value = best_of_n_verified(rate, how.n, v.true_positive, v.false_positive, v.fallback)
    never = float(best_of_n_verified(0.0, how.n, v.true_positive, v.false_positive, v.fallback))
    mean = float(value @ weights / weights.sum())
    return solvable * mean + (1.0 - solvable) * never, never


# ---- sums --------------------------------------------------------------------------------------


def by_sums(task: Task, steps_per_trace: np.ndarray) -> np.ndarray:
    """Success at budgets per trace, float64: a sum over the number of correct traces; shares no code with theory."""
    graph, how = _graph(task), task.aggregate
    n = how.n
    require(n <= MOST_TRACES, f"engine exact sums over at most {MOST_TRACES} traces of a latent graph, not {n}")
    k = np.arange(n + 1)
    log_ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    log_law = special.betaln(graph.alpha + k, graph.beta + n - k) - special.betaln(graph.alpha, graph.beta)
    law = np.exp(log_ways + log_law)
    # below 1e-13 a term cannot be seen in the sum
    given = np.array([_given(how, n, int(c)) if law[c] > 1e-13 else 0.0 for c in k])
    none = _given(how, n, 0)
    value = graph.feasible * float(law @ given / law.sum()) + (1.0 - graph.feasible) * none
    return np.where(steps_per_trace >= 1, value, none)


def _given(how: Aggregate, n: int, c: int) -> float:
    """Success of the aggregator given that c of n traces are correct."""
    if isinstance(how, Majority):
        return sums._wins(n, c, how.errors.weights, how.ties) if c else 0.0
    assert isinstance(how, BestOfN)
    v = how.verifier
    if v.perfect:
        return float(c > 0)
    right, wrong = sums._weighted(c, v.true_positive), sums._weighted(n - c, v.false_positive)
    i, pi = (np.array(x, dtype=np.float64) for x in zip(*right, strict=True))
    j, pj = (np.array(x, dtype=np.float64) for x in zip(*wrong, strict=True))
    accepted = i[:, None] + j[None, :]
    share = np.where(accepted > 0, i[:, None] / np.maximum(accepted, 1.0), c / n if v.fallback == "random" else 0.0)
    return float(pi @ share @ pj)


# ---- kernel ------------------------------------------------------------------------------------


def urn_arguments(task: Task, lanes: int) -> tuple[tuple, dict]:
    """(arrays, static arguments) of :func:`urn_kernel` after keys, first lane, valid lanes, group and feasibility."""
    graph, n = _graph(task), task.n
    require(
        n <= MOST_TRACES, f"n = {n} traces of a latent graph are more than engine traces holds together ({MOST_TRACES})"
    )
    done, before = np.meshgrid(np.arange(n), np.arange(n), indexing="xy")  # [j, i]: i successes among j traces
    chance = (graph.alpha + np.minimum(done, before)) / (graph.alpha + graph.beta + before)
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
    """The jitted kernel: endings int32 [lanes] as :func:`ds3sim.engine.walk.walk_kernel`'s."""
    import jax

    return jax.jit(_urn, static_argnames=("n", "trials", "lanes"))


def _graph(task: Task) -> LatentGraph:
    assert isinstance(task.graph, LatentGraph)
    return task.graph
