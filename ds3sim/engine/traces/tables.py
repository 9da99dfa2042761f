"""The tables of many tasks at once: what ``macro_table`` and ``outcome_tables`` make one by one.

Bit for bit the same numbers, at a fraction of the host's time: equal shapes are stacked, and the
passes over the columns of an alias table are shared by all rows of a stack.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ds3sim.core import rng
from ds3sim.core.errors import require
from ds3sim.engine.traces.alias import packed_alias, power_of_two, row_tables
from ds3sim.task.task import Task

MOST_CODES = 2**16
CACHE_BYTES = 256 * 1024
TABLE_BYTES = 128 * 2**20
USUAL_STEPS = 32

ROWS_AT_ONCE = 4096
"""Rows of one stack of alias tables: large enough to share the passes, small enough for the cache."""


@dataclass(frozen=True, eq=False)
class Table:
    """A flat macro table without padding: as :class:`ds3sim.engine.traces.tables.MacroTable`."""

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
        to_goal, to_dead: float64 [S_t].
        start: float64 [S_t] and the chances to begin at the goal and dead.
        at_goal, at_dead: chance to begin there.
    """

    moves: np.ndarray
    to_goal: np.ndarray
    to_dead: np.ndarray
    start: np.ndarray
    at_goal: float
    at_dead: float


def walk_of(task: Task, tensor: np.ndarray) -> Walk:
    """The transient part of a task's walk under the transition tensor ``tensor``."""
    graph = task.graph
    inner = graph.transient
    require(
        inner.size + 4 < MOST_CODES, f"{inner.size} transient states are too many for the traces engine: at most 65,000"
    )
    return Walk(
        tensor[np.ix_(inner, inner)],
        tensor[np.ix_(inner, np.flatnonzero(graph.goal))].sum(axis=1),
        tensor[np.ix_(inner, np.flatnonzero(graph.dead))].sum(axis=1),
        graph.start[inner],
        float(graph.start[graph.goal].sum()),
        float(graph.start[graph.dead].sum()),
    )


def macro_steps(walk: Walk, max_steps: int) -> int:
    """L, the steps per draw that ``macro_table`` would choose."""
    return _choose_steps(walk.moves, max(1, max_steps))


def macro_tables(walks: Sequence[tuple[Walk, int]]) -> list[Table]:
    """The macro tables of many (walk, L), each bit for bit that of ``macro_table``."""
    shapes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (walk, steps) in enumerate(walks):
        shapes[len(walk.moves), steps].append(i)
    out: list[Table | None] = [None] * len(walks)
    for (rows, steps), members in shapes.items():
        size = max(1, ROWS_AT_ONCE // (rows + 1))
        for at in range(0, len(members), size):
            part = members[at : at + size]
            law = _laws([walks[i][0] for i in part], rows, steps)
            for i, (threshold, outcome, width) in zip(part, stacked_tables(law), strict=True):
                out[i] = Table(threshold, outcome, width, rows, steps)
    return [table for table in out if table is not None]


def _laws(walks: Sequence[Walk], rows: int, steps: int) -> np.ndarray:
    """float64 [T, rows + 1, C]: the L-step law of every state and of the start (macro._build)."""
    many = len(walks)
    moves = np.stack([walk.moves for walk in walks])
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


def stacked_tables(law: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray, int]]:
    """(threshold, outcome, width) of each task's rows, as ``row_tables`` makes them, without padding.

    Args:
        law: float64 [T, R, C], rows sum to 1.
    """
    many, rows, _ = law.shape
    possible = (law > 0).sum(axis=2).max(axis=1, initial=1)
    widths = np.array([power_of_two(max(2, int(most))) for most in possible])
    out: list = [None] * many
    for width in np.unique(widths).tolist():
        members = np.flatnonzero(widths == width)
        flat = np.ascontiguousarray(law[members]).reshape(len(members) * rows, -1)
        code = np.argsort(flat <= 0, axis=1, kind="stable")[:, :width]
        chance = np.take_along_axis(flat, code, axis=1)
        more = width - code.shape[1]
        code, chance = np.pad(code, ((0, 0), (0, more)), mode="edge"), np.pad(chance, ((0, 0), (0, more)))
        threshold, outcome = packed_alias(chance, np.where(chance > 0, code, code[:, :1]))
        for place, i in enumerate(members.tolist()):
            part = slice(place * rows, (place + 1) * rows)
            out[i] = (threshold[part].ravel(), outcome[part].ravel(), width)
    return out


