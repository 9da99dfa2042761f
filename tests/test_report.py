"""The report: files of a run, their safety on disk, what the page says, what the figures hold."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from report_fixture import CONFIG, make_result
from scipy.stats import binomtest, norm

from ds3sim.config.build import load
from ds3sim.core.errors import InputError
from ds3sim.core.text import number, probability
from ds3sim.report import prose as words
from ds3sim.report import run_figures as figures
from ds3sim.report import write
from ds3sim.report.curves import grid, theory_curves
from ds3sim.report.rows import COLUMNS, binomial_score, series, table
from ds3sim.report.run_page import render_page, report_from_dir

SEVERAL = {"chain of thought": (1, 1), "tree of thoughts": (1, 4), "best of 8": (8, 1)}


@pytest.fixture
def study(monkeypatch):
    """A study whose theory is not computed: the page is made from the fixture alone."""
    monkeypatch.setattr(write, "theory_curves", lambda study: [])
    return SimpleNamespace(toml=lambda: CONFIG)


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


# ---- files --------------------------------------------------------------------------------------


def test_all_files_are_written(tmp_path, study):
    out = tmp_path / "deep" / "run"
    paths = write.write_run(make_result(), study, out)
    assert paths[0] == out / "report.html"
    assert {p.name for p in out.iterdir()} == set(write.FILES)
    assert all(p.stat().st_size > 0 for p in paths)
    assert [p.name for p in out.parent.iterdir()] == ["run"], "temporary folders were left behind"
    assert tomllib.loads((out / "config.toml").read_text())["name"] == "fixture"
    assert json.loads((out / "environment.json").read_text())["device"] == "cpu"
    assert (out / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (out / "cost.svg").read_bytes()


def test_json_keeps_the_result(tmp_path, study):
    result = make_result()
    result["results"][0]["mean_flops"] = np.float64(2.5)
    result["results"][1]["mean_flops"] = float("inf")
    write.write_run(result, study, tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "results.json").read_text())
    assert kept["results"][2:] == result["results"][2:]
    assert kept["reference"] == result["reference"]
    assert kept["results"][0]["mean_flops"] == 2.5
    assert kept["results"][1]["mean_flops"] is None


def test_csv_is_tidy(tmp_path, study):
    result = make_result(strategies=SEVERAL)
    write.write_run(result, study, tmp_path / "run")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "run" / "results.csv").read_text())))
    assert len(rows) == len(result["results"])
    assert tuple(rows[0]) == COLUMNS
    first = result["results"][0]
    assert float(rows[0]["success_probability"]) == first["success"]["estimate"]
    assert float(rows[0]["reference_expected_steps"]) == result["reference"][0]["expected_steps"]
    assert {r["strategy"] for r in rows} == set(SEVERAL)


def test_a_run_replaces_a_run_and_keeps_what_is_not_ours(tmp_path, study):
    out = tmp_path / "run"
    write.write_run(make_result(), study, out)
    (out / "notes.txt").write_text("mine")
    (out / "mine").mkdir()
    (out / "mine" / "deep.txt").write_text("too")
    write.write_run(make_result(budgets=(40, 80)), study, out)
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "mine" / "deep.txt").read_text() == "too"
    assert len(json.loads((out / "results.json").read_text())["results"]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_an_empty_folder_may_be_used(tmp_path, study, monkeypatch):
    (tmp_path / "run").mkdir()
    write.write_run(make_result(), study, tmp_path / "run")
    assert (tmp_path / "run" / "report.html").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write.write_run(make_result(), study, ".")
    assert (tmp_path / "here" / "report.html").is_file()


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path, study):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(InputError, match="did not write"):
        write.write_run(make_result(), study, tmp_path / "thesis")
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_file_in_the_way_is_refused(tmp_path, study, place):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(InputError, match="file"):
        write.write_run(make_result(), study, tmp_path / place)
    assert (tmp_path / "file").read_text() == "a file"


def test_a_place_that_refuses_is_found_before_the_run(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(InputError, match="Read-only"):
        write.check_out(tmp_path / "out")
    monkeypatch.undo()
    write.check_out(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    for name in ("", " ", "a\0b"):
        with pytest.raises(InputError, match="not the name of a folder"):
            write.check_out(name)


def test_a_failure_leaves_the_old_run(tmp_path, study, monkeypatch):
    out = tmp_path / "run"
    write.write_run(make_result(), study, out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write.write_run(make_result(budgets=(40, 80)), study, out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_failed_swap_puts_the_old_run_back(tmp_path, study, monkeypatch):
    out = tmp_path / "run"
    write.write_run(make_result(), study, out)
    rename = os.rename

    def fails_on_the_new_one(source, target):
        if str(source).endswith(".tmp"):
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("os.rename", fails_on_the_new_one)
    with pytest.raises(InputError, match="Input/output"):
        write.write_run(make_result(budgets=(40, 80)), study, out)
    assert len(json.loads((out / "results.json").read_text())["results"]) == 7
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


# ---- rows ---------------------------------------------------------------------------------------


def test_z_is_that_of_the_normal_law_where_there_are_many_hits():
    z = binomial_score(0.51, 100_000, 0.5)
    assert z == pytest.approx((0.51 - 0.5) / np.sqrt(0.25 / 100_000), rel=2e-2)
    assert binomial_score(0.49, 100_000, 0.5) == pytest.approx(-z)


@pytest.mark.parametrize(("hits", "p"), [(1, 1e-7), (0, 1e-4), (3, 1e-5), (20_000, 1 - 1e-6)])
def test_z_of_rare_events_is_exact(hits, p):
    n = 20_000
    law = binomtest(hits, n, p, alternative="greater" if hits > n * p else "less")
    expected = norm.isf(min(1.0, 2 * law.pvalue) / 2) * (1 if hits > n * p else -1)
    assert binomial_score(hits / n, n, p) == pytest.approx(expected, abs=1e-6)


def test_z_of_sure_events():
    assert binomial_score(0.0, 1000, 0.0) == 0
    assert binomial_score(1.0, 1000, 1.0) == 0
    assert binomial_score(0.001, 1000, 0.0) == np.inf
    assert binomial_score(0.5, 10**6, 0.6) < -100


def test_numbers_that_are_not_random_have_no_z():
    result = make_result() | {"engine": "exact"}
    assert all(r.z_success is None and r.z_steps is None for g in series(result) for r in g.rows)


def test_a_result_without_reference_has_a_page():
    result = make_result() | {"reference": []}
    page = Page(render_page(result, CONFIG))
    assert "Beside the theory" not in page.words
    assert all(row["z_success"] is None for row in table(result))


@pytest.mark.parametrize("broken", [{}, {"results": 3}, {"results": [{"steps": 1}]}, {"results": [5]}])
def test_what_is_no_result_is_refused(broken):
    with pytest.raises(InputError, match="not a result"):
        series(broken)


# ---- page ---------------------------------------------------------------------------------------


def test_the_page_stands_alone():
    html = render_page(make_result(strategies=SEVERAL), CONFIG)
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "srcset", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "@import" not in html and "url(" not in html
    images = [a for t, a in page.tags if t == "img"]
    assert len(images) == 2
    assert all(len(a["alt"]) > 40 for a in images)
    for image in images:
        svg = base64.b64decode(image["src"].partition("base64,")[2])
        assert svg.startswith(b"<?xml") and b"</svg>" in svg


def test_the_page_says_what_was_asked_and_found():
    result = make_result()
    page = Page(render_page(result, CONFIG)).words
    assert "A chain of 10 skills. Each step moves on with probability 0.2" in page
    assert "Chain of thought" in page and "One trace decides" in page
    assert "20,000 trials of the task, seed 7" in page
    assert "At 200 steps the task is solved with probability" in page[:200]
    assert 'kind = "chain"' in page
    assert "250 ms" in page
    assert probability(result["results"][3]["success"]["estimate"]) in page
    assert probability(result["reference"][3]["success"]) in page


def test_names_are_escaped():
    nasty = '<script>alert("x")</script> & "co"'
    result = make_result(strategies={nasty: (1, 1), "b": (2, 1)}) | {"name": nasty}
    result["environment"]["device"] = nasty
    html = render_page(result, f"name = '''{nasty}'''\n")
    assert "<script" not in html
    assert nasty in Page(html).words


@pytest.mark.parametrize("budgets", [(60,), (0, 50), (3,), (10, 11, 12), tuple(range(1, 400))])
@pytest.mark.parametrize("flops", [True, False])
def test_any_budgets_give_a_page(budgets, flops):
    result = make_result(budgets=budgets, flops=flops)
    for make in (figures.accuracy_figure, figures.cost_figure):
        figures.render(make(result), "svg")
    Page(render_page(result, CONFIG))


def test_rare_events_give_a_page():
    result = make_result(budgets=(80, 100, 140, 200), r=0.02, m=12, traces=10**8)
    assert figures.accuracy_figure(result).axes[0].get_yscale() == "log"
    Page(render_page(result, CONFIG))


def test_a_page_is_made_anew_from_its_folder(tmp_path, study):
    write.write_run(make_result(), study, tmp_path / "run")
    assert report_from_dir(tmp_path / "run") == (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "no such folder"),
        ({}, "no results.json"),
        ({"results.json": "{}"}, "not a result"),
        ({"results.json": "[1]"}, "not a result"),
        ({"results.json": "{", "config.toml": ""}, "cannot be read"),
        ({"results.json": b"\xff\xfe", "config.toml": ""}, "cannot be read"),
        ({"results.json": '{"results": [{"steps": 3}]}', "config.toml": ""}, "not a result"),
        ({"results.json": json.dumps(make_result())}, "no config.toml"),
        ({"results.json": json.dumps(make_result()), "config.toml": "= 3"}, "not valid TOML"),
    ],
)
def test_a_foreign_folder_gives_one_line(tmp_path, files, message):
    folder = tmp_path / "run"
    if files is not None:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as error:
        report_from_dir(folder)
    assert "\n" not in str(error.value)


# ---- figures ------------------------------------------------------------------------------------


def test_the_accuracy_figure_shows_the_numbers():
    result = make_result(strategies=SEVERAL)
    top, bottom = figures.accuracy_figure(result).axes
    assert bottom.get_xlabel() == "Budget (steps per task)"
    assert top.get_ylabel() == "Success probability"
    assert top.get_xscale() == "log"
    labels = [t.get_text() for t in top.get_legend().get_texts()]
    assert labels == [*SEVERAL, "theory (closed form)"]
    drawn = {tuple(np.round(np.asarray(line.get_ydata(), dtype=float), 12)) for line in top.lines}
    for group in series(result):
        assert tuple(round(r.success[0], 12) for r in group.rows) in drawn
        assert tuple(round(r.reference["success"], 12) for r in group.rows) in drawn


def test_the_cost_figure_uses_flops_where_known():
    left, right = figures.cost_figure(make_result()).axes
    assert "FLOPs" in left.get_xlabel() and "FLOPs" in right.get_ylabel()
    left, right = figures.cost_figure(make_result(flops=False)).axes
    assert "tokens" in left.get_xlabel() and "tokens" in right.get_ylabel()


def test_budgets_in_flops_are_the_axis():
    result = make_result(strategies=SEVERAL)
    for i, row in enumerate(result["results"]):
        row["flops"] = 1e12 * (1 + i % 7)
    assert figures.accuracy_figure(result).axes[-1].get_xlabel() == "Budget (FLOPs per task)"


def test_figures_change_no_global_setting():
    code = """
