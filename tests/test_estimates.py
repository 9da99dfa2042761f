"""Estimates from counts against enumeration of subsets, high precision and simulation; intervals by their coverage."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betaln
from statistics_budget import MOST_Z, agrees

from ds3sim.core.errors import InputError
from ds3sim.fit.estimates import vote_at_k as majority
from ds3sim.fit.estimates.pass_at_k import pass_at_k
from ds3sim.fit.estimates.subsets import chance_of_all, chance_of_any
from ds3sim.fit.estimates.vote_at_k import vote_at_k, vote_exact, vote_sampled, vote_table
from ds3sim.fit.logs.log import MISSING, Log, Samples, count
from ds3sim.stats.bootstrap import _resampled_means, bootstrap
from ds3sim.theory.votes import geometric_weights, vote_success


def counts(n, correct, wrong=None, **more) -> Log:
    n, correct = np.atleast_1d(n), np.atleast_1d(correct)
    n = np.broadcast_to(n, correct.shape)
    wrong = None if wrong is None else tuple(np.array(w, dtype=np.int64) for w in wrong)
    return Log("counts", "log", tuple(f"p{i}" for i in range(len(n))), n, correct, wrong=wrong, **more)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_average_over_subsets(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    subsets = list(itertools.combinations([1] * c + [0] * (n - c), k))
    assert chance_of_any(n, c, k) == pytest.approx(sum(any(s) for s in subsets) / len(subsets), abs=1e-14)
    assert chance_of_all(n, c, k) == pytest.approx(sum(all(s) for s in subsets) / len(subsets), abs=1e-14)


def reference(n: int, c: int, k: int):
    """log of C(n-c, k) / C(n, k) with 60 digits."""
    f = mpmath.loggamma
    return f(n - c + 1) - f(n - c - k + 1) - f(n + 1) + f(n - k + 1)


def test_pass_at_k_is_stable_up_to_a_million_samples():
    rng = np.random.default_rng(5)
    with mpmath.workdps(60):
        for n in (10, 130, 1000, 10**4, 10**5, 10**6):
            edges = [1, 2, 63, 64, 65, 66, n // 2, n - 65, n - 64, n - 1, n]
            spread = (10 ** rng.uniform(0, math.log10(n), 25)).astype(int)
            values = sorted({int(v) for v in [*edges, *spread] if 1 <= v <= n})
            for c in values:
                for k in values:
                    if c + k <= n:
                        log_none = reference(n, c, k)
                        some = 1 - mpmath.exp(log_none)
                        assert abs(chance_of_any(n, c, k) / some - 1) < 1e-10
                        every = mpmath.exp(log_none)
                        if every > 1e-300:
                            assert abs(chance_of_all(n, n - c, k) / every - 1) < 1e-8
                    else:
                        assert chance_of_any(n, c, k) == 1.0


def test_pass_at_k_at_its_ends():
    assert chance_of_any(10, 0, 10) == 0 and chance_of_any(10, 10, 1) == 1 and chance_of_any(10, 1, 10) == 1
    assert chance_of_all(10, 10, 10) == 1 and chance_of_all(10, 9, 10) == 0
    assert chance_of_any(7, 3, 1) == pytest.approx(3 / 7, rel=1e-15)
    assert np.isnan(chance_of_any(10, 3, 11)) and np.isnan(chance_of_all(10, 10, 11))  # undefined, not 1
    assert chance_of_any([[10], [20]], 3, [1, 5, 15]).shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((10, 11, 1), "correct = 11 is more than n = 10"),
        ((10, -1, 1), "correct = -1"),
        ((10, 1, 0), "k = 0"),
        ((10.5, 1, 1), "n = 10.5"),
        ((0, 0, 1), "n = 0"),
        ((math.nan, 0, 1), "n = nan"),
        (("a", 0, 1), "n = 'a' is not allowed"),
        ((10, True, 1), "correct = True is not allowed"),
    ],
)
def test_pass_at_k_refuses(arguments, words):
    with pytest.raises(InputError, match=words):
        chance_of_any(*arguments)


def test_pass_at_k_is_unbiased():
    n, p, k = 12, 0.3, np.array([1, 4, 12])
    c = np.arange(n + 1)
    law = stats.binom.pmf(c, n, p)
    assert law @ chance_of_any(n, c[:, None], k) == pytest.approx(1 - (1 - p) ** k, abs=1e-13)
    assert law @ chance_of_all(n, c[:, None], k) == pytest.approx(p**k, abs=1e-13)


def voted(c: int, wrong, blank: int, k: int, ties: str) -> Fraction:
    """The plurality vote over every subset."""
    votes = [0] * c + [a for a, w in enumerate(wrong, 1) for _ in range(w)] + [None] * blank
    total, number = Fraction(0), 0
    for subset in itertools.combinations(votes, k):
        number += 1
        tally = [subset.count(a) for a in range(len(wrong) + 1)]
        best = max(tally)
        if best > 0 and tally[0] == best:
            tied = tally.count(best)
            total += Fraction(1, tied) if ties == "random" else Fraction(int(tied == 1))
    return total / number


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 5), st.lists(st.integers(1, 4), max_size=4), st.integers(0, 2), st.sampled_from(["random", "wrong"])
)
def test_votes_are_the_average_over_subsets(c, wrong, blank, ties):
    n = c + sum(wrong) + blank
    if not 1 <= n <= 11:
        return
    k = np.arange(1, n + 1)
    brute = [float(voted(c, wrong, blank, int(one), ties)) for one in k]
    assert vote_exact(c, wrong, blank, k, ties) == pytest.approx(brute, abs=1e-13)


@pytest.mark.parametrize("ties", ["random", "wrong"])
def test_votes_of_many_samples_one_by_one_and_all_at_once(monkeypatch, ties):
    wrong, k = [40, 31, 31, 9, 2, 1, 1, 1], np.array([1, 2, 3, 17, 64, 150, 169])
    at_once = vote_exact(45, wrong, 8, k, ties)
    monkeypatch.setattr(majority, "_HALF", 0)
    assert vote_exact(45, wrong, 8, k, ties) == pytest.approx(at_once, abs=1e-12)


def test_votes_at_their_ends():
    assert vote_exact(3, [], 0, [1, 2, 3]) == pytest.approx([1, 1, 1])
    assert vote_exact(0, [2], 1, [1, 3]).tolist() == [0, 0]
    assert vote_exact(3, [3, 3], 0, [9]) == pytest.approx([1 / 3])
    assert vote_exact(3, [3, 3], 0, [9], "wrong").tolist() == [0]
    assert vote_exact(2, [1], 5, [1, 8]) == pytest.approx([2 / 8, 1])


def test_one_vote_is_pass_at_1():
    log = counts(10, [0, 3, 10], [[4, 2], [7], []])
    assert vote_at_k(log, 1).success.estimate == pytest.approx(pass_at_k(log, 1).success.estimate, abs=1e-14)


def test_votes_tend_to_the_law_of_independent_samples():
    """With n far above k, drawing without replacement is drawing with it: theory's (10)."""
    weights, p1, n = geometric_weights(5, 0.7), 0.3, 200_000
    c = int(p1 * n)
    wrong = np.round(weights * (n - c)).astype(int)
    k = np.array([1, 3, 10, 25])
    ours = vote_exact(c, wrong, n - c - int(wrong.sum()), k)
    theirs = [vote_success(p1, int(one), weights) for one in k]
    assert ours == pytest.approx(theirs, abs=5e-4)  # differs by order k^2/n


