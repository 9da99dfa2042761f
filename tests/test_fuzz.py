"""Damaged inputs: every reader and every command refuses them in one line, or reads them; and what guards that."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import sqlite3
import struct
import zipfile
from itertools import pairwise
from pathlib import Path
from random import Random

import fuzz
import fuzz_inputs
import pytest
from refused import refusal

import ds3sim as ds
from ds3sim.cli.main import main
from ds3sim.core import packed
from ds3sim.core.errors import InputError
from ds3sim.core.guard import guard
from ds3sim.fit.logs import zipped

ATTACKS = Path(__file__).parents[1] / ".." / "shared" / "cases" / "attacks"
ROUNDS = 25
"""Damaged files of each input that readers get; each reader gets hundreds in ``scripts/fuzz``."""


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    return fuzz_inputs.inputs(tmp_path_factory.mktemp("valid"))


def test_what_is_damaged_was_valid(valid, tmp_path):
    for name, data in valid.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert fuzz.read(name, path) is None, name


def test_readers_refuse_what_is_damaged(valid, tmp_path):
    faults = {}
    for name, data in valid.items():
        path = tmp_path / name
        for number in range(ROUNDS):
            path.write_bytes(fuzz.damaged(name, data, Random(f"{name} {number}")))
            found, said = fuzz.outcome(name, path)
            if found == "fault":
                faults[f"{name} {number}"] = said
    assert not faults


def test_commands_refuse_what_is_damaged(valid, tmp_path, capsys):
    faults = {}
    for name, data in valid.items():
        path = tmp_path / name
        random = Random(f"{name} of a command")
        path.write_bytes(fuzz.damaged(name, data, random))
        found, said = fuzz.outcome_of_command(random.choice(fuzz.commands(name, path)))
        if found == "fault":
            faults[name] = said
    assert not faults


@pytest.mark.skipif(not ATTACKS.is_dir(), reason="no shared cases")
def test_known_attacks(tmp_path, capsys):
    for path in sorted(ATTACKS.iterdir()):
        if path.name == "README":
            continue
        kind = "graph-a.json" if path.name.startswith("graph") else "store-a.ds3" if path.suffix == ".ds3" else "log-a"
        assert fuzz.outcome(kind, path)[0] == "refused" or path.name == "log_l1_1274.parquet", path.name


def test_the_guard_names_file_cause_and_fix():
    for wrong, said in (
        (KeyError("maybe"), "x.yaml: cannot be decoded (KeyError: 'maybe'): it is damaged, or no log: take a copy"),
        (RecursionError(), "x.yaml: is nested too deeply for a log"),
        (MemoryError("of 3 GiB"), "x.yaml: takes more memory than there is (of 3 GiB)"),
    ):
        with pytest.raises(InputError, match=re.escape(said)) as found, guard("x.yaml", "log"):
            raise wrong
        assert found.value.__cause__ is wrong


@pytest.mark.parametrize("mistake", [AssertionError, NameError, ImportError, NotImplementedError, KeyboardInterrupt])
def test_the_guard_hides_no_mistake_of_ours(mistake):
    with pytest.raises(mistake), guard("x.yaml", "log"):
        raise mistake("in the reader")


def test_nothing_is_computed_behind_the_guard(tmp_path, monkeypatch):
    path = tmp_path / "counts.csv"
    path.write_text(fuzz_inputs.COUNTS)

    def broken(*_, **__):
        raise KeyError("a mistake of the fit")

    monkeypatch.setattr("ds3sim.fit.pass_at_n.maximum", broken)
    with pytest.raises(KeyError, match="a mistake of the fit"):
        ds.fit_pass_at_n(path)


@pytest.mark.parametrize("value", ["*j", "&x [*x, *x]", "&x {y: *x}"])
def test_aliases_of_aliases_are_refused_before_they_are_written_out(value, tmp_path):
    path = tmp_path / "bomb.yaml"
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghij"))
    path.write_text(f"{bomb}question: q\ngt_answer: {value}\nsamples: [a, b]\nis_corrects: [true, false]\n")
    assert "its aliases stand for more than 10,000,000 values" in refusal(ds.read_log, path)


def test_a_table_of_very_many_columns_is_refused(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("problem,n,correct," + ",".join(f"c{i}" for i in range(100_000)) + "\n")
    assert "has 100,003 columns, more than the 100,000 read" in refusal(ds.read_log, path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE part SET seed = 'x'",
        "UPDATE part SET squares = x'00'",
        "UPDATE part SET seed = -1 WHERE rowid = 1",
        "UPDATE sweep SET name = x'ff'",
        "CREATE TRIGGER t AFTER INSERT ON part BEGIN DELETE FROM part; END",
        "CREATE VIEW v AS SELECT * FROM part",
    ],
)
def test_a_store_with_other_types_or_programs_is_refused(change, valid, tmp_path):
    path = tmp_path / "x.ds3"
    path.write_bytes(valid["store-tallies.ds3"])
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(change)
    said = refusal(ds.Store.open, path)
    assert said.startswith(f"{path}: is damaged") and (
        "of another type" in said or "there cannot be" in said or "it has the" in said
    )


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    for read in (lambda: ds.report(path, tmp_path / "x.csv"), lambda: ds.read_log(path), lambda: ds.Store.open(path)):
        assert "regular file" in (said := refusal(read)) or "neither a file nor a folder" in said


# ---- archives -------------------------------------------------------------------------------------


def log_with(samples: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        file.writestr("header.json", json.dumps({"version": 2, "status": "success", "eval": {"model": "m"}}))
        file.writestr("samples/1_epoch_1.json", samples)
    return out.getvalue()


def test_a_member_that_unpacks_to_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "bomb.eval"
    path.write_bytes(log_with(" " * 2**16))
    monkeypatch.setattr(zipped, "LARGEST_MEMBER", 2**15)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda self, info: pytest.fail(f"{info} was opened"))
    with zipped.Zip(path, "bomb.eval") as file:
        said = refusal(file.read, "samples/1_epoch_1.json")
    assert said.startswith("bomb.eval, samples/1_epoch_1.json: has 0 MiB when unpacked, more than the")


@pytest.mark.parametrize("field", range(20, 46, 2))
def test_absurd_numbers_in_the_directory_of_a_zip_file(field, tmp_path):
    data = bytearray(log_with("{}"))
    at = data.rindex(b"PK\1\2")
    for value in (0xFFFF, 0x7FFF, 0x8000):
        changed = data.copy()
        struct.pack_into("<H", changed, at + field, value)
        path = tmp_path / "x.eval"
        path.write_bytes(bytes(changed))
        assert fuzz.outcome("log-x.eval", path)[0] != "fault"


def test_a_stream_that_unpacks_to_absurdly_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "UNSUSPECTED", 2**16)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"problem,n,correct\n" + b" " * 2**24 + b"\n"))
    with pytest.raises(InputError, match="unpacks to more than 200 times its size"):
        ds.read_log(path)
    path.write_bytes(gzip.compress(fuzz_inputs.COUNTS.encode() + b"".join(b"p%d,9,3\n" % i for i in range(20_000))))
    assert len(ds.read_log(path).correct) == 20_004


def test_a_long_log_is_refused_where_memory_is_short(tmp_path, monkeypatch, capsys):
    from ds3sim.core import memory

    monkeypatch.setattr(memory, "free_memory", lambda: 2.0**26)
    path = tmp_path / "long.json"
    path.write_text(json.dumps([{"problem": "p", "correct": 1, "text": "x" * 2**24}]))
    assert main(["fit", "pass-at-n", str(path)]) == 2
    assert "a JSON document of 16 MiB needs about 0.125 GiB of memory" in capsys.readouterr().err
