"""Intervals and tests against their definitions: enumeration, mpmath, hand-written references."""

import math

import mpmath
import numpy as np
import pytest
from scipy import stats

from ds3sim.core.errors import InputError
from ds3sim.stats.intervals import clopper_pearson, mean_interval
from ds3sim.stats.tests import binomial_p, binomial_z, goodness_of_fit, holm, mean_p, pooled_bins


def tail_sum(low, high, n, p):
    """P(low <= X <= high) for X binomial(n, p), 40 digits."""
    with mpmath.workdps(40):
        p = mpmath.mpf(float(p))
        return mpmath.fsum(mpmath.binomial(n, k) * p**k * (1 - p) ** (n - k) for k in range(low, high + 1))


def beta_cdf(a, b, x):
    """I_x(a, b) by quadrature of the density in 40 digits, split at multiples of its deviation.

    An independent reference for parameters (1e12) at which sums and series are out of reach.
    """
    with mpmath.workdps(40):
        a, b, x = mpmath.mpf(a), mpmath.mpf(b), mpmath.mpf(float(x))
        scale = mpmath.loggamma(a + b) - mpmath.loggamma(a) - mpmath.loggamma(b)
        deviation = mpmath.sqrt(a * b / (a + b) ** 2 / (a + b + 1))

        def density(u):
            return mpmath.exp(scale + (a - 1) * mpmath.log(u) + (b - 1) * mpmath.log1p(-u))

        if x <= a / (a + b):
            return mpmath.quad(density, mpmath.linspace(max(mpmath.mpf(0), x - 24 * deviation), x, 13))
        return 1 - mpmath.quad(density, mpmath.linspace(x, min(mpmath.mpf(1), x + 24 * deviation), 13))


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_clopper_pearson_solves_its_definition(n, level):
    hits = np.arange(n + 1)
    low, high = clopper_pearson(hits, n, level)
    tail = (1 - level) / 2
    for h in hits[1:]:
        assert float(tail_sum(int(h), n, n, low[h])) == pytest.approx(tail, rel=1e-9)
    for h in hits[:-1]:
        assert float(tail_sum(0, int(h), n, high[h])) == pytest.approx(tail, rel=1e-9)


def test_clopper_pearson_is_exact_at_the_ends():
    for n in (1, 10, 10**6, 10**12):
        low, high = clopper_pearson([0, n], n)
        assert low[0] == 0.0 and high[1] == 1.0
        assert high[0] == pytest.approx(-math.expm1(math.log(0.025) / n), rel=1e-9)
        assert low[1] == pytest.approx(0.025 ** (1 / n), rel=1e-9)


def test_no_trials_say_nothing():
    assert [float(x) for x in clopper_pearson(0, 0)] == [0.0, 1.0]


