"""A store that others hold while a sweep runs, counts of several versions, and graph files that change."""

from __future__ import annotations

import json
import sqlite3
import threading
import warnings

import numpy as np
import pytest

import ds3sim as ds
from ds3sim.core import rng
from ds3sim.core.errors import InputError, Note, StoppedEarly
from ds3sim.engine.limits import EngineOptions
from ds3sim.store import collect as collect_module
from ds3sim.store import patient, ranges
from ds3sim.store.collect import collect
from ds3sim.store.ranges import Row
from ds3sim.store.store import Store
from ds3sim.study.evaluate import opened
from tests.store_fixture import counts, tasks, toy, toy_engine

LATENT = ds.Task(ds.SkillGraph.latent(0.9, 0.5, 1.5), aggregate=ds.BestOfN(8), steps=80)


def viewer(path, how="read"):
    """Another connection inside a transaction."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE" if how == "write" else "BEGIN")
    db.execute("SELECT * FROM part").fetchone()
    return db


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.setattr(collect_module, "evaluate", toy_engine)
    monkeypatch.setattr(collect_module, "COMMIT_S", 0.0)
    monkeypatch.setattr(collect_module, "FIRST_GROUP", 1.0)
    monkeypatch.setattr(patient, "LONGEST_PAUSE_S", 0.05)


# ---- another process holds the file -----------------------------------------------------------------


@pytest.mark.parametrize("how", ["read", "write"])
def test_a_viewer_delays_writing_and_nothing_else(tmp_path, toys, how):
    items = [(task, {}) for task in tasks(6)]
    with Store.open(tmp_path / "s.db") as store:
        store.add(toy(tasks(9)[8], 5, 1))
    with Store.open(tmp_path / "s.db", wait=0.01) as store:
        other, done = viewer(tmp_path / "s.db", how), []

        def progress(trials):
            done.append(trials)
            if len(done) == len(items):  # all is simulated, and nothing could be written
                assert len(store.keys()) == 1
                threading.Timer(0.2, other.execute, ["ROLLBACK"]).start()

        with pytest.warns(Note) as told:
            found = collect(items, store, EngineOptions(traces=500), 3, progress)
    said = [str(one.message) for one in told]
    assert "stays in memory" in said[0] and "is free again" in said[-1]
    assert [counts(t) for t in found] == [counts(toy(task, 500, 3)) for task, _ in items]
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert len(store.keys()) == 7


def test_ctrl_c_while_the_file_is_held_gives_what_is_in_memory(tmp_path, toys):
    items = [(task, {}) for task in tasks(4)]
    Store.open(tmp_path / "s.db").close()
    with Store.open(tmp_path / "s.db", wait=0.01) as store:
        other, done = viewer(tmp_path / "s.db"), []

        def progress(trials):
            done.append(trials)
            if len(done) == 3:
                raise KeyboardInterrupt

        with pytest.warns(Note, match="lacks what was simulated last"), pytest.raises(StoppedEarly) as stop:
            collect(items, store, EngineOptions(traces=500), 3, progress)
        other.execute("ROLLBACK")
    held = [None if tally is None else counts(tally) for tally in stop.value.partial]
    assert held.count(None) == 2
    assert all(one in (None, counts(toy(task, 500, 3))) for one, (task, _) in zip(held, items, strict=True))


# ---- versions ---------------------------------------------------------------------------------------


def other_version(monkeypatch, name="ds3sim 9.9, stream 7"):
    monkeypatch.setattr(ranges, "engine_version", lambda engine: f"{name}, {engine}")


def test_counts_of_two_versions_are_added_with_a_note(tmp_path, monkeypatch):
    (task,) = tasks(1)
    with Store.open(tmp_path / "a.db") as store, warnings.catch_warnings():
        warnings.simplefilter("error", Note)
        store.add(toy(task, 100, 1))
        store.add(toy(task, 100, 1, first=100))
        assert store.tally(task.identity, "traces").traces == 200
    other_version(monkeypatch)
    with Store.open(tmp_path / "b.db") as store:
        assert store.add_all([toy(task, 100, 1)]) == 1  # the same trials, and the same counts
        store.add(toy(task, 100, 1, first=200))
    with pytest.warns(Note, match=r"2 versions of the engine.* stream 1, .*ds3sim 9\.9, stream 7") as told:
        merged = ds.merge([tmp_path / "a.db", tmp_path / "b.db"], tmp_path / "all.db")
    assert len(told) == 1 and len(merged.out.versions) == 2 and merged.new_rows == 3
    assert json.loads(merged.to_json())["out"]["versions"] == list(merged.out.versions)
    with Store.open(tmp_path / "all.db", readonly=True) as store, pytest.warns(Note, match="are added"):
        assert counts(store.tally(task.identity, "traces")) == counts(toy(task, 300, 1))


def as_format_2(path):
    """The file as a ds3sim before format 3 wrote it."""
    with Store.open(path, readonly=True) as store:
        rows = store.tables().part
    with sqlite3.connect(path) as db:
        for row in rows:
            before = row._replace(squares=None, version=None)
            db.execute("UPDATE part SET code = ? WHERE code = ?", (before.checksum(), row.code))
        db.execute("ALTER TABLE part DROP COLUMN squares")
        db.execute("ALTER TABLE part DROP COLUMN version")
        db.execute("PRAGMA user_version = 2")
    db.close()


def test_old_stores_open_go_on_and_have_covering_intervals(tmp_path):
    found = ds.simulate(LATENT, 3000, seed=5)
    (chain,) = tasks(1)
    with Store.open(tmp_path / "s.db") as store:
        store.add(found)
        store.add(toy(chain, 100, 1))
        assert Row.of(store.tally(LATENT.identity, "traces")) == Row.of(found)
    as_format_2(tmp_path / "s.db")
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        with pytest.warns(Note, match="widest possible"):
            old = store.tally(LATENT.identity, "traces")
        assert counts(store.tally(chain.identity, "traces")) == counts(toy(chain, 100, 1))
        assert counts(old) == counts(found) and len(store.contents().versions) == 1
    wide, right = old.expected_steps(80), found.expected_steps(80)
    assert wide.low < right.low < right.estimate == wide.estimate < right.high < wide.high
    with Store.open(tmp_path / "s.db") as store, pytest.warns(Note, match="before versions were kept"):
        store.add(toy(chain, 100, 1, first=100))
        assert store.tally(chain.identity, "traces").traces == 200
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert [row.version is None for row in store.tables().part].count(True) == 2


def test_a_version_or_a_sum_of_squares_that_was_changed_is_seen(tmp_path):
    with Store.open(tmp_path / "s.db") as store:
        store.add(ds.simulate(LATENT, 100))
        for column in ("version = 'mine'", "squares = squares + 1", "squares = NULL"):
            store._db.execute("BEGIN")
            store._db.execute(f"UPDATE part SET {column}")
            with pytest.raises(InputError, match="is damaged"):
                store.tally(LATENT.identity, "traces")
            store._db.execute("ROLLBACK")


# ---- graph files ------------------------------------------------------------------------------------

EDGES = "source,target,probability\na,b,0.5\nb,c,{}\n"


def swept(folder, p, axis, store, name="graph.csv"):
    """A sweep over a file's graph."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(EDGES.format(p))
    table = {"kind": "file", "path": name, "start": "a", "goal": "c"}
    axes = {"strategy.branches": axis}
    study = ds.Study(table, strategy={"step": "tot"}, steps=20, traces=200, axes=axes, folder=folder)
    ds.sweep(study, store=store)


