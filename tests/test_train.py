"""[model] kind = "tripartite" in run and sweep, tasks of levels of skills, and ``ds3sim train``."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import betainc
from statistics_budget import MOST_Z

import ds3sim as ds
from ds3sim.config.models import TripartiteModel
from ds3sim.config.read import read_config
from ds3sim.config.study import study_of
from ds3sim.engine.closed_form import real_law
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.lump import ChainForm
from ds3sim.store.store import Store
from ds3sim.study.run import run, sweep
from ds3sim.task.aggregate import BestOfN, Majority
from ds3sim.task.task import Task
from ds3sim.theory import chain
from ds3sim.theory.skills import compute_optimal, giant, train
from ds3sim.training.reasoning import Reasoning, reason, reason_steps
from ds3sim.training.skill_graphs import giant_shares, largest_component, sample_skills

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
MODEL = '[model]\nkind = "tripartite"\ntraining_flops = 3.35e25\n'
TASKS = "[tasks]\nlevel = [60, 70]\nskills = [2, 15]\n"
AUTHORS = (
    MODEL
    + 'finite_size = "authors_code"\nround_steps = false\n'
    + TASKS
    + '[strategy]\nfeasibility = "per_trace"\n[budget]\nflops = [1e15, 1e16, 1e17]\n[engine]\nkind = "closed_form"\n'
)
SMALL = MODEL + "[tasks]\nlevel = [60, 63]\nskills = [2, 4]\n[budget]\ntokens = [1000, 4000]\n[engine]\ntraces = 3000\n"


def plan_of(tmp_path, text, *overrides):
    path = tmp_path / "t.toml"
    path.write_text(text, encoding="utf-8")
    return study_of(read_config(path, overrides))


def near(found: dict, known: float) -> bool:
    """Whether a 95% interval, stretched to the whole family of tests, holds the known value."""
    half = max(found["high"] - found["estimate"], found["estimate"] - found["low"])
    return abs(found["estimate"] - known) <= MOST_Z / 1.96 * half


def one_point(tmp_path, text, *overrides):
    return run(plan_of(tmp_path, text, *overrides)).to_dict()


def test_the_authors_numbers(tmp_path):
    """Accuracy and cost that the authors' code gives; keyed by flops."""
    rows = {row["flops"]: row for row in one_point(tmp_path, AUTHORS)["results"]}
    known = {1e15: (0.164936, 9.23035e14), 1e16: (0.450262, 7.62076e15), 1e17: (0.733309, 7.21731e16)}
    for flops, (accuracy, cost) in known.items():
        row = rows[flops]
        assert row["success"]["estimate"] == pytest.approx(accuracy, abs=6e-7)
        assert row["authors_flops"] == pytest.approx(cost, rel=6e-6)
        assert row["budget_flops"] == pytest.approx(flops, rel=1e-12)
        assert row["steps"] == pytest.approx(flops / (2 * 5.28361e11 * 25), rel=1e-5)
        assert 0 < row["expected_flops"] < row["authors_flops"]


STRATEGIES = (
    "",
    'step = "tot"\nbranches = 3',
    'aggregate = "best_of_n"\nn = 4',
    'aggregate = "majority"\nn = 5',
    'aggregate = "majority"\nn = 3\nfeasibility = "per_trace"',
)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_closed_form_is_the_training_sides_own_accuracy(tmp_path, strategy):
    """Chains with weights, against the grid of theory that chooses the levels inside."""
    text = MODEL + TASKS + f"[strategy]\n{strategy}\n[budget]\nflops = [3e15, 2e16, 3e17]\n"
    rows = one_point(tmp_path, text, "engine.kind=closed_form")["results"]
    options = {}
    for line in strategy.splitlines():
        key, value = line.split(" = ")
        options[key] = json.loads(value)
    options.pop("step", None)
    model = train(*compute_optimal(3.35e25))
    how = Reasoning(**options)
    known = reason(model, [3e15, 2e16, 3e17], how)
    for i, row in enumerate(rows):
        assert row["success"]["estimate"] == pytest.approx(float(known.accuracy[i]), abs=1e-12)
        assert row["mean_flops"] == pytest.approx(float(known.flops[i]), rel=1e-9)
    counted = reason_steps(model, [r["steps_per_trace"] for r in rows], replace(how, steps="min", level_ties="lowest"))
    assert [r["authors_flops"] for r in rows] == pytest.approx(counted.flops.tolist(), rel=1e-12)


