"""When a walk on a graph is a chain in disguise: the lumping test behind ``closed_form``.

Nodes are grouped by d(s), the fewest steps to the goal. Where every node of a group moves one group
on with the same chance r and is lost with the same chance q, the group a walk is in is itself a
Markov chain (Kemeny and Snell, "Finite Markov Chains", theorem 6.3.2), and it is the paper's chain
(docs/theory.md section 1a) with a death rate q.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.errors import NoClosedForm, require
from ds3sim.graph.tensor import entries

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

LUMP_TOLERANCE = 1e-12
"""Relative difference up to which two chances count as the same."""


@dataclass(frozen=True)
class ChainForm:
    """A chain of ``skills`` steps, each done with chance ``success`` a try and lost with ``death``.

    Attributes:
        skills: m >= 1.
        success: r, chance to move on.
        death: q, chance that the goal gets out of reach; r + q <= 1, the rest is a wasted step.
        at_dead: every lost walk is at a dead node at once. False where some walks are lost among
            nodes that are not dead but have no path to the goal: the same success at every budget,
            but ``on_dead = "stop"`` does not stop them.
    """

    skills: int
    success: float
    death: float = 0.0
    at_dead: bool = True


def fewest_steps(source: np.ndarray, target: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Fewest edges from each node to one of ``ends``, float64 [S]; inf where no path leads there.

    Args:
        source, target: int [E], the edges of positive probability.
        ends: bool [S].
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    ends = np.asarray(ends, dtype=bool)
    if not ends.any():
        return np.full(ends.size, np.inf)
    backward = coo_array((np.ones(len(source)), (target, source)), shape=(ends.size, ends.size)).tocsr()
    return dijkstra(backward, directed=True, indices=np.flatnonzero(ends), unweighted=True, min_only=True)


def chain_form(
    tensor: Tensor, start: np.ndarray, goal: np.ndarray, dead: np.ndarray, names: Sequence[str]
) -> ChainForm:
    """The chain that a walk lumps to.

    With d(s) the fewest steps to the goal along positive probabilities, every node in reach of the
    start that has 1 <= d(s) < inf must send the same r to nodes with d = d(s) - 1, the same q to
    nodes with d = inf, and the rest to nodes with d = d(s); the whole start must lie at one d = m.
    Nodes out of reach of the start may be anything. Where the goal is out of reach altogether
    (r = 0) and nothing can die, the form is a chain with ``success = 0``.

    Args:
        tensor: float64 [S, S], dense or sparse, rows sum to 1, goal and dead rows absorb. A step policy's tensor
            lumps (or not) for itself.
        start: float64 [S], distribution of the first node (or a mask of possible ones).
        goal, dead: bool [S].
        names: S names, for messages.

    Raises:
        NoClosedForm: naming the node and the condition that it breaks.
    """
    start, goal, dead = np.asarray(start) > 0, np.asarray(goal, dtype=bool), np.asarray(dead, dtype=bool)
    require(
        tensor.shape == (len(names), len(names)) and start.shape == goal.shape == dead.shape == (len(names),),
        f"a tensor of shape {tensor.shape} does not fit {len(names)} names and masks of shape {start.shape}",
    )
    source, target, weight = entries(tensor)
    inner = ~(goal | dead)[source]
    source, target, weight = source[inner], target[inner], weight[inner]
    distance = fewest_steps(source, target, goal)
    reached = np.isfinite(fewest_steps(target, source, start))
    if not np.isfinite(distance[start]).any():
        return _never(reached & dead, names)
    for mask, role in ((start & goal, "the goal"), (start & dead, "dead")):
        if mask.any():
            raise NoClosedForm(f"no closed form: the walk may start at node {_first(names, mask)}, which is {role}")
    m = _distance_of_start(distance, start, names)
    rows = np.flatnonzero(reached & np.isfinite(distance) & (distance > 0))
    farther = (distance[target] > distance[source]) & np.isfinite(distance[target]) & reached[source]
    if farther.any():
        edge = int(np.argmax(farther))
        raise NoClosedForm(
            f"no closed form: node {names[source[edge]]} has a step away from the goal, to {names[target[edge]]}"
            f" ({distance[source[edge]]:g} to {distance[target[edge]]:g} steps)"
        )
    onward = distance[target] == distance[source] - 1
    lost = ~np.isfinite(distance[target])
    forward = np.bincount(source[onward], weight[onward], len(names))[rows]
    death = np.bincount(source[lost], weight[lost], len(names))[rows]
    _all_equal(forward, rows, "moves on", names)
    _all_equal(death, rows, "is lost", names)
    aside = lost & reached[source] & np.isfinite(distance[source]) & ~dead[target]
    return ChainForm(m, float(forward[0]), float(death[0]), not aside.any())


def _distance_of_start(distance: np.ndarray, start: np.ndarray, names: Sequence[str]) -> int:
    begin = distance[start]
    if begin.min() != begin.max():
        near, far = names[np.flatnonzero(start)[begin.argmin()]], names[np.flatnonzero(start)[begin.argmax()]]
        raise NoClosedForm(
            f"no closed form: the start is spread over nodes at different distances from the goal"
            f" ({near}: {begin.min():g} steps, {far}: {begin.max():g})"
        )
    return int(begin[0])


def _all_equal(values: np.ndarray, rows: np.ndarray, what: str, names: Sequence[str]) -> None:
    differs = np.abs(values - values[0]) > LUMP_TOLERANCE * np.maximum(values, values[0])
    if differs.any():
        other = int(np.argmax(differs))
        raise NoClosedForm(
            f"no closed form: node {names[rows[0]]} {what} with probability {values[0]:.6g} but node"
            f" {names[rows[other]]} with {values[other]:.6g}: only equal ones make a chain"
        )


def _never(deaths: np.ndarray, names: Sequence[str]) -> ChainForm:
    if deaths.any():
        raise NoClosedForm(
            f"no closed form: the goal is out of reach from the start but death is not (node {_first(names, deaths)}):"
            " success is 0, the steps until death have no formula here"
        )
    return ChainForm(skills=1, success=0.0)


def _first(names: Sequence[str], mask: np.ndarray) -> str:
    return names[int(np.argmax(mask))]