@pytest.mark.parametrize("ties", ["random", "wrong"])
def test_sampled_votes_agree_with_the_exact_ones(ties):
    wrong, k = np.array([12, 9, 5, 1, 1, 1]), np.array([1, 2, 5, 15, 30])
    exact = vote_exact(11, wrong, 3, k, ties)
    value, error = vote_sampled(11, wrong, 3, k, ties, seed=3, draws=20_000)
    assert agrees(value, exact, error)
    assert (error < 0.0036).all()


def test_the_table_of_votes(monkeypatch):
    log = counts([6, 4, 6], [2, 1, 2], [[2, 1], [3], [2, 1]])
    value, error = vote_table(log, np.array([1, 5]))
    assert np.isnan(value[1, 1]) and (error == 0).all() and value[0].tolist() == value[2].tolist()
    monkeypatch.setattr(majority, "EXACT_WORK", 0)
    sampled, error = vote_table(log, np.array([1, 5]), seed=1)
    assert agrees(sampled[[0, 2]], value[[0, 2]], error[[0, 2]]) and (error[[0, 2]] > 0).all()
    curve = vote_at_k(counts(6, [2, 2], [[2, 1], [4]]), [3], method="sampled")
    assert curve.sampling_error[0] > 0 and "sampled: standard error" in curve.notes[0]
    with pytest.raises(InputError, match="ties"):
        vote_table(log, np.array([1]), ties="first")
    with pytest.raises(InputError, match="counts alone give pass@k only"):
        vote_at_k(counts(3, [1]), 1)


