"""GEXF 1.1 to 1.3, as Gephi and networkx write it."""

from __future__ import annotations

from typing import Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.text import short
from ds3sim.graph.found import Found, chance, undirected
from ds3sim.graph.names import name_of
from ds3sim.graph.xml import XmlReader, typed


def read_gexf(data: bytes, where: str) -> Found:
    """GEXF: one directed graph; the chance of an edge is an attribute of its own, or its weight.

    Raises:
        InputError: naming the line.
    """
    return _Gexf(where).read(data)


class _Gexf(XmlReader):
    format = "GEXF"
    text_in = ("default",)

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.graphs = 0
        self.directed = False
        self.owner = ""  # of the attributes that are declared
        self.key = ""
        self.declared: dict[str, dict[str, tuple[str, str]]] = {"node": {}, "edge": {}}  # id -> (title, type)
        self.defaults: dict[str, dict[Any, Any]] = {"node": {}, "edge": {}}
        self.current: dict[str, dict[Any, Any]] = {}
        self.edge: tuple[str, str, int] = ("", "", 0)

    def opened(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.path) == 1:
            require(tag == "gexf", f"{self.place()}: the document is <{short(tag)}>, not <gexf>")
        if tag == "graph":
            self.graphs += 1
            require(self.graphs == 1, f"{self.place()}: a second graph: keep one graph in the file")
            self.directed = attributes.get("defaultedgetype", "undirected").strip().lower() == "directed"
        elif tag == "attributes":
            self.owner = attributes.get("class", "")
        elif tag == "attribute" and self.owner in self.declared:
            self.key = attributes.get("id", "")
            self.declared[self.owner][self.key] = (attributes.get("title", self.key), attributes.get("type", "string"))
        elif tag == "node":
            require("id" in attributes, f"{self.place()}: a node without an id: give it one")
            known = {"label": attributes["label"]} if attributes.get("label") else {}
            if attributes.get("start", "").lower() == "true":  # networkx; else it is a time
                known["start"] = "true"
            name = name_of(attributes["id"], self.place())
            self.current["node"] = self.found.add_node(name, f"line {self.line()}", {**self.defaults["node"], **known})
        elif tag == "edge":
            self._edge(attributes)
        elif tag == "attvalue":
            self._value(attributes)

    def _edge(self, attributes: dict[str, str]) -> None:
        if "source" not in attributes or "target" not in attributes:
            raise InputError(f"{self.place()}: an edge without source or target: give it both")
        kind = attributes.get("type", "directed" if self.directed else "undirected").strip().lower()
        if kind != "directed":
            ends = f"{short(attributes['source'])} -> {short(attributes['target'])}"
            raise undirected(f"the edge {ends} is {kind}, and so" if kind == "mutual" else "the graph is", self.place())
        known = {key: attributes[key] for key in ("weight", "label") if key in attributes}
        self.current["edge"] = {**self.defaults["edge"], **known}
        self.edge = (attributes["source"], attributes["target"], self.line())

    def _value(self, attributes: dict[str, str]) -> None:
        owner = next((name for name in reversed(self.path) if name in ("node", "edge")), "")
        key = attributes.get("for", attributes.get("id", ""))
        if owner in self.current:
            title, kind = self.declared[owner].get(key, (key, "string"))
            self.current[owner][title] = typed(attributes.get("value", ""), kind)

    def closed(self, tag: str) -> None:
        if tag == "default" and self.owner in self.declared:
            title, kind = self.declared[self.owner][self.key]
            self.defaults[self.owner][title] = typed("".join(self.pieces), kind)
        elif tag == "edge":
            source, target, line = self.edge
            label, place = f"{short(source)} -> {short(target)}", f"line {line}"
            said = chance(self.current["edge"], label, f"{self.where}, {place}", more=("label",))
            self.edges.append((source, target, said))
            self.lines.append(place)

    def ended(self) -> None:
        require(self.graphs == 1, f"{self.where}: there is no graph element: a GEXF file holds <gexf><graph>...")
