"""The commands fit and plan: JSON as documented, figures, one-line errors."""

import json

import numpy as np
import pytest

from ds3sim.theory import latent
from ds3sim.theory.votes import geometric_weights


@pytest.fixture(scope="module")
def counts_file(tmp_path_factory):
    rng = np.random.default_rng(3)
    weights = geometric_weights(6, 0.6)
    rows = ["problem,n,correct,answer_counts,tokens_mean"]
    for i in range(120):
        rate = rng.beta(0.5, 1.5) if rng.random() < 0.9 else 0.0
        correct = int(rng.binomial(40, rate))
        given = {f"w{j}": int(m) for j, m in enumerate(rng.permutation(rng.multinomial(40 - correct, weights))) if m}
        if correct:
            given["right"] = correct
        text = json.dumps(given).replace('"', '""')
        rows.append(f'p{i},40,{correct},"{text}",300')
    path = tmp_path_factory.mktemp("logs") / "counts.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def bare_file(counts_file):
    """The counts without answers and tokens."""
    rows = [",".join(line.split(",")[:3]) for line in counts_file.read_text().splitlines()]
    path = counts_file.with_name("bare.csv")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def curve_file(tmp_path_factory):
    n = np.geomspace(1, 1000, 12)
    path = tmp_path_factory.mktemp("curves") / "curve.csv"
    rows = [f"{k},{y}" for k, y in zip(n, latent.pass_at_n(n, 0.9, 0.4, 3.0), strict=True)]
    path.write_text("N,pass\n" + "\n".join(rows) + "\n")
    return path


def test_pass_at_n_of_a_curve(cli, curve_file, tmp_path):
    result = cli.json("fit", "pass-at-n", curve_file, "--quiet", "--out", tmp_path / "fit")
    assert json.loads((tmp_path / "fit" / "result.json").read_text()) == result
    assert result["solvable"] == pytest.approx(0.9, abs=1e-3) and result["squared_error"] < 1e-9
    assert all(r["same_problems"]["low"] <= r["estimate"] <= r["same_problems"]["high"] for r in result["predictions"])
    text = cli("fit", "pass-at-n", curve_file)
    assert "pass@N" in text and "squared error" in text


def test_votes(cli, curve_file):
    text = cli("fit", "votes", curve_file, "--at", "1,100", "--errors", "uniform", "--latent", "1,2,1")
    assert "wrong answers uniform" in text and "vote@N" in text


def test_plan(cli, bare_file, curve_file):
    result = json.loads(cli("plan", bare_file, "--target", "0.6", "--json"))
    rows = {r["strategy"]: r for r in result["strategies"]}
    assert set(rows) == {"single", "best_of_n"}
    n, rates = rows["best_of_n"]["n"], [result["latent"][k] for k in ("solvable", "alpha", "beta")]
    assert latent.pass_at_n(n, *rates) >= 0.6 > latent.pass_at_n(n - 1, *rates)
    assert result["recommended"] == {"strategy": "best_of_n", "n": n}
    size = ("--parameters", "8e9", "--tokens-per-sample", "300", "--json")
    assert json.loads(cli("plan", bare_file, "--flops", 2 * 8e9 * 300 * 7.5, *size))["budget"]["samples"] == 7
    assert "out of reach" in cli("plan", curve_file, "--target", "0.95", "--quiet")


def test_match_is_a_number(cli, tmp_path):
    path = tmp_path / "log.jsonl"
    row = {"problem": "p", "completions": ["A 1, A 3", "A 1, A 2"]}
    rows = [row | {"unique_id": i, "answer": str(i)} for i in (1, 3)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    for match, share in (("0", 0.5), ("-1", 0.25)):
        out = cli("fit", "pass-at-n", path, "--pattern", r"A (\d)", "--match", match, "--json")
        assert json.loads(out)["observed"][0]["estimate"] == share


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["fit", "pass-at-n", "{missing}"], "no such file"),
        (["fit", "pass-at-n", "{curve}", "--at", "1,x"], "--at = 'x'"),
        (["fit", "pass-at-n", "{curve}", "--at", "2.5"], "whole"),
        (["fit", "pass-at-n", "{curve}", "--problems", "0"], "--problems"),
        (["fit", "pass-at-n", "{bad}"], "line 2"),
        (["fit", "pass-at-n", "{zero}"], "nothing can be fitted"),
        (["fit", "votes", "{zero}"], "answers"),
        (["fit", "votes", "{counts}", "--errors", "normal"], "not known"),
        (["fit", "votes", "{curve}", "--latent", "1,2"], "three numbers"),
        (["plan", "{counts}"], "--target"),
        (["plan", "{counts}", "--target", "1.5"], "between 0 and 1"),
        (["plan", "{counts}", "--flops", "1e12"], "--parameters"),
        (["plan", "{curve}", "--tokens", "100"], "--tokens-per-sample"),
        (["plan", "{counts}", "--tokens", "100"], "below one sample"),
        (["plan", "{counts}", "--target", "0.5", "--errors", "normal"], "not known"),
        (["fit", "pass-at-n", "{counts}", "--layers", "3"], "layers = 3 has no effect without parameters"),
        (["fit", "pass-at-n", "{counts}", "--problems", "3"], "no effect"),
        (["fit", "votes", "{counts}", "--problems", "3"], "no effect"),
        (["fit", "pass-at-n", "{curve}", "--parameters", "1e9"], "no effect"),
        (["fit", "votes", "{curve}", "--latent", "1,2,3", "--pass-at-n", "{curve}"], "not both"),
        (["fit", "pass-at-n", "{curve}", "--match", "x", "--pattern", "a"], "--match = 'x'"),
        (["fit", "pass-at-n", "{curve}", "--match", "1"], "no option match"),
    ],
)
def test_one_line_errors(cli, tmp_path, counts_file, curve_file, argv, why):
    (tmp_path / "bad.csv").write_text("problem,n,correct\na,5,7\nb,5,1\n")
    (tmp_path / "zero.csv").write_text("problem,n,correct\na,5,0\nb,5,0\n")
    files = {"missing": tmp_path / "none.csv", "bad": tmp_path / "bad.csv", "zero": tmp_path / "zero.csv"}
    files |= {"counts": counts_file, "curve": curve_file}
    assert why in cli.refuses(*[a.format(**files) for a in argv])
