"""Merging stores: the work of several machines in one file."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ds3sim.core.errors import InputError, require
from ds3sim.store.store import Store, parse

_FACTS = ("n", "shared", "stop", "feasible")


def merge(inputs: Sequence, out) -> dict:
    """Put everything the inputs hold into ``out``, which may be new, a store, or one of the inputs.

    The order of the inputs does not matter, and merging a file again changes nothing. Problems stay
    apart by their identity. Everything is read and compared before the first byte is written, and
    written in one transaction.

    Returns:
        ``inputs``: one entry a file, and ``out``: ``file``, ``problems``, ``rows``, ``trials``, ``sweeps``;
        ``new_rows``: rows that ``out`` did not have.

    Raises:
        InputError: an input cannot be read or is damaged, two hold different counts for the same
            trials, or ``out`` cannot be written; the line names the file. ``out`` is as it was.
    """
    require(len(inputs) > 0, "nothing to merge: name at least one store")
    read, said, places = [], [], []
    for path in inputs:
        with Store.open(path, create=False, readonly=True) as store:
            said.append(_summary(store))
            if not any(os.path.samefile(path, other) for other in places):
                read.append((path, store.contents()))
        places.append(path)
    there = os.path.exists(out) and os.path.getsize(out) > 0
    if there:
        with Store.open(out, create=False, readonly=True) as store:
            _compare([(out, store.contents()), *read])
        read = [(path, contents) for path, contents in read if not os.path.samefile(path, out)]
    else:
        _compare(read)
    with Store.open(out) as store:
        new = store.take([contents for _, contents in read])
        return {"inputs": said, "out": _summary(store), "new_rows": new}


def summary(path) -> dict:
    """What a store holds; see :func:`merge`. The file is only read."""
    with Store.open(path, create=False, readonly=True) as store:
        return _summary(store)


def _summary(store: Store) -> dict:
    problems = store.problems()
    return {
        "file": str(store.path),
        "problems": len(problems),
        "rows": sum(p["rows"] for p in problems),
        "trials": sum(p["trials"] for p in problems),
        "sweeps": [{"name": s["name"], "points": len(s["points"])} for s in store.sweeps()],
    }


def _compare(stores: Sequence[tuple]) -> None:
    """Refuse rows of one key with different counts."""
    seen: dict[tuple, tuple] = {}
    for path, contents in stores:
        for row in contents["part"]:
            other_path, other = seen.setdefault(row[:5], (path, row))
            if other != row and _facts(other) != _facts(row):
                identity, engine, seed, first, end = row[:5]
                raise InputError(
                    f"{path} and {other_path}: hold different counts for trials {first}..{end} of seed {seed}, engine"
                    f" {engine}, problem {identity[:8]}: two versions of ds3sim made them; keep these stores apart"
                )


def _facts(row: tuple) -> list:
    parsed = parse(row)
    return [parsed[key] for key in _FACTS] + [parsed[key].tolist() for key in ("task_hits", "hits", "deaths")]
