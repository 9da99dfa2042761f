"""Sampled skill graphs G(S, q), their largest components, and the exact law of the smallest of them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ds3sim.core.check import Numbers, fraction, whole_number
from ds3sim.training.bernoulli_rows import LINKS, generators, identity

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

    Raises:
        InputError: an argument outside its range.
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
