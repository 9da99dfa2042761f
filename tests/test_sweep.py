"""Sweeps: points, strategies side by side, distributions of tasks, stores, and the choice of a strategy."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ds3sim.config.read import read_config
from ds3sim.config.study import study_of
from ds3sim.core.errors import InputError
from ds3sim.engine.traces.walk import traced
from ds3sim.store.store import Store
from ds3sim.study.choose import choose
from ds3sim.study.run import run, sweep
from ds3sim.theory.difficulty import Bridge, Difficulty

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
BASE = """
seed = 5
[graph]
skills = 4
success = 0.2
[strategies.cot]
[strategies.tot]
step = "tot"
branches = 3
[strategies.best]
aggregate = "best_of_n"
n = 3
[budget]
steps = [12, 40]
[cost]
parameters = 1e9
layers = 24
attention_width = 2048
prompt_tokens = 100
[engine]
traces = 4000
"""
PLAIN = """
[graph]
skills = 3
success = 0.3
[budget]
steps = [5, 20]
[engine]
traces = 2000
"""


def sweep_of(tmp_path, text, *overrides, name="s.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return study_of(read_config(path, overrides))


def points_of(plan, store=None, progress=None):
    """The points as ``--json`` prints them, for plans without axes too."""
    found = (sweep if plan.axes else run)(plan, store=store, progress=progress).to_dict()
    return found.get("points", [found])


def chosen(plan):
    return choose(plan).to_dict()


TASK = "[graph]\nskills = 3\nsuccess = 0.3\n[budget]\nsteps = [7, 20]\n[engine]\ntraces = 2000\n"
LAYERED = TASK.replace("skills = 3", 'kind = "layered"\nlayers = 2\nwidth = 3\ndeath = 0.02')


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        ("traces", BASE, "strategies.tot.branches"),
        ("exact", LAYERED, "budget.steps"),
        ("closed_form", TASK, "budget.steps"),
        ("population", TASK, "budget.steps"),
        ("importance", TASK, "budget.steps"),
    ],
)
def test_every_point_is_a_run_of_its_own(tmp_path, kind, text, key):
    axes = f'[sweep.axes]\n"graph.success" = [0.1, 0.4]\n"{key}" = [2, 30]\n'
    points = points_of(sweep_of(tmp_path, text + axes, f"engine.kind={kind}"))
    assert [tuple(p["axes"].values()) for p in points] == [(0.1, 2), (0.1, 30), (0.4, 2), (0.4, 30)]
    for point in points:
        options = [f"{key}={value}" for key, value in point["axes"].items()]
        (single,) = points_of(sweep_of(tmp_path, text, f"engine.kind={kind}", *options))
        for mine, other in zip(point["results"], single["results"], strict=True):
            assert kind != "traces" or mine == other
            assert mine["traces"] == other["traces"]
            for what in ("success", "expected_steps"):
                assert mine[what] == pytest.approx(other[what], rel=1e-11, abs=1e-300)
        for mine, other in zip(point["reference"], single["reference"], strict=True):
            assert mine == other | {k: pytest.approx(other[k], rel=1e-12) for k in ("success", "expected_steps")}


def test_ranges_and_zipped_axes(tmp_path):
    axes = """
