"""Hand-tuned numba loops over alias tables; all cores, each block of traces with a generator of its own.

``one_walk`` follows one trace after the other: what a good user would write. Each step has to wait
for the table entry of the one before, so it is bound by latency. ``four_walks`` keeps four traces in
flight on each core, which hides that: the strongest per-step loop found here (two were slower, six and
eight gained 0-5% more, a power-of-two width nothing). Given tables of L-step laws both make macro steps.
Generator: xoroshiro128+ (Blackman, Vigna 2018), seeded by splitmix64; one draw of 64 bits a step: the
lower half picks the column, the upper half decides between the column and its alias.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit, prange

from benchmarks.tables import Tables

u64 = np.uint64
BLOCKS = 64
"""Blocks of traces, shared out among the threads; numbers of traces are multiples of it."""


@njit(inline="always")
def splitmix64(x):
    """Next counter and 64 bits."""
    x = x + u64(0x9E3779B97F4A7C15)
    z = (x ^ (x >> u64(30))) * u64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u64(27))) * u64(0x94D049BB133111EB)
    return x, z ^ (z >> u64(31))


@njit(inline="always")
def xoroshiro128p(a, b):
    """64 bits and the next state."""
    out = a + b
    b = b ^ a
    a = ((a << u64(24)) | (a >> u64(40))) ^ b ^ (b << u64(16))
    return out, a, (b << u64(37)) | (b >> u64(27))


@cache
def _loops(scaled: bool):
    """(one_walk, four_walks) for one kind of tables; numba compiles ``scaled`` in as a constant.

    Arguments: words and width of the tables; limit, the first absorbing outcome; ends, the bin of each
    absorbing outcome in the first draw; stride L; start; draws, macro steps of a trace; the last bin
    is "beyond". Both return counts int64 [bins].
    """

    @njit(inline="always")
    def step(words, width, state, bits):
        row = state if scaled else state * width
        word = words[row + (((bits & u64(0xFFFFFFFF)) * width) >> u64(32))]
        own, other = word & u64(0xFFFF), (word >> u64(16)) & u64(0xFFFF)
        return own if (bits >> u64(32)) < (word >> u64(32)) else other

    @njit(parallel=True)
    def one_walk(words, width, limit, ends, stride, start, draws, bins, traces, seed):
        width, limit, start = u64(width), u64(limit), u64(start)
        counts = np.zeros((BLOCKS, bins), dtype=np.int64)
        for block in prange(BLOCKS):
            x = u64(seed) * u64(0xD1342543DE82EF95) + u64(block)
            x, a = splitmix64(x)
            x, b = splitmix64(x)
            mine = np.zeros(bins, dtype=np.int64)
            for _ in range(traces // BLOCKS):
                state, found = start, bins - 1
                for k in range(draws):
                    bits, a, b = xoroshiro128p(a, b)
                    state = step(words, width, state, bits)
                    if state >= limit:
                        found = k * stride + ends[state - limit]
                        break
                mine[found] += 1
            counts[block] = mine
        return counts.sum(axis=0)

    @njit(inline="always")
    def settle(mine, limit, ends, stride, start, draws, state, born, clock, left):
        # Count a trace that has ended and start the next in its place while any are left. A place
        # without a trace has born = -1 and walks on from the start without being counted.
        if born < 0:
            return start, np.int64(-1), np.int64(-1), left
        if state >= limit:
            mine[(clock - born - 1) * stride + ends[state - limit]] += 1
        else:
            mine[mine.size - 1] += 1
        if left > 0:
            return start, clock, clock + draws, left - 1
        return start, np.int64(-1), np.int64(-1), left - 1

    @njit(parallel=True)
    def four_walks(words, width, limit, ends, stride, start, draws, bins, traces, seed):
        width, limit, start = u64(width), u64(limit), u64(start)
        counts = np.zeros((BLOCKS, bins), dtype=np.int64)
        for block in prange(BLOCKS):
            x = u64(seed) * u64(0xD1342543DE82EF95) + u64(block)
            x, a = splitmix64(x)
            x, b = splitmix64(x)
            x, c = splitmix64(x)
            x, d = splitmix64(x)
            mine = np.zeros(bins, dtype=np.int64)
            left, t = np.int64(traces // BLOCKS - 4), np.int64(0)  # left falls to -4 as the last four end
            s0 = s1 = s2 = s3 = start
            b0 = b1 = b2 = b3 = np.int64(0)
            e0 = e1 = e2 = e3 = np.int64(draws)
            while left > -4:
                t += 1
                bits, a, b = xoroshiro128p(a, b)
                s0 = step(words, width, s0, bits)
                bits, c, d = xoroshiro128p(c, d)
                s1 = step(words, width, s1, bits)
                bits, a, b = xoroshiro128p(a, b)
                s2 = step(words, width, s2, bits)
                bits, c, d = xoroshiro128p(c, d)
                s3 = step(words, width, s3, bits)
                if s0 >= limit or t == e0:
                    s0, b0, e0, left = settle(mine, limit, ends, stride, start, draws, s0, b0, t, left)
                if s1 >= limit or t == e1:
                    s1, b1, e1, left = settle(mine, limit, ends, stride, start, draws, s1, b1, t, left)
                if s2 >= limit or t == e2:
                    s2, b2, e2, left = settle(mine, limit, ends, stride, start, draws, s2, b2, t, left)
                if s3 >= limit or t == e3:
                    s3, b3, e3, left = settle(mine, limit, ends, stride, start, draws, s3, b3, t, left)
            counts[block] = mine
        return counts.sum(axis=0)

    return one_walk, four_walks


def sample(tables: Tables, steps: int, traces: int, seed: int, walks: int) -> np.ndarray:
    """Counts int64 [2K + 3] of ``traces`` walks in the bins of ``cases.Law``.

    Args:
        steps: K.
        traces: a multiple of ``BLOCKS`` and at least 4 ``BLOCKS``.
        walks: traces in flight in a thread, 1 or 4.
    """
    if traces % BLOCKS or traces < 4 * BLOCKS:
        raise ValueError(f"traces = {traces} must be a multiple of {BLOCKS}, at least {4 * BLOCKS}")
    stride = tables.stride
    draws = -(-steps // stride)
    length = draws * stride + 1  # times 0 .. draws * stride; what lies beyond K is folded below
    scale = tables.width if tables.scaled else 1
    ends = np.zeros(2 * stride * scale, dtype=np.int64)
    ends[::scale] = np.concatenate([1 + np.arange(stride), length + 1 + np.arange(stride)])
    loop = _loops(tables.scaled)[0 if walks == 1 else 1]
    raw = loop(
        tables.words,
        tables.width,
        tables.transient * scale,
        ends,
        stride,
        tables.start * scale,
        draws,
        2 * length + 1,
        traces,
        seed,
    )
    times = raw[:-1].reshape(2, length)
    return np.concatenate([times[:, : steps + 1].ravel(), [times[:, steps + 1 :].sum() + raw[-1]]])
