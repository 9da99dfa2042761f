"""``ds3sim reproduce``: every figure in its quick mode, its numbers against the theory, the folder, the page."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import nbinom

from ds3sim.cli.main import main
from ds3sim.core.errors import InputError, StoppedEarly
from ds3sim.report.points import joined
from ds3sim.reproduce import registry
from ds3sim.reproduce.drawing import COLUMNS, Drawing, Options, Sheet
from ds3sim.reproduce.equal_cost import COST
from ds3sim.reproduce.figures import strategy_maps, token_budget
from ds3sim.reproduce.registry import FIGURES, Entry, chosen
from ds3sim.reproduce.simulated import success_points
from ds3sim.reproduce.write import PAGE, drawing_files, page, reproduce, write_drawing
from ds3sim.stats.slopes import fitted_line
from ds3sim.theory import chain
from tests.statistics_budget import MOST_Z

OURS = (
    "token-budget",
    "strategy-maps",
    "optimal-branching",
    "expected-steps",
    "accuracy-contours",
    "total-compute-optimal",
    "allocation",
    "inference-optimal",
    "predictions",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """These figures, quick, through the command line, into one folder."""
    out = tmp_path_factory.mktemp("reproduce") / "figures"
    for name in OURS:
        assert main(["reproduce", name, "--quick", "--quiet", "--out", str(out)]) == 0
    return out


def rows(folder: Path, name: str, **wanted) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open() as file:
        found = list(csv.DictReader(file))
    return [r for r in found if all(r[k] == v for k, v in wanted.items())]


def columns(found: list[dict[str, str]], *names: str) -> list[np.ndarray]:
    assert found
    return [np.array([float(r[name]) for r in found]) for name in names]


@pytest.mark.parametrize("name", OURS)
def test_every_figure_is_written(folder, name):
    about = json.loads((folder / f"{name}.json").read_text())
    assert about["found"] and about["caption"] and about["command"].startswith(f"ds3sim reproduce {name} ")
    for stem in about["pictures"]:
        assert (folder / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (folder / f"{stem}.svg").read_bytes()[:1000]
    found = rows(folder, name)
    assert tuple(found[0]) == COLUMNS and len(found) == about["rows"] > 20
    kinds = {r["kind"] for r in found}
    assert {"theory", "simulation"} <= kinds


@pytest.mark.parametrize("name", OURS)
def test_simulation_agrees_with_theory(folder, name):
    found = [r for r in rows(folder, name, kind="simulation") if r["z"]]
    z, value, low, high = columns(found, "z", "value", "low", "high")
    assert np.all(np.abs(z) < MOST_Z)
    assert np.all(low <= value + 1e-12) and np.all(value <= high + 1e-12)
    about = json.loads((folder / f"{name}.json").read_text())
    assert about["largest_z"] == pytest.approx(np.abs(z).max(), rel=1e-9)
    assert about["simulated_points"] == len(z) and f"{np.abs(z).max():.2f} over {len(z)} points" in about["check"]


def test_token_budget_numbers(folder):
    for b in (4, 16, 256):
        tokens, share = columns(rows(folder, "token-budget", panel="share", series=f"ToT({b})"), "x", "value")
        np.testing.assert_allclose(COST.flops(tokens * share, b), COST.flops(tokens), rtol=1e-9)
    x, theory = columns(rows(folder, "token-budget", panel="used", series="ToT(4)", kind="simulation"), "x", "theory")
    r = 1 - 0.95**4
    np.testing.assert_allclose(theory, 25 * chain.expected_steps(20, r, COST.max_steps(x * (1 + 1e-9), 4)), rtol=1e-9)


def test_expected_steps_numbers(folder):
    for m in (1, 10, 50):
        steps, value = columns(
            rows(folder, "expected-steps", panel="steps", series=f"m={m}", kind="theory"), "x", "value"
        )
        k = np.arange(int(steps.max()))
        for budget, mean in zip(steps[::7], value[::7], strict=True):
            late = nbinom.sf(k[: int(budget)] - m, m, 0.1)  # E[min(T, K)] = sum of P(T > k), k < K
            assert mean == pytest.approx(late.sum(), rel=1e-9)


def test_map_numbers(folder):
    found = rows(folder, "strategy-maps", panel="r=0.1", series="ToT(16) - CoT", kind="theory")
    tokens, height, gap = columns(found, "x", "y", "value")
    budget = COST.flops(tokens)
    tree = chain.success(height / 25, 1 - 0.9**16, COST.max_steps(budget, 16))
    plain = chain.success(height / 25, 0.1, COST.max_steps(budget))
    np.testing.assert_allclose(gap, tree - plain, atol=1e-10)
    assert gap.max() > 0.5 and gap.min() < -0.3


def test_total_compute_optimum_is_stationary(folder):
    from ds3sim.theory.loss import loss

    compute, n = columns(rows(folder, "total-compute-optimal", panel="size", series="demand=1e+13"), "x", "value")

    def level(n):
        return loss(n, (compute - 2 * n * 1e13) / (6 * n))

    assert np.all(level(n) < level(1.01 * n)) and np.all(level(n) < level(0.99 * n))


def test_allocation_beats_the_rule(folder):
    best, tied = (
        columns(rows(folder, "allocation", panel="accuracy", series=s, kind="theory"), "value")[0]
        for s in ("global optimum", "D = 20 N")
    )
    assert np.all(best >= tied) and np.all(np.diff(best) > 0)
    extra = columns([r for r in rows(folder, "allocation", panel="extra_compute") if r["value"]], "value")[0]
    assert np.all(extra >= 1)


def test_inference_exponents_sum_to_one(folder):
    n, tokens = (
        columns(rows(folder, "inference-optimal", series=f"exponent of {s}"), "value")[0]
        for s in ("parameters", "tokens")
    )
    np.testing.assert_allclose(n + tokens, 1.0, atol=1e-9)
    assert n.min() < 0.05 and n.max() > 0.8


def test_predictions_find_what_theory_says(folder):
    found = json.loads((folder / "predictions.json").read_text())["found"]
    assert [f[:3] for f in found] == sorted(f[:3] for f in found) and {f[1] for f in found} == set("abcd")
    line = next(f for f in found if f.startswith("(a)"))
    assert float(line.rsplit("R² = ", 1)[1].rstrip(".")) > 0.99
    for sentence in (f for f in found if "Failures" in f):
        rate, error, theory = (float(v) for v in re.findall(r"\d+\.\d+", sentence))
        assert abs(rate - theory) < MOST_Z * error


def test_page_is_self_contained(folder):
    html = (folder / PAGE).read_text()
    assert all(f'id="{name}"' in html for name in OURS)
    assert "http://" not in html.replace("http://www.w3.org", "") and "https://" not in html and "<script" not in html
    assert html.count("<img") == len(OURS) + 3  # the predictions are four


def test_a_folder_grows_and_equal_seeds_give_equal_files(tmp_path, folder):
    out = tmp_path / "figures"
    arguments = ["reproduce", "token-budget", "--quick", "--quiet", "--out", str(out)]
    assert main(arguments) == 0
    assert 'id="expected-steps"' not in (out / PAGE).read_text()
    for name in ("token-budget.csv", "token-budget.svg", "token-budget.png"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()
    assert main(["reproduce", "expected-steps", "--quick", "--quiet", "--out", str(out)]) == 0
    assert 'id="expected-steps"' in (out / PAGE).read_text() and 'id="token-budget"' in (out / PAGE).read_text()
    before = (out / "token-budget.csv").read_bytes()
    assert main([*arguments, "--seed", "3"]) == 0
    assert (out / "token-budget.csv").read_bytes() != before
    assert not [p for p in out.iterdir() if p.name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["token-budgets"], ["no such figure", "did you mean token-budget?"]),
        (["tokenbudget"], ["did you mean token-budget?"]),
        (["zzz"], ["no such figure", "known are token-budget"]),
        (["token-budget", "--seed", "x"], ["seed", "'x'"]),
        (["token-budget", "--seed", "-1"], ["seed", "-1"]),
        (["token-budget", "--data", "/no/such/folder"], ["no such folder"]),
    ],
)
def test_refusals(tmp_path, capsys, arguments, words):
    assert main(["reproduce", *arguments, "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    assert all(word in message for word in words)
    assert not (tmp_path / "out").exists()


def test_out_is_checked(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("x")
    for out, word in (
        (tmp_path / "file", "is a file"),
        (mine, "did not write"),
        (tmp_path / "file" / "a", "is a file"),
    ):
        assert main(["reproduce", "token-budget", "--quick", "--out", str(out)]) == 2
        assert word in capsys.readouterr().err
    assert [p.name for p in mine.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="not the name of a folder"):
        reproduce("token-budget", " ", quick=True)


ENTRY, OTHER = FIGURES["token-budget"], FIGURES["expected-steps"]


def drawing() -> Drawing:
    sheet = Sheet()
    (panel,) = sheet.panels((3, 2), ("p", "x", "y"))
    panel.curve("s", [1.0, 2.0], [math.nan, 2.0])
    sheet.found.append("Found <b>.")
    return sheet.drawing("A <title>", "A caption & more.")


def test_text_is_escaped_and_no_simulation_is_said(tmp_path):
    written = write_drawing(ENTRY, drawing(), tmp_path / "f", Options(), 1.0)
    assert written[-1].name == PAGE and all(p.is_file() for p in written)
    html = written[-1].read_text()
    assert "A &lt;title&gt;" in html and "Found &lt;b&gt;." in html and "Nothing is simulated" in html
    assert "p,s,theory,x,1,,,y,,,,,," in (tmp_path / "f" / "token-budget.csv").read_text()


def test_a_crash_while_writing_leaves_the_page_whole(tmp_path, monkeypatch):
    out = tmp_path / "f"
    write_drawing(ENTRY, drawing(), out, Options(), 1.0)
    before = (out / PAGE).read_text()
    import os

    real, calls = os.replace, []

    def fails(source, target):
        calls.append(target)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(InputError, match="No space left"):
        write_drawing(OTHER, drawing(), out, Options(), 1.0)
    assert (out / PAGE).read_text() == before == page(out)
    assert not [p for p in out.iterdir() if p.name.endswith(".tmp")]


def test_a_broken_json_is_named(tmp_path):
    out = tmp_path / "f"
    write_drawing(ENTRY, drawing(), out, Options(), 1.0)
    (out / "expected-steps.json").write_text("{")
    with pytest.raises(InputError, match=r"expected-steps\.json"):
        page(out)


def test_a_figure_that_needs_data_says_so(tmp_path):
    entry = Entry("aime", "accuracy", data="aime.csv")
    with pytest.raises(InputError, match="--data"):
        entry.make(Options())
    with pytest.raises(InputError, match=r"has no aime\.csv"):
        entry.make(Options(data=tmp_path))


def test_all_makes_every_figure_and_leaves_out_those_without_data(tmp_path, monkeypatch, capsys):
    few = {"token-budget": ENTRY, "zz": Entry("zz", "needs data", data="zz.csv")}
    monkeypatch.setattr(registry, "FIGURES", few)
    assert main(["reproduce", "all", "--quick", "--out", str(tmp_path / "f")]) == 0
    said = capsys.readouterr().err
    assert "zz: left out, it needs --data with zz.csv" in said and "[1/2] token-budget" in said
    assert (tmp_path / "f" / "token-budget.png").is_file()


def test_ctrl_c_keeps_what_was_finished(tmp_path, monkeypatch, capsys):
    def stop(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(token_budget, "draw", lambda options: drawing())
    monkeypatch.setattr(strategy_maps, "draw", stop)
    assert main(["reproduce", "all", "--quick", "--out", str(tmp_path / "f")]) == 130
    assert "up to token-budget are kept" in capsys.readouterr().err
    assert (tmp_path / "f" / PAGE).is_file() and not (tmp_path / "f" / "strategy-maps.csv").exists()
    with pytest.raises(StoppedEarly) as stopped:
        reproduce("all", tmp_path / "f", quick=True)
    assert stopped.value.partial == ("token-budget",)


def test_names():
    assert [e.name for e in chosen("all")] == list(FIGURES) and set(OURS) <= set(FIGURES)
    assert drawing_files(ENTRY, drawing(), Options(quick=True, seed=2), 0.0)["token-budget.json"].count(
        b"--quick --seed 2"
    )
    files = {path.stem for path in Path(token_budget.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == {name.replace("-", "_") for name in FIGURES}
    for name, entry in FIGURES.items():
        assert name == entry.name and entry.about and not entry.about.endswith(".")


def test_line_and_points():
    slope, error, intercept, r2 = fitted_line([0, 1, 2, 3], [1, 3, 5, 7])
    assert (slope, error, intercept, r2) == pytest.approx((2, 0, 1, 1), abs=1e-12)

    from scipy.stats import linregress

    rng = np.random.default_rng(0)
    x, y = rng.random(20), rng.random(20)
    right = linregress(x, y)
    assert fitted_line(x, y)[:3] == pytest.approx((right.slope, right.stderr, right.intercept))

    class Fixed:
        traces = 1000

        @staticmethod
        def success(steps):
            from ds3sim.core.estimate import Estimate

            p = np.array([0.5, 0.0])
            return Estimate(p, p, p)

    points = success_points(Fixed, [1, 2], [0.45, 1e-12])
    assert points.z[0] == pytest.approx(0.05 / math.sqrt(0.45 * 0.55 / 1000), rel=0.05)
    assert abs(points.z[1]) < 0.1  # no hit where none is expected
    assert joined([points, points]).value.shape == (4,)