def test_engines_agree(tmp_path):
    """The simulated mixture, and the exact one, beside the formula."""
    tot = '[strategies.tot]\nstep = "tot"\nbranches = 2\n'
    best = '[strategies.best]\naggregate = "best_of_n"\nn = 2\n'
    vote = '[strategies.vote]\naggregate = "majority"\nn = 3\n'
    text = SMALL + "[strategies.cot]\n" + tot + best + vote
    formula = one_point(tmp_path, text, "engine.kind=closed_form")
    exact = one_point(tmp_path, text, "engine.kind=exact")
    traces = one_point(tmp_path, text)
    assert len(formula["results"]) == 8
    for a, b, c, known in zip(*(p["results"] for p in (formula, exact, traces)), traces["reference"], strict=True):
        assert a["tokens"] in (1000.0, 4000.0)
        assert a["success"]["estimate"] == pytest.approx(b["success"]["estimate"], abs=1e-11)
        assert a["expected_steps"]["estimate"] == pytest.approx(b["expected_steps"]["estimate"], rel=1e-10)
        assert known["success"] == pytest.approx(a["success"]["estimate"], abs=1e-12)
        assert all(near(c[what], a[what]["estimate"]) for what in ("success", "expected_steps"))
        assert c["mean_flops"] == pytest.approx(2 * 5.28361e11 * c["expected_tokens"], rel=1e-5)


def test_the_level_is_the_best_of_all_by_brute_force(tmp_path):
    """(4), (5) and (1) written out again, level by level, for each task and budget."""
    found = one_point(tmp_path, SMALL, "engine.kind=closed_form")["results"]
    model = train(*compute_optimal(3.35e25))
    sigma = 0.5 * np.log(np.arange(1, 101))
    total = np.zeros(2)
    for at in range(60, 64):
        for m in range(2, 5):
            best = np.zeros(2)
            for other in range(1, 101):
                p, share = model.p[other - 1], model.giant[other - 1]
                if other < at:
                    need = np.ceil(m * np.prod(sigma[other:at]) * (1 - 1e-9))
                else:
                    need = m if other == at else max(np.ceil(m / np.prod(sigma[at:other]) * (1 - 1e-9)), 2)
                r = p * (0.5 / np.ceil(6 * need) + 0.5) * p
                if need > 160 or r <= 0 or share <= 0:
                    continue
                k = np.array([40, 160])
                best = np.maximum(
                    best, np.where(k >= need, share**need * betainc(need, np.maximum(k - need + 1, 1), r), 0)
                )
            total += best / 12
    assert [row["success"]["estimate"] for row in found] == pytest.approx(total.tolist(), abs=1e-10)


def test_a_store_keeps_weights_by_budget(tmp_path):
    plan = plan_of(tmp_path, SMALL, "tasks.level=[58, 64]", "budget.tokens=[150, 4000]")
    (entry,) = plan.entries()
    weights = np.array(entry.weights)
    assert weights.shape == (len(entry.tasks), 2) and np.allclose(weights.sum(axis=0), 1.0)
    assert (weights == 0).any()  # some chain serves one budget alone
    with Store.open(tmp_path / "s.ds3") as store:
        first, again = run(plan, store=store), store.result()
    assert [row.to_dict() for row in again.rows] == [row.to_dict() for row in first.rows]


