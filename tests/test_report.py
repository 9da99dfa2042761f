"""The report: files of a run, their safety on disk, what the page says, what the figures hold."""

import base64
import csv
import io
import json
import tomllib
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from report_fixture import CONFIG, make_data, make_result
from scipy.stats import binomtest, norm

import ds3sim as ds
from ds3sim.config.read import read_config
from ds3sim.config.study import study_of
from ds3sim.core.errors import InputError
from ds3sim.core.text import probability
from ds3sim.report import page, run_figures, write
from ds3sim.report.curves import Curve, grid, theory_curves
from ds3sim.report.page import Picture, result_page
from ds3sim.report.tables import binomial_score, by_strategy, compared, run_table
from ds3sim.results.result import Result

SEVERAL = {"chain of thought": (1, 1), "tree of thoughts": (1, 4), "best of 8": (8, 1)}


@pytest.fixture
def study(monkeypatch):
    """Theory between the budgets is not computed: the page is made from the fixture alone."""
    monkeypatch.setattr(write, "theory_curves", lambda study: ())


@pytest.fixture
def undrawn(monkeypatch):
    """Pages have empty pictures: only their text is looked at."""
    monkeypatch.setattr(page, "picture", lambda draw, *words, **more: Picture(*words, "data:,", "data:,", **more))


