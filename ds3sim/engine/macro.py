"""Macro steps: L steps of the walk in one draw, the law of the hitting time unchanged.

From a transient state one draw decides where the walk is after L steps, or at which of these steps
it was absorbed and how (docs/theory.md, macro step). The table is built on the host in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ds3sim.core.errors import require
from ds3sim.engine.alias import power_of_two, row_tables

MOST_CODES = 2**16
CACHE_BYTES = 256 * 1024
TABLE_BYTES = 128 * 2**20
USUAL_STEPS = 32


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
