"""From named edges to the checked parts of a graph."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ds3sim.core.check import fraction
from ds3sim.core.errors import InputError, note, require, shown
from ds3sim.core.text import short
from ds3sim.graph.lump import fewest_steps
from ds3sim.graph.names import name_of, scalar
from ds3sim.graph.parts import FLOAT32_ROW, ROW_TOLERANCE, Parts

Names = str | int | Iterable[str | int] | Mapping[str | int, float] | None
"""A name, names, or (for the start) a mapping name -> probability."""


def build(
    edges: Iterable[tuple[Any, ...]],
    *,
    start: Names,
    goal: Names,
    dead: Names = (),
    score: Mapping[Any, Any] | None = None,
    feasible: float = 1.0,
    where: str = "edges",
    lines: Sequence[str] | None = None,
    nodes: Iterable[Any] = (),
    require_path: bool = True,
    normalize: bool = False,
) -> Parts:
    """See :meth:`ds3sim.graph.graph.SkillGraph.from_edges`."""
    index: dict[str, int] = {}
    for node in nodes:
        index.setdefault(name_of(node, f"{where}, nodes"), len(index))
    most = math.inf if normalize else 1.0 + FLOAT32_ROW
    source, target, probability = _edge_arrays(edges, index, where, lines, most)
    require(source.size > 0, f"{where}: no edges: a skill graph needs at least one edge source,target,probability")
    names = tuple(index)
    if normalize:
        source, target, probability = _shares(source, target, probability, len(names))
    else:
        _no_duplicates(source, target, names, where, lines)
        probability = _whole_rows(source, probability, names, where, lines)
    goal_mask, dead_mask = _mask(goal, index, where, "goal"), _mask(dead, index, where, "dead")
    require(bool(goal_mask.any()), f"{where}: no goal node: name at least one with goal = ...")
    both = goal_mask & dead_mask
    require(
        not both.any(),
        f"{where}: node {short(names[int(np.argmax(both))])} is both goal and dead: it can only be one of them",
    )
    begin, scores, able = _start(start, index, where), _scores(score, index, where), _able(feasible, where)
    parts = Parts(names, source, target, probability, begin, goal_mask, dead_mask, scores, able)
    if require_path:
        _path(parts, where)
    return parts


def _path(parts: Parts, where: str) -> None:
    moving = (parts.probability > 0) & ~(parts.goal | parts.dead)[parts.source]
    steps = fewest_steps(parts.source[moving], parts.target[moving], parts.goal)
    if np.isfinite(steps[parts.start > 0]).any():
        return
    begin, end = (
        ", ".join(short(parts.names[i]) for i in np.flatnonzero(mask)[:3]) for mask in (parts.start > 0, parts.goal)
    )
    raise InputError(
        f"{where}: the goal ({end}) is out of reach from the start ({begin}): no path of edges with positive"
        " probability leads there; check the direction of the edges and the names of start and goal"
    )


def _edge_arrays(
    edges: Any, index: dict[str, int], where: str, lines: Any, most: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges as index and probability arrays; new names are added to ``index`` in order of appearance."""
    source, target, probability = [], [], []
    ready: dict[str, int] = dict(index)  # raw strings met before; a hit needs no check
    number = -1
    for number, edge in enumerate(edges):
        if not (isinstance(edge, tuple | list) and len(edge) == 3):
            raise InputError(
                f"{_place(where, lines, number)}: {shown(edge)} is not an edge: give (source, target, probability)"
            )
        for end, found in zip(edge, (source, target), strict=False):
            node = ready.get(end) if type(end) is str else None
            if node is None:
                node = index.setdefault(name_of(end, _place(where, lines, number)), len(index))
                if type(end) is str:
                    ready[end] = node
            found.append(node)
        p = edge[2]
        if type(p) is not float or not 0.0 <= p <= 1.0:
            p = _probability(p, _place(where, lines, number), edge, most)
        probability.append(p)
    return (
        np.array(source, dtype=np.int64),
        np.array(target, dtype=np.int64),
        np.array(probability, dtype=np.float64),
    )


def _place(where: str, lines: Any, number: int) -> str:
    return f"{where}, {lines[number]}" if lines is not None else f"{where}, edge {number + 1}"


def _no_duplicates(source: Any, target: Any, names: Any, where: str, lines: Any) -> None:
    key = source * len(names) + target
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(key[order][1:] == key[order][:-1])
    if again.size:
        second = order[again + 1].min()
        first = int(np.flatnonzero(key == key[second])[0])
        label = f"{short(names[source[second]])} -> {short(names[target[second]])}"
        earlier = _place(where, lines, first).removeprefix(f"{where}, ")
        raise InputError(
            f"{_place(where, lines, int(second))}: the edge {label} stands there twice (first: {earlier}): keep one,"
            " with the sum of the probabilities if both are meant"
        )


