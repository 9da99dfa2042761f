"""The store: rows that add up, crashes, merging, and files that are not what they should be."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds3sim.core.errors import InputError, StoppedEarly
from ds3sim.engine.limits import ENGINES, EngineOptions
from ds3sim.engine.simulate import simulate
from ds3sim.graph.graph import SkillGraph
from ds3sim.store import collect as collect_module
from ds3sim.store.collect import collect, piece_trials
from ds3sim.store.contents import Part, Point
from ds3sim.store.merge import merge
from ds3sim.store.ranges import Damaged, Row, cover, decode, encode, gaps, joined
from ds3sim.store.store import Store
from ds3sim.task.aggregate import BestOfN
from ds3sim.task.budget import BudgetRow
from ds3sim.task.task import Task
from ds3sim.theory.cost import CostModel
from tests.store_fixture import counts, tasks, toy, toy_engine

ROOT = Path(__file__).resolve().parents[1]


def items(number: int, steps: int = 40):
    return [(task, {"number": i}) for i, task in enumerate(tasks(number, steps))]


@pytest.fixture
def asked(monkeypatch):
    """The toy engine in place of the real one; what it is asked for, as (number of tasks, traces, firsts)."""
    out = []

    def recording(todo, forms, options, seed=0, *, firsts=None, progress=None):
        out.append((len(todo), options.traces, sorted(set(firsts))))
        return toy_engine(todo, forms, options, seed, firsts=firsts, progress=progress)

    monkeypatch.setattr(collect_module, "evaluate", recording)
    return out


def gather(path, number=5, traces=1000, seed=3, progress=None):
    """Tallies of the toy engine, collected in a file."""
    real, collect_module.evaluate = collect_module.evaluate, toy_engine
    try:
        with Store.open(path) as store:
            return collect(items(number), store, EngineOptions(traces=traces), seed, progress)
    finally:
        collect_module.evaluate = real


def held(path):
    with Store.open(path, create=False, readonly=True) as store:
        return store.contents()


# ---- rows -------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 2**62), min_size=1, max_size=40),
    st.integers(0, 200),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_histograms_survive_packing(values, zeros, seed):
    rng = np.random.default_rng(seed)
    hits = np.array(values + [0] * zeros, np.int64)
    rng.shuffle(hits)
    deaths = np.roll(hits, 1)
    for task_hits in (hits, deaths, np.zeros_like(hits)):
        back = decode(encode(task_hits, hits, deaths))
        assert all(np.array_equal(a, b) for a, b in zip(back, (task_hits, hits, deaths), strict=True))


def test_a_long_sparse_histogram_is_small():
    hits = np.zeros(2**20, np.int64)
    hits[[5, 1000, 2**20 - 1]] = [1, 10**9, 7]
    blob = encode(hits, hits, np.zeros_like(hits))
    assert len(blob) < 100
    assert np.array_equal(decode(blob)[1], hits)


@pytest.mark.parametrize("blob", [b"", b"D", b"Dxxxxxxxxrubbish", encode(*[np.arange(5)] * 3)[:-3]])
def test_a_damaged_histogram_is_refused(blob):
    with pytest.raises(Damaged):
        decode(blob)


RANGES = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda p: (p[0], p[0] + p[1])), max_size=7)


@given(RANGES, st.integers(0, 6), st.integers(6, 18))
@settings(max_examples=300, deadline=None)
def test_the_cover_is_disjoint_and_the_largest(ranges, first, end):
    def size(choice):
        return sum(b - a for a, b in choice)

    def disjoint(choice):
        return all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(choice)))

    inside = sorted({r for r in ranges if first <= r[0] and r[1] <= end})
    subsets = itertools.chain.from_iterable(itertools.combinations(inside, k) for k in range(len(inside) + 1))
    best = max(size(choice) for choice in subsets if disjoint(choice))
    found = cover(ranges, first, end)
    assert disjoint(found) and set(found) <= set(inside) and size(found) == best
    assert found == sorted(found) == cover(reversed(ranges), first, end)
    left = gaps(found, first, end)
    assert joined(found + left) == ([(first, end)] if first < end else [])


# ---- adding and reading -----------------------------------------------------------------------


def test_tallies_come_back(tmp_path):
    task, other = tasks(2)
    with Store.open(tmp_path / "s.db") as store:
        store.put_problems([(task.identity, {"what": "a chain"}), (task.identity, {"what": "something else"})])
        store.add(toy(task, 300, 1))
        store.add(toy(task, 700, 1, first=300))
        store.add(toy(task, 50, 2))
        store.add(toy(other, 10, 1))
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert counts(store.tally(task.identity, "traces", 1)) == counts(toy(task, 1000, 1))
        assert counts(store.tally(task.identity, "traces", 1, end=300)) == counts(toy(task, 300, 1))
        assert counts(store.tally(task.identity, "traces")) == counts(toy(task, 1000, 1) + toy(task, 50, 2))
        assert store.tally(task.identity, "population") is None
        assert store.tally(task.identity, "traces", 9) is None
        assert store.missing(task.identity, "traces", 1, 100, 1200) == [(100, 300), (1000, 1200)]
        one, two = store.contents().problems
        assert (one.identity, one.description, one.rows, one.trials) == (task.identity, {"what": "a chain"}, 3, 1050)
        assert (two.identity, two.description, two.rows, two.trials) == (other.identity, {}, 1, 10)


@pytest.mark.parametrize(
    ("engine", "aggregate", "rounds"),
    [
        ("traces", None, [{"traces": 1000}, {"traces": 2500}]),
        ("traces", BestOfN(3), [{"traces": 70}, {"traces": 2500}]),
        # A population is never continued inside a batch.
        ("population", None, [{"traces": 1000}, {"traces": 1500}, {"traces": 10**12 + 5}, {"traces": 1200}]),
        # Rounds of doubling size go on where an earlier one ended, also one of another rule.
        ("traces", None, [{"traces": 1000}, {"relative_error": 0.02}, {"relative_error": 0.004}]),
        ("traces", BestOfN(3), [{"relative_error": 0.001, "max_traces": 150_000}]),
        ("population", None, [{"relative_error": 0.01}, {"relative_error": 1e-3}]),
    ],
)
def test_the_real_engine_comes_back_bit_for_bit(tmp_path, engine, aggregate, rounds):
    more = {} if aggregate is None else {"aggregate": aggregate}
    task = Task(SkillGraph.chain(3, 0.1), steps=30 * (3 if more else 1), **more)
    for how in rounds:
        with Store.open(tmp_path / "s.db") as store:
            (found,) = collect([(task, {})], store, EngineOptions(engine, **how), seed=5)
        expected = simulate(task, seed=5, engine=engine, **how)
        assert counts(found) == counts(expected)
        assert found.stopping == expected.stopping
        assert (found.shared_feasibility, found.stop_on_dead) == (expected.shared_feasibility, expected.stop_on_dead)


def test_rounds_end_for_each_task_by_itself(tmp_path, monkeypatch):
    easy, hard = Task(SkillGraph.chain(2, 0.9), steps=10), Task(SkillGraph.chain(6, 0.2), steps=10)
    with Store.open(tmp_path / "s.db") as store:
        options = EngineOptions(relative_error=0.02)
        found = collect([(easy, {}), (hard, {})], store, options, seed=1)
        assert found[0].traces < found[1].traces and all(tally.stopping.reached for tally in found)
        assert [store.tally(t.identity, "traces").traces for t in (easy, hard)] == [t.traces for t in found]

        def stopped(*args, **options):
            raise StoppedEarly([None])

        monkeypatch.setattr(collect_module, "evaluate", stopped)
        with pytest.raises(StoppedEarly) as stop:
            collect([(easy, {}), (hard, {})], store, EngineOptions(relative_error=0.01), seed=1)
        assert [tally.traces for tally in stop.value.partial] == [tally.traces for tally in found]
        assert stop.value.partial[1].stopping.interrupted and not stop.value.partial[1].stopping.reached


@pytest.mark.parametrize("kind", [kind for kind in ENGINES.values() if kind.not_stored])
def test_an_engine_that_no_store_keeps_says_why(kind):
    with Store.in_memory() as store, pytest.raises(InputError) as error:
        collect(items(1), store, EngineOptions(kind.name))
    assert kind.not_stored in str(error.value) and "use engine traces or population" in str(error.value)


def test_another_random_stream_is_refused():
    with Store.in_memory() as store, pytest.raises(InputError, match="macro_steps = 3"):
        collect(items(1), store, EngineOptions(macro_steps=3))


def test_a_row_is_added_once_and_never_changed(tmp_path):
    task = tasks(1)[0]
    with Store.open(tmp_path / "s.db") as store:
        assert store.add_all([toy(task, 100, 1)]) == 1
        assert store.add_all([toy(task, 100, 1)]) == 0
        wrong = replace(toy(task, 100, 1), feasible=1)
        with pytest.raises(InputError, match=r"s\.db: trials 0\.\.100 of seed 1.*other counts"):
            store.add_all([toy(task, 50, 2), wrong])
        assert store.seeds(task.identity, "traces") == [1]  # the good one of the pair is not added either
        with pytest.raises(InputError, match="2 ranges"):
            store.add(toy(task, 10, 1) + toy(task, 10, 1, first=20))


def test_overlapping_rows_never_count_twice(tmp_path, asked):
    task = tasks(1)[0]
    with Store.open(tmp_path / "s.db") as store:
        store.add(toy(task, 1000, 3))
        store.add(toy(task, 1000, 3, first=500))
        tally = store.tally(task.identity, "traces", 3)
        assert tally.traces == 1000
        (found,) = collect([(task, {})], store, EngineOptions(traces=1500), seed=3)
        assert asked == [(1, 500, [1000])]
        assert counts(found) == counts(toy(task, 1500, 3))


@given(RANGES, st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_whatever_is_stored_the_result_is_the_same(ranges, wanted):
    task = tasks(1)[0]
    with Store.in_memory() as store:
        store.add_all(toy(task, b - a, 3, first=a) for a, b in ranges)
        real, collect_module.evaluate = collect_module.evaluate, toy_engine
        try:
            (found,) = collect([(task, {})], store, EngineOptions(traces=wanted), seed=3)
        finally:
            collect_module.evaluate = real
        assert counts(found) == counts(toy(task, wanted, 3))
        assert store.missing(task.identity, "traces", 3, 0, wanted) == []


# ---- collecting -------------------------------------------------------------------------------


def test_more_traces_later_extend_what_is_there(tmp_path, asked):
    with Store.open(tmp_path / "s.db") as store:
        for traces, expected in (
            (1000, [(4, 1000, [0])]),
            (1000, []),
            (400, [(4, 400, [0])]),
            (1700, [(4, 700, [1000])]),
        ):
            asked.clear()
            found = collect(items(4), store, EngineOptions(traces=traces), seed=3)
            assert asked == expected
            assert [counts(t) for t in found] == [counts(toy(t, traces, 3)) for t, _ in items(4)]


def test_long_ranges_are_cut_at_fixed_places(monkeypatch):
    short, long = tasks(1, 40)[0], tasks(1, 2**20)[0]
    assert (piece_trials(short), piece_trials(long)) == (2**24, 2**18)
    asked = []

    def empty(todo, forms, options, seed=0, *, firsts=None, progress=None):
        asked.extend((f, options.traces) for f in firsts)
        one = toy(short, 1, seed)
        return [replace(one, traces=options.traces, ranges=((seed, f, f + options.traces),)) for f in firsts]

    monkeypatch.setattr(collect_module, "evaluate", empty)
    with Store.in_memory() as store:
        store.add(replace(toy(short, 1, 0), traces=5, ranges=((0, 0, 5),)))
        collect([(short, {})], store, EngineOptions(traces=2**25 + 7))
    assert sorted(asked) == [(5, 2**24 - 5), (2**24, 2**24), (2**25, 7)]


def test_a_task_that_occurs_twice_is_simulated_once(asked):
    one, two = tasks(2)
    with Store.in_memory() as store:
        found = collect([(one, {}), (two, {}), (one, {})], store, EngineOptions(traces=500), seed=1)
    assert [counts(t) for t in found] == [counts(toy(t, 500, 1)) for t in (one, two, one)]
    assert asked == [(2, 500, [0])]


def test_an_engine_that_returns_other_trials_is_caught(monkeypatch):
    def wrong(todo, forms, options, seed=0, *, firsts=None, progress=None):
        return toy_engine(todo, forms, options, seed, firsts=[f + 1 for f in firsts])

    monkeypatch.setattr(collect_module, "evaluate", wrong)
    with Store.in_memory() as store, pytest.raises(InputError, match="other trials"):
        collect(items(1), store, EngineOptions(traces=10))


def test_progress_counts_what_is_simulated(tmp_path):
    seen = []
    gather(tmp_path / "s.db", 5, 1000, progress=seen.append)
    assert sum(seen) == 5000
    gather(tmp_path / "s.db", 5, 1500, progress=seen.append)
    assert sum(seen) == 5 * 1500


def test_ctrl_c_keeps_what_was_done(tmp_path, monkeypatch):
    monkeypatch.setattr(collect_module, "FIRST_GROUP", 1.0)
    calls = []

    def interrupted(*args, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return toy_engine(*args, **options)

    monkeypatch.setattr(collect_module, "evaluate", interrupted)
    with Store.open(tmp_path / "s.db") as store, pytest.raises(StoppedEarly) as stop:
        collect(items(6), store, EngineOptions(traces=100), seed=3)
    assert len(calls) == 4  # nothing is begun after it
    assert sum(t is not None for t in stop.value.partial) == 3
    assert [counts(t) for t in gather(tmp_path / "s.db", 6, 100)] == [counts(toy(t, 100, 3)) for t, _ in items(6)]


# ---- crashes ----------------------------------------------------------------------------------


PATIENCE = 300
"""Seconds that a process may take on a loaded machine before a test gives up."""


def start(path, number, traces):
    code = f"from tests.store_fixture import work; work({str(path)!r}, {number}, {traces})"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **pipes)


def rows_in(path):
    with Store.open(path, readonly=True, wait=PATIENCE) as store:
        return len(store.keys())


def test_kill_9_again_and_again(tmp_path):
    """Each time some rows later, at whatever moment of the next transaction."""
    path, number, traces = tmp_path / "s.db", 200, 2000
    rng = np.random.default_rng(20)
    rows = kills = 0
    while kills < 6 and rows < number:
        worker = start(path, number, traces)
        assert worker.stdout.readline() == "open\n", worker.stderr.read()
        wanted, until = min(rows + int(rng.integers(1, 6)), number), time.monotonic() + PATIENCE
        while rows_in(path) < wanted:
            assert time.monotonic() < until, "nothing is stored"
            time.sleep(0.02)  # readers must not keep the writer out
        kills += worker.poll() is None
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        rows = rows_in(path)
        assert rows >= wanted  # what was committed stays
    assert kills > 0
    last = start(path, number, traces)
    out, err = last.communicate(timeout=PATIENCE)
    assert out == "open\ndone\n", err
    with Store.open(path, readonly=True) as store:
        for task in tasks(number):
            assert counts(store.tally(task.identity, "traces", 3)) == counts(toy(task, traces, 3))
        assert len(store.keys()) == number


def test_two_processes_write_one_store(tmp_path):
    path, number, traces = tmp_path / "s.db", 40, 500
    workers = [start(path, number, traces) for _ in range(2)]
    for worker in workers:
        out, err = worker.communicate(timeout=PATIENCE)
        assert (worker.returncode, out) == (0, "open\ndone\n"), err
    with Store.open(path, readonly=True) as store:
        assert len(store.keys()) == number
        for task in tasks(number):
            assert counts(store.tally(task.identity, "traces", 3)) == counts(toy(task, traces, 3))


def limited(folder, code: str, limit: int) -> subprocess.CompletedProcess:
    """Python code in a process whose files may not grow beyond ``limit`` bytes."""
    return subprocess.run(
        ["sh", "-c", f'ulimit -f {limit // 512}; exec "$0" -c "$1"', sys.executable, code],
        cwd=ROOT,
        env=os.environ | {"HERE": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


FILL = """
import os
from ds3sim.core.errors import InputError
from ds3sim.store.store import Store
from tests.store_fixture import tasks, toy
try:
    with Store.open(os.environ["HERE"] + "/s.db") as store:
        for i, task in enumerate(tasks(400)):
            store.add(toy(task, 2000, 3))
            print(i + 1, flush=True)
