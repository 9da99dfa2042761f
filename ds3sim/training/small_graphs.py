"""Exact laws of small random graphs, to hold the simulations against: peeling, and the largest component."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ds3sim.core.check import number, whole_number
from ds3sim.theory.binomial import binomial_pmf
from ds3sim.training.peel_counts import chances


def peeling_law(concepts: int, texts: int, text_degree: float) -> np.ndarray:
    """P(k concepts stay unknown), k = 0..R, float64 [R+1], by the chain of counts of ``counts.py``.

    Args:
        concepts: R, exactly as many are unknown at the start.
        texts: T <= 60 (the state is [T+1, T+1]).
        text_degree: d_t <= R.

    Raises:
        InputError: an argument outside its range.
    """
    whole_number("concepts", concepts, 1)
    whole_number("texts", texts, 1, 60)
    number("text_degree", text_degree, above=0, high=concepts)
    more, single, drop = chances(concepts, text_degree / concepts)
    k = np.arange(texts + 1)
    law = np.zeros((texts + 1, texts + 1))  # [v, w]
    for w in range(texts + 1):
        rest = 1.0 - more[concepts]
        share = min(1.0, single / rest) if rest > 0 else 0.0
        law[:, w] = binomial_pmf(w, texts, more[concepts]) * binomial_pmf(k, texts - w, share)
    out = np.zeros(concepts + 1)
    for size in range(concepts, 0, -1):
        out[size] = law[0].sum()
        law[0] = 0.0
        # v - 1 - lost, then moved from w to v
        kept = binomial_pmf(k[:, None], k[None, :] - 1, 1.0 - 1.0 / size)  # [v after the loss, v before]
        law = kept @ law
        new = np.zeros_like(law)
        for w in range(texts + 1):
            moved = binomial_pmf(k[: w + 1], w, drop[size])
            for j in range(w + 1):
                new[j:, w - j] += moved[j] * law[: texts + 1 - j, w]
        law = new
    out[0] = law.sum()
    return out


@lru_cache(maxsize=8)
def largest_component_law(skills: int, chance: float) -> np.ndarray:
    """P(the largest component of G(S, chance) has k skills), k = 0..S, over all graphs; S <= 6. Read-only."""
    whole_number("skills", skills, 1, 6)
    pairs = [(i, j) for i in range(skills) for j in range(i + 1, skills)]
    out = np.zeros(skills + 1)
    for graph in range(2 ** len(pairs)):
        label = list(range(skills))
        edges = 0
        for bit, (i, j) in enumerate(pairs):
            if graph >> bit & 1:
                edges += 1
                a, b = label[i], label[j]
                label = [a if x == b else x for x in label]
        out[max(label.count(x) for x in label)] += chance**edges * (1 - chance) ** (len(pairs) - edges)
    out.setflags(write=False)
    return out
