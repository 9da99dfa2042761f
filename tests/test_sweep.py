"""Sweeps: points, strategies side by side, distributions of tasks, stores, and the choice of a strategy."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ds3sim.cli.main import main
from ds3sim.config.read import read_config
from ds3sim.config.study import study_of
from ds3sim.core.errors import InputError
from ds3sim.core.estimate import Estimate
from ds3sim.engine.law import mixed
from ds3sim.engine.traces.walk import traced
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.store.store import Store
from ds3sim.study.choose import choose
from ds3sim.study.run import run, sweep
from ds3sim.theory.difficulty import Bridge, Mixture

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


def result_of(plan, store=None, progress=None):
    return (sweep if plan.axes else run)(plan, store=store, progress=progress).to_dict()


def points_of(plan, store=None, progress=None):
    """The points as ``--json`` prints them, for plans without axes too."""
    found = result_of(plan, store, progress)
    return found.get("points", [found])


def chosen(plan):
    return choose(plan).to_dict()


def command(args, capsys):
    code = main([str(arg) for arg in args])
    out, err = capsys.readouterr()
    return code, out, err


# ---- points -------------------------------------------------------------------------------------


def test_every_point_is_a_run_of_its_own(tmp_path):
    axes = '[sweep.axes]\n"graph.success" = [0.1, 0.4]\n"strategies.tot.branches" = [1, 4]\n'
    plan = sweep_of(tmp_path, BASE + axes)
    result = result_of(plan)
    assert set(result) == {"points", "environment"}
    assert [tuple(p["axes"].values()) for p in result["points"]] == [(0.1, 1), (0.1, 4), (0.4, 1), (0.4, 4)]
    config = tmp_path / "run.toml"
    config.write_text(BASE, encoding="utf-8")
    for point in result["points"]:
        options = [f"{key}={value}" for key, value in point["axes"].items()]
        single = run(study_of(read_config(config, options))).to_dict()
        assert point["results"] == single["results"]
        for mine, other in zip(point["reference"], single["reference"], strict=True):
            assert {k: v for k, v in mine.items() if k not in ("success", "expected_steps")} == {
                k: v for k, v in other.items() if k not in ("success", "expected_steps")
            }
            assert mine["success"] == pytest.approx(other["success"], rel=1e-12, abs=1e-300)
            assert mine["expected_steps"] == pytest.approx(other["expected_steps"], rel=1e-12)


@pytest.mark.parametrize("kind", ["exact", "closed_form", "population", "importance"])
def test_every_engine_sweeps(tmp_path, kind):
    graph = '[graph]\nkind = "layered"\nlayers = 2\nwidth = 3\nsuccess = 0.3\ndeath = 0.02\n' if kind == "exact" else ""
    text = (graph or "[graph]\nskills = 3\nsuccess = 0.3\n") + "[budget]\nsteps = [7, 20]\n[engine]\ntraces = 2000\n"
    axes = '[sweep.axes]\n"graph.success" = [0.1, 0.4]\n"budget.steps" = [6, 30]\n'
    result = result_of(sweep_of(tmp_path, text + axes, f"engine.kind={kind}"))
    config = tmp_path / "run.toml"
    config.write_text(text, encoding="utf-8")
    assert len(result["points"]) == 4
    for point in result["points"]:
        options = [f"{key}={value}" for key, value in point["axes"].items()]
        options.append(f"engine.kind={kind}")
        single = run(study_of(read_config(config, options))).to_dict()
        for mine, other in zip(point["results"], single["results"], strict=True):
            assert mine["traces"] == other["traces"]
            for key in ("success", "expected_steps"):
                for end in ("estimate", "low", "high"):
                    assert mine[key][end] == pytest.approx(other[key][end], rel=1e-11, abs=1e-300)


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
    result = result_of(plan, progress=lambda trials, points: told.append((trials, points)))
    assert sum(t for t, _ in told) == 3 * 4000 and sum(p for _, p in told) == 50
    first, last = result["points"][0]["results"][0], result["points"][-1]["results"][0]
    assert first["success"] == last["success"] and first["mean_flops"] < last["mean_flops"]


def test_seeds_are_an_axis_too(tmp_path):
    result = result_of(sweep_of(tmp_path, PLAIN + "[sweep.axes]\nseed = [0, 1, 2]\n"))
    assert len({p["results"][0]["success"]["estimate"] for p in result["points"]}) > 1


def test_thousands_of_points_compile_a_handful_of_kernels(tmp_path):
    axes = '[sweep.axes]\n"graph.success" = {linear = [0.05, 0.9, 50]}\n"graph.skills" = {linear = [1, 20, 20]}\n'
    plan = sweep_of(tmp_path, PLAIN + axes + '"budget.steps" = [10, 300]\n', "engine.traces=50")
    before = sum(traced.values())
    assert len(points_of(plan)) == 2000
    assert sum(traced.values()) - before <= 4


# ---- equal FLOPs --------------------------------------------------------------------------------


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


# ---- distributions of tasks ---------------------------------------------------------------------


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
    phi = Mixture.grid([1.8, 2.5], [1, 4, 9], np.array([[1, 3, 2], [2, 1, 1]]), Bridge(b=4.0))
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


def test_a_mixtures_interval_covers():
    """Independent parts, small counts: at least 93% of 95% intervals hold the weighted mean."""
    rng = np.random.default_rng(8)
    weights = np.array([0.5, 0.3, 0.2])
    for truth in ([0.001, 0.002, 0.0], [0.3, 0.02, 0.9], [0.5, 0.5, 0.5]):
        p, trials = np.array(truth), 200
        hits = rng.binomial(trials, p, size=(20_000, 3))
        low, high = clopper_pearson(hits, trials)
        _, below, above = mixed([Estimate(hits[:, i] / trials, low[:, i], high[:, i]) for i in range(3)], weights)
        assert np.mean((below <= weights @ p) & (weights @ p <= above)) > 0.93


def test_run_takes_tasks(tmp_path, capsys):
    path = tmp_path / "t.toml"
    path.write_text(
        "[tasks]\nskills = [1, 3]\nsuccess = [0.2, 0.5]\n[budget]\nsteps = [4, 9]\n[engine]\ntraces = 2000\n"
    )
    code, out, _ = command(["run", path, "--json"], capsys)
    result = json.loads(out)
    assert code == 0
    assert list(result) == ["name", "engine", "seed", "traces", "stopping", "results", "reference", "environment"]
    assert len(result["results"]) == len(result["reference"]) == 2
    assert command(["run", path], capsys)[0] == 0


# ---- the store ----------------------------------------------------------------------------------


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
    path.write_text(PLAIN + '[sweep.axes]\n"graph.success" = {linear = [0.05, 0.6, 60]}\n', encoding="utf-8")
    args = [sys.executable, "-c", CAREFUL, "sweep", str(path), "--store", str(store), "--json"]
    for rows in (3, 10):
        process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until_stored(process, store, rows)
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


# ---- choosing -----------------------------------------------------------------------------------


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
    same = chosen(sweep_of(tmp_path, text.replace('aggregate = "best_of_n"\nn = 1\n', ""), "engine.traces=50"))[
        "choices"
    ]
    assert all(c["probability_best"] == {"a": 0.5, "b": 0.5} and not c["clear"] for c in same)


def test_choosing_needs_equal_costs_and_two_strategies(tmp_path):
    with pytest.raises(InputError, match=r"different costs.*match"):
        choose(sweep_of(tmp_path, BASE))
    with pytest.raises(InputError, match="two strategies"):
        choose(sweep_of(tmp_path, PLAIN))


# ---- the command line ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("sweep-*.toml")))
def test_the_shipped_sweeps_run(name, tmp_path, capsys):
    what = "choose" if "choose" in name else "sweep"
    more = [] if what == "choose" else ["--out", tmp_path / "out.csv"]
    code, out, err = command([what, CONFIGS / f"{name}.toml", "--traces", 2000, "--quiet", *more], capsys)
    assert code == 0 and err == "", err
    assert len(out.splitlines()) > 5
    if more:
        assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("\n") > 10


def test_json_is_as_documented(tmp_path, capsys):
    path = tmp_path / "s.toml"
    path.write_text(PLAIN + '[sweep.axes]\n"graph.success" = [0.1, 0.2]\n', encoding="utf-8")
    code, out, err = command(["sweep", path, "--json"], capsys)
    assert code == 0 and err == ""
    result = json.loads(out)
    assert list(result) == ["points", "environment"]
    assert [p["axes"] for p in result["points"]] == [{"graph.success": 0.1}, {"graph.success": 0.2}]
    assert {"steps", "success", "expected_steps", "expected_tokens", "expected_flops"} <= set(
        result["points"][0]["results"][0]
    )


BAD = [
    ('"graph.sucess" = [0.1]', "did you mean graph.success?"),
    ('"success" = [0.1]', "did you mean graph.success?"),
    ('"graph.success" = []', "empty axis"),
    ('"graph.success" = "a"', "must be a number"),
    ('"graph.success" = [0.1, 1.5]', "must be at most 1"),
    ('"graph.success" = [0.1, true]', "must be a number"),
    ('"graph.success" = [0.1, 0.1]', "occurs twice"),
    ('"graph.skills" = [1.5]', "must be a whole number"),
    ('"graph.skills" = {log = [0, 10, 3]}', "lo must be above 0"),
    ('"graph.skills" = {log = [10, 1, 3]}', "lo must be below hi"),
    ('"graph.skills" = {log = [1, 10]}', "three numbers"),
    ('"graph.skills" = {lin = [1, 10, 3]}', "graph.skills.lin"),
    ('"strategy.step" = ["cto"]', "one of cot, tot, beam"),
    ('"strategy.step" = {log = [1, 2, 3]}', "needs a key that takes numbers"),
    ('"graph.path" = ["a.csv"]', "cannot be swept"),
    ('"graph" = [1]', "cannot be swept"),
    ('"name" = ["a"]', "cannot be swept"),
    ('"strategies.a.n" = [1]', "no such strategy"),
    ('"tasks.feasible" = [0.5]', "in place of"),
    (
        '"graph.success" = {linear = [0.1, 0.9, 100000]}\n"graph.skills" = {linear = [1, 9000, 9000]}',
        "900,000,000 points",
    ),
    ('"graph.width" = [2]', "no effect with graph.kind = chain"),
    ('"engine.kind" = ["traces", "closedform"]', "one of traces"),
]


@pytest.mark.parametrize(("axis", "said"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_axes_are_one_line(axis, said, tmp_path, capsys):
    path = tmp_path / "s.toml"
    path.write_text(PLAIN + "[sweep.axes]\n" + axis + "\n", encoding="utf-8")
    code, out, err = command(["sweep", path], capsys)
    assert (code, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1, err
    assert said in err, err


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (PLAIN, [], "has no axes"),
        (PLAIN + "[swep.axes]\n", [], "did you mean sweep?"),
        (PLAIN + '[sweep]\n"graph.success" = [0.1]\n', [], "axes stand in [sweep.axes]"),
        (PLAIN + '[sweep]\nmatch = "flop"\naxes = {seed = [1]}\n', [], "did you mean flops?"),
        (PLAIN + '[sweep]\nmatch = "flops"\naxes = {seed = [1]}\n', [], "needs a cost model"),
        (PLAIN + '[sweep]\nzip = [["seed", "graph.success"]]\naxes = {seed = [1]}\n', [], "graph.success is no axis"),
        (
            PLAIN + '[sweep]\nzip = [["seed", "graph.skills"]]\naxes = {seed = [1], "graph.skills" = [1, 2]}\n',
            [],
            "seed has 1, graph.skills has 2",
        ),
        (PLAIN + "[sweep.axes]\nseed = [1]\n", ["--set", "seed=4"], "--set seed=4: seed is an axis"),
        (PLAIN + "[sweep.axes]\nseed = [1]\n", ["--out", "x.docx"], "the ending decides"),
        (PLAIN + "[sweep.axes]\nseed = [1]\n", ["--store", "s", "--engine", "exact"], "use engine traces"),
        (PLAIN + "[tasks]\nskills = 1\nsuccess = 0.5\n[sweep.axes]\nseed = [1]\n", [], "stands beside"),
        (BASE + '[sweep.axes]\n"strategy.n" = [1]\n', [], "name the strategy"),
    ],
)
def test_bad_sweeps_are_one_line(text, options, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(text, encoding="utf-8")
    code, out, err = command(["sweep", "s.toml", *options], capsys)
    assert (code, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1, err
    assert said in err, err


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ("skills = [1, 2]", "needs one of success"),
        ("skills = [1, 2]\nsuccess = [2.0]", "at most 1"),
        ("skills = [0]\nsuccess = [0.5]", "at least 1"),
        ("skills = [1, 2]\nsuccess = [0.5]\nweights = [1, 2]", "2 lists of 1"),
        ("skills = [1, 2]\nsuccess = [0.5]\nweights = [[1], [-2]]", "at least 0"),
        ("skills = [1, 2]\nsuccess = [0.5]\nzip = true", "go in pairs"),
        ("skills = [1]\ndifficulty = [2.0]", "add [model]"),
        ("skills = [1]\nsuccess = [0.5]\nfeasable = 1", "did you mean tasks.feasible?"),
        ("skills = [1]\ndifficulty = [2.0]\n[model]\nloss = 2\ntokens = 1e9", "keep one of them"),
        ("skills = [1]\ndifficulty = [2.0]\n[model]\ntokens = 1e9", "needs loss"),
        ("skills = [1]\nsuccess = [0.5]\n[model]\nloss = 2", "no effect"),
    ],
)
def test_bad_tasks_are_one_line(tasks, said, tmp_path, capsys):
    path = tmp_path / "s.toml"
    path.write_text(f"[tasks]\n{tasks}\n[budget]\nsteps = 5\n", encoding="utf-8")
    code, out, err = command(["run", path], capsys)
    assert (code, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1, err
    assert said in err, err