except InputError as error:
    print("error:", error)
"""


def test_a_disk_that_gets_full_loses_nothing(tmp_path):
    found = limited(tmp_path, FILL, 65_536)
    *done, last = found.stdout.splitlines()
    assert last.startswith(f"error: {tmp_path}/s.db: cannot be") and "kept" in last, found
    assert found.stderr == ""
    assert 5 < int(done[-1]) < 400
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert len(store.keys()) == int(done[-1])
    assert gather(tmp_path / "s.db", 5, 2000)  # with room again it goes on


def test_sqlites_own_full_is_one_line(tmp_path):
    with Store.open(tmp_path / "s.db") as store:
        store.add(toy(tasks(1)[0], 100, 3))
        store._db.execute("PRAGMA max_page_count = 12")
        with pytest.raises(InputError, match=r"s\.db: cannot be written, the disk is full"):
            store.add_all(toy(t, 100, 3) for t in tasks(300, 200))
        assert len(store.keys()) == 1
        store._db.execute("PRAGMA max_page_count = 100000")
        assert store.add_all(toy(t, 100, 3) for t in tasks(300, 200)) == 300


# ---- files that are not what they should be ---------------------------------------------------


def test_a_locked_store(tmp_path):
    path = tmp_path / "s.db"
    gather(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError, match=r"s\.db: is locked by another process"):
        Store.open(path, wait=0.1)
    other.execute("ROLLBACK")
    with Store.open(path, wait=0.1) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match="is locked by another process"):
            store.add(toy(tasks(9)[7], 10, 3))
        assert len(store.keys()) == 5  # reading goes on
    with Store.open(path) as store:  # and who waits a little gets in
        release = threading.Timer(0.3, other.execute, ["ROLLBACK"])
        release.start()
        store.add(toy(tasks(9)[7], 10, 3))
        release.join()
    other.close()


def test_every_cut_and_every_flipped_byte_is_seen_or_harmless(tmp_path):
    path, broken = tmp_path / "s.db", tmp_path / "broken.db"
    expected = [counts(t) for t in gather(path, 30, 2000)]
    whole = path.read_bytes()
    rng = np.random.default_rng(4)
    refused = 0
    for case in range(60):
        if case < 30:
            data = whole[: int(rng.integers(1, len(whole)))]
        else:
            at = int(rng.integers(0, len(whole)))
            data = whole[:at] + bytes([whole[at] ^ int(rng.integers(1, 256))]) + whole[at + 1 :]
        broken.write_bytes(data)
        try:
            with Store.open(broken, readonly=True) as store:
                found = [store.tally(t.identity, "traces", 3) for t, _ in items(30)]
                store.contents()
                store.tables()
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{broken}: "), error
        else:
            # A byte that nobody uses, or a row that is no longer found: then it is simulated again.
            assert all(t is None or counts(t) == e for t, e in zip(found, expected, strict=True))
            assert case >= 30, "a file that was cut short was accepted"
        assert broken.read_bytes() == data
    assert refused >= 31


def test_foreign_files_are_refused_and_left_alone(tmp_path):
    png = tmp_path / "a.png"
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    text = tmp_path / "a.txt"
    text.write_text("hello")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    newer = tmp_path / "newer.db"
    gather(newer)
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    half = tmp_path / "half.db"
    gather(half)
    with sqlite3.connect(half) as db:
        db.execute("DROP TABLE sweep")
    for path, said in (
        (png, "is not a ds3sim store"),
        (text, "is not a ds3sim store"),
        (other, "is not a ds3sim store"),
        (newer, "format 99; this one reads up to 3"),
        (half, "damaged"),
    ):
        before = path.read_bytes()
        for readonly in (False, True):
            with pytest.raises(InputError) as error:
                Store.open(path, readonly=readonly)
            assert str(error.value).startswith(f"{path}: ") and said in str(error.value)
        assert path.read_bytes() == before


def test_places_where_no_store_can_be(tmp_path):
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "s.db", "there is no folder"),
        ("/dev/full", "is not a regular file"),
        ("", "is empty"),
        ("a\0b", "cannot be used"),
    ):
        with pytest.raises(InputError, match=said):
            Store.open(path)
    with pytest.raises(InputError, match="no such store"):
        Store.open(tmp_path / "s.db", readonly=True)
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(InputError, match="is empty"):
        Store.open(empty, readonly=True)
    Store.open(empty).close()  # an empty file holds nothing that could be lost


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_permissions(tmp_path):
    path = tmp_path / "s.db"
    gather(path)
    path.chmod(0o400)
    with Store.open(path) as store, pytest.raises(InputError, match="may only be read"):
        store.add(toy(tasks(9)[8], 10, 3))
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be opened"):
        Store.open(path)


def test_names_with_odd_characters(tmp_path):
    path = tmp_path / "100% ?mode=memory #1 ü.db"
    gather(path)
    assert path.is_file() and len(held(path).problems) == 5
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing beside it


# ---- contents ---------------------------------------------------------------------------------


def point(r, strategy="cot"):
    cost = CostModel(25.0, 1e9, attention=False)
    rows = (BudgetRow(12, 4, tokens=300.0), BudgetRow(13, 4, tokens=325.0))
    parts = (Part("a", 0.25), Part("b", (0.75, 0.5)))
    return Point({"graph.success": r}, strategy, "traces", parts, 3, 2, 25.0, cost, rows)


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


# ---- merging ----------------------------------------------------------------------------------


def everything(path):
    with Store.open(path, readonly=True) as store:
        found = store.tables()
    return sorted(found.problem), found.part, sorted((r[0], r[1], r[2], r[4]) for r in found.sweep)


def test_merging_is_idempotent_and_has_no_order(tmp_path, asked):
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
        collect(items(5), store, EngineOptions(traces=1500), seed=3)
    assert asked == []


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
            with pytest.raises(InputError) as error:
                merge([good, bad], target)
            assert str(error.value).startswith(said)
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
