"""Graph files whose nodes and edges have attributes: node-link JSON and GraphML.

networkx writes both. They are read here without it: its readers merge parallel edges, turn a bad
number into a bare ValueError and know no line numbers, and the messages of this package name the
place. The tests read files that networkx wrote.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np

from ds3sim.core.check import positive_number
from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.files import parsed
from ds3sim.core.text import short
from ds3sim.graph.from_edges import Names
from ds3sim.graph.names import name_of
from ds3sim.graph.parts import BetaRate, Parts

RECORD = "SkillGraph"
"""What a saved graph says that it is."""

TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass
class Found:
    """What a file says: edges in the order of the file, and attributes of nodes and of the graph.

    ``saved`` is true for what :func:`node_link` wrote.
    """

    nodes: list = field(default_factory=list)
    node_attributes: list[dict] = field(default_factory=list)
    node_places: list[str] = field(default_factory=list)
    edges: list[tuple] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    attributes: dict = field(default_factory=dict)
    saved: bool = False

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

    def named(self, role: str, where: str) -> Names:
        """Names of the goal or dead nodes."""
        marked = []
        for node, attributes, place in zip(self.nodes, self.node_attributes, self.node_places, strict=True):
            if role in attributes and _truth(attributes[role], f"{where}, {place}: {role} of node {short(node)}"):
                marked.append(node)
        return self._one_source(role, marked, where)

    def start(self, where: str) -> Names:
        """The start: a name, names, or a mapping name -> probability."""
        chances: dict = {}
        truths = []
        for node, attributes, place in zip(self.nodes, self.node_attributes, self.node_places, strict=True):
            value = attributes.get("start")
            if isinstance(value, numbers.Real) and not isinstance(value, bool):
                chances[node] = value
            elif value is not None and _truth(value, f"{where}, {place}: start of node {short(node)}"):
                truths.append(node)
        require(
            not (chances and truths),
            f"{where}: some nodes have start = true and some a probability: give every start node a probability",
        )
        return self._one_source("start", chances or truths, where)

    def _one_source(self, role: str, marked, where: str):
        of_graph = self.attributes.get(role)
        require(
            not marked or of_graph is None,
            f"{where}: {role} is given on nodes and on the graph: keep one of the two",
        )
        return marked or of_graph

    def saved_start(self) -> np.ndarray:
        """The start of a saved graph, float64 [S], bit for bit."""
        return np.array([float(attributes.get("start", 0.0)) for attributes in self.node_attributes])

    def rate(self, where: str) -> BetaRate | None:
        """The law of a latent graph's success rate."""
        said = [self.attributes.get(name) for name in ("alpha", "beta")]
        if said == [None, None]:
            return None
        return BetaRate(*(positive_number(f"{where}: {n}", v) for n, v in zip(("alpha", "beta"), said, strict=True)))

    def scores(self, where: str) -> dict | None:
        """Evaluator scores by node, or None."""
        found = {n: a["score"] for n, a in zip(self.nodes, self.node_attributes, strict=True) if "score" in a}
        missing = next((n for n, a in zip(self.nodes, self.node_attributes, strict=True) if "score" not in a), None)
        require(
            not found or missing is None,
            f"{where}: node {short(missing)} has no score but others have: give one to every node or to none",
        )
        return found or None


def _truth(value, what: str) -> bool:
    text = str(value).strip().lower() if isinstance(value, str | bool | int | float) else ""
    require(
        text in TRUTH,
        f"{what} is {shown(value)}: use true or false{' (or a probability)' if ': start' in what else ''}",
    )
    return TRUTH[text]


def _chance(attributes: dict, ends: str, place: str):
    for key in ("probability", "weight"):
        if attributes.get(key) is not None:
            return attributes[key]
    raise InputError(f"{place}: the edge {ends} has no probability: give it the attribute probability (or weight)")


def _directed(what: str, where: str) -> InputError:
    return InputError(
        f"{where}: {what} undirected: a skill graph is directed, a step from A to B and one from B to A are two"
        " edges with a probability each; write it as a directed graph"
    )


# ---- node-link JSON -------------------------------------------------------------------------------


