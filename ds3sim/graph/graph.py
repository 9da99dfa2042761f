"""Skill graphs: nodes are skills, a weighted edge is the chance that one step leads there.

model: docs/theory.md section 1. A graph keeps its edges as a list; the dense transition tensor is
built from it on demand (:meth:`SkillGraph.transition_tensor`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from csv import QUOTE_NONNUMERIC
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import require, shown
from ds3sim.core.figure import new_axes
from ds3sim.core.files import write_file
from ds3sim.core.record import Record, check_out, html_table, picture
from ds3sim.core.text import short
from ds3sim.graph import generators, latent
from ds3sim.graph.drawing import MOST_DRAWN, count_nodes, draw_nodes
from ds3sim.graph.from_edges import Names, build
from ds3sim.graph.load import load
from ds3sim.graph.lump import ChainForm, chain_form, fewest_steps
from ds3sim.graph.node_link import node_link
from ds3sim.graph.parts import Parts
from ds3sim.graph.tensor import DENSE_NODES, assembled

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

    from ds3sim.graph.tensor import Tensor, csr_array

DENSE_LIMIT = 2**30
"""Largest dense transition tensor, in bytes."""


@dataclass(frozen=True, eq=False)
class SkillGraph(Parts, Record):
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
        rate: None, or the law of the rate at which the one step of a latent graph succeeds; its edges say the mean.
        recipe: the keys of the [graph] table that makes it, where a generator made it, else None; a changed copy
            has none.

    >>> graph = ds.SkillGraph.from_edges([("read", "solve", 0.5), ("solve", "done", 0.2)], start="read", goal="done")
    >>> graph.size, graph.transition_tensor().tolist()
    (3, [[0.5, 0.5, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]])
    """

    recipe: tuple[tuple[str, Any], ...] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def size(self) -> int:
        """S, the number of nodes."""
        return len(self.names)

    @cached_property
    def digest(self) -> str:
        """Hex digest of all that the graph says, names too, 32 digits; the order of nodes and edges does not matter."""
        order = sorted(range(self.size), key=self.names.__getitem__)
        nodes = [
            (self.names[i], self.start[i], self.goal[i], self.dead[i], self.score is not None and self.score[i])
            for i in order
        ]
        ends = ((self.names[int(i)], self.names[int(j)]) for i, j in zip(self.source, self.target, strict=True))
        edges = sorted(zip(ends, self.probability, strict=True))
        said = repr(([[str(x) for x in node] for node in nodes], [[*ab, str(p)] for ab, p in edges], self.feasible))
        return hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()[:32]

    @cached_property
    def transient(self) -> np.ndarray:
        """Indices of the nodes that are neither goal nor dead, int64 [S_t]."""
        return np.flatnonzero(~(self.goal | self.dead))

    def _entries(self) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """(values, (rows, columns)) of the transition tensor; those of one place add up."""
        moving = ~(self.goal | self.dead)[self.source]
        source, target, weight = self.source[moving], self.target[moving], self.probability[moving]
        sums = np.bincount(source, weight, self.size)
        stay = np.where(self.goal | self.dead, 1.0, np.maximum(0.0, 1.0 - sums))
        values = np.concatenate([weight / np.maximum(1.0, sums)[source], stay])
        everyone = np.arange(self.size)
        return values, (np.concatenate([source, everyone]), np.concatenate([target, everyone]))

    def sparse_tensor(self) -> csr_array:
        """The transition tensor as a ``scipy.sparse.csr_array``, float64 [S, S], rows sum to 1."""
        values, places = self._entries()
        return assembled(*places, values, (self.size, self.size))

    def transition_tensor(self) -> np.ndarray:
        """The dense transition tensor P, float64 [S, S]; rows sum to 1, goal and dead rows absorb.

        Raises:
            InputError: the tensor would be larger than ``DENSE_LIMIT`` bytes.
        """
        need = self.size**2 * 8
        require(
            need <= DENSE_LIMIT,
            f"a graph of {self.size} nodes needs a dense transition tensor of {need / 2**30:.1f} GiB, more than the"
            f" {DENSE_LIMIT / 2**30:.0f} GiB allowed: use sparse_tensor()",
        )
        out, (values, places) = np.zeros((self.size, self.size)), self._entries()
        np.add.at(out, places, values)
        return out

    def tensor(self) -> Tensor:
        """P as engines use it: dense up to ``DENSE_NODES`` nodes, else a ``scipy.sparse.csr_array``."""
        return self.transition_tensor() if self.size <= DENSE_NODES else self.sparse_tensor()

    @cached_property
    def steps_to_goal(self) -> np.ndarray:
        """float64 [S]: fewest steps to the goal along positive probabilities, inf where there is no path."""
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
        return chain_form(self.tensor(), self.start, self.goal, self.dead, self.names)

    # ---- as a record --------------------------------------------------------------------------

    def to_dict(self) -> dict[Any, Any]:
        """Node-link data, as :meth:`load` and networkx read it."""
        return node_link(self)

    def to_frame(self) -> pandas.DataFrame:
        """The edges: columns source, target (names) and probability."""
        import pandas

        names = np.array(self.names, dtype=object)
        edges = {"source": names[self.source], "target": names[self.target], "probability": self.probability}
        frame = pandas.DataFrame(edges)
        frame.attrs = {"feasible": self.feasible}
        return frame

    def to_dataset(self) -> xarray.Dataset:
        """Nodes and edges: dimensions ``node`` (its coordinate the names) and ``edge`` (source, target: names).

        Variables: probability [edge]; start, goal, dead, steps_to_goal and, where given, score [node].
        """
        import xarray

        names = np.array(self.names, dtype=object)
        nodes = {"start": (self.start, "1"), "steps_to_goal": (self.steps_to_goal, "steps")}
        if self.score is not None:
            nodes["score"] = (self.score, "1")
        data = {name: ("node", values, {"units": unit}) for name, (values, unit) in nodes.items()}
        data |= {"goal": ("node", self.goal), "dead": ("node", self.dead)}
        data["probability"] = ("edge", self.probability, {"units": "1"})
        ends = {"source": ("edge", names[self.source]), "target": ("edge", names[self.target])}
        about = {"feasible": self.feasible} | ({} if self.rate is None else vars(self.rate))
        return xarray.Dataset(data, coords={"node": names, **ends}, attrs=about)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the graph, the start at the left; above ``MOST_DRAWN`` nodes, count them by their steps to the goal."""
        axes = new_axes(ax)
        if self.size > MOST_DRAWN:
            count_nodes(axes, self.steps_to_goal)
        else:
            positive = self.probability > 0
            depth = fewest_steps(self.target[positive], self.source[positive], self.start > 0)
            draw_nodes(axes, self, depth)
        return axes

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the graph, whole or not at all; the ending decides the format.

        ``.json`` is node-link JSON that :meth:`load` reads back to an equal graph; ``.csv`` has the edges alone, to be
        loaded with the start and the goal; ``.parquet``, ``.nc`` and ``.zarr`` as every record.

        Raises:
            InputError: an ending that is not known, a place that cannot be written, or names with line breaks in a
                ``.csv``.
        """
        ending = Path(path).suffix.lower()
        if ending == ".json":
            return write_file(check_out(path), self.to_json() + "\n")
        if ending == ".csv":
            broken = next((name for name in self.names if {"\n", "\r"} & set(name)), None)
            require(
                broken is None,
                f"{path}: the name {shown(broken)} has a line break, which no list of edges has: use .json",
            )
            # A name that begins with # stands in quotes, else its line would be a comment.
            table = self.to_table().to_csv(index=False, lineterminator="\n", quoting=QUOTE_NONNUMERIC)
            return write_file(check_out(path), table)
        return super().save(path)

    def _repr_html_(self) -> str:
        roles = (("start", self.start > 0), ("goal", self.goal), ("dead", self.dead))
        said = [("skills", self.size), ("edges", self.source.size)]
        said += [(role, short(", ".join(self.names[i] for i in np.flatnonzero(mask)))) for role, mask in roles]
        said += [("shortest path [steps]", self.shortest_path), ("feasible", self.feasible)]
        if self.rate is not None:
            said += [("alpha", self.rate.alpha), ("beta", self.rate.beta)]
        drawing = picture(self) if self.size <= MOST_DRAWN else ""
        return f"<div><p><b>SkillGraph</b></p>{html_table(('', ''), said, len(said))}{drawing}</div>"

    # ---- constructors -------------------------------------------------------------------------

    @classmethod
    def from_edges(
        cls,
        edges: Iterable[tuple[Any, ...]],
        *,
        start: Names,
        goal: Names,
        dead: Names = (),
        score: Mapping[Any, Any] | None = None,
        feasible: float = 1.0,
        where: str = "edges",
        lines: Sequence[str] | None = None,
        nodes: Iterable[Any] = (),
        require_path: bool = True,
        normalize: bool = False,
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
            normalize: edges hold counts: each row is divided by its sum, and counts of one edge are added.

        Edges out of a goal or dead node are checked and kept in the list, but the walk never uses
        them: both absorb.

        Raises:
            InputError: naming place, node and value: a probability that is negative, NaN or not a
                number; a row sum above 1; a duplicate edge; an unknown start, goal or dead node; a
                node that is both goal and dead; a goal out of reach.
        """
        parts = build(
            edges,
            start=start,
            goal=goal,
            dead=dead,
            score=score,
            feasible=feasible,
            where=where,
            lines=lines,
            nodes=nodes,
            require_path=require_path,
            normalize=normalize,
        )
        return cls(**vars(parts))

    @classmethod
    def chain(cls, skills: int, success: float, feasible: float = 1.0) -> SkillGraph:
        """The chain of m = ``skills`` skills; each step moves on with probability r = ``success``.

        States 0..m, S = m + 1 (docs/theory.md 1a).
        """
        return cls._by_rule(generators.chain, skills=skills, success=success, feasible=feasible)

    @classmethod
    def layered(cls, layers: int, width: int, success: float, **options: float) -> SkillGraph:
        """See :func:`ds3sim.graph.generators.layered`."""
        return cls._by_rule(generators.layered, layers=layers, width=width, success=success, **options)

    @classmethod
    def random(cls, skills: int, success: float, **options: float) -> SkillGraph:
        """See :func:`ds3sim.graph.generators.random`."""
        return cls._by_rule(generators.random, skills=skills, success=success, **options)

    @classmethod
    def latent(cls, solvable: float, alpha: float, beta: float) -> SkillGraph:
        """Tasks of different success rates, as fitted from logs; see :func:`ds3sim.graph.latent.latent`."""
        return cls._by_rule(latent.latent, solvable=solvable, alpha=alpha, beta=beta)

    @classmethod
    def _by_rule(cls, rule: Callable[..., Parts], **keys: Any) -> SkillGraph:
        """The graph that ``rule`` makes, which then knows how it was made."""
        graph = cls(**vars(rule(**keys)))
        plain = ((key, value.item() if hasattr(value, "item") else value) for key, value in keys.items())
        object.__setattr__(graph, "recipe", (("kind", rule.__name__), *plain))
        return graph

    @classmethod
    def load(
        cls,
        path: str | bytes | os.PathLike[str],
        *,
        start: Names = None,
        goal: Names = None,
        dead: Names = (),
        score: Mapping[Any, Any] | None = None,
        feasible: float | None = None,
        normalize: bool = False,
    ) -> SkillGraph:
        """Read a graph from an edge list, JSON, GraphML, GEXF, DOT, or a file of a model checker.

        See :func:`ds3sim.graph.load.load`.

        >>> path = ds.SkillGraph.chain(2, 0.5).save("chain.json")
        >>> ds.load_graph(path).names
        ('0', '1', '2')
        """
        names: dict[str, Any] = {"start": start, "goal": goal, "dead": dead, "score": score}
        return cls(**vars(load(path, **names, feasible=feasible, normalize=normalize)))


load_graph = SkillGraph.load
