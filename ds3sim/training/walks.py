"""Reasoning on the sampled skill graph of a sampled model, beside the mean field of docs/theory.md (1) and (4).

The disorder of a model is quenched: which skills are connected is settled in training, and every task and trace meets
the same graph. The theory replaces it by averages: gamma^m for "all m skills are in the giant component", and a fresh
chance p^2 of a connection at every step. Three readings of a task of m random skills, in order from a random first one:

``giant``    feasible if all m skills are in the largest component; a step then moves on with r = p^2 w (the theory's
             step, the sampled graph's feasibility).
``detours``  a step follows an existing connection with probability w; the model knows the shortest way through
             skills that the task does not name. Feasible if a way exists. Hops count, not skills.
``direct``   as detours, but only a direct connection between consecutive skills will do.

w = rho/M + 1 - rho is the search of (4): r = p_eff q(p) = p^2 w.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.check import Numbers, one_of, whole_number
from ds3sim.theory import chain
from ds3sim.theory.capability import search_weight
from ds3sim.theory.skills import giant
from ds3sim.training.bernoulli_rows import LINKS, TASK, WALKS, generator, identity
from ds3sim.training.components import component_labels, links

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

    for name, value in (("models", models), ("tasks", tasks), ("traces", traces)):
        whole_number(name, value, 1)
    whole_number("m", m, 1, whole_number("skills", skills, 2) - 1)
    one_of("reading", reading, READINGS)
    budgets = np.array([whole_number("steps", k, 0) for k in np.atleast_1d(steps)], dtype=np.int64)
    order = np.argsort(budgets)
    weight = float(search_weight(m, relevant_factor, search))
    rate = chance * weight if reading == "giant" else weight
    name = identity("walks", skills, float(chance), m, tasks, traces, reading, relevant_factor, search)
    graphs = identity("links", skills, float(chance))
    success, given = np.zeros((2, models, len(budgets)))
    feasible, hops, share = np.zeros((3, models))
    for i in range(models):
        ends = links(generator(seed, graphs, i, LINKS), skills, chance)
        labels = component_labels(skills, *ends)
        sizes = np.bincount(labels)
        share[i] = sizes.max() / skills
        random, graph = generator(seed, name, i, TASK), coo_array((np.ones(ends[0].size), ends), (skills, skills))
        need = [_moves(random, graph.tocsr(), labels == np.argmax(sizes), m, reading) for _ in range(tasks)]
        need = np.array([k for k in need if k is not None], dtype=np.float64)
        feasible[i], hops[i] = need.size / tasks, need.mean() if need.size else np.nan
        between = np.diff(budgets[order], prepend=0)  # steps of each trace from one budget to the next
        walked = generator(seed, name, i, WALKS).binomial(between, rate, (need.size, traces, budgets.size)).cumsum(-1)
        success[i, order] = (walked >= need[:, None, None]).sum(axis=(0, 1)) / (tasks * traces)
        given[i] = chain.success(need[:, None], rate, budgets).sum(axis=0) / tasks
    field = giant(skills * chance) ** m * chain.success(m, chance * weight, budgets)
    return Walks(success, feasible, hops, share, field, given)


def _moves(random: np.random.Generator, graph: csr_array, giant: np.ndarray, m: int, reading: str) -> int | None:
    """Moves that a random task of m skills needs; None where it cannot be done."""
    from scipy.sparse.csgraph import dijkstra

    path = random.choice(giant.size, m + (reading != "giant"), replace=False)
    if reading == "giant":
        return m if np.all(giant[path]) else None
    ways = dijkstra(graph, directed=False, indices=path[:-1], unweighted=True)[np.arange(m), path[1:]]
    return int(ways.sum()) if np.all(np.isfinite(ways)) and (reading == "detours" or np.all(ways == 1)) else None
