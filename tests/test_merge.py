"""What a store holds besides rows, stores of earlier formats, and merging."""

import json
import shutil
import sqlite3
from dataclasses import replace

import pytest
from refused import refusal

from ds3sim.core.errors import InputError
from ds3sim.engine.limits import EngineOptions
from ds3sim.store.collect import collect
from ds3sim.store.contents import Point
from ds3sim.store.merge import merge
from ds3sim.store.ranges import Row
from ds3sim.store.store import Store
from tests.store_fixture import counts, gather, held, items, point, tasks, toy


def test_points_come_back_and_broken_ones_are_refused():
    one = point(0.1)
    plain = json.loads(json.dumps(one.to_dict()))
    assert Point.from_dict(plain) == one
    assert list(plain) == ["axes", "strategy", "engine", "parts", "n", "proposals", "tokens_per_step", "cost", "rows"]
    for key in plain:
        with pytest.raises(InputError, match="cannot be read"):
            Point.from_dict({k: v for k, v in plain.items() if k != key})


def test_tables_of_contents(tmp_path):
    with Store.open(tmp_path / "s.db") as store:
        assert store.sweeps() == ()
        store.put_points("a", [point(0.1), point(0.2)], {"m": 3})
        store.put_points("b", [point(0.7)])
        store.put_points("a", [point(0.2), point(0.3)], {"m": 3})
        store.put_points("a", [point(0.9)], {"m": 4})
        told = [(sweep.name, sweep.common, sweep.points) for sweep in store.sweeps()]
        last = ("a", {"m": 4}, (point(0.9),))  # the latest; other problems do not mix in
        assert told[1:] == [last] or told[-1] == last
        store.put_points("a", [point(0.1), point(0.2)], {"m": 3})
        assert [(sweep.name, sweep.common, sweep.points) for sweep in store.sweeps()] == [
            ("b", None, (point(0.7),)),
            last,
            ("a", {"m": 3}, (point(0.1), point(0.2), point(0.3))),
        ]


# A store that an earlier version wrote: format 1, with a table more.
OLD = """
PRAGMA user_version = 1;
ALTER TABLE part DROP COLUMN squares;
ALTER TABLE part DROP COLUMN version;
UPDATE part SET code = 0;
CREATE TABLE number (identity TEXT NOT NULL, engine TEXT NOT NULL, seed INTEGER NOT NULL, traces INTEGER NOT NULL,
  body BLOB NOT NULL, UNIQUE (identity, engine, seed, traces));
"""


def test_a_store_of_format_1_goes_on(tmp_path):
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    gather(new, 3, 1000)
    with sqlite3.connect(new) as source, sqlite3.connect(old) as target:
        source.backup(target)
        target.executescript(OLD)
        codes = [(row._replace(squares=None, version=None).checksum(), *row[:5]) for row in everything(new)[1]]
        key = "(SELECT id FROM problem WHERE identity = ?), ?, ?, ?, ?"
        target.executemany(f"UPDATE part SET code = ? WHERE (problem, engine, seed, first, end) = ({key})", codes)
    assert [counts(t) for t in gather(old, 5, 1500)] == [counts(toy(t, 1500, 3)) for t, _ in items(5)]
    assert held(old).rows == 3 + 5
    assert merge([old, new], tmp_path / "out.db").out.rows == 3 + 5
    with sqlite3.connect(old) as db:  # so that an earlier version leaves it alone
        assert db.execute("PRAGMA user_version").fetchone() == (3,)


def everything(path):
    with Store.open(path, readonly=True) as store:
        found = store.tables()
    return sorted(found.problem), found.part, sorted((r[0], r[1], r[2], r[4]) for r in found.sweep)


