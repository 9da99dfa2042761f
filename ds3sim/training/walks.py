"""Reasoning on the sampled skill graph of a sampled model, beside the mean field of docs/theory.md (1) and (4).

The disorder of a model is quenched: which skills are connected is settled in training, and every task and trace meets
the
same graph. The theory replaces it by averages: gamma^m for "all m skills are in the giant component", and a fresh
chance
p^2 of a connection at every step. Three readings of a task of m random skills, met in order from a random first place:

``giant``    feasible if all m skills are in the largest component; a step then moves on with r = p^2 w (the theory's
             step, the sampled graph's feasibility).
``detours``  a step follows an existing connection with probability w; the model knows the shortest way through
             skills that the task does not name. Feasible if a way exists. Hops count, not skills.
``direct``   as detours, but only a direct connection between consecutive skills will do.

w = rho/M + 1 - rho is the search of (4): r = p_eff q(p) = p^2 w.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ds3sim.core import rng
from ds3sim.core.check import Numbers, one_of, whole_number
from ds3sim.theory import chain
from ds3sim.theory.capability import search_weight
from ds3sim.theory.skills import giant
from ds3sim.training.bernoulli_rows import LINKS, TASK, WALKS, generator, identity, keys
from ds3sim.training.components import sampled_links

if TYPE_CHECKING:
    from scipy.sparse import csr_array

READINGS = ("giant", "detours", "direct")


@dataclass(frozen=True)
class Walks:
    """Results of :func:`walk_models`.

    Attributes:
        success: share of traces that succeed within each budget, by model, float64 [models, B].
        feasible: share of tasks that can be done, by model, float64 [models].
        hops: mean successful steps that a feasible task needs, by model, float64 [models]; NaN without a feasible task.
        giant: share of the largest component, by model, float64 [models].
        mean_field: gamma^m I_r(m, K-m+1), float64 [B].
        given_graph: success computed, not walked, from the hops of the same tasks, float64 [models, B].
    """

    success: np.ndarray
    feasible: np.ndarray
    hops: np.ndarray
    giant: np.ndarray
    mean_field: np.ndarray
    given_graph: np.ndarray


@partial(jax.jit, static_argnums=(3,))
def _walk(key, need, limit, steps: int):
    """Hitting times, int32 [lanes]: steps until ``need`` moves were made, steps + 1 if not within ``steps``."""
    lane = jnp.arange(need.shape[0], dtype=jnp.uint32)

    def step(k, state):
        left, time = state
        moved = rng.below(*rng.draw(key, lane, jnp.uint32(k)), limit) & (left > 0)
        left = left - moved.astype(jnp.int32)
        return left, jnp.where(moved & (left == 0), k + 1, time)

    start = jnp.where(need == 0, 0, steps + 1).astype(jnp.int32)
    return lax.fori_loop(0, steps, step, (need.astype(jnp.int32), start))[1]


def walk_models(
    models: int,
    skills: int,
    chance: float,
    m: int,
    steps: Numbers,
    reading: str = "giant",
    tasks: int = 16,
    traces: int = 64,
    relevant_factor: float = 5.0,
    search: float = 0.5,
    seed: int = 0,
) -> Walks:
    """Sample models (skill graphs G(S, chance)), tasks on each, and traces of each task.

    Args:
        models, tasks, traces: how many; tasks per model, traces per task.
        skills: S.
        chance: p^2, of a connection between two skills.
        m: skills of a task, m < S.
        steps: budgets K, whole [B].
        reading: one of ``READINGS``.
        relevant_factor, search: beta and rho of (4).
        seed: of the random numbers; results of a model do not depend on how many models there are.

    Raises:
        InputError: an argument outside its range.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    for name, value in (("models", models), ("tasks", tasks), ("traces", traces)):
        whole_number(name, value, 1)
    whole_number("m", m, 1, whole_number("skills", skills, 2) - 1)
    one_of("reading", reading, READINGS)
    budgets = np.array([whole_number("steps", k, 0) for k in np.atleast_1d(steps)], dtype=np.int64)
    weight = float(search_weight(m, relevant_factor, search))
    rate = chance * weight if reading == "giant" else weight
    limit, longest = rng.threshold(rate), int(budgets.max())
    name = identity("walks", skills, float(chance), m, tasks, traces, reading, relevant_factor, search)
    links = keys(seed, identity("links", skills, float(chance), "sparse"), range(models), LINKS)
    walks = keys(seed, name, range(models), WALKS)
    success, given = np.zeros((2, models, len(budgets)))
    feasible, hops, share = np.zeros((3, models))
    for i in range(models):
        a, b = sampled_links(links[i], skills, chance)
        graph = coo_array((np.ones(len(a)), (a, b)), shape=(skills, skills)).tocsr()
        labels = connected_components(graph, directed=False)[1]
        sizes = np.bincount(labels)
        share[i] = sizes.max() / skills
        random = generator(seed, name, i, TASK)
        need = np.array([_moves(random, graph, labels == np.argmax(sizes), m, reading) for _ in range(tasks)])
        lanes = np.repeat(np.where(need >= 0, need, longest + 1), traces).astype(np.int32)
        times = np.asarray(_walk(walks[i], lanes, limit, longest))
        success[i] = (times[:, None] <= budgets).mean(axis=0)
        able = need >= 0
        feasible[i], hops[i] = able.mean(), need[able].mean() if able.any() else np.nan
        if able.any():
            given[i] = chain.success(need[able][:, None], rate, budgets).sum(axis=0) / tasks
    return Walks(success, feasible, hops, share, mean_field(skills, chance, m, budgets, weight), given)


def _moves(random: np.random.Generator, graph: csr_array, giant: np.ndarray, m: int, reading: str) -> int:
    """Moves that a random task of m skills needs; -1 where it cannot be done."""
    from scipy.sparse.csgraph import dijkstra

    path = random.choice(giant.size, m + (reading != "giant"), replace=False)
    if reading == "giant":
        return m if np.all(giant[path]) else -1
    ways = dijkstra(graph, directed=False, indices=path[:-1], unweighted=True)[np.arange(m), path[1:]]
    return int(ways.sum()) if np.all(np.isfinite(ways)) and (reading == "detours" or np.all(ways == 1)) else -1


def mean_field(skills: int, chance: float, m: int, steps: Numbers, weight: float) -> np.ndarray:
    """gamma^m I_r(m, K-m+1) with gamma of (23) at c = S p^2 and r = p^2 w; float64 [B]."""
    return giant(skills * chance) ** m * chain.success(m, chance * weight, steps)
