"""Plurality votes against enumeration of all vote counts, the generating function (9) and sampling."""

from fractions import Fraction
from math import comb, factorial

import mpmath as mp
import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.theory import votes
from ds3sim.theory.binomial import binomial_pmf, binomial_tails

WEIGHTS = [(1.0,), (0.5, 0.5), (0.5, 0.3, 0.2), (0.97, 0.02, 0.01), (0.25,) * 4, (0.4, 0.0, 0.3, 0.2, 0.1)]


def compositions(total: int, parts: int):
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)


def enumerate_outcomes(n: int, weights, ties: str) -> list[float]:
    """Q_k(n) in exact rationals, over every way the n-k wrong votes can fall."""
    c = [Fraction(w) for w in weights]
    result = []
    for k in range(n + 1):
        won = Fraction(0)
        for counts in compositions(n - k, len(c)):
            chance = Fraction(factorial(n - k))
            for count, w in zip(counts, c, strict=True):
                chance *= w**count / factorial(count)
            tied = sum(count == k for count in counts)
            if max(counts) < k or (max(counts) == k and ties == "random"):
                won += chance / (1 + tied)
        result.append(float(won / sum(c) ** (n - k)))
    return result


def generating_function(n: int, k: int, weights) -> mp.mpf:
    """(9) as written, in 40 digits: coefficients of the product of truncated exponentials."""
    with mp.workdps(40):
        table = {(0, 0): mp.mpf(1)}
        for w in weights:
            terms = [mp.mpf(w) ** i / mp.factorial(i) for i in range(k + 1)]
            new: dict = {}
            for (used, tied), value in table.items():
                for i in range(min(k, n - k - used) + 1):
                    at = (used + i, tied + (i == k))
                    new[at] = new.get(at, 0) + value * terms[i]
            table = new
        return mp.factorial(n - k) * sum(v / (1 + tied) for (used, tied), v in table.items() if used == n - k)


@pytest.mark.parametrize("ties", ["random", "wrong"])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_outcome_for_few_votes(weights, ties):
    for n in (1, 2, 3, 4, 6, 9):
        # a few roundings per category and vote
        np.testing.assert_allclose(
            votes.plurality(n, weights, ties), enumerate_outcomes(n, weights, ties), rtol=1e-13, atol=1e-300
        )


def test_many_votes_against_the_generating_function():
    weights = votes.geometric_weights(6, 0.7)
    chance = votes.plurality(60, weights)
    for k in (10, 11, 15, 20, 29, 30):
        assert chance[k] == pytest.approx(float(generating_function(60, k, weights.tolist())), rel=2e-13)
    assert np.all(chance[:10] == 0) and np.all(chance[31:] == 1)


def test_a_thousand_votes_tiny_and_certain():
    """All 999 votes over 3 answers exactly tied: Q is the multinomial chance / 3 (n = 999)."""
    chance = votes.plurality(999, (0.5, 0.5))
    with mp.workdps(40):
        tie = mp.binomial(666, 333) / mp.mpf(2) ** 666
        assert chance[333] == pytest.approx(float(tie / 3), rel=1e-12)
    assert np.all(chance[:333] == 0) and np.all(chance[500:] == 1)
    assert np.all(np.diff(chance) >= -1e-13)  # more correct votes never hurt
    two = votes.plurality(998, (1.0,))
    np.testing.assert_array_equal(two[[498, 499, 500]], [0, 0.5, 1])
    rare = votes.plurality(400, votes.geometric_weights(5, 0.2))
    exact = generating_function(400, 90, votes.geometric_weights(5, 0.2).tolist())
    assert rare[90] == pytest.approx(float(exact), rel=1e-11) and 0 < exact < mp.mpf(10) ** -100


def test_ties_wrong_with_two_answers_is_the_strict_majority():
    p1 = np.array([0.0, 1e-6, 0.3, 0.5, 0.8, 1.0])
    for n in (1, 2, 5, 10, 101, 400):
        np.testing.assert_allclose(
            votes.vote_success(p1, n, [1.0], "wrong"), votes.authors_vote(p1, n, 2), rtol=1e-12, atol=1e-300
        )
        strict = [sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 + 1, n + 1)) for p in p1[2:5]]
        np.testing.assert_allclose(votes.authors_vote(p1[2:5], n, 2), strict, rtol=1e-11)