def scored(problems) -> Samples:
    """Samples of problems given as lists of (score, grade)."""
    rows = [(f"p{i}", j, s, g) for i, problem in enumerate(problems) for j, (s, g) in enumerate(problem)]
    names = tuple(r[0] for r in rows)
    column = lambda at, kind: np.array([r[at] for r in rows], dtype=kind)  # noqa: E731
    return Samples(names, column(1, np.int64), column(3, float), None, None, column(2, float), names)


def best_of(problems, k) -> np.ndarray:
    fields, _ = count(scored(problems))
    return pass_at_k(Log("tidy", "log", **fields), k, kind="best-of-k").success.estimate


def test_best_of_k_is_the_average_over_subsets():
    rng = np.random.default_rng(2)
    problems = [[(float(s), float(g)) for s, g in rng.integers(0, 3, (7, 2)) / [1, 2]] for _ in range(5)]
    k = np.arange(1, 8)
    expected = np.zeros(k.size)
    for problem in problems:
        for at, size in enumerate(k):
            subsets = list(itertools.combinations(problem, int(size)))
            for subset in subsets:
                best = max(s for s, _ in subset)
                expected[at] += np.mean([g for s, g in subset if s == best]) / len(subsets) / len(problems)
    assert best_of(problems, k) == pytest.approx(expected, abs=1e-13)


def test_best_of_k_by_the_grade_itself_is_pass_at_k():
    problems = [[(float(i < c), float(i < c)) for i in range(8)] for c in (0, 1, 5, 8)]
    log, k = counts(8, [0, 1, 5, 8]), [1, 2, 8]
    assert best_of(problems, k) == pytest.approx(pass_at_k(log, k).success.estimate, abs=1e-14)


def test_best_of_k_refuses():
    with pytest.raises(InputError, match="k = 3 is more than n = 2"):
        best_of([[(1.0, 1.0)] * 2], 3)
    with pytest.raises(InputError, match="all samples need one"):
        best_of([[(1.0, 1.0), (math.nan, 1.0)]], 1)
    with pytest.raises(InputError, match="no scores of a verifier"):
        pass_at_k(counts(4, [1]), 1, kind="best-of-k")
    with pytest.raises(InputError, match="units = both has no effect"):
        pass_at_k(counts(4, [1]), 1, kind="best-of-k", units="both")


def test_a_curve_averages_over_problems():
    log = counts([4, 8], [1, 8])
    curve = pass_at_k(log, [1, 4, 2])
    assert curve.k.tolist() == [1, 4, 2] and curve.problems.tolist() == [2, 2, 2]
    assert curve.success.estimate == pytest.approx([(0.25 + 1) / 2, 1.0, (0.5 + 1) / 2])
    assert pass_at_k(log, [4], kind="pass^k").success.estimate == pytest.approx([0.5])


