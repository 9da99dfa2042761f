"""Node-link JSON, which networkx, d3 and this package write, and its relatives: adjacency data, Cytoscape's elements
and the JSON Graph Format.

It is read without networkx, whose readers merge parallel edges, turn a bad number into a bare ValueError and know no
places.
"""

from __future__ import annotations

from typing import Any

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.files import parsed
from ds3sim.graph.found import Found, chance, truth, undirected
from ds3sim.graph.names import name_of
from ds3sim.graph.parts import Parts

RECORD = "SkillGraph"
"""What a saved graph says that it is."""
NAMES = ("id", "name", "key", "label")
"""What may name a node, the first that it has."""
EXPECTED = "node-link JSON is an object with the lists nodes and links (or edges)"


def node_link(parts: Parts) -> dict[Any, Any]:
    """A graph as node-link data, which :func:`read_node_link` (and networkx) reads; nothing is lost."""
    about: dict[Any, Any] = {"feasible": parts.feasible}
    if parts.rate is not None:
        about |= {"alpha": parts.rate.alpha, "beta": parts.rate.beta}
    nodes = []
    for i, name in enumerate(parts.names):
        node: dict[Any, Any] = {"id": name}
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
    """Node-link JSON or a relative of it; the flag ``directed`` may be missing but not false.

    Raises:
        InputError: naming the place.
    """
    data = parsed(text, where)
    if isinstance(data, list) and any(isinstance(item, dict) and isinstance(item.get("data"), dict) for item in data):
        data = {"elements": data}  # Cytoscape
    if not isinstance(data, dict):
        raise InputError(f"{where}: the document is {_kind(data)}: {EXPECTED}")
    data = _as_node_link(data, where)
    present = [key for key in ("links", "edges") if key in data]
    require(bool(present), f"{where}: there is no list links or edges: {EXPECTED}")
    if len(present) == 2 and data["links"] and data["edges"] == []:
        present = ["links"]
    require(len(present) == 1, f"{where}: there are both links and edges: keep one of the two lists")
    if truth(data.get("directed", True), f"{where}: directed") is False:
        raise undirected("the graph is", where)
    key = present[0]
    nodes, links, attributes = data.get("nodes", []), data[key], data.get("graph", {})
    for value, label in ((nodes, "nodes"), (links, key)):
        require(isinstance(value, list), f"{where}: {label} is {_kind(value)}: {EXPECTED}")
    if isinstance(attributes, list):  # networkx 1 wrote pairs
        pairs = (pair for pair in attributes if isinstance(pair, list) and len(pair) == 2)
        attributes = {name: value for name, value in pairs if isinstance(name, str)}
    require(isinstance(attributes, dict), f"{where}: graph is {_kind(attributes)}: it must be an object of attributes")
    found = Found(attributes=attributes, saved=data.get("record") == RECORD)
    for number, node in enumerate(nodes):
        place = f"nodes[{number}]"
        name = next((node[key] for key in NAMES if key in node), None) if isinstance(node, dict) else None
        require(name is not None, f"{where}, {place}: {shown(node)} has no id: give one")
        found.add_node(name_of(name, f"{where}, {place}"), place, {k: v for k, v in node.items() if v is not None})
    # d3 and older networkx name the ends by place where nodes have no id.
    numbered = nodes and not any("id" in node for node in nodes)
    edges, lines = [], []
    for number, link in enumerate(links):
        place = f"{key}[{number}]"
        if isinstance(link, dict) and "from" in link and "to" in link:  # vis.js
            link = {"source": link["from"], "target": link["to"], **link}
        if not (isinstance(link, dict) and "source" in link and "target" in link):
            raise InputError(f"{where}, {place}: {shown(link)} is no edge: give an object with source and target")
        if link.get("directed") is False or link.get("undirected") is True:
            raise undirected(f"the edge {shown(link['source'])} -> {shown(link['target'])} is", f"{where}, {place}")
        ends = [_named(link["source"]), _named(link["target"])]
        if numbered:
            ends = [found.nodes[end] if type(end) is int and 0 <= end < len(nodes) else end for end in ends]
        label = f"{shown(link['source'])} -> {shown(link['target'])}"
        edges.append((*ends, chance(link, label, f"{where}, {place}", more=("label",))))
        lines.append(place)
    found.edges, found.lines = edges, lines
    found.check(where)
    return found


def _as_node_link(data: dict[Any, Any], where: str) -> dict[Any, Any]:
    """The relatives of node-link data, written as such; what does not fit is left as it is."""
    graph, elements, options = data.get("graph"), data.get("elements"), data.get("options")
    if isinstance(options, dict) and isinstance(data.get("attributes"), dict):  # graphology
        lists = {key: [_flat(item, "attributes") for item in _list(data.get(key))] for key in ("nodes", "edges")}
        return {"directed": options.get("type") != "undirected", "graph": data["attributes"], **lists}
    if "links" in data or "edges" in data:
        return data
    if isinstance(elements, dict | list):  # Cytoscape
        lists = [elements] if isinstance(elements, list) else [_list(part) for part in elements.values()]
        inner = [_inside(item, "data") for items in lists for item in items]
        nodes, edges = ([item for item in inner if ("source" in item) is edge] for edge in (False, True))
        about = data.get("data") if isinstance(data.get("data"), dict | list) else {}
        return {"directed": data.get("directed", True), "graph": about, "nodes": nodes, "edges": edges}
    graphs = _list(data.get("graphs"))  # JSON Graph Format
    require(len(graphs) < 2, f"{where}: there are {len(graphs)} graphs: keep one in the file")
    graph = graphs[0] if graphs else graph
    if isinstance(graph, dict) and isinstance(graph.get("edges"), list):
        nodes = graph.get("nodes", [])
        if isinstance(nodes, dict):
            nodes = [{**node, "id": name} for name, node in nodes.items() if isinstance(node, dict)]
        lists = {"nodes": nodes, "edges": graph["edges"]}
        lists = {key: [_flat(item, "metadata") for item in _list(items)] for key, items in lists.items()}
        return {"directed": graph.get("directed", True), **lists}
    nodes, adjacency = data.get("nodes"), data.get("adjacency")
    if isinstance(nodes, list) and isinstance(adjacency, list) and len(nodes) == len(adjacency):
        sources = [node.get("id") if isinstance(node, dict) else None for node in nodes]
        edges = [
            {**edge, "source": source, "target": edge.get("id")}
            for source, row in zip(sources, adjacency, strict=True)
            for edge in (row if isinstance(row, list) else ())
            if isinstance(edge, dict)
        ]
        return {**data, "links": edges}
    return data


def _inside(item: Any, key: str) -> dict[Any, Any]:
    found = item.get(key) if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}


def _flat(item: Any, key: str) -> Any:
    """An object, with what stands inside of it under ``key`` beside the rest."""
    return {**_inside(item, key), **item} if isinstance(item, dict) else item


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _named(end: Any) -> Any:
    """The end of an edge; d3 puts the node itself there once it has run."""
    return next((end[key] for key in NAMES if key in end), end) if isinstance(end, dict) else end


def _kind(value: object) -> str:
    known = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return known.get(type(value), "a number")