[sweep]
zip = [["graph.skills", "graph.success"]]
[sweep.axes]
"budget.steps" = {log = [1, 1000, 4]}
graph.skills = {linear = [1, 3, 5]}
"graph.success" = [0.5, 0.25, 0.125]
"strategy.ties" = ["random"]
"""
    plan = sweep_of(tmp_path, PLAIN + '[strategy]\naggregate = "majority"\nn = 3\n' + axes, "engine.kind=closed_form")
    points = [point["axes"] for point in points_of(plan)]
    assert len(points) == 4 * 3
    assert [p["budget.steps"] for p in points[::3]] == [1, 10, 100, 1000]
    assert [(p["graph.skills"], p["graph.success"]) for p in points[:3]] == [(1, 0.5), (2, 0.25), (3, 0.125)]


def test_a_sweep_over_the_cost_simulates_its_task_once(tmp_path):
    axes = '[sweep.axes]\n"cost.parameters" = {log = [1e8, 1e11, 50]}\n'
    told = []
    plan = sweep_of(tmp_path, BASE + axes)
    points = points_of(plan, progress=lambda trials, points: told.append((trials, points)))
    assert sum(t for t, _ in told) == 3 * 4000 and sum(p for _, p in told) == 50
    first, last = points[0]["results"][0], points[-1]["results"][0]
    assert first["success"] == last["success"] and first["mean_flops"] < last["mean_flops"]


def test_seeds_are_an_axis_too(tmp_path):
    points = points_of(sweep_of(tmp_path, PLAIN + "[sweep.axes]\nseed = [0, 1, 2]\n"))
    assert len({p["results"][0]["success"]["estimate"] for p in points}) > 1


def test_hundreds_of_points_compile_a_handful_of_kernels(tmp_path):
    axes = '[sweep.axes]\n"graph.success" = {linear = [0.05, 0.9, 10]}\n"graph.skills" = {linear = [1, 20, 10]}\n'
    plan = sweep_of(tmp_path, PLAIN + axes + '"budget.steps" = [10, 300]\n', "engine.traces=50")
    before = sum(traced.values())
    assert len(points_of(plan)) == 200
    assert sum(traced.values()) - before <= 4


@pytest.mark.parametrize("attention", [True, False])
def test_match_gives_every_strategy_the_flops_of_one_chain(tmp_path, attention):
    text = BASE + '[sweep]\nmatch = "flops"\n[sweep.axes]\n"cost.parameters" = [1e7, 1e9, 1e12]\n'
    plan = sweep_of(tmp_path, text, "engine.kind=closed_form", f"cost.attention={str(attention).lower()}")
    shapes = {"cot": (1, 1), "tot": (3, 1), "best": (1, 3)}
    for entry in plan.entries():
        branches, n = shapes[str(entry.strategy)]
        cost = entry.cost
        assert cost is not None
        for row in entry.rows:
            tokens = float(cost.equal_cost_tokens(25 * row.cot_steps, branches=branches, n=n))
            assert row.steps_per_trace == math.floor(tokens / 25 * (1 + 1e-12))
            assert row.steps == n * row.steps_per_trace
            most = float(cost.flops(25 * row.cot_steps))
            assert float(cost.flops(25 * row.steps_per_trace, branches, n)) <= most
            assert float(cost.flops(25 * (row.steps_per_trace + 1), branches, n)) > most
    rows = points_of(plan)[0]["results"]
    assert [row["steps"] for row in rows if row["strategy"] == "cot"] == [12, 40]


def test_a_distribution_over_skills_and_loss_is_the_weighted_mean(tmp_path):
    text = """
[tasks]
skills = [1, 4, 9]
difficulty = [1.8, 2.5]
weights = [[1, 2], [3, 1], [2, 1]]
[model]
loss = 2.1
steepness = 4
[budget]
steps = [5, 30]
[engine]
kind = "closed_form"
"""
    point = points_of(sweep_of(tmp_path, text))[0]
    phi = Difficulty.grid([1.8, 2.5], [1, 4, 9], np.array([[1, 3, 2], [2, 1, 1]]), Bridge(b=4.0))
    for row, k in zip(point["results"], (5, 30), strict=True):
        moments = phi.moments(2.1, k)
        assert row["success"]["estimate"] == pytest.approx(float(moments.success), rel=1e-12)
        assert row["expected_steps"]["estimate"] == pytest.approx(float(moments.steps), rel=1e-12)
    sampled = points_of(sweep_of(tmp_path, text, "engine.kind=traces", "engine.traces=20000"))[0]
    for row, known in zip(sampled["results"], sampled["reference"], strict=True):
        assert row["traces"] == 6 * 20_000
        for key in ("success", "expected_steps"):
            half = (row[key]["high"] - row[key]["low"]) / 2
            assert abs(row[key]["estimate"] - known[key]) < 2 * half  # four standard errors
            assert 0 < half < 0.03 * max(1.0, known[key])


def test_pairs_and_the_scaling_law(tmp_path):
    text = """
