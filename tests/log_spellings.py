"""One set of graded samples as the tools write it: a table of format x spelling, files and options."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

GRADES = {"a": (1, 0, 0, 1), "b": (1, 1, 0, 1), "c": (0, 0, 0, 0)}
"""Problem -> the grades of its samples."""
COUNTS = {name: (len(grades), sum(grades)) for name, grades in GRADES.items()}
SAMPLES = [(name, i, grade) for name, grades in GRADES.items() for i, grade in enumerate(grades)]
RIGHT = "42"


@dataclass(frozen=True)
class Spelling:
    """Files (name -> content, bytes as they are), the options that they need, the format that is recognized."""

    format: str
    files: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    votes: bool = False
    """Whether the log has answers."""
    numbered: bool = False
    """Whether problems are numbers, as the files do not name them."""


def table(rows, mark=",", end="\n") -> str:
    """A text table of rows of one kind of object."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=mark, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def parquet(rows) -> Callable:
    def write(path):
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)

    return write


def each(make) -> list[dict]:
    return [make(name, i, grade) for name, i, grade in SAMPLES]


def answers(grades) -> list[str]:
    return [RIGHT if grade else f"{i}7" for i, grade in enumerate(grades)]


TIDY = each(lambda name, i, g: {"problem": name, "sample": i, "correct": g})
WORDS = {
    "pass-fail": ("pass", "fail"),
    "inspect's letters": ("C", "I"),
    "yes-no": ("Yes", "no"),
    "true-false": ("True", "False"),
    "passed": ("passed", "failed"),
    "floats": ("1.0", "0.0"),
    "judgement": ("Judgement: Yes", "Judgement: No"),
    "a judge's reasons": ("No slip.\nJudgement: Yes", "Yes, but.\nJudgement: No."),
    "letters": ("T", "F"),
    "marks": ("\u2713", "\u2717"),
    "verdicts": ("Accepted", "Rejected"),
    "percentages": ("100%", "0 %"),
    "decimal commas": ("1,0", "0,00"),
}
NAMES = (
    ("task_id", "passed"),
    ("question_id", "is_correct"),
    ("problem_id", "correct"),
    ("id", "acc"),
    ("Instance_ID", "Resolved"),
    ("qid", "success"),
    ("doc_id", "exact_match"),
    ("example_id", "pass"),
    ("Problem ID", "Is Correct"),
    ("taskId", "isCorrect"),
    ("question-id", "PASSED"),
)
EXTRA = (
    "completions",
    "is_correct",
    "filter",
    "doc_id",
    "eval",
    "version",
    "resps",
    "samples",
    "metrics",
    "n_tokens",
    "id",
    "epoch",
    "score_match",
    "task_id",
    "passed",
    "graded_list",
    "n",
    "answer_counts",
    "generation",
    "status",
)


