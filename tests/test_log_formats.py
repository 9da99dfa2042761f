"""Logs of every tool: the same samples in every spelling have the same counts; what is no log is named."""

from __future__ import annotations

import json
from pathlib import Path

import log_spellings
import pytest
from log_files import as_dict, refusal, written
from log_spellings import COUNTS, SPELLINGS, TIDY, lines, parquet, table

from ds3sim.fit.logs.read import READERS, read_log
from ds3sim.fit.logs.task_name import task_names

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"


@pytest.mark.parametrize("name", SPELLINGS)
def test_one_set_of_samples_in_every_spelling(tmp_path, name):
    spelling = SPELLINGS[name]
    paths = written(tmp_path / "logs", spelling.files)
    source = paths[0] if len(paths) == 1 else tmp_path / "logs"
    log = read_log(source, **spelling.options)
    assert log.format == spelling.format
    expected = {t: COUNTS[t] for t in log.problems} if "inverted" in name else COUNTS
    if spelling.numbered:
        expected = dict(zip("012", COUNTS.values(), strict=True))
    assert as_dict(log) == expected
    assert (log.wrong is not None) == spelling.votes
    if spelling.votes:
        assert [int(w.sum()) for w in log.wrong] == [n - c for n, c in expected.values()]
    if len(paths) > 1:
        logs = [path for path in paths if not path.name.startswith(("results_", "metrics"))]
        logs = [path for path in logs if ".results." in path.name or ".json.gz" not in path.name]
        assert as_dict(read_log(logs, **spelling.options)) == expected
        ending = "".join(logs[0].suffixes[-2:]) if logs[0].suffixes[-1] == ".gz" else logs[0].suffix
        if len(logs) == len(paths):
            assert as_dict(read_log(f"{tmp_path}/lo*/*{ending}", **spelling.options)) == expected


def test_every_format_has_a_spelling():
    assert {spelling.format for spelling in SPELLINGS.values()} == set(READERS) - {"curve"}


# ---- several files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "tasks"),
    [
        (("output-rs0.jsonl", "output-rs12.jsonl"), ["output"] * 2),
        (("run_0.csv", "run_1.csv", "run_2.csv.gz"), ["run"] * 3),
        (("run1.csv", "run2.csv"), None),
        (("aime24.csv", "aime25.csv"), ["aime24", "aime25"]),
        (("aime_24.csv", "aime_25.csv"), ["aime_24", "aime_25"]),
        (("x_seed7.csv", "x_seed42.csv"), ["x"] * 2),
        (("seed1/out.csv", "seed2/out.csv"), ["out"] * 2),
        (("algebra/out.csv", "geometry/out.csv"), ["algebra", "geometry"]),
        (("t-00000-of-00002.parquet", "t-00001-of-00002.parquet"), ["t"] * 2),
        (("s_2025-01-01T10-00-00.123.jsonl", "s_2025-02-01T00-00-00.5.jsonl"), ["s"] * 2),
    ],
)
def test_tasks_are_told_by_names(names, tasks):
    found = task_names([Path("logs") / name for name in names])
    assert found == tasks if tasks else len(set(found)) == 1


def test_files_of_other_tasks_are_other_problems(tmp_path):
    rows = [{"problem": "1", "correct": 1}, {"problem": "1", "correct": 0}]
    paths = written(tmp_path, {"algebra.csv": table(rows), "geometry.csv": table(rows)})
    log = read_log(paths)
    assert as_dict(log) == {"algebra/1": (2, 1), "geometry/1": (2, 1)}
    assert "as different tasks (algebra, geometry)" in " ".join(log.notes)
    told = [dict(row, question="same") for row in rows]
    paths = written(tmp_path, {"one.jsonl": lines(told), "two.jsonl": lines(told)})
    log = read_log(paths)
    assert as_dict(log) == {"1": (4, 2)} and "their samples are put together" in " ".join(log.notes)
    assert log.table.sample.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("hashed", [True, False])
