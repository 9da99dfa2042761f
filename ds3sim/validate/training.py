"""Checks of the training side for ``validate``: known numbers, and simulations against exact laws and theory."""

from __future__ import annotations

import numpy as np
from scipy.special import erfc

from ds3sim.core.check import Numbers, fraction
from ds3sim.stats.tests import binomial_p, binomial_z
from ds3sim.theory.peeling import ensemble, fixed_point, peeling, regular, scale_squared, threshold
from ds3sim.theory.skills import acquired_exact, giant
from ds3sim.training.bernoulli_rows import CONCEPTS, identity, keys
from ds3sim.training.finite_size import is_stuck
from ds3sim.training.peeling import peel_counts, peel_graphs, peeling_law
from ds3sim.training.skill_graphs import (
    READINGS,
    giant_shares,
    largest_component_law,
    skills_with_concepts,
    walk_models,
)
from ds3sim.validate.checks import Check
from ds3sim.validate.compare import finite, fit


def checks(perturb: float = 0.0, seed: int = 0) -> list[Check]:
    """All checks of the training side; about 20 s on two cores.

    Args:
        perturb: multiply probabilities of edges by 1 + perturb in the simulations alone; checks must then fail.
        seed: of the simulations.

    Returns:
        p-values not adjusted.
    """
    change = 1.0 + fraction("perturb", perturb, -0.5, 0.5)
    return [
        *_known_numbers(),
        *_peeling(change, seed),
        *_percolation(change, seed),
        *_skills(change, seed),
        *_walks(change, seed),
    ]


def _known_numbers() -> list[Check]:
    """Published to five digits, or found a second way."""
    concepts, texts = regular(3, 6)
    eps, x = threshold(concepts, texts)
    law = peeling(1e12, 5e12)
    rows: list[tuple[str, str, Numbers, float, float]] = [
        ("LDPC (3,6)", "eps_BP", eps, 0.42944, 5e-6),
        ("LDPC (3,6)", "a", np.sqrt(scale_squared(concepts, texts, eps, x)), 0.56036, 1e-5),
        ("giant component c=2", "gamma", giant(2.0), 0.79681, 5e-6),
        ("concepts and texts T/R=5", "eps_BP", law.eps_threshold, 0.51000, 5e-6),
        ("concepts and texts T/R=5", "x_BP", law.x_threshold, 0.41777, 5e-6),
    ]
    for degree, ratio in ((6.0, 5.0), (4.0, 6.0), (10.0, 3.0)):
        # density evolution jumps at the threshold; R/eps is held while the channel gets worse
        both = ensemble(1e8, ratio * 1e8, degree)
        level, x = threshold(*both)
        below, above = (fixed_point(*both, level * f) / x for f in (1 - 1e-5, 1 + 1e-5))
        name = f"density evolution d_t={degree:g} T/R={ratio:g}"
        rows.append((name, "fixed point below the threshold", below, 0.0, 0.02))
        rows.append((name, "fixed point above the threshold / x_BP", above, 1.0, 0.02))
    return [Check(name, what, float(e), x, None, float(abs(float(e) - x) <= off)) for name, what, e, x, off in rows]


def _normal(name: str, quantity: str, estimate: Numbers, expected: Numbers, error: Numbers) -> Check:
    """A normal estimate with its standard error."""
    z = float((estimate - expected) / error) if error > 0 else 0.0
    return Check(name, quantity, float(estimate), float(expected), z, float(erfc(abs(z) / np.sqrt(2))))


def _peeling(change: float, seed: int) -> list[Check]:
    rows = []
    for concepts, texts, degree in ((6, 9, 1.8), (12, 20, 3.0)):
        law = peeling_law(concepts, texts, degree)
        graphs = peel_graphs(10_000, concepts, texts, degree * change, seed).left
        counted = peel_counts(100_000, concepts, texts, degree * change, seed)
        for by, left in (("graphs", graphs), ("counts", counted)):
            told = f"peeling R={concepts} T={texts} d_t={degree:g}", f"{by}, unknown concepts chi-square"
            rows.append(fit(*told, np.bincount(left, minlength=len(law)), law))
    graphs = is_stuck(peel_graphs(300, 1000, 4600, 6.0 * change, seed).left, 1000, 4600)
    counted = is_stuck(peel_counts(16_384, 1000, 4600, 6.0, seed), 1000, 4600)
    pooled = np.concatenate([graphs, counted]).mean()
    error = np.sqrt(pooled * (1 - pooled) * (1 / graphs.size + 1 / counted.size))
    told = "peeling R=1000 T/R=4.6", "graphs stuck, by counts"
    return [*rows, _normal(*told, graphs.mean(), counted.mean(), error)]


def _percolation(change: float, seed: int) -> list[Check]:
    rows = []
    for skills, chance in ((4, 0.3), (5, 0.45)):
        law = largest_component_law(skills, chance)
        found = np.rint(giant_shares(5_000, skills, chance * change, seed) * skills).astype(np.int64)
        counts = np.bincount(found, minlength=skills + 1)
        rows.append(fit(f"percolation S={skills} q={chance:g}", "largest component", counts, law))
    for skills, graphs, c in ((4000, 60, 2.0), (10_000, 20, 1.5)):
        found, gamma = giant_shares(graphs, skills, c / skills * change, seed).mean(), giant(c)
        # the central limit theorem of the giant component (Stepanov 1970)
        error = np.sqrt(gamma * (1 - gamma) / skills / graphs) / (1 - c * (1 - gamma))
        rows.append(_normal(f"percolation S={skills} c={c:g}", "giant component", found, gamma, error))
    return rows


def _skills(change: float, seed: int) -> list[Check]:
    rows = []
    for big_r, skills, mean, unlearnt in ((5_000, 20_000, 6.0, 0.3), (50_000, 20_000, 9.0, 0.0)):
        known = np.arange(big_r) >= round(unlearnt * big_r)
        key = keys(seed, identity("checks", big_r), [0], CONCEPTS)[0]
        hits = int(skills_with_concepts(key, known, skills, mean * change, 5.0).sum())
        expected = acquired_exact(mean, unlearnt, big_r)
        z, p = (float(test(hits, skills, expected)) for test in (binomial_z, binomial_p))
        told = f"skills mu={mean:g} P_b={unlearnt:g}", "acquired, binomial law"
        rows.append(Check(*told, hits / skills, float(expected), finite(z), p))
    return rows


def _walks(change: float, seed: int) -> list[Check]:
    rows = []
    for reading in READINGS[:2]:
        found = walk_models(12, 400, 0.008, 3, [60, 400], reading, seed=seed, search=0.4)
        # perturbed: as if the walks had been made with other chances than the graph's
        gap = (found.success * change - found.given_graph).mean(axis=0)
        # given the graphs a trace is a Bernoulli variable; p(1-p) averaged over tasks is at most that of the mean
        mean = found.given_graph.mean(axis=0)
        error = np.sqrt(np.maximum(mean * (1 - mean), 1e-12) / (12 * 16 * 64))
        for k, d, e, off in zip((60, 400), gap, mean, error, strict=True):
            told = f"sampled skill graph, {reading}", f"success@{k} given the graph"
            rows.append(_normal(*told, e + d, e, off))
    return rows
