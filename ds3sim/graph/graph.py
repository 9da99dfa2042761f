"""Skill graphs: nodes are skills, a weighted edge is the chance that one step leads there.

model: docs/theory.md section 1. A graph keeps its edges as a list; the dense transition tensor is
built from it on demand (:meth:`SkillGraph.transition_tensor`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import require

if TYPE_CHECKING:
    from ds3sim.graph.lump import ChainForm

ROW_TOLERANCE = 1e-9
"""A row may exceed 1 by this much (decimal fractions in files); it is then scaled to 1."""

DENSE_LIMIT = 2**30
"""Largest dense transition tensor, in bytes."""


@dataclass(frozen=True, eq=False)
class SkillGraph:
    """A directed graph of S skills with step probabilities.

    Attributes:
        names: S names; the order is the order of rows in the transition tensor.
        source, target: int arrays [E], edges by node index; no self-loops are needed.
        probability: float64 [E], chance that a step taken at ``source`` ends at ``target``. What a
            row lacks to 1 is the chance of a wasted step.
        start: float64 [S], distribution of the first skill.
        goal, dead: bool [S]; both are absorbing, a node is at most one of them.
        score: float64 [S] or None: the evaluator's score for ToT and beam search; None uses the
            discounted hitting value.
        feasible: probability gamma^m that the task can be solved at all.
        recipe: the keys of the [graph] table that makes it, where a generator made it, else None; a changed copy
            has none.
    """

    names: tuple[str, ...]
    source: np.ndarray = field(repr=False)
    target: np.ndarray = field(repr=False)
    probability: np.ndarray = field(repr=False)
    start: np.ndarray = field(repr=False)
    goal: np.ndarray = field(repr=False)
    dead: np.ndarray = field(repr=False)
    score: np.ndarray | None = field(default=None, repr=False)
    feasible: float = 1.0
    recipe: tuple[tuple[str, Any], ...] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def size(self) -> int:
        """S, the number of nodes."""
        return len(self.names)

    @cached_property
    def transient(self) -> np.ndarray:
        """Indices of the nodes that are neither goal nor dead, int64 [S_t]."""
        return np.flatnonzero(~(self.goal | self.dead))

    def sparse_tensor(self):
        """The transition tensor as a ``scipy.sparse.csr_array``, float64 [S, S], rows sum to 1."""
        from scipy.sparse import coo_array

        moving = ~(self.goal | self.dead)[self.source]
        source, target, weight = self.source[moving], self.target[moving], self.probability[moving]
        sums = np.bincount(source, weight, self.size)
        stay = np.where(self.goal | self.dead, 1.0, np.maximum(0.0, 1.0 - sums))
        scale = np.maximum(1.0, sums)
        everyone = np.arange(self.size)
        rows = np.concatenate([source, everyone])
        columns = np.concatenate([target, everyone])
        values = np.concatenate([weight / scale[source], stay])
        matrix = coo_array((values, (rows, columns)), shape=(self.size, self.size)).tocsr()
        matrix.eliminate_zeros()
        return matrix

    def transition_tensor(self) -> np.ndarray:
        """The dense transition tensor P, float64 [S, S]; rows sum to 1, goal and dead rows absorb.

        Raises:
            InputError: the tensor would be larger than ``DENSE_LIMIT`` bytes.
        """
        need = self.size**2 * 8
        require(
            need <= DENSE_LIMIT,
            f"a graph of {self.size} nodes needs a dense transition tensor of {need / 2**30:.1f} GiB, more than the"
            f" {DENSE_LIMIT / 2**30:.0f} GiB allowed: split the procedure into smaller graphs or merge skills",
        )
        return self.sparse_tensor().toarray()

    @cached_property
    def steps_to_goal(self) -> np.ndarray:
        """float64 [S]: fewest steps to the goal along positive probabilities, inf where there is no path."""
        from ds3sim.graph.lump import fewest_steps

        positive = (self.probability > 0) & ~(self.goal | self.dead)[self.source]
        return fewest_steps(self.source[positive], self.target[positive], self.goal)

    @cached_property
    def reaches_goal(self) -> np.ndarray:
        """bool [S]: nodes from which some path of positive probability leads to the goal."""
        return np.isfinite(self.steps_to_goal)

    @cached_property
    def shortest_path(self) -> int | None:
        """Fewest steps from the start to the goal; None where the goal is out of reach."""
        fewest = self.steps_to_goal[self.start > 0].min()
        return int(fewest) if np.isfinite(fewest) else None

    def chain_form(self) -> ChainForm:
        """The chain that the walk on this graph lumps to; see :func:`ds3sim.graph.lump.chain_form`.

        Raises:
            NoClosedForm: it lumps to none; the message says which node breaks which condition.
        """
        from ds3sim.graph.lump import chain_form

        return chain_form(self.transition_tensor(), self.start, self.goal, self.dead, self.names)

    # ---- constructors -------------------------------------------------------------------------

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[tuple],
        *,
        start,
        goal,
        dead=(),
        score: Mapping | None = None,
        feasible: float = 1.0,
        where: str = "edges",
        lines: Sequence[str] | None = None,
        nodes: Iterable = (),
        require_path: bool = True,
    ) -> SkillGraph:
        """A graph from (source, target, probability) triples.

        Args:
            edges: triples; names may be any strings or integers.
            start: a name, or a mapping name -> probability (sums to 1), or a sequence of names
                (uniform).
            goal, dead: a name or a sequence of names.
            score: optional mapping name -> evaluator score, for every node.
            where, lines: how errors name the place: the file, and a label for each edge.
            nodes: names to have as nodes, in this order, whether or not an edge mentions them.
            require_path: refuse a graph whose goal is out of reach.

        Edges out of a goal or dead node are checked and kept in the list, but the walk never uses
        them: both absorb.

        Raises:
            InputError: naming place, node and value: a probability that is negative, NaN or not a
                number; a row sum above 1; a duplicate edge; an unknown start, goal or dead node; a
                node that is both goal and dead; a goal out of reach.
        """
        from ds3sim.graph.from_edges import build

        return build(edges, start, goal, dead, score, feasible, where, lines, nodes, require_path)

    @classmethod
    def chain(cls, skills: int, success: float, feasible: float = 1.0) -> SkillGraph:
        """The chain of m = ``skills`` skills; each step moves on with probability r = ``success``.

        States 0..m, S = m + 1 (docs/theory.md 1a).
        """
        from ds3sim.graph.generators import chain

        keys = {"skills": skills, "success": success, "feasible": feasible}
        return with_recipe(chain(**keys), "chain", **keys)

    @classmethod
    def layered(cls, layers: int, width: int, success: float, **options) -> SkillGraph:
        """See :func:`ds3sim.graph.generators.layered`."""
        from ds3sim.graph.generators import layered

        keys = {"layers": layers, "width": width, "success": success, **options}
        return with_recipe(layered(**keys), "layered", **keys)

    @classmethod
    def random(cls, skills: int, success: float, **options) -> SkillGraph:
        """See :func:`ds3sim.graph.generators.random`."""
        from ds3sim.graph.generators import random

        keys = {"skills": skills, "success": success, **options}
        return with_recipe(random(**keys), "random", **keys)

    @classmethod
    def latent(cls, solvable: float, alpha: float, beta: float) -> SkillGraph:
        """Tasks of different success rates, as fitted from logs; see :func:`ds3sim.graph.latent.latent`."""
        from ds3sim.graph.latent import latent

        return with_recipe(latent(solvable, alpha, beta), "latent", solvable=solvable, alpha=alpha, beta=beta)

    @classmethod
    def load(cls, path, *, start=None, goal=None, dead=(), score=None, feasible: float = 1.0) -> SkillGraph:
        """Read a graph from a CSV edge list, node-link JSON or GraphML; see :mod:`ds3sim.graph.load`."""
        from ds3sim.graph.load import load

        return load(path, start=start, goal=goal, dead=dead, score=score, feasible=feasible)


def with_recipe(graph: SkillGraph, kind: str, **options: Any) -> SkillGraph:
    """The graph, which then knows how it was made."""
    plain = ((key, value.item() if hasattr(value, "item") else value) for key, value in options.items())
    object.__setattr__(graph, "recipe", (("kind", kind), *plain))
    return graph