def node_link(parts: Parts) -> dict:
    """A graph as node-link data, which :func:`read_node_link` (and networkx) reads; nothing is lost."""
    about: dict = {"feasible": parts.feasible}
    if parts.rate is not None:
        about |= {"alpha": parts.rate.alpha, "beta": parts.rate.beta}
    nodes = []
    for i, name in enumerate(parts.names):
        node: dict = {"id": name}
        if parts.start[i] > 0:
            node["start"] = float(parts.start[i])
        node |= {role: True for role, mask in (("goal", parts.goal), ("dead", parts.dead)) if mask[i]}
        if parts.score is not None:
            node["score"] = float(parts.score[i])
        nodes.append(node)
    ends = ([parts.names[i] for i in side.tolist()] for side in (parts.source, parts.target))
    links = [
        {"source": source, "target": target, "probability": p}
        for source, target, p in zip(*ends, parts.probability.tolist(), strict=True)
    ]
    return {"record": RECORD, "directed": True, "multigraph": False, "graph": about, "nodes": nodes, "links": links}


def read_node_link(text: str, where: str) -> Found:
    """Node-link JSON; the flag ``directed`` may be missing but not false."""
    data = parsed(text, where)
    expected = "node-link JSON is an object with the lists nodes and links (or edges)"
    require(isinstance(data, dict), f"{where}: the document is {_kind(data)}: {expected}")
    present = [key for key in ("links", "edges") if key in data]
    require(bool(present), f"{where}: there is no list links or edges: {expected}")
    require(len(present) == 1, f"{where}: there are both links and edges: keep one of the two lists")
    if _truth(data.get("directed", True), f"{where}: directed") is False:
        raise _directed("the graph is", where)
    key = present[0]
    nodes, links, attributes = data.get("nodes", []), data[key], data.get("graph", {})
    for value, label in ((nodes, "nodes"), (links, key)):
        require(isinstance(value, list), f"{where}: {label} is {_kind(value)}: {expected}")
    if isinstance(attributes, list):  # networkx 1 wrote pairs
        attributes = dict(pair for pair in attributes if isinstance(pair, list) and len(pair) == 2)
    require(isinstance(attributes, dict), f"{where}: graph is {_kind(attributes)}: it must be an object of attributes")
    found = Found(attributes=attributes, saved=data.get("record") == RECORD)
    for number, node in enumerate(nodes):
        place = f"nodes[{number}]"
        require(isinstance(node, dict) and "id" in node, f"{where}, {place}: {shown(node)} has no id: give one")
        found.nodes.append(name_of(node["id"], f"{where}, {place}"))
        found.node_attributes.append({k: v for k, v in node.items() if v is not None})
        found.node_places.append(place)
    for number, link in enumerate(links):
        place = f"{key}[{number}]"
        if not (isinstance(link, dict) and "source" in link and "target" in link):
            raise InputError(f"{where}, {place}: {shown(link)} is no edge: give an object with source and target")
        ends = f"{shown(link['source'])} -> {shown(link['target'])}"
        found.edges.append((link["source"], link["target"], _chance(link, ends, f"{where}, {place}")))
        found.lines.append(place)
    found.check(where)
    return found


def _kind(value) -> str:
    known = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return known.get(type(value), "a number")


# ---- GraphML --------------------------------------------------------------------------------------


def read_graphml(text: str, where: str) -> Found:
    """GraphML: one directed graph without nested graphs, ports or hyperedges.

    Documents with a DOCTYPE are refused: it is how entities are declared that unfold to gigabytes.
    """
    reader = _GraphML(where)
    try:
        reader.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise InputError(
            f"{where}, line {error.lineno}, column {error.offset + 1}: not valid XML"
            f" ({expat.errors.messages.get(error.code, error)})"
        ) from None
    require(reader.graphs == 1, f"{where}: there is no graph element: a GraphML file holds <graphml><graph>...")
    reader.found.check(where)
    return reader.found