def branches(store):
    with Store.open(store, readonly=True) as kept:
        return [[point.axes["strategy.branches"] for point in sweep.points] for sweep in kept.sweeps()]


def test_a_table_never_mixes_an_edited_graph_with_the_one_before(tmp_path):
    store = tmp_path / "s.db"
    swept(tmp_path / "one", 0.5, [1, 2], store)
    swept(tmp_path / "two", 0.5, [3], store)  # the same graph elsewhere
    swept(tmp_path / "one", 0.5, [4], store, "renamed.csv")
    assert branches(store) == [[4, 3, 1, 2]]
    swept(tmp_path / "one", 0.25, [5], store)
    assert branches(store) == [[4, 3, 1, 2], [5]]
    with Store.open(store, readonly=True) as kept, pytest.warns(Note, match="other graphs"):
        assert [row.axes["strategy.branches"] for row in kept.result().rows] == [5]


def test_two_machines_with_two_graphs_of_one_name_are_two_sweeps(tmp_path):
    swept(tmp_path / "one", 0.5, [1], tmp_path / "one.db")
    swept(tmp_path / "two", 0.4, [2], tmp_path / "two.db")
    swept(tmp_path / "three", 0.5, [3], tmp_path / "three.db")
    ds.merge([tmp_path / f"{name}.db" for name in ("one", "two", "three")], tmp_path / "all.db")
    assert sorted(map(sorted, branches(tmp_path / "all.db"))) == [[1, 3], [2]]


