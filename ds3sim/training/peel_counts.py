"""Peeling as a Markov chain of counts: the exact law of peeled random graphs without the graphs (ours).

Take out one concept at a time. u concepts are unknown, v texts have exactly one of them, w texts have more. Given
(u, v, w), the single concept of each of the v texts is uniform among the u, independently, and the w texts have
independent sets of unknown concepts, each concept with probability p, conditioned on two or more: nothing else has been
looked at (deferred decisions). So, taking out the concept that one of the v texts names:

    v - 1 other texts lose their only unknown concept with probability 1/u each;
    each of the w texts comes down to one unknown concept with probability 2 P2/u, P2 = P(Bin(u, p) = 2 | >= 2).

Peeling ends when v = 0. This is exact for every R and T, costs two binomial draws a concept whatever the degrees are,
and runs many graphs side by side. It checks the graph simulation, and fits the finite-size law with many more runs.
"""

from __future__ import annotations

import numpy as np

from ds3sim.core.check import number, whole_number
from ds3sim.theory.binomial import binomial_pmf, binomial_tails
from ds3sim.training.bernoulli_rows import UNKNOWN, generators, identity

_BATCH = 2048
"""Runs that share a generator. Part of what a seed means: batches are always whole."""


def peel_counts(runs: int, concepts: int, texts: int, text_degree: float = 6.0, seed: int = 0) -> np.ndarray:
    """Concepts that stay unknown, int64 [runs]; exactly R are unknown at the start.

    Args:
        runs: how many.
        concepts: R.
        texts: T.
        text_degree: d_t <= R.
        seed: of the random numbers. The first runs of a longer call are those of a shorter one.

    Raises:
        InputError: an argument outside its range.
    """
    for name, value in (("runs", runs), ("concepts", concepts), ("texts", texts)):
        whole_number(name, value, 1)
    number("text_degree", text_degree, above=0, high=concepts)
    name = identity("counts", concepts, texts, float(text_degree))
    made = generators(seed, name, range(-(-runs // _BATCH)), UNKNOWN)
    return np.concatenate([_batch(random, concepts, texts, text_degree / concepts) for random in made])[:runs]


def _batch(random: np.random.Generator, concepts: int, texts: int, p: float) -> np.ndarray:
    more, single, drop = chances(concepts, p)
    w = random.binomial(texts, more[concepts], _BATCH)
    rest = 1.0 - more[concepts]
    v = random.binomial(texts - w, min(1.0, single / rest) if rest > 0 else 0.0)
    left = np.zeros(_BATCH, dtype=np.int64)
    alive = np.arange(_BATCH)
    for size in range(concepts, 0, -1):
        stuck = v == 0
        if stuck.any():
            left[alive[stuck]] = size
            alive, v, w = alive[~stuck], v[~stuck], w[~stuck]
            if alive.size == 0:
                break
        lost = random.binomial(v - 1, 1.0 / size)
        moved = random.binomial(w, drop[size]) if size > 1 else np.zeros_like(w)
        v, w = v - 1 - lost + moved, w - moved
    return left


def chances(concepts: int, p: float) -> tuple[np.ndarray, float, np.ndarray]:
    """P(Bin(u, p) >= 2) for u = 0..R, float64 [R+1]; P(Bin(R, p) = 1); and the probability that taking out one of u
    concepts brings a text with two or more down to one, float64 [R+1]."""
    u = np.arange(concepts + 1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_empty = np.log1p(-p)
        none = np.exp(u * log_empty) if p < 1 else (u == 0).astype(np.float64)
        one = np.where(u > 0, u * p * (np.exp((u - 1) * log_empty) if p < 1 else (u == 1)), 0.0)
        two = np.where(u > 1, 0.5 * u * (u - 1) * p * p * (np.exp((u - 2) * log_empty) if p < 1 else (u == 2)), 0.0)
        more = np.maximum(1.0 - none - one, 0.0)
        small = more < 1e-3
        more[small] = binomial_tails(2.0, u[small], p)[0]  # keeps its digits
        drop = np.where(more > 0, np.minimum(1.0, 2.0 * two / more / u), 0.0)
    return more, float(one[concepts]), drop


def peeling_law(concepts: int, texts: int, text_degree: float) -> np.ndarray:
    """P(k concepts stay unknown), k = 0..R, float64 [R+1]: the law of :func:`peel_counts`, by its chain.

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
    rest = 1.0 - more[concepts]
    k = np.arange(texts + 1)
    law = binomial_pmf(k[:, None], texts - k, min(1.0, single / rest) if rest > 0 else 0.0)  # [v, w]
    law = law * binomial_pmf(k, texts, more[concepts])
    out = np.zeros(concepts + 1)
    for size in range(concepts, 0, -1):
        out[size] = law[0].sum()
        law[0] = 0.0
        # v - 1 - lost, then moved from w to v
        law = binomial_pmf(k[:, None], k - 1, 1.0 - 1.0 / size) @ law  # [v after the loss, v before]
        new = np.zeros_like(law)
        for w in range(texts + 1):
            moved = binomial_pmf(k[: w + 1], w, drop[size])
            for j in range(w + 1):
                new[j:, w - j] += moved[j] * law[: texts + 1 - j, w]
        law = new
    out[0] = law.sum()
    return out
