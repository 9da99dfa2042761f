"""Every option of every command with a valid and an invalid value, and every option that a message recommends."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from ds3sim.cli.main import build_parser, main

ROOT = Path(__file__).parents[1]
INPUTS = ROOT / "tests" / "golden" / "inputs"

TIDY = "fit pass-at-n odd.csv --problem p --sample s --correct c --answer a --tokens-column t --score v --threshold 0.5"
COST = "--parameters 1e9 --prompt-tokens 10 --layers 4 --attention-width 64"
LM = "lm.jsonl --filter f --metric acc --pattern '([0-9])' --match 0"
GIVEN = "--latent 0.9,0.5,1.5 --errors uniform --at 2"
READ = {
    "table": TIDY.removeprefix("fit pass-at-n ") + f" {COST}",
    "counts": "counts.csv --n n --format counts --tokens-per-sample 30",
    "lm-eval": LM,
    "Inspect": "inspect.json --scorer s --key k --model m --failures wrong",
    "search-and-learn": "learn.jsonl --aggregate min --compare spelling",
    "curve": "curve.csv --x N --y pass --problems 50",
}
"""Arguments on a log that valid lines of fit and plan share; each kind of log has its own."""

VALID = {
    "run": [
        "chain.toml --set name=x --seed 3 --traces 50 --chunk 50 --store a.ds3 --out out --json --quiet",
        "chain.toml --engine exact --quiet",
        "chain.toml --distributed --coordinator 127.0.0.1:12355 --process 0 --processes 1 --quiet",
    ],
    "sweep": [
        "axes.toml --set name=x --seed 3 --traces 50 --chunk 50 --store b.ds3 --out found.csv --json --quiet",
        "axes.toml --engine exact --executor processes --workers 1 --quiet",
    ],
    "choose": [
        "two.toml --set name=x --seed 3 --traces 50 --chunk 50 --store c.ds3 --out out.csv --json --quiet",
        "two.toml --engine closed_form --executor processes --workers 1 --quiet",
    ],
    "validate": [
        "chain.toml --set name=x --traces 2000 --engine traces --perturb 0 --seed 3 --out v.csv --json --quiet",
        "chain.toml --executor processes --workers 1 --quiet",
    ],
    "report": ["kept --out page.html", "s.ds3 --sweep chain --out page.html"],
    "merge": ["s.ds3 t.ds3 --out m.ds3 --json"],
    "export": [
        "axes.toml --set name=x --format prism --out m --strategy a --point 0",
        "tasks.toml --part 1 --format drn --out n",
    ],
    "reproduce": ["optimal-branching --out r --quick --seed 1 --quiet", "aime --out q --quick --data data --quiet"],
    "allocate": ["allocate.toml --set name=x --out al.json --json --quiet"],
    "train": ["train.toml --set simulation.enabled=false --seed 2 --out tr.csv --json --quiet"],
    "fit pass-at-n": [*READ.values(), "counts.csv --at 1,5 --out f --json --quiet"],
    "fit votes": [
        f"{READ['table']} {GIVEN}",
        f"{READ['counts']} {GIVEN}",
        f"{LM} {GIVEN}",
        f"{READ['Inspect']} {GIVEN}",
        f"{READ['search-and-learn']} {GIVEN}",
        f"curve.csv --x N --y pass {GIVEN}",
        "counts.csv --pass-at-n curve.csv --problems 50 --errors geometric --at 2 --out w --json --quiet",
    ],
    "plan": [
        *(f"{line} --target 0.3" for name, line in READ.items() if name in ("lm-eval", "Inspect", "search-and-learn")),
        f"{READ['table']} --flops 1e13 --errors geometric --out pl.nc --json --quiet",
        f"{READ['counts']} --tokens 100 --errors uniform",
        f"{READ['curve']} --tokens 100 --tokens-per-sample 10",
    ],
    "schema": [""],
    "doctor": ["--json"],
}
"""Lines of every command that together use all of its options."""

NUMBER = ("x", "-1", "nan")
WRONG = {
    "--set": ("nothing", "budget.step=3"), "--seed": ("x", "-1", "1.5"), "--traces": ("x", "0"), "--chunk": ("x", "0"),
    "--engine": ("magic",), "--store": ("chain.toml",), "--out": ("chain.toml/x.csv",), "--perturb": ("x",),
    "--sweep": ("nothing",), "--format": ("nothing",), "--strategy": ("nothing",), "--point": ("9", "x"),
    "--part": ("9", "x"), "--data": ("nowhere",), "--at": ("x", "0", "2.5"), "--pass-at-n": ("nowhere.csv",),
    "--latent": ("1,2", "2,1,1", "a,b,c"), "--errors": ("nothing", "wrong"), "--target": ("x", "0", "2"),
    "--flops": NUMBER, "--tokens": NUMBER, "--problems": (*NUMBER, "1.5"), "--tokens-per-sample": NUMBER,
    "--parameters": NUMBER, "--prompt-tokens": NUMBER, "--layers": NUMBER, "--attention-width": NUMBER,
    "--problem": ("nothing",), "--sample": ("nothing",), "--correct": ("nothing",), "--answer": ("nothing",),
    "--tokens-column": ("nothing",), "--score": ("nothing",), "--n": ("nothing",), "--threshold": ("x", "0", "2"),
    "--filter": ("nothing",), "--metric": ("nothing",), "--pattern": ("(",), "--match": ("x", "1.5"),
    "--scorer": ("nothing",), "--key": ("nothing",), "--model": ("nothing",), "--failures": ("nothing", "skipped"),
    "--executor": ("nothing", "processes:4"), "--workers": ("x", "0", "1.5"), "--coordinator": ("nowhere",),
    "--process": ("x", "-1", "1"), "--processes": ("x", "0"),
    "--aggregate": ("nothing",), "--compare": ("nothing",), "--x": ("nothing",), "--y": ("nothing",),
}  # fmt: skip
"""Values that each option refuses."""

FOREIGN = {"--log", "--save-details", "--evaluate"}
"""Options of other programs that messages name (``--log_samples`` of lm-eval)."""


def commands() -> dict[str, dict[str, argparse.Action]]:
    """Command -> option -> what takes it."""
    found: dict[str, dict[str, argparse.Action]] = {}

    def walk(parser, name):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for key, below in action.choices.items():
                    walk(below, f"{name} {key}".strip())
                return
        named = {a.option_strings[-1]: a for a in parser._actions if a.option_strings and a.dest != "help"}
        found[name] = named

    walk(build_parser(), "")
    return found


def options_in(line: str) -> set[str]:
    return {word for word in shlex.split(line) if word.startswith("--")}


COMMANDS = commands()
LINES = [(command, line) for command, lines in VALID.items() for line in lines]
PAIRS = [
    (command, option, value)
    for command, options in COMMANDS.items()
    for option, action in options.items()
    if action.nargs != 0
    for value in WRONG.get(option, ())
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small files for every command."""
    folder = tmp_path_factory.mktemp("options")
    for name in ("chain.toml", "counts.csv"):
        shutil.copy(INPUTS / name, folder / name)
    chain = (INPUTS / "chain.toml").read_text().replace("traces = 2000", "traces = 200")
    two = chain + '[strategies.a]\nstep = "cot"\n[strategies.b]\naggregate = "best_of_n"\nn = 2\n'
    (folder / "chain.toml").write_text(chain)
    (folder / "two.toml").write_text(two.replace("steps = [4, 10, 30]", "tokens = [200, 900]"))
    (folder / "axes.toml").write_text(two.replace("[4, 10, 30]", "[10]") + '[sweep.axes]\n"graph.skills" = [2, 4]\n')
    graph = chain[chain.index("[graph]") : chain.index("[budget]")]
    mixed = "[tasks]\nskills = [1, 2]\nsuccess = [0.4]\n"
    (folder / "tasks.toml").write_text(chain.replace(graph, mixed))
    (folder / "allocate.toml").write_text(
        (ROOT / "configs" / "allocate.toml").read_text().replace("{log = [1e20, 1e24, 9]}", "[1e21]")
    )
    shutil.copy(ROOT / "configs" / "train.toml", folder / "train.toml")
    (folder / "curve.csv").write_text("N,pass\n1,0.2\n4,0.4\n16,0.6\n64,0.7\n256,0.8\n")
    rows = ["p,s,c,a,t,v"] + [
        f"q{p},{i},{int(i < p)},{'r' if i < p else f'w{i % 2}'},{i + 5},0.{i}" for p in range(5) for i in range(6)
    ]
    (folder / "odd.csv").write_text("\n".join(rows) + "\n")

    def lines(name, rows):
        (folder / name).write_text(lines_of(rows))

    texts = [[str(7 if i < p else i % 2) for i in range(6)] for p in range(5)]
    graded = {"target": "7", "metrics": ["acc", "f1"], "f1": 0.5}
    lines("lm.jsonl", [graded | {"doc_id": p, "resps": [texts[p]], "filtered_resps": texts[p][:1], "filter": f}
                       | {"acc": float(p > 0)} for p in range(5) for f in "fg"])  # fmt: skip
    lines("learn.jsonl", [{"problem": f"q{p}", "answer": "7", "completions": [f"\\boxed{{{t}}}" for t in texts[p]]}
                          | {"scores": [[0.5, 0.1]] * 6} for p in range(5)])  # fmt: skip
    samples = [
        {"id": p, "epoch": i + 1, "error": "e", "scores": None}
        if i == 5
        else {
            "id": p,
            "epoch": i + 1,
            "scores": {"s": {"value": {"k": int(i < p), "l": 1}, "answer": texts[p][i]}, "u": {"value": "CI"[i % 2]}},
        }
        | {"model_usage": {"m": {"output_tokens": 3}, "o": {"output_tokens": 1}}}
        for p in range(5)
        for i in range(6)
    ]
    log = {"version": 2, "status": "success", "eval": {"task": "t", "model": "z"}, "samples": samples}
    (folder / "inspect.json").write_text(json.dumps(log))
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def lines_of(rows) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def call(capsys, line: str) -> tuple[int, str, str]:
    code = main(shlex.split(line))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(scope="module", autouse=True)
