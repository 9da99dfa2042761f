"""The store where processes are killed, disks are full and files are not what they should be."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from refused import refusal

from ds3sim.core.errors import InputError
from ds3sim.store.store import Store
from tests.store_fixture import counts, gather, held, items, tasks, toy

ROOT = Path(__file__).resolve().parents[1]

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
    path, number, traces = tmp_path / "s.db", 100, 2000
    rng = np.random.default_rng(20)
    rows = kills = 0
    while kills < 3 and rows < number:
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
            message = refusal(Store.open, path, readonly=readonly)
            assert message.startswith(f"{path}: ") and said in message
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
