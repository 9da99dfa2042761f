"""Parts of skill graphs from files, by their endings.

``.csv``, ``.tsv``: fields separated by commas, tabs, semicolons or bars, a header row with ``source``, ``target``
and ``probability`` in any order and case (also from, to; prob, p, weight, count; more columns are ignored). Names may
stand in double quotes. Blank lines and lines that begin with # are skipped.

``.json``: node-link data as networkx writes it, edges under ``links`` (networkx 2) or ``edges``
(3.x), and its relatives. ``.graphml``, ``.gexf``, ``.dot``: one directed graph. In all the edge attribute is
``probability`` (or prob, p), else ``weight``, else a label that is a number; nodes may have ``score`` (all or
none), ``goal``, ``dead`` (true or false) and ``start`` (true, or a probability); the graph may have ``start``,
``goal``, ``dead`` and ``feasible``.

``.tra`` (with ``.lab`` and ``.sta`` beside it), ``.drn``, ``.umb``, ``.prism``: a DTMC of a model checker; its
labels init, goal and dead give start, goal and dead nodes.

Text is UTF-8, or UTF-16 under a byte order mark; files may be compressed (.csv.gz).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ds3sim.core.errors import require
from ds3sim.core.files import as_text, ending_of, read_bytes
from ds3sim.core.guard import reads
from ds3sim.core.text import short
from ds3sim.graph.dot import read_dot
from ds3sim.graph.edge_list import Lines, csv_edges
from ds3sim.graph.explicit import read_drn, read_prism, read_tra
from ds3sim.graph.found import Found
from ds3sim.graph.from_edges import Names, build
from ds3sim.graph.gexf import read_gexf
from ds3sim.graph.graphml import read_graphml
from ds3sim.graph.node_link import read_node_link
from ds3sim.graph.parts import Parts
from ds3sim.graph.umb import read_umb

LARGEST_FILE = 256 * 2**20
"""Largest graph file that is read, in bytes."""

KINDS = {
    ".csv": "CSV edge list",
    ".tsv": "the same with tabs",
    ".json": "node-link JSON",
    ".graphml": "GraphML",
    ".gexf": "GEXF",
    ".dot": "DOT",
    ".gv": "DOT",
    ".tra": "PRISM's explicit files",
    ".drn": "Storm's explicit format",
    ".umb": "unified Markov binary",
    ".prism": "a PRISM module of one variable",
    ".pm": "the same",
}


@reads("graph")
def load(
    path: str | bytes | os.PathLike[str],
    *,
    start: Names = None,
    goal: Names = None,
    dead: Names = (),
    score: Mapping[Any, Any] | None = None,
    feasible: float | None = None,
    normalize: bool = False,
) -> Parts:
    """Read a graph from a file; the ending says how (see the head of this module).

    Args:
        path: the file.
        start, goal, dead, score, feasible: as ``SkillGraph.from_edges``; each that is given replaces what the file
            says. Names may be given as integers: 3 and "3" are one. A node may also be named by its attribute ``name``
            or ``label``, and the states of a model checker by one of its labels.
        normalize: edges hold counts: each row is divided by its sum, and counts of one edge are added.

    Raises:
        InputError: one line naming file, line, node and value: a file that is missing, not a
            regular file, not readable, larger than ``LARGEST_FILE``, empty, not UTF-8, or of unknown
            kind; a bad header, row or document; and all that ``SkillGraph.from_edges`` refuses.
    """
    advice = "split the procedure into smaller graphs or merge skills"
    data = read_bytes(path, most=LARGEST_FILE, advice=advice, endings=KINDS)
    path = Path(os.fsdecode(path))
    where = short(str(path), 300)
    require(data.strip() != b"", f"{where}: the file is empty: it needs at least one edge")
    found = _found(data, where, path)
    none_dead = dead is None or (isinstance(dead, Sequence) and len(dead) == 0)
    parts = build(
        found.edges,
        start=found.start(where) if start is None else found.known(start, where, "start"),
        goal=found.named("goal", where) if goal is None else found.known(goal, where, "goal"),
        dead=found.named("dead", where) if none_dead else found.known(dead, where, "dead"),
        score=found.scores(where) if score is None else found.known(score, where, "score"),
        feasible=found.feasible() if feasible is None else feasible,
        where=where,
        lines=found.lines,
        nodes=found.nodes,
        require_path=not found.saved,
        normalize=normalize,
    )
    if not found.saved:
        return parts
    # A saved distribution is taken as it is: scaled again to sum 1 it may differ in the last digit.
    begin = parts.start if start is not None else found.saved_start()
    return replace(parts, start=begin, rate=found.rate(where))


def _found(data: bytes, where: str, path: Path) -> Found:
    """What the file says, by its ending."""
    ending = ending_of(path)
    if ending == ".umb":
        return read_umb(data, where)
    if ending in (".graphml", ".gexf"):
        return (read_graphml if ending == ".graphml" else read_gexf)(data, where)
    text = as_text(data, where)
    require(text.strip() != "", f"{where}: the file is empty: it needs at least one edge")
    if ending in (".csv", ".tsv"):
        lines = Lines()
        return Found(edges=csv_edges(text, where, lines), lines=lines)
    if ending == ".tra":
        return read_tra(text, where, path, LARGEST_FILE)
    readers = {".json": read_node_link, ".drn": read_drn, ".dot": read_dot, ".gv": read_dot}
    return readers.get(ending, read_prism)(text, where)
