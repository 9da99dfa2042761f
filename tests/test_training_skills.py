"""Skills, levels, accuracy over task mixtures: mpmath, brute force, and the numbers of the paper's AIME study."""

import math

import mpmath as mp
import numpy as np
import pytest
from scipy import stats
from scipy.special import betainc
from statistics_budget import agrees

from ds3sim.core.errors import InputError
from ds3sim.theory.skills import (
    Training,
    acquired,
    acquired_exact,
    compute_optimal,
    divergence,
    giant,
    skill_levels,
    sure_concepts,
    train,
)
from ds3sim.training.bernoulli_rows import CONCEPTS, keys
from ds3sim.training.peeling import peel_graphs
from ds3sim.training.reasoning import Reasoning, reason, reason_steps
from ds3sim.training.skill_graphs import sample_skills, skills_with_concepts

AUTHORS = Reasoning(round_steps=False, steps="min", feasibility="per_trace", level_ties="lowest")


def test_divergence_and_its_ends():
    assert divergence(0.3, 0.4) == pytest.approx(stats.entropy([0.3, 0.7], [0.6, 0.4]))
    assert divergence(0.0, 0.4) == pytest.approx(-math.log(0.4))
    assert divergence(1.0, 0.4) == pytest.approx(-math.log(0.6))
    assert divergence(0.5, 0.0) == np.inf
    assert divergence(0.5, 1.0) == np.inf
    assert divergence(1.0, 0.0) == 0.0
    assert divergence(0.0, 1.0) == 0.0
    assert divergence(0.5, 1e-300) == pytest.approx(0.5 * math.log(0.5) * 2 + 0.5 * 300 * math.log(10))


def test_acquired_against_the_formula():
    for mean in (40.0, 60.0, 100.0, 1e4):
        for rest in (1e-12, 0.1, 0.7, 0.95, 0.999):
            with mp.workdps(30):
                mu, p = mp.mpf(mean), 1 - mp.mpf(rest)
                d = max(mp.mpf(0), mp.mpf("0.99") * mu * (1 - mp.sqrt(2 * mp.log(mp.mpf(1e4) / mp.mpf("1e-5")) / mu)))
                if d < 5:
                    want = mp.mpf(0)
                else:
                    q = 5 / d
                    kl = q * mp.log(q / p) + ((1 - q) * mp.log((1 - q) / (1 - p)) if q < 1 else 0)
                    want = 1 - mp.exp(-d * kl) if q < p else mp.exp(-d * kl) / mp.sqrt(2 * d)
            assert acquired(mean, rest, 1e4) == pytest.approx(float(want), rel=1e-9, abs=1e-300)
    assert acquired(100.0, 0.0, 1e4) == 1.0
    assert acquired(100.0, 1.0, 1e4) == 0.0
    assert acquired(0.0, 0.1, 1e4) == 0.0
    assert sure_concepts(10.0, 1e4) == 0.0


def test_acquired_exactly():
    for mean, rest, big_r in ((8.0, 0.2, 1000), (3.0, 0.0, 50), (60.0, 0.9, 10**9)):
        want = stats.binom.sf(4, big_r, mean / big_r * (1 - rest))
        assert acquired_exact(mean, rest, big_r) == pytest.approx(want, rel=1e-7)


def test_giant_component():
    c = np.array([0.0, 0.5, 1.0, 1 + 1e-12, 1 + 1e-6, 1.001, 1.5, 2.0, 10.0, 1e4])
    found = giant(c)
    for value, at in zip(found, c, strict=True):
        with mp.workdps(40):
            x = mp.mpf(float(at))
            want = 1 + mp.lambertw(-x * mp.exp(-x)) / x if x > 1 else mp.mpf(0)
        assert value == pytest.approx(float(mp.re(want)), rel=1e-6, abs=1e-15)
    assert giant(2.0) == pytest.approx(0.79681, abs=5e-6)


def test_levels_recursion():
    g, sigma = np.array([0.9, 0.5, 0.3]), np.array([0.0, 1.0, 0.5])
    p, share = skill_levels(g, np.array([100, 30, 50]), sigma)
    below = 1.0
    for level in range(3):
        want = g[level] * below ** sigma[level]
        below = float(giant(want**2 * [100, 30, 50][level]))
        assert (p[level], share[level]) == pytest.approx((want, below))


def test_aime_study():
    model = train(*compute_optimal(3.35e25), Training(finite_size="authors_code"))
    assert model.concepts == pytest.approx(2.11345e8, rel=1e-5)
    assert model.texts / model.concepts == pytest.approx(5)
    assert np.all(model.p[:60] > 0.99)
    assert np.all(model.p[64:] == 0)
    out = reason(model, [1e15, 1e16, 1e17], how=AUTHORS)
    assert out.accuracy == pytest.approx([0.164936, 0.450262, 0.733309], abs=6e-7)
    assert out.flops == pytest.approx([9.23035e14, 7.62076e15, 7.21731e16], rel=2e-6)
    by_level = [reason(model, [1e15, 1e16], AUTHORS, ([n] * 14, range(2, 16))).accuracy for n in range(60, 71)]
    assert np.mean(by_level, axis=0) == pytest.approx(out.accuracy[:2])


