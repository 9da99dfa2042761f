"""What a graph file says, before it is checked as a graph."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ds3sim.core.check import positive_number
from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.text import short
from ds3sim.graph.from_edges import Names
from ds3sim.graph.names import name_of, scalar
from ds3sim.graph.parts import BetaRate

TRUTH = {"true": True, "1": True, "false": False, "0": False}
PROBABILITY = ("probability", "prob", "p", "weight", "count", "counts")
"""What the chance of an edge may be called, in any case; the first that an edge has counts."""
OTHER_NAMES = {"name", "label", "id", "shared name"}
"""Attributes, in any case, by which a node may be named instead of by its id."""


@dataclass
class Found:
    """What a file says: edges in the order of the file, and attributes of nodes and of the graph.

    Attributes:
        nodes, node_attributes, node_places: names, attributes and places in the file of the nodes that it lists.
        edges, lines: (source, target, probability), and the place of each.
        attributes: of the graph.
        labels: sets of nodes by name, as model checkers write them.
        saved: whether it is what ``SkillGraph.save`` wrote.
    """

    nodes: list[Any] = field(default_factory=list)
    node_attributes: list[dict[Any, Any]] = field(default_factory=list)
    node_places: list[str] = field(default_factory=list)
    edges: Iterable[tuple[Any, ...]] = field(default_factory=list)
    lines: Sequence[str] = field(default_factory=list)
    attributes: dict[Any, Any] = field(default_factory=dict)
    labels: dict[str, list[Any]] = field(default_factory=dict)
    saved: bool = False

    def add_node(self, node: object, place: str, attributes: dict[Any, Any] | None = None) -> dict[Any, Any]:
        """List a node; returns its attributes."""
        self.nodes.append(node)
        self.node_attributes.append({} if attributes is None else attributes)
        self.node_places.append(place)
        return self.node_attributes[-1]

    def add_up(self, edges: Iterable[tuple[Any, Any, Any]], lines: Sequence[str]) -> None:
        """Take ``edges``, whose places are ``lines``; the chances of edges between the same two states are added."""
        chances: dict[tuple[Any, Any], Any] = {}
        places: dict[tuple[Any, Any], str] = {}
        for (source, target, p), place in zip(edges, lines, strict=True):
            before = chances.get((source, target), 0.0)
            numbers_both = isinstance(before, float) and isinstance(p, float)  # what is no number is refused later
            chances[source, target] = before + p if numbers_both else p
            places.setdefault((source, target), place)
        self.edges, self.lines = [(*ends, p) for ends, p in chances.items()], list(places.values())

    def check(self, where: str) -> None:
        """Refuse nodes that are named twice and edges that mention a node that is not listed."""
        seen: dict[str, str] = {}
        for node, place in zip(self.nodes, self.node_places, strict=True):
            name = name_of(node, f"{where}, {place}")
            if name in seen:
                raise InputError(
                    f"{where}, {place}: node {short(name)} is listed twice (first: {seen[name]}): keep one"
                )
            seen[name] = place
        for edge, place in zip(self.edges, self.lines, strict=True):
            for end in edge[:2]:
                if seen and name_of(end, f"{where}, {place}") not in seen:
                    raise InputError(
                        f"{where}, {place}: unknown node {short(end)}: the list of nodes does not have it; add it there"
                        " or correct the edge"
                    )

    def known(self, names: Any, where: str, role: str) -> Any:
        """Names that the user gave, as ids: a node may also be named by its ``name`` or ``label``, and nodes by a label
        of the file.

        Raises:
            InputError: a name that several nodes have.
        """
        if names is None or not (self.nodes or self.labels):
            return names
        ids = {str(node).strip() for node in self.nodes}
        others: dict[str, list[Any]] = {}
        for node, attributes in zip(self.nodes, self.node_attributes, strict=True):
            for name in {str(value).strip() for key, value in attributes.items() if str(key).lower() in OTHER_NAMES}:
                others.setdefault(name, []).append(node)

        def found(name: object) -> list[Any]:
            text = str(name).strip()
            if text in ids:
                return [name]
            nodes = self.labels.get(text) or others.get(text) or [name]
            if len(nodes) > 1 and text not in self.labels:
                these = ", ".join(short(node) for node in nodes[:4])
                raise InputError(
                    f"{where}: {role} = {short(text)} is the name of {len(nodes)} nodes ({these}): give their ids"
                )
            return nodes

        names = scalar(names)
        if isinstance(names, Mapping):
            return {node: value for name, value in names.items() for node in found(name)}
        if isinstance(names, str | numbers.Integral):
            return found(names)
        try:
            return [node for name in names for node in found(name)]
        except TypeError:
            return names  # refused where it is checked

    def named(self, role: str, where: str) -> Names:
        """Names of the goal or dead nodes."""
        marked = list(self.labels.get(role, ()))
        for node, attributes, place in zip(self.nodes, self.node_attributes, self.node_places, strict=True):
            if role in attributes and truth(attributes[role], f"{where}, {place}: {role} of node {short(node)}"):
                marked.append(node)
        return self._one_source(role, marked, where)

    def start(self, where: str) -> Names:
        """The start: a name, names, or a mapping name -> probability."""
        chances: dict[Any, Any] = {}
        truths = list(self.labels.get("init", ()))
        require(
            len(truths) < 2,
            f"{where}: {len(truths)} states are initial: give the start, with a probability for each of them",
        )
        for node, attributes, place in zip(self.nodes, self.node_attributes, self.node_places, strict=True):
            value: Any = attributes.get("start")
            if not is_number(value) or str(value).strip() in TRUTH:
                if value is not None and truth(value, f"{where}, {place}: start of node {short(node)}"):
                    truths.append(node)
            elif float(value) != 0.0:
                chances[node] = float(value)
        require(
            not (chances and truths),
            f"{where}: some nodes have start = true and some a probability: give every start node a probability",
        )
        return self._one_source("start", chances or truths, where)

    def _one_source(self, role: str, marked: Any, where: str) -> Any:
        of_graph = self.attributes.get(role)
        require(
            not marked or of_graph is None,
            f"{where}: {role} is given on nodes and on the graph: keep one of the two",
        )
        return marked or of_graph

    def saved_start(self) -> np.ndarray:
        """The start of a saved graph, float64 [S], bit for bit."""
        return np.array([float(attributes.get("start", 0.0)) for attributes in self.node_attributes])

    def feasible(self) -> Any:
        """The chance that the task can be solved at all, as the graph's attribute says it; else 1."""
        said = self.attributes.get("feasible", 1.0)
        return float(said) if is_number(said) else said

    def rate(self, where: str) -> BetaRate | None:
        """The law of a latent graph's success rate."""
        said = [self.attributes.get(name) for name in ("alpha", "beta")]
        if said == [None, None]:
            return None
        return BetaRate(*(positive_number(f"{where}: {n}", v) for n, v in zip(("alpha", "beta"), said, strict=True)))

    def scores(self, where: str) -> dict[Any, Any] | None:
        """Evaluator scores by node, or None."""
        found = {n: a["score"] for n, a in zip(self.nodes, self.node_attributes, strict=True) if "score" in a}
        missing = next((n for n, a in zip(self.nodes, self.node_attributes, strict=True) if "score" not in a), None)
        require(
            not found or missing is None,
            f"{where}: node {short(missing)} has no score but others have: give one to every node or to none",
        )
        return found or None