class Page(HTMLParser):
    """Collects tags and text, and checks that tags are closed in order."""

    VOID = ("meta", "img", "source", "br", "link", "input", "hr")

    def __init__(self, html: str):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def test_all_files_are_written(tmp_path, study):
    out = tmp_path / "deep" / "run"
    data = make_data(strategies=SEVERAL)
    data["results"][0]["mean_flops"] = np.float64(2.5)
    result = replace(Result.from_dict(data), config=tomllib.loads(CONFIG))
    assert ds.report(result, folder=out) == out / "report.html"
    assert ds.report(out) == (out / "report.html").read_text(), "a page is made anew from its folder"
    assert {p.name for p in out.iterdir()} == {Result.folder.name, *Result.folder.files}
    assert all(p.stat().st_size > 0 for p in out.iterdir())
    assert [p.name for p in out.parent.iterdir()] == ["run"], "temporary folders were left behind"
    assert tomllib.loads((out / "config.toml").read_text())["name"] == "fixture"
    assert json.loads((out / "environment.json").read_text())["device"] == "cpu"
    assert (out / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (out / "cost.svg").read_bytes()
    kept = json.loads((out / "results.json").read_text())
    assert all(row.items() >= known.items() for row, known in zip(kept["results"], data["results"], strict=True))
    assert kept["results"][0]["mean_flops"] == 2.5
    assert kept["reference"] == data["reference"]
    rows = list(csv.DictReader(io.StringIO((out / "results.csv").read_text())))
    first = result.rows[0]
    assert len(rows) == len(result.rows)
    assert list(rows[0])[:6] == ["name", "engine", "seed", "traces", "strategy", "budget_steps"]
    assert list(rows[0])[-2:] == ["z_success", "z_expected_steps"]
    assert float(rows[0]["success_probability"]) == first.success
    assert float(rows[0]["reference_expected_steps"]) == first.reference.expected_steps
    assert {r["strategy"] for r in rows} == set(SEVERAL)


@pytest.mark.parametrize(("hits", "p"), [(1, 1e-7), (0, 1e-4), (3, 1e-5), (20_000, 1 - 1e-6), (10_200, 0.5)])
def test_z_of_a_count_is_exact(hits, p):
    n = 20_000
    law = binomtest(hits, n, p, alternative="greater" if hits > n * p else "less")
    expected = norm.isf(min(1.0, 2 * law.pvalue) / 2) * (1 if hits > n * p else -1)
    assert binomial_score(hits / n, n, p) == pytest.approx(expected, abs=1e-6)
    assert binomial_score(1 - hits / n, n, 1 - p) == pytest.approx(-expected, abs=1e-6)


def test_z_of_sure_events():
    assert binomial_score(0.0, 1000, 0.0) == 0
    assert binomial_score(1.0, 1000, 1.0) == 0
    assert binomial_score(0.001, 1000, 0.0) == np.inf
    assert binomial_score(0.5, 10**6, 0.6) < -100


def test_numbers_that_are_not_random_have_no_z():
    data = make_data(traces=20_000) | {"engine": "exact", "traces": 0}
    assert all(one.z_success is None and one.z_steps is None for one in compared(Result.from_dict(data)))


def test_a_result_without_reference_has_a_page(undrawn):
    result = Result.from_dict(make_data() | {"reference": []})
    shown = Page(result_page(result))
    assert "Beside the theory" not in shown.words
    assert all(row["z_success"] is None for row in run_table(result))


def test_a_mean_over_tasks_is_compared_by_its_interval():
    (row, *_), mean = make_result().rows, 0.123456789
    row = replace(row, success=mean, success_low=mean - 0.01, success_high=mean + 0.01)
    result = replace(make_result(), rows=(row,))
    z = (mean - row.reference.success) / (0.01 / norm.ppf(0.975))
    assert compared(result)[0].z_success == pytest.approx(z)


def test_a_result_without_rows_has_no_page():
    with pytest.raises(InputError, match="no results to show"):
        result_page(replace(make_result(), rows=()))


def test_the_page_stands_alone():
    html = result_page(make_result(strategies=SEVERAL))
    shown = Page(html)
    for tag, attributes in shown.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "srcset", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "@import" not in html and "url(" not in html
    images = [a for t, a in shown.tags if t == "img"]
    assert len(images) == 2
    assert all(len(a["alt"]) > 40 for a in images)
    for image in images:
        svg = base64.b64decode(image["src"].partition("base64,")[2])
        assert svg.startswith(b"<?xml") and b"</svg>" in svg


def test_the_page_says_what_was_asked_and_found(undrawn):
    result = make_result()
    shown = Page(result_page(result)).words
    assert "A chain of 10 skills. Each step moves on with probability 0.2" in shown
    assert "Chain of thought" in shown and "One trace decides" in shown
    assert "20,000 trials of the task, seed 7" in shown
    assert "At 200 steps the task is solved with probability" in shown[:200]
    assert 'kind = "chain"' in shown
    assert "250 ms" in shown
    assert probability(result.rows[3].success) in shown
    assert probability(result.rows[3].reference.success) in shown


def test_names_are_escaped(undrawn):
    nasty = '<script>alert("x")</script> & "co"'
    result = replace(make_result(strategies={nasty: (1, 1), "b": (2, 1)}), name=nasty, environment={"device": nasty})
    html = result_page(replace(result, config={"name": nasty}))
    assert "<script" not in html
    assert nasty in Page(html).words


@pytest.mark.parametrize(
    ("budgets", "flops"), [((60,), True), ((0, 50), False), ((3,), False), ((10, 11, 12), True), (range(1, 400), False)]
)
def test_any_budgets_give_a_page(budgets, flops):
    assert "20,000 trials" in Page(result_page(make_result(budgets=budgets, flops=flops))).words


def test_rare_events_give_a_page():
    result = make_result(budgets=(80, 100, 140, 200), r=0.02, m=12, traces=10**8)
    assert run_figures.accuracy_figure(result).axes[0].get_yscale() == "log"
    assert "100,000,000 trials" in Page(result_page(result)).words


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "no such file or folder"),
        ({}, "no results.json"),
        ({"results.json": "{}"}, "not a result"),
        ({"results.json": "[1]"}, "not a result"),
        ({"results.json": "{", "config.toml": ""}, "not valid JSON"),
        ({"results.json": b"\xe9", "config.toml": ""}, "wrong encoding"),
        ({"results.json": '{"results": [{"steps": 3}]}', "config.toml": ""}, "a row of the result cannot be read"),
        ({".ds3sim-reproduce": ""}, "written by ds3sim reproduce: its page is index.html"),
        ({".ds3sim-fit": ""}, "has no result.json"),
        ({".ds3sim-fit": "", "result.json": "{}", "fit.svg": ""}, "not a fit"),
        ({"results.json": json.dumps(make_data())}, "no config.toml"),
        ({"results.json": json.dumps(make_data()), "config.toml": "= 3"}, "not valid TOML"),
    ],
)
def test_a_foreign_folder_gives_one_line(tmp_path, files, message):
    folder = tmp_path / "run"
    if files is not None:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as error:
        ds.report(folder)
    assert "\n" not in str(error.value)


def test_a_mixture_has_a_folder(tmp_path, cli):
    chain = 'kind = "chain"\nfeasible = 1.0\nskills = 10\nsuccess = 0.2'
    text = CONFIG.replace(chain, "skills = [5, 10]\nsuccess = [0.2, 0.4]")
    path = tmp_path / "c.toml"
    path.write_text(text.replace("[graph]", "[tasks]").replace("traces = 20000", "traces = 500"))
    cli("run", path, "--quiet", "--out", tmp_path / "run")
    shown = Page((tmp_path / "run" / "report.html").read_text()).words
    assert "numbers of skills m 5, 10 and step successes r 0.2, 0.4, all alike" in shown
    assert "Beside the theory" in shown
    assert ds.report(tmp_path / "run") == (tmp_path / "run" / "report.html").read_text()
    data = json.loads((tmp_path / "run" / "results.json").read_text())
    (curve,), known = data["curves"], {row["steps"]: row["success"] for row in data["reference"]}
    shared = [(p, known[k]) for k, p in zip(curve["steps"], curve["success"], strict=True) if k in known]
    assert len(shared) > 2 and all(p == pytest.approx(right, rel=1e-9) for p, right in shared)