def test_subtasks_of_lm_eval(tmp_path, hashed):
    def row(task, value):
        told = {"doc_hash": task} if hashed else {}
        return {
            "doc_id": 0,
            "target": task,
            "resps": [["x"]],
            "filter": "none",
            "metrics": ["acc"],
            "acc": value,
        } | told

    names = ("a", "b") if hashed else ("samples_math_a_2025-01-01T00-00-00", "samples_math_b_2025-01-01T00-00-00")
    files = {f"{name}.jsonl": lines([row(name, i)]) for i, name in enumerate(names)}
    log = read_log(written(tmp_path, files))
    assert sorted(as_dict(log).values()) == [(1, 0), (1, 1)]
    again = {f"{name}_seed2.jsonl": lines([row(name, 1)]) for name in names} if hashed else {}
    if again:
        log = read_log(written(tmp_path, files | again))
        assert sorted(as_dict(log).values()) == [(2, 1), (2, 2)]


def test_logs_of_several_models_are_refused(tmp_path):
    def log(model):
        sample = {"id": 1, "epoch": 1, "scores": {"s": {"value": "C"}}}
        spec = {"task": "t", "model": model}
        return json.dumps({"version": 2, "status": "success", "eval": spec, "samples": [sample]})

    written(tmp_path, {"1.json": log("m1"), "2.json": log("m2")})
    assert "of the model m1" in refusal(tmp_path) and "give the logs of one model" in refusal(tmp_path)


def test_what_is_left_out_of_a_folder_is_told(tmp_path):
    written(tmp_path, {"x.csv": table(TIDY), "notes.txt": "nothing here\n", "empty.jsonl": "", ".hidden.csv": "x"})
    log = read_log(tmp_path)
    assert as_dict(log) == COUNTS and "2 files are left out" in log.notes[0]
    written(tmp_path, {"y.jsonl": log_spellings.SPELLINGS["search-and-learn"].files["s.jsonl"]})
    assert "logs of several formats" in refusal(tmp_path)
    assert as_dict(read_log(tmp_path, "search-and-learn")) == COUNTS
    (tmp_path / "x.csv").unlink()
    (tmp_path / "y.jsonl").unlink()
    assert "none of its 2 files is recognized" in refusal(tmp_path)


def test_a_folder_of_folders(tmp_path):
    written(tmp_path, {"model/x.csv": table(TIDY)})
    assert as_dict(read_log(tmp_path)) == COUNTS
    written(tmp_path, {"other/x.csv": table(TIDY)})
    assert "its logs lie in 2 folders" in refusal(tmp_path)
    for seed in range(3):
        written(tmp_path / "seeds", {f"seed_{seed}/x.csv": table(TIDY)})
    assert as_dict(read_log(tmp_path / "seeds")) == {name: (3 * n, 3 * c) for name, (n, c) in COUNTS.items()}
    assert "no file matches" in refusal(f"{tmp_path}/*.jsonl")
    assert "no path is given" in refusal([])


# ---- grades --------------------------------------------------------------------------------------


@pytest.mark.parametrize("none", ["", "nan", "NaN", "null", "None"])
@pytest.mark.parametrize("format", ["tidy", "lm-eval", "inspect", "lists", "parquet", "monkeys", "code", "samples_df"])
def test_samples_without_a_grade_are_left_out_with_a_note(tmp_path, format, none):
    value = None if none in ("", "null", "None") else float("nan")
    values = [1, value, 0]
    documents = [{"doc_id": i, "target": "1", "resps": [["a"]], "filter": "none", "metrics": ["acc"], "acc": v}
                 for i, v in enumerate(values)]  # fmt: skip
    scored = [{"id": i, "epoch": 1, "scores": {"s": {"value": v}}} for i, v in enumerate(values)]
    spec = {"task": "t", "model": "m"}
    files = {
        "tidy": f"problem,correct\n0,1\n0,{none}\n0,0\n",
        "lm-eval": lines(documents),
        "inspect": json.dumps({"version": 2, "status": "success", "eval": spec, "samples": scored}),
        "lists": lines([{"problem": "0", "correct": values}]),
        "parquet": parquet([{"problem": "0", "correct": v} for v in (1.0, value, 0.0)]),
        "monkeys": lines([{"question": "0", "is_corrects": values}]),
        "code": json.dumps({"eval": {"0": [{"passed": v} for v in values]}}),
        "samples_df": f"id,epoch,score_a\n0,1,C\n0,2,{none}\n0,3,I\n",
    }
    (path,) = written(tmp_path, {"t" + (".parquet" if format == "parquet" else ".json"): files[format]})
    log = read_log(path)
    assert (log.samples.sum(), log.correct.sum()) == (2, 1)
    assert "1 samples have no grade: they are unscored and left out" in log.notes