def tidy() -> dict[str, Spelling]:
    text = table(TIDY)
    packed = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    found = {
        "commas": {"t.csv": text},
        "tabs": {"t.tsv": table(TIDY, "\t")},
        "semicolons": {"t.csv": table(TIDY, ";")},
        "bars": {"t.txt": table(TIDY, "|")},
        "windows": {"t.csv": "\ufeff" + table(TIDY, ",", "\r\n")},
        "upper": {"t.csv": text.upper().replace("A,", "a,").replace("B,", "b,").replace("C,", "c,")},
        "lines": {"t.jsonl": lines(TIDY)},
        "upper lines": {"t.jsonl": lines([{k.title(): v for k, v in row.items()} for row in TIDY])},
        "array": {"t.json": json.dumps(TIDY)},
        "pretty array": {"t.json": json.dumps(TIDY, indent=2)},
        "wrapped array": {"t.json": json.dumps({"model": "m", "results": TIDY})},
        "columns by row": {"t.json": json.dumps({k: {str(i): r[k] for i, r in enumerate(TIDY)} for k in TIDY[0]})},
        "columns in lists": {"t.json": json.dumps({k: [r[k] for r in TIDY] for k in TIDY[0]})},
        "columns and data": {
            "t.json": json.dumps(
                {"columns": list(TIDY[0]), "index": list(range(len(TIDY)))} | {"data": [list(r.values()) for r in TIDY]}
            )
        },
        "excel's separator": {"t.csv": "sep=;\n" + table(TIDY, ";")},
        "commas in a header of tabs": {"t.tsv": table([r | {"a, b, c, d, e": "x"} for r in TIDY], "\t")},
        "utf-16": {"t.txt": table(TIDY, "\t").encode("utf-16")},
        "with an index": {"t.csv": table([{"": i} | row for i, row in enumerate(TIDY)])},
        "parquet": {"t.parquet": parquet(TIDY)},
        "parquet without a name": {"train-00000-of-00001": parquet(TIDY)},
        "text without a name": {"blob": text},
        "lines in a wrong name": {"t.csv": lines(TIDY)},
        "two shards": {"t-00000-of-00002.csv": table(TIDY[:4]), "t-00001-of-00002.csv": table(TIDY[4:])},
        **{name: {f"t.csv.{name}": pack(text.encode())} for name, pack in packed.items()},
        "packed lines": {"t.jsonl.gz": gzip.compress(lines(TIDY).encode())},
    }
    out = {f"tidy, {name}": Spelling("tidy", files) for name, files in found.items()}
    for name, (yes, no) in WORDS.items():
        rows = [row | {"correct": yes if row["correct"] else no} for row in TIDY]
        out[f"tidy, {name}"] = Spelling("tidy", {"t.csv": table(rows)})
    for problem, correct in NAMES:
        rows = [{problem: row["problem"], correct: row["correct"]} for row in TIDY]
        out[f"tidy, {problem} and {correct}"] = Spelling("tidy", {"t.csv": table(rows)})
    for name in EXTRA:
        rows = [row | {name: "x"} for row in TIDY]
        out[f"tidy, with {name}"] = Spelling("tidy", {"t.csv": table(rows)})
        out[f"tidy, with {name} in lines"] = Spelling("tidy", {"t.jsonl": lines(rows)})
    odd = [{"which": row["problem"], "how": row["correct"], "spent": 3} for row in TIDY]
    out["tidy, columns by options"] = Spelling(
        "tidy", {"t.csv": table(odd)}, {"problem": "which", "correct": "how", "tokens": "spent"}
    )
    listed = [{"problem": name, "correct": list(g), "answer": answers(g)} for name, g in GRADES.items()]
    out["tidy, lists"] = Spelling("tidy", {"t.jsonl": lines(listed)}, votes=True)
    gold = each(lambda name, i, g: {"question_id": name, "answer": RIGHT, "prediction": answers(GRADES[name])[i]}
                | {"is_correct": bool(g)})  # fmt: skip
    many = each(lambda name, i, g: {"question": name, "is_correct": bool(g), "samples": ["x", "y"]})
    out["tidy, with samples beside a grade"] = Spelling("tidy", {"t.jsonl": lines(many)})
    beside = each(lambda name, i, g: {"problem": name, "correct": g, "answer": RIGHT, "completions": ["x", "y"]})
    out["tidy, with completions beside a grade"] = Spelling("tidy", {"t.jsonl": lines(beside)})
    own = [{"problem": t, "answer": "?", "completions": answers(g), "is_correct": list(g)} for t, g in GRADES.items()]
    out["tidy, grades of completions"] = Spelling("tidy", {"t.jsonl": lines(own)})
    reward = each(lambda name, i, g: {"task_id": name, "reward": float(g), "info": {}, "traj": [], "trial": i})
    out["tidy, rewards"] = Spelling("tidy", {"t.json": json.dumps(reward)})
    runs = {
        f"run{i}.json": json.dumps(
            {t: {"patch_exists": True, "resolved": bool(gs[i]), "tests": {}} for t, gs in GRADES.items()}
        )
        for i in range(4)
    }
    out["tidy, objects by name"] = Spelling("tidy", runs)
    kept = [{t: {"correct": bool(gs[i]), "prompt": "x"} for t, gs in GRADES.items()} for i in range(4)]
    graded = {
        f"run{i}.json": json.dumps({"accuracy": 50.0, "details": {"type": "GEN"} | run}) for i, run in enumerate(kept)
    }
    out["tidy, objects by name beside averages"] = Spelling("tidy", graded)
    out["tidy, gold answers beside"] = Spelling("tidy", {"t.jsonl": lines(gold)}, votes=True)
    return out


