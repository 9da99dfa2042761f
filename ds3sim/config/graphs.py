"""The [graph] table in each of its kinds, and the way from it to a skill graph and back."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from ds3sim.config import values as v
from ds3sim.core.errors import InputError, require, shown
from ds3sim.graph.generators import MOST_SKILLS
from ds3sim.graph.graph import SkillGraph


class GraphTable(v.Table):
    """A graph of any kind."""

    @abstractmethod
    def build(self, folder: Path) -> SkillGraph:
        """The graph; relative paths are taken from ``folder``."""


class _Graph(GraphTable):
    feasible: v.Share = v.key(1.0, "gamma^m, probability that the task is feasible")


class _Made(GraphTable):
    """A graph by a generator of :class:`SkillGraph`, whose arguments are the keys."""

    maker: ClassVar[str]

    def build(self, folder: Path) -> SkillGraph:
        return getattr(SkillGraph, self.maker)(**{key: value for key, value in self if key != "kind"})


class ChainGraph(_Graph, _Made):
    """The paper's chain of m skills."""

    maker = "chain"
    kind: Literal["chain"] = "chain"
    skills: v.Skills = v.key(..., "m, number of skills")
    success: v.Share = v.key(..., "r, chance that one step moves on")


class LayeredGraph(_Graph, _Made):
    """Layers of interchangeable skills between a start and a goal."""

    maker = "layered"
    kind: Literal["layered"] = "layered"
    layers: v.Skills = v.key(..., "number of layers")
    width: v.Skills = v.key(..., "skills in a layer")
    success: v.Share = v.key(..., "chance that one step reaches the next layer")
    back: v.Share = v.key(0.0, "chance that one step falls back a layer")
    death: v.Share = v.key(0.0, "chance that one step reaches the dead end")
    seed: v.Seed = v.key(0, "seed of the graph's own randomness")


class RandomGraph(_Graph, _Made):
    """A random graph."""

    maker = "random"
    kind: Literal["random"] = "random"
    skills: Annotated[v.Whole, Field(ge=2, le=MOST_SKILLS)] = v.key(..., "number of nodes")
    success: v.Share = v.key(..., "chance that one step reaches another skill")
    degree: v.Skills = v.key(4, "successors of a node")
    death: v.Share = v.key(0.0, "chance that one step reaches the dead end")
    seed: v.Seed = v.key(0, "seed of the graph's own randomness")


class LatentGraph(_Made):
    """Tasks of different success rates R: 0 with chance 1 - solvable, else Beta(alpha, beta); one step decides."""

    maker = "latent"
    kind: Literal["latent"] = "latent"
    solvable: v.Share = v.key(1.0, "A, share of tasks that can be solved")
    alpha: v.Positive = v.key(..., "of the beta law of success rates")
    beta: v.Positive = v.key(..., "of the beta law of success rates")


class FileGraph(_Graph):
    """A graph from an edge list, node-link JSON, GraphML, GEXF, DOT, or a file of a model checker."""

    kind: Literal["file"] = "file"
    path: v.Text = v.key(..., "file of edges, relative to the config's folder")
    start: v.Start | None = v.key(None, "a node, a list of nodes, or a table of probabilities")
    goal: v.Names | None = v.key(None, "goal node or nodes")
    dead: v.NamesOrNone | None = v.key(None, "nodes from which the task cannot be solved")
    score: v.Scores | None = v.key(None, "the evaluator's score for every node, larger is better")
    normalize: v.Truth = v.key(False, "edges hold counts: divide each row by its sum")

    def build(self, folder: Path) -> SkillGraph:
        """The graph; a relative path is taken from ``folder``."""
        path, told = folder / self.path, f"graph.path = {shown(self.path)}"
        try:
            exists = path.exists()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{told}: is not a usable path: {reason}") from None
        require(exists, f"{told}: no such file: the path is relative to the config's folder")
        options = {"start": _plain(self.start), "goal": _plain(self.goal), "dead": _plain(self.dead) or ()}
        try:
            return SkillGraph.load(path, **options, score=self.score, feasible=self.feasible, normalize=self.normalize)
        except InputError as error:
            raise InputError(f"graph: {error}") from None


class EdgesGraph(_Graph):
    """A graph by its edges."""

    kind: Literal["edges"]
    edges: tuple[tuple[Any, Any, Any], ...] = v.key(..., "[from, to, probability] of each edge")
    start: v.Start = v.key(..., "a node, a list of nodes, or a table of probabilities")
    goal: v.Names = v.key(..., "goal node or nodes")
    dead: v.NamesOrNone = v.key((), "nodes from which the task cannot be solved")
    score: v.Scores | None = v.key(None, "the evaluator's score for every node, larger is better")
    nodes: tuple[v.Name, ...] = v.key((), "nodes in their order; that of the edges when left out")
    normalize: v.Truth = v.key(False, "edges hold counts: divide each row by its sum")

    def build(self, folder: Path) -> SkillGraph:
        options = {name: _plain(getattr(self, name)) for name in ("start", "goal", "dead", "nodes")}
        rest = {"score": self.score, "feasible": self.feasible, "normalize": self.normalize}
        return SkillGraph.from_edges(self.edges, **options, **rest, where="graph.edges")


def table_of(graph: SkillGraph) -> dict[str, Any]:
    """The table of a graph: the call that made it where a generator did, else its edges."""
    if graph.recipe is not None:
        return dict(graph.recipe)
    if graph.rate is not None:
        return {"kind": "latent", "solvable": graph.feasible, "alpha": graph.rate.alpha, "beta": graph.rate.beta}
    names = graph.names
    pairs = zip(graph.source.tolist(), graph.target.tolist(), graph.probability.tolist(), strict=True)

    def named(values: np.ndarray) -> list[str]:
        return [names[i] for i in np.flatnonzero(values)]

    return {
        "kind": "edges",
        "edges": [[names[i], names[j], p] for i, j, p in pairs],
        "start": dict(zip(named(graph.start), graph.start[graph.start != 0].tolist(), strict=True)),
        "goal": named(graph.goal),
        "dead": named(graph.dead),
        "nodes": list(names),
        "feasible": graph.feasible,
        **({} if graph.score is None else {"score": dict(zip(names, graph.score.tolist(), strict=True))}),
    }


def _plain(value: Any) -> Any:
    """Node names as the graph reader takes them."""
    return list(value) if isinstance(value, tuple) else value


Kinds = ChainGraph | FileGraph | LayeredGraph | RandomGraph | LatentGraph | EdgesGraph
Graph = Annotated[Kinds, Field(discriminator="kind")]
GRAPHS = v.by_kind(Graph)
