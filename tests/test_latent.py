"""Latent difficulty (12)-(14) against mpmath, enumeration, numerical integration and simulation; large votes."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from scipy import integrate, stats

from ds3sim.core.errors import InputError
from ds3sim.theory import latent, votes
from ds3sim.theory.votes import geometric_weights


@pytest.mark.parametrize("alpha", [1e-4, 0.39, 2.7, 1e5])
@pytest.mark.parametrize("beta", [1e-3, 2.7, 18.0, 1e9])
def test_pass_at_n_has_all_digits(alpha, beta):
    with mp.workdps(60):
        for n in (0.5, 1, 3, 100, 1e4, 1e8, 1e12):
            a, b = mp.mpf(alpha), mp.mpf(beta)
            want = 0.9 * (1 - mp.beta(a, b + n) / mp.beta(a, b))
            assert latent.pass_at_n(n, 0.9, alpha, beta) == pytest.approx(float(want), rel=1e-13)


def test_pass_at_n_limits_and_errors():
    assert latent.pass_at_n(0, 0.9, 0.4, 3.0) == 0
    assert latent.pass_at_n(1, 0.8, 0.4, 3.6) == pytest.approx(0.08, rel=1e-14)
    np.testing.assert_allclose(latent.pass_at_n([1, 2], 1.0, 1.0, 1.0), [1 / 2, 2 / 3], rtol=1e-14)
    for bad in (
        (1, 1.1, 0.4, 3.0),
        (1, 0.9, 0.0, 3.0),
        (1, 0.9, 0.4, -1.0),
        (-1, 0.9, 0.4, 3.0),
        (1, 0.9, 0.4, np.nan),
    ):
        with pytest.raises(InputError, match="not allowed"):
            latent.pass_at_n(*bad)


@pytest.mark.parametrize(("n", "alpha", "beta"), [(1, 0.4, 3.0), (10, 0.3, 2.0), (3000, 0.4, 18.0), (100, 0.38, 1e8)])
def test_count_law(n, alpha, beta):
    law = latent.count_law(n, alpha, beta)
    assert law.sum() == pytest.approx(1.0, abs=1e-12)
    with mp.workdps(40):
        for k in {0, 1, n // 2, n}:
            a, b = mp.mpf(alpha), mp.mpf(beta)
            want = mp.binomial(n, k) * mp.beta(a + k, b + n - k) / mp.beta(a, b)
            if want > 1e-280:
                assert law[k] == pytest.approx(float(want), rel=1e-11)
                bare = float(mp.log(want / mp.binomial(n, k)))
                assert latent.log_probability(float(k), float(n), alpha, beta) == pytest.approx(bare, abs=1e-9)


def test_moments_density_and_distribution():
    a, alpha, beta = 0.8, 0.5, 2.0
    mean, variance = latent.moments(a, alpha, beta)
    base = stats.beta(alpha, beta)
    assert mean == pytest.approx(a * base.mean())
    assert variance == pytest.approx(a * (base.var() + base.mean() ** 2) - mean**2)
    whole = integrate.quad(lambda r: float(latent.density(r, a, alpha, beta)), 0, 1)[0]
    assert whole == pytest.approx(a, abs=1e-7)
    assert latent.distribution(0.0, a, alpha, beta) == pytest.approx(0.2)
    assert latent.distribution(0.3, a, alpha, beta) == pytest.approx(1 - a * base.sf(0.3))


def votes_by_enumeration(n, weights, a, alpha, beta):
    """(13) over every sequence of n answers, integrated over R by quadrature of the beta law's moments."""
    total = 0.0
    for answers in itertools.product(range(len(weights) + 1), repeat=n):
        counts = np.bincount(answers, minlength=len(weights) + 1)
        k, best = counts[0], counts.max()
        if k < best:
            continue
        chance = np.prod([weights[j - 1] for j in answers if j])
        with mp.workdps(30):
            rate = float(mp.beta(alpha + k, beta + n - k) / mp.beta(alpha, beta))
        total += chance * rate / (counts == best).sum()
    return a * total


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_votes_against_enumeration(n):
    weights = [0.6, 0.3, 0.1]
    want = votes_by_enumeration(n, weights, 0.9, 0.4, 1.1)
    assert latent.vote_at_n(n, 0.9, 0.4, 1.1, weights) == pytest.approx(want, rel=1e-12)


def test_votes_against_simulation():
    rng = np.random.default_rng(8)
    weights, n, tasks = geometric_weights(11, 0.746), 40, 200_000
    rate = np.where(rng.random(tasks) < 0.9, rng.beta(0.38, 1.13, tasks), 0.0)
    counts = rng.multinomial(n, np.column_stack([rate, (1 - rate)[:, None] * weights]))
    best = counts.max(1)
    won = (counts[:, 0] == best) / (counts == best[:, None]).sum(1)
    assert abs(latent.vote_at_n(n, 0.9, 0.38, 1.13, weights) - won.mean()) < 5 * won.std() / np.sqrt(tasks)


def test_votes_come_to_their_plateau():
    weights = geometric_weights(11, 0.746)
    a = (1.0, 0.38, 1.134)
    plateau = latent.plateau(*a, weights[0])
    assert plateau == pytest.approx(stats.beta(0.38, 1.134).sf(weights[0] / (1 + weights[0])), rel=1e-12)
    gaps = [abs(latent.vote_at_n(n, *a, weights) - plateau) for n in (100, 10_000, 1_000_000, 10**9)]
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] and gaps[2] < 1e-3 and gaps[3] < 1e-5


@pytest.mark.parametrize(("categories", "decay"), [(11, 0.746), (4, 0.999), (30, 1.0)])
def test_interpolated_transition(categories, decay, monkeypatch):
    """Above 2048 votes the transition is interpolated: within 1e-6 of computing every k."""
    weights, n = geometric_weights(categories, decay), 3001
    quick = votes.plurality(n, weights)
    first, last = votes._transition(n, votes.positive_weights(weights), 1, n // 2)
    for k in np.linspace(first, last, 23).astype(int):
        assert quick[k] == pytest.approx(
            float(votes._several(n, np.array([k]), votes.positive_weights(weights), "random")[0]), abs=1e-6
        )
    assert np.all(quick[: first - 1] == 0) and np.all(quick[last + 1 :] == 1)
    assert np.all(np.diff(quick) > -1e-6)


def test_many_votes_against_simulation():
    rng = np.random.default_rng(3)
    weights, n, k, trials = np.full(6, 1 / 6), 100_000, 14_400, 20_000
    counts = rng.multinomial(n - k, weights, trials)
    best = counts.max(1)
    won = np.where(best < k, 1.0, np.where(best == k, 1 / (1 + (counts == k).sum(1)), 0.0))
    error = max(won.std(), 0.01) / np.sqrt(trials)
    assert 0.05 < won.mean() < 0.95
    assert abs(votes.plurality(n, weights)[k] - won.mean()) < 5 * error


@pytest.mark.parametrize(("categories", "decay"), [(11, 0.746), (50, 1.0), (50, 0.999), (4, 0.999)])
def test_votes_beyond_the_largest_count(categories, decay, monkeypatch):
    """The continuation to larger N, tried where the true value can still be computed: within the stated 1e-4."""
    weights, rates = geometric_weights(categories, decay), (0.95, 0.4, 3.0)
    want = latent.vote_at_n(2**17, *rates, weights)
    monkeypatch.setattr(votes, "LARGEST", 2**15)
    assert latent.vote_at_n(2**17, *rates, weights) == pytest.approx(want, abs=1e-4)