def kept(folder):
    """A folder of a run and two stores, for what reads them."""
    import contextlib
    import io

    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for line in (
            "run chain.toml --out kept --traces 20 --quiet",
            "sweep axes.toml --store s.ds3 --traces 20 --quiet",
            "sweep axes.toml --store t.ds3 --traces 20 --seed 4 --quiet",
        ):
            assert main(shlex.split(line)) == 0
    (folder / "data").mkdir()


def test_every_option_has_a_valid_and_an_invalid_line():
    assert set(VALID) == set(COMMANDS)
    for command, options in COMMANDS.items():
        assert set().union(*(options_in(line) for line in VALID[command])) == set(options), command
        missing = [name for name, action in options.items() if action.nargs != 0 and name not in WRONG]
        assert not missing, (command, missing)


@pytest.mark.parametrize(("command", "line"), LINES, ids=[f"{c} {line[:40]}" for c, line in LINES])
def test_valid_values_are_taken(here, capsys, command, line):
    code, _, err = call(capsys, f"{command} {line}")
    assert code == 0, err


@pytest.mark.parametrize(("command", "option", "value"), PAIRS, ids=[" ".join(pair) for pair in PAIRS])
def test_invalid_values_are_refused(here, capsys, command, option, value):
    """The first valid line that has the option, with another value: one line, exit 2, nothing on stdout."""
    words = next(shlex.split(line) for line in VALID[command] if option in options_in(line))
    words[words.index(option) + 1] = value
    code, out, err = call(capsys, f"{command} {shlex.join(words)}")
    errors = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert code == 2 and out == "", (out, err)
    assert len(errors) == 1 and errors[0].startswith("error: "), err


