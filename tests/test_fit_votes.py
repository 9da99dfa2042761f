"""Wrong answers: chances of agreement patterns, recovery of (M, lambda), vote curves."""

import itertools
from collections import Counter
from math import comb

import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.fit import agreement as patterns
from ds3sim.fit.logs.log import Log
from ds3sim.fit.votes import fit_votes
from ds3sim.fit.wrong_answers import fit_answers, fit_vote_curve, whole_votes
from ds3sim.theory import latent
from ds3sim.theory.votes import geometric_weights


def test_pattern_chances_against_enumeration():
    weights = [0.5, 0.3, 0.2]
    found = dict(zip(patterns.partitions(), patterns.chances(weights), strict=True))
    for size in (1, 2, 3, 4, 6):
        want: Counter = Counter()
        for answers in itertools.product(range(3), repeat=size):
            pattern = tuple(sorted(Counter(answers).values(), reverse=True))
            want[pattern] += np.prod([weights[a] for a in answers])
        for pattern, chance in want.items():
            assert found[pattern] == pytest.approx(chance, rel=1e-12)


def test_patterns_that_a_problem_shows():
    wrong = [4, 2, 1]
    found = dict(zip(patterns.partitions(), patterns.observed(np.array(wrong)), strict=True))
    answers = [a for a, m in enumerate(wrong) for _ in range(m)]
    want = Counter(tuple(sorted(Counter(s).values(), reverse=True)) for s in itertools.combinations(answers, 6))
    for pattern, count in want.items():
        assert found[pattern] == pytest.approx(count / comb(7, 6) * 7 / 6, rel=1e-12)
    assert patterns.observed(np.array([1])).sum() == 0


def test_chance_table_is_made_of_chances():
    raw = np.array([[1.0, 0.7, 0.49, 0.343]])
    for size in (1, 2, 4):
        want = patterns.chances(raw[0, :size] / raw[0, :size].sum())
        np.testing.assert_allclose(patterns.chance_table(raw)[size - 1, 0], want, rtol=1e-12, atol=1e-15)


def answers_of(rng, weights, problems=150, samples=50):
    rate = rng.beta(0.4, 1.5, problems)
    return [rng.multinomial(rng.binomial(samples, 1 - r), weights) for r in rate]


@pytest.mark.parametrize(("categories", "decay"), [(11, 0.746), (6, 0.5)])
def test_error_model_from_answers(categories, decay):
    weights = geometric_weights(categories, decay)
    fit = fit_answers(answers_of(np.random.default_rng(1), weights))
    assert fit.kind == "geometric" and fit.decay == pytest.approx(decay, abs=0.04)
    assert abs(fit.categories - categories) <= 3
    low, high = fit.c_star_interval
    assert low <= weights[0] <= high and high - low < 0.06


def test_other_kinds_are_found():
    rng = np.random.default_rng(6)
    zipf = 1.0 / np.arange(1, 30.0) ** 1.5
    fit = fit_answers(answers_of(rng, zipf / zipf.sum(), 300, 80))
    assert fit.kind == "zipf" and fit.exponent == pytest.approx(1.5, abs=0.1)
    free = fit_answers(answers_of(rng, [0.7, 0.1, 0.1, 0.1], 200, 60))
    assert free.kind == "weights" and free.c_star == pytest.approx(0.7, abs=0.02)
    same = fit_answers(answers_of(rng, np.full(5, 0.2)), kind="uniform")
    assert same.categories == 6 and same.decay == 1.0


def test_error_model_from_a_vote_curve():
    weights, rates = geometric_weights(11, 0.7), (0.9, 0.4, 1.1)
    n = np.array([1, 3, 5, 10, 20, 50])
    y = np.array([latent.vote_at_n(int(k), *rates, weights) for k in n])
    fit = fit_vote_curve(n, y, rates, "geometric")
    assert fit.c_star == pytest.approx(weights[0], rel=0.02) and fit.squared_error < 1e-6
    assert fit.c_star_interval[0] <= fit.c_star <= fit.c_star_interval[1]


def test_what_cannot_be_fitted():
    with pytest.raises(InputError, match="fewer than 2 problems"):
        fit_answers([np.array([3, 1]), np.array([1])])
    with pytest.raises(InputError, match="not known"):
        fit_answers([np.array([3, 1])] * 5, kind="normal")
    with pytest.raises(InputError, match="needs answers"):
        fit_vote_curve([1, 2, 3], [0.1, 0.2, 0.3], (1.0, 0.4, 1.0), "weights")
    with pytest.raises(InputError, match="at least 3"):
        fit_vote_curve([1, 1.2, 2], [0.1, 0.2, 0.3], (1.0, 0.4, 1.0))
    n, y = whole_votes([1.06, 0.9, 3.6], [0.2, 0.4, 0.5])
    assert n.tolist() == [1, 4] and y == pytest.approx([0.3, 0.5])


def test_three_paths_are_no_parameters():
    """A tuple of three numbers is (A, alpha, beta), one of three paths names logs."""
    log = Log(problems=("a", "b"), samples=[9, 9], correct=[3, 5], wrong=([4, 2], [2, 2]))
    with pytest.raises(InputError, match=r"one\.jsonl"):
        fit_votes(log, rates=("one.jsonl", "two.jsonl", "three.jsonl"))
    assert fit_votes(log, errors="uniform", rates=(0.9, 0.5, 1.0)).rates.parameters == (0.9, 0.5, 1.0)
