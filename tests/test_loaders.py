"""Evaluation logs: every format from real or schema-true files, recognition, repairs, and errors with their place."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import real_logs

from ds3sim.core import files as read
from ds3sim.core.errors import InputError
from ds3sim.fit.logs import inspect_ai as inspect_log
from ds3sim.fit.logs import zipped
from ds3sim.fit.logs.grade import Comparison, extractor, last_boxed
from ds3sim.fit.logs.log import MISSING, Log, count
from ds3sim.fit.logs.read import READERS, read_log

LOGS = Path(__file__).parent / "data" / "logs"
CURVES = Path(__file__).resolve().parents[2] / "shared" / "data"


def write(path: Path, text) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def jsonl(path: Path, rows) -> Path:
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def of(log: Log, name: str) -> tuple[int, int]:
    return as_dict(log)[name]


def as_dict(log: Log) -> dict[str, tuple[int, int]]:
    return dict(zip(log.problems, zip(log.samples.tolist(), log.correct.tolist(), strict=True), strict=True))


def refusal(path, format=None, **options) -> str:
    with pytest.raises(InputError) as error:
        read_log(path, format, **options)
    message = str(error.value)
    assert "\n" not in message
    return message


# ---- tidy and counts -----------------------------------------------------------------------------

TIDY = [
    {"problem": "a", "sample": 0, "correct": 1, "answer": "42", "tokens": 10},
    {"problem": "a", "sample": 1, "correct": 0, "answer": "41", "tokens": 20},
    {"problem": "a", "sample": 2, "correct": 0, "answer": None, "tokens": None},
    {"problem": "b", "sample": 0, "correct": 0, "answer": "7", "tokens": 30},
    {"problem": "b", "sample": 1, "correct": 0, "answer": "7", "tokens": 50},
]
TIDY_CSV = "problem,sample,correct,answer,tokens\na,0,1,42,10\na,1,False,41,20\na,2,0,,\nb,0,no,7,30\nb,1,0.0,7,50\n"


def tidy_file(folder: Path, container: str) -> Path:
    if container == "csv":
        return write(folder / "log.csv", TIDY_CSV)
    if container == "jsonl":
        return jsonl(folder / "log.jsonl", TIDY)
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: Parquet is not tested")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: Parquet is not tested")
    pandas.DataFrame(TIDY).to_parquet(folder / "log.parquet")  # the missing token count makes the column floats
    return folder / "log.parquet"


@pytest.mark.parametrize("container", ["csv", "jsonl", "parquet"])
def test_tidy(tmp_path, container):
    log = read_log(tidy_file(tmp_path, container))
    assert log.format == "tidy"
    assert list(log.table.problem) == ["a", "a", "a", "b", "b"]
    assert log.table.sample.tolist() == [0, 1, 2, 0, 1]
    assert log.table.correct.tolist() == [1, 0, 0, 0, 0]
    assert list(log.table.answer) == ["42", "41", None, "7", "7"]
    assert log.table.tokens.tolist() == [10, 20, MISSING, 30, 50]
    assert as_dict(log) == {"a": (3, 1), "b": (2, 0)}
    assert log.answers == ({"42": 1, "41": 1}, {"7": 2})
    assert [w.tolist() for w in log.wrong] == [[1], [2]]
    assert log.blank.tolist() == [1, 0]
    assert log.tokens.tolist() == [15, 40]
    assert "from 2 to 3" in " ".join(log.notes) and "no vote" in " ".join(log.notes)


COUNTS = [
    {"problem": "a", "n": 10, "correct": 3, "answer_counts": {"x": 3, "y": 5}, "tokens_mean": 12.5},
    {"problem": "b", "n": 8, "correct": 0, "answer_counts": {"y": 8}, "tokens_mean": 3},
]


@pytest.mark.parametrize("container", ["csv", "jsonl", "parquet"])
def test_counts(tmp_path, container):
    if container == "jsonl":
        path = jsonl(tmp_path / "c.jsonl", COUNTS)
    elif container == "csv":
        lines = [
            f"{r['problem']},{r['n']},{r['correct']},{quoted(r['answer_counts'])},{r['tokens_mean']}" for r in COUNTS
        ]
        path = write(tmp_path / "c.csv", "problem,n,correct,answer_counts,tokens_mean\n" + "\n".join(lines))
    else:
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        path = tmp_path / "c.parquet"
        pandas.DataFrame(COUNTS).to_parquet(path)  # a struct column: absent answers come back as None
    log = read_log(path)
    assert log.format == "counts" and log.table is None
    assert as_dict(log) == {"a": (10, 3), "b": (8, 0)}
    assert log.answers == ({"x": 3, "y": 5}, {"y": 8})
    assert [w.tolist() for w in log.wrong] == [[5], [8]]
    assert log.blank.tolist() == [2, 0]
    assert log.tokens.tolist() == [12.5, 3]


def quoted(value) -> str:
    return '"' + json.dumps(value).replace('"', '""') + '"'


def test_counts_without_answers_and_of_a_million_samples(tmp_path):
    log = read_log(write(tmp_path / "c.csv", "problem,n,correct\n1,1000000,3\n2,1000000,0\n"))
    assert as_dict(log) == {"1": (1_000_000, 3), "2": (1_000_000, 0)}
    assert log.wrong is None and log.notes == ()


def test_answer_counts_of_the_wrong_answers_alone(tmp_path):
    rows = [{"problem": "a", "n": 9, "correct": 3, "answer_counts": {"y": 5, "z": 1}}]
    log = read_log(jsonl(tmp_path / "c.jsonl", rows))
    assert [w.tolist() for w in log.wrong] == [[5, 1]]
    assert "wrong answers" in log.notes[0]


def test_sample_numbers_may_be_missing(tmp_path):
    log = read_log(write(tmp_path / "t.csv", "problem,correct\na,1\nb,0\na,0\n"))
    assert log.table.sample.tolist() == [0, 0, 1]
    assert "no column sample" in log.notes[0]


def test_a_csv_file_may_have_a_mark_comments_quotes_and_windows_lines(tmp_path):
    text = '\ufeff# made by x\r\nProblem, sample ,Correct,answer\r\n"a,1",0,1,"two\r\nlines"\r\n\r\na2,0,0,#9\r\n'
    log = read_log(write(tmp_path / "t.csv", text))
    assert list(log.table.problem) == ["a,1", "a2"]
    assert list(log.table.answer) == ["two\r\nlines", "#9"]


def test_partial_grades(tmp_path):
    text = "problem,sample,correct\na,0,1\na,1,0.5\na,2,0\n"
    log = read_log(write(tmp_path / "t.csv", text))
    assert of(log, "a") == (3, 1) and "1 samples have a grade between" in log.notes[0]
    assert of(read_log(tmp_path / "t.csv", threshold=0.5), "a") == (3, 2)
    assert "threshold" in refusal(write(tmp_path / "u.csv", "problem,sample,correct\na,0,0.7\na,1,0.5\n"))
    with pytest.raises(InputError, match="threshold"):
        count(log.table, threshold=0)


def test_correct_answers_vote_as_one_and_contradictions_are_told(tmp_path):
    text = "problem,sample,correct,answer\na,0,1,1/2\na,1,1,0.5\na,2,0,0.5\na,3,0,7\n"
    log = read_log(write(tmp_path / "t.csv", text))
    assert log.wrong[0].tolist() == [1, 1]
    said = " ".join(log.notes)
    assert "several answers graded correct" in said and "both correct and wrong" in said


# ---- curves --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "x, y\n1, 0.1\n10, 0.4\n",
        "1,0.1\n10,0.4\n",
        "N;pass\n10;0.4\n1;0.1\n",
        "samples\tcoverage\n1\t0.1\n10\t0.4",
        "1 .1\n1e1 .4",
    ],
)
def test_a_curve_under_any_header(tmp_path, text):
    log = read_log(write(tmp_path / "curve.csv", text))
    assert log.format == "curve" and log.table is None
    assert log.curve.n.tolist() == [1, 10] and log.curve.success.tolist() == [0.1, 0.4]
    with pytest.raises(InputError, match="curve has no counts"):
        log.need_counts()


def test_a_curve_among_more_columns(tmp_path):
    path = write(tmp_path / "c.csv", "Budget,Tokens,Accuracy\n1,20,0.1\n2,30,0.2\n")
    assert "choose them" in refusal(path)
    log = read_log(path, x="tokens", y="Accuracy")
    assert log.curve.n.tolist() == [20, 30] and log.curve.columns == ("Tokens", "Accuracy")
    assert "no column" in refusal(path, x="Tokens", y="nothing")


@pytest.mark.skipif(not CURVES.is_dir(), reason="the published curves are not here")
@pytest.mark.parametrize(("name", "size"), [("llama8BpassN", 112), ("pythia28B", 31), ("llama38Binstruct_maj", 17)])
def test_published_curves(name, size):
    log = read_log(CURVES / f"{name}.csv")
    assert log.format == "curve" and len(log.curve) == size
    assert (np.diff(log.curve.n) >= 0).all()


# ---- Inspect -------------------------------------------------------------------------------------

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


def sample(**changes) -> dict:
    scores = {"s": {"value": changes.pop("value", "C"), "answer": "x"}}
    return {"id": 1, "epoch": 1, "target": "x", "scores": scores, "model_usage": {}, "error": None} | changes


def inspect_json(path: Path, samples, **changes) -> Path:
    log = {"version": 2, "status": "success", "eval": {"model": "m"}, "samples": samples} | changes
    return write(path, json.dumps(log))


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


# ---- lm-evaluation-harness -------------------------------------------------------------------------


def check_lm_eval(repeats: Path, single: Path) -> None:
    log = read_log(single, filter="strict-match")
    assert log.format == "lm-eval"
    assert as_dict(log) == {"0": (1, 1), "1": (1, 0)}
    assert list(log.table.answer) == ["42", "5"]
    assert "(flexible-extract, strict-match): choose one" in refusal(single)
    assert "no filter 'none'" in refusal(single, filter="none")
    assert "no metric 'f1'" in refusal(single, filter="strict-match", metric="f1")
    assert "line 1: 4 responses, of which the harness graded one" in refusal(repeats, filter="strict-match")
    for filter in ("strict-match", None):
        log = read_log(repeats, filter=filter, pattern=real_logs.PATTERN)
        assert as_dict(log) == {"0": (4, 2), "1": (4, 3)}
        assert log.answers == ({"42": 2, "41": 1}, {"5": 1, "1004": 3})
        assert "on 2 of 2 documents" in " ".join(log.notes)
    log = read_log(repeats, pattern=r"(\d)")
    assert "disagrees" in " ".join(log.notes)


def test_lm_eval_files_written_by_the_harness():
    check_lm_eval(LOGS / "samples_lm_eval_repeats.jsonl", LOGS / "samples_lm_eval_single.jsonl")


def test_lm_eval_files_written_now(tmp_path):
    pytest.importorskip("lm_eval", reason="lm-eval is not installed: only its files in tests/data are tested")
    check_lm_eval(real_logs.write_lm_eval(tmp_path / "r"), real_logs.write_lm_eval(tmp_path / "s", repeats=1))


def document(**changes) -> dict:
    row = {"doc_id": 0, "doc": {}, "target": "4", "resps": [["it is 4"]], "filtered_resps": ["4"], "filter": "none"}
    return row | {"metrics": ["exact_match"], "exact_match": 1.0} | changes


def test_lm_eval_filters_that_keep_all_responses(tmp_path):
    row = document(resps=[["it is 4", "5", "?"]], filtered_resps=[["4", "5", "[invalid]"]])
    log = read_log(jsonl(tmp_path / "s.jsonl", [row]))
    assert of(log, "0") == (3, 1) and log.answers == ({"4": 1, "5": 1},)
    voted = document(resps=[["it is 4", "5", "4"]], filtered_resps=[["4"]])  # the filter majority_vote
    assert "of which the harness graded one" in refusal(jsonl(tmp_path / "v.jsonl", [voted]))


def test_lm_eval_multiple_choice_and_several_metrics(tmp_path):
    choice = document(
        resps=[[["-1.5", "False"]], [["-2.5", "False"]]], metrics=["acc", "acc_norm"], acc=0.0, acc_norm=1.0
    )
    path = jsonl(tmp_path / "s.jsonl", [choice])
    log = read_log(path)
    assert of(log, "0") == (1, 0) and "acc is used" in log.notes[0]
    assert of(read_log(path, metric="acc_norm"), "0") == (1, 1)
    many = document(metrics=["bleu", "rouge"], bleu=0.1, rouge=0.2)
    assert "choose one (--metric)" in refusal(jsonl(tmp_path / "m.jsonl", [many]))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([document(), document()], "line 2: document 0 is there twice under filter 'none' (first in line 1)"),
        ([document(), {"doc_id": 1, "resps": [["a"]], "filter": "none"}], "line 2: the field 'exact_match' is missing"),
        ([document(), {"doc_id": 1, "filter": "none"}], "line 2: the field 'resps' is missing"),
        ([document(resps=[])], "line 1: resps = []: must be"),
        ([document(exact_match={"a": 1})], "line 1: exact_match = {'a': 1} is not a grade"),
        ([document(exact_match=3.5)], "line 1: exact_match = 3.5 is not a grade"),
        ([document(resps=[["a", "b"]], filtered_resps=[["a", "b"]], target="")], "line 1: target is empty"),
    ],
)
def test_lm_eval_errors_name_the_line(tmp_path, rows, words):
    path = jsonl(tmp_path / "s.jsonl", rows)
    assert f"{path}, {words}" in refusal(path)


# ---- Large Language Monkeys ------------------------------------------------------------------------


def monkeys(folder: Path, name="p1", **changes) -> Path:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: Large Language Monkeys' files are not tested")
    folder.mkdir(exist_ok=True)
    row = {
        "prompt": "Q: ...",
        "question": "6*7?",
        "samples": ["#### 42", "#### 41", "none"],
        "gt_answer": "so #### 42",
        "is_correct": [True, False, False],
    } | changes
    row = {key: value for key, value in row.items() if value is not None}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.dump(row, sort_keys=True), encoding="utf-8")  # as llmonk/utils.py does
    return path


def test_monkeys(tmp_path):
    monkeys(tmp_path, "p1")
    monkeys(tmp_path, "p2", is_correct=None, is_corrects=[True, True])  # ragged within is an error, so no samples
    assert "p2.yaml: 3 samples and 2 grades" in refusal(tmp_path)
    monkeys(tmp_path, "p2", is_correct=None, is_corrects=[True, True], samples=None)
    log = read_log(tmp_path)
    assert log.format == "monkeys"
    assert as_dict(log) == {"p1": (3, 1), "p2": (2, 2)}
    assert log.wrong is None
    assert log.table.source[0].endswith("p1.yaml")
    one = read_log(tmp_path / "p1.yaml", pattern="#### (.*)")
    assert one.answers == ({"42": 1, "41": 1},)
    assert one.blank.tolist() == [1]


def test_monkeys_that_are_not_graded(tmp_path):
    path = monkeys(tmp_path, is_correct=None)
    assert "not graded" in refusal(path)
    log = read_log(path, pattern="#### (.*)")
    assert as_dict(log) == {"p1": (3, 1)}
    assert "graded with the pattern" in " ".join(log.notes)


def test_monkeys_published_as_rows(tmp_path):
    rows = [
        {"question": "q", "samples": ["a", "b"], "gt_answer": "a", "is_corrects": [True, False], "orig_dset_idx": i}
        for i in (3, 5)
    ]
    log = read_log(jsonl(tmp_path / "m.jsonl", rows))
    assert log.format == "monkeys" and as_dict(log) == {"3": (2, 1), "5": (2, 1)}
    assert "line 2: problem '3' is there twice" in refusal(jsonl(tmp_path / "d.jsonl", [rows[0], rows[0]]))


def test_monkeys_errors(tmp_path):
    assert "is_correct[1] = 'x' is neither true nor false" in refusal(monkeys(tmp_path, is_correct=[True, "x", False]))
    assert "not valid YAML" in refusal(write(tmp_path / "bad.yaml", "samples: [1\nb: }"))
    message = refusal(write(tmp_path / "tag.yaml", "is_correct: !!python/object:os.system [1]\n"))
    assert "tag.yaml, line 1: not valid YAML" in message
    assert "must be a mapping" in refusal(write(tmp_path / "list.yaml", "- 1\n"), "monkeys")
    assert "not recognized: YAML with the keys (none)" in refusal(tmp_path / "list.yaml")
    (tmp_path / "empty").mkdir()
    for format in (None, "monkeys"):
        assert "holds no log that is recognized: it has nothing in it" in refusal(tmp_path / "empty", format)


# ---- search-and-learn ------------------------------------------------------------------------------


def completions(**changes) -> dict:
    return {
        "problem": "6*7?",
        "answer": "42",
        "unique_id": "test/1",
        "completions": ["so \\boxed{42}", "\\boxed{\\frac{1}{2}}", "no"],
        "scores": [[0.1, 0.9], [0.5, 0.2], [0.3]],
        "pred": "so \\boxed{42}",
        "completion_tokens": [5, 6, 7],
    } | changes


def test_search_and_learn(tmp_path):
    path = jsonl(tmp_path / "b.jsonl", [completions(), completions(unique_id="test/2", answer="0.5", scores=None)])
    log = read_log(path)
    assert log.format == "search-and-learn"
    assert as_dict(log) == {"test/1": (3, 1), "test/2": (3, 1)}
    assert log.table.tokens.tolist() == [5, 6, 7] * 2
    assert log.table.score[:3].tolist() == [0.9, 0.2, 0.3] and np.isnan(log.table.score[3:]).all()
    assert log.answers == ({"42": 1, "1/2": 1},) * 2
    assert "in 2 of 6 completions no answer" in " ".join(log.notes)
    assert read_log(path, aggregate="min").table.score[:3].tolist() == [0.1, 0.2, 0.3]
    assert of(read_log(path, pattern=r"(no)$"), "test/1") == (3, 0)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([completions(), completions()], "line 2: problem 'test/1' is there twice (first in line 1)"),
        ([completions(completion_tokens=[1])], "line 1: 3 completions and 1 completion_tokens"),
        ([completions(scores=[[1]])], "line 1: 3 completions and 1 scores"),
        ([completions(completions=[])], "line 1: completions = [] "),
        ([completions(), {"completions": ["a"], "problem": "p"}], "line 2: the field 'answer' is missing"),
        ([completions(answer=None)], "line 1: answer is empty"),
        ([completions(completion_tokens=[1, 2.5, 3])], "line 1: completion_tokens[1] = 2.5"),
    ],
)
def test_search_and_learn_errors_name_the_line(tmp_path, rows, words):
    path = jsonl(tmp_path / "b.jsonl", rows)
    assert f"{path}, {words}" in refusal(path)


# ---- extraction --------------------------------------------------------------------------------------


def test_extraction():
    assert last_boxed("\\boxed{1} then \\boxed{\\frac{a}{b}}.") == "\\frac{a}{b}"
    assert last_boxed("so \\boxed 5.") == "5" and last_boxed("\\boxed{\\{1, 2\\}}") == "\\{1, 2\\}"
    assert last_boxed("\\boxed{1") is None and last_boxed("") is None
    assert extractor(r"A: (\d+)")("A: 1 A: 2") == "1"
    assert extractor(r"A: (\d+)", -1)("A: 1 A: 2") == "2"
    assert extractor(r"A: \d+|B: (\d+)")("B: 7") == "7"
    assert extractor(r"A", 5)("A") is None
    with pytest.raises(InputError, match="not a regular expression"):
        extractor("(")


def test_the_target_may_be_a_worked_solution():
    grade = Comparison(extractor(r"#### (\d+)")).of_completion
    worked = ["first 3, then #### 7"]
    assert [grade(text, worked) for text in ("#### 7", "#### 3", "7")] == [(1.0, "7"), (0.0, "3"), (0.0, None)]
    careless = Comparison(extractor(r"(\d)"))  # would agree with 41 if it were used on the target
    assert careless.of_completion("41", ["42"]) == (0.0, "4")


# ---- broken files -----------------------------------------------------------------------------------

HEAD = "problem,sample,correct\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("e.csv", "", "the file is empty"),
        ("e.csv", " \n\n", "the file is empty"),
        ("e.jsonl", "\n", "the file is empty"),
        ("h.csv", HEAD, "no graded sample"),
        ("c.csv", "problem,n,correct\n", "no rows"),
        ("c.csv", "problem,n,correct\na,3,1\nb,3,4\n", "line 3: correct = 4 is more than n = 3"),
        ("c.csv", "problem,n,correct\na,3,1\na,3,1\n", "line 3: problem 'a' is there twice"),
        ("c.csv", "problem,n,correct\na,0,0\n", "line 2: n = '0' is not allowed"),
        ("c.csv", "problem,n,correct\na,3,-1\n", "line 2: correct = '-1' is not allowed"),
        ("c.csv", "problem,n,correct\na,3,1.5\n", "line 2: correct = '1.5' is not allowed"),
        ("c.csv", "problem,n,correct\na,nan,1\n", "line 2: n = 'nan' is not allowed"),
        ("c.csv", "problem,n,correct\na,3\n", "line 2: 2 fields where the header has 3"),
        ("c.csv", "problem,n,correct\n,3,1\n", "line 2: problem = '' is not a name"),
        ("c.csv", 'problem,n,correct,answer_counts\na,3,1,"{""x"": 9}"\n', "line 2: answer_counts add up to 9"),
        (
            "c.csv",
            'problem,n,correct,answer_counts\na,3,2,"{""x"": 3}"\n',
            "line 2: no answer in answer_counts was given 2",
        ),
        ("c.csv", "problem,n,correct,answer_counts\na,3,2,{x\n", "line 2: answer_counts: not valid JSON"),
        (
            "c.csv",
            'problem,n,correct,answer_counts\na,3,2,"{""x"": 2}"\nb,3,1,\n',
            "line 3: answer_counts is empty here",
        ),
        ("c.csv", "problem,n,correct,tokens_mean\na,3,2,-1\n", "line 2: tokens_mean = '-1' is not allowed"),
        ("t.csv", HEAD + "a,0,1\nb,0,1\na,0,0\n", "line 4: problem 'a' has sample 0 twice (first in"),
        ("t.csv", HEAD + "a,0,2\n", "line 2: correct = '2' is not a grade"),
        ("t.csv", HEAD + "a,0,nan\n", "no graded sample in it (1 have no grade)"),
        ("t.csv", HEAD + "a,0,perhaps\n", "line 2: correct = 'perhaps' is not a grade"),
        ("t.csv", HEAD + "a,x,1\n", "line 2: sample = 'x' is not a number"),
        ("t.csv", HEAD + 'a,0,1\n"b,0,1\n', "not a CSV row"),
        ("t.csv", "problem,problem,correct\na,a,1\n", "line 1: the column 'problem' is there twice"),
        ("t.csv", (HEAD + "ä,0,1\n").encode("utf-16"), "wrong encoding: the file begins as UTF-16"),
        ("t.csv", (HEAD + "a,0,1\nä,0,1\n").encode("latin-1"), "line 3: wrong encoding: byte 0xe4"),
        ("t.csv", HEAD.encode() + b"a,0,1\n\0\0\0", "line 3: a NUL byte"),
        ("t.csv", "question,right\na,1\n", "not recognized"),
        ("t.jsonl", '{"problem": "a", "sample": 0, "correct": 1}\n{"problem": "a", "sa', "line 2: not valid JSON"),
        ("t.jsonl", '{"problem": "a", "sample": 0, "correct": 1}\n[1]\n', "line 2: [1] is not a JSON object"),
        (
            "t.jsonl",
            '{"problem": "a", "correct": 1, "sample": 0}\n{"problem": "a", "sample": 1}\n',
            "line 2: the field 'correct'",
        ),
        ("t.jsonl", '{"problem": "a", "correct": [[1]]}\n', "line 1: correct[0] = [1] is not a grade"),
        ("t.jsonl", '{"problem": "a", "correct": []}\n', "line 1: correct is an empty list"),
        ("t.jsonl", '{"problem": "a", "correct": ' + "9" * 5000 + "}\n", "line 1"),
        ("p.csv", "x,y\n1,0.5\n2,abc\n", "line 3: 'abc' is not a number"),
        ("p.csv", "x,y\n1,50\n2,60\n", "line 2: success = 50 is not between 0 and 1: divide percentages"),
        ("p.csv", "x,y\n0,0.5\n2,0.6\n", "line 2: N = 0 is not allowed"),
        ("p.csv", "x,y\n1,0.5\n2,0.6,7\n", "line 3: 3 fields where the first row has 2"),
        ("p.csv", "x,y\n1,0.5\n", "1 points"),
        ("p.csv", "x,y\n1,nan\n2,0.5\n", "line 2: 'nan' is not a number"),
        ("i.json", '{"version": 2, "status": "success", "eval": {"model": "m"}, "samples": [', "not valid JSON"),
        ("z.eval", "PK\3\4 but no more", "not a readable zip file"),
        ("z.parquet", "PAR1 but no more", "not a readable Parquet file"),
    ],
)
def test_broken_files(tmp_path, name, text, words):
    path = write(tmp_path / name, text)
    message = refusal(path)
    assert words in message and str(path) in message


def test_what_is_no_file(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "none.csv")
    assert "is not a path" in refusal(3)
    assert "neither a file nor a folder" in refusal("/dev/null")
    path = write(tmp_path / "t.csv", TIDY_CSV)
    assert "choose inspect, lm-eval" in refusal(path, "jsonl")
    assert "tidy has no option filter: it has problem, sample" in refusal(path, filter="x")
    assert "a column is missing: n (or total" in refusal(path, "counts")
    for more in ({}, {"pattern": "boxed"}):
        assert "match has no effect" in refusal(jsonl(tmp_path / "b.jsonl", [completions()]), match=0, **more)


def test_a_huge_file_is_refused_or_streamed(tmp_path, monkeypatch):
    path = tmp_path / "huge.json"
    with path.open("wb") as stream:
        stream.write(b'{\n"version": 2, "status": "success", "eval": {}, "samples": [\n')
        stream.truncate(3 * 2**30)  # sparse
    assert "3,072 MiB" in refusal(path)
    with (tmp_path / "huge.csv").open("wb") as stream:
        stream.write(HEAD.encode() + b"a,0,1\n")
        stream.truncate(3 * 2**30)
    assert "line 3: a NUL byte" in refusal(tmp_path / "huge.csv")
    monkeypatch.setattr(read, "LONGEST_LINE", 1000)
    long = write(tmp_path / "long.csv", HEAD + "a" * 2000 + ",0,1\n")
    assert "line 2: the line is longer" in refusal(long)


def test_the_format_can_be_named(tmp_path):
    path = write(tmp_path / "log.txt", TIDY_CSV)
    assert read_log(path, "tidy").problems == ("a", "b")
    with pytest.raises(
        InputError, match=f"format = 'csv' is not known: choose {', '.join(READERS)}".replace(", curve", " or curve")
    ):
        read_log(path, "csv")


def test_importing_the_loaders_imports_no_heavy_package():
    code = (
        "import sys, ds3sim.fit.logs.read;"
        "print([m for m in ('pandas', 'pyarrow', 'yaml', 'backports', 'inspect_ai', 'lm_eval') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_docs(tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "logs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    names = (
        "tidy.csv",
        "counts.csv",
        "lm-eval.jsonl",
        "inspect",
        "monkeys.yaml",
        "search-and-learn.jsonl",
        "curve.csv",
    )
    assert len(blocks) == len(names)
    for name, block in zip(names, blocks, strict=True):
        if name == "inspect":  # one sample of a log
            path, options = inspect_json(tmp_path / "inspect.json", [json.loads(block)], eval={"model": "openai/x"}), {}
        else:
            path = write(tmp_path / name, block)
            options = {"pattern": "#### (.*)"} if name in ("lm-eval.jsonl", "monkeys.yaml") else {}
        if name == "monkeys.yaml":
            pytest.importorskip("yaml")
        log = read_log(path, **options)
        assert log.format == path.stem
        if log.curve is None:
            assert log.correct[0] >= 1 and log.wrong is not None