def counts() -> dict[str, Spelling]:
    rows = [{"problem": name, "n": n, "correct": c} for name, (n, c) in COUNTS.items()]
    other = [{"task_id": r["problem"], "total": r["n"], "passed": r["correct"]} for r in rows]
    odd = [{"which": r["problem"], "many": r["n"], "good": r["correct"]} for r in rows]
    named = {"problem": "which", "n": "many", "correct": "good"}
    halves = [
        [{"problem": t, "n": 1, "correct": gs[0]} for t, gs in GRADES.items()],
        [{"problem": t, "n": 3, "correct": sum(gs[1:])} for t, gs in GRADES.items()],
    ]
    return {
        "counts": Spelling("counts", {"c.csv": table(rows)}),
        "counts, array": Spelling("counts", {"c.json": json.dumps(rows, indent=1)}),
        "counts, other names": Spelling("counts", {"c.tsv": table(other, "\t")}),
        "counts of two runs": Spelling("counts", {f"c_run{i}.csv": table(part) for i, part in enumerate(halves)}),
        "counts, columns by options": Spelling("counts", {"c.csv": table(odd)}, named),
    }


def code() -> dict[str, Spelling]:
    word = {1: "pass", 0: "fail"}
    solved = {t: [{"task_id": t, "solution": "x", "status": word[g]} for g in gs] for t, gs in GRADES.items()}
    plus = {
        t: [{"task_id": t, "solution": "x", "base_status": "pass", "plus_status": word[g]} for g in gs]
        for t, gs in GRADES.items()
    }
    timed = {t: [e | {"base_status": e["plus_status"], "plus_status": "timeout"} for e in es] for t, es in plus.items()}
    old = {t: {"nfiles": 4, "base": [[word[g], [g]] for g in gs], "plus": []} for t, gs in GRADES.items()}
    harness = {t: [[i, {"task_id": t, "passed": bool(g), "result": "-"}] for i, g in enumerate(gs)]
               for t, gs in GRADES.items()}  # fmt: skip
    graded = {t: {"graded_list": [bool(g) for g in gs], "status": "ok"} for t, gs in GRADES.items()}
    bench = [{"question_title": "t", "question_id": t, "code_list": ["y"] * 4, "graded_list": [bool(g) for g in gs]}
             for t, gs in GRADES.items()]  # fmt: skip
    humaneval = each(lambda t, i, g: {"task_id": t, "completion": "x", "result": "-", "passed": bool(g)})
    run = {1: {"status": "OK", "exit_code": 0}, 0: {"status": "Exception", "exit_code": 1}}
    multiple = {
        f"{t}.results.json.gz": gzip.compress(
            json.dumps({"name": t, "language": "lua", "prompt": "", "results": [run[g] for g in gs]}).encode()
        )
        for t, gs in GRADES.items()
    }
    many = {f"{t}.json.gz": gzip.compress(b'{"name": "a", "language": "lua", "tests": "", "completions": []}')
            for t in GRADES}  # fmt: skip
    whole = {
        "bigcodebench": {"date": "d", "eval": solved},
        "evalplus": {"date": "d", "hash": "h", "eval": plus},
        "evalplus with a version": {"version": "0.2", "eval": plus, "pass_at_k": {"base": {"pass@1": 1.0}}},
        "evalplus of 2023": {"date": "d", "hash": "h", "eval": old},
        "nemo-skills' livecodebench": {"eval": graded},
        "code_eval": harness,
        "true and false": {t: [bool(g) for g in gs] for t, gs in GRADES.items()},
    }
    out = {}
    for name, document in whole.items():
        out[name] = Spelling("code-results", {"x_eval_results.json": json.dumps(document)})
        out[f"{name}, pretty"] = Spelling("code-results", {"x_eval_results.json": json.dumps(document, indent=4)})
    base = {"x_eval_results.json": json.dumps({"eval": timed})}
    return out | {
        "evalplus, base tests": Spelling("code-results", base, {"metric": "base"}),
        "humaneval": Spelling("tidy", {"samples.jsonl_results.jsonl": lines(humaneval)}),
        "livecodebench": Spelling("tidy", {"x_eval_all.json": json.dumps(bench, indent=4)}),
        "multipl-e": Spelling("multipl-e", multiple),
        "multipl-e beside completions": Spelling("multipl-e", multiple | many),
    }