@pytest.mark.parametrize("n", [10**6, 10**9, 10**12])
@pytest.mark.parametrize("h", ["1", "30", "n//1000", "n//3", "n//2", "n-5"])
def test_clopper_pearson_of_large_counts(n, h):
    h = {"1": 1, "30": 30, "n//1000": n // 1000, "n//3": n // 3, "n//2": n // 2, "n-5": n - 5}[h]
    low, high = (float(x) for x in clopper_pearson(h, n))
    assert 0 < low < h / n < high < 1
    # A float64 near 1 cannot say its distance from 1 to better than 2^-53: allow for that spacing.
    slack = 1e-7 + 40 * 2.0**-53 * n / max(1, n - h)
    assert float(beta_cdf(h, n - h + 1, low)) == pytest.approx(0.025, rel=slack)
    assert float(1 - beta_cdf(h + 1, n - h, high)) == pytest.approx(0.025, rel=slack)


@pytest.mark.parametrize("n", [1, 5, 20, 60])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_clopper_pearson_coverage_by_enumeration(n, level):
    hits = np.arange(n + 1)
    low, high = clopper_pearson(hits, n, level)
    ends = np.concatenate([low, high])
    grid = np.concatenate([np.linspace(0, 1, 1001), np.clip(ends - 1e-9, 0, 1), np.clip(ends + 1e-9, 0, 1)])
    law = stats.binom.pmf(hits[:, None], n, grid)
    inside = (low[:, None] <= grid) & (grid <= high[:, None])
    coverage = (law * inside).sum(axis=0)
    assert coverage.min() >= level - 1e-9
    # Sharp: each side errs by at most (1 - level) / 2, and nearly as much somewhere.
    above = (law * (grid > high[:, None])).sum(axis=0)
    assert 0.5 * (1 - level) >= above.max() - 1e-9 and above.max() > 0.5 * (1 - level) * (1 - 1e-4)


@pytest.mark.parametrize("law", [clopper_pearson, lambda hits, trials: binomial_p(hits, trials, 0.5)])
@pytest.mark.parametrize(
    ("hits", "trials", "said"),
    [
        (-1, 5, "hits = -1 is"),
        (6, 5, "more hits than trials"),
        (1.5, 5, "hits = 1.5 is"),
        (float("nan"), 5, "hits = nan is"),
        (1, float("inf"), "trials = inf is"),
        ("1", 5, "hits = '1' is"),
        (True, 5, "hits = True is"),
    ],
)
def test_counts_are_checked(law, hits, trials, said):
    with pytest.raises(InputError, match=said):
        law(hits, trials)


def test_mean_interval_is_the_normal_one_plus_a_guard():
    low, high = mean_interval(10.0, 4.0, 10_000, 200.0)
    half = 1.959963984540054 * 0.02 + 200 * math.log(40) / 10_000
    assert [float(low), float(high)] == pytest.approx([10 - half, 10 + half], rel=1e-12)
    low, high = mean_interval(0.0, 0.0, 1000, 1.0)
    assert float(high) >= clopper_pearson(0, 1000)[1] and low < 0
    assert np.ptp(mean_interval(3.0, 0.0, 10, 0.0)) == 0


@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [10, 100, 1000])
def test_mean_interval_covers_two_valued_variables(n, level):
    """Enumeration, rare events included, where the normal interval alone covers next to nothing."""
    span = 7.0
    hits = np.arange(n + 1)
    mean = hits / n
    low, high = mean_interval(span * mean, span**2 * mean * (1 - mean), n, span, level)
    p = np.concatenate([np.logspace(-6, -0.31, 400), [0.5]])
    law = stats.binom.pmf(hits[:, None], n, p)
    coverage = (law * ((low[:, None] <= span * p) & (span * p <= high[:, None]))).sum(axis=0)
    assert coverage.min() >= level - 0.1 * (1 - level)


def test_mean_p_is_normal_without_a_span():
    assert float(mean_p(1.02, 1.0, 1.0, 10_000)) == pytest.approx(2 * stats.norm.sf(2.0), rel=1e-9)
    assert mean_p(5.0, 5.0, 0.0, 10) == 1 and mean_p(5.0, 5.0 + 1e-15, 0.0, 10) == 1
    assert mean_p(5.0, 5.001, 0.0, 10) == 0


@pytest.mark.parametrize("p", [1e-4, 0.01, 0.3])
@pytest.mark.parametrize("n", [5, 100, 2000])
def test_mean_p_with_a_span_never_rejects_too_often(n, p):
    hits = np.arange(n + 1)
    values = mean_p(3.0 * hits / n, 3.0 * p, 9.0 * p * (1 - p), n, span=3.0)
    assert worst_excess(values, stats.binom.pmf(hits, n, p)) <= 1e-12
    # The normal p-value does reject too often on skew data: the span is there for a reason.
    if p == 1e-4:
        plain = mean_p(3.0 * hits / n, 3.0 * p, 9.0 * p * (1 - p), n)
        assert worst_excess(plain, stats.binom.pmf(hits, n, p)) > 1e-5
    assert float(mean_p(0.3 + 8 * math.sqrt(0.21 / n), 0.3, 0.21, n, span=1.0)) < (1.0 if n < 100 else 1e-7)


def worst_excess(p_values, law):
    """max over a of P(p <= a) - a, which a valid p-value keeps at or below 0."""
    order = np.argsort(p_values)
    values, reached = p_values[order], np.cumsum(law[order])
    last = np.append(np.diff(values) > 0, True)  # equal values count together
    return float(np.max(reached[last] - values[last]))


