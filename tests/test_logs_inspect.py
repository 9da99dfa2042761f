"""Logs of Inspect: real files of every version, odd samples, damaged files."""

import math
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import real_logs
from log_files import LOGS, as_dict, inspect_json, of, refusal, sample
from refused import write

from ds3sim.fit.logs import inspect_ai as inspect_log
from ds3sim.fit.logs import zipped
from ds3sim.fit.logs.read import read_log

INSPECT = ["inspect.json", "inspect_zstd.eval", "inspect_deflate.eval", "inspect_chunked.eval"]


def needs_zstd(name: str) -> None:
    if name not in ("inspect.json", "inspect_deflate.eval") and sys.version_info < (3, 14):
        pytest.importorskip("backports.zstd", reason="backports.zstd is not installed: zstd logs are not tested")


def check_inspect(path: Path) -> None:
    log = read_log(path, scorer="match")
    assert log.format == "inspect"
    assert as_dict(log) == {"alg/1": (4, 2), "7": (4, 0), "geo": (2, 2)}
    assert sorted(log.table.sample[np.array(log.table.problem) == "geo"].tolist()) == [1, 2]
    epochs = log.table.tokens - real_logs.TOKENS
    assert epochs.tolist() == log.table.sample.tolist()  # the grader's tokens do not count
    assert log.answers[log.problems.index("7")] == {"7:I": 3, "7:N": 1}
    said = " ".join(log.notes)
    assert "1 samples stopped with an error: left out" in said and "1 samples have no grade" in said
    assert of(read_log(path, scorer="match", failures="wrong"), "geo") == (3, 2)
    assert of(read_log(path, scorer="match", threshold=0.5), "alg/1") == (4, 3)
    assert read_log(path, scorer="match", model="mockllm/grader").table.tokens.tolist() == [10_000] * 10
    proof = read_log(path, scorer="rubric", key="proof", threshold=0.5)
    assert as_dict(proof) == {"alg/1": (4, 3), "7": (4, 3), "geo": (3, 2)}
    assert "several scorers (match, rubric)" in refusal(path)
    assert "several keys (style, proof)" in refusal(path, scorer="rubric")
    assert "no scorer 'no'" in refusal(path, scorer="no")
    assert "no key 'no'" in refusal(path, scorer="rubric", key="no")
    assert "key = proof has no effect" in refusal(path, scorer="match", key="proof")
    assert "no model 'other' (there are mockllm/model, mockllm/grader)" in refusal(path, scorer="match", model="other")


@pytest.mark.parametrize("name", INSPECT)
def test_inspect_files_written_by_inspect(name):
    needs_zstd(name)
    check_inspect(LOGS / name)


def test_inspect_files_written_now(tmp_path):
    pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: only its files in tests/data are tested")
    new = real_logs.write_inspect(tmp_path / "new.eval")
    check_inspect(new)
    check_inspect(real_logs.write_inspect(tmp_path / "new.json"))
    check_inspect(real_logs.deflated(new, tmp_path / "old.eval"))


def repacked(path: Path, change) -> Path:
    """The deflated log with members changed: ``change(name, content)`` returns the new content or None."""
    with zipfile.ZipFile(LOGS / "inspect_deflate.eval") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return path


def test_inspect_summaries_are_enough(tmp_path, monkeypatch):
    path = repacked(tmp_path / "s.eval", lambda name, data: None if name.startswith("samples/") else data)
    log = read_log(path, scorer="match")
    assert as_dict(log) == {"alg/1": (4, 2), "7": (4, 0), "geo": (2, 2)}
    assert "summaries were read" in log.notes[0]
    journal = repacked(
        tmp_path / "j.eval",
        lambda name, data: None if name.startswith("samples/") or name in ("summaries.json", "header.json") else data,
    )
    log = read_log(journal, scorer="match")
    assert as_dict(log) == {"alg/1": (4, 2), "7": (4, 0), "geo": (2, 2)}
    assert "did not finish" in log.notes[0]
    monkeypatch.setattr(inspect_log, "MOST_UNPACKED", 100)
    assert "GiB of samples" in read_log(LOGS / "inspect_deflate.eval", scorer="match").notes[0]


@pytest.mark.parametrize(
    ("value", "grade"),
    [("C", 1), ("I", 0), ("N", 0), ("P", 0.5), (1, 1), (0.25, 0.25), (True, 1), ("yes", 1), ("False", 0), ("0.5", 0.5)],
)
def test_inspect_values(tmp_path, value, grade):
    path = inspect_json(tmp_path / "i.json", [sample(value=value), sample(id=2)])
    assert read_log(path).table.correct.tolist() == [grade, 1]
    listed = inspect_json(tmp_path / "l.json", [sample(value=[value, "I"]), sample(id=2, value=["C", "I"])])
    assert read_log(listed, key="0").table.correct.tolist() == [grade, 1]