def test_authors_vote_for_more_answers_is_another_thing():
    """A = 5, n = 20: at least 5 correct votes; with one wrong answer much likelier they often lose."""
    p = 0.3
    at_least_five = sum(comb(20, k) * p**k * (1 - p) ** (20 - k) for k in range(5, 21))
    assert votes.authors_vote(p, 20, 5) == pytest.approx(at_least_five, rel=1e-13)
    assert votes.vote_success(p, 20, [0.7, 0.1, 0.1, 0.1]) < at_least_five - 0.5


def test_vote_success_against_enumeration():
    weights, n = (0.5, 0.3, 0.2), 7
    chance = enumerate_outcomes(n, weights, "random")
    p1 = np.array([[0.1, 0.5], [1e-9, 1.0]])
    want = [[sum(comb(n, k) * p**k * (1 - p) ** (n - k) * chance[k] for k in range(n + 1)) for p in row] for row in p1]
    np.testing.assert_allclose(votes.vote_success(p1, n, weights), want, rtol=1e-13)
    assert votes.vote_success(0.37, 1, weights) == pytest.approx(0.37, rel=1e-15)
    assert votes.vote_success(0.0, n, weights) == 0 and votes.vote_success(1.0, n, weights) == 1
    assert np.ndim(votes.vote_success(0.2, n, weights)) == 0


def test_vote_success_against_sampling():
    rng = np.random.default_rng(5)
    p1, n, weights, trials = 0.3, 40, votes.geometric_weights(8, 0.8), 200_000
    counts = rng.multinomial(n, [p1, *(weights * (1 - p1))], trials)
    best = counts.max(axis=1)
    tied = (counts == best[:, None]).sum(axis=1)
    for ties, score in (("random", (counts[:, 0] == best) / tied), ("wrong", (counts[:, 0] == best) & (tied == 1))):
        error = np.std(score) / np.sqrt(trials)
        assert abs(votes.vote_success(p1, n, weights, ties) - np.mean(score)) < 5 * error


def test_plateau_of_many_votes():
    """With P1 < c*/(1+c*) the vote is lost in the end, above it is won."""
    weights = votes.geometric_weights(11, 0.746)
    critical = weights[0] / (1 + weights[0])
    assert votes.vote_success(critical - 0.06, 600, weights) < 0.02
    assert votes.vote_success(critical + 0.06, 600, weights) > 0.98


def test_geometric_weights():
    c = votes.geometric_weights(11, 0.746)
    j = np.arange(1, 11)
    np.testing.assert_allclose(c, (1 - 0.746) * 0.746 ** (j - 1) / (1 - 0.746**10), rtol=1e-14)
    np.testing.assert_array_equal(votes.geometric_weights(4, 1.0), [1 / 3] * 3)
    np.testing.assert_array_equal(votes.geometric_weights(4, 0.0), [1, 0, 0])
    np.testing.assert_array_equal(votes.geometric_weights(2, 0.3), [1.0])


def test_order_and_zero_weights_do_not_matter():
    np.testing.assert_array_equal(
        votes.plurality(30, (0.2, 0.5, 0.0, 0.3)), votes.plurality(30, np.array([0.5, 0.3, 0.2]))
    )


def test_bad_arguments():
    for call in (
        lambda: votes.plurality(0, [1.0]),
        lambda: votes.plurality(3, [0.5, 0.4]),
        lambda: votes.plurality(3, [1.5, -0.5]),
        lambda: votes.plurality(3, [1.0], "first"),
        lambda: votes.plurality(3, []),
        lambda: votes.vote_success(1.2, 3, [1.0]),
        lambda: votes.authors_vote(0.2, 3, 1),
        lambda: votes.geometric_weights(1, 0.5),
    ):
        with pytest.raises(InputError, match=r"not|sum to|must"):
            call()
    with pytest.raises(InputError, match="1048576"):
        votes.plurality(2**20 + 1, [1.0])
    with pytest.raises(ValueError, match="read-only"):
        votes.plurality(3, [1.0])[0] = 1


def test_success_of_very_many_votes():
    weights, n = votes.geometric_weights(6, 0.5), 3000
    p = np.array([[0.0, 0.2, 0.33], [0.34, 0.4, 1.0]])
    whole = binomial_pmf(np.arange(n + 1), n, p[..., None]) @ votes.plurality(n, weights)
    found = votes.vote_success(p, n, weights)
    np.testing.assert_allclose(found, whole, rtol=1e-11, atol=1e-300)
    assert found.shape == p.shape and 0 < found[0, 2] < found[1, 0] < 1
    two = votes.vote_success([0.4, 0.5, 0.6], 3001, [1.0])  # a binomial tail
    np.testing.assert_allclose(two, binomial_tails(1501, 3001, np.array([0.4, 0.5, 0.6]))[0], rtol=1e-11)