def harnesses() -> dict[str, Spelling]:
    def document(name, grades, **more):
        responses = [f"so {text}" for text in answers(grades)]
        row = {"doc_id": name, "target": RIGHT, "resps": [responses], "filtered_resps": [answers(grades)]}
        return row | {"filter": "all", "metrics": list(more)} | more

    def at_k(grades, k):
        import math

        wrong = len(grades) - sum(grades)
        return 1 - math.comb(wrong, k) / math.comb(len(grades), k)

    each_one = [document(t, gs, exact_match=list(gs)) for t, gs in GRADES.items()]
    pass_1 = [document(t, gs, **{"pass@1": sum(gs) / 4}) for t, gs in GRADES.items()]
    both = [document(t, gs, **{"pass@2": at_k(gs, 2), "pass@1": sum(gs) / 4}) for t, gs in GRADES.items()]
    mean = [document(t, gs, exact_match=sum(gs) / 4) for t, gs in GRADES.items()]
    first = [document(t, gs, exact_match=gs[0]) for t, gs in GRADES.items()]
    asked = [row | {"resps": [[text] for text in row["resps"][0]]} for row in pass_1]
    some = [row | {"resps": [row["resps"][0] + ["not kept"]]} for row in each_one]
    taken = [row | {"filtered_resps": row["filtered_resps"][0][:1]} for row in first]
    seeds = {
        f"samples_x_2025-01-0{i + 1}T00-00-00.jsonl": lines(
            [
                document(t, gs, exact_match=gs[i]) | {"resps": [["x"]], "filtered_resps": [answers(gs)[i]]}
                for t, gs in GRADES.items()
            ]
        )
        for i in range(4)
    }
    nemo = {
        f"output-rs{i}.jsonl": lines(
            {"id": t, "problem": t, "expected_answer": RIGHT, "predicted_answer": answers(gs)[i], "generation": "-"}
            | {"symbolic_correct": bool(gs[i]), "num_generated_tokens": 7}
            for t, gs in GRADES.items()
        )
        for i in range(4)
    }
    response = {"text": ["-"] * 4, "output_tokens": [[1, 2]] * 4}
    light = [{"doc": {"id": t, "query": f"q{t}"}, "metric": {"pass@k:k=1&n=4": sum(gs) / 4}, "model_response": response}
             for t, gs in GRADES.items()]  # fmt: skip
    average = [row | {"metric": {"avg@n:n=4": row["metric"]["pass@k:k=1&n=4"], "maj@4": 1.0}} for row in light]
    means = {t: {"pass@1:4_samples": sum(gs) / 4, "pass@1:1_samples": gs[0]} for t, gs in GRADES.items()}
    aged = [{"example": t, "predictions": ["-"] * 4, "metrics": values} for t, values in means.items()]
    named = {"details_x_2025.parquet": parquet(light)}
    infinity = [{"problem_num": t, "total_answers": 4, "gold_answer": RIGHT, "majority_answer": RIGHT}
                | {"all_answers": [[text, 9] for text in answers(gs)]} for t, gs in GRADES.items()]  # fmt: skip
    learn = [{"problem": t, "answer": RIGHT, "completions": [f"\\boxed{{{text}}}" for text in answers(gs)]}
             for t, gs in GRADES.items()]  # fmt: skip
    monkeys = [{"question": t, "samples": answers(gs), "gt_answer": RIGHT, "is_corrects": [bool(g) for g in gs]}
               for t, gs in GRADES.items()]  # fmt: skip
    yaml = {f"{t}.yaml": f"is_correct: {json.dumps([bool(g) for g in gs])}\n" for t, gs in GRADES.items()}
    return {
        "lm-eval, a grade each": Spelling("lm-eval", {"s.jsonl": lines(each_one)}, votes=True),
        "lm-eval, pass@1 of all": Spelling("lm-eval", {"s.jsonl": lines(pass_1)}),
        "lm-eval, pass@1 and pass@2": Spelling("lm-eval", {"s.jsonl": lines(both)}),
        "lm-eval, pass@2 inverted": Spelling("lm-eval", {"s.jsonl": lines(both[::2])}, {"metric": "pass@2"}),
        "lm-eval, the mean": Spelling("lm-eval", {"s.jsonl": lines(mean)}),
        "lm-eval, kept and compared": Spelling("lm-eval", {"s.jsonl": lines(first)}, votes=True),
        "lm-eval, a request each": Spelling("lm-eval", {"s.jsonl": lines(asked)}),
        "lm-eval, the first that were kept": Spelling("lm-eval", {"s.jsonl": lines(some)}, votes=True),
        "lm-eval, graded again": Spelling("lm-eval", {"s.jsonl": lines(taken)}, {"pattern": r"so (\d+)"}, votes=True),
        "lm-eval, parquet": Spelling("lm-eval", {"s.parquet": parquet(pass_1)}),
        "lm-eval, array": Spelling("lm-eval", {"s.json": json.dumps(pass_1, indent=1)}),
        "lm-eval, seeds": Spelling("lm-eval", seeds, votes=True),
        "lm-eval, seeds beside results": Spelling(
            "lm-eval", seeds | {"results_2025.json": '{"results": {}, "configs": {}, "config": {}}'}, votes=True
        ),
        "nemo-skills": Spelling("tidy", nemo, votes=True),
        "nemo-skills beside metrics": Spelling(
            "tidy", nemo | {"metrics.json": '{"x": {"pass@1[avg-of-4]": {"symbolic_correct": 50.0}}}'}, votes=True
        ),
        "lighteval": Spelling("lighteval", named),
        "lighteval, averages": Spelling("lighteval", {"details_x_2025.parquet": parquet(average)}),
        "lighteval of 2024": Spelling("lighteval", {"details_x_2024.parquet": parquet(aged)}, numbered=True),
        "best-of-infinity": Spelling("best-of-infinity", {"analysis_x.jsonl": lines(infinity)}, votes=True),
        "search-and-learn": Spelling("search-and-learn", {"s.jsonl": lines(learn)}, votes=True),
        "search-and-learn, array": Spelling("search-and-learn", {"s.json": json.dumps(learn)}, votes=True),
        "monkeys, rows": Spelling("monkeys", {"m.jsonl": lines(monkeys)}),
        "monkeys, parquet": Spelling("monkeys", {"m": parquet(monkeys)}),
        "monkeys, folder": Spelling("monkeys", yaml),
    }


