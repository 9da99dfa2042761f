"""The tables that walks are drawn from: one draw makes L steps.

Many walks at once: those of equal shapes are stacked, and share the passes over the columns of an alias table. The
numbers of each are bit for bit those that it would get alone.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import require
from ds3sim.engine.traces.alias import power_of_two, row_tables, uniform_tables, wide_entries, wide_tables
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.tensor import assembled, dense, entries, part, sparse, sums

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from ds3sim.graph.tensor import Tensor

MOST_CODES = 2**16
CACHE_BYTES = 256 * 1024
TABLE_BYTES = 128 * 2**20
LARGEST_TABLE = 2**30
"""Bytes of the largest table that is made."""
USUAL_STEPS = 32
SPARSE_BYTES, SPARSE_GROWTH = 2**24, 4
"""Twice the steps per draw pay on a sparse tensor while the table stays so small, and grows no more than so many times:
on chains, layers and grids, not where edges lead anywhere."""
MOST_PRODUCTS, PROBED = 2**24, 64
"""Products of entries that a power of a sparse tensor may take; rows that say beforehand how wide it will be."""
RARE = 2.0**-28
"""A table of 32-bit thresholds keeps a chance to 2^-33 of a column; walks with a smaller chance of a step than this get
thresholds of 96 bits."""

KEPT_ROWS = 128
KEPT_BYTES = 2**28
"""Tables with so many rows are kept for later calls, the last ones used up to so many bytes."""
ROWS_AT_ONCE = 4096
"""Rows of alias tables that are made together: enough to share the passes, few enough for the cache."""


@dataclass(frozen=True, eq=False)
class Table:
    """A flat alias table with one row per transient state and a last row for the start.

    Codes: s in [0, S_t) transient; S_t + j reached the goal at sub-step j (0..L); S_t + L + 1 + j died at sub-step j.

    Attributes:
        threshold, outcome: uint32 [rows * W]; width: W, a power of two.
        transient: S_t; steps: L.
        wide: the further arrays of :func:`~ds3sim.engine.traces.alias.wide_tables`, uint32; empty where rows are alike.
    """

    threshold: np.ndarray
    outcome: np.ndarray
    width: int
    transient: int
    steps: int
    wide: tuple[np.ndarray, ...] = ()

    @property
    def bytes(self) -> int:
        """Memory of the arrays."""
        return sum(array.nbytes for array in (self.threshold, self.outcome, *self.wide))


_kept: OrderedDict[bytes, Table] = OrderedDict()


@dataclass(frozen=True, eq=False)
class Walk:
    """What a macro table is made from; tasks that differ only in their budget may share one.

    Attributes:
        moves: float64 [S_t, S_t] among the transient states, sparse where the graph is large.
        to_goal, to_dead, start: float64 [S_t].
        at_goal, at_dead: chance to begin there.
        rare: some step to another state has a chance below ``RARE``.
    """

    moves: Tensor
    to_goal: np.ndarray
    to_dead: np.ndarray
    start: np.ndarray
    at_goal: float
    at_dead: float
    rare: bool = False

    @cached_property
    def powers(self) -> dict[int, Any]:
        """Powers of sparse ``moves`` by the steps they make, 1, 2, 4, ..., as far as a draw of so many steps pays."""
        power: Any = sparse(self.moves)
        found, rows = {1: power}, self.start.size
        probed = np.random.default_rng(0).integers(0, rows, PROBED) if rows else []
        while (steps := 2 * max(found)) <= USUAL_STEPS:
            most = min(SPARSE_GROWTH * _width(power), SPARSE_BYTES // (8 * (rows + 1)))
            if np.diff(power.indptr)[power.indices].sum() > MOST_PRODUCTS or _width(power[probed] @ power) > most:
                break
            if _width(power := power @ power) > most:
                break
            found[steps] = power
        return found

    def digest(self, steps: int) -> bytes:
        """A name of the table of ``steps`` steps a draw."""
        law = self.moves
        parts = [law] if isinstance(law, np.ndarray) else [law.indptr, law.indices, law.data]
        said = hashlib.blake2b(
            repr((self.at_goal, self.at_dead, self.rare, steps, len(parts))).encode(), digest_size=16
        )
        for array in (*parts, self.to_goal, self.to_dead, self.start):
            said.update(np.ascontiguousarray(array).data)
        return said.digest()


def walk_of(graph: SkillGraph, tensor: Tensor, start: np.ndarray | None = None, rare: bool | None = None) -> Walk:
    """The transient part of a walk on ``graph`` under the transition tensor ``tensor``, float64 [S, S], from ``start``,
    float64 [S], if not the graph's own; ``rare``: whether its small chances matter, None looks for them. InputError:
    more than 65,000 states."""
    inner, start = graph.transient, graph.start if start is None else start
    require(
        inner.size + 4 < MOST_CODES,
        f"{inner.size} transient states are too many for the traces engine: at most 65,000; use engine exact or"
        " population",
    )
    moves = part(tensor, inner, inner)
    to_goal, to_dead = (sums(tensor, inner, np.flatnonzero(mask)) for mask in (graph.goal, graph.dead))
    return Walk(
        moves,
        to_goal,
        to_dead,
        start[inner],
        float(start[graph.goal].sum()),
        float(start[graph.dead].sum()),
        has_rare(tensor, graph, start) if rare is None else rare,
    )


def has_rare(tensor: Tensor, graph: SkillGraph, start: np.ndarray) -> bool:
    """Whether some step to another state, or the start, has a chance below ``RARE``. A rare wasted step is not looked
    at: it is mostly what rounding leaves of a row that sums to 1, and nothing follows from it."""
    if isinstance(tensor, np.ndarray) and not np.any((tensor > 0) & (tensor < RARE)):
        return bool(np.any((start > 0) & (start < RARE)))
    row, column, value = entries(tensor)
    moving = (row != column) & ~(graph.goal | graph.dead)[row]
    chances = np.concatenate([value[moving], start[start > 0]])
    return bool(np.any(chances < RARE))


def macro_steps(walk: Walk, max_steps: int) -> int:
    """L, the steps per draw: about 32; less where the table would not fit memory, more for long walks on few nodes; on
    a sparse tensor as many as nodes reach few others in."""
    rows, max_steps = walk.start.size, max(1, max_steps)
    # A walk to the budget takes four draws at least: it stays a walk, not a table of the answer.
    steps = min(USUAL_STEPS, power_of_two(max_steps // 4 + 1) // 2 or 1)
    if not isinstance(walk.moves, np.ndarray):
        return min(steps, max(walk.powers)) if rows and steps > 1 else 1
    while steps > 1 and _table_bytes(rows, rows + 2 * steps) > TABLE_BYTES:
        steps //= 2
    if steps == 1 and rows:
        return 1
    while steps >= USUAL_STEPS and 32 * steps <= max_steps and _table_bytes(rows, rows + 4 * steps + 2) <= CACHE_BYTES:
        steps *= 2
    return steps


def macro_tables(walks: Sequence[tuple[Walk, int]]) -> list[Table]:
    """The tables of many (walk, L), each bit for bit what it is alone; those of large walks are made once and kept.

    InputError: one is too large."""
    names = [walk.digest(steps) if walk.start.size >= KEPT_ROWS else None for walk, steps in walks]
    found = [_kept.get(name) if name else None for name in names]
    lacking = [i for i, table in enumerate(found) if table is None]
    for i, table in zip(lacking, _made([walks[i] for i in lacking]), strict=True):
        found[i] = table
    for name, table in zip(names, found, strict=True):
        if name and table is not None and table.bytes <= KEPT_BYTES:
            _kept[name] = table
            _kept.move_to_end(name)
    while sum(table.bytes for table in list(_kept.values())) > KEPT_BYTES:
        _kept.popitem(last=False)
    return [table for table in found if table is not None]


def _made(walks: Sequence[tuple[Walk, int]]) -> list[Table]:
    shapes = [(walk.start.size, steps) for walk, steps in walks]
    out = {
        i: _sparse_table(walk, steps)
        for i, (walk, steps) in enumerate(walks)
        if walk.rare or (not isinstance(walk.moves, np.ndarray) and (steps == 1 or steps in walk.powers))
    }
    order = sorted(set(range(len(walks))) - out.keys(), key=shapes.__getitem__)
    for rows, steps in {shapes[i] for i in order}:
        _check_bytes(_table_bytes(rows, rows + 2 * steps), rows, steps)
    filled = accumulate(shapes[i][0] + 1 for i in order)
    block = {i: end // ROWS_AT_ONCE for i, end in zip(order, filled, strict=True)}
    for _, members in groupby(order, block.__getitem__):
        stacks = [list(alike) for _, alike in groupby(members, shapes.__getitem__)]
        laws = [_laws([walks[i][0] for i in alike], *shapes[alike[0]]) for alike in stacks]
        for i, table in zip(chain(*stacks), row_tables(laws), strict=True):
            out[i] = Table(*table, *shapes[i])
    return [out[i] for i in range(len(walks))]


def law_table(graph: SkillGraph) -> tuple[Any, ...]:
    """One step from every node, and the start as the last row: threshold, outcome, width, and what is more of a wide
    table, whose width is 1: its rows have places of their own.

    Raises:
        InputError: more than 65,000 nodes, or a table larger than ``LARGEST_TABLE``.
    """
    require(graph.size < MOST_CODES, f"{graph.size} nodes are too many for a beam: at most 65,000")
    tensor = graph.tensor()
    rare = has_rare(tensor, graph, graph.start)
    if isinstance(tensor, np.ndarray) and not rare:
        return row_tables([np.vstack([tensor, graph.start])[None]])[0]
    from scipy.sparse import csr_array, vstack

    law = csr_array(vstack([sparse(tensor), csr_array(graph.start[None])]))
    threshold, outcome, width, *wide = _law_table(law, rare, 1)
    return threshold, outcome, 1 if wide else width, *wide


def _sparse_table(walk: Walk, steps: int) -> Table:
    """The table of one walk from its entries alone."""
    rows = walk.start.size
    if rows and (steps == 1 or (not isinstance(walk.moves, np.ndarray) and steps in walk.powers)):
        law = _sparse_law(walk, steps)
    else:
        _check_bytes(8 * (rows + 1) * (rows + 2 * steps), rows, steps)
        law = sparse(_laws([walk], rows, steps)[0])
    threshold, outcome, width, *wide = _law_table(law, walk.rare, steps)
    return Table(threshold, outcome, width, rows, steps, tuple(wide))


def _law_table(law: csr_array, rare: bool, steps: int) -> tuple[Any, ...]:
    """threshold, outcome and width; and more where chances are rare or the rows are of very unequal length."""
    rows, width = law.indptr.size - 1, _width(law)
    if not rare and rows * width * 8 <= TABLE_BYTES:
        return *uniform_tables(law, width), width
    _check_bytes(16 * wide_entries(law), rows, steps)
    threshold, outcome, *wide = wide_tables(law)
    return threshold, outcome, width, *wide


def _check_bytes(need: int, rows: int, steps: int) -> None:
    advice = "use macro_steps = 1, or engine exact" if steps > 1 else "use engine exact or population"
    require(
        need <= LARGEST_TABLE,
        f"engine traces needs a table of {need / 2**30:.1f} GiB for {rows} states and macro_steps ="
        f" {steps}, more than the {LARGEST_TABLE / 2**30:.0f} GiB allowed: {advice}",
    )


def _width(law: csr_array) -> int:
    """Columns of the table of a law: a power of two, at least the entries of any row."""
    return power_of_two(max(2, int(np.diff(law.indptr).max(initial=1))))


def _sparse_law(walk: Walk, steps: int) -> csr_array:
    """The law of ``steps`` steps of every state and of the start, float64 [rows + 1, C], from the entries alone."""
    rows, moves = walk.start.size, sparse(walk.moves)
    power: Any = moves if steps == 1 else walk.powers[steps]
    row, column, value = entries(power)
    parts = [(row, column, value), (np.full(rows, rows), np.arange(rows), walk.start @ power)]
    for first, begun, reach in ((rows, walk.at_goal, walk.to_goal), (rows + steps + 1, walk.at_dead, walk.to_dead)):
        parts.append((np.array([rows]), np.array([first]), np.array([begun])))
        for j in range(1, steps + 1):
            chance = np.append(reach, walk.start @ reach)
            able = np.flatnonzero(chance)
            parts.append((able, np.full(able.size, first + j), chance[able]))
            reach = moves @ reach
    row, column, value = map(np.concatenate, zip(*parts, strict=True))
    return assembled(row, column, value, (rows + 1, rows + 2 * steps + 2))


def _laws(walks: Sequence[Walk], rows: int, steps: int) -> np.ndarray:
    """float64 [T, rows + 1, C]: the L-step law of every state and of the start."""
    many = len(walks)
    moves = np.stack([dense(walk.moves) for walk in walks]) if many > 1 else dense(walks[0].moves)[None]
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
    one = rows > 0 and bool(np.all((np.count_nonzero(start, axis=1) == 1) & (start == 1.0).any(axis=1)))
    # Products with the identity give what is known; they are made where the start needs its row of them.
    now = None if one else np.concatenate([np.broadcast_to(np.eye(rows), moves.shape), start[:, None, :]], axis=1)
    for j in range(1, steps + 1):
        if now is None:
            goal_at[:, :rows, j], dead_at[:, :rows, j] = reach_goal, reach_dead
        else:
            goal_at[:, :, j], dead_at[:, :, j] = _apply(now, reach_goal), _apply(now, reach_dead)
        if j < steps:
            reach_goal, reach_dead = _apply(moves, reach_goal), _apply(moves, reach_dead)
    power = np.linalg.matrix_power(moves, steps)
    if now is None:
        law[:, :rows, :rows] = power
        law[:, rows] += law[np.arange(many), start.argmax(axis=1)]
    else:
        law[:, :, :rows] = now @ power
    return law


def _apply(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """matrix [T, R, C] times vector [T, C] -> [T, R]; the same BLAS call for each as in a single table."""
    return (matrix @ vector[:, :, None])[:, :, 0]


def _table_bytes(rows: int, outcomes: int) -> int:
    return (rows + 1) * power_of_two(outcomes) * 8