def test_beyond_n_it_takes_a_model():
    log = counts([4, 8], [1, 8])
    with pytest.raises(InputError, match="k = 5 is more than n = 4, the samples of problem 'p0'"):
        pass_at_k(log, [1, 5])
    curve = pass_at_k(log, [4, 5], ragged="available")
    assert curve.problems.tolist() == [2, 1] and "fewer problems" in curve.notes[0]
    assert curve.success.estimate == pytest.approx([1.0, 1.0])
    with pytest.raises(InputError, match="k = 9 is more than n = 8"):
        pass_at_k(log, 9, ragged="available")
    with pytest.raises(InputError, match="k = 5 is more than n = 4"):
        vote_at_k(counts([4, 8], [1, 8], [[3], []]), 5)


@pytest.mark.parametrize("bad", [0, -1, 1.5, math.nan, "a", [], [[1]], True])
def test_k_is_checked(bad):
    with pytest.raises(InputError, match="k "):
        pass_at_k(counts(4, [1]), bad)


def test_tokens_of_a_tidy_table():
    samples = scored([[(0.0, 1.0)] * 3, [(0.0, 0.0)]])
    samples = Samples(**{**samples.__dict__, "tokens": np.array([3, MISSING, 5, 8])})
    fields, notes = count(samples)
    assert fields["tokens"].tolist() == [4, 8] and "1 samples have no number of tokens" in notes[0]


def test_intervals_are_reproducible_and_seeded():
    log = counts(20, np.arange(20))
    one, same, other = (pass_at_k(log, [1, 5], seed=s).success for s in (0, 0, 1))
    assert (one.low == same.low).all() and (one.high == same.high).all() and (one.low != other.low).any()


def test_intervals_where_all_problems_agree_are_those_of_clopper_and_pearson():
    low, high = bootstrap(np.zeros((50, 1)))
    exact = stats.binomtest(0, 50).proportion_ci(method="exact")
    assert low[0] == 0 and high[0] == pytest.approx(exact.high, rel=1e-12)
    low, high = bootstrap(np.ones((50, 1)))
    assert high[0] == 1 and low[0] == pytest.approx(1 - exact.high, rel=1e-12)
    assert [x[0] for x in bootstrap(np.array([[0.3]]))] == [0, 1]


def test_intervals_of_many_problems_are_normal():
    values = np.random.default_rng(1).uniform(size=(3000, 2))
    low, high = bootstrap(values, resamples=20_000)
    half = 1.96 * values.std(axis=0) / math.sqrt(3000)
    # A quantile of B resamples has a standard error of about 2.7 / sqrt(B) standard deviations at 97.5%.
    slack = MOST_Z * 2.7 / math.sqrt(20_000) * values.std(axis=0) / math.sqrt(3000)
    assert (np.abs(low - (values.mean(axis=0) - half)) < slack).all()
    assert (np.abs(high - (values.mean(axis=0) + half)) < slack).all()


def test_intervals_of_skewed_values_are_scipys():
    """scipy's BCa at the expanded level; a second seed of ours shows how far the resampling moves the ends."""
    values = np.random.default_rng(4).beta(0.2, 1.5, 25)
    reach = math.sqrt(25 / 24) * stats.t.ppf(0.975, 24)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=1 - 2 * stats.norm.sf(reach),
        n_resamples=40_000,
        method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval
    ends = np.array([bootstrap(values[:, None], resamples=40_000, seed=s) for s in range(8)])[:, :, 0]
    assert (np.abs(ends.mean(axis=0) - theirs) < MOST_Z * 1.1 * ends.std(axis=0, ddof=1)).all()
    mean = values.mean()
    assert theirs.high - mean > 1.2 * (mean - theirs.low)  # skewed enough for the test to tell


