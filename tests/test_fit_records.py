"""Logs, curves, fits and plans from Python: what they accept, that they come back from a file, idle arguments."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ds3sim as ds
from ds3sim.theory import latent
from ds3sim.theory.votes import geometric_weights

SIZE = ds.CostModel(parameters=8e9)


@pytest.fixture(scope="module")
def log():
    rng, weights = np.random.default_rng(3), geometric_weights(6, 0.6)
    rate = np.where(rng.random(80) < 0.9, rng.beta(0.5, 1.5, 80), 0.0)
    correct = rng.binomial(40, rate)
    wrong = tuple(np.sort(rng.multinomial(40 - c, weights))[::-1] for c in correct)
    names = tuple(f"<p{i}>" for i in range(80))
    return ds.Log("counts", "a log", names, np.full(80, 40), correct, wrong=wrong, tokens=np.full(80, 300.0))


@pytest.fixture(scope="module")
def curve():
    n = np.geomspace(1, 1000, 12)
    return ds.Log.from_curve(n, latent.pass_at_n(n, 0.9, 0.4, 3.0))


@pytest.fixture(scope="module")
def records(log, curve):
    fit = ds.fit_pass_at_n(log, cost=SIZE)
    votes = ds.fit_votes(log, [1, 5], errors="geometric", rates=fit, cost=SIZE)
    return {
        "log": log,
        "curve": curve,
        "pass@k": ds.pass_at_k(log),
        "vote@k": ds.vote_at_k(log, [1, 5]),
        "counts": fit,
        "points": ds.fit_pass_at_n(curve, [10, 10_000]),
        "given": ds.fit_votes(log, 7, errors="zipf", rates=(0.9, 0.5, 1.5)),
        "votes": votes,
        "budget": ds.plan(votes, tokens=6100),
        "target": ds.plan(ds.LatentFit(0.5, 0.4, 3.0), target=0.6),
    }


KINDS = ("log", "curve", "pass@k", "vote@k", "counts", "points", "given", "votes", "budget", "target")


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_comes_back_from_its_file(records, kind, tmp_path):
    record = records[kind]
    again = type(record).load(record.save(tmp_path / "record.json"))
    assert again == record and again.to_json() == record.to_json()
    if kind in ("counts", "points"):
        np.testing.assert_array_equal(again.predict([3.0, 1e5]).high, record.predict([3.0, 1e5]).high)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_a_table_a_dataset_and_a_figure(records, kind):
    record = records[kind]
    data, frame = record.to_dataset(), record.to_frame()
    assert all("units" in column.attrs for column in data.values())
    assert len(frame) == len(next(iter(data.values())))
    axes = Figure().add_subplot()
    assert record.plot(axes) is axes and isinstance(axes, Axes) and axes.has_data()
    shown = record._repr_html_()
    assert "<table" in shown and "<svg" in shown.replace("data:image/svg", "<svg") and "<p0>" not in shown


def test_fits_take_a_log_a_path_or_a_pair(log, tmp_path):
    path = tmp_path / "counts.csv"
    rows = zip(log.problems, log.samples, log.correct, strict=True)
    path.write_text("problem,n,correct\n" + "\n".join(f"{p},{n},{c}" for p, n, c in rows))
    pair = (log.samples, log.correct)
    fits = [ds.fit_pass_at_n(given) for given in (log, path, str(path), ds.read_log(path), pair, (40, log.correct))]
    assert len({fit.parameters for fit in fits}) == 1
    assert fits[0].solvable == pytest.approx(0.9, abs=5 * fits[0].standard_errors["solvable"])
    curves = [ds.pass_at_k(given, [1, 40]).success.estimate.tolist() for given in (log, path, pair)]
    assert curves[0] == curves[1] == curves[2] == pytest.approx([log.correct.mean() / 40, (log.correct > 0).mean()])


def test_predictions_at_any_n(records):
    fit = records["counts"]
    found = fit.predict([[1, 2.5], [100, 1e9]])
    assert found.shape == (2, 2) and np.all((found.low < found.estimate) & (found.estimate < found.high))
    np.testing.assert_allclose(found.estimate, latent.pass_at_n([[1, 2.5], [100, 1e9]], *fit.parameters))
    assert isinstance(float(fit.predict(3)), float)
    votes = records["given"]
    assert votes.predict([7]).estimate[0] == pytest.approx(latent.vote_at_n(7, 0.9, 0.5, 1.5, votes.errors.weights))
    assert votes.errors.model.weights == pytest.approx(votes.errors.weights)


def test_a_fitted_vote_is_the_theory_at_its_parameters(records):
    votes = records["votes"]
    rates, errors = votes.rates.parameters, votes.errors
    assert errors.kind == "geometric" and abs(errors.categories - 6) <= 2
    weights = geometric_weights(errors.categories, errors.decay)
    assert errors.c_star == pytest.approx(weights[0])
    assert votes.plateau.estimate == pytest.approx(float(latent.plateau(*rates, weights[0])))
    found = votes.predict([100])
    assert found.estimate[0] == pytest.approx(latent.vote_at_n(100, *rates, weights), abs=1e-9)
    assert found.low[0] < found.estimate[0] < found.high[0]


def test_a_plan_of_a_fit_is_that_of_its_log(log, records):
    fitted, direct = records["budget"], ds.plan(log, tokens=6100, errors="geometric", cost=SIZE)
    assert fitted.strategies == direct.strategies and fitted.samples == 20
    assert [o.strategy for o in fitted.strategies] == ["single", "best_of_n", "majority"]
    best = fitted.strategies[fitted.recommended]
    assert best.success[0] == max(o.success[0] for o in fitted.strategies)
    assert records["target"].recommended is None and all(o.n is None for o in records["target"].strategies)
    assert fitted.strategies[1].flops == pytest.approx(20 * 2 * 8e9 * 300)


def test_a_plan_says_why_votes_are_left_out():
    log = ds.Log("counts", "x", ("a", "b", "c"), [5] * 3, [4, 3, 0], wrong=([1], [2], [1]))
    plan = ds.plan(log, target=0.5)
    assert any("votes are not compared" in w and "fewer than 2 problems" in w for w in plan.warnings)


def idle(log, curve):
    """What has no effect: (call, words)."""
    fit, votes, plan = ds.fit_pass_at_n, ds.fit_votes, ds.plan
    bare = ds.Log.from_counts(log.samples, log.correct)
    wide = {"parameters": 1e9, "attention_width": 512}
    return [
        (lambda: fit(log, problems=5), "problems = 5 has no effect"),
        (lambda: fit(log, cost=ds.CostModel(layers=3)), "layers = 3 has no effect without parameters and attention"),
        (lambda: fit(log, cost=ds.CostModel(parameters=1e9, layers=3)), "layers = 3 has no effect without attention"),
        (lambda: fit(log, cost=ds.CostModel(**wide)), "attention_width = 512 has no effect without layers"),
        (lambda: fit(log, cost=ds.CostModel(parameters=1e9, prompt_tokens=9)), "prompt_tokens = 9 has no effect"),
        (lambda: fit(log, cost=ds.CostModel()), "a cost model without parameters has no effect"),
        (lambda: fit(bare, cost=SIZE), "parameters = 8e.09 has no effect: the log does not say how many tokens"),
        (lambda: votes(log, problems=5), "problems = 5 has no effect"),
        (lambda: votes(log, rates=(0.9, 0.5, 1.5), problems=5), "problems = 5 has no effect"),
        (lambda: votes(log, errors="normal"), "errors = 'normal' is not known"),
        (lambda: plan(bare, target=0.5, errors="zipf"), "errors = zipf has no effect: the log has no answers"),
        (lambda: plan(bare, target=0.5, errors="wrong"), "errors = 'wrong' is not known"),
        (lambda: plan(log, target=0.5, tokens=10), "one of --target, --tokens and --flops, not --target and --tokens"),
        (lambda: plan(curve, target=0.5, errors="zipf"), "errors = zipf has no effect"),
        (lambda: plan(fit(bare), target=0.5, problems=3), "errors and problems have no effect on a fit"),
        (lambda: ds.pass_at_k(curve), "a curve has no counts"),
        (lambda: ds.vote_at_k(bare), "the log has no answers"),
        (lambda: ds.fit_pass_at_n(3), "log = 3 is not a log"),
        (lambda: ds.pass_at_k(log, 1, kind="best"), "kind = 'best' is not known"),
        (lambda: fit(log, at=2.5), "at = 2.5 is not allowed"),
    ]


@pytest.mark.parametrize("case", range(20))
def test_idle_arguments_are_refused(log, curve, case):
    cases = idle(log, curve)
    assert len(cases) == 20
    call, words = cases[case]
    with pytest.raises(ds.InputError, match=words):
        call()


def test_a_fits_folder(records, tmp_path):
    fit, out = records["points"], tmp_path / "fit"
    assert fit.write(out) == Path(out)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(first) == {".ds3sim-fit", "result.json", "fit.svg", "fit.png"}
    fit.write(out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    other = tmp_path / "run"
    other.mkdir()
    (other / ".ds3sim-run").write_text("")
    with pytest.raises(ds.InputError, match="did not write"):
        fit.write(other)
    assert [path.name for path in other.iterdir()] == [".ds3sim-run"]
