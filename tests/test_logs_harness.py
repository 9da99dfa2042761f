"""Logs of lm-evaluation-harness, Large Language Monkeys and search-and-learn; answers extracted from texts."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import real_logs
from log_files import LOGS, as_dict, completions, inspect_json, jsonl, of, refusal
from refused import write

from ds3sim.core.errors import InputError
from ds3sim.fit.logs.grade import Comparison, extractor, last_boxed
from ds3sim.fit.logs.read import read_log


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
