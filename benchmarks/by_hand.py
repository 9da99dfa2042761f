"""The kernel of walk.cu, compiled and run by CuPy: only the benchmark of GPUs uses it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from ds3sim.core import rng
from ds3sim.engine.traces.walk import Rows

SOURCE = Path(__file__).with_name("walk.cu")
THREADS = 256
BLOCKS = 8
"""Blocks for each multiprocessor, as many as it holds at once."""


def arguments(rows: Rows, row: int, entries: int, local: bool) -> tuple[Any, ...]:
    """Of the kernel for one row of traces, between its table and its counts."""
    key0, key1 = np.asarray(rows.keys)[row, rng.WALK]
    valid, _, base, columns, transient, steps, rounds, top = np.asarray(rows.numbers)[:, row].astype(np.uint32)
    assert base == 0, "the kernel walks on one table"
    first = np.asarray(rows.first)[0, row]
    return (np.uint32(entries), np.uint32(local), key0, key1, first, valid, columns, transient, steps, rounds, top)


def paired(tables: tuple[Any, Any]) -> np.ndarray:
    """Thresholds and outcomes side by side, uint32 [entries, 2]."""
    return np.stack([np.asarray(table) for table in tables], axis=-1)


def timed(rows: Rows, tables: tuple[Any, Any], lanes: int, least: float) -> tuple[np.ndarray, float]:
    """Counts of the endings of all rows, int64 [2 max_steps + 4], and the seconds that one launch of each row takes.

    Raises:
        ImportError: CuPy is not installed.
    """
    import cupy  # type: ignore[import-not-found]

    module = cupy.RawModule(code=SOURCE.read_text(), options=("--std=c++14",))
    kernel, device = module.get_function("walk"), cupy.cuda.Device()
    table = paired(tables)
    bins = 2 * int(np.asarray(rows.numbers)[7, 0]) + 4
    room = device.attributes["MaxSharedMemoryPerBlockOptin"] // 2  # two blocks at least
    local = 8 * len(table) + 4 * bins <= room
    shared = 4 * bins + (8 * len(table) if local else 0)
    kernel.max_dynamic_shared_size_bytes = shared
    grid = BLOCKS * device.attributes["MultiProcessorCount"]
    given, counts = cupy.asarray(table), cupy.zeros(bins, cupy.uint64)
    calls = [(given, *arguments(rows, row, len(table), local), counts) for row in range(len(rows.keys))]

    def once() -> None:
        for call in calls:
            kernel((grid,), (THREADS,), call, shared_mem=shared)

    def many(times: int) -> float:
        begin = time.perf_counter()
        for _ in range(times):
            once()
        device.synchronize()
        return time.perf_counter() - begin

    once()
    found = cupy.asnumpy(counts).astype(np.int64)
    times = max(1, min(64, int(least / max(1e-9, many(1)))))
    return found, min(many(times) for _ in range(3)) / times
