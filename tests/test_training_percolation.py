"""Sampled skill graphs: components against networkx and enumeration, walks against formulas; checks for validate."""

import networkx as nx
import numpy as np
import pytest
from statistics_budget import LEVEL, agrees

from ds3sim.core.errors import InputError
from ds3sim.stats.tests import goodness_of_fit, holm
from ds3sim.theory import chain
from ds3sim.theory.skills import giant
from ds3sim.training.bernoulli_rows import LINKS, generator, identity
from ds3sim.training.skill_graphs import (
    READINGS,
    all_in,
    component_labels,
    giant_shares,
    largest_component_law,
    links,
    walk_models,
)
from ds3sim.validate.training import checks


def same_partition(a, b) -> bool:
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@pytest.mark.parametrize(("skills", "chance"), [(60, 0.02), (300, 0.004), (20, 0.5), (4, 1.0)])
def test_components_against_networkx(skills, chance):
    shares, name = giant_shares(6, skills, chance), identity("links", skills, chance)
    for g in range(6):
        low, high = links(generator(0, name, g, LINKS), skills, chance)
        assert np.all(low < high) and len(set(zip(low, high, strict=True))) == len(low)
        graph = nx.empty_graph(skills)
        graph.add_edges_from(zip(low.tolist(), high.tolist(), strict=True))
        label = np.empty(skills, dtype=int)
        parts = list(nx.connected_components(graph))
        for number, part in enumerate(parts):
            label[list(part)] = number
        assert same_partition(component_labels(skills, low, high).tolist(), label.tolist())
        assert shares[g] == max(map(len, parts)) / skills


def test_links_have_the_binomial_law():
    random, hits = np.random.default_rng(3), np.zeros((5, 5))
    for _ in range(4_000):
        np.add.at(hits, links(random, 5, 0.3), 1)
    pairs = np.triu_indices(5, 1)
    assert agrees(hits[pairs] / 4_000, 0.3, np.sqrt(0.21 / 4_000)) and hits.sum() == hits[pairs].sum()


@pytest.mark.parametrize(("skills", "chance"), [(4, 0.3), (6, 0.4), (3, 0.0), (3, 1.0), (1, 0.5)])
def test_largest_component_by_enumeration(skills, chance):
    law = largest_component_law(skills, chance)
    assert law.sum() == pytest.approx(1)
    found = np.rint(giant_shares(1_500, skills, chance, seed=1) * skills).astype(int)
    assert goodness_of_fit(np.bincount(found, minlength=skills + 1), law / law.sum())[2] > LEVEL


def test_giant_of_large_graphs():
    skills, graphs, c = 1_500, 24, 2.0
    shares = giant_shares(graphs, skills, c / skills, seed=2)
    gamma = giant(c)
    variance = gamma * (1 - gamma) / (1 - c * (1 - gamma)) ** 2 / skills
    assert agrees(shares.mean(), gamma, np.sqrt(variance / graphs) + 1 / skills)


def test_a_graph_has_numbers_of_its_own():
    whole = giant_shares(7, 50, 0.04)
    assert np.array_equal(whole[3:], giant_shares(4, 50, 0.04, first=3))
    assert len(set(whole)) > 1


def test_all_in():
    # 3 of 5 skills in the component, two drawn: 3/5 * 2/4
    assert all_in(0.6, 5, 2) == pytest.approx(0.3)
    assert all_in(np.array([0.2, 1.0]), 5, 2) == pytest.approx([0.0, 1.0])
    assert all_in(0.5, 10_000, 4) == pytest.approx(0.5**4, rel=1e-3)


@pytest.mark.parametrize("reading", READINGS)
def test_walks_follow_the_hops_of_their_graph(reading):
    found = walk_models(10, 200, 0.05, 2, [3, 8, 100], reading, search=0.3, seed=3)
    for k in range(3):
        p = float(found.given_graph[:, k].mean())
        gap = float((found.success - found.given_graph)[:, k].mean())
        assert agrees(gap, 0.0, np.sqrt(max(p * (1 - p), 1e-9) / (10 * 16 * 64)))
    assert np.all(found.success[:, -1] <= found.feasible + 1e-12)
    again = walk_models(4, 200, 0.05, 2, [3, 8, 100], reading, search=0.3, seed=3)
    assert np.array_equal(again.success, found.success[:4])


def test_complete_graph_is_the_chain():
    found = walk_models(3, 30, 1.0, 4, [4, 6, 12], "detours", search=0.5, seed=4, traces=512)
    weight = 0.5 / 24 + 0.5
    want = chain.success(4, weight, np.array([4, 6, 12]))
    assert found.hops == pytest.approx([4.0] * 3)
    assert found.mean_field == pytest.approx(want)
    assert agrees(found.success.mean(axis=0), want, np.sqrt(want * (1 - want) / (3 * 16 * 512)))


@pytest.mark.parametrize(("name", "value"), [("skills", 0), ("chance", 1.2), ("graphs", 0), ("skills", 10**6)])
def test_bad_input(name, value):
    with pytest.raises(InputError, match=f"{name} = {value!r} is not"):
        giant_shares(**({"graphs": 1, "skills": 10, "chance": 0.1} | {name: value}))


@pytest.mark.slow
def test_checks_for_validate():
    rows = checks(seed=1)
    assert len({(r.name, r.quantity) for r in rows}) == len(rows)
    assert min(holm([r.p for r in rows])) > 1e-4
    wrong = checks(perturb=0.1, seed=1)
    assert sum(p < 1e-6 for p in holm([r.p for r in wrong])) >= 10