class _GraphML:
    """Handlers of the XML parser; ``found`` is the result."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.found = Found()
        self.graphs = 0
        self.keys: dict[str, tuple[str, str, str]] = {}  # id -> (attr.name, attr.type, for)
        self.defaults: dict[str, dict] = {"node": {}, "edge": {}, "graph": {}}
        self.path: list[str] = []
        self.key = ""
        self.pieces: list[str] = []
        self.current: dict[str, dict] = {}
        self.edge: tuple[str, str, int] = ("", "", 0)
        self.directed = True
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._open
        self.parser.EndElementHandler = self._close
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _place(self) -> str:
        return f"{self.where}, line {self.parser.CurrentLineNumber}"

    def _doctype(self, *_):
        raise InputError(f"{self._place()}: a DOCTYPE (or ENTITY) is not allowed in GraphML: delete it")

    def _open(self, tag: str, attributes: dict):
        tag = tag.rpartition(" ")[2]
        if not self.path:
            require(tag == "graphml", f"{self._place()}: the document is <{short(tag)}>, not <graphml>")
        self.path.append(tag)
        inside = self.path[-2] if len(self.path) > 1 else ""
        if tag == "key" and inside == "graphml":
            self.key = attributes.get("id", "")
            kind = attributes.get("attr.type", "string")
            self.keys[self.key] = (attributes.get("attr.name", ""), kind, attributes.get("for", "all"))
        elif tag in ("data", "default"):
            self.pieces = []
            if tag == "data":
                self.key = attributes.get("key", "")
        elif tag == "graph":
            self._graph(attributes)
        elif tag == "node":
            require("id" in attributes, f"{self._place()}: a node without an id: give it one")
            self.current["node"] = dict(self.defaults["node"])
            self.found.nodes.append(name_of(attributes["id"], self._place()))
            self.found.node_attributes.append(self.current["node"])
            self.found.node_places.append(f"line {self.parser.CurrentLineNumber}")
        elif tag == "edge":
            if "source" not in attributes or "target" not in attributes:
                raise InputError(f"{self._place()}: an edge without source or target: give it both")
            if attributes.get("directed", "true" if self.directed else "false") != "true":
                raise _directed(f"the edge {attributes['source']} -> {attributes['target']} is", self._place())
            self.current["edge"] = dict(self.defaults["edge"])
            self.edge = (attributes["source"], attributes["target"], self.parser.CurrentLineNumber)
        elif tag in ("hyperedge", "port"):
            raise InputError(f"{self._place()}: a {tag} has no meaning in a skill graph: use nodes and edges")

    def _graph(self, attributes: dict):
        self.graphs += 1
        require(self.graphs == 1, f"{self._place()}: a second (or nested) graph: keep one graph in the file")
        if attributes.get("edgedefault", "directed") != "directed":
            raise _directed("the graph is", self._place())
        self.current["graph"] = self.found.attributes
        self.found.attributes.update(self.defaults["graph"])

    def _characters(self, text: str):
        if self.path and self.path[-1] in ("data", "default"):
            self.pieces.append(text)

    def _close(self, tag: str):
        tag = self.path.pop()
        inside = self.path[-1] if self.path else ""
        if tag == "edge":
            source, target, line = self.edge
            ends = f"{short(source)} -> {short(target)}"
            place = f"line {line}"
            chance = _chance(self.current["edge"], ends, f"{self.where}, {place}")
            self.found.edges.append((source, target, chance))
            self.found.lines.append(place)
        elif tag == "default" and inside == "key":
            name, kind, scope = self.keys[self.key]
            for owner in ("node", "edge", "graph") if scope == "all" else (scope,):
                if name and owner in self.defaults:
                    self.defaults[owner][name] = self._value("".join(self.pieces), kind)
        elif tag == "data" and inside in self.current:
            require(self.key in self.keys, f"{self._place()}: data with the unknown key {shown(self.key)}: declare it")
            name, kind, _ = self.keys[self.key]
            if name:
                self.current[inside][name] = self._value("".join(self.pieces), kind)

    @staticmethod
    def _value(text: str, kind: str) -> str | int | float:
        """Numbers where they are announced and are some; else the text, for the caller to judge."""
        text = text.strip()
        number = {"int": int, "long": int, "float": float, "double": float}.get(kind)
        if number is None or "_" in text:
            return text
        try:
            return number(text)
        except ValueError:
            return text
