"""Rows of the store: histograms as small blobs, and which rows may be added without counting twice."""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ds3sim.core.errors import require
from ds3sim.engine.limits import Stopping
from ds3sim.engine.tally import Tally
from ds3sim.engine.version import engine_version

Range = tuple[int, int]
"""(first, end): the trials first .. end - 1."""

_HEAD = struct.Struct("<cq")


class Damaged(ValueError):
    """A row that cannot be read or that contradicts itself."""


class Row(NamedTuple):
    """The counts of trials first .. end - 1 of one problem, engine and seed, as the file keeps them.

    Attributes:
        identity, engine, seed, first, end: the key, which decides all the rest.
        n, shared, stop, feasible: ``n``, ``shared_feasibility``, ``stop_on_dead`` and ``feasible`` of the tally.
        counts: its three histograms, packed by :func:`encode`.
        code: checksum of all of it.
        squares: of the tally.
        version: of the engine that counted; None in rows of files before format 3, which lack ``squares`` too.
    """

    identity: str
    engine: str
    seed: int
    first: int
    end: int
    n: int
    shared: int
    stop: int
    feasible: int
    counts: bytes
    code: int
    squares: int | None = None
    version: str | None = None

    @classmethod
    def of(cls, tally: Tally) -> Row:
        """The row of a tally. InputError: a tally of several ranges of trials."""
        require(
            len(tally.ranges) == 1 and tally.ranges[0][2] - tally.ranges[0][1] == tally.traces,
            f"a tally of {len(tally.ranges)} ranges of trials cannot be one row: add the tally of each range",
        )
        seed, first, end = map(int, tally.ranges[0])
        flags = (int(tally.shared_feasibility), int(tally.stop_on_dead))
        counts = encode(tally.task_hits, tally.hits, tally.deaths)
        key = (tally.identity, tally.engine, seed, first, end)
        squares = None if tally.squares is None else int(tally.squares)
        row = cls(*key, int(tally.n), *flags, int(tally.feasible), counts, 0, squares, engine_version(tally.engine))
        return row._replace(code=row.checksum())

    @property
    def key(self) -> tuple[Any, ...]:
        """(identity, engine, seed, first, end)."""
        return self[:5]

    def tally(self) -> Tally:
        """The counts. Damaged: the row contradicts itself."""
        if self.checksum() != self.code:
            raise Damaged("its checksum is wrong")
        task_hits, hits, deaths = decode(self.counts)
        squares = self.squares
        if squares is None and self.may_share(hits, deaths):
            squares = self.n * int(hits.sum())  # as if all traces of a trial were correct, or none: the widest interval
        return Tally(
            self.identity,
            self.engine,
            self.seed,
            self.n,
            self.end - self.first,
            self.feasible,
            task_hits,
            hits,
            deaths,
            shared_feasibility=bool(self.shared),
            stop_on_dead=bool(self.stop),
            ranges=((self.seed, self.first, self.end),),
            stopping=Stopping(traces=self.end - self.first),
            squares=squares,
        )

    def may_share(self, hits: np.ndarray, deaths: np.ndarray) -> bool:
        """Whether it is of a file before format 3, and its traces may share a success rate: one step decides them."""
        told = self.version is not None or self.n == 1 or not self.shared
        return not told and 0 < int(hits[1:2].sum()) < self.feasible == int(hits[1:2].sum() + deaths[1:2].sum())

    def checksum(self) -> int:
        """CRC-32 of everything else: the key, the numbers and the blob."""
        code = 0
        for fact in (*self[:10], *(fact for fact in self[11:] if fact is not None)):
            code = zlib.crc32(fact if isinstance(fact, bytes) else f"{fact}\0".encode(), code)
        return code

    def agrees(self, other: Row) -> bool:
        """Whether the counts are equal, however they are packed and whichever version counted."""
        same = self[:9] == other[:9] and (None in (self.squares, other.squares) or self.squares == other.squares)
        return same and all(map(np.array_equal, decode(self.counts), decode(other.counts)))