def batch_keys(seed: int, identities: Sequence[str], batches: Sequence[int]) -> np.ndarray:
    """uint32 [T, purposes, 2]: ``rng.batch_key`` of many (identity, batch) and all purposes."""
    many, purposes = len(identities), rng.SPARE + 1
    key0, key1 = np.zeros((many, purposes), np.uint32), np.zeros((many, purposes), np.uint32)
    everyone = np.ones((many, 1), np.uint64)
    data = [
        everyone * np.uint64(seed),
        np.array([[int(name[:16], 16)] for name in identities], np.uint64),
        np.array([[int(name[16:32], 16)] for name in identities], np.uint64),
        np.array([[batch] for batch in batches], np.uint64),
        np.broadcast_to(np.arange(purposes, dtype=np.uint64), (many, purposes)),
    ]
    for words in data:
        low = (words & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        high = (words >> np.uint64(32)).astype(np.uint32)
        key0, key1 = rng.threefry2x32(key0, key1, low, high)
    return np.stack([key0, key1], axis=-1)


@dataclass(frozen=True, eq=False)
class MacroTable:
    """A flat alias table with one row per transient state and a last row for the start.

    Codes: s in [0, S_t) transient; S_t + j reached the goal at sub-step j (0..L);
    S_t + L + 1 + j died at sub-step j.

    Attributes:
        threshold, outcome: uint32 [rows * W padded to a power of two].
        width: W, a power of two.
        transient: S_t.
        steps: L.
    """

    threshold: np.ndarray
    outcome: np.ndarray
    width: int
    transient: int
    steps: int


def macro_table(tensor, start, goal, dead, max_steps: int, steps: int | None = None) -> MacroTable:
    """The table of a walk with transition tensor ``tensor`` up to ``max_steps``.

    Args:
        tensor: float64 [S, S], goal and dead rows absorbing.
        start: float64 [S].
        goal, dead: bool [S].
        max_steps: the largest budget per trace.
        steps: L; None chooses it from the budget and the size of the table.

    Raises:
        InputError: more than 65,000 states.
    """
    inner = np.flatnonzero(~(goal | dead))
    require(
        inner.size + 4 < MOST_CODES, f"{inner.size} transient states are too many for the traces engine: at most 65,000"
    )
    moves = tensor[np.ix_(inner, inner)]
    to_goal = tensor[np.ix_(inner, np.flatnonzero(goal))].sum(axis=1)
    to_dead = tensor[np.ix_(inner, np.flatnonzero(dead))].sum(axis=1)
    at_start = (start[inner], float(start[goal].sum()), float(start[dead].sum()))
    chosen = _choose_steps(moves, max_steps) if steps is None else steps
    return _build(moves, to_goal, to_dead, at_start, chosen)


def _table_bytes(rows: int, outcomes: int) -> int:
    return (rows + 1) * power_of_two(outcomes) * 8


def _choose_steps(moves: np.ndarray, max_steps: int) -> int:
    """L: about 32, less where the table would not fit memory, more for long walks on small graphs."""
    rows = len(moves)
    # A walk to the budget takes four draws at least: it stays a walk, not a table of the answer.
    steps = min(USUAL_STEPS, power_of_two(max_steps // 4 + 1) // 2 or 1)
    while steps > 1 and _table_bytes(rows, rows + 2 * steps) > TABLE_BYTES:
        steps //= 2
    if steps > 1 or rows == 0:
        while (
            steps >= USUAL_STEPS and 32 * steps <= max_steps and _table_bytes(rows, rows + 4 * steps + 2) <= CACHE_BYTES
        ):
            steps *= 2
        return steps
    return 1


def _build(moves, to_goal, to_dead, at_start, steps: int) -> MacroTable:
    rows = len(moves)
    goal_at = np.zeros((rows + 1, steps + 1))
    dead_at = np.zeros((rows + 1, steps + 1))
    now = np.vstack([np.eye(rows), at_start[0]]) if steps > 1 or rows == 0 else None
    goal_at[rows, 0], dead_at[rows, 0] = at_start[1], at_start[2]
    if now is None:  # one step: no dense product is needed
        first = at_start[0] @ moves
        goal_at[:rows, 1], dead_at[:rows, 1] = to_goal, to_dead
        goal_at[rows, 1], dead_at[rows, 1] = at_start[0] @ to_goal, at_start[0] @ to_dead
        now = np.vstack([moves, first])
    else:
        # Right-multiplying column vectors costs S^2 a sub-step; the full power is squared once.
        reach_goal, reach_dead = to_goal, to_dead
        for j in range(1, steps + 1):
            goal_at[:, j], dead_at[:, j] = now @ reach_goal, now @ reach_dead
            if j < steps:
                reach_goal, reach_dead = moves @ reach_goal, moves @ reach_dead
        now = now @ np.linalg.matrix_power(moves, steps)
    law = np.hstack([now, goal_at, dead_at])
    threshold, outcome, width = row_tables(law)
    return MacroTable(threshold, outcome, width, rows, steps)
