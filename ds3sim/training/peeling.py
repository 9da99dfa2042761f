"""Simulated peeling, two independent ways: sampled concept-text graphs, and the Markov chain of counts (ours).

**Graphs**, in JAX, many at once.
The R unknown concepts of n_c = R/eps are all that matters: a known one never changes a text's count of unknown ones.
So a graph is R rows (concepts) of T cells (texts), each filled with probability d_t/R. Several graphs form one disjoint
union, which is peeled through one queue of concepts to remove: a block of the queue at a time takes its concepts out of
their texts, and each text left with one unknown concept names it (a text keeps the count and the sum of its unknown
concepts). Every edge is used once. What peeling leaves does not depend on the order.

**Counts**: the exact law of peeled random graphs without the graphs.
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

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ds3sim.core.check import number, whole_number
from ds3sim.core.memory import require_memory
from ds3sim.core.progress import working
from ds3sim.core.runtime import cores
from ds3sim.theory.binomial import binomial_pmf, binomial_tails
from ds3sim.training.bernoulli_rows import (
    EDGES,
    UNKNOWN,
    bernoulli_rows,
    few_sizes,
    generators,
    identity,
    keys,
    precise,
)

_UNION = 80_000
"""Concepts in one union of graphs, about: its padded edges (some 25 MB) stay close to the caches."""
CELL_BYTES = 64
"""Memory of a concept or an edge of a graph while it is peeled, about."""


@dataclass(frozen=True)
class Peeled:
    """What peeling left.

    Attributes:
        unknown: concepts that were unknown at the start, int64 [graphs].
        left: concepts that stayed unknown, int64 [graphs].
        isolated: concepts in no text at all; they stay unknown whatever happens, int64 [graphs].
    """

    unknown: np.ndarray
    left: np.ndarray
    isolated: np.ndarray

    @property
    def unlearnt(self) -> np.ndarray:
        """Fraction that stayed unknown, float64 [graphs]."""
        return self.left / np.maximum(self.unknown, 1)


@partial(jax.jit, static_argnums=(1, 2))
def _peel(texts_of: Array, texts: int, block: int) -> Array:
    """Known flags, bool [concepts], of a union. ``texts_of`` is int32 [concepts, width], padded with ``texts``."""
    concepts = texts_of.shape[0]
    count = jnp.zeros(texts + 1, jnp.int32).at[texts_of].add(1)
    name = jnp.arange(concepts, dtype=jnp.int32)
    # sums wrap around modulo 2^32, which does no harm: the last one left is exact
    total = jnp.zeros(texts + 1, jnp.int32).at[texts_of].add(jnp.broadcast_to(name[:, None], texts_of.shape))

    def discover(candidates: Array, state: tuple[Any, ...]) -> tuple[Any, ...]:
        """Queue the concepts that texts with exactly one unknown concept name; each once."""
        count, total, queued, stamp, queue, tail = state
        single = (count[candidates] == 1) & (candidates < texts)
        concept = jnp.where(single, total[candidates], concepts)
        fresh = single & ~queued[jnp.minimum(concept, concepts - 1)]
        place = jnp.arange(candidates.size, dtype=jnp.int32)
        stamp = stamp.at[jnp.where(fresh, concept, concepts)].set(place)
        first = fresh & (stamp[concept] == place)
        target = jnp.where(first, concept, concepts)
        queued = queued.at[target].set(True, mode="drop")
        at = jnp.where(first, tail + jnp.cumsum(first, dtype=jnp.int32) - 1, concepts)
        queue = queue.at[at].set(concept, mode="drop")
        return count, total, queued, stamp, queue, tail + first.sum(dtype=jnp.int32)

    queued = jnp.zeros(concepts, bool)
    stamp = jnp.zeros(concepts + 1, jnp.int32)
    queue = jnp.full(concepts + block, concepts, jnp.int32)
    state = discover(jnp.arange(texts, dtype=jnp.int32), (count, total, queued, stamp, queue, jnp.int32(0)))

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        head, (count, total, queued, stamp, queue, tail) = carry
        spot = head + jnp.arange(block, dtype=jnp.int32)
        concept = jnp.where(spot < tail, lax.dynamic_slice(queue, (head,), (block,)), concepts)
        inside = concept < concepts
        touched = jnp.where(inside[:, None], texts_of[jnp.minimum(concept, concepts - 1)], texts)
        one = jnp.where(touched < texts, 1, 0)
        count = count.at[touched].add(-one)
        total = total.at[touched].add(-one * concept[:, None])
        state = discover(touched.ravel(), (count, total, queued, stamp, queue, tail))
        return jnp.minimum(head + block, tail), state

    _, state = lax.while_loop(lambda c: c[0] < c[1][5], step, (jnp.int32(0), state))
    return state[2]


def peel_graphs(
    graphs: int,
    concepts: int,
    texts: int,
    text_degree: float = 6.0,
    seed: int = 0,
    unknown: float | None = None,
    batch: int | None = None,
    first: int = 0,
    block: int | None = None,
) -> Peeled:
    """Peel ``graphs`` sampled graphs.

    Args:
        graphs: how many.
        concepts: R, unknown concepts of a graph, up to some 10^6.
        texts: T.
        text_degree: d_t; an edge has probability d_t/R.
        seed: of the random numbers; graph i has keys of its own.
        unknown: None: exactly R concepts are unknown. A number eps: each of R/eps concepts is unknown with probability
            eps (the binary erasure channel), so their number varies; edges still have probability d_t/R.
        batch: graphs in one union; None chooses. Results do not depend on it.
        first: number of the first graph.
        block: concepts taken out in one step; None chooses. Results do not depend on it.
    """
    for name, value in (("graphs", graphs), ("concepts", concepts), ("texts", texts)):
        whole_number(name, value, 1)
    number("text_degree", text_degree, above=0, high=concepts)
    batch = min(graphs, batch or max(1, min(512, _UNION // concepts)))
    task = identity("peel", concepts, texts, float(text_degree), unknown)
    sizes = np.full(graphs, concepts, dtype=np.int64)
    if unknown is not None:
        number("unknown", unknown, above=0, high=1)
        total = round(concepts / unknown)
        made = generators(seed, task, range(first, first + graphs), UNKNOWN)
        sizes = np.array([random.binomial(total, unknown) for random in made], dtype=np.int64)
    rows = int(sizes.max())
    left, isolated = np.zeros((2, graphs), dtype=np.int64)

    def one_union(low: int) -> None:
        high = min(low + batch, graphs)
        made = keys(seed, task, range(first + low, first + high), EDGES)
        flags, alone = _union(made, sizes[low:high], rows, texts, text_degree / concepts, block, batch)
        real = np.arange(rows)[None, :] < sizes[low:high, None]
        left[low:high], isolated[low:high] = (~flags & real).sum(axis=1), (alone & real).sum(axis=1)

    _each(one_union, range(0, graphs, batch), batch, rows + texts * text_degree)
    return Peeled(sizes, left, isolated)


def _each(one_union: Callable[[int], None], starts: range, batch: int, cells: float) -> None:
    """Peel the unions that begin at these graphs, as many at once as there are cores."""
    require_memory(
        CELL_BYTES * min(len(starts), cores()) * batch * cells,
        f"peeling graphs of {cells:,.0f} concepts and edges, {batch} in a union,",
        "take fewer concepts, or a lower text_degree",
    )
    with working("graphs", len(starts) * batch) as stage:
        one_union(0)  # compiles, once
        stage.advance(batch)
        with ThreadPoolExecutor(cores()) as pool:  # XLA runs such loops on one core
            for _ in pool.map(one_union, starts[1:]):
                stage.advance(batch)


def _union(
    made: np.ndarray, sizes: np.ndarray, rows: int, texts: int, chance: float, block: int | None, batch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Known and isolated flags, bool [graphs, rows], of one union, padded to ``batch`` graphs for one compilation."""
    graphs = len(made)
    padded = np.concatenate([made, np.repeat(made[-1:], batch - graphs, axis=0)])
    space = few_sizes(batch * texts)
    with precise():
        found = bernoulli_rows(padded, rows, texts, chance)
        real = (found < texts) & (np.arange(rows) < np.append(sizes, [0] * (batch - graphs))[:, None])[:, :, None]
        offset = (texts * np.arange(batch, dtype=np.int32))[:, None, None]
        joined = np.where(real, found + offset, np.int32(space)).reshape(batch * rows, -1)
        flags = np.asarray(_peel(joined, space, block or max(32, min(512, batch * rows // 128))))
    return flags.reshape(batch, rows)[:graphs], (joined[:, 0] == space).reshape(batch, rows)[:graphs]


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