def test_training_compute_is_an_axis(tmp_path):
    axes = '[sweep.axes]\n"model.training_flops" = [1e25, 1e26]\n"tasks.level" = [60, 68]\n'
    result = sweep(plan_of(tmp_path, SMALL + axes, "engine.kind=closed_form")).to_dict()
    values = {tuple(p["axes"].values()): p["results"][1] for p in result["points"]}
    assert len(values) == 4
    assert values[1e26, 60]["success"]["estimate"] > values[1e25, 60]["success"]["estimate"]
    assert values[1e26, 60]["success"]["estimate"] > values[1e26, 68]["success"]["estimate"]
    # 2 N a token, with the N of each point
    ratio = values[1e26, 60]["budget_flops"] / values[1e25, 60]["budget_flops"]
    assert ratio == pytest.approx(np.sqrt(10), rel=1e-12)


def test_ranges_lists_weights_and_pairs(tmp_path):
    def value(text):
        budget = "[budget]\nsteps = [300]\n[engine]\nkind = 'closed_form'\n"
        return one_point(tmp_path, MODEL + text + budget)["results"][0]["success"]["estimate"]

    at = {m: value(f"[tasks]\nlevel = 62\nskills = {m}\n") for m in (2, 3, 4, 5)}
    assert value("[tasks]\nlevel = [62]\nskills = [2, 5]\n") == pytest.approx(sum(at.values()) / 4, abs=1e-12)
    assert value("[tasks]\nlevel = [62, 62]\nskills = [2, 3, 5]\n") == pytest.approx(
        (at[2] + at[3] + at[5]) / 3, abs=1e-12
    )
    both = value("[tasks]\nlevel = [62]\nskills = [2, 5]\nweights = [[3], [1]]\n")
    assert both == pytest.approx((3 * at[2] + at[5]) / 4, abs=1e-12)
    spread = value("[tasks]\nlevel = [62]\nskills = [2, 5]\nweights = [[1], [0], [0], [1]]\n")
    assert spread == pytest.approx((at[2] + at[5]) / 2, abs=1e-12)
    pairs = value("[tasks]\nlevel = [62, 62]\nskills = [2, 5]\nzip = true\nweights = [1, 3]\n")
    assert pairs == pytest.approx((at[2] + 3 * at[5]) / 4, abs=1e-12)


def test_a_task_beyond_reach_fails(tmp_path):
    rows = one_point(tmp_path, SMALL, "tasks.level=[100]", "model.training_flops=1e22")["results"]
    for row in rows:
        assert row["success"]["estimate"] == 0.0
        assert row["expected_steps"]["estimate"] == row["steps"]


def test_a_cost_model_of_ones_own(tmp_path):
    text = SMALL + "[cost]\ntokens_per_step = 50\nlayers = 10\nattention_width = 1000\n"
    row = one_point(tmp_path, text, "engine.kind=closed_form")["results"][0]
    assert row["steps"] == 20
    n = TripartiteModel(training_flops=3.35e25).trained.parameters
    assert row["budget_flops"] == pytest.approx(2 * float(n) * 1000 + 2 * 10 * 1000 * (1000 * 999 / 2), rel=1e-12)


@pytest.mark.parametrize("aggregate", [None, BestOfN(3), Majority(3)])
def test_real_budgets_are_the_whole_ones_where_they_are_whole(aggregate):
    more = {} if aggregate is None else {"aggregate": aggregate}
    n = 1 if aggregate is None else 3
    task = Task(SkillGraph.chain(4, 0.2, 0.7), steps=[3 * n, 4 * n, 20 * n, 90 * n], **more)
    law = real_law(task, ChainForm(4, 0.2), [3.0, 4.0, 20.0, 90.0])
    from ds3sim.engine.simulate import closed_form

    known = closed_form(task)
    assert law.success(task.budgets).estimate == pytest.approx(known.success(task.budgets).estimate, abs=1e-13)
    spent = known.expected_steps(task.budgets).estimate
    assert law.expected_steps(task.budgets).estimate == pytest.approx(spent, rel=1e-12)
    square = known.expected_square_steps(task.budgets)
    assert law.expected_square_steps(task.budgets) == pytest.approx(square, rel=1e-12)


def test_moments_lie_between_those_of_whole_budgets():
    k = np.array([4.2, 9.5, 40.7])
    first, second = chain.real_moments(4.0, np.float64(0.3), k)
    assert np.all(chain.expected_steps(4, 0.3, np.floor(k)) <= first)
    assert np.all(first <= chain.expected_steps(4, 0.3, np.ceil(k)))
    assert np.all(second >= first**2)
    assert chain.real_moments(4.0, np.float64(0.0), k)[0].tolist() == k.tolist()


