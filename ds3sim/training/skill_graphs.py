"""Sampled skill graphs G(S, q): components, sampled models level by level, and walks on them.

Reasoning is walked on the skill graph of a sampled model, beside the mean field of docs/theory.md (1) and (4).

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

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.check import Numbers, fraction, one_of, whole_number
from ds3sim.core.errors import require
from ds3sim.theory import chain
from ds3sim.theory.skills import Training, giant, search_weight
from ds3sim.training.bernoulli_rows import (
    CONCEPTS,
    LINKS,
    TASK,
    WALKS,
    bernoulli_rows,
    generator,
    generators,
    identity,
    precise,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array


MOST_SKILLS = 20_000
"""Skills of a level."""


def links(random: np.random.Generator, skills: int, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges (i, j), i < j, of one G(S, chance), int64 each: their number is binomial, the pairs are distinct."""
    pairs = skills * (skills - 1) // 2
    count = int(random.binomial(pairs, chance)) if pairs else 0
    k = random.choice(pairs, count, replace=False, shuffle=False) if count else np.zeros(0, dtype=np.int64)
    high = ((1.0 + np.sqrt(1.0 + 8.0 * k)) / 2.0).astype(np.int64)
    high -= high * (high - 1) // 2 > k  # the root is right to a rounding
    high += high * (high + 1) // 2 <= k
    return k - high * (high - 1) // 2, high


