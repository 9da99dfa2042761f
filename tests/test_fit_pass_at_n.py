"""Fits of (12): recovery at the stated rate, gradients, bounds, published curves, broken inputs."""

from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, special, stats

from ds3sim.core.errors import InputError
from ds3sim.fit import likelihood
from ds3sim.fit.likelihood import NAMES
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import read_log
from ds3sim.fit.pass_at_n import fit_pass_at_n
from ds3sim.theory import latent

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PUBLISHED = {
    "llama8BpassN": 0.020805,
    "gemma2B": 0.008281,
    "pythia28B": 0.000565,
    "llama38Binstruct_oracle": 0.002135,
    "llama370Binstruct_oracle": 0.001945,
}


def log_of(rng, problems, samples, a, alpha, beta):
    rate = np.where(rng.random(problems) < a, rng.beta(alpha, beta, problems), 0.0)
    return np.full(problems, samples), rng.binomial(samples, rate)


def negative(u, n, c):
    """The likelihood by scipy alone."""
    a, alpha, beta = u[0], np.exp(u[1]), np.exp(u[2])
    law = a * stats.betabinom.pmf(c, n, alpha, beta) + (1 - a) * (c == 0)
    return -float(np.log(law).sum())


def test_maximum_likelihood_is_that_of_another_optimizer():
    n, c = log_of(np.random.default_rng(4), 150, 60, 0.85, 0.5, 3.0)
    fit = fit_pass_at_n((n, c))
    start = np.array([0.8, np.log(0.7), np.log(2.0)])
    other = optimize.minimize(negative, start, (n, c), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    assert fit.quality == pytest.approx(-other.fun, abs=1e-6)
    np.testing.assert_allclose(fit.parameters, [other.x[0], *np.exp(other.x[1:])], rtol=1e-3)
    assert fit.at_bound == () and fit.kind == "likelihood"


def test_slopes_of_the_likelihood_and_of_the_curve():
    n, c = log_of(np.random.default_rng(5), 40, 30, 0.8, 0.5, 3.0)
    u, ahead = np.array([0.7, -0.4, 1.3]), np.array([1.0, 7.5, 1e6])
    value, gradient = likelihood.counted(n, c)(u)
    assert value + negative(u, n, c) == pytest.approx(-np.log(special.comb(n, c)).sum(), rel=1e-9)
    slopes = likelihood.curve(u, ahead)[1]
    for i in range(3):
        step = np.eye(3)[i] * 1e-5
        want = (negative(u - step, n, c) - negative(u + step, n, c)) / 2e-5
        assert gradient[i] == pytest.approx(want, rel=1e-5)
        up, down = (latent.pass_at_n(ahead, *likelihood.parameters(u + sign * step)) for sign in (1, -1))
        assert slopes[:, i] == pytest.approx((up - down) / 2e-5, rel=1e-6)


@pytest.mark.slow
def test_recovery_at_the_stated_rate():
    """40 logs: each 95% interval covers at least 33 (chance of fewer below 1e-3 for a true 95%)."""
    truth, rng, tests = (0.85, 0.5, 3.0), np.random.default_rng(11), 40
    ahead = np.array([1.0, 100.0, 10_000.0])
    inside, predicted = np.zeros(3), np.zeros(3)
    for _ in range(tests):
        fit = fit_pass_at_n(log_of(rng, 120, 50, *truth))
        inside += [fit.intervals[k][0] <= t <= fit.intervals[k][1] for k, t in zip(NAMES, truth, strict=True)]
        band, want = fit.predict(ahead), latent.pass_at_n(ahead, *truth)
        predicted += (band.low <= want) & (want <= band.high)
    assert inside.min() >= 33 and predicted.min() >= 33


def test_standard_errors_shrink_with_problems():
    small = fit_pass_at_n(log_of(np.random.default_rng(1), 100, 50, 0.8, 0.6, 2.0))
    large = fit_pass_at_n(log_of(np.random.default_rng(1), 6400, 50, 0.8, 0.6, 2.0))
    for name in NAMES:
        assert 4 < small.standard_errors[name] / large.standard_errors[name] < 16  # about 8
        assert (
            abs(getattr(large, name) - {"solvable": 0.8, "alpha": 0.6, "beta": 2.0}[name])
            < 5 * large.standard_errors[name]
        )
        assert large.robust_errors[name] == pytest.approx(large.standard_errors[name], rel=0.25)


def test_bounds_are_named():
    fit = fit_pass_at_n(log_of(np.random.default_rng(2), 100, 50, 1.0, 3.0, 3.0))
    assert fit.at_bound == ("solvable",) and fit.solvable == 1.0
    assert any("bound 1" in w for w in fit.warnings) and any("solved at least once" in w for w in fit.warnings)
    assert fit.intervals["solvable"][0] < 1 == fit.intervals["solvable"][1]
    rare = fit_pass_at_n(log_of(np.random.default_rng(2), 200, 10, 1.0, 0.5, 400.0))
    assert any("beta has no upper limit" in w for w in rare.warnings)


@pytest.mark.parametrize(
    ("n", "c", "why"),
    [
        ([5], [2], "at least 2 problems"),
        ([1, 1, 1], [0, 1, 1], "one sample a problem"),
        ([5, 5], [0, 0], "no sample of any problem"),
        ([5, 5], [5, 5], "every sample"),
        ([5, 5], [6, 1], "0 <= correct <= n"),
    ],
)
def test_counts_that_tell_nothing(n, c, why):
    with pytest.raises(InputError, match=why):
        fit_pass_at_n((n, c))


def test_a_curve_without_errors_gives_its_parameters_back():
    n = np.geomspace(1, 3000, 24)
    fit = fit_pass_at_n(Log.from_curve(n, latent.pass_at_n(n, 0.8, 0.45, 4.0)), problems=500)
    np.testing.assert_allclose(fit.parameters, (0.8, 0.45, 4.0), rtol=1e-4)
    assert fit.quality < 1e-12
    band = fit.predict([1.0, 1e5])
    assert np.all(band.low < band.estimate) and np.all(band.estimate < band.high)


def test_curves_that_tell_nothing():
    with pytest.raises(InputError, match="at least 4"):
        fit_pass_at_n(Log.from_curve([1.0, 2.0, 2.0, 4.0], [0.1, 0.2, 0.2, 0.3]))
    with pytest.raises(InputError, match="0 everywhere"):
        fit_pass_at_n(Log.from_curve([1.0, 2.0, 3.0, 4.0], [0.0] * 4))
    for n, y in (([1.0, 0.0], [0.1, 0.2]), ([1.0, 2.0], [0.1, 1.2]), ([1.0], [0.1, 0.2])):
        with pytest.raises(InputError, match="a curve"):
            Log.from_curve(n, y)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no published curves in {DATA}")
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_curves_reach_the_authors_errors(name):
    fit = fit_pass_at_n(read_log(DATA / f"{name}.csv"))
    assert fit.quality <= PUBLISHED[name] + 5e-7  # printed with six decimals
    if name == "pythia28B":  # theirs stopped at beta = 18
        assert fit.quality < 0.0003 and fit.at_bound == ()
        assert fit.beta == pytest.approx(15.7, abs=0.05) and fit.solvable == pytest.approx(0.9645, abs=1e-3)
    else:
        assert fit.at_bound == ("solvable",)