def test_problems_that_lack_a_column_are_left_out():
    values = np.random.default_rng(1).uniform(size=(40, 1))
    ragged = np.hstack([np.vstack([values, np.full((7, 1), np.nan)]), np.zeros((47, 1))])
    low, high = bootstrap(ragged)
    alone = bootstrap(values)
    width = alone[1][0] - alone[0][0]
    assert abs(low[0] - alone[0][0]) < 0.1 * width and abs(high[0] - alone[1][0]) < 0.1 * width


def test_settings_of_intervals_are_checked():
    for name, bad in (("level", 2), ("resamples", 5), ("seed", -1), ("units", "tasks"), ("ragged", "all")):
        with pytest.raises(InputError, match=f"{name} = {bad!r} is not"):
            pass_at_k(counts(4, [1, 2]), 1, **{name: bad})


LAW = {"solvable": 0.9, "alpha": 0.4, "beta": 1.1}


def simulated(rng, problems: int, n: int):
    rate = rng.beta(LAW["alpha"], LAW["beta"], problems) * (rng.random(problems) < LAW["solvable"])
    return rate, rng.binomial(n, rate)


def law_pass_at(k):
    """(12) of docs/theory.md."""
    return LAW["solvable"] * -np.expm1(betaln(LAW["alpha"], LAW["beta"] + k) - betaln(LAW["alpha"], LAW["beta"]))


def covered(low, high, true) -> np.ndarray:
    return (low <= true) & (true <= high)


def test_coverage_when_problems_are_drawn():
    """30 problems, 60 samples: the default covers at its level; on the same logs percentile intervals cover less."""
    runs, problems, n, k = 600, 30, 60, np.array([1, 8, 30])
    rng = np.random.default_rng(11)
    true = law_pass_at(k)
    hit, plain, misses = np.zeros(3), np.zeros(3), np.zeros((2, 3))
    for seed in range(runs):
        _, c = simulated(rng, problems, n)
        values = chance_of_any(n, c[:, None], k)
        low, high = bootstrap(values, resamples=800, seed=seed)
        hit += covered(low, high, true)
        misses += [true < low, true > high]
        drawn = _resampled_means(values, np.ones(values.shape, dtype=bool), seed, 800)
        plain += covered(*np.quantile(drawn, [0.025, 0.975], axis=0), true)
    assert (np.abs(hit / runs - 0.95) < MOST_Z * math.sqrt(0.95 * 0.05 / runs)).all()
    assert (np.abs(misses / runs - 0.025) < MOST_Z * math.sqrt(0.025 * 0.975 / runs)).all()
    assert (hit > plain).all()


def test_coverage_when_only_the_samples_are_drawn():
    """Fixed problems: ``units = samples`` covers their own pass@k, and the two-level interval is wider than both."""
    runs, n, k = 250, 60, np.array([1, 8])
    rng = np.random.default_rng(12)
    rate = rng.uniform(0.05, 0.9, 40)
    true = (1 - (1 - rate[:, None]) ** k).mean(axis=0)
    hit = np.zeros(2)
    for seed in range(runs):
        log = counts(n, rng.binomial(n, rate))
        found = pass_at_k(log, k, units="samples", seed=seed, resamples=400).success
        hit += covered(found.low, found.high, true)
    error = MOST_Z * math.sqrt(0.95 * 0.05 / runs)
    assert (np.abs(hit / runs - 0.95) < error).all()
    width = {u: np.ptp([pass_at_k(log, 4, units=u).success.low, pass_at_k(log, 4, units=u).success.high]) for u in
             ("problems", "both", "samples")}  # fmt: skip
    assert width["samples"] < 0.5 * width["problems"] and width["problems"] < 1.02 * width["both"]


def test_the_two_level_interval_is_centred():
    """Resampling with replacement is biased low at large k; the interval must hold the unbiased estimate midway."""
    log = counts(20, np.full(400, 2))
    found = pass_at_k(log, 10, units="both").success
    middle = 0.5 * (found.low + found.high)
    assert abs(middle - found.estimate) < 0.1 * (found.high - found.low)