def inspect() -> dict[str, Spelling]:
    letter = {1: "C", 0: "I"}
    usage = {"m": {"output_tokens": 7}}
    frame = each(
        lambda t, i, g: (
            {"sample_id": f"u{t}{i}", "eval_id": "e", "log": "logs/l.eval", "id": t, "epoch": i + 1}
            | {"input": "a\nb", "score_match": letter[g], "model_usage": json.dumps(usage), "error": None}
        )
    )

    def sample(t, epoch, g):
        score = {"value": letter[g], "answer": RIGHT if g else "7"}
        return {"id": t, "epoch": epoch, "scores": {"match": score}, "model_usage": usage}

    def log(samples, **more):
        spec = {"task": "t", "model": "m"} | more
        return json.dumps({"version": 2, "status": "success", "eval": spec, "samples": samples})

    runs = {f"2025_{i}.json": log([sample(t, 1, gs[i]) for t, gs in GRADES.items()]) for i in range(4)}
    whole = log([sample(t, i + 1, g) for t, i, g in SAMPLES])
    two = each(lambda t, i, g: frame[0] | {"id": t, "epoch": i + 1, "score_match": letter[g], "score_b": "C"})
    return {
        "inspect": Spelling("inspect", {"l.json": whole}, votes=True),
        "inspect, a run a file": Spelling("inspect", runs, votes=True),
        "inspect's samples": Spelling("inspect-samples", {"samples.csv": table(frame)}),
        "inspect's samples, parquet": Spelling("inspect-samples", {"samples.parquet": parquet(frame)}),
        "inspect's samples, scorer": Spelling("inspect-samples", {"s.csv": table(two)}, {"scorer": "match"}),
    }


SPELLINGS = tidy() | counts() | code() | harnesses() | inspect()
