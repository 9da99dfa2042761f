"""Giant components of sampled skill graphs G(S, q), dense in JAX or sparse by SciPy's component search."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ds3sim.core import rng
from ds3sim.core.check import Numbers, fraction, one_of, whole_number
from ds3sim.training.bernoulli_rows import LINKS, bernoulli_rows, identity, keys, precise

MOST_SKILLS = 20_000
_DENSE_DEGREE = 200.0
_DENSE_SKILLS = 192


@partial(jax.jit, static_argnums=(1,))
def _dense_labels(made, skills: int, limit):
    """Smallest skill of each skill's component, int32 [graphs, skills]; edge (i, j), i < j, is draw j of lane i."""
    i = jnp.arange(skills, dtype=jnp.uint32)
    low, high = jnp.minimum(i[:, None], i[None, :]), jnp.maximum(i[:, None], i[None, :])

    def linked(key):
        return rng.below(*rng.draw(key, low, high), limit) & (low != high)

    adjacent = jax.vmap(linked)(made)
    own = jnp.broadcast_to(jnp.arange(skills, dtype=jnp.int32), adjacent.shape[:2])

    def spread(state):
        labels, _ = state
        near = jnp.where(adjacent, labels[:, None, :], skills).min(axis=2)
        new = jnp.minimum(labels, near)
        new = jnp.minimum(new, jnp.take_along_axis(new, new, axis=1))  # a label is itself a skill: jump
        return new, jnp.any(new != labels)

    return lax.while_loop(lambda s: s[1], spread, (own, jnp.bool_(True)))[0]


def sampled_links(key: Numbers, skills: int, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges (i, j), i < j, of one sparse G(S, chance), int64 each."""
    with precise():
        cells = bernoulli_rows(key[None], skills, skills, chance)[0]
    source, column = np.nonzero(cells < skills)
    target = cells[source, column].astype(np.int64)
    upper = target > source
    return source[upper], target[upper]


def components(graphs: int, skills: int, chance: float, seed: int = 0, method: str | None = None,
               batch: int | None = None, first: int = 0) -> np.ndarray:  # fmt: skip
    """Component labels of sampled graphs G(S, chance), int64 [graphs, skills].

    Args:
        graphs: how many.
        skills: S.
        chance: of an edge; p^2 for skills acquired with probability p.
        seed: of the random numbers; each graph has its own.
        method: ``dense`` (adjacency in JAX, labels spread until they rest), ``sparse`` (edges only, SciPy), or None:
        dense
            for few skills or many edges. The two sample different graphs of the same law.
        batch: graphs at once in ``dense``; results do not depend on it.
        first: number of the first graph.

    Raises:
        InputError: an argument outside its range.
    """
    whole_number("graphs", graphs, 1)
    whole_number("skills", skills, 1, MOST_SKILLS)
    fraction("chance", chance)
    one_of("method", method, (None, "dense", "sparse"))
    few = skills <= _DENSE_SKILLS or chance * skills > _DENSE_DEGREE
    method = method or ("dense" if few else "sparse")
    made = keys(seed, identity("links", skills, float(chance), method), range(first, first + graphs), LINKS)
    out = np.empty((graphs, skills), dtype=np.int64)
    if method == "sparse":
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        for g in range(graphs):
            i, j = sampled_links(made[g], skills, chance)
            matrix = coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(skills, skills))
            out[g] = connected_components(matrix, directed=False)[1]
        return out
    batch = min(graphs, batch or max(1, min(512, 2**24 // (skills * skills))))
    limit = rng.threshold(chance)
    for low in range(0, graphs, batch):
        now = made[low : low + batch]
        full = np.concatenate([now, np.repeat(now[-1:], batch - len(now), axis=0)])  # one compilation
        out[low : low + len(now)] = np.asarray(_dense_labels(full, skills, limit))[: len(now)]
    return out


def largest(labels: np.ndarray) -> np.ndarray:
    """Membership of the largest component, bool like ``labels`` [graphs, skills]; the smallest label wins a tie."""
    mask = np.empty(labels.shape, dtype=bool)
    for g, row in enumerate(labels):
        mask[g] = row == np.argmax(np.bincount(row, minlength=1))
    return mask


def giant_shares(graphs: int, skills: int, chance: float, seed: int = 0, **options: Any) -> np.ndarray:
    """Share of the largest component, float64 [graphs]. Arguments as :func:`components`."""
    whole_number("graphs", graphs, 1)
    block = max(1, min(graphs, 4_000_000 // max(1, int(skills))))
    first = options.pop("first", 0)
    return np.concatenate(
        [
            largest(components(min(block, graphs - low), skills, chance, seed, first=first + low, **options)).mean(
                axis=1
            )
            for low in range(0, graphs, block)
        ]
    )


def all_in(shares: Numbers, skills: int, m: Numbers) -> np.ndarray:
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
