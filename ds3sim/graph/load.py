"""Skill graphs from files: CSV edge lists here, node-link JSON and GraphML in their own modules."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.files import decode
from ds3sim.core.text import short
from ds3sim.graph.edge_list import Lines, csv_edges
from ds3sim.graph.graph import SkillGraph

LARGEST_FILE = 256 * 2**20
"""Largest graph file that is read, in bytes."""

KINDS = {".csv": "CSV edge list", ".json": "node-link JSON", ".graphml": "GraphML"}


def load(path, *, start=None, goal=None, dead=(), score: Mapping | None = None, feasible: float = 1.0) -> SkillGraph:
    """Read a graph from a file; the suffix says how.

    ``.csv``: UTF-8, fields separated by commas, a header row with ``source``, ``target`` and
    ``probability`` in any order (more columns are ignored). Names may stand in double quotes. Blank
    lines and lines that begin with # are skipped.

    ``.json``: node-link data as networkx writes it, edges under ``links`` (networkx 2) or ``edges``
    (3.x). ``.graphml``: one directed graph. In both the edge attribute is ``probability``, else
    ``weight``; nodes may have ``score`` (all or none), ``goal``, ``dead`` (true or false) and
    ``start`` (true, or a probability); the graph may have ``start``, ``goal`` and ``dead``.

    Edges out of goal and dead nodes are read and checked, but the walk never uses them. A node's
    self-loop may be given or left out: what a row lacks to 1 is a wasted step either way.

    Args:
        path: the file.
        start: a name, a list of names (uniform) or a mapping name -> probability.
        goal, dead: a name or a list of names. Names may be given as integers: 3 and "3" are one.
        score: mapping name -> evaluator score, for every node.
        feasible: probability that the task can be solved at all.

        An argument that is given replaces what the file says.

    Raises:
        InputError: one line naming file, line, node and value: a file that is missing, not a
            regular file, not readable, larger than ``LARGEST_FILE``, empty, not UTF-8, or of unknown
            kind; a bad header, row or document; and all that ``SkillGraph.from_edges`` refuses.
    """
    path = Path(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else path
    require(isinstance(path, Path), f"path = {shown(path)} is not a path: give the name of a graph file")
    where = short(str(path), 300)
    text = _text(path, where)
    if path.suffix.lower() == ".csv":
        lines = Lines()
        return SkillGraph.from_edges(
            csv_edges(text, where, lines),
            start=start,
            goal=goal,
            dead=dead,
            score=score,
            feasible=feasible,
            where=where,
            lines=lines,
        )
    from ds3sim.graph.documents import read_graphml, read_node_link

    read = read_graphml if path.suffix.lower() == ".graphml" else read_node_link
    found = read(text, where)
    return SkillGraph.from_edges(
        found.edges,
        start=found.start(where) if start is None else start,
        goal=found.named("goal", where) if goal is None else goal,
        dead=found.named("dead", where) if dead is None or (isinstance(dead, Sequence) and len(dead) == 0) else dead,
        score=found.scores(where) if score is None else score,
        feasible=feasible,
        where=where,
        lines=found.lines,
        nodes=found.nodes,
    )


def _text(path: Path, where: str) -> str:
    """The file's text. Kind and size are looked at before a byte is read."""
    try:
        found = path.stat()
        require(not stat.S_ISDIR(found.st_mode), f"{where}: is a folder: name the graph file in it")
        require(stat.S_ISREG(found.st_mode), f"{where}: is not a regular file: save the graph to a file first")
        require(
            path.suffix.lower() in KINDS,
            f"{where}: unknown kind of graph file {path.suffix or '(no suffix)'}: use"
            f" {', '.join(f'{suffix} ({kind})' for suffix, kind in KINDS.items())}",
        )
        require(
            found.st_size <= LARGEST_FILE,
            f"{where}: the file has {found.st_size / 2**20:,.0f} MiB, more than the {LARGEST_FILE // 2**20} MiB that"
            " are read: split the procedure into smaller graphs or merge skills",
        )
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise InputError(f"{where}: there is no such file (working folder {os.getcwd()}): check the path") from None
    except PermissionError:
        raise InputError(f"{where}: no permission to read it: change its mode or choose another file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{where}: cannot be read ({reason}): check the path") from None
    require(len(data) <= LARGEST_FILE, f"{where}: the file grew beyond {LARGEST_FILE // 2**20} MiB while it was read")
    return decode(data, where)