def lm_eval(**changes):
    row = {"doc_id": 0, "target": "B", "resps": [["x"] * 4], "filtered_resps": [["(Q)", "B", "(A)", "(Q)"]]}
    return row | {"filter": "all", "metrics": ["exact_match"], "exact_match": 1.0} | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "comparing them with target agrees with it on 0 of 1 documents"),
        ({"exact_match": 0.0}, "on 1 of 1 documents, none of them correct"),
        ({"metrics": ["pass@2"], "pass@2": 1.0}, "pass@2 = 1.0 of 4 responses holds for 3 to 4 correct ones"),
        ({"metrics": ["pass@1"], "pass@1": 0.3}, "pass@1 = 0.3 is not pass@1 of 4 responses"),
        ({"exact_match": 0.3}, "exact_match = 0.3 is not exact_match of 4 responses"),
        ({"metrics": ["f1"], "f1": 0.5}, "f1 is one grade for them"),
        ({"metrics": ["pass@8"], "pass@8": 0.3}, "pass@8 of 4 responses: pass@k needs at least k"),
        ({"metrics": ["bypass"], "bypass": None}, "the run only predicted (metric bypass)"),
        ({"filtered_resps": ["B"]}, "4 responses, of which the harness graded one"),
        ({"filtered_resps": [["B", "B"]]}, "4 responses, of which the harness graded 2 as one"),
        ({"exact_match": {"a": 1}}, "is not a grade: choose another metric (--metric)"),
        ({"exact_match": [1, 0]}, "is not a grade: choose another metric (--metric)"),
        ({"resps": [["x"]], "metrics": ["pass@1"], "pass@1": 0.3}, "pass@1 = 0.3 is not pass@1 of 4 responses"),
        (
            {"resps": [["x"]], "filtered_resps": ["x"], "metrics": ["pass@1"], "pass@1": 0.3},
            "pass@1 = 0.3 is not pass@1 of 1 responses",
        ),
    ],
)
def test_what_the_harness_does_not_tell_is_refused(tmp_path, changes, words):
    (path,) = written(tmp_path, {"s.jsonl": lines([lm_eval(**changes)])})
    assert words in refusal(path)


def test_agreement_with_the_harness_is_told(tmp_path):
    rows = [lm_eval(doc_id=i, resps=[["B", "A"]], filtered_resps=["B"], exact_match=float(i < 3)) for i in range(4)]
    (path,) = written(tmp_path, {"s.jsonl": lines(rows)})
    log = read_log(path, pattern="[A-Z]")
    assert as_dict(log) == {str(i): (2, 1) for i in range(4)}
    assert "on 3 of 4 documents its grades are the harness'" in " ".join(log.notes)
    rows = [
        lm_eval(doc_id=i, resps=[["B", "A"]], filtered_resps=[["B", "A"]], metrics=["pass@1"]) | {"pass@1": 0.5}
        for i in range(2)
    ]
    (path,) = written(tmp_path, {"p.jsonl": lines(rows)})
    assert "on 2 of 2 documents" in " ".join(read_log(path, pattern="[A-Z]").notes)


def test_several_right_answers(tmp_path):
    row = lm_eval(target=["B", "(Q)"], exact_match=1.0)
    (path,) = written(tmp_path, {"s.jsonl": lines([row])})
    assert as_dict(read_log(path)) == {"0": (4, 3)}


# ---- tables --------------------------------------------------------------------------------------


def test_columns_that_the_options_name(tmp_path):
    names = ("problem", "task_id", "correct", "passed")
    rows = [dict(zip(names, row, strict=True)) for row in (("p", "t", 1, 0), ("q", "t", 1, 1))]
    (path,) = written(tmp_path, {"t.csv": table(rows)})
    assert as_dict(read_log(path)) == {"p": (1, 1), "q": (1, 1)}
    assert as_dict(read_log(path, problem="task_id", correct="PASSED")) == {"t": (2, 1)}
    assert "there is no column 'no' (there are problem, task_id, correct, passed)" in refusal(path, correct="no")


def test_a_column_of_problems_repeats(tmp_path):
    rows = [{"id": f"{t}{i}", "question": t, "correct": g} for t, i, g in log_spellings.SAMPLES]
    (path,) = written(tmp_path, {"t.csv": table(rows)})
    assert as_dict(read_log(path)) == COUNTS


