"""The store: rows that add up, crashes, merging, and files that are not what they should be."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds3sim.core.errors import InputError, StoppedEarly
from ds3sim.engine.simulate import simulate
from ds3sim.store import collect as collect_module
from ds3sim.store import store as store_module
from ds3sim.store.collect import Progress, collect, piece_trials
from ds3sim.store.merge import merge, summary
from ds3sim.store.ranges import Damaged, cover, decode, encode, gaps, joined
from ds3sim.store.store import Store
from ds3sim.task.aggregate import BestOfN
from ds3sim.task.task import Task
from tests.store_fixture import counts, tasks, toy, toy_many

WORKER = Path(__file__).with_name("store_fixture.py")


def items(number: int, steps: int = 40):
    return [(task, {"number": i}) for i, task in enumerate(tasks(number, steps))]


def gather(path, number=5, traces=1000, seed=3, **kind):
    with Store.open(path) as store:
        return collect(items(number), store, traces=traces, seed=seed, simulate_many=toy_many, **kind)


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
        store.put_problem(task.identity, {"what": "a chain"})
        store.put_problem(task.identity, {"what": "something else"})
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
        assert store.covered(task.identity, "traces", 1) == [(0, 1000)]
        assert store.missing(task.identity, "traces", 1, 100, 1200) == [(100, 300), (1000, 1200)]
        said = {p["identity"]: p for p in store.problems()}
        assert said[task.identity] == {
            "identity": task.identity,
            "description": {"what": "a chain"},
            "rows": 3,
            "trials": 1050,
        }
        assert said[other.identity]["description"] == {}


def test_the_real_engine_comes_back_bit_for_bit(tmp_path):
    def real(todo, count, seed, *, firsts=None, progress=None):
        return [simulate(t, count, seed, first=f) for t, f in zip(todo, firsts, strict=True)]

    graph = tasks(1)[0].graph
    todo = [(Task(graph, steps=30), {}), (Task(graph, aggregate=BestOfN(3), steps=30), {})]
    with Store.open(tmp_path / "s.db") as store:
        collect(todo, store, traces=[1000, 70], seed=5, simulate_many=real)
        found = collect(todo, store, traces=2500, seed=5, simulate_many=real)
    for (task, _), tally in zip(todo, found, strict=True):
        expected = simulate(task, 2500, 5)
        assert counts(tally) == counts(expected)
        assert tally.stopping == expected.stopping
        assert (tally.shared_feasibility, tally.stop_on_dead) == (expected.shared_feasibility, expected.stop_on_dead)


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


def test_overlapping_rows_never_count_twice(tmp_path):
    task = tasks(1)[0]
    with Store.open(tmp_path / "s.db") as store:
        store.add(toy(task, 1000, 3))
        store.add(toy(task, 1000, 3, first=500))
        tally = store.tally(task.identity, "traces", 3)
        assert tally.traces == 1000
        asked = []

        def recording(todo, count, seed, *, firsts=None, progress=None):
            asked.extend((f, f + count) for f in firsts)
            return toy_many(todo, count, seed, firsts=firsts)

        found = collect([(task, {})], store, traces=1500, seed=3, simulate_many=recording)
        assert sum(b - a for a, b in asked) == 500
        assert counts(found[0]) == counts(toy(task, 1500, 3))


@given(RANGES, st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_whatever_is_stored_the_result_is_the_same(ranges, wanted):
    task = tasks(1)[0]
    with Store.in_memory() as store:
        store.add_all(toy(task, b - a, 3, first=a) for a, b in ranges)
        found = collect([(task, {})], store, traces=wanted, seed=3, simulate_many=toy_many)
        assert counts(found[0]) == counts(toy(task, wanted, 3))
        assert store.missing(task.identity, "traces", 3, 0, wanted) == []


# ---- collecting -------------------------------------------------------------------------------


def test_more_traces_later_extend_what_is_there(tmp_path):
    asked = []

    def recording(todo, count, seed, *, firsts=None, progress=None):
        asked.append((len(todo), count, sorted(set(firsts))))
        return toy_many(todo, count, seed, firsts=firsts)

    with Store.open(tmp_path / "s.db") as store:
        for traces, expected in (
            (1000, [(4, 1000, [0])]),
            (1000, []),
            (400, [(4, 400, [0])]),
            (1700, [(4, 700, [1000])]),
        ):
            asked.clear()
            found = collect(items(4), store, traces=traces, seed=3, simulate_many=recording)
            assert asked == expected
            assert [counts(t) for t in found] == [counts(toy(t, traces, 3)) for t, _ in items(4)]


def test_long_ranges_are_cut_at_fixed_places():
    short, long = tasks(1, 40)[0], tasks(1, 2**20)[0]
    assert (piece_trials(short), piece_trials(long)) == (2**24, 2**18)
    asked = []

    def empty(todo, count, seed, *, firsts=None, progress=None):
        asked.extend((f, count) for f in firsts)
        one = toy(short, 1, seed)
        return [replace(one, traces=count, ranges=((seed, f, f + count),)) for f in firsts]

    with Store.in_memory() as store:
        store.add(replace(toy(short, 1, 0), traces=5, ranges=((0, 0, 5),)))
        collect([(short, {})], store, traces=2**25 + 7, seed=0, simulate_many=empty)
    assert sorted(asked) == [(5, 2**24 - 5), (2**24, 2**24), (2**25, 7)]


def test_seeds_and_traces_of_each_item_and_tasks_that_occur_twice():
    one, two = tasks(2)
    todo = [(one, {}), (two, {}), (one, {}), (one, {})]
    done = []

    def recording(todo, count, seed, *, firsts=None, progress=None):
        done.append(len(todo) * count)
        return toy_many(todo, count, seed, firsts=firsts)

    found = collect(todo, None, traces=[500, 20, 300, 300], seed=[1, 1, 1, 2], simulate_many=recording)
    expected = [toy(one, 500, 1), toy(two, 20, 1), toy(one, 300, 1), toy(one, 300, 2)]
    assert [counts(t) for t in found] == [counts(t) for t in expected]
    assert sum(done) == 500 + 20 + 300 + 300  # [0, 300) is a row of its own: a shorter answer needs it
    for wrong in ({"traces": 0, "seed": 1}, {"traces": [1, 2], "seed": 1}, {"traces": 1, "seed": -1}):
        with pytest.raises(InputError):
            collect(todo, None, simulate_many=recording, **wrong)


def test_a_population_is_never_continued_inside_a_batch(tmp_path):
    def population(todo, count, seed, *, firsts=None, progress=None):
        return [simulate(t, count, seed, "population", first=f) for t, f in zip(todo, firsts, strict=True)]

    task = tasks(1)[0]
    with Store.open(tmp_path / "s.db") as store:
        for traces in (1000, 1500, 10**12 + 5, 1200):
            kind = {"traces": traces, "seed": 3, "simulate_many": population, "engine": "population"}
            found = collect([(task, {})], store, **kind)[0]
            assert counts(found) == counts(simulate(task, traces, 3, "population"))


def test_an_engine_that_returns_other_trials_is_caught():
    def wrong(todo, count, seed, *, firsts=None, progress=None):
        return toy_many(todo, count, seed, firsts=[f + 1 for f in firsts])

    with pytest.raises(InputError, match="other trials"):
        collect(items(1), None, traces=10, seed=0, simulate_many=wrong)


def test_progress_tells_rate_and_time_left(tmp_path, monkeypatch):
    monkeypatch.setattr(collect_module, "FIRST_GROUP", 1.0)
    seen: list[Progress] = []
    gather(tmp_path / "s.db", 5, 1000, progress=seen.append)
    assert (seen[0].points_done, seen[0].trials, seen[0].trials_done, seen[0].left_s) == (0, 5000, 0, None)
    assert (seen[-1].points_done, seen[-1].trials_done, seen[-1].left_s) == (5, 5000, 0.0)
    assert [p.trials_done for p in seen] == sorted(p.trials_done for p in seen)
    again: list[Progress] = []
    gather(tmp_path / "s.db", 5, 1000, progress=again.append)
    assert (again[0].points_done, again[0].trials, again[0].left_s) == (5, 0, 0.0)
    half = Progress(10, 3, 1000, 250, 50.0, 8000.0, 2000.0)
    assert (half.rate, half.left_s) == (5.0, 150.0)
    assert half.text() == "3 of 10 points, 250 of 1,000 trials, 5 trials/s, 2 min left"


def test_ctrl_c_keeps_what_was_done(tmp_path, monkeypatch):
    monkeypatch.setattr(collect_module, "FIRST_GROUP", 1.0)
    calls = []

    def interrupted(todo, count, seed, *, firsts=None, progress=None):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return toy_many(todo, count, seed, firsts=firsts)

    with Store.open(tmp_path / "s.db") as store, pytest.raises(StoppedEarly) as stop:
        collect(items(6), store, traces=100, seed=3, simulate_many=interrupted)
    assert sum(t is not None for t in stop.value.partial) == 3
    assert [counts(t) for t in gather(tmp_path / "s.db", 6, 100)] == [counts(toy(t, 100, 3)) for t, _ in items(6)]


# ---- crashes ----------------------------------------------------------------------------------


def start(path, number, traces):
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.argv = ['', {str(path)!r}, '{number}', '{traces}'];"
         "from tests.store_fixture import work; work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=WORKER.parents[1],
    )  # fmt: skip


def test_kill_9_at_random_moments(tmp_path):
    path, number, traces = tmp_path / "s.db", 500, 2000
    rng = np.random.default_rng(20)
    kills, rows = 0, [0]
    for _ in range(60):
        worker = start(path, number, traces)
        assert worker.stdout.readline() == "open\n", worker.stderr.read()
        try:
            worker.wait(timeout=float(rng.uniform(0.0, 0.25)))
        except subprocess.TimeoutExpired:
            worker.send_signal(signal.SIGKILL)
            kills += 1
        worker.communicate()
        with Store.open(path, readonly=True) as store:
            rows.append(len(store.keys()))
        assert rows[-1] >= rows[-2]  # what was committed stays
        if worker.returncode == 0 or (kills >= 12 and rows[-1] > number // 2):
            break
    assert kills >= 10
    assert len(set(rows)) > 5, "the kills did not hit the work"
    last = start(path, number, traces)
    out, err = last.communicate(timeout=60)
    assert out == "open\ndone\n", err
    with Store.open(path, readonly=True) as store:
        for task in tasks(number):
            assert counts(store.tally(task.identity, "traces", 3)) == counts(toy(task, traces, 3))
        assert len(store.keys()) == number


def test_two_processes_write_one_store(tmp_path):
    path, number, traces = tmp_path / "s.db", 40, 500
    workers = [start(path, number, traces) for _ in range(2)]
    for worker in workers:
        out, err = worker.communicate(timeout=60)
        assert (worker.returncode, out) == (0, "open\ndone\n"), err
    with Store.open(path, readonly=True) as store:
        assert len(store.keys()) == number
        for task in tasks(number):
            assert counts(store.tally(task.identity, "traces", 3)) == counts(toy(task, traces, 3))


def limited(folder, code: str, limit: int) -> subprocess.CompletedProcess:
    """Python code in a process whose files may not grow beyond ``limit`` bytes."""
    return subprocess.run(
        ["sh", "-c", f'ulimit -f {limit // 512}; exec "$0" -c "$1"', sys.executable, code],
        cwd=WORKER.parents[1],
        env=os.environ | {"HERE": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
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
        (newer, "format 99; this one reads up to 1"),
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
    assert path.is_file() and summary(path)["problems"] == 5
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing beside it


# ---- tables of contents and numbers -----------------------------------------------------------


def point(r, strategy="cot", **more):
    return {"axes": {"graph.success": r}, "strategy": strategy} | more


def test_tables_of_contents(tmp_path):
    with Store.open(tmp_path / "s.db") as store:
        assert store.points() == [] and store.sweeps() == []
        store.put_points("a", [point(0.1), point(0.2)], {"m": 3})
        store.put_points("b", [point(0.7)])
        store.put_points("a", [point(0.2), point(0.3)], {"m": 3})
        store.put_points("a", [point(0.9)], {"m": 4})
        assert store.points("b") == [point(0.7)]
        assert store.points("a") == store.points() == [point(0.9)]  # the latest; other problems do not mix in
        store.put_points("a", [point(0.1), point(0.2)], {"m": 3})
        assert store.points("a") == [point(0.1), point(0.2), point(0.3)]
        assert store.points("c") == []
        assert [(s["name"], s["common"], len(s["points"])) for s in store.sweeps()] == [
            ("b", None, 1),
            ("a", {"m": 4}, 1),
            ("a", {"m": 3}, 3),
        ]


def test_numbers_that_do_not_add(tmp_path):
    with Store.open(tmp_path / "s.db") as store:
        store.put_numbers("id", "importance", 1, 100, [{"steps": 3}])
        store.put_numbers("id", "importance", 1, 100, [{"steps": 4}])
        assert store.numbers("id", "importance", 1, 100) == [{"steps": 3}]
        assert store.numbers("id", "importance", 1, 200) is None


# ---- merging ----------------------------------------------------------------------------------


def everything(path):
    with Store.open(path, readonly=True) as store:
        found = store.contents()
    found["sweep"] = sorted((r[0], r[1], r[2], r[4]) for r in found["sweep"])
    found["problem"] = sorted(found["problem"])
    return found


def test_merging_is_idempotent_and_has_no_order(tmp_path):
    a, b, c = (tmp_path / f"{x}.db" for x in "abc")
    gather(a, 5, 1000)
    gather(b, 5, 1500)  # overlaps a's rows
    gather(c, 3, 1000, seed=4)
    with Store.open(a) as store:
        store.put_points("s", [point(0.1)], {"m": 3})
        store.put_numbers("x", "exact", 0, 0, [{"steps": 1}])
    with Store.open(b) as store:
        store.put_points("s", [point(0.2)], {"m": 3})
        store.add(toy(tasks(9)[8], 10, 3))
    originals = [p.read_bytes() for p in (a, b, c)]
    first = merge([a, b, c], tmp_path / "1.db")
    assert first["new_rows"] == first["out"]["rows"] == 5 + 5 + 1 + 3
    assert first["out"]["problems"] == 6
    assert first["out"]["trials"] == 5 * 1500 + 10 + 3 * 1000
    merge([c, b, b, a, c], tmp_path / "2.db")
    assert everything(tmp_path / "1.db") == everything(tmp_path / "2.db")
    before = (tmp_path / "1.db").read_bytes()
    assert merge([a, tmp_path / "2.db", tmp_path / "1.db"], tmp_path / "1.db")["new_rows"] == 0
    assert (tmp_path / "1.db").read_bytes() == before
    assert [p.read_bytes() for p in (a, b, c)] == originals
    with Store.open(tmp_path / "1.db", readonly=True) as store:
        assert store.points("s") == [point(0.1), point(0.2)] or store.points("s") == [point(0.2), point(0.1)]
        for task, _ in items(5):
            assert counts(store.tally(task.identity, "traces", 3)) == counts(toy(task, 1500, 3))
    asked = []
    with Store.open(tmp_path / "1.db") as store:
        collect(items(5), store, traces=1500, seed=3, simulate_many=lambda *a, **k: asked.append(a))
    assert asked == []


def test_merging_into_one_of_the_inputs(tmp_path):
    a, b = tmp_path / "a.db", tmp_path / "b.db"
    gather(a, 3)
    gather(b, 5)
    assert merge([a, b], a)["new_rows"] == 2
    assert summary(a)["rows"] == 5


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
            store._insert(store_module._row_of(toy(task, 2000, 3)))
        left = tmp_path / "left.db"
        shutil.copy(path, left)  # as the disk is when the power goes
        shutil.copy(f"{path}-journal", f"{left}-journal")
        store._db.execute("ROLLBACK")
    assert left.read_bytes() != path.read_bytes()
    assert merge([left], tmp_path / "out.db")["out"]["rows"] == 5
