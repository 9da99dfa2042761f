"""The tables that walks are drawn from: one draw makes L steps.

Many walks at once: those of equal shapes are stacked, and share the passes over the columns of an alias table. The
numbers of each are bit for bit those that it would get alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, groupby

import numpy as np

from ds3sim.core.errors import require
from ds3sim.engine.traces.alias import power_of_two, row_tables
from ds3sim.graph.graph import SkillGraph

MOST_CODES = 2**16
CACHE_BYTES = 256 * 1024
TABLE_BYTES = 128 * 2**20
USUAL_STEPS = 32

ROWS_AT_ONCE = 4096
"""Rows of alias tables that are made together: enough to share the passes, few enough for the cache."""


@dataclass(frozen=True, eq=False)
class Table:
    """A flat alias table with one row per transient state and a last row for the start.

    Codes: s in [0, S_t) transient; S_t + j reached the goal at sub-step j (0..L); S_t + L + 1 + j died at sub-step j.

    Attributes:
        threshold, outcome: uint32 [rows * W]; width: W, a power of two.
        transient: S_t; steps: L.
    """

    threshold: np.ndarray
    outcome: np.ndarray
    width: int
    transient: int
    steps: int


@dataclass(frozen=True, eq=False)
class Walk:
    """What a macro table is made from; tasks that differ only in their budget may share one.

    Attributes:
        moves: float64 [S_t, S_t] among the transient states.
        to_goal, to_dead, start: float64 [S_t].
        at_goal, at_dead: chance to begin there.
    """

    moves: np.ndarray
    to_goal: np.ndarray
    to_dead: np.ndarray
    start: np.ndarray
    at_goal: float
    at_dead: float


def walk_of(graph: SkillGraph, tensor: np.ndarray, start: np.ndarray | None = None) -> Walk:
    """The transient part of a walk on ``graph`` under the transition tensor ``tensor``, float64 [S, S], from ``start``,
    float64 [S], if not the graph's own; InputError: more than 65,000 states."""
    inner, start = graph.transient, graph.start if start is None else start
    require(
        inner.size + 4 < MOST_CODES, f"{inner.size} transient states are too many for the traces engine: at most 65,000"
    )
    return Walk(
        tensor[np.ix_(inner, inner)],
        tensor[np.ix_(inner, np.flatnonzero(graph.goal))].sum(axis=1),
        tensor[np.ix_(inner, np.flatnonzero(graph.dead))].sum(axis=1),
        start[inner],
        float(start[graph.goal].sum()),
        float(start[graph.dead].sum()),
    )


def macro_steps(walk: Walk, max_steps: int) -> int:
    """L, the steps per draw: about 32; less where the table would not fit memory, more for long walks on few nodes."""
    rows, max_steps = len(walk.moves), max(1, max_steps)
    # A walk to the budget takes four draws at least: it stays a walk, not a table of the answer.
    steps = min(USUAL_STEPS, power_of_two(max_steps // 4 + 1) // 2 or 1)
    while steps > 1 and _table_bytes(rows, rows + 2 * steps) > TABLE_BYTES:
        steps //= 2
    if steps == 1 and rows:
        return 1
    while steps >= USUAL_STEPS and 32 * steps <= max_steps and _table_bytes(rows, rows + 4 * steps + 2) <= CACHE_BYTES:
        steps *= 2
    return steps


def macro_tables(walks: Sequence[tuple[Walk, int]]) -> list[Table]:
    """The tables of many (walk, L), each bit for bit what it is alone."""
    shapes = [(len(walk.moves), steps) for walk, steps in walks]
    order = sorted(range(len(walks)), key=shapes.__getitem__)
    filled = accumulate(shapes[i][0] + 1 for i in order)
    block = {i: end // ROWS_AT_ONCE for i, end in zip(order, filled, strict=True)}
    out = {}
    for _, members in groupby(order, block.__getitem__):
        stacks = [list(alike) for _, alike in groupby(members, shapes.__getitem__)]
        laws = [_laws([walks[i][0] for i in alike], *shapes[alike[0]]) for alike in stacks]
        for i, table in zip(chain(*stacks), row_tables(laws), strict=True):
            out[i] = Table(*table, *shapes[i])
    return [out[i] for i in range(len(walks))]


def _laws(walks: Sequence[Walk], rows: int, steps: int) -> np.ndarray:
    """float64 [T, rows + 1, C]: the L-step law of every state and of the start."""
    many = len(walks)
    moves = np.stack([walk.moves for walk in walks]) if many > 1 else walks[0].moves[None]
    reach_goal = np.stack([walk.to_goal for walk in walks])
    reach_dead = np.stack([walk.to_dead for walk in walks])
    start = np.stack([walk.start for walk in walks])
    law = np.zeros((many, rows + 1, rows + 2 * (steps + 1)))
    goal_at, dead_at = law[:, :, rows : rows + steps + 1], law[:, :, rows + steps + 1 :]
    goal_at[:, rows, 0] = [walk.at_goal for walk in walks]
    dead_at[:, rows, 0] = [walk.at_dead for walk in walks]
    if steps == 1 and rows:
        goal_at[:, :rows, 1], dead_at[:, :rows, 1] = reach_goal, reach_dead
        for i in range(many):
            goal_at[i, rows, 1], dead_at[i, rows, 1] = start[i] @ reach_goal[i], start[i] @ reach_dead[i]
            law[i, rows, :rows] = start[i] @ moves[i]
        law[:, :rows, :rows] = moves
        return law
    now = np.concatenate([np.broadcast_to(np.eye(rows), (many, rows, rows)), start[:, None, :]], axis=1)
    for j in range(1, steps + 1):
        goal_at[:, :, j], dead_at[:, :, j] = _apply(now, reach_goal), _apply(now, reach_dead)
        if j < steps:
            reach_goal, reach_dead = _apply(moves, reach_goal), _apply(moves, reach_dead)
    law[:, :, :rows] = now @ np.linalg.matrix_power(moves, steps)
    return law


def _apply(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """matrix [T, R, C] times vector [T, C] -> [T, R]; the same BLAS call for each as in a single table."""
    return (matrix @ vector[:, :, None])[:, :, 0]


def _table_bytes(rows: int, outcomes: int) -> int:
    return (rows + 1) * power_of_two(outcomes) * 8
