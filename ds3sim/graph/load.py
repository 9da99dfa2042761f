"""Parts of skill graphs from files: CSV edge lists, node-link JSON and GraphML."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ds3sim.core.errors import require
from ds3sim.core.files import read_text
from ds3sim.core.guard import reads
from ds3sim.core.text import short
from ds3sim.graph.documents import read_graphml, read_node_link
from ds3sim.graph.edge_list import Lines, csv_edges
from ds3sim.graph.from_edges import Names, build
from ds3sim.graph.parts import Parts

LARGEST_FILE = 256 * 2**20
"""Largest graph file that is read, in bytes."""

KINDS = {".csv": "CSV edge list", ".json": "node-link JSON", ".graphml": "GraphML"}


@reads("graph")
def load(
    path: str | bytes | os.PathLike[str],
    *,
    start: Names = None,
    goal: Names = None,
    dead: Names = (),
    score: Mapping | None = None,
    feasible: float | None = None,
) -> Parts:
    """Read a graph from a file; the suffix says how.

    ``.csv``: UTF-8, fields separated by commas, a header row with ``source``, ``target`` and
    ``probability`` in any order (more columns are ignored). Names may stand in double quotes. Blank
    lines and lines that begin with # are skipped.

    ``.json``: node-link data as networkx writes it, edges under ``links`` (networkx 2) or ``edges``
    (3.x). ``.graphml``: one directed graph. In both the edge attribute is ``probability``, else
    ``weight``; nodes may have ``score`` (all or none), ``goal``, ``dead`` (true or false) and
    ``start`` (true, or a probability); the graph may have ``start``, ``goal``, ``dead`` and ``feasible``.

    Args:
        path: the file.
        start, goal, dead, score, feasible: as ``SkillGraph.from_edges``; each that is given replaces what the file
            says. Names may be given as integers: 3 and "3" are one.

    Raises:
        InputError: one line naming file, line, node and value: a file that is missing, not a
            regular file, not readable, larger than ``LARGEST_FILE``, empty, not UTF-8, or of unknown
            kind; a bad header, row or document; and all that ``SkillGraph.from_edges`` refuses.
    """
    text = read_text(
        path, most=LARGEST_FILE, advice="split the procedure into smaller graphs or merge skills", endings=KINDS
    )
    path = Path(os.fsdecode(path))
    where = short(str(path), 300)
    require(text.strip() != "", f"{where}: the file is empty: it needs at least one edge")
    if path.suffix.lower() == ".csv":
        lines = Lines()
        edges = csv_edges(text, where, lines)
        able = 1.0 if feasible is None else feasible
        return build(edges, start=start, goal=goal, dead=dead, score=score, feasible=able, where=where, lines=lines)
    found = (read_graphml if path.suffix.lower() == ".graphml" else read_node_link)(text, where)
    parts = build(
        found.edges,
        start=found.start(where) if start is None else start,
        goal=found.named("goal", where) if goal is None else goal,
        dead=found.named("dead", where) if dead is None or (isinstance(dead, Sequence) and len(dead) == 0) else dead,
        score=found.scores(where) if score is None else score,
        feasible=found.attributes.get("feasible", 1.0) if feasible is None else feasible,
        where=where,
        lines=found.lines,
        nodes=found.nodes,
        require_path=not found.saved,
    )
    if not found.saved:
        return parts
    # A saved distribution is taken as it is: scaled again to sum 1 it may differ in the last digit.
    begin = parts.start if start is not None else found.saved_start()
    return replace(parts, start=begin, rate=found.rate(where))
