"""Peeling: formulas against mpmath and known numbers, simulations against sets, enumeration and exact laws."""

from itertools import product

import mpmath as mp
import numpy as np
import pytest
from statistics_budget import LEVEL, agrees

from ds3sim.core.errors import InputError
from ds3sim.stats.tests import goodness_of_fit
from ds3sim.theory.peeling import (
    VARIANTS,
    ensemble,
    excess_entropy,
    fixed_point,
    large_graph,
    peeling,
    regular,
    scale_squared,
    threshold,
)
from ds3sim.training.bernoulli_rows import EDGES, bernoulli_rows, identity, keys, precise
from ds3sim.training.finite_size import fit_law, is_stuck, simulate_stuck
from ds3sim.training.peeling import chances, peel_counts, peel_graphs, peeling_law


def h(x, concepts, texts, degree, eps):
    """x / lambda(1 - rho(1-x)) in mpmath, as written in (19)."""
    n_v, n_c, p = mp.mpf(texts), mp.mpf(concepts) / mp.mpf(eps), mp.mpf(degree) / mp.mpf(concepts)
    rho = (1 - p + p * (1 - x)) ** (n_c - 1)
    return x / (1 - p + p * (1 - rho)) ** (n_v - 1)


@pytest.mark.parametrize(
    ("concepts", "ratio", "degree", "eps"),
    [
        (4000, 4.6, 6, 0.5),
        (1e10, 5, 6, 0.5),
        (2.1e8, 2.5, 6, 0.5),
        (50, 8, 4, 0.3),
        (1e5, 3, 10, 0.8),
        (1e6, 40, 3, 0.5),
    ],
)
def test_threshold_is_the_local_minimum(concepts, ratio, degree, eps):
    law = peeling(concepts, ratio * concepts, degree, eps)
    with mp.workdps(40):
        x = mp.mpf(float(law.x_threshold))
        f = lambda v: h(v, concepts, ratio * concepts, degree, eps)  # noqa: E731
        if x < 1:
            root = mp.findroot(lambda v: mp.diff(lambda w: mp.log(f(w)), v), x)
            assert abs(x - root) < 1e-9
            assert mp.diff(f, root, 2) > 0
            x = root
        assert abs(law.eps_threshold / f(x) - 1) < 1e-9


def test_known_ensemble():
    concepts, texts = regular(3, 6)
    eps, x = threshold(concepts, texts)
    assert eps == pytest.approx(0.42944, abs=5e-6)
    assert np.sqrt(scale_squared(concepts, texts, eps, x)) == pytest.approx(0.56036, abs=1e-5)
    eps, _ = threshold(*regular(4, 8))
    assert eps == pytest.approx(0.38345, abs=5e-6)  # Richardson and Urbanke, Modern Coding Theory, table 3.1


def test_reference_point():
    law = peeling(1e12, 5e12)
    assert law.eps_threshold == pytest.approx(0.51000, abs=5e-6)
    assert law.x_threshold == pytest.approx(0.41777, abs=5e-6)
    assert law.scale == pytest.approx(0.314, abs=5e-4)
    assert peeling(1e12, 5e12, variant="authors_code").scale == pytest.approx(0.808, abs=5e-4)


def test_table_of_the_two_published_forms():
    ratio = np.array([4.6, 4.8, 4.9])
    assert peeling(4000, 4000 * ratio, shift=0.0).stuck == pytest.approx([0.345, 0.051, 0.013], abs=6e-4)
    plus = peeling(4000, 4000 * ratio, variant="authors_code").stuck
    assert plus == pytest.approx([0.437, 0.261, 0.192], abs=6e-4)


def test_density_evolution_jumps_at_the_threshold():
    for degree, ratio in ((6.0, 5.0), (4.0, 6.0), (12.0, 2.0)):
        pair = ensemble(1e7, ratio * 1e7, degree)
        level, x = threshold(*pair)
        assert fixed_point(*pair, level * (1 - 1e-5)) < 0.02 * x
        assert fixed_point(*pair, level * (1 + 1e-5)) == pytest.approx(x, rel=0.02)