[tasks]
skills = [2, 5]
success = [0.5, 0.25]
weights = [1, 3]
zip = true
[budget]
steps = [10]
[engine]
kind = "exact"
"""
    found = points_of(sweep_of(tmp_path, text))[0]["results"][0]["success"]["estimate"]
    one = [sum(math.comb(10, j) * r**j * (1 - r) ** (10 - j) for j in range(m, 11)) for m, r in ((2, 0.5), (5, 0.25))]
    assert found == pytest.approx(0.25 * one[0] + 0.75 * one[1], rel=1e-12)
    text = text.replace("success = [0.5, 0.25]", "difficulty = [2.0, 2.2]")
    by_law = "[model]\nparameters = 1e9\ntokens = 2e10\n"
    given = f"[model]\nloss = {1.69 + 406.4 * 1e9**-0.34 + 410.7 * 2e10**-0.28!r}\n"
    a, b = (points_of(sweep_of(tmp_path, text + model))[0]["results"] for model in (by_law, given))
    assert a[0]["success"]["estimate"] == pytest.approx(b[0]["success"]["estimate"], rel=1e-12)


def test_a_store_gives_the_same_numbers_and_goes_on(tmp_path):
    text = BASE + '[sweep.axes]\n"graph.success" = [0.1, 0.4]\n'
    plain = points_of(sweep_of(tmp_path, text))
    told = []
    count = lambda trials, points: told.append(trials)  # noqa: E731
    with Store.open(tmp_path / "s.ds3") as store:
        assert points_of(sweep_of(tmp_path, text), store, count) == plain
        assert sum(told) == 6 * 4000
        told.clear()
        assert points_of(sweep_of(tmp_path, text), store, count) == plain
        assert sum(told) == 0
        more = points_of(sweep_of(tmp_path, text, "engine.traces=5000"), store, count)
        assert sum(told) == 6 * 1000
        assert more == points_of(sweep_of(tmp_path, text, "engine.traces=5000"))
        kept = [[row.to_dict() for row in point.rows] for point in store.result().points]
        assert kept == [point["results"] for point in more]


# A transaction for every task; Ctrl-C counts, though the tests may have been started in the background.
CAREFUL = """
import signal, sys
from ds3sim.cli.main import main
from ds3sim.store import collect
signal.signal(signal.SIGINT, signal.default_int_handler)
collect.FIRST_GROUP, collect.COMMIT_S = 1.0, 0.0
sys.exit(main(sys.argv[1:]))
"""


def until_stored(process, path, rows: int, patience: float = 300.0) -> None:
    """Wait until a process has stored so many rows, however slow the machine is."""
    until = time.monotonic() + patience
    while True:
        assert process.poll() is None and time.monotonic() < until, "nothing is stored"
        if path.exists() and path.stat().st_size:
            with Store.open(path, create=False, readonly=True, wait=patience) as store:
                if len(store.keys()) >= rows:
                    return
        time.sleep(0.05)


def test_killed_and_started_again_it_ends_with_the_same_numbers(tmp_path):
    path, store = tmp_path / "s.toml", tmp_path / "s.ds3"
    path.write_text(PLAIN + '[sweep.axes]\n"graph.success" = {linear = [0.05, 0.6, 30]}\n', encoding="utf-8")
    args = [sys.executable, "-c", CAREFUL, "sweep", str(path), "--store", str(store), "--json"]
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until_stored(process, store, 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(args, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["points"] == points_of(study_of(path))


def test_ctrl_c_keeps_and_says_so(tmp_path):
    path, store = tmp_path / "s.toml", tmp_path / "s.ds3"
    path.write_text(PLAIN + '[sweep.axes]\n"graph.success" = {linear = [0.05, 0.6, 200]}\n', encoding="utf-8")
    args = [sys.executable, "-c", CAREFUL, "sweep", str(path), "--store", str(store), "--json"]
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until_stored(process, store, 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "keeps what was simulated" in err and "Traceback" not in err
    assert set(json.loads(out)) == {"points", "environment"}
    with Store.open(store) as found:
        assert 2 <= len(found.keys()) < 200
        assert len(json.loads(out)["points"]) <= len(found.keys())


def test_the_best_strategy_is_found_with_its_certainty(tmp_path):
    text = BASE.replace("steps = [12, 40]", "tokens = [300, 2000]").replace("traces = 4000", "traces = 20000")
    result = chosen(sweep_of(tmp_path, text))
    known = chosen(sweep_of(tmp_path, text, "engine.kind=closed_form"))
    assert result["comparisons"] == 2 * 3
    for found, true in zip(result["choices"], known["choices"], strict=True):
        assert sum(found["probability_best"].values()) == pytest.approx(1)
        if found["clear"]:
            assert found["best"] == true["best"] and found["probability_best"][found["best"]] > 0.99
        assert true["difference"]["low"] == true["difference"]["high"] == true["difference"]["estimate"]
        gap = true["differences"].get(found["runner_up"])
        if found["best"] == true["best"] and gap:
            assert found["difference"]["low"] <= gap["estimate"] <= found["difference"]["high"]
    assert any(found["clear"] for found in result["choices"])


def test_the_chance_to_be_best_is_that_of_the_posterior(tmp_path):
    """Two strategies: against numerical integration of the two Beta posteriors."""
    from scipy import stats

    text = BASE.replace("steps = [12, 40]", "tokens = [1000]").replace("traces = 4000", "traces = 60")
    text = text[: text.index("[strategies.best]")] + text[text.index("[budget]") :]
    choice = chosen(sweep_of(tmp_path, text, "strategies.tot.branches=2"))["choices"][0]
    hits = {row["strategy"]: round(60 * row["success"]["estimate"]) for row in choice["results"]}
    x = np.linspace(0, 1, 200_001)
    post = {name: stats.beta(h + 0.5, 60 - h + 0.5) for name, h in hits.items()}
    better = np.trapezoid(post["cot"].pdf(x[1:-1]) * post["tot"].cdf(x[1:-1]), x[1:-1])
    assert choice["probability_best"]["cot"] == pytest.approx(better, abs=0.01)  # 100,000 draws


def test_equal_strategies_are_not_called_different(tmp_path):
    """Over many seeds, two strategies of one law are called clear in at most a few per cent."""
    text = PLAIN.replace("steps = [5, 20]", "tokens = [300]").replace("traces = 2000", "traces = 500")
    text += '[strategies.a]\n[strategies.b]\naggregate = "best_of_n"\nn = 1\n'
    text += "[sweep.axes]\nseed = {linear = [1, 100, 100]}\n"
    choices = chosen(sweep_of(tmp_path, text))["choices"]
    assert len(choices) == 100
    gaps = np.array([c["difference"]["estimate"] for c in choices])
    assert np.ptp(gaps) > 0  # independent streams
    assert sum(c["clear"] for c in choices) <= 3
    text = text.replace('aggregate = "best_of_n"\nn = 1\n', "").replace("{linear = [1, 100, 100]}", "[1, 2, 3]")
    same = chosen(sweep_of(tmp_path, text))["choices"]
    assert all(c["probability_best"] == {"a": 0.5, "b": 0.5} and not c["clear"] for c in same)


def test_choosing_needs_equal_costs_and_two_strategies(tmp_path):
    with pytest.raises(InputError, match=r"different costs.*match"):
        choose(sweep_of(tmp_path, BASE))
    with pytest.raises(InputError, match="two strategies"):
        choose(sweep_of(tmp_path, PLAIN))


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("sweep-*.toml")))
def test_the_shipped_sweeps_run(name, tmp_path, cli):
    command = ["choose"] if "choose" in name else ["sweep", "--out", tmp_path / "out.csv"]
    out = cli(*command, CONFIGS / f"{name}.toml", "--engine", "closed_form", "--quiet")
    assert cli.err == "" and len(out.splitlines()) > 5
    if len(command) > 1:
        assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("\n") > 10
