"""GraphML, as networkx, igraph, Cytoscape, Gephi and yEd write it."""

from __future__ import annotations

from typing import Any

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.text import short
from ds3sim.graph.found import Found, chance, truth, undirected
from ds3sim.graph.names import name_of
from ds3sim.graph.xml import XmlReader, typed


def read_graphml(data: bytes, where: str) -> Found:
    """GraphML: one directed graph without nested graphs, ports or hyperedges.

    Raises:
        InputError: naming the line.
    """
    return _GraphML(where).read(data)


class _GraphML(XmlReader):
    format = "GraphML"
    text_in = ("data", "default", "NodeLabel", "EdgeLabel")

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.graphs = 0
        self.keys: dict[str, tuple[str, str, str]] = {}  # id -> (attr.name, attr.type, for)
        self.defaults: dict[str, dict[Any, Any]] = {"node": {}, "edge": {}, "graph": {}}
        self.key = ""
        self.current: dict[str, dict[Any, Any]] = {}
        self.edge: tuple[str, str, int] = ("", "", 0)
        self.directed = True

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        inside = self.path[-2] if len(self.path) > 1 else ""
        if not inside:
            require(tag == "graphml", f"{self.place()}: the document is <{short(tag)}>, not <graphml>")
        if tag == "key" and inside == "graphml":
            self.key = attributes.get("id", "")
            kind = attributes.get("attr.type", "string")
            self.keys[self.key] = (attributes.get("attr.name", ""), kind, attributes.get("for", "all"))
        elif tag == "data":
            self.key = attributes.get("key", "")
        elif tag == "graph":
            self._graph(attributes)
        elif tag == "node":
            require("id" in attributes, f"{self.place()}: a node without an id: give it one")
            name = name_of(attributes["id"], self.place())
            self.current["node"] = self.found.add_node(name, f"line {self.line()}", dict(self.defaults["node"]))
        elif tag == "edge":
            self._edge(attributes)
        elif tag in ("hyperedge", "port"):
            raise InputError(f"{self.place()}: a {tag} has no meaning in a skill graph: use nodes and edges")

    def _graph(self, attributes: dict[str, str]) -> None:
        self.graphs += 1
        require(self.graphs == 1, f"{self.place()}: a second (or nested) graph: keep one graph in the file")
        self.directed = attributes.get("edgedefault", "directed").strip().lower() == "directed"
        self.current["graph"] = self.found.attributes
        self.found.attributes.update(self.defaults["graph"])

    def _edge(self, attributes: dict[str, str]) -> None:
        if "source" not in attributes or "target" not in attributes:
            raise InputError(f"{self.place()}: an edge without source or target: give it both")
        ends = f"{short(attributes['source'])} -> {short(attributes['target'])}"
        said = attributes.get("directed")
        if not (self.directed if said is None else truth(said, f"{self.place()}: directed of the edge {ends}")):
            raise undirected("the graph is" if said is None else f"the edge {ends} is", self.place())
        self.current["edge"] = dict(self.defaults["edge"])
        self.edge = (attributes["source"], attributes["target"], self.line())

    def closed(self, tag: str) -> None:
        inside = self.path[-1] if self.path else ""
        text = "".join(self.pieces)
        if tag == "edge":
            source, target, line = self.edge
            label = f"{short(source)} -> {short(target)}"
            place = f"line {line}"
            said = chance(self.current["edge"], label, f"{self.where}, {place}", more=("label",))
            self.edges.append((source, target, said))
            self.lines.append(place)
        elif tag == "default" and inside == "key":
            name, kind, scope = self.keys[self.key]
            for owner in ("node", "edge", "graph") if scope == "all" else (scope,):
                if name and owner in self.defaults:
                    self.defaults[owner][name] = typed(text, kind)
        elif tag == "data" and inside in self.current:
            require(self.key in self.keys, f"{self.place()}: data with the unknown key {shown(self.key)}: declare it")
            name, kind, _ = self.keys[self.key]
            if name:
                self.current[inside][name] = typed(text, kind)
        elif tag in ("NodeLabel", "EdgeLabel"):  # yEd
            owner = tag.removesuffix("Label").lower()
            if owner in self.current and text.strip():
                self.current[owner].setdefault("label", text.strip())

    def ended(self) -> None:
        require(self.graphs == 1, f"{self.where}: there is no graph element: a GraphML file holds <graphml><graph>...")
