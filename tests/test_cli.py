"""The command line: stdout, stderr and exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ds3sim.cli.main import main

BASE = """
name = "small"
[graph]
kind = "chain"
skills = 3
success = 0.5
[budget]
steps = [2, 4, 8]
[engine]
traces = 20_000
"""
COST = "[cost]\nparameters = 1e9\nprompt_tokens = 100\nlayers = 32\nattention_width = 4096\n"
SEVERAL = BASE + '[strategies.cot]\n[strategies.tot]\nstep = "tot"\nbranches = 2\n[strategies.beam]\nstep = "beam"\n'
EXACT = BASE.replace("traces = 20_000", 'kind = "exact"')


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="x.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    write(BASE)
    return write


def result_of(capsys, *argv):
    assert main(["run", *argv, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_json_of_run(here, capsys):
    result = result_of(capsys, "x.toml")
    keys = "name engine seed traces stopping results reference environment"
    assert list(result) == keys.split()
    assert (result["name"], result["engine"], result["seed"], result["traces"]) == ("small", "traces", 0, 20_000)
    assert [row["steps"] for row in result["results"]] == [2, 4, 8]
    assert {"ds3sim", "jax", "device", "wall_s"} <= set(result["environment"])
    for row, reference, exact in zip(result["results"], result["reference"], (0.0, 5 / 16, 219 / 256), strict=True):
        assert reference["by"] == "closed_form"
        assert reference["steps"] == row["steps"]
        assert reference["success"] == pytest.approx(exact, abs=1e-14)
        success = row["success"]
        assert success["low"] <= success["estimate"] <= success["high"]
        error = (exact * (1 - exact) / 20_000) ** 0.5
        assert abs(success["estimate"] - exact) <= 5 * error
        assert row["expected_tokens"] == 25 * row["expected_steps"]["estimate"]
        assert row["budget_tokens"] == 25 * row["steps"]
        assert row["expected_flops"] is row["mean_flops"] is row["budget_flops"] is None


@pytest.mark.parametrize("engine", ["exact", "closed_form"])
def test_numbers_have_no_interval(here, capsys, engine):
    result = result_of(capsys, "x.toml", "--engine", engine)
    assert (result["engine"], result["traces"]) == (engine, 0)
    for row, exact in zip(result["results"], (0.0, 5 / 16, 219 / 256), strict=True):
        assert row["success"]["low"] == row["success"]["estimate"] == row["success"]["high"]
        assert row["success"]["estimate"] == pytest.approx(exact, abs=1e-14)


@pytest.mark.parametrize("engine", ["traces", "population", "importance"])
def test_random_engines_come_near(here, capsys, engine):
    result = result_of(capsys, "x.toml", "--engine", engine, "--set", "budget.steps=[8]")
    (row,) = result["results"]
    assert abs(row["success"]["estimate"] - 219 / 256) <= 5 * (row["success"]["high"] - row["success"]["low"]) / 3.9
    assert row["traces"] == 20_000


def test_seed_decides_and_chunk_does_not(here, capsys):
    def rows(*options):
        return result_of(capsys, "x.toml", *options)["results"]

    first = rows("--seed", "7")
    assert first == rows("--set", "seed=7", "--chunk", "1024")
    assert first != rows("--seed", "8")
    assert rows("--traces", "3e3")[0]["traces"] == 3000


def test_costs_are_those_of_the_cost_model(here, capsys):
    from ds3sim.theory.cost import CostModel

    strategies = (
        '[strategies.cot]\n[strategies.tot]\nstep = "tot"\nbranches = 2\naggregate = "best_of_n"\nn = 3\n'
        '[strategies.stop]\naggregate = "majority"\nn = 2\n'
    )
    here(EXACT + COST + strategies)
    result = result_of(capsys, "x.toml", "--set", "budget.steps=[15]")
    model = CostModel(25, 1e9, 100, 32, 4096)
    for row, (b, n) in zip(result["results"], ((1, 1), (2, 3), (1, 2)), strict=True):
        k, steps = 15 // n, row["expected_steps"]["estimate"]
        # The law of min(T, k) by hand: chain of 3 skills with chance r a step.
        r, alive, mean, square = 1 - 0.5**b, [1.0, 0.0, 0.0], 0.0, 0.0
        for j in range(k):
            mean += sum(alive)
            square += (2 * j + 1) * sum(alive)
            alive = [alive[0] * (1 - r), alive[1] * (1 - r) + alive[0] * r, alive[2] * (1 - r) + alive[1] * r]
        assert row["steps_per_trace"] == k
        assert steps == pytest.approx(n * mean, rel=1e-12)
        assert row["expected_tokens"] == pytest.approx(b * 25 * n * mean, rel=1e-12)
        assert row["budget_tokens"] == b * 25 * n * k
        assert row["expected_flops"] == pytest.approx(model.flops(25 * mean, b, n), rel=1e-12)
        assert row["mean_flops"] == pytest.approx(model.mean_flops(25 * mean, 625 * square, b, n), rel=1e-12)
        assert row["mean_flops"] > row["expected_flops"]
        assert row["budget_flops"] == pytest.approx(model.flops(25 * k, b, n), rel=1e-12)


def test_reference_is_there_when_it_can_be_had(here, capsys):
    here(SEVERAL.replace('kind = "chain"\nskills = 3', 'kind = "layered"\nlayers = 2\nwidth = 2\nback = 0.1'))
    result = result_of(capsys, "x.toml")
    assert [row["strategy"] for row in result["results"]] == ["cot"] * 3 + ["tot"] * 3 + ["beam"] * 3
    assert [row["strategy"] for row in result["reference"]] == ["cot"] * 3 + ["tot"] * 3
    assert {row["by"] for row in result["reference"]} == {"exact"}
    assert set(result["stopping"]) == {"cot", "tot", "beam"}


def test_relative_error_goes_on_until_reached(here, capsys):
    options = ("--set", "engine.relative_error=0.01", "--set", "engine.max_traces=1e6", "--set", "budget.steps=[8]")
    result = result_of(capsys, "x.toml", *options)
    assert result["stopping"]["rule"] == "relative_error"
    assert result["stopping"]["reached"] is True
    p = result["results"][0]["success"]["estimate"]
    assert ((1 - p) / (p * result["traces"])) ** 0.5 <= 0.01


def test_tables(here, capsys):
    here(EXACT)
    assert main(["run", "x.toml"]) == 0
    out, err = capsys.readouterr()
    lines = [line.rstrip() for line in out.splitlines()]
    assert err == ""
    assert lines[0] == "small: engine exact"
    assert lines[2].split() == ["steps", "success", "theory", "expected", "steps", "tokens"]
    assert [line.split() for line in lines[4:7]] == [
        ["2", "0.00000", "0.00000", "2", "50"],
        ["4", "0.31250", "0.31250", "3.875", "96.88"],
        ["8", "0.85547", "0.85547", "5.633", "140.8"],
    ]
    assert lines[-1] == "theory: closed form. Steps, tokens: mean of a task."
    here(SEVERAL + COST)
    assert main(["run", "x.toml"]) == 0
    out = capsys.readouterr().out
    assert "95% interval" in out
    assert "FLOPs" in out
    assert [line.split()[0] for line in out.splitlines()[4:13]] == ["cot"] * 3 + ["tot"] * 3 + ["beam"] * 3


def test_out_holds_everything(here, capsys, tmp_path):
    assert main(["run", "x.toml", "--out", "out", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["name"] == "small"
    assert err == f"report: {tmp_path / 'out' / 'report.html'}\n"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.html", "results.csv", "results.json", "config.toml", "accuracy.png", "cost.svg"} <= names
    assert main(["report", "out", "--out", "again.html"]) == 0
    assert (tmp_path / "again.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert main(["run", "out/config.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == json.loads(out)["results"]


@pytest.mark.parametrize("kind", ["prism", "drn"])
def test_export(here, capsys, tmp_path, kind):
    here(SEVERAL)
    assert main(["export", "x.toml", "--format", kind, "--out", "model", "--strategy", "tot"]) == 0
    assert capsys.readouterr() == ("", "")
    assert "0.75" in (tmp_path / "model").read_text()
    assert main(["export", "x.toml", "--format", kind, "--out", "other"]) == 2
    assert capsys.readouterr().err == (
        "error: x.toml: has 3 strategies: choose one with strategy = cot or tot or beam\n"
    )
    assert not (tmp_path / "other").exists()


def test_schema_version_help(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Config"
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ds3sim ")
    for argv in (["--help"], ["run", "--help"], ["validate", "--help"]):
        assert main(argv) == 0
        assert capsys.readouterr().out.startswith("usage: ds3sim")


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from ds3sim.cli.main import main; main(['--help']);"
        "print([m for m in ('jax', 'numpy', 'pydantic', 'rich', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_doctor(here, capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is True
    assert found["x64"] is False
    assert [check["name"] for check in found["checks"]] == ["random numbers", "traces engine"]
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.count("\nok ") == 2


def test_doctor_sees_wrong_random_numbers(monkeypatch):
    from ds3sim.core import rng
    from ds3sim.study.doctor import _random_numbers

    monkeypatch.setattr(rng, "threefry2x32", lambda a, b, c, d: (a + c, b + d))
    assert _random_numbers().passed is False


def test_validate_one_config(here, capsys):
    here(BASE.replace("0.5", "0.3").replace("20_000", "400_000"))
    assert main(["validate", "x.toml", "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["passed"] is True
    assert outcome["family_wise_error"] == 1e-3
    assert set(outcome["cases"][0]) == {"name", "quantity", "estimate", "expected", "z", "p_adjusted", "passed"}
    assert main(["validate", "x.toml", "--perturb", "0.1"]) == 1
    assert "DISAGREES" in capsys.readouterr().out


ERRORS = [
    ("", "the following arguments are required: COMMAND (see ds3sim --help)"),
    ("run", "the following arguments are required: CONFIG (see ds3sim run --help)"),
    ("run x.toml --foo", "unrecognized arguments: --foo (see ds3sim --help)"),
    ("run x.toml --set", "argument --set: expected one argument (see ds3sim run --help)"),
    ("run none.toml", "none.toml: there is no such file (working folder {here}): check the path"),
    ("run .", ".: is a folder: name the file in it"),
    ("run x.toml --set x", "--set x: is not key=value: write it as in --set engine.traces=1e6"),
    ("run x.toml --set graph.skils=3", "--set graph.skils=3: unknown key graph.skils: did you mean graph.skills?"),
    ("run x.toml --set graph=3", "--set graph=3: graph = 3: must be a table, as in [graph]"),
    ("run x.toml --set budget.steps=[1,-2]", "--set budget.steps=[1,-2]: budget.steps[1] = -2: must be at least 0"),
    ("run x.toml --seed x", "--seed x: seed = 'x': must be a whole number"),
    ("run x.toml --seed=-1", "--seed -1: seed = -1: must be at least 0"),
    ("run x.toml --traces 0", "--traces 0: engine.traces = 0: must be at least 1"),
    ("run x.toml --traces nan", "--traces nan: engine.traces = nan: must be a whole number"),
    ("run x.toml --chunk 0.5", "--chunk 0.5: engine.chunk = 0.5: must be a whole number"),
    (
        "run x.toml --engine exakt",
        "--engine exakt: engine.kind = 'exakt':"
        " choose traces, population, importance, exact or closed_form (did you mean exact?)",
    ),
    (
        "run beam.toml --engine exact",
        "beam.toml: engine.kind = exact: step = beam has no small transition tensor: use engine traces,"
        " or tot for width 1",
    ),
    ("run x.toml --set name=\udcff", "--set name=\\udcff: name = '\\udcff': must be UTF-8 text"),
    (
        "run x.toml --set a" + ".a" * 40 + "=1",
        "--set a" + ".a" * 40 + "=1: the key has more than 32 parts: no config needs that",
    ),
    (
        "run x.toml --set graph.success=1" + "0" * 400,
        "--set graph.success=1" + "0" * 182 + "...: graph.success = 1" + "0" * 56 + "...: must be a finite number",
    ),
    ("run x.toml --out=", "--out : is not the name of a folder: name one for the results"),
    ("run x.toml --out file", "file: is a file: give a folder for the results"),
    ("run x.toml --out .", ".: is a folder with files that ds3sim run did not write: give a new or an empty folder"),
    ("validate none.toml", "none.toml: there is no such file (working folder {here}): check the path"),
    ("validate --perturb x", "argument --perturb: invalid float value: 'x' (see ds3sim validate --help)"),
    ("validate --perturb nan", "--perturb = nan is not allowed: it must be a number between -0.5 and 0.5"),
    ("validate --set seed=1", "--set needs a CONFIG: name the config that it changes"),
    (
        "report none --out y.html",
        "none: no such file or folder: give a folder of run --out or a store of sweep --store",
    ),
    (
        "validate --seed 1.5",
        "--seed = 1.5 is not allowed: it must be a whole number between 0 and 9223372036854775807",
    ),
    (
        "validate x.toml --set seed=1",
        "--set seed=1: has no effect on validate, whose simulations have their own: use --seed",
    ),
    ("report . --out y.html", ".: has no results.json: give a folder that ds3sim run --out wrote"),
    ("report . --out .", ".: is a folder: name a file"),
    ("export x.toml --format drn --out none/y", "none/y: there is no folder none: make it first"),
    (
        "export x.toml --format drn --out y --strategy a",
        "strategy = a: x.toml has no such strategy: only [strategy]: leave it out",
    ),
    (
        "export beam.toml --format drn --out y",
        "beam.toml: step = beam has no small transition tensor: use engine traces, or tot for width 1",
    ),
]


@pytest.mark.parametrize(("line", "message"), ERRORS, ids=[line for line, _ in ERRORS])
def test_errors_are_one_line(here, capsys, tmp_path, line, message):
    here(BASE + '[strategy]\nstep = "beam"\n', "beam.toml"), here("", "file")
    before = sorted(tmp_path.iterdir())
    assert main(line.split()) == 2
    assert capsys.readouterr() == ("", f"error: {message.replace('{here}', str(tmp_path))}\n")
    assert sorted(tmp_path.iterdir()) == before


GRAPHS = {
    "empty": "",
    "only a header": "source,target,probability\n",
    "no header": "A,B,0.5\n",
    "row above 1": "source,target,probability\nA,B,0.7\nA,Z,0.7\n",
    "negative": "source,target,probability\nA,Z,-0.5\n",
    "nan": "source,target,probability\nA,Z,nan\n",
    "text": "source,target,probability\nA,Z,often\n",
    "twice": "source,target,probability\nA,Z,0.5\nA,Z,0.2\n",
    "no start": "source,target,probability\nB,Z,0.5\n",
    "no goal": "source,target,probability\nA,B,0.5\n",
    "out of reach": "source,target,probability\nA,B,0.5\nZ,A,0.5\n",
    "too few columns": "source,target,probability\nA,Z\n",
    "encoding": b"source,target,probability\n\xff\xfe,Z,0.5\n",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_broken_graphs_are_one_line(here, capsys, tmp_path, name):
    text = GRAPHS[name]
    (tmp_path / "g.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    here('[graph]\nkind = "file"\npath = "g.csv"\nstart = "A"\ngoal = "Z"\n[budget]\nsteps = [5]\n')
    assert main(["run", "x.toml", "--out", "out"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: x.toml: graph")
    assert "g.csv" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_lost_results_are_printed_when_the_disk_refuses(here, capsys, monkeypatch):
    from ds3sim.core.errors import InputError
    from ds3sim.report import write

    def refuse(*_, **__):
        raise InputError("out: cannot be written: No space left on device")

    monkeypatch.setattr(write, "write_run", refuse)
    assert main(["run", "x.toml", "--engine", "exact", "--json", "--out", "out"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["name"] == "small"
    assert err == "error: out: cannot be written: No space left on device\n"


def start(arguments, cwd):
    """A Python process with this checkout in its path."""
    root = Path(__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


# Ctrl-C comes when the first launch is done.
INTERRUPTED = """
import os, signal, sys
from ds3sim.cli import main as cli
from ds3sim.core import progress
signal.signal(signal.SIGINT, signal.default_int_handler)
progress.Stage.advance = lambda *_: os.kill(os.getpid(), signal.SIGINT)
sys.exit(cli.main(sys.argv[1:]))
"""


def test_ctrl_c_keeps_what_was_computed(here, tmp_path):
    argv = ["run", "x.toml", "--json", "--out", "out", "--traces", "1e12", "--set", "budget.steps=[4]"]
    process = start(["-c", INTERRUPTED, *argv], tmp_path)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    result = json.loads(out)
    assert result["stopping"]["interrupted"] is True
    (row,) = result["results"]
    assert 0 < row["traces"] == result["traces"] < 10**12
    assert abs(row["success"]["estimate"] - 5 / 16) <= 5 * (55 / 256 / row["traces"]) ** 0.5
    assert result["reference"][0]["success"] == pytest.approx(5 / 16)
    assert (tmp_path / "out" / "results.json").is_file()


# The second one strikes while the engine waits for its threads.
INTERRUPTED_TWICE = INTERRUPTED.replace(
    "sys.exit",
    """from concurrent.futures import ThreadPoolExecutor as Pool
