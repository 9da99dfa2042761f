"""Peeling of sampled concept-text graphs, in JAX, many graphs at once.

The R unknown concepts of n_c = R/eps are all that matters: a known concept never changes a text's count of unknown
ones.
So a graph is R rows (concepts) of T cells (texts), each filled with probability d_t/R. Several graphs form one disjoint
union, which is peeled through one queue of concepts to remove: a block of the queue at a time takes its concepts out of
their texts, and each text left with one unknown concept names it (a text keeps the count and the sum of its unknown
concepts). Every edge is used once. What peeling leaves does not depend on the order.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ds3sim.core.check import number, whole_number
from ds3sim.core.memory import require_memory
from ds3sim.core.progress import working
from ds3sim.core.runtime import cores
from ds3sim.training.bernoulli_rows import EDGES, UNKNOWN, bernoulli_rows, generator, identity, keys, precise

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
def _peel(texts_of, texts: int, block: int):
    """Known flags, bool [concepts], of a union. ``texts_of`` is int32 [concepts, width], padded with ``texts``."""
    concepts = texts_of.shape[0]
    count = jnp.zeros(texts + 1, jnp.int32).at[texts_of].add(1)
    name = jnp.arange(concepts, dtype=jnp.int32)
    # sums wrap around modulo 2^32, which does no harm: the last one left is exact
    total = jnp.zeros(texts + 1, jnp.int32).at[texts_of].add(jnp.broadcast_to(name[:, None], texts_of.shape))

    def discover(candidates, state):
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

    def step(carry):
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

    Returns:
        :class:`Peeled`.

    Raises:
        InputError: an argument outside its range.
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
        sizes = np.array(
            [generator(seed, task, first + g, UNKNOWN).binomial(total, unknown) for g in range(graphs)], dtype=np.int64
        )
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


def _union(made, sizes, rows: int, texts: int, chance: float, block: int | None, batch: int):
    """Known flags and isolated flags, bool [graphs, rows], of one union (padded to ``batch`` graphs: one
    compilation)."""
    graphs = len(made)
    padded = np.concatenate([made, np.repeat(made[-1:], batch - graphs, axis=0)])
    with precise():
        found = bernoulli_rows(padded, rows, texts, chance)
        real = (found < texts) & (np.arange(rows) < np.append(sizes, [0] * (batch - graphs))[:, None])[:, :, None]
        offset = (texts * np.arange(batch, dtype=np.int32))[:, None, None]
        joined = np.where(real, found + offset, np.int32(batch * texts)).reshape(batch * rows, -1)
        block = block or max(32, min(512, batch * rows // 128))
        flags = np.asarray(_peel(joined, batch * texts, block)).reshape(batch, rows)[:graphs]
    alone = (joined[:, 0] == batch * texts).reshape(batch, rows)[:graphs]
    return flags, alone
