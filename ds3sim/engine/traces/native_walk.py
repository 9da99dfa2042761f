"""The kernel of walks for CPU cores, compiled by numba: the stream, the tables and the endings of
:mod:`ds3sim.engine.traces.walk`, bit for bit. Only for processes that have numba (the extra ``fast``).

``LANES`` walks stay in the L1 cache. A round draws for all of them, looks up, decodes, then counts those that ended and
puts the next traces in their places: no lane ever waits. Every loop but the last has no branches, so LLVM makes vectors
of it. Numbers are 32-bit and unsigned throughout; numba would widen them, so every sum is cast back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ds3sim.core import rng
from ds3sim.engine.traces.walk import Rows

LANES = 512
u32, u64 = np.uint32, np.uint64
PARITY = u32(rng.PARITY)
CERTAIN = u32(0xFFFFFFFF)
(A0, A1, A2, A3), (B0, B1, B2, B3) = rng.ROTATIONS
WALK, FEASIBLE, SPARE = rng.WALK, rng.FEASIBLE, rng.SPARE
VALID, GROUP, BASE, COLUMNS, TRANSIENT, STEPS, ROUNDS, MOST = range(8)
"""Places in ``walk.NUMBERS``."""


@njit(inline="always")
def _mixed(x0: Any, x1: Any, turn: Any) -> Any:
    x0 = u32(x0 + x1)
    return x0, u32(u32(u32(x1 << u32(turn)) | u32(x1 >> u32(32 - turn))) ^ x0)


@njit(inline="always")
def threefry(k0: Any, k1: Any, c0: Any, c1: Any) -> Any:
    """``rng.threefry2x32`` of numbers."""
    k2 = u32(u32(k0 ^ k1) ^ PARITY)
    x0, x1 = u32(c0 + k0), u32(c1 + k1)
    x0, x1 = _mixed(x0, x1, A0)
    x0, x1 = _mixed(x0, x1, A1)
    x0, x1 = _mixed(x0, x1, A2)
    x0, x1 = _mixed(x0, x1, A3)
    x0, x1 = u32(x0 + k1), u32(x1 + u32(k2 + u32(1)))
    x0, x1 = _mixed(x0, x1, B0)
    x0, x1 = _mixed(x0, x1, B1)
    x0, x1 = _mixed(x0, x1, B2)
    x0, x1 = _mixed(x0, x1, B3)
    x0, x1 = u32(x0 + k2), u32(x1 + u32(k0 + u32(2)))
    x0, x1 = _mixed(x0, x1, A0)
    x0, x1 = _mixed(x0, x1, A1)
    x0, x1 = _mixed(x0, x1, A2)
    x0, x1 = _mixed(x0, x1, A3)
    x0, x1 = u32(x0 + k0), u32(x1 + u32(k1 + u32(3)))
    x0, x1 = _mixed(x0, x1, B0)
    x0, x1 = _mixed(x0, x1, B1)
    x0, x1 = _mixed(x0, x1, B2)
    x0, x1 = _mixed(x0, x1, B3)
    x0, x1 = u32(x0 + k1), u32(x1 + u32(k2 + u32(4)))
    x0, x1 = _mixed(x0, x1, A0)
    x0, x1 = _mixed(x0, x1, A1)
    x0, x1 = _mixed(x0, x1, A2)
    x0, x1 = _mixed(x0, x1, A3)
    return u32(x0 + k2), u32(x1 + u32(k0 + u32(5)))


@njit(nogil=True, cache=True)
def _draw(
    size: Any, k0: Any, k1: Any, lane: np.ndarray, time: np.ndarray, word0: np.ndarray, word1: np.ndarray
) -> None:
    for i in range(size):
        word0[i], word1[i] = threefry(k0, k1, lane[i], time[i])


@njit(nogil=True, cache=True)
def _fetch(
    size: Any,
    table: np.ndarray,
    mask: Any,
    state: np.ndarray,
    word0: np.ndarray,
    outcome: np.ndarray,
    limit: np.ndarray,
) -> None:
    """From rows of one width; ``state`` is the first entry of a row."""
    for i in range(size):
        word = table[u64(u32(state[i] + u32(word0[i] & mask)))]
        outcome[i] = u32(word & u64(0xFFFFFFFF))
        limit[i] = u32(word >> u64(32))


@njit(nogil=True, cache=True)
def _fetch_wide(
    size: Any,
    table: np.ndarray,
    middle: np.ndarray,
    low: np.ndarray,
    more0: Any,
    more1: Any,
    lane: np.ndarray,
    time: np.ndarray,
    state: np.ndarray,
    word0: np.ndarray,
    word1: np.ndarray,
    outcome: np.ndarray,
    limit: np.ndarray,
) -> None:
    """From rows of their own widths; ``state`` is a place, see ``alias.wide_tables``. Where the first words do not
    decide, two further ones do."""
    for i in range(size):
        mask = u32(u32(u32(1) << u32(state[i] & u32(31))) - u32(1))
        entry = u64(u32(u32(state[i] >> u32(5)) + u32(word0[i] & mask)))
        word = table[entry]
        outcome[i] = u32(word & u64(0xFFFFFFFF))
        limit[i] = u32(word >> u64(32))
        if word1[i] == limit[i]:
            word2, word3 = threefry(more0, more1, lane[i], time[i])
            if word2 < middle[entry] or (word2 == middle[entry] and word3 < low[entry]):
                own = u32(outcome[i] & u32(0xFFFF))
                outcome[i] = u32(own | u32(own << u32(16)))


@njit(nogil=True, cache=True)
def _decode(
    size: Any,
    word1: np.ndarray,
    outcome: np.ndarray,
    limit: np.ndarray,
    time: np.ndarray,
    state: np.ndarray,
    ending: np.ndarray,
    over: np.ndarray,
    shift: Any,
    transient: Any,
    steps: Any,
    rounds: Any,
    most: Any,
) -> None:
    for i in range(size):
        code = u32(outcome[i] & u32(0xFFFF)) if word1[i] < limit[i] else u32(outcome[i] >> u32(16))
        left = u32(code - transient)  # wraps where the walk goes on
        ended = u32(1) if code >= transient else u32(0)
        last = u32(1) if u32(time[i] + u32(1)) >= rounds else u32(0)
        died = u32(1) if left > steps else u32(0)
        when = u32(u32(u32(time[i] * steps) + left) - u32(died * u32(steps + u32(1))))
        inside = u32(1) if when <= most else u32(0)
        ending[i] = u32(u32(u32(u32(2) + u32(u32(2) * when)) + died) * u32(ended & inside))
        time[i] = u32(time[i] + u32(1))
        state[i] = u32(code << shift)
        over[i] = u32(ended | last)


@njit(nogil=True, cache=True)
def _able(
    begun: Any, total: Any, keys: np.ndarray, first: Any, group: Any, limit: np.ndarray, counts: np.ndarray,
    endings: np.ndarray,
) -> Any:  # fmt: skip
    """The next trace that can succeed; those before it are counted."""
    while begun < total:
        lane = u32(u32(first + u32(begun)) // group)
        word0, word1 = threefry(keys[FEASIBLE, 0], keys[FEASIBLE, 1], lane, u32(0))
        if word0 < limit[0] or (word0 == limit[0] and word1 < limit[1]):
            break
        counts[1] += 1
        if endings.size > 0:
            endings[begun] = 1
        begun += 1
    return begun


@njit(nogil=True, cache=True)
def _row(
    keys: np.ndarray,
    first: Any,
    limit: np.ndarray,
    number: np.ndarray,
    table: np.ndarray,
    middle: np.ndarray,
    low: np.ndarray,
    places: np.ndarray,
    counts: np.ndarray,
    endings: np.ndarray,
) -> None:
    """Walk the traces of one row; adds to ``counts`` [2 max_steps + 4], writes ``endings`` [lanes] where it has any."""
    total, group, most = number[VALID], u32(number[GROUP]), u32(number[MOST])
    transient, steps, rounds = u32(number[TRANSIENT]), u32(number[STEPS]), u32(number[ROUNDS])
    mask, shift = u32(number[COLUMNS] - 1), u32(0)
    wide = places.size > 0
    while u32(1 << shift) <= mask and not wide:
        shift += u32(1)
    table = table[number[BASE] :]
    start = places[transient] if wide else u32(transient << shift)
    certain, keep = (limit[0] & limit[1]) == CERTAIN, endings.size > 0
    size = min(LANES, total)
    lane, time, state = np.empty(size, u32), np.empty(size, u32), np.empty(size, u32)
    word0, word1, outcome, limits = np.empty(size, u32), np.empty(size, u32), np.empty(size, u32), np.empty(size, u32)
    ending, over = np.empty(size, u32), np.empty(size, u32)
    trace, ended = np.full(size, -1), np.arange(size)
    begun, many = 0, size
    while True:
        for j in range(many - 1, -1, -1):
            i = ended[j]
            if trace[i] >= 0:
                counts[ending[i]] += 1
                if keep:
                    endings[trace[i]] = ending[i]
            if not certain:
                begun = _able(begun, total, keys, first, group, limit, counts, endings)
            if begun < total:
                trace[i], lane[i], time[i], state[i] = begun, u32(first + u32(begun)), u32(0), start
                begun += 1
            else:  # those that walk stay side by side
                size -= 1
                trace[i], lane[i], time[i], state[i] = trace[size], lane[size], time[size], state[size]
        if size == 0:
            return
        _draw(size, keys[WALK, 0], keys[WALK, 1], lane, time, word0, word1)
        if wide:
            spare0, spare1 = keys[SPARE, 0], keys[SPARE, 1]
            _fetch_wide(size, table, middle, low, spare0, spare1, lane, time, state, word0, word1, outcome, limits)
        else:
            _fetch(size, table, mask, state, word0, outcome, limits)
        _decode(size, word1, outcome, limits, time, state, ending, over, shift, transient, steps, rounds, most)
        if wide:
            for i in range(size):
                state[i] = places[min(state[i], transient)]
        many = 0
        for i in range(size):
            ended[many] = i
            many += np.int64(over[i])


@njit(nogil=True, cache=True)
def _rows(
    keys: np.ndarray,
    first: np.ndarray,
    limit: np.ndarray,
    numbers: np.ndarray,
    table: np.ndarray,
    middle: np.ndarray,
    low: np.ndarray,
    places: np.ndarray,
    offsets: np.ndarray,
    counts: np.ndarray,
    endings: np.ndarray,
) -> None:
    for r in range(offsets.size):
        if numbers[VALID, r] == 0:
            continue
        own = counts[offsets[r] :]
        _row(keys[r], first[0, r], limit[r], numbers[:, r], table, middle, low, places, own, endings[r])


def packed(threshold: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Both tables in one, uint64: one look-up a draw."""
    return threshold.astype(u64) << u64(32) | outcome


def walk(
    rows: Rows, offsets: np.ndarray, counts: np.ndarray, table: np.ndarray, *wide: np.ndarray, width: int
) -> np.ndarray:
    """Walk the traces of ``rows``; endings int32 [rows, width] (1 beyond them), or [rows, 0] for a ``width`` of 0.

    Args:
        rows: as of ``walk.walk``.
        offsets: int64 [rows], where the counts of a row begin. counts: int64, added to; 2 max_steps + 4 a row.
        table: uint64, see :func:`packed`. wide: further arrays of ``alias.wide_tables``.
    """
    none = np.empty(0, u32)
    middle, low, places = wide or (none, none, none)
    endings = np.ones((len(offsets), width), np.int32)
    keys, first, limit, numbers = (np.asarray(part) for part in rows)
    _rows(keys, first, limit, numbers, table, middle, low, places, offsets, counts, endings)
    return endings