def test_scale_of_independent_edges_by_linear_noise():
    """Mean and covariance of (v, w) step by step, at a T/R whose threshold is 1/2."""
    concepts, texts = 20_000, 4.533 * 20_000
    law = peeling(concepts, texts, variant="random_graph")
    more, single, drop = chances(concepts, 6.0 / concepts)
    v, w = texts * single, texts * more[concepts]
    vv, ww, vw = texts * single * (1 - single), w * (1 - more[concepts]), -w * single
    best = (np.inf, 0.0, 0)
    for u in range(concepts, int(0.3 * concepts), -1):
        if u < 0.97 * concepts and v < best[0]:
            best = (v, vv, u)
        q, loss = drop[u], 1.0 / u
        vv_new = (1 - loss) ** 2 * vv + loss * (1 - loss) * v + q * q * ww + q * (1 - q) * w + 2 * (1 - loss) * q * vw
        vw = (1 - loss) * (1 - q) * vw + q * (1 - q) * ww - q * (1 - q) * w
        ww = (1 - q) ** 2 * ww + q * (1 - q) * w
        v, w, vv = v - 1 - (v - 1) * loss + q * w, w * (1 - q), vv_new
    n_c = 2 * concepts
    scale = np.sqrt(best[1] / n_c) / (best[2] / n_c / 0.5)
    assert law.scale == pytest.approx(scale, rel=2e-3)
    assert peeling(concepts, texts).scale < 0.96 * scale


def test_extremes_are_finite():
    ratio = np.array([1e-3, 0.3, 0.45, 0.46, 1, 5, 100, 1e4])
    for variant in VARIANTS:
        for size in (6.0, 1e3, 1e10):
            law = peeling(size, size * ratio, variant=variant)
            assert np.all((law.unlearnt >= 0) & (law.unlearnt <= 1) & np.isfinite(law.scale))
            assert law.learnt == pytest.approx(1 - law.unlearnt)
            assert law.unlearnt[0] > 0.99
            assert size < 10 or law.unlearnt[-1] < 1e-6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"concepts": 0}, "concepts = 0 is"),
        ({"concepts": float("nan")}, "concepts = nan is"),
        ({"concepts": "many"}, "concepts = 'many' is"),
        ({"texts": -1}, "texts = -1 is"),
        ({"text_degree": 200}, "text_degree is above the number of concepts"),
        ({"unknown": 0}, "unknown = 0 is"),
        ({"unknown": 1.5}, "unknown = 1.5 is"),
        ({"variant": "x"}, "'x' is not known: choose published"),
    ],
)
def test_bad_input(change, said):
    with pytest.raises(InputError, match=said):
        peeling(**({"concepts": 100, "texts": 500} | change))


def test_excess_entropy():
    for concepts, delta in ((1e8, 1e-5), (1e8, 1e-3), (1e3, 0.2), (50, 0.9), (1e8, 0.0), (1e8, 1.0)):
        with mp.workdps(50):
            big_r, d = mp.mpf(concepts), mp.mpf(delta)
            p = 6 / big_r
            e = 1 - (1 - p * d) ** (big_r - 1) * (1 + p * big_r * d)
        error, bound = excess_entropy(concepts, delta)
        assert error == pytest.approx(float(e), rel=1e-10, abs=1e-18)
        assert bound == pytest.approx(error**2 / 2)


def peel_with_sets(texts_of: list[list[int]], texts: int) -> set[int]:
    """Known concepts, in plain Python."""
    unknown = [set() for _ in range(texts)]
    for concept, names in enumerate(texts_of):
        for t in names:
            unknown[t].add(concept)
    known: set[int] = set()
    todo = [t for t in range(texts) if len(unknown[t]) == 1]
    while todo:
        t = todo.pop()
        if len(unknown[t]) != 1:
            continue
        concept = next(iter(unknown[t]))
        known.add(concept)
        for other in texts_of[concept]:
            unknown[other].discard(concept)
            if len(unknown[other]) == 1:
                todo.append(other)
    return known


def graphs_of(concepts: int, texts: int, degree: float, count: int, seed: int = 0) -> np.ndarray:
    made = keys(seed, identity("peel", concepts, texts, degree, None), range(count), EDGES)
    with precise():
        return bernoulli_rows(made, concepts, texts, degree / concepts)


@pytest.mark.parametrize(
    ("concepts", "texts", "degree"), [(200, 940, 6.0), (60, 240, 3.0), (30, 40, 25.0), (5, 9, 5.0)]
)
def test_graphs_against_sets(concepts, texts, degree):
    count = 12
    rows = graphs_of(concepts, texts, degree, count)
    found = peel_graphs(count, concepts, texts, degree, batch=5)
    for g in range(count):
        lists = [[t for t in row if t < texts] for row in rows[g].tolist()]
        assert all(len(set(row)) == len(row) for row in lists)
        assert found.left[g] == concepts - len(peel_with_sets(lists, texts))
        assert found.isolated[g] == sum(not row for row in lists)