def test_inspect_unscored_invalid_and_cancelled(tmp_path):
    samples = [
        sample(),
        sample(id=2, value=math.nan),
        sample(id=3, scores=None),
        sample(id=4, invalidation={"author": "me"}),
        sample(id=5, scores={}, error={"message": "m"}),
    ]
    log = read_log(inspect_json(tmp_path / "i.json", samples, status="cancelled"))
    assert log.problems == ("1",)
    said = " ".join(log.notes)
    for words in ("'cancelled'", "2 samples have no grade", "1 samples were marked invalid", "1 samples stopped"):
        assert words in said


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ([sample(), sample()], "samples[1]: problem '1' has sample 1 twice (first in"),
        ([sample(value="maybe")], "samples[0]: s: value = 'maybe' is not a grade"),
        ([sample(value=7)], "samples[0]: s: value = 7 is not between 0 and 1"),
        ([sample(epoch=None)], "samples[0]: epoch = None is not a number"),
        ([{"id": 1}], "samples[0]: the field 'epoch' is missing"),
        ([sample(id="")], "samples[0]: id = '' is not a name"),
        ([sample(scores=[1])], "samples[0]: scores must be an object"),
        ([sample(scores={"s": {}})], "samples[0]: scores['s'] has no value"),
        ([sample(model_usage={"m": {"output_tokens": -1}})], "output_tokens = -1 is not allowed"),
        ([3], "samples[0]: must be an object"),
        ([sample(value=math.nan)], "no graded sample"),
        (None, "the log has no samples"),
    ],
)
def test_inspect_errors_name_the_sample(tmp_path, samples, words):
    path = inspect_json(tmp_path / "i.json", samples)
    message = refusal(path)
    assert words in message and str(path) in message


def test_damaged_eval_files(tmp_path, monkeypatch):
    whole = (LOGS / "inspect_deflate.eval").read_bytes()
    assert "not a readable zip file" in refusal(write(tmp_path / "cut.eval", whole[: len(whole) // 2]))
    assert "header.json" in refusal(
        repacked(tmp_path / "n.eval", lambda n, d: None if "header" in n or "start" in n else d)
    )
    bad = repacked(tmp_path / "b.eval", lambda n, d: b"{" if n == "samples/geo_epoch_2.json" else d)
    assert "samples/geo_epoch_2.json: not valid JSON" in refusal(bad, scorer="match")
    bad = repacked(tmp_path / "u.eval", lambda n, d: b"\xff{}" if n == "samples/geo_epoch_2.json" else d)
    assert "samples/geo_epoch_2.json: wrong encoding" in refusal(bad, scorer="match")
    spoiled = bytearray(whole)
    spoiled[whole.index(b"samples/geo_epoch_2.json") + 60] ^= 255
    assert "samples/geo_epoch_2.json: damaged" in refusal(write(tmp_path / "s.eval", bytes(spoiled)), scorer="match")
    needs_zstd("zstd")
    new = (LOGS / "inspect_zstd.eval").read_bytes()
    spoiled = bytearray(new)
    spoiled[new.index(b"samples/geo_epoch_2.json") + 90] ^= 255
    assert "samples/geo_epoch_2.json: damaged" in refusal(write(tmp_path / "z.eval", bytes(spoiled)), scorer="match")
    monkeypatch.setattr(zipped, "LARGEST_MEMBER", 100)
    for name in ("inspect_zstd.eval", "inspect_deflate.eval"):
        assert "when unpacked" in refusal(LOGS / name, scorer="match")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads zstd by itself")
def test_zstd_without_the_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "backports", None)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    assert "pip install backports.zstd" in refusal(LOGS / "inspect_zstd.eval", scorer="match")
    assert read_log(LOGS / "inspect_deflate.eval", scorer="match").format == "inspect"


def frame(path, *logs):
    """A table of samples_df: for each (task, model, grades) a log whose samples have ids 0, 1, ..."""
    rows = ["log,id,epoch,score_match,model"]
    for task, model, grades in logs:
        log = f"logs/2025-01-01T00-00-00+00-00_{task}_abcdefghijkl.eval"
        rows += [f"{log},{i},1,{grade},{model}" for i, grade in enumerate(grades)]
    return write(path, "\n".join(rows) + "\n")


def test_tasks_of_a_table_of_samples_are_told_apart_wherever_they_begin(tmp_path):
    log = read_log(frame(tmp_path / "s.csv", ("aime", "m", "C" * 150), ("gpqa", "m", "I" * 150)))
    assert len(log) == 300 and of(log, "aime/7") == (1, 1) and of(log, "gpqa/7") == (1, 0)
    assert "the file was read as different tasks (aime, gpqa)" in " ".join(log.notes)
    log = read_log(frame(tmp_path / "s.csv", ("aime", "m", "CI"), ("aime", "m", "CC")))
    assert as_dict(log) == {"0": (2, 2), "1": (2, 1)}
    assert "of the model m1" in refusal(frame(tmp_path / "s.csv", ("aime", "m1", "CI"), ("aime", "m2", "CC")))