leave = Pool.__exit__
Pool.__exit__ = lambda self, *what: [signal.raise_signal(signal.SIGINT), leave(self, *what)][1]
sys.exit""",
)


def test_a_second_interrupt_at_once_loses_nothing(here, tmp_path):
    argv = ["run", "x.toml", "--json", "--traces", "1e12", "--set", "budget.steps=[4]"]
    process = start(["-c", INTERRUPTED_TWICE, *argv], tmp_path)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 130, err
    assert json.loads(out)["stopping"]["interrupted"] is True


def test_ctrl_c_before_anything_was_computed(here, capsys, monkeypatch):
    from ds3sim.study import evaluate as study_run

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(study_run, "evaluate_tasks", stop)
    assert main(["run", "x.toml", "--json"]) == 130
    assert capsys.readouterr() == ("", "interrupted: nothing was finished\n")


def test_a_reader_that_goes_away_is_no_error(here, tmp_path):
    process = start(["-m", "ds3sim", "schema"], tmp_path)
    process.stdout.close()
    assert process.wait(timeout=900) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_module_can_be_run(here, tmp_path):
    process = start(["-m", "ds3sim", "run", "none.toml"], tmp_path)
    assert process.communicate(timeout=900) == (
        "",
        f"error: none.toml: there is no such file (working folder {tmp_path}): check the path\n",
    )
    assert process.returncode == 2
