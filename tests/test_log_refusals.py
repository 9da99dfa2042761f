"""What is no log is named, with the way to one; public files, where they are."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest
from log_files import as_dict, refusal, written
from log_spellings import lines

from ds3sim.fit.logs.read import read_log

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("results.json", {"results": {}, "configs": {}, "config": {}}, "results file of lm-eval"),
        ("results.json", {"results": {}, "config_general": {}}, "results file of lighteval"),
        ("e.json", [{"pass@1": 0.2, "detail": {}}, {}, []], "give *_eval_all.json"),
        ("g.json", [{"question_id": 1, "code_list": ["x"], "output_list": ["x"]}], "run it with --evaluate"),
        ("generations.json", [["def f(): pass"], ["x"]], "generations of bigcode-evaluation-harness"),
        ("metrics.json", {"aime": {"pass@1[avg-of-4]": {"symbolic_correct": 3}}}, "give output-rs*.jsonl"),
        ("logs.json", {"a.eval": {"version": 2, "eval": {"task": "t"}}}, "a listing of Inspect's logs"),
        ("x.json", {"name": "a", "language": "lua", "tests": "", "completions": []}, "give *.results.json.gz"),
        ("samples.jsonl", [{"task_id": "a", "completion": "x"}] * 2, "solutions for HumanEval, EvalPlus"),
        ("output.jsonl", [{"generation": "x", "expected_answer": "1"}] * 2, "generations of NeMo-Skills"),
        ("x.csv", b"eval_id,task_name,score_match_accuracy\n1,a,0.5\n", "write that of samples_df"),
        ("x.json", {"version": 2, "status": "success", "eval": {"model": "m"}}, "Inspect wrote only its header"),
        (
            "x.csv",
            b"problem,total_generations,passed_tests\na,3,1\n",
            "counts (one row a problem) would need n (or total",
        ),
        ("x.csv", b"Task,Value\nsome,words\n", "a text table with the columns Task, Value"),
        (
            "x.jsonl",
            [{"doc_id": 1, "filter": "none"}] * 2,
            "lm-eval (lm-evaluation-harness' samples_*.jsonl) would need",
        ),
        ("x.json", {"eval": {}, "version": 1}, "a JSON document with the keys eval, version"),
        ("x.json", 3, "a text table"),
        ("x.jsonl", [{"spec": {}}, {"run_id": "r", "event_id": 1, "data": {}}], "a log of OpenAI evals"),
        ("r.json", {"results": {"gsm8k": {"acc": 1.0}}, "versions": {"gsm8k": 3}}, "results file of lm-eval"),
        ("p.jsonl", [{"doc_id": 1, "metrics": {"em": 1.0}, "model_output": []}] * 2, "predictions of OLMES"),
        ("h.json", [{"instance_id": "a", "train_trial_index": 0, "stats": {"em": 1.0}}] * 2, "a file of HELM"),
        ("h.json", {"adapter_spec": {}, "request_states": []}, "a file of HELM"),
        ("s.json", {"resolved_ids": ["a"], "submitted_ids": ["a", "b"]}, "SWE-bench's report"),
        ("p.json", {"evalId": "e", "results": {"results": [{"success": True}]}}, "a file of promptfoo"),
        ("o.json", {"0": {"origin_prompt": "q", "prediction": "x"}}, "OpenCompass' predictions, which are not graded"),
        ("w.csv", b"instance_id,run_1,run_2\na,True,False\nb,False,True\n", "a column of grades for each run"),
        (
            "w.json",
            [{"task": "a", "m1": 0, "m2": 1}, {"task": "b", "m1": 1, "m2": 1}],
            "grades for each run, or for each",
        ),
        (
            "b.jsonl",
            [{"problem_num": i, "gold_answer": "1", "all_answers": [{"a": "1"}]} for i in (0, 1)],
            "all_answers[0] = {'a': '1'} is not an answer, nor a pair",
        ),
        ("x.gz", gzip.compress(b"PAR1\0\0", mtime=0), "inside a compressed one: unpack it first"),
        ("x.bin", bytes(range(256)), "a NUL byte"),
        ("x.zip", b"PK\5\6" + bytes(18), "x.zip"),
        ("x.arrow", b"ARROW1\0\0", "an Arrow file"),
        ("x.db", b"SQLite format 3\0", "an SQLite database"),
        ("x.csv.gz", b"\x1f\x8b\x08\0broken", "damaged or cut off where it is compressed"),
    ],
)
def test_what_is_no_log_is_named(tmp_path, name, content, words):
    if isinstance(content, list) and name.endswith("jsonl"):
        content = lines(content)
    (path,) = written(tmp_path, {name: content if isinstance(content, bytes | str) else json.dumps(content)})
    message = refusal(path)
    assert words in message and str(path) in message


def test_an_excel_workbook_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as file:
        file.writestr("[Content_Types].xml", "<x/>")
    assert "an Excel workbook: save the sheet as CSV" in refusal(tmp_path / "x.xlsx")


# ---- public files, where they are ----------------------------------------------------------------

PUBLIC = {
    "bigcodebench/m--bigcodebench-complete_eval_results.json": (40, None),
    "bigcodebench/one_line_eval_results.json": (40, None),
    "cruxeval-lmeval/genuine_samples_cruxeval_output.jsonl": (40, 17),
    "evalplus/samples_eval_results.json": (80, None),
    "evalplus/pretty_eval_results.json": (80, None),
    "humaneval-results/samples.jsonl_results.jsonl": (80, None),
    "inspect-samples-df/samples.csv": (32, None),
    "is-correct-scalar": (None, None),
    "lighteval/details_lighteval|aime24|0_2025.parquet": (32, 16),
    "livecodebench/Scenario.codegeneration_10_0.2_eval_all.json": (100, None),
    "lmeval-nan/samples_nan.jsonl": (7, None),
    "lmeval-seeds/dir": (32, 18),
    "nemo-skills": (24, None),
    "parquet-nosuffix/monkeys-blob-5f2c": (80, None),
    "tidy-variants/semi.csv": (2, 1),
    "tidy-variants/tab.tsv": (2, 1),
    "tidy-variants/upper.jsonl": (2, 1),
    "tidy-variants/passfail.csv": (4, 2),
    "tidy-variants/ci.csv": (4, 2),
}
"""Samples and correct ones, None where they are not said."""


@pytest.mark.skipif(not CASES.is_dir(), reason="the public files are not here")
@pytest.mark.parametrize("name", PUBLIC)
def test_public_files(name):
    path, (samples, correct) = CASES / name, PUBLIC[name]
    if not path.exists():
        pytest.skip(f"{name} is not here")
    if samples is None:
        for one in sorted(path.glob("tidy_plus_*")):
            assert read_log(one).format == "tidy"
        return
    log = read_log(path)
    assert log.samples.sum() == samples
    assert correct is None or log.correct.sum() == correct


@pytest.mark.skipif(not CASES.is_dir(), reason="the public files are not here")
def test_public_twins_are_alike():
    folder = CASES / "parquet-nosuffix"
    for blob, twin in (("monkeys-blob-5f2c", "monkeys.parquet"), ("sal-train-00000-of-00001", "sal.parquet")):
        assert as_dict(read_log(folder / blob)) == as_dict(read_log(folder / twin))
    folder = CASES / "lmeval-parquet"
    assert as_dict(read_log(folder / "samples_x.parquet")) == as_dict(read_log(folder / "same_rows.jsonl"))
    kept = CASES / "lmeval-keepall"
    assert "agrees with it on 0 of 8 documents" in refusal(kept / "worked.jsonl")
    for name, correct in (("alias", 4), ("choice", 3)):
        log = read_log(kept / f"{name}.jsonl")
        assert set(as_dict(log).values()) == {(4, correct)} and "on 8 of 8 documents" in " ".join(log.notes)
