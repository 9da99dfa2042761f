"""The graph kind latent: all engines against (12), (13), quadrature and each other; refusals."""

import numpy as np
import pytest
from scipy import integrate, stats

import ds3sim as ds
from ds3sim.core.errors import InputError
from ds3sim.task.aggregate import BestOfN, Majority, Single, Verifier
from ds3sim.task.steps import ToT
from ds3sim.task.wrong_answers import GeometricErrors
from ds3sim.theory import latent as theory
from ds3sim.theory.aggregate import best_of_n_verified

LAW = (0.9, 0.4, 1.5)
AGGREGATES = [
    BestOfN(8),
    BestOfN(6, Verifier(0.9, 0.2)),
    BestOfN(6, Verifier(0.9, 0.2, "abstain")),
    Majority(7, GeometricErrors(5, 0.6)),
    Majority(6, GeometricErrors(3, 1.0), "wrong"),
    Single(),
]


def task_of(aggregate, **options):
    return ds.Task(ds.SkillGraph.latent(*LAW), aggregate=aggregate, steps=[0, aggregate.n, 3 * aggregate.n], **options)


@pytest.mark.parametrize(
    ("how", "engine"),
    [*((how, "traces") for how in AGGREGATES), (Single(), "population"), (Single(), "importance")],
    ids=repr,
)
def test_engines_agree(how, engine):
    task = task_of(how)
    known, formula = ds.exact(task), ds.closed_form(task)
    want = known.success(task.budgets).estimate
    np.testing.assert_allclose(want, formula.success(task.budgets).estimate, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        known.expected_steps(task.budgets).estimate, formula.expected_steps(task.budgets).estimate, rtol=1e-12
    )
    tally = ds.simulate(task, traces=200_000, seed=4, engine=engine)
    error = np.sqrt(want * (1 - want) / 200_000)
    assert np.all(np.abs(tally.success(task.budgets).estimate - want) <= 5 * error)


def test_values():
    a, alpha, beta = LAW
    best = ds.closed_form(task_of(BestOfN(8))).success([8]).estimate[0]
    assert best == pytest.approx(float(theory.pass_at_n(8, *LAW)), rel=1e-13)
    single = ds.exact(task_of(Single())).success([1]).estimate[0]
    assert single == pytest.approx(a * alpha / (alpha + beta), rel=1e-12)
    law = stats.beta(alpha, beta)
    mean = integrate.quad(
        lambda u: float(best_of_n_verified(min(law.ppf(u), 1.0), 6, 0.9, 0.2, "random")), 0, 1, limit=400
    )[0]
    never = float(best_of_n_verified(0.0, 6, 0.9, 0.2, "random"))
    found = ds.closed_form(task_of(BestOfN(6, Verifier(0.9, 0.2)))).success([6]).estimate[0]
    assert found == pytest.approx(a * mean + (1 - a) * never, rel=1e-6)


def test_the_number_of_correct_traces_is_beta_binomial():
    """Votes over one wrong answer with ties lost: more than half of n correct, for every n."""
    for n in (2, 3, 9):
        task = task_of(Majority(n, GeometricErrors(2, 1.0), "wrong"))
        want = LAW[0] * stats.betabinom.sf(n // 2, n, *LAW[1:])
        assert ds.exact(task).success([n]).estimate[0] == pytest.approx(want, rel=1e-10)


def test_identity_tells_laws_of_equal_mean_apart():
    tasks = [ds.Task(ds.SkillGraph.latent(0.9, f * 0.4, f * 1.5), aggregate=BestOfN(4), steps=4) for f in (1, 2)]
    assert tasks[0].identity != tasks[1].identity


def test_refusals():
    graph = ds.SkillGraph.latent(*LAW)
    with pytest.raises(InputError, match="cot"):
        ds.Task(graph, step=ToT(2), steps=5)
    with pytest.raises(InputError, match="per_task"):
        ds.Task(graph, aggregate=BestOfN(2), steps=5, feasibility="per_trace")
    for bad in ((1.1, 1.0, 1.0), (0.5, 0.0, 1.0), (0.5, 1.0, float("nan"))):
        with pytest.raises(InputError, match="not allowed"):
            ds.SkillGraph.latent(*bad)
    with pytest.raises(InputError, match="2001"):
        ds.simulate(task_of(BestOfN(2001)), traces=10)


def test_validate_has_power():
    study = ds.Study(ds.SkillGraph.latent(*LAW), strategy=BestOfN(8), steps=8, traces=20_000)
    assert ds.validate(study).passed and not ds.validate(study, perturb=0.2).passed