# ---- what messages recommend -----------------------------------------------------------------------


def recommended() -> list[tuple[str, str]]:
    """(module, option) of every option that a text in the package names."""
    found = set()
    for path in sorted((ROOT / "ds3sim").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", node.value):
                    found.add((str(path.relative_to(ROOT / "ds3sim")), option))
    return sorted(found)


def test_options_that_texts_name_exist():
    known = {option for options in COMMANDS.values() for option in options} | FOREIGN | {"--help", "--version"}
    assert [pair for pair in recommended() if pair[1] not in known] == []
    read = set.intersection(*(set(COMMANDS[name]) for name in ("fit pass-at-n", "fit votes", "plan")))
    logs = [pair for pair in recommended() if pair[0].startswith("fit/logs") and pair[1] not in FOREIGN]
    assert [pair for pair in logs if pair[1] not in read] == []
    assert len(logs) > 10


RECOMMENDED = {
    "--failures wrong": ("inspect.json --scorer s --key k", "fit pass-at-n"),
    "--failures skip": ("inspect.json --scorer s --key k --failures wrong", "fit pass-at-n"),
    "--model m": ("inspect.json --scorer s --key k", "fit pass-at-n"),
    "--threshold 0.5": ("part.csv", "fit pass-at-n"),
    "--metric f1": ("one.jsonl", "fit pass-at-n"),
    "--metric base": ("plus.json", "fit pass-at-n"),
    "--answer answer": ("gold.jsonl", "fit pass-at-n"),
    "--format curve": ("ones.csv", "fit pass-at-n"),
    "--pattern '([0-9])'": ("lm.jsonl --filter f --metric acc", "fit pass-at-n"),
    "--filter g": ("several.jsonl", "fit pass-at-n"),
    "--scorer u": ("inspect.json", "fit pass-at-n"),
    "--x n --y rate": ("three.csv", "fit pass-at-n"),
    "--problem who --correct how": ("which.csv", "fit pass-at-n"),
}
"""What a note or a refusal recommends: the log that brings it, and a command."""


@pytest.mark.parametrize("option", RECOMMENDED)
def test_what_is_recommended_works(here, capsys, option):
    grades = [int(i % 3 < p) for p in range(4) for i in range(6)]
    files = {
        "part.csv": "problem,correct\n" + "".join(f"q{i // 6},{g or 0.6 * (i % 2)}\n" for i, g in enumerate(grades)),
        "ones.csv": "n,y\n1,0\n2,1\n3,1\n4,1\n",
        "three.csv": "n,other,rate\n1,3,0.2\n4,3,0.4\n16,3,0.6\n64,3,0.7\n",
        "which.csv": "who,how\n" + "".join(f"q{i // 6},{g}\n" for i, g in enumerate(grades)),
        "gold.jsonl": lines_of({"id": i // 6, "answer": "7", "is_correct": g} for i, g in enumerate(grades)),
    }
    status = {True: "pass", False: "fail"}
    solved = {
        f"q{p}": [{"base_status": status[i < p], "plus_status": status[i < p - 1]} for i in range(6)] for p in range(4)
    }
    files["plus.json"] = json.dumps({"eval": solved})
    row = {"target": "7", "resps": [["7"] * 4], "filtered_resps": [["7"] * 4], "filter": "f", "metrics": ["acc", "f1"]}
    kept = [row | {"doc_id": p, "acc": [1, p % 2, 0, 0], "f1": [1, 1, p % 3, 0]} for p in range(4)]
    kept = [each | {"f1": [min(g, 1) for g in each["f1"]]} for each in kept]
    files["one.jsonl"] = lines_of(kept)
    files["several.jsonl"] = lines_of(each | {"filter": f} for each in kept for f in "fg")
    for name, text in files.items():
        (here / name).write_text(text)
    log, command = RECOMMENDED[option]
    name = option.split()[0]
    _, _, err = call(capsys, f"{command} {log}")
    assert name in err, err
    code, _, err = call(capsys, f"{command} {re.sub(name + r' [^ ]+', '', log)} {option}")
    assert code == 0, err


def test_notes_are_printed_whatever_happens_after(here, capsys):
    (here / "none.csv").write_text("problem,correct,extra\na,0,1\na,nan,1\na,0,1\nb,0,1\nb,0,1\n")
    code, _, err = call(capsys, "fit pass-at-n none.csv")
    *notes, error = err.splitlines()
    assert code == 2 and error.startswith("error: ") and "nothing can be fitted" in error
    assert "note: 1 samples have no grade: they are unscored and left out" in notes
    assert all(note.startswith("note: ") for note in notes)
