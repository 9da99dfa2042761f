"""The command line: stdout, stderr and exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ds3sim.cli.main import main
from ds3sim.core.errors import InputError
from ds3sim.theory.cost import CostModel

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


def test_json_of_run(here, cli):
    result = cli.json("run", "x.toml")
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


def test_costs_are_those_of_the_cost_model(here, cli):
    strategies = (
        '[strategies.cot]\n[strategies.tot]\nstep = "tot"\nbranches = 2\naggregate = "best_of_n"\nn = 3\n'
        '[strategies.stop]\naggregate = "majority"\nn = 2\n'
    )
    here(EXACT + COST + strategies)
    result = cli.json("run", "x.toml", "--set", "budget.steps=[15]")
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


def test_reference_is_there_when_it_can_be_had(here, cli):
    here(SEVERAL.replace('kind = "chain"\nskills = 3', 'kind = "layered"\nlayers = 2\nwidth = 2\nback = 0.1'))
    result = cli.json("run", "x.toml")
    assert [row["strategy"] for row in result["results"]] == ["cot"] * 3 + ["tot"] * 3 + ["beam"] * 3
    assert [row["strategy"] for row in result["reference"]] == ["cot"] * 3 + ["tot"] * 3
    assert {row["by"] for row in result["reference"]} == {"exact"}
    assert set(result["stopping"]) == {"cot", "tot", "beam"}


def test_tables(here, cli):
    here(EXACT)
    lines = [line.rstrip() for line in cli("run", "x.toml").splitlines()]
    assert cli.err == ""
    assert lines[0] == "small: engine exact"
    assert lines[2].split() == ["steps", "success", "theory", "expected", "steps", "tokens"]
    assert [line.split() for line in lines[4:7]] == [
        ["2", "0.00000", "0.00000", "2", "50"],
        ["4", "0.31250", "0.31250", "3.875", "96.88"],
        ["8", "0.85547", "0.85547", "5.633", "140.8"],
    ]
    assert lines[-1] == "theory: closed form. Steps, tokens: mean of a task."
    here(SEVERAL + COST)
    out = cli("run", "x.toml")
    assert "95% interval" in out
    assert "FLOPs" in out
    assert [line.split()[0] for line in out.splitlines()[4:13]] == ["cot"] * 3 + ["tot"] * 3 + ["beam"] * 3


def test_out_holds_everything(here, cli, tmp_path):
    result = json.loads(cli("run", "x.toml", "--out", "out", "--json"))
    assert cli.err == f"report: {tmp_path / 'out' / 'report.html'}\n"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.html", "results.csv", "results.json", "config.toml", "accuracy.png", "cost.svg"} <= names
    cli("report", "out", "--out", "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert cli.json("run", "out/config.toml")["results"] == result["results"]


def test_schema_version_help(cli):
    assert json.loads(cli("schema"))["title"] == "Config"
    assert cli("--version").startswith("ds3sim ")
    for argv in (["--help"], ["run", "--help"], ["validate", "--help"]):
        assert cli(*argv).startswith("usage: ds3sim")


def test_validate_and_doctor_say_what_they_found(here, cli):
    assert "DISAGREES" in cli("validate", "x.toml", "--perturb", "0.3", code=1)
    assert cli("doctor").count("\nok ") == 2


def test_doctor_sees_wrong_random_numbers(monkeypatch):
    from ds3sim.core import rng
    from ds3sim.study.doctor import _random_numbers

    monkeypatch.setattr(rng, "threefry2x32", lambda a, b, c, d: (a + c, b + d))
    assert _random_numbers().passed is False


def test_lost_results_are_printed_when_the_disk_refuses(here, cli, monkeypatch):
    from ds3sim.report import write

    def refuse(*_, **__):
        raise InputError("out: cannot be written: No space left on device")

    monkeypatch.setattr(write, "write_run", refuse)
    out = cli("run", "x.toml", "--engine", "exact", "--json", "--out", "out", code=2)
    assert json.loads(out)["name"] == "small"
    assert cli.err == "error: out: cannot be written: No space left on device\n"


def start(arguments, cwd):
    """A Python process with this checkout in its path."""
    root = Path(__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


# Ctrl-C comes when the first launch is done, and again while the engine waits for its threads.
INTERRUPTED = """
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor as Pool
from ds3sim.cli import main as cli
from ds3sim.core import progress
signal.signal(signal.SIGINT, signal.default_int_handler)
progress.Stage.advance = lambda *_: os.kill(os.getpid(), signal.SIGINT)
leave = Pool.__exit__
Pool.__exit__ = lambda self, *what: [signal.raise_signal(signal.SIGINT), leave(self, *what)][1]
sys.exit(cli.main(sys.argv[1:]))
"""


def test_ctrl_c_and_a_second_one_at_once_keep_what_was_computed(here, tmp_path):
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


def test_ctrl_c_before_anything_was_computed(here, cli, monkeypatch):
    from ds3sim.study import evaluate as study_run

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(study_run, "evaluate_tasks", stop)
    assert cli("run", "x.toml", "--json", code=130) == ""
    assert cli.err == "interrupted: nothing was finished\n"


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    process = start(["-m", "ds3sim", "schema"], tmp_path)
    process.stdout.close()
    assert process.wait(timeout=900) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_module_can_be_run(tmp_path):
    process = start(["-m", "ds3sim", "run", "none.toml"], tmp_path)
    assert process.communicate(timeout=900) == (
        "",
        f"error: none.toml: there is no such file (working folder {tmp_path}): check the path\n",
    )
    assert process.returncode == 2


@pytest.mark.parametrize("ending", ["json", "csv", "nc"])
@pytest.mark.parametrize("command", ["allocate", "train", "plan"])
def test_every_command_with_results_writes_them(command, ending, tmp_path, capsys):
    """--out FILE of commands beside run, sweep, choose and validate, which have tests of their own."""
    (tmp_path / "counts.csv").write_text("problem,n,correct\n" + "".join(f"p{i},8,{i % 9}\n" for i in range(30)))
    configs = Path(__file__).parent.parent / "configs"
    given = {
        "allocate": [str(configs / "allocate.toml"), "--set", "allocate.compute=[1e22]"],
        "train": [str(configs / "train.toml"), "--set", "simulation.graphs=2"],
        "plan": [str(tmp_path / "counts.csv"), "--tokens", "1e4", "--tokens-per-sample", "10"],
    }[command]
    out = tmp_path / f"out.{ending}"
    assert main([command, *given, "--out", str(out), "--json"]) == 0
    assert out.stat().st_size > 0
    if ending == "json":
        assert json.loads(out.read_text()) == json.loads(capsys.readouterr().out)
    assert main([command, *given, "--out", str(tmp_path / "out.txt")]) == 2
