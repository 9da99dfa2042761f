"""Merging stores: the work of several machines in one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ds3sim.core.errors import InputError, require
from ds3sim.core.figure import new_axes
from ds3sim.core.record import Record
from ds3sim.store.contents import StoreContents
from ds3sim.store.file import Name
from ds3sim.store.ranges import Row
from ds3sim.store.store import Store, Tables

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Merged(Record):
    """What was merged.

    Attributes:
        inputs: what each input held, in the order given.
        out: what the store holds now.
        new_rows: rows that it did not have.
    """

    inputs: tuple[StoreContents, ...]
    out: StoreContents
    new_rows: int

    def to_dataset(self) -> xarray.Dataset:
        """``problems``, ``rows`` and ``trials`` along ``store``: the inputs, then what they were merged into."""
        import xarray

        held = [store.to_dict() for store in (*self.inputs, self.out)]
        counts = {name: [store[name] for store in held] for name in ("problems", "rows", "trials")}
        data = {name: ("store", values, {"units": "1"}) for name, values in counts.items()}
        return xarray.Dataset(data, {"store": [store["file"] for store in held]}, {"new_rows": self.new_rows})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Trials of each store."""
        axes = new_axes(ax)
        held = (*self.inputs, self.out)
        axes.barh([store.file for store in held], [store.trials for store in held])
        axes.invert_yaxis()
        axes.set(xlabel="trials")
        return axes


def merge(stores: Sequence[Name], out: Name) -> Merged:
    """Put everything that stores hold into one.

    The order of the stores does not matter, and merging one again changes nothing. Problems stay apart by their
    identity. Everything is read and compared before the first byte is written, and written in one transaction.

    Args:
        stores: files that ``sweep`` wrote.
        out: may be new, a store, or one of ``stores``.

    Raises:
        InputError: an input cannot be read or is damaged, two hold different counts for the same
            trials, or ``out`` cannot be written; the line names the file. ``out`` is as it was.

    >>> ds.Store.open("one.ds3").close()
    >>> ds.merge(["one.ds3"], "all.ds3").new_rows
    0
    """
    require(len(stores) > 0, "nothing to merge: name at least one store")
    read: list[tuple[Name, Tables]] = []
    held: list[StoreContents] = []
    places: list[Name] = []
    for path in stores:
        with Store.open(path, create=False, readonly=True) as store:
            held.append(store.contents())
            if not any(os.path.samefile(path, other) for other in places):
                read.append((path, store.tables()))
        places.append(path)
    if os.path.exists(out) and os.path.getsize(out) > 0:
        with Store.open(out, create=False, readonly=True) as store:
            _compare([(out, store.tables()), *read])
        read = [(path, tables) for path, tables in read if not os.path.samefile(path, out)]
    else:
        _compare(read)
    with Store.open(out) as store:
        new = store.take([tables for _, tables in read])
        store.tell_versions(store.versions())
        return Merged(tuple(held), store.contents(), new)


def _compare(stores: Sequence[tuple[Name, Tables]]) -> None:
    """Refuse rows of one key with different counts."""
    seen: dict[tuple[Any, ...], tuple[Name, Row]] = {}
    for path, tables in stores:
        for row in tables.part:
            other_path, other = seen.setdefault(row.key, (path, row))
            if other != row and not other.agrees(row):
                raise InputError(
                    f"{path} and {other_path}: hold different counts for trials {row.first}..{row.end} of seed"
                    f" {row.seed}, engine {row.engine}, problem {row.identity[:8]}: two versions of ds3sim made them;"
                    " keep these stores apart"
                )