def test_right_answers_are_not_those_of_the_samples(tmp_path):
    rows = [{"question_id": t, "answer": "42", "is_correct": g} for t, _, g in log_spellings.SAMPLES]
    (path,) = written(tmp_path, {"t.jsonl": lines(rows)})
    log = read_log(path)
    assert as_dict(log) == COUNTS and log.wrong is None
    assert "taken as the right answer" in " ".join(log.notes)
    assert read_log(path, answer="answer").wrong is not None


# ---- curves --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", '{"pass@1": 0.25, "pass@10": 0.5}'),
        ("c.json", '{"humaneval": {"pass@1": 0.25, "pass@10": 0.5}, "config": {"temperature": 0.2}}'),
        ("c.json", '{"pass_at_1": 0.25, "pass_at_10": 0.5, "model": "m"}'),
        ("c.csv", "pass@1,pass@10\n0.25,0.5\n"),
        ("c.csv", "k,pass\npass@1,0.25\npass@10,0.5\n"),
        ("c.csv", "k;rate\n1;0.25\n10;0.5\n"),
        ("c.csv", "k;rate\n1;0,25\n10;0,5\n"),
        ("c.csv", 'k,rate\n1,"0,25"\n10,"0,5"\n'),
        ("c.csv", "k,rate\n1,25%\n10,50.0%\n"),
        ("c.csv", "sep=;\nk;rate\n1;0,25\n10;0,5\n"),
        ("c.jsonl", '{"k": 1, "pass": 0.25}\n{"k": 10, "pass": 0.5}\n'),
        ("c.json", '[{"k": 10, "pass@k": 0.5}, {"k": 1, "pass@k": 0.25}]'),
        ("c.json", '{"k": [1, 10], "pass": [0.25, 0.5]}'),
        ("c.json", '{"model": "m", "points": [{"k": 1, "pass": 0.25}, {"k": 10, "pass": 0.5}]}'),
        ("c.parquet", parquet([{"k": 1, "coverage": 0.25}, {"k": 10, "coverage": 0.5}])),
        ("c.tsv", "pass@1\t0.25\npass@10\t0.5\n"),
    ],
)
def test_curves(tmp_path, name, text):
    (path,) = written(tmp_path, {name: text})
    log = read_log(path)
    assert log.format == "curve" and log.curve.n.tolist() == [1, 10] and log.curve.success.tolist() == [0.25, 0.5]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,0\n2,1\n3,1\n", "y is 0 or 1 everywhere, as of samples"),
        ("x,y\n1,0.2\n1,0.4\n2,0.5\n", "3 rows have 2 different N"),
        ("x,y\n0.1,0.2\n0.2,0.4\n", "N = 0.1 is below one sample"),
        ("ID,score\n1,0.2\n2,0.4\n", "ID tells problems apart, not numbers of samples: name the columns"),
    ],
)
def test_what_does_not_look_like_a_curve_has_to_be_asked_for(tmp_path, text, words):
    (path,) = written(tmp_path, {"t.csv": text})
    assert words in refusal(path) and "(--format curve)" in refusal(path)
    assert read_log(path, "curve").format == "curve"


def test_columns_of_a_curve_of_any_container(tmp_path):
    rows = [{"k": k, "pass": p, "error": 0.01} for k, p in ((1, 0.25), (10, 0.5))]
    for path in written(tmp_path, {"c.jsonl": lines(rows), "c.json": json.dumps(rows), "c.parquet": parquet(rows)}):
        assert "choose them with x and y" in refusal(path)
        assert read_log(path, x="K", y="pass").curve.success.tolist() == [0.25, 0.5]
        assert "there is no column 'q' (there are k, pass, error)" in refusal(path, x="k", y="q")


def test_samples_are_no_curve(tmp_path):
    (path,) = written(tmp_path, {"t.csv": "id,correct\n" + "".join(f"{i},{i % 2}\n" for i in range(80))})
    log = read_log(path)
    assert log.format == "tidy" and len(log) == 80 and log.correct.sum() == 40


def test_curves_of_several_tasks_are_refused(tmp_path):
    both = {"humaneval": {"pass@1": 0.2, "pass@10": 0.4}, "mbpp": {"pass@1": 0.3, "pass@10": 0.4}}
    (path,) = written(tmp_path, {"c.json": json.dumps(both)})
    assert "pass@k of several tasks (humaneval, mbpp)" in refusal(path)
