"""Task hitting times of :mod:`ds3sim.engine.traces.outcome`, compiled by numba: the same numbers, bit for bit.

A trial is looked at alone, so what cannot matter any more is left out. Equal hitting times may come in any order: a
trial that succeeds at a budget succeeds at every larger one (docs/theory.md, task hitting time).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ds3sim.core import rng
from ds3sim.engine.traces.native_walk import threefry
from ds3sim.engine.traces.walk import NOT_REACHED, Rows

BLOCK = 512
"""Traces whose marks are drawn together."""
u32, u64 = np.uint32, np.uint64
ALL = u32(0xFFFFFFFF)
VOTE, TIE, VERIFIER = rng.VOTE, rng.TIE, rng.VERIFIER


@njit(inline="always")
def _time(ending: Any) -> Any:
    return (ending >> 1) - 1 if ending >= 2 and not ending & 1 else NOT_REACHED


@njit(inline="always")
def _accepted(word0: Any, word1: Any, high: Any, low: Any) -> Any:
    """``outcome._accepted``, without branches: a limit of all ones means always."""
    return ((high & low) == ALL) | (word0 < high) | ((word0 == high) & (word1 < low))


@njit(nogil=True, cache=True)
def _first(n: Any, ending: np.ndarray, hits: np.ndarray) -> None:
    for trial in range(ending.size // n):
        best = NOT_REACHED
        for i in range(trial * n, trial * n + n):
            best = min(best, _time(ending[i]))
        if best < hits.size:
            hits[best] += 1


@njit(nogil=True, cache=True)
def _words(k0: Any, k1: Any, lane: Any, number: Any, word0: np.ndarray, word1: np.ndarray) -> None:
    for i in range(word0.size):
        word0[i], word1[i] = threefry(k0, k1, u32(lane + u32(i)), number)


@njit(nogil=True, cache=True)
def _marks(word0: np.ndarray, word1: np.ndarray, high: Any, low: Any, marks: np.ndarray) -> None:
    for i in range(marks.size):
        marks[i] = _accepted(word0[i], word1[i], high, low)


@njit(nogil=True, cache=True)
def _verified(
    n: Any, ending: np.ndarray, hits: np.ndarray, key: np.ndarray, lane: Any, limits: np.ndarray, abstain: Any
) -> None:
    many = max(1, BLOCK // n)
    word0, word1 = np.empty((2, many * n), u32)
    correct, wrong = np.empty((2, many * n), np.uint8)
    for trial in range(ending.size // n):
        at = trial % many * n
        if at == 0:
            begin = u32(lane + u32(trial * n))
            _words(key[0], key[1], begin, u32(0), word0, word1)
            _marks(word0, word1, limits[0, 0], limits[0, 1], correct)
            _words(key[0], key[1], begin, u32(1), word0, word1)
            _marks(word0, word1, limits[1, 0], limits[1, 1], wrong)
        chosen, after, before = NOT_REACHED, 0, NOT_REACHED
        for i in range(n):
            if after >= before:  # no later trace is looked at
                break
            time = _time(ending[trial * n + i])
            if_correct, if_wrong = correct[at + i] > 0, wrong[at + i] > 0
            begins = max(time, after)
            chosen = min(chosen, begins if if_correct & (begins < before) else NOT_REACHED)
            after = max(after, (NOT_REACHED if if_correct else time) if if_wrong else 0)
            before = min(before, time if if_correct & (not if_wrong) else NOT_REACHED)
        if not abstain:
            begins = max(_time(ending[trial * n]), after)
            if begins < before:
                chosen = min(chosen, begins)
        if chosen < hits.size:
            hits[chosen] += 1


@njit(nogil=True, cache=True)
def _sorted(n: Any, ending: np.ndarray, times: np.ndarray, which: np.ndarray) -> Any:
    """Hitting times of the traces that succeed, in order, and which these are; their number."""
    reached = 0
    for i in range(n):
        time = _time(ending[i])
        if time == NOT_REACHED:
            continue
        j = reached
        while j > 0 and times[j - 1] > time:
            times[j], which[j] = times[j - 1], which[j - 1]
            j -= 1
        times[j], which[j] = time, i
        reached += 1
    return reached


@njit(nogil=True, cache=True)
def _counted(n: Any, ending: np.ndarray, hits: np.ndarray, key: np.ndarray, trial0: Any, limits: np.ndarray) -> None:
    times, which = np.empty(n, np.int64), np.empty(n, np.int64)
    for trial in range(ending.size // n):
        reached = _sorted(n, ending[trial * n : trial * n + n], times, which)
        if reached == 0:
            continue
        word0, word1 = threefry(key[0], key[1], u32(trial0 + u32(trial)), u32(0))
        for j in range(reached):
            if _accepted(word0, word1, limits[j, 0], limits[j, 1]):
                if times[j] < hits.size:
                    hits[times[j]] += 1
                break


@njit(nogil=True, cache=True)
def _voted(
    n: Any,
    ending: np.ndarray,
    hits: np.ndarray,
    vote: np.ndarray,
    tie: np.ndarray,
    lane: Any,
    trial0: Any,
    threshold: np.ndarray,
    answer: np.ndarray,
    answers: Any,
    ties_wrong: Any,
) -> None:
    many = max(1, BLOCK // n)
    word0, word1 = np.empty((2, many * n), u32)
    times, which, wrong = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    votes, level = np.zeros(answers, np.int64), np.zeros(n + 1, np.int64)
    mask = u32(threshold.size - 1)
    for trial in range(ending.size // n):
        at = trial % many * n
        if at == 0:
            _words(vote[0], vote[1], u32(lane + u32(trial * n)), u32(0), word0, word1)
        reached = _sorted(n, ending[trial * n : trial * n + n], times, which)
        if reached == 0:
            continue
        votes[:] = 0
        for i in range(n):
            entry = word0[at + i] & mask
            both = answer[entry]
            wrong[i] = both & u32(0xFFFF) if word1[at + i] < threshold[entry] else both >> u32(16)
            votes[wrong[i]] += 1
        level[:] = 0  # how many wrong answers have so many votes
        most = 0
        for a in range(answers):
            level[votes[a]] += 1
            most = max(most, votes[a])
        word = threefry(tie[0], tie[1], u32(trial0 + u32(trial)), u32(0))[0]
        for i in range(reached):
            own = wrong[which[i]]
            level[votes[own]] -= 1
            votes[own] -= 1
            level[votes[own]] += 1
            while level[most] == 0:
                most -= 1
            breaks = not ties_wrong and word <= ALL // u32(level[most] + 1)
            if most < i + 1 or (most == i + 1 and breaks):
                if times[i] < hits.size:
                    hits[times[i]] += 1
                break


def task_hits(
    ending: np.ndarray, rows: Rows, row: int, trials: int, tables: tuple[np.ndarray, ...], n: int,
    kind: tuple[Any, ...], hits: np.ndarray,
) -> None:  # fmt: skip
    """Add the task hitting times of the first ``trials`` trials of a row to ``hits`` int64 [max_steps + 1]; ``ending``
    int32 [lanes], other arguments as of :func:`ds3sim.engine.traces.outcome.outcome`."""
    keys, (lane, trial) = np.asarray(rows.keys[row]), np.asarray(rows.first[:, row])
    ending, own = ending[: trials * n], [table[row] for table in tables]
    if kind[0] == "first":
        _first(n, ending, hits)
    elif kind[0] == "verified":
        _verified(n, ending, hits, keys[VERIFIER], lane, own[0], kind[1])
    elif kind[0] == "counted":
        _counted(n, ending, hits, keys[TIE], trial, own[0])
    else:
        threshold, answer = own
        _voted(n, ending, hits, keys[VOTE], keys[TIE], lane, trial, threshold, answer, kind[2], kind[1])