def test_train_reports_the_study(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(AUTHORS, encoding="utf-8")
    result = ds.train(path, ["simulation.enabled=false"]).to_dict()
    assert result["concepts"] == pytest.approx(2.11345e8, rel=1e-5)
    assert result["texts_per_concept"] == pytest.approx(5.0, rel=1e-12)
    assert result["threshold"]["eps_bp"] == pytest.approx(0.51, abs=5e-6)
    assert result["threshold"]["x_bp"] == pytest.approx(0.41777, abs=5e-6)
    assert result["threshold"]["scale"] == pytest.approx(0.808, abs=5e-4)
    assert result["unlearnt"] < 1e-12 and result["learnt"] == pytest.approx(1.0)
    levels = {row["level"]: row for row in result["levels"]}
    assert all(levels[at]["p"] > 0.99 and levels[at]["giant"] > 0.99 for at in range(1, 61))
    assert all(levels[at]["p"] == 0 for at in range(65, 101))
    assert result["highest_level"] == 60 and result["simulation"] is None


def test_train_simulates_what_theory_says(tmp_path):
    """At the simulated size: stuck runs against (20) near the threshold, skills against the exact binomial law."""
    path = tmp_path / "m.toml"
    text = "seed = 4\n[model]\nparameters = 5e6\nlevels = 12\nskills_per_level = 400\nconcepts_needed = 2\n"
    path.write_text(text + "tokens = 9.2e7\n[simulation]\ngraphs = 200\nmodels = 1\n", encoding="utf-8")
    result = ds.train(path).to_dict()
    found = result["simulation"]
    assert found["concepts"] == 2000 and found["texts"] == 9200 and not found["scaled"]
    assert 0.3 < found["theory"]["stuck"] < 0.8 and abs(found["theory"]["z_stuck"]) < MOST_Z
    path.write_text(text + "tokens = 1.6e8\n[simulation]\ngraphs = 6\nmodels = 6\n", encoding="utf-8")
    result = ds.train(path).to_dict()
    assert result["simulation"]["stuck"]["estimate"] == 0 and result["simulation"]["models"] == 6
    for row in result["levels"]:
        own, exact = row["simulated"], row["exact"]
        error = np.sqrt(exact["acquired"] * (1 - exact["acquired"]) / (6 * 400)) + 0.5 / 2400
        assert abs(own["acquired"]["estimate"] - exact["acquired"]) < MOST_Z * error, row
        assert own["p"]["estimate"] <= own["acquired"]["estimate"] + 1e-12
    first = result["levels"][0]
    assert 0.5 < first["exact"]["p"] < 0.9 and first["acquired"] == 0  # the Chernoff form gives up
    assert first["simulated"]["giant"]["estimate"] == pytest.approx(first["exact"]["giant"], abs=0.01)


def test_train_says_that_it_scaled_down(cli, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(MODEL + "[simulation]\ngraphs = 4\nconcepts = 500\nmodels = 1\n", encoding="utf-8")
    out = cli("train", path, "--set", "model.skills_per_level=50", "--set", "model.levels=5")
    assert "graphs of 500 concepts" in out and "in place of 2.113e+08" in out and "eps_BP = 0.51" in out


def test_train_leaves_out_what_does_not_fit(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(MODEL + "skills_per_level = 1e6\n[simulation]\ngraphs = 2\nconcepts = 300\n", encoding="utf-8")
    result = ds.train(path).to_dict()
    assert result["simulation"]["models"] == 0 and result["levels"][0]["simulated"] is None
    assert any("skills are not simulated" in note for note in result["notes"])
    path.write_text(MODEL + "tokens_per_parameter = 1e9\n[simulation]\ngraphs = 2\n", encoding="utf-8")
    result = ds.train(path).to_dict()
    assert result["simulation"] is None and "nothing is simulated" in result["notes"][0]


def test_the_largest_component_follows_theory():
    """The largest component of G(S, c/S), by the sampler of the models and by graphs with numbers of their own."""
    random = np.random.default_rng(7)
    mine = np.array([largest_component(random, 3000, 2.0 / 3000).mean() for _ in range(40)])
    other = giant_shares(40, 3000, 2.0 / 3000, seed=3)
    error = np.hypot(mine.std(ddof=1), other.std(ddof=1)) / np.sqrt(40)
    assert abs(mine.mean() - other.mean()) < MOST_Z * error
    assert mine.mean() == pytest.approx(float(giant(2.0)), abs=MOST_Z * mine.std() / np.sqrt(40) + 2e-3)
    assert not largest_component(random, 100, 0.0).any()
    assert largest_component(random, 100, 1.0).all() and largest_component(random, 1, 0.0).shape == (1,)
    small = np.array([largest_component(random, 2, 0.3).sum() for _ in range(4000)])
    assert set(small) == {0, 2}
    assert abs((small == 2).mean() - 0.3) < MOST_Z * np.sqrt(0.21 / 4000)


def test_sampled_skills_repeat_and_do_not_depend_on_the_number_of_models():
    training = TripartiteModel(levels=4, skills_per_level=200, parameters=1e7).training
    one, two = sample_skills([0.9], 4000.0, training, 3), sample_skills([0.9, 0.1], 4000.0, training, 3)
    assert np.array_equal(one.p[0], two.p[0]) and np.all(two.p[1] <= two.p[0])
    assert not np.array_equal(one.p[0], sample_skills([0.9], 4000.0, training, 4).p[0])


def test_the_aime_study_is_near_the_published_points(cli):
    rows = cli.json("run", CONFIGS / "aime.toml", "--engine", "closed_form")["results"]
    best = {(r["strategy"], r["tokens"]): r["success"]["estimate"] for r in rows}
    for tokens in (2183, 22490):
        order = [best[name, tokens] for name in ("chain", "tree, b = 4", "best of 8", "majority of 8")]
        assert order == sorted(order, reverse=True)
    published = [0.314, 0.404, 0.435, 0.510, 0.565, 0.571]
    mine = [best["chain", t] for t in (2183, 5417, 8075, 13792, 19566, 22490)]
    assert np.sqrt(np.mean((np.array(mine) - published) ** 2)) < 0.03


def test_the_shipped_configs_train(cli):
    few = ("--set", "simulation.graphs=20", "--set", "simulation.models=1")
    assert "Highest level" in cli("train", CONFIGS / "train.toml", *few)
    assert cli.json("train", CONFIGS / "aime.toml", "--set", "simulation.enabled=false")["highest_level"] == 60


def test_published_points_are_read(tmp_path):
    from ds3sim.core.errors import InputError
    from ds3sim.reproduce.figures.aime import DATA, published

    assert published(None)[0].tolist() == [2183, 5417, 8075, 13792, 19566, 22490]
    assert published(tmp_path)[1][0] == 0.314
    (tmp_path / DATA).write_text("Budget,Tokens,Accuracy\n1,100,0.2\n2,300,0.5\n", encoding="utf-8")
    assert [v.tolist() for v in published(tmp_path)] == [[100.0, 300.0], [0.2, 0.5]]
    for text in ("Tokens\n1\n", "Tokens,Accuracy\n1,x\n", "Tokens,Accuracy\n1,2\n3,0.4\n", "", "Tokens,Accuracy\n5\n"):
        (tmp_path / DATA).write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=DATA):
            published(tmp_path)


@pytest.mark.parametrize("kind", ["population", "importance"])
def test_the_other_engines_of_single_traces(tmp_path, kind):
    """Long chains among the parts: in ``importance`` the tilt's generating function underflows on the way."""
    row = one_point(tmp_path, SMALL, f"engine.kind={kind}", "engine.traces=300", "tasks.level=[62, 66]")["results"][1]
    known = one_point(tmp_path, SMALL, "engine.kind=closed_form", "tasks.level=[62, 66]")["results"][1]
    assert near(row["success"], known["success"]["estimate"])