def brute_force(model, steps, how: Reasoning, levels, sizes):
    """Every level for every task, in loops; takes the best."""
    sigma = model.training.sigma
    total = np.zeros(2)
    for level in levels:
        for m in sizes:
            best = (0.0, steps)
            for other in range(1, model.training.levels + 1):
                if other <= level:
                    need = math.ceil(m * np.prod(sigma[other:level]) * (1 - 1e-9))
                else:
                    need = max(math.ceil(m / np.prod(sigma[level:other]) * (1 - 1e-9)), 2)
                need = m if other == level else need
                p, gamma = model.p[other - 1], model.giant[other - 1]
                weight = how.search / math.ceil((1 + how.relevant_factor) * need) + 1 - how.search
                r = 1 - (1 - p * p * weight) ** how.branches
                if r == 0 or need > steps:
                    continue
                one, able = betainc(need, steps - need + 1, r), gamma**need
                value = able * one if how.n == 1 else able * (1 - (1 - one) ** how.n)
                mean = need / r * betainc(need + 1, steps - need + 1, r) + steps * (1 - one)
                used = able * mean + (1 - able) * steps
                if value > best[0] + 1e-14 or (abs(value - best[0]) <= 1e-14 and used < best[1]):
                    best = (value, used)
            total += np.array(best) / (len(levels) * len(sizes))
    return total


@pytest.mark.parametrize("how", [Reasoning(), Reasoning(branches=3), Reasoning(aggregate="best_of_n", n=4)])
def test_accuracy_by_brute_force(how):
    training = Training(levels=30, skills_per_level=200)
    levels, sizes = (12, 18, 24), (2, 3, 7)
    tasks = tuple(np.ravel(v) for v in np.meshgrid(levels, sizes))
    for size in (3e8, 3e9):
        model = train(size, 20 * size, training)
        for steps in (3, 30, 400):
            out = reason_steps(model, [steps], how, tasks)
            want = brute_force(model, steps, how, levels, sizes)
            assert out.accuracy[0] == pytest.approx(want[0], abs=1e-9)
            price = 2 * size * 25 * how.branches * how.n
            assert out.flops[0] / price == pytest.approx(want[1], rel=1e-6)


def test_grid_is_its_points():
    models = train(*compute_optimal(np.array([1e23, 3e24, 1e26])))
    flops = np.array([1e14, 1e16])
    for how in (Reasoning(), AUTHORS, Reasoning(aggregate="majority", n=3)):
        grid = reason(models, flops, how=how)
        assert grid.accuracy.shape == (3, 2)
        for i, compute in enumerate((1e23, 3e24, 1e26)):
            one = reason(train(*compute_optimal(compute)), flops, how=how)
            assert grid.accuracy[i] == pytest.approx(one.accuracy, abs=1e-14)
            assert grid.flops[i] == pytest.approx(one.flops, rel=1e-12)


def test_feasibility_matters_for_many_traces():
    training = Training(levels=20, skills_per_level=300)
    model = train(2e9, 4e10, training)
    # a model whose giant component is not everything
    object.__setattr__(model, "giant", np.full(20, 0.7))
    shared = reason_steps(model, [100], Reasoning(aggregate="best_of_n", n=16), ([10], [4])).accuracy
    apart = Reasoning(aggregate="best_of_n", n=16, feasibility="per_trace")
    each = reason_steps(model, [100], apart, ([10], [4])).accuracy
    assert each > shared + 0.1
    assert shared <= 1.0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Training(finite_size="x"), "finite_size = 'x' is not known"),
        (lambda: Training(levels=0), "levels = 0 is"),
        (lambda: Training(skills_per_level=(1.0, 2.0)), "one for each of the 100 levels"),
        (lambda: Reasoning(n=2), "n > 1 needs aggregate"),
        (lambda: Reasoning(steps="x"), "steps = 'x' is not known"),
        (lambda: reason(train(1e9, 2e10), [1e15], tasks=([], [])), "two lists of as many whole numbers"),
        (lambda: reason(train(1e9, 2e10), [1e15], weights=-1.0), "weights = -1 is"),
        (lambda: Reasoning(search=2.0), "search = 2 is"),
        (lambda: train(-1, 1), "parameters = -1 is"),
        (lambda: reason(train(1e9, 2e10, Training(levels=50)), [1e15]), "task level 70 is above the 50 levels"),
    ],
)
def test_bad_input(make, said):
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize(("big_r", "mean", "rest"), [(5_000, 6.0, 0.3), (50_000, 9.0, 0.0), (40, 10.0, 0.5)])
def test_sampled_skills(big_r, mean, rest):
    known = np.arange(big_r) >= round(rest * big_r)
    # learnt concepts are a fixed set, so their number is binomial over them alone
    want = stats.binom.sf(4, int(known.sum()), mean / big_r)
    key = keys(0, "ab" * 16, [0], CONCEPTS)[0]
    share = skills_with_concepts(key, known, 60_000, mean, 5).mean()
    assert agrees(share, want, np.sqrt(want * (1 - want) / 60_000))


def test_sampled_models_follow_the_exact_levels():
    training = Training(levels=6, skills_per_level=2_000, share_decay=2.0)
    learnt = 1 - peel_graphs(3, 20_000, round(2.5e3 * 20_000 * 24 / 1e4), seed=1).unlearnt
    found = sample_skills(learnt, 20_000, training, seed=1)
    theory = train(2.5e3 * 20_000, 2.5e3 * 20_000 * 24, training)
    mean = training.shares * 20_000 / 2_000
    want = acquired_exact(mean, 1 - learnt[:, None], 20_000)
    assert agrees(found.enough, want, np.sqrt(want * (1 - want) / 2_000))
    assert np.all(np.abs(found.p - want) < 0.06)
    assert np.all(theory.acquired <= want.mean(axis=0) + 1e-12)
