"""Launches of kernels that XLA compiles: any device, any kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ds3sim.engine.traces.alias import padded, power_of_two
from ds3sim.engine.traces.histogram import device_counts
from ds3sim.engine.traces.outcome import correct, outcome
from ds3sim.engine.traces.pack import TABLE_ENTRIES, Wave
from ds3sim.engine.traces.urn import urn
from ds3sim.engine.traces.walk import Rows, jitted, stage_sizes, walk

DRAWS = 4
"""Draws of an accelerator's loop between two decisions of the host."""
TABLE_SIZES = (2**17, TABLE_ENTRIES)


def tables(
    arrays: Sequence[tuple[np.ndarray, ...]], marks: tuple[np.ndarray, ...], wave: Wave, device: Any
) -> tuple[Any, ...]:
    """(arrays of the kernel, those of the aggregator) on the device; ``arrays``: of each job of the launch."""
    import jax

    if wave.shape.kernel is not walk:
        own = arrays[0]
    elif len(arrays) == 1:
        own = tuple(padded(table) for table in arrays[0])
    else:
        own = tuple(_joined([every[j] for every in arrays]) for j in (0, 1))
    return jax.device_put((own, marks), device)


def counts(
    rows: Rows, arrays: Any, marks: Any, wave: Wave, spans: list[tuple[int, int]], tops: list[int], device: Any
) -> tuple[list[np.ndarray], list[np.ndarray], int | None]:
    """Counts of endings, int64 [2 top + 4], and of task hitting times, int64 [top + 1], of each span of rows; and the
    squares of :class:`~ds3sim.engine.tally.Tally`. ``device``: where the rows are put; None: where kernels run anyway,
    which take the host's arrays more quickly."""
    import jax

    shape, n = wave.shape, wave.shape.n
    valid = [int(rows.numbers[0, begin:end].sum()) for begin, end in spans]
    if device is not None:
        rows = jax.device_put(rows, device)
    ending = _endings(rows, arrays, wave)
    endings = _counts(ending, spans, [2 * top + 4 for top in tops], wave)
    hits = [found[2::2] for found in endings]
    if not shape.alone:
        times = jitted(outcome, "n", "kind")(ending, rows, marks, n=n, kind=shape.outcome)
        hits = _counts(times, spans, [top + 1 for top in tops], wave)
    for found, (begin, end), many in zip(endings, spans, valid, strict=True):
        found[1] -= (end - begin) * wave.width - many  # lanes without a trace
    if shape.kernel is not urn:
        return endings, hits, None
    (times_correct,) = _counts(jitted(correct, "n")(ending, n=n), spans, [n + 1], wave)  # a single row
    return endings, hits, int(times_correct @ np.arange(n + 1) ** 2)


def _joined(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Tables one after the other in one of few sizes, so that few kernels are compiled."""
    need = sum(table.size for table in tables)
    space = next((size for size in TABLE_SIZES if need <= size), power_of_two(need))
    out = np.zeros(space, np.uint32)
    np.concatenate(tables, out=out[:need])
    return out


def _endings(rows: Rows, arrays: Any, wave: Wave) -> Any:
    """Endings of a launch, on the device."""
    kernel, static, width = wave.shape.kernel, dict[Any, Any](wave.shape.static), wave.width
    if kernel is not walk:
        return jitted(kernel, "width", *static)(rows, *arrays, width=width, **static)
    static["stages"] = stage_sizes(wave.rows * width, wave.shape.long)
    if wave.accelerator is None:
        return jitted(walk, "width", "stages")(rows, *arrays, width=width, **static)

    def usual() -> Any:
        return jitted(walk, "width", "stages", "draws")(rows, *arrays, width=width, **static, draws=DRAWS)

    challenger = wave.accelerator.challenger
    if challenger is None or len(arrays) > 2:
        return usual()
    name = (wave.rows, width, arrays[0].size, wave.shape.long)
    other = jitted(challenger, "width")
    return wave.accelerator.endings(usual, lambda: other(rows, *arrays, width=width), name, wave.long)


def _counts(values: Any, spans: list[tuple[int, int]], sizes: list[int], wave: Wave) -> list[np.ndarray]:
    """Counts of 0..size-1 in rows begin..end-1 of a device array, int64 [size] each; larger values are left out."""
    if wave.accelerator is not None and (found := device_counts(values, spans, sizes)) is not None:
        return found
    host = np.asarray(values)
    return [_count(host[begin:end].ravel(), size) for (begin, end), size in zip(spans, sizes, strict=True)]


def _count(values: np.ndarray, size: int) -> np.ndarray:
    if values.size and int(values.max()) >= size:
        values = values[values < size]
    if size > 4 * values.size:
        out = np.zeros(size, np.int64)
        found, times = np.unique(values, return_counts=True)
        out[found] = times
        return out
    return np.bincount(values, minlength=size)
