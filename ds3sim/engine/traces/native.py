"""Launches of walks that numba compiles, on the cores of the host: what :mod:`ds3sim.engine.traces.xla` gives, bit for
bit. Numba is imported with the first launch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ds3sim.engine.traces.pack import Wave
from ds3sim.engine.traces.walk import Rows


def tables(
    arrays: Sequence[tuple[np.ndarray, ...]], marks: tuple[np.ndarray, ...], wave: Wave, device: Any
) -> tuple[Any, ...]:
    """(arrays of the walk, those of the aggregator); ``arrays``: of each job of the launch."""
    from ds3sim.engine.traces.native_walk import packed

    made = [packed(threshold, outcome) for threshold, outcome, *_ in arrays]
    return (made[0] if len(made) == 1 else np.concatenate(made), *arrays[0][2:]), marks


def counts(
    rows: Rows, arrays: Any, marks: Any, wave: Wave, spans: list[tuple[int, int]], tops: list[int], device: Any
) -> tuple[list[np.ndarray], list[np.ndarray], None]:
    """As :func:`ds3sim.engine.traces.xla.counts`."""
    from ds3sim.engine.traces.native_outcome import task_hits
    from ds3sim.engine.traces.native_walk import walk

    shape, n = wave.shape, wave.shape.n
    begins = np.cumsum([0, *(2 * top + 4 for top in tops)])
    offsets, found = np.zeros(wave.rows, np.int64), np.zeros(begins[-1], np.int64)
    for (begin, end), at in zip(spans, begins, strict=False):
        offsets[begin:end] = at
    ending = walk(rows, offsets, found, *arrays, width=0 if shape.alone else wave.width)
    endings = np.split(found, begins[1:-1])
    if shape.alone:
        return endings, [counts[2::2] for counts in endings], None
    hits = [np.zeros(top + 1, np.int64) for top in tops]
    for (begin, end), own in zip(spans, hits, strict=True):
        for row in range(begin, end):
            task_hits(ending[row], rows, row, int(rows.numbers[0, row]) // n, marks, n, shape.outcome, own)
    return endings, hits, None