def encode(task_hits: np.ndarray, hits: np.ndarray, deaths: np.ndarray) -> bytes:
    """Three histograms int64 [K + 1] as one blob.

    ``task_hits`` is kept as its difference from ``hits`` (zero for a single trace). Histograms with
    few entries are kept as places and values, others as differences of neighbours; small numbers
    leave most bytes zero, so the bytes are sorted by significance before zlib.
    """
    table = np.stack([task_hits - hits, hits, deaths]).astype(np.int64)
    flat = table.ravel()
    where = np.flatnonzero(flat)
    if 3 * where.size < flat.size:
        kind, numbers = b"S", np.concatenate([np.diff(where, prepend=0), flat[where]])
    else:
        kind, numbers = b"D", np.diff(table, axis=1, prepend=0).ravel()
    folded = ((numbers << 1) ^ (numbers >> 63)).astype("<i8")  # small magnitudes, both signs
    shuffled = np.ascontiguousarray(folded.view(np.uint8).reshape(-1, 8).T)
    return _HEAD.pack(kind, table.shape[1]) + zlib.compress(shuffled.tobytes(), 6)


def decode(blob: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The inverse of :func:`encode`: task_hits, hits, deaths, int64 [K + 1] each; Damaged where it wrote no such."""
    try:
        kind, size = _HEAD.unpack_from(blob)
        raw = np.frombuffer(zlib.decompress(blob[_HEAD.size :]), dtype=np.uint8)
        folded = np.ascontiguousarray(raw.reshape(8, -1).T).view("<u8").ravel()
        numbers = ((folded >> np.uint64(1)) ^ (np.uint64(0) - (folded & np.uint64(1)))).view(np.int64)
        if kind == b"D":
            table = np.cumsum(numbers.reshape(3, size), axis=1)
        elif kind == b"S":
            where, values = np.split(numbers, 2)
            table = np.zeros(3 * size, np.int64)
            table[np.cumsum(where)] = values
            table = table.reshape(3, size)
        else:
            raise Damaged("unknown kind of histogram")
    except (struct.error, zlib.error, ValueError, IndexError, MemoryError) as error:
        raise Damaged(str(error)) from None
    return table[0] + table[1], table[1], table[2]


def cover(rows: Iterable[Range], first: int = 0, end: int | None = None) -> list[Range]:
    """Disjoint rows inside [first, end) that hold the most trials, sorted; overlapping ones would count trials twice.

    Of several best choices the one with the fewest rows is taken, then the one whose rows begin first, so that the
    choice depends on the rows alone.
    """
    inside = sorted({r for r in rows if r[0] >= first and (end is None or r[1] <= end)})
    if all(a[1] <= b[0] for a, b in pairwise(inside)):
        return inside
    inside.sort(key=lambda r: (r[1], r[0]))
    ends = [r[1] for r in inside]
    # best[i]: (trials, -rows) of the best choice among the first i rows.
    best, taken = [(0, 0)], []
    for i, (begin, stop) in enumerate(inside):
        before = bisect_right(ends, begin, 0, i)
        trials, count = best[before]
        with_it = (trials + stop - begin, count - 1)
        taken.append(with_it > best[i])
        best.append(max(with_it, best[i]))
    chosen, i = [], len(inside)
    while i > 0:
        if taken[i - 1]:
            chosen.append(inside[i - 1])
            i = bisect_right(ends, inside[i - 1][0], 0, i - 1)
        else:
            i -= 1
    return chosen[::-1]


def gaps(covered: Sequence[Range], first: int, end: int) -> list[Range]:
    """The parts of [first, end) that sorted disjoint ranges leave open."""
    out = []
    for begin, stop in covered:
        if begin > first:
            out.append((first, min(begin, end)))
        first = max(first, stop)
    if first < end:
        out.append((first, end))
    return out