def truth(value: object, what: str) -> bool:
    """A truth value as XML Schema writes it (true, false, 1, 0, blanks around it), in any case.

    Raises:
        InputError: another value; ``what`` names it.
    """
    text = str(value).strip().lower() if isinstance(value, str | bool | int | float) else ""
    require(
        text in TRUTH,
        f"{what} is {shown(value)}: use true or false{' (or a probability)' if ': start' in what else ''}",
    )
    return TRUTH[text]


def chance(attributes: dict[Any, Any], ends: str, place: str, more: Sequence[str] = ()) -> Any:
    """The probability of an edge by its attributes; ``more`` are further names of it, for text that is a number.

    Raises:
        InputError: there is none.
    """
    for key in PROBABILITY:
        if attributes.get(key) is not None:
            return attributes[key]
    lower = {str(key).strip().lower(): value for key, value in attributes.items() if value is not None}
    for key in (*PROBABILITY, *more):
        if key in lower and (key not in more or is_number(lower[key])):
            return lower[key]
    raise InputError(f"{place}: the edge {ends} has no probability: give it the attribute probability (or weight)")


def is_number(value: object) -> bool:
    """Whether ``value`` is a number or text that is one."""
    try:
        float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, bool)


def undirected(what: str, where: str) -> InputError:
    """The error of an undirected graph or edge."""
    return InputError(
        f"{where}: {what} undirected: a skill graph is directed, a step from A to B and one from B to A are two"
        " edges with a probability each; write it as a directed graph"
    )