def test_merging_is_idempotent_and_has_no_order(tmp_path):
    a, b, c = (tmp_path / f"{x}.db" for x in "abc")
    gather(a, 5, 1000)
    gather(b, 5, 1500)  # overlaps a's rows
    gather(c, 3, 1000, seed=4)
    with Store.open(a) as store:
        store.put_points("s", [point(0.1)], {"m": 3})
    with Store.open(b) as store:
        store.put_points("s", [point(0.2)], {"m": 3})
        store.add(toy(tasks(9)[8], 10, 3))
    originals = [p.read_bytes() for p in (a, b, c)]
    first = merge([a, b, c], tmp_path / "1.db")
    assert first.new_rows == first.out.rows == 5 + 5 + 1 + 3
    assert len(first.out.problems) == 6
    assert first.out.trials == 5 * 1500 + 10 + 3 * 1000
    assert [store.rows for store in first.inputs] == [5, 6, 3]
    merge([c, b, b, a, c], tmp_path / "2.db")
    assert everything(tmp_path / "1.db") == everything(tmp_path / "2.db")
    before = (tmp_path / "1.db").read_bytes()
    assert merge([a, tmp_path / "2.db", tmp_path / "1.db"], tmp_path / "1.db").new_rows == 0
    assert (tmp_path / "1.db").read_bytes() == before
    assert [p.read_bytes() for p in (a, b, c)] == originals
    with Store.open(tmp_path / "1.db", readonly=True) as store:
        (sweep,) = store.sweeps()
        assert sorted(p.axes["graph.success"] for p in sweep.points) == [0.1, 0.2]
        for task, _ in items(5):
            assert counts(store.tally(task.identity, "traces", 3)) == counts(toy(task, 1500, 3))
    with Store.open(tmp_path / "1.db") as store:
        told = []
        collect(items(5), store, EngineOptions(traces=1500), 3, told.append)
    assert told == []


def test_merging_into_one_of_the_inputs(tmp_path):
    a, b = tmp_path / "a.db", tmp_path / "b.db"
    gather(a, 3)
    gather(b, 5)
    assert merge([a, b], a).new_rows == 2
    assert held(a).rows == 5


def test_a_bad_input_is_named_and_nothing_is_written(tmp_path):
    good, bad, out = tmp_path / "good.db", tmp_path / "bad.db", tmp_path / "out.db"
    gather(good, 5)
    gather(out, 1)
    before = out.read_bytes()
    whole = good.read_bytes()

    def conflicting():
        with Store.open(bad) as store:
            store.add(replace(toy(tasks(5)[2], 1000, 3), feasible=0))

    for make, said in (
        (lambda: bad.write_bytes(whole[: len(whole) // 2]), f"{bad}: is damaged"),
        (lambda: bad.write_bytes(b"rubbish" * 100), f"{bad}: is not a ds3sim store"),
        (lambda: bad.write_bytes(b""), f"{bad}: is empty"),
        (lambda: bad.unlink(), f"{bad}: no such store"),
        (lambda: bad.mkdir(), f"{bad}: is a folder"),
        (conflicting, f"{bad} and {good}: hold different counts for trials 0..1000 of seed 3"),
    ):
        if bad.is_dir():
            bad.rmdir()
        make()
        for target in (out, tmp_path / "new.db"):
            assert refusal(merge, [good, bad], target).startswith(said)
        assert out.read_bytes() == before
        assert not (tmp_path / "new.db").exists()


def test_a_store_left_by_a_crash_can_be_merged(tmp_path):
    """A journal that was left behind is played back, also where the file is only read."""
    path = tmp_path / "s.db"
    gather(path, 5)
    with Store.open(path) as store:
        store._db.execute("PRAGMA cache_size = 1")
        store._db.execute("BEGIN IMMEDIATE")
        for task in tasks(300, 200)[5:]:
            store._insert(Row.of(toy(task, 2000, 3)))
        left = tmp_path / "left.db"
        shutil.copy(path, left)  # as the disk is when the power goes
        shutil.copy(f"{path}-journal", f"{left}-journal")
        store._db.execute("ROLLBACK")
    assert left.read_bytes() != path.read_bytes()
    assert merge([left], tmp_path / "out.db").out.rows == 5