@pytest.mark.parametrize("n", [1, 2, 9, 50, 300])
@pytest.mark.parametrize("p", [1e-3, 0.07, 0.5, 0.9, 1 - 1e-6])
def test_binomial_p_is_calibrated_and_matches_the_sums(n, p):
    hits = np.arange(n + 1)
    values = binomial_p(hits, n, p)
    assert worst_excess(values, stats.binom.pmf(hits, n, p)) <= 1e-12
    for h in {0, 1, n // 2, n}:
        reference = min(1, 2 * min(tail_sum(0, h, n, p), tail_sum(h, n, n, p)))
        assert float(values[h]) == pytest.approx(float(reference), rel=1e-11)


def test_binomial_p_where_the_outcome_is_certain():
    assert binomial_p([0, 1, 10], 10, 0.0).tolist() == [1, 0, 0]
    assert binomial_p([10, 9, 0], 10, 1.0).tolist() == [1, 0, 0]
    assert binomial_p(10, 10, 1 + 2e-16) == 1
    assert binomial_p(0, 0, 0.3) == 1
    assert binomial_z([0, 1, 10], 10, 0.0).tolist() == [0, math.inf, math.inf]
    assert binomial_z([10, 9], 10, 1.0).tolist() == [0, -math.inf]


@pytest.mark.parametrize("n", [10**9, 10**12])
@pytest.mark.parametrize("p", [3e-11, 1e-5, 0.3, 0.5])
@pytest.mark.parametrize("z", [-4, -1, 3, 6])
def test_binomial_p_of_large_counts(n, p, z):
    h = max(0, round(n * p + z * math.sqrt(n * p * (1 - p))))
    if h == 0:
        tail = math.exp(n * math.log1p(-p))
    elif z < 0:
        tail = float(1 - beta_cdf(h + 1, n - h, p))
    else:
        tail = float(beta_cdf(h, n - h + 1, p))
    assert float(binomial_p(h, n, p)) == pytest.approx(min(1.0, 2 * tail), rel=1e-8)


def test_binomial_p_is_dual_to_clopper_pearson():
    n = 37
    hits = np.arange(1, n)
    low, high = clopper_pearson(hits, n, 0.9)
    assert np.allclose(binomial_p(hits, n, low), 0.1, rtol=1e-9)
    assert np.allclose(binomial_p(hits, n, high), 0.1, rtol=1e-9)


def test_binomial_z_is_the_standard_score():
    assert float(binomial_z(60, 100, 0.5)) == pytest.approx(2.0)
    assert binomial_z([40, 50], 100, 0.5) == pytest.approx([-2.0, 0.0])


def geometric_law(r=0.05, last=200):
    """A hitting-time law with a long thin tail and a last bin for "beyond"."""
    k = np.arange(1, last + 1)
    law = np.concatenate([[0.0], r * (1 - r) ** (k - 1), [(1 - r) ** last]])
    return law / law.sum()


def test_goodness_of_fit_is_calibrated():
    """5000 multinomials; the share of p <= a lies within 4.5 binomial deviations of a."""
    rng, law, runs = np.random.default_rng(20240607), geometric_law(), 5000
    values = np.array([goodness_of_fit(row, law)[2] for row in rng.multinomial(20_000, law, size=runs)])
    for a in (0.001, 0.01, 0.1, 0.5, 0.9):
        assert abs(np.sum(values <= a) - runs * a) <= 4.5 * math.sqrt(runs * a * (1 - a)) + 1


def test_goodness_of_fit_has_power():
    rng = np.random.default_rng(7)
    wrong = geometric_law(r=0.051)
    values = [goodness_of_fit(rng.multinomial(10**6, wrong), geometric_law())[2] for _ in range(5)]
    assert max(values) < 1e-12


def test_goodness_of_fit_by_hand():
    statistic, dof, p = goodness_of_fit([44, 56], [0.5, 0.5])
    assert (statistic, dof) == (pytest.approx(1.44), 1)
    assert p == pytest.approx(0.2301393404)  # chi-square with 1 degree of freedom: 2 (1 - Phi(1.2))
    counts, law = [30, 41, 29, 60, 40], [0.15, 0.2, 0.15, 0.3, 0.2]
    reference = stats.chisquare(counts, 200 * np.array(law))
    assert goodness_of_fit(counts, law) == pytest.approx((reference.statistic, 4, reference.pvalue))


def test_pools_are_adjacent_and_large_enough():
    assert pooled_bins(np.array([30.0, 10, 10, 10, 40, 5]), 25).tolist() == [0, 1, 4]
    assert pooled_bins(np.array([1.0, 2, 3]), 25).tolist() == [0]
    assert pooled_bins(np.array([0.0, 0, 25, 25, 0, 0]), 25).tolist() == [0, 3]
    rng = np.random.default_rng(1)
    for _ in range(200):
        expected = rng.exponential(20, size=rng.integers(1, 60)) * rng.integers(0, 2, size=1)
        starts = pooled_bins(expected, 25)
        pools = np.add.reduceat(expected, starts)
        assert pools.sum() == pytest.approx(expected.sum())
        assert starts.size == 1 or pools.min() >= 25
    # Pooled by hand: 30 and 38 + 32, each expecting 50.
    assert goodness_of_fit([30, 38, 32], [0.5, 0.25, 0.25], 50)[:2] == (pytest.approx(2 * 20**2 / 50), 1)


def test_impossible_counts_and_single_bins():
    assert goodness_of_fit([1, 99_999], [0.0, 1.0]) == (math.inf, 0, 0.0)
    assert goodness_of_fit([0, 100], [0.0, 1.0]) == (0.0, 0, 1.0)
    assert goodness_of_fit([0, 0], [0.5, 0.5]) == (0.0, 0, 1.0)
    statistic, dof, p = goodness_of_fit([500, 0, 500], [0.5, 0.0, 0.5])
    assert (statistic, dof, p) == (0.0, 1, 1.0)


def step_down(p_values, a):
    """Which hypotheses Holm's procedure rejects at level a, as the paper words it."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = set()
    for position, i in enumerate(order):
        if p_values[i] * (len(p_values) - position) > a:
            break
        rejected.add(i)
    return rejected


def test_holm_examples():
    # As R's p.adjust(p, "holm") and statsmodels' multipletests(p, method="holm") work them out.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.9, 0.0, 1.0, 0.5]) == pytest.approx([1.0, 0.0, 1.0, 1.0])
    assert holm([0.2]) == pytest.approx([0.2]) and holm([]).size == 0


def test_holm_rejects_what_the_step_down_procedure_rejects():
    rng = np.random.default_rng(3)
    for _ in range(300):
        p_values = rng.uniform(size=rng.integers(1, 30)) ** rng.integers(1, 5)
        adjusted = holm(p_values)
        assert np.all(adjusted >= p_values)
        for a in (0.001, 0.05, 0.3):
            assert set(np.flatnonzero(adjusted <= a)) == step_down(p_values.tolist(), a)


NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        *((lambda level=level: clopper_pearson(1, 5, level), "level = ") for level in (0, 1, -0.5, NAN, "wide")),
        *((lambda p=p: binomial_p(1, 5, p), "probability = ") for p in (-0.1, 1.1, NAN)),
        (lambda: mean_p(1.0, 1.0, -1.0, 10), "variance = -1 is"),
        (lambda: mean_p(1.0, 1.0, 1.0, 0), "trials = 0 is"),
        (lambda: goodness_of_fit([1, 2], [1.0]), "of one length"),
        (lambda: goodness_of_fit([[1, 2]], [[0.5, 0.5]]), "one-dimensional"),
        (lambda: goodness_of_fit([1.5, 2], [0.5, 0.5]), "hits = 1.5 is"),
        (lambda: goodness_of_fit([-1, 2], [0.5, 0.5]), "hits = -1 is"),
        (lambda: goodness_of_fit([1, 2], [0.5, 0.4]), "sum to 0.9: they must sum to 1"),
        (lambda: goodness_of_fit([1, 2], [1.5, -0.5]), "probabilities = -0.5 is"),
        (lambda: goodness_of_fit([1, 2], [NAN, 0.5]), "probabilities = nan is"),
        (lambda: holm([0.5, NAN]), "p_values = nan is"),
        (lambda: holm([-0.1]), "p_values = -0.1 is"),
        (lambda: holm([1.1]), "p_values = 1.1 is"),
        (lambda: holm([[0.1]]), "a list of p-values"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InputError, match=said):
        call()