import sys; sys.path.insert(0, "tests")
import matplotlib
before = dict(dict.items(matplotlib.rcParams))  # reading "backend" would import pyplot
from report_fixture import make_result
from ds3sim.report import run_figures as figures
figures.render(figures.accuracy_figure(make_result()), "png")
figures.render(figures.cost_figure(make_result()), "svg")
assert dict(dict.items(matplotlib.rcParams)) == before
assert "matplotlib.pyplot" not in sys.modules
"""
    root = write.Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- theory between the budgets -----------------------------------------------------------------


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
    (curve,) = theory_curves(load(path))
    result = make_result()
    for row in result["reference"]:
        got = np.interp(row["steps"], curve["steps"], curve["success"])
        assert got == pytest.approx(row["success"], abs=1e-9 if row["steps"] in curve["steps"] else 2e-3)
    assert len({len(values) for values in curve.values()}) == 1


def test_curves_of_budgets_in_flops_are_what_they_pay(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(CONFIG.replace("steps = [12, 20, 30, 50, 70, 100, 200]", "flops = [1e13, 5e13]"))
    study = load(path)
    (curve,) = theory_curves(study)
    budget, steps = np.array(curve["budget_flops"]), np.array(curve["steps"])
    assert budget[0] == 1e13 and budget[-1] == 5e13
    cost = study.cost
    assert np.all(cost.flops(25.0 * steps) <= budget * (1 + 1e-12))
    assert np.all(cost.flops(25.0 * (steps + 1)) > budget * (1 - 1e-12))


# ---- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (1.0, "1"), (0.5562, "0.5562"), (1.5e-7, "1.5e-7"), (1 - 1.39e-6, "0.9999986")],
)
def test_probability(value, text):
    assert probability(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (44.407, "44.41"), (12300.4, "12,300"), (1e10, "1e10"), (2.51e13, "2.51e13"), (7, "7"), (0, "0")],
)
def test_number(value, text):
    assert number(value) == text


def test_strategies_in_words():
    text = words.strategy_words(
        {
            "step": "tot",
            "branches": 4,
            "evaluator_error": 0.1,
            "aggregate": "best_of_n",
            "n": 8,
            "verifier": {"true_positive": 0.9, "false_positive": 0.2, "fallback": "abstain"},
        }
    )
    for part in ("4 proposals", "errs with probability 0.1", "Best of 8", "0.9", "0.2", "no answer is given"):
        assert part in text
    vote = {"aggregate": "majority", "n": 5, "errors": {"kind": "weights", "weights": [0.6, 0.4]}, "ties": "wrong"}
    assert re.search(r"vote of 5 traces over 3 answers.*tie counts as failure", words.strategy_words(vote))
    assert "3 particles with 2 proposals" in words.strategy_words({"step": "beam", "width": 3, "branches": 2})