def test_results_do_not_depend_on_batches():
    whole = peel_graphs(9, 300, 1400, seed=3)
    for options in ({"batch": 2}, {"batch": 4, "block": 7}, {"block": 300}):
        assert np.array_equal(whole.left, peel_graphs(9, 300, 1400, seed=3, **options).left)
    assert np.array_equal(whole.left[4:], peel_graphs(5, 300, 1400, seed=3, first=4).left)
    assert not np.array_equal(whole.left, peel_graphs(9, 300, 1400, seed=4).left)
    assert np.array_equal(peel_counts(10, 300, 1400), peel_counts(3000, 300, 1400)[:10])


def test_edges_have_the_binomial_law():
    rows = graphs_of(40, 25, 7.0, 400)
    filled = rows[rows < 25]
    chance, cells = 7.0 / 40, 400 * 40 * 25
    assert agrees(len(filled) / cells, chance, np.sqrt(chance * (1 - chance) / cells))
    by_text = np.bincount(filled, minlength=25) / (400 * 40)
    assert agrees(by_text, chance, np.sqrt(chance * (1 - chance) / (400 * 40)))
    degree = (rows < 25).sum(axis=2).ravel()
    from scipy.stats import binom

    law = binom.pmf(np.arange(26), 25, chance)
    assert goodness_of_fit(np.bincount(degree, minlength=26), law / law.sum())[2] > LEVEL


def test_exact_law_by_enumeration():
    concepts, texts, degree = 3, 3, 1.2
    p = degree / concepts
    law = np.zeros(concepts + 1)
    for cells in product((0, 1), repeat=concepts * texts):
        lists = [[t for t in range(texts) if cells[c * texts + t]] for c in range(concepts)]
        left = concepts - len(peel_with_sets(lists, texts))
        law[left] += p ** sum(cells) * (1 - p) ** (len(cells) - sum(cells))
    assert peeling_law(concepts, texts, degree) == pytest.approx(law, abs=1e-13)


@pytest.mark.parametrize(("concepts", "texts", "degree"), [(6, 9, 1.8), (15, 30, 4.0), (4, 10, 4.0), (1, 1, 0.5)])
def test_simulations_follow_the_exact_law(concepts, texts, degree):
    law = peeling_law(concepts, texts, degree)
    law = law / law.sum()
    counted = np.bincount(peel_counts(40_000, concepts, texts, degree, seed=1), minlength=len(law))
    assert goodness_of_fit(counted, law)[2] > LEVEL
    graphs = np.bincount(peel_graphs(4_000, concepts, texts, degree, seed=1).left, minlength=len(law))
    assert goodness_of_fit(graphs, law)[2] > LEVEL


def test_channel_with_random_number_of_unknown_concepts():
    found = peel_graphs(400, 300, 3000, seed=2, unknown=0.5)
    assert agrees(found.unknown.mean(), 300, np.sqrt(600 * 0.25 / 400))
    assert agrees(found.unknown.var(ddof=1), 150, 150 * np.sqrt(2 / 399))
    assert np.all(found.left <= found.unknown)


def test_large_graphs_follow_density_evolution():
    for ratio in (2.0, 4.0):
        share = peel_counts(256, 20_000, round(ratio * 20_000), seed=3) / 20_000
        assert agrees(share.mean(), large_graph(20_000, ratio * 20_000), share.std() / 16 + 1e-4)


def test_published_law_is_nearer_than_the_authors_code():
    ratio = np.array([4.4, 4.6, 4.8, 5.0])
    data = simulate_stuck(1000, ratio, 4096, seed=4)
    gap = {v: np.abs(data.share - peeling(1000, 1000 * ratio, variant=v).stuck) for v in VARIANTS}
    assert np.all(gap["published"] < 0.03)
    assert gap["authors_code"].max() > 0.1
    fit = fit_law([data])
    assert 0.5 < fit.shift < 0.75
    assert 0.9 < fit.factor < 1.1
    graphs = is_stuck(peel_graphs(200, 1000, 4600, seed=4).left, 1000, 4600).mean()
    p = data.share[1]
    assert agrees(graphs, p, np.sqrt(p * (1 - p) * (1 / 200 + 1 / 4096)))
