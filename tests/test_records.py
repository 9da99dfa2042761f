"""Every record: saved and read, as a table, as a figure. Logs, fits and plans: what they accept, idle arguments."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import ds3sim as ds
from ds3sim.theory import latent
from ds3sim.theory.votes import geometric_weights

SIZE = ds.CostModel(parameters=8e9)
CHAIN = ds.SkillGraph.chain(3, 0.4)
STUDY = ds.Study(
    CHAIN, strategies={"tree": ds.ToT(3), "vote": ds.Majority(3)}, tokens=[300, 900], cost=SIZE, traces=400
)
ALLOCATION = "[allocate]\ncompute = [1e18, 1e19]\ntasks = 1e7\ncheck = {}\n[tasks]\nskills = [2, 5]\nL0 = [1.0, 3.0]\n"
TRAINING = "[model]\nparameters = 5e6\nlevels = 5\nskills_per_level = 50\n[simulation]\nenabled = {}\ngraphs = 4\n"
ROWS = {"log": 80, "curve": 12, "pass@k": 11, "vote@k": 2, "counts": None, "points": 2, "given": 1, "votes": 2}
ROWS |= {"budget": 3, "target": None, "allocation": 2, "data unlimited": 1, "training": 5, "theory": 5, "contents": 2}
ROWS |= {"merged": 2, "diagnosis": 2, "choice": None, "validation": None}
"""Kinds of records, and how many rows their tables have where that is plain."""


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
def records(log, curve, tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")

    def asked(text):
        path = folder / f"{len(list(folder.iterdir()))}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    fit = ds.fit_pass_at_n(log, cost=SIZE)
    votes = ds.fit_votes(log, [1, 5], errors="geometric", rates=fit, cost=SIZE)
    unlimited = ["allocate.mode=inference_optimal", "allocate.compute=1e11"]
    study = ds.Study(CHAIN, steps=[10], traces=100)
    ds.sweep(study, axes={"graph.success": [0.2, 0.4]}, store=folder / "s.ds3")
    with ds.Store.open(folder / "s.ds3") as store:
        contents = store.contents()
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
        "allocation": ds.allocate(asked(ALLOCATION.format("true"))),
        "data unlimited": ds.allocate(asked(ALLOCATION.format("false")), unlimited),
        "training": ds.train(asked(TRAINING.format("true"))),
        "theory": ds.train(asked(TRAINING.format("false"))),
        "contents": contents,
        "merged": ds.merge([folder / "s.ds3"], folder / "t.ds3"),
        "diagnosis": ds.doctor(),
        "choice": ds.choose(STUDY),
        "validation": ds.validate(STUDY),
    }


@pytest.mark.parametrize("kind", ROWS)
def test_a_record_comes_back_from_its_file(records, kind, tmp_path):
    record = records[kind]
    again = type(record).load(record.save(tmp_path / "record.json"))
    assert again == record and again.to_json() == record.to_json()
    if kind in ("counts", "points"):
        np.testing.assert_array_equal(again.predict([3.0, 1e5]).high, record.predict([3.0, 1e5]).high)


@pytest.mark.parametrize("kind", ROWS)
def test_a_record_is_a_table_a_dataset_and_a_figure(records, kind):
    record = records[kind]
    data, frame = record.to_dataset(), record.to_frame()
    assert all("units" in column.attrs for column in data.values())
    assert len(frame) > 0 and ROWS[kind] in (None, len(frame))
    axes = Figure().add_subplot()
    assert record.plot(axes) is axes and axes.has_data()
    shown = record._repr_html_()
    assert "<table" in shown and "data:image/svg" in shown and "<p0>" not in shown


def test_what_they_say(records):
    found = records["allocation"]
    assert found.gradient is not None and abs(found.gradient_difference) < 0.01 * found.points[-1].accuracy
    assert [pair.best for pair in found.comparison] == list(found.points)
    data = found.to_dataset()
    assert data.kappa.values == pytest.approx((data.training_tokens / data.parameters).values)
    assert records["training"].simulation.graphs == 4 and records["theory"].simulation is None
    assert (records["contents"].trials, records["merged"].new_rows) == (200, 2)
    assert records["diagnosis"].passed


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
    assert float(fit.predict(3)) == pytest.approx(float(latent.pass_at_n(3, *fit.parameters)))
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


WITHOUT = "has no effect"
IDLE = [
    (ds.fit_pass_at_n, "log", {"problems": 5}, f"problems = 5 {WITHOUT}"),
    (ds.fit_pass_at_n, "log", {"at": 2.5}, "at = 2.5 is not allowed"),
    (ds.fit_pass_at_n, "log", {"cost": {}}, f"a cost model without parameters {WITHOUT}"),
    (ds.fit_pass_at_n, "log", {"cost": {"layers": 3}}, f"layers = 3 {WITHOUT} without parameters and attention"),
    (ds.fit_pass_at_n, "log", {"cost": {"parameters": 1, "layers": 3}}, f"layers = 3 {WITHOUT} without attention"),
    (ds.fit_pass_at_n, "log", {"cost": {"parameters": 1, "attention_width": 5}}, f"= 5 {WITHOUT} without layers"),
    (ds.fit_pass_at_n, "log", {"cost": {"parameters": 1, "prompt_tokens": 9}}, f"prompt_tokens = 9 {WITHOUT}"),
    (ds.fit_pass_at_n, "bare", {"cost": {"parameters": 8}}, f"parameters = 8 {WITHOUT}: the log does not say how many"),
    (ds.fit_pass_at_n, 3, {}, "log = 3 is not a log"),
    (ds.fit_votes, "log", {"problems": 5}, f"problems = 5 {WITHOUT}"),
    (ds.fit_votes, "log", {"rates": (0.9, 0.5, 1.5), "problems": 5}, f"problems = 5 {WITHOUT}"),
    (ds.fit_votes, "log", {"errors": "normal"}, "errors = 'normal' is not known"),
    (ds.plan, "bare", {"target": 0.5, "errors": "zipf"}, f"errors = zipf {WITHOUT}: the log has no answers"),
    (ds.plan, "bare", {"target": 0.5, "errors": "wrong"}, "errors = 'wrong' is not known"),
    (ds.plan, "log", {"target": 0.5, "tokens": 10}, "--target, --tokens and --flops, not --target and --tokens"),
    (ds.plan, "curve", {"target": 0.5, "errors": "zipf"}, f"errors = zipf {WITHOUT}"),
    (ds.plan, "fit", {"target": 0.5, "problems": 3}, "errors and problems have no effect on a fit"),
    (ds.pass_at_k, "curve", {}, "a curve has no counts"),
    (ds.pass_at_k, "log", {"k": 1, "kind": "best"}, "kind = 'best' is not known"),
    (ds.vote_at_k, "bare", {}, "the log has no answers"),
]


@pytest.mark.parametrize(("compute", "what", "options", "words"), IDLE)
def test_idle_arguments_are_refused(records, log, curve, compute, what, options, words):
    given = {"log": log, "bare": ds.Log.from_counts(log.samples, log.correct), "curve": curve, "fit": records["counts"]}
    options = options | ({"cost": ds.CostModel(**options["cost"])} if "cost" in options else {})
    with pytest.raises(ds.InputError, match=words):
        compute(given.get(what, what), **options)


def test_a_fits_folder(records, tmp_path):
    fit, out = records["points"], tmp_path / "fit"
    assert fit.write(out) == Path(out)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(first) == {".ds3sim-fit", "result.json", "fit.svg", "fit.png"}
    fit.write(out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