def _shares(source: Any, target: Any, counts: Any, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges once each, in the order of their first mention, with the share of their row's counts."""
    _, first, place = np.unique(source * size + target, return_index=True, return_inverse=True)
    total = np.bincount(place, counts)
    order = np.argsort(first)
    source, target, total = source[first[order]], target[first[order]], total[order]
    rows = np.bincount(source, total, size)[source]
    return source, target, np.minimum(total / np.where(rows > 0, rows, 1.0), 1.0)


def _whole_rows(source: Any, probability: Any, names: Any, where: str, lines: Any) -> np.ndarray:
    """The probabilities; rows of numbers of single precision, which sum to 1 only nearly, are scaled, with a note."""
    # bincount finds the suspects, exact summation judges them: 10 edges of 0.1 are a full row.
    rough, edges = np.bincount(source, probability, len(names)), np.bincount(source, minlength=len(names))
    near = (np.abs(rough - 1.0) <= 2 * FLOAT32_ROW) & (edges > 1) & (np.abs(rough - 1.0) > ROW_TOLERANCE / 2)
    suspects = np.flatnonzero(near | (rough > 1.0 + ROW_TOLERANCE / 2))
    if not suspects.size:
        return probability
    order = np.argsort(source, kind="stable")
    begin = np.searchsorted(source[order], suspects)
    scaled: list[tuple[float, str]] = []
    out = probability.copy()
    for node, at in zip(suspects.tolist(), begin.tolist(), strict=True):
        row = order[at : at + edges[node]]
        total = math.fsum(probability[row].tolist())
        if total > 1.0 + FLOAT32_ROW:
            over = row[np.argmax(np.cumsum(probability[row]) > 1.0 + ROW_TOLERANCE / 2)]
            raise InputError(
                f"{_place(where, lines, int(over))}: the probabilities out of node {short(names[node])} sum to"
                f" {total:.12g}, which is above 1: lower them; what a row lacks to 1 is a wasted step (for counts say"
                " normalize = true)"
            )
        if ROW_TOLERANCE < abs(total - 1.0) <= FLOAT32_ROW:
            out[row] = probability[row] / total
            scaled.append((total, names[node]))
    if scaled:
        total, name = scaled[0]
        rows = f"the row of node {short(name)} sums" if len(scaled) == 1 else f"{len(scaled)} rows sum"
        first = f"to {total:.9g}" if len(scaled) == 1 else f"to 1 only nearly ({total:.9g} for node {short(name)})"
        note(
            f"{where}: {rows} {first}, as numbers of single precision do: scaled to 1 (a wasted step that is meant is"
            " an edge from the node to itself)"
        )
    return out


def _number(value: Any) -> float:
    """float(value), without what ``float`` takes but nobody means: True, b"1", "0_5"."""
    if isinstance(value, bool | np.bool_ | bytes) or (isinstance(value, str) and "_" in value):
        raise ValueError
    return float(value)


def _probability(value: Any, place: str, edge: Any, most: float) -> float:
    label = f"{short(edge[0])} -> {short(edge[1])}"
    try:
        number = _number(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"{place}: the probability {shown(value)} of {label} is not a number between 0 and 1"
        ) from None
    if math.isnan(number):
        raise InputError(f"{place}: the probability of {label} is NaN: give a number between 0 and 1")
    if not 0.0 <= number <= most or math.isinf(number):
        fault = "negative" if number < 0 else "infinite" if math.isinf(number) else "above 1"
        limits = "lie between 0 and 1 (for counts say normalize = true)" if math.isfinite(most) else "be 0 or a count"
        raise InputError(f"{place}: the probability {number:.12g} of {label} is {fault}: it must {limits}")
    return number


def _listed(value: Any, where: str, role: str) -> list[Any]:
    value = scalar(value)
    if value is None:
        return []
    if isinstance(value, str | numbers.Integral):
        return [value]
    if isinstance(value, Mapping | bytes):
        raise InputError(f"{where}: {role} = {shown(value)} cannot name nodes: give a name or a list of names")
    try:
        return list(value)
    except TypeError:
        raise InputError(
            f"{where}: {role} = {shown(value)} cannot name nodes: give a name or a list of names"
        ) from None


def _known(value: Any, index: dict[Any, Any], where: str, role: str) -> int:
    key = name_of(value, f"{where}, {role}")
    if key not in index:
        import difflib
        from itertools import islice

        near = difflib.get_close_matches(key[:100], list(islice(index, 5000)), n=1)
        hint = f"did you mean {short(near[0])}?" if near else "nodes are the sources and targets of the edges"
        raise InputError(f"{where}: unknown {role} node {short(key)}: the graph has no such node; {hint}")
    return index[key]


def _mask(values: Any, index: dict[Any, Any], where: str, role: str) -> np.ndarray:
    mask = np.zeros(len(index), dtype=bool)
    for value in _listed(values, where, role):
        mask[_known(value, index, where, role)] = True
    return mask


def _able(feasible: float, where: str) -> float:
    return fraction("feasible" if where == "edges" else f"{where}: feasible", feasible)


def _start(start: Any, index: dict[Any, Any], where: str) -> np.ndarray:
    distribution = np.zeros(len(index))
    if isinstance(start, Mapping):
        for name, p in start.items():
            label = f"{where}: start probability of {short(name)}"
            distribution[_known(name, index, where, "start")] += fraction(label, p)
        total = math.fsum(distribution.tolist())
        require(
            abs(total - 1.0) <= ROW_TOLERANCE,
            f"{where}: the start probabilities sum to {total:.12g}: they must sum to 1",
        )
        return distribution / total
    named = [_known(name, index, where, "start") for name in _listed(start, where, "start")]
    require(bool(named), f"{where}: no start node: name one with start = ..., or give a distribution over nodes")
    require(len(set(named)) == len(named), f"{where}: a start node is listed twice: list each once, or give chances")
    distribution[named] = 1.0 / len(named)
    return distribution


def _scores(score: Any, index: dict[Any, Any], where: str) -> np.ndarray | None:
    if score is None:
        return None
    require(isinstance(score, Mapping), f"{where}: score = {shown(score)} must map each node to a number")
    values = np.full(len(index), np.nan)
    for name, value in score.items():
        node = _known(name, index, where, "score")
        try:
            values[node] = _number(value)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{where}: the score {shown(value)} of node {short(name)} is not a number") from None
    missing = np.flatnonzero(~np.isfinite(values))
    require(
        missing.size == 0,
        f"{where}: node {short(list(index)[int(missing[0])]) if missing.size else ''} has no finite score:"
        " give one for every node or for none",
    )
    return values