def test_a_fit_has_a_page_and_a_folder_of_its_own(tmp_path):
    n = [1, 3, 10, 30, 100]
    fit = ds.fit_pass_at_n(ds.Log.from_curve(n, ds.LatentFit(0.9, 0.4, 2.0).predict(n).estimate))
    shown = Page(ds.report(fit)).words
    assert "alpha of the success rates" in shown and "At N = 1,000 pass@N is 0.8" in shown
    saved = fit.save(tmp_path / "fit.json")
    assert "alpha of the success rates" in Page(ds.report(saved)).words
    with pytest.raises(InputError, match="a SkillGraph has no page"):
        ds.report(ds.SkillGraph.chain(3, 0.5))
    fit.write(tmp_path / "fit")
    assert "alpha of the success rates" in Page(ds.report(tmp_path / "fit")).words
    with pytest.raises(InputError, match="did not write"):
        ds.report(make_result(), folder=tmp_path / "fit")


@pytest.mark.parametrize("name", ["numbers.csv", "numbers.json", "page.html"])
def test_the_ending_decides(tmp_path, name, undrawn):
    result = make_result()
    assert ds.report(result, tmp_path / name) == tmp_path / name
    text = (tmp_path / name).read_text()
    assert text.startswith({"csv": "traces,", "json": "{", "html": "<!doctype html>"}[name.partition(".")[2]])
    if name.endswith("json"):
        assert json.loads(text) == result.to_dict()
        assert Page(ds.report(tmp_path / name)).words == Page(ds.report(replace(result, config={}))).words


def test_the_accuracy_figure_shows_the_numbers():
    result = make_result(strategies=SEVERAL)
    top, bottom = run_figures.accuracy_figure(result).axes
    assert bottom.get_xlabel() == "Budget (steps per task)"
    assert top.get_ylabel() == "Success probability"
    assert top.get_xscale() == "log"
    labels = [t.get_text() for t in top.get_legend().get_texts()]
    assert labels == [*SEVERAL, "theory (closed form)"]
    drawn = {tuple(np.round(np.asarray(line.get_ydata(), dtype=float), 12)) for line in top.lines}
    for own in by_strategy(compared(result)).values():
        assert tuple(round(one.row.success, 12) for one in own) in drawn
        assert tuple(round(one.row.reference.success, 12) for one in own) in drawn


def test_the_cost_figure_uses_flops_where_known():
    left, right = run_figures.cost_figure(make_result()).axes
    assert "FLOPs" in left.get_xlabel() and "FLOPs" in right.get_ylabel()
    left, right = run_figures.cost_figure(make_result(flops=False)).axes
    assert "tokens" in left.get_xlabel() and "tokens" in right.get_ylabel()


def test_budgets_in_flops_are_the_axis():
    result = make_result(strategies=SEVERAL)
    rows = (replace(row, flops=1e12 * (1 + i % 7)) for i, row in enumerate(result.rows))
    result = replace(result, rows=tuple(rows))
    assert run_figures.accuracy_figure(result).axes[-1].get_xlabel() == "Budget (FLOPs per task)"


def test_grid_covers_the_budgets_in_multiples_of_n():
    points = grid(np.array([16, 800]), 8)
    assert points[0] == 16 and points[-1] == 800
    assert np.all(points % 8 == 0) and np.all(np.diff(points) > 0)
    assert grid(np.array([0]), 1).size == 0
    assert grid(np.array([5]), 8).size == 0
    assert grid(np.array([1, 10**9]), 1).size <= 160


def test_curves_pass_through_the_references(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    (curve,) = theory_curves(study_of(read_config(path)))
    for row in make_result().rows:
        got = np.interp(row.steps, curve.steps, curve.success)
        assert got == pytest.approx(row.reference.success, abs=1e-9 if row.steps in curve.steps else 2e-3)
    assert len({len(values) for values in curve.to_dict().values()}) == 1
    assert Curve.from_dict(curve.to_dict()) == curve


def test_curves_of_budgets_in_flops_are_what_they_pay(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(CONFIG.replace("steps = [12, 20, 30, 50, 70, 100, 200]", "flops = [1e13, 5e13]"))
    study = study_of(read_config(path))
    (curve,) = theory_curves(study)
    budget, steps = np.array(curve.budget_flops), np.array(curve.steps)
    assert budget[0] == 1e13 and budget[-1] == 5e13
    cost = next(study.entries()).cost
    assert np.all(cost.flops(25.0 * steps) <= budget * (1 + 1e-12))
    assert np.all(cost.flops(25.0 * (steps + 1)) > budget * (1 - 1e-12))