def test_the_random_stream_belongs_to_a_sweep(tmp_path, monkeypatch):
    store = tmp_path / "s.db"
    swept(tmp_path / "one", 0.5, [1], store)
    monkeypatch.setattr(rng, "STREAM", rng.STREAM + 1)
    swept(tmp_path / "one", 0.5, [2], store)
    assert branches(store) == [[1], [2]]


def test_the_digest_of_a_graph_holds_what_it_says():
    edges, ends = [("a", "b", 0.5), ("b", "c", 0.25)], {"start": "a", "goal": "c"}
    graph = ds.SkillGraph.from_edges(edges, **ends)
    assert graph.digest == ds.SkillGraph.from_edges(edges[::-1], **ends).digest
    others = [
        ds.SkillGraph.from_edges([edges[0], ("b", "c", np.nextafter(0.25, 1))], **ends),
        ds.SkillGraph.from_edges([*edges, ("b", "d", 0.25)], **ends),
        ds.SkillGraph.from_edges(edges, start="b", goal="c"),
        ds.SkillGraph.from_edges(edges, start="a", goal=["b", "c"]),
        ds.SkillGraph.from_edges(edges, feasible=0.5, **ends),
        ds.SkillGraph.from_edges(edges, score={"a": 0, "b": 0, "c": 1}, **ends),
        ds.SkillGraph.from_edges([("a", "x", 0.5), ("x", "c", 0.25)], **ends),
    ]
    assert len({graph.digest, *(other.digest for other in others)}) == 1 + len(others)


# ---- what is refused leaves nothing -------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["exact", "importance", "closed_form"])
def test_a_refused_sweep_leaves_no_store(tmp_path, engine):
    study = ds.Study(ds.SkillGraph.chain(3, 0.5), steps=10, engine=engine, axes={"graph.success": [0.25, 0.5]})
    with pytest.raises(InputError, match="cannot be kept in a store"):
        ds.sweep(study, store=tmp_path / "s.ds3")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_sweep_leaves_what_was_there(tmp_path):
    path = tmp_path / "s.ds3"
    ds.Store.open(path).close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="cannot be kept in a store"):
        ds.run(ds.Study(ds.SkillGraph.chain(3, 0.5), steps=10, engine="exact"), store=path)
    assert path.read_bytes() == before


def test_work_that_is_refused_midway_keeps_what_was_simulated(tmp_path):
    tally = ds.simulate(ds.Task(ds.SkillGraph.chain(3, 0.5), steps=10), traces=100)
    with pytest.raises(InputError, match="midway"), opened(tmp_path / "s.ds3") as store:
        assert store is not None
        store.add(tally)
        raise InputError("midway")
    with ds.Store.open(tmp_path / "s.ds3", create=False) as store:
        assert store.tally(tally.identity, "traces").traces == 100