def component_labels(skills: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The component of each skill in the graph of these edges, int [skills]."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(low.size, dtype=bool), (low, high)), shape=(skills, skills))
    return connected_components(graph, directed=False)[1]


def largest_component(random: np.random.Generator, skills: int, chance: float) -> np.ndarray:
    """Members of the largest component of one G(S, chance), bool [skills]; none where there is no edge at all.

    From a mean degree of ln S + 45 on all skills are in it but for a chance below 1e-19, and nothing is drawn.
    """
    if chance * skills > math.log(skills) + 45.0:
        return np.ones(skills, dtype=bool)
    low, high = links(random, skills, chance)
    if low.size == 0:
        return np.zeros(skills, dtype=bool)
    labels = component_labels(skills, low, high)
    return labels == np.argmax(np.bincount(labels))


def giant_shares(graphs: int, skills: int, chance: float, seed: int = 0, first: int = 0) -> np.ndarray:
    """Share of the largest component of sampled graphs G(S, chance), float64 [graphs].

    Args:
        graphs: how many.
        skills: S.
        chance: of an edge; p^2 for skills acquired with probability p.
        seed: of the random numbers; each graph has its own.
        first: number of the first graph.
    """
    whole_number("graphs", graphs, 1)
    whole_number("skills", skills, 1, MOST_SKILLS)
    name = identity("links", skills, fraction("chance", chance))
    made = generators(seed, name, range(first, first + graphs), LINKS)
    return np.array([max(1, largest_component(random, skills, chance).sum()) for random in made]) / skills


def all_in(shares: Numbers, skills: int, m: int) -> np.ndarray:
    """Probability that m distinct random skills all lie in a component of share ``shares``: prod (G-i)/(S-i).

    Args:
        shares: of one component each, any shape.
        skills: S.
        m: whole, >= 0, <= S.
    """
    size = np.rint(np.asarray(shares, dtype=np.float64) * skills)
    value = np.ones(size.shape)
    for i in range(whole_number("m", m, 0, skills)):
        value = value * np.maximum(size - i, 0.0) / (skills - i)
    return value


@lru_cache(maxsize=8)
def largest_component_law(skills: int, chance: float) -> np.ndarray:
    """P(the largest component of G(S, chance) has k skills), k = 0..S, over all graphs; S <= 6. Read-only."""
    whole_number("skills", skills, 1, 6)
    pairs = [(i, j) for i in range(skills) for j in range(i + 1, skills)]
    out = np.zeros(skills + 1)
    for graph in range(2 ** len(pairs)):
        label = list(range(skills))
        edges = [pair for bit, pair in enumerate(pairs) if graph >> bit & 1]
        for i, j in edges:
            label = [label[i] if x == label[j] else x for x in label]
        out[max(map(label.count, label))] += chance ** len(edges) * (1 - chance) ** (len(pairs) - len(edges))
    out.setflags(write=False)
    return out


@dataclass(frozen=True)
class SampledSkills:
    """Shares of the skills of each level, float64 [models, L].

    Attributes:
        enough: eta concepts learnt: g.
        p: acquired, prerequisites included.
        giant: in the largest component.
    """

    enough: np.ndarray
    p: np.ndarray
    giant: np.ndarray


def sample_skills(learnt: Numbers, concepts: float, training: Training, seed: int = 0) -> SampledSkills:
    """Sample the skills of models, level by level.

    A skill of level l draws on each of the R concepts with probability mu/R = xi_l/S_l and needs eta of them learnt.
    Given that k concepts are learnt, their number is Bin(k, mu/R), independent of other skills, so the concepts are
    not listed. Prerequisites: floor(sigma_l) skills of level l - 1, and one more with the probability that remains,
    drawn uniformly; all must be in that level's largest component. Connections: G(S_l, p^2) with p the share of skills
    acquired in this model.

    Args:
        learnt: learnt fraction of the R concepts, one for each model, [models].
        concepts: R, rounded to a whole number.
        training: constants; S_l up to ``MOST_SKILLS``.
        seed: of the random numbers; a model's do not depend on how many there are.

    Raises:
        InputError: too many skills in a level.
    """
    levels, big_r = training.levels, max(1, round(concepts))
    sizes = np.rint(training.sizes).astype(int)
    require(
        int(sizes.max()) <= MOST_SKILLS,
        f"skills_per_level = {int(sizes.max()):,} is more than the {MOST_SKILLS:,} that can be sampled",
    )
    chance = np.minimum(1.0, training.shares / sizes)
    name = identity("skills", big_r, repr(training))
    fractions = np.atleast_1d(np.asarray(learnt, dtype=np.float64))
    enough, p, giant = np.zeros((3, len(fractions), levels))
    for i, share in enumerate(fractions.tolist()):
        random = generator(seed, name, i, CONCEPTS)
        below = np.ones(1, dtype=bool)
        for level in range(levels):
            skills = int(sizes[level])
            has = random.binomial(round(share * big_r), chance[level], skills) >= training.concepts_needed
            acquired = has & _prerequisites_met(random, below, skills, float(training.sigma[level]))
            enough[i, level], p[i, level] = has.mean(), acquired.mean()
            below = largest_component(random, skills, float(p[i, level]) ** 2)
            giant[i, level] = below.mean()
    return SampledSkills(enough, p, giant)


def _prerequisites_met(random: np.random.Generator, below: np.ndarray, skills: int, sigma: float) -> np.ndarray:
    """Which skills have all their prerequisites among ``below``, bool [skills]."""
    whole = int(sigma)
    count = whole + (random.random(skills) < sigma - whole)
    asked = random.integers(len(below), size=(skills, whole + 1))
    return np.all(below[asked] | (np.arange(whole + 1) >= count[:, None]), axis=1)


def skills_with_concepts(key: np.ndarray, known: np.ndarray, skills: int, mean: float, needed: float) -> np.ndarray:
    """Which of ``skills`` skills have at least ``needed`` learnt concepts; bool [skills].

    A skill draws on each concept with probability mean/R.

    Args:
        key: uint32 [2].
        known: bool [R].
        skills: S.
        mean: mu <= R.
        needed: eta.
    """
    big_r = len(known)
    out = np.empty(skills, dtype=bool)
    padded = np.append(known, False)
    with precise():
        cells = bernoulli_rows(key[None], skills, big_r, min(1.0, mean / big_r))[0]
    for low in range(0, skills, 4096):
        out[low : low + 4096] = padded[cells[low : low + 4096]].sum(axis=1) >= needed
    return out


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
