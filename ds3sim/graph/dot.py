"""Graphs in the DOT language of Graphviz, as PRISM and Storm draw them too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.text import short
from ds3sim.graph.found import Found, chance, is_number, undirected

TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|^\#[^\n]*)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<html><)
    |(?P<word>[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*|-?(?:\.\d+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?))
    |(?P<mark>->|--|[][{};,=:+])""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
BRACKET = re.compile("[<>]")
DEEPEST = 100


def read_dot(text: str, where: str) -> Found:
    """A digraph: the chance of an edge is its attribute probability (or weight), or a label that is a number.

    Raises:
        InputError: naming the line.
    """
    reader = _Dot(text, where)
    reader.graph()
    reader.found.check(where)
    return reader.found


class _Dot:
    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where
        self.found = Found(edges=[], lines=[])
        self.nodes: dict[str, dict[Any, Any]] = {}
        self.edges: list[tuple[Any, ...]] = []
        self.lines: list[str] = []
        self.tokens = self._tokens()
        self.at = 0
        self.counted = 0, 1  # a place and its line
        self.kind, self.now = "", ""
        self.next()

    def _tokens(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        while at < len(self.text):
            match = TOKEN.match(self.text, at)
            if match is None:
                self.at = at
                raise InputError(f"{self.place()}: {shown(self.text[at : at + 20])} is not expected here in a DOT file")
            end = match.end() if match.lastgroup != "html" else self._html(at)
            if match.lastgroup != "skip":
                yield str(match.lastgroup), self.text[at:end], at
            at = end
        yield "end", "", at

    def _html(self, at: int) -> int:
        """The end of the HTML that begins at ``at``: where its angle brackets are closed."""
        depth = 0
        for mark in BRACKET.finditer(self.text, at):
            depth += 1 if mark[0] == "<" else -1
            if depth == 0:
                return mark.end()
        self.at = at
        raise InputError(f"{self.place()}: an HTML label without its end: close its angle brackets")

    def place(self) -> str:
        return f"{self.where}, {self.line()}"

    def line(self) -> str:
        begin, number = self.counted if self.counted[0] <= self.at else (0, 1)
        self.counted = self.at, number + self.text.count("\n", begin, self.at)
        return f"line {self.counted[1]}"

    def next(self) -> None:
        self.kind, self.now, self.at = next(self.tokens, ("end", "", len(self.text)))

    def take(self, mark: str) -> bool:
        """Whether this mark comes next, which is then passed."""
        if self.kind == "mark" and self.now == mark:
            self.next()
            return True
        return False

    def need(self, mark: str) -> None:
        if not self.take(mark):
            found = shown(self.now) if self.kind != "end" else "the end of the file"
            raise InputError(f"{self.place()}: {found} where {mark} is expected")

    def name(self) -> str:
        """An ID, whose pieces may be joined by +."""
        if self.kind not in ("text", "word", "html"):
            found = shown(self.now) if self.kind != "end" else "the end of the file"
            raise InputError(f"{self.place()}: {found} where a name is expected")
        out = ""
        while True:
            quoted = self.kind == "text"
            bare = self.now if self.kind == "word" else self.now[1:-1]
            out += bare.replace("\\\n", "").replace('\\"', '"') if quoted else bare
            self.next()
            if not (quoted and self.take("+")):
                return out
            require(self.kind == "text", f"{self.place()}: only quoted text can be joined by +")

    def keyword(self, *words: str) -> str:
        """The keyword that comes next, which is then passed, or an empty string."""
        word = self.now.lower()
        if self.kind == "word" and word in words:
            self.next()
            return word
        return ""

    def graph(self) -> None:
        """The whole file."""
        self.keyword("strict")
        kind = self.keyword("digraph", "graph")
        require(kind != "", f"{self.place()}: a DOT file begins with digraph {{")
        if kind == "graph":
            raise undirected("the graph is", self.where)
        if self.kind in ("text", "word"):
            self.name()
        self.need("{")
        self.statements({"node": {}, "edge": {}}, 0)
        require(self.kind == "end", f"{self.place()}: a second graph: keep one graph in the file")
        for name, attributes in self.nodes.items():
            self.found.add_node(name, "nodes", attributes)
        self.found.edges, self.found.lines = self.edges, self.lines

    def statements(self, defaults: dict[str, dict[Any, Any]], depth: int) -> list[str]:
        """The statements up to the closing brace; the nodes that they name."""
        require(depth <= DEEPEST, f"{self.place()}: subgraphs are nested too deeply")
        named: list[str] = []
        while not self.take("}"):
            if self.take(";"):
                continue
            kind = self.keyword("node", "edge", "graph")
            if kind:
                target = self.found.attributes if kind == "graph" and depth == 0 else defaults.get(kind, {})
                target.update(self.attributes())
                continue
            named += self.statement(defaults, depth)
        return named

    def statement(self, defaults: dict[str, dict[Any, Any]], depth: int) -> list[str]:
        """A node, edges, a subgraph, or name = value; the nodes that it names."""
        groups, begin = [self.ends(defaults, depth)], self.line()
        if self.kind == "mark" and self.now == "=" and len(groups[0]) == 1:
            self.next()
            if depth == 0:
                self.found.attributes[groups[0][0]] = self.name()
            else:
                self.name()
            return []
        while self.kind == "mark" and self.now in ("->", "--"):
            if self.now == "--":
                raise undirected("the edge --", self.place())
            self.next()
            groups.append(self.ends(defaults, depth))
        attributes = self.attributes()
        if len(groups) == 1:
            for name in groups[0] if attributes else ():
                self.nodes[name].update(attributes)
            return groups[0]
        said = {**defaults["edge"], **attributes}
        if is_number(said.get("label")):
            said.pop("weight", None)  # which in DOT is a hint to the layout
        for sources, targets in pairwise(groups):
            for source in sources:
                for target in targets:
                    label = f"{short(source)} -> {short(target)}"
                    self.edges.append((source, target, chance(said, label, f"{self.where}, {begin}", ("label",))))
                    self.lines.append(begin)
        return [name for group in groups for name in group]

    def ends(self, defaults: dict[str, dict[Any, Any]], depth: int) -> list[str]:
        """Nodes, with their ports left out, or the nodes of a subgraph."""
        inner = {kind: dict(values) for kind, values in defaults.items()}
        if self.keyword("subgraph"):
            if self.kind in ("text", "word"):
                self.name()
            self.need("{")
            return list(dict.fromkeys(self.statements(inner, depth + 1)))
        if self.take("{"):
            return list(dict.fromkeys(self.statements(inner, depth + 1)))
        names: list[str] = []
        while not names or self.take(","):
            names.append(self.name())
            if not (self.kind == "mark" and self.now == "="):
                self.nodes.setdefault(names[-1], dict(defaults["node"]))
            while self.take(":"):
                self.name()
        return names

    def attributes(self) -> dict[str, str]:
        """The lists in brackets that follow."""
        out: dict[str, str] = {}
        while self.take("["):
            while not self.take("]"):
                key = self.name()
                out[key] = self.name() if self.take("=") else "true"
                if not self.take(","):
                    self.take(";")
        return out
