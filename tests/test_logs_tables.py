"""Logs as tables: tidy, counts and curves; broken files, with their place."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from log_files import as_dict, completions, jsonl, of, refusal
from refused import write

from ds3sim.core import files as read
from ds3sim.core.errors import InputError
from ds3sim.fit.logs.log import MISSING, count
from ds3sim.fit.logs.read import READERS, read_log

CURVES = Path(__file__).resolve().parents[2] / "shared" / "data"

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
        ("t.csv", HEAD + "a,,1\n", "line 2: sample = '' is not a number"),
        ("t.csv", HEAD + "a,-1,1\n", "line 2: sample = '-1' is not allowed"),
        ("t.csv", HEAD + "a,x,1\na,y,1\na,x,0\n", "line 4: problem 'a' has sample 'x' twice (first in"),
        ("t.csv", HEAD + 'a,0,1\n"b,0,1\n', "not a CSV row"),
        ("t.csv", "problem,problem,correct\na,a,1\n", "line 1: the column 'problem' is there twice"),
        ("t.csv", (HEAD + "ä,0,1\n").encode("utf-16")[:-1], "wrong encoding: not the UTF-16 it begins as"),
        ("t.csv", HEAD.encode("utf-16-le"), "line 1: a NUL byte"),
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


TEXTS = {
    "t.csv": TIDY_CSV.replace("a,", "ä,"),
    "t.tsv": TIDY_CSV.replace("a,", "ä,").replace(",", "\t"),
    "t.jsonl": "".join(json.dumps(row) + "\n" for row in TIDY).replace('"a"', '"ä"'),
    "t.json": json.dumps(TIDY).replace('"a"', '"ä"'),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_is_told_by_its_byte_order_mark(tmp_path, name, encoding, end):
    mark = "\ufeff" if encoding.endswith("be") else ""
    path = tmp_path / name
    path.write_bytes((mark + TEXTS[name].replace("\n", end)).encode(encoding))
    assert as_dict(read_log(path)) == {"ä": (3, 1), "b": (2, 0)}
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert as_dict(read_log(packed)) == {"ä": (3, 1), "b": (2, 0)}


def test_lines_that_end_in_a_carriage_return(tmp_path):
    (tmp_path / "t.csv").write_bytes(TIDY_CSV.replace("\n", "\r").encode())
    assert as_dict(read_log(tmp_path / "t.csv")) == {"a": (3, 1), "b": (2, 0)}


def test_a_curve_in_utf_16(tmp_path):
    (tmp_path / "c.txt").write_bytes("k\tp\n1\t0,25\n10\t0,5\n".encode("utf-16"))
    assert read_log(tmp_path / "c.txt").curve.success.tolist() == [0.25, 0.5]


def test_samples_may_have_labels(tmp_path):
    log = read_log(write(tmp_path / "t.csv", HEAD + "a,x,1\nb,x,0\na,y,0\n"))
    assert as_dict(log) == {"a": (2, 1), "b": (1, 0)} and log.table.sample.tolist() == [0, 0, 1]
    assert "sample holds labels" in log.notes[0]


def test_another_column_of_grades_is_told(tmp_path):
    text = "task_id,is_correct,judgement\na,0,yes\na,1,yes\n"
    log = read_log(write(tmp_path / "t.csv", text))
    assert as_dict(log) == {"a": (2, 1)}
    assert "judgement could be the grades too: is_correct is used (--correct chooses another)" in log.notes
    assert as_dict(read_log(tmp_path / "t.csv", correct="judgement")) == {"a": (2, 2)}
    log = read_log(write(tmp_path / "same.csv", "task_id,passed,result\na,True,passed\na,False,failed\n"))
    assert not any("could be the grades" in note for note in log.notes)


def test_rows_of_several_models_are_told(tmp_path):
    head = "task_id,passed,model\n"
    log = read_log(write(tmp_path / "t.csv", head + "a,1,m1\n" * 150 + "a,0,m2\n"))
    assert "rows of several models (m1, m2) are put together" in " ".join(log.notes)
    assert "models" not in " ".join(read_log(write(tmp_path / "t.csv", head + "a,1,m1\na,0,m1\n")).notes)


@pytest.mark.parametrize("rows", [60, 240])  # the head is 100 rows
@pytest.mark.parametrize("by_run", [True, False])
def test_which_column_tells_problems_apart(tmp_path, rows, by_run):
    """Numbers of rows do not, nor does a prompt that all share, nor a question that is asked twice in a benchmark."""
    problems = rows // 4
    name = [i % problems if by_run else i // 4 for i in range(rows)]
    lines = "".join(f"{i},q{q},{i % 2},Solve:\n" for i, q in enumerate(name))
    log = read_log(write(tmp_path / "t.csv", "id,question,correct,prompt\n" + lines))
    assert len(log) == problems and set(log.samples.tolist()) == {4}
    lines = "".join(f"{i},q{max(i, 1)},{i % 2},Solve:\n" for i in range(rows))
    log = read_log(write(tmp_path / "t.csv", "id,question,correct,prompt\n" + lines))
    assert len(log) == rows and set(log.samples.tolist()) == {1}


@pytest.mark.parametrize(
    "document",
    [
        {"id": "run", "accuracy": 1.0},
        {"id": "run", "accuracy": 0.5, "results": [{"task_id": t, "passed": t == "a"} for t in "ab"] * 2},
    ],
)
def test_a_summary_is_no_sample(tmp_path, document):
    path = write(tmp_path / "s.json", json.dumps(document))
    if "results" in document:
        assert as_dict(read_log(path)) == {"a": (2, 2), "b": (2, 0)}
    else:
        assert "not recognized" in refusal(path) and "write its samples as a table" in refusal(path)


def test_counts_of_several_files(tmp_path):
    head = "problem,n,correct,answer_counts,tokens_mean\n"
    rows = ['a,10,3,"{""x"":3,""y"":5}",100\nb,4,0,"{""z"":4}",\n', 'a,30,4,"{""x"":4,""v"":9,""y"":1}",200\n']
    paths = [write(tmp_path / f"c_seed{i}.csv", head + text) for i, text in enumerate(rows)]
    log = read_log(paths)
    assert as_dict(log) == {"a": (40, 7), "b": (4, 0)}
    assert log.answers == ({"x": 7, "y": 6, "v": 9}, {"z": 4}) and [w.tolist() for w in log.wrong] == [[9, 6], [4]]
    assert log.tokens[0] == 175 and np.isnan(log.tokens[1])
    assert "their counts are added" in log.notes[0] and as_dict(read_log(tmp_path)) == as_dict(log)
    tasks = [write(tmp_path / f"{name}.csv", head + rows[0]) for name in ("algebra", "geometry")]
    log = read_log(tasks)
    assert as_dict(log) == {f"{t}/{p}": n for t in ("algebra", "geometry") for p, n in (("a", (10, 3)), ("b", (4, 0)))}
    assert "different tasks (algebra, geometry)" in log.notes[0]
    twice = write(tmp_path / "d_seed3.csv", head + rows[0] + rows[1])
    assert "problem 'a' is there twice" in refusal([paths[0], twice])


def test_counts_of_one_problem_twice_are_named(tmp_path):
    path = write(tmp_path / "c.csv", "task_id,total,passed\na,10,3\na,10,4\n")
    assert "line 3: problem 'a' is there twice" in refusal(path)


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
