"""Checks of the training side for ``validate``: known numbers, and simulations against exact laws and theory."""

from __future__ import annotations

import numpy as np
from scipy.special import erfc

from ds3sim.core.check import fraction
from ds3sim.stats.tests import binomial_p, binomial_z, mean_p
from ds3sim.theory.degrees import fixed_point, regular, scale_squared, threshold
from ds3sim.theory.peeling import ensemble, peeling
from ds3sim.theory.skills import acquired_exact, giant
from ds3sim.training import walks
from ds3sim.training.bernoulli_rows import CONCEPTS, identity, keys
from ds3sim.training.components import giant_shares, largest_component_law
from ds3sim.training.finite_size import is_stuck
from ds3sim.training.peel_counts import peel_counts, peeling_law
from ds3sim.training.peel_graphs import peel_graphs
from ds3sim.training.sampled_model import skills_with_concepts
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


def _number(name: str, quantity: str, estimate, expected, tolerance: float) -> Check:
    estimate, expected = float(estimate), float(expected)
    return Check(name, quantity, estimate, expected, None, float(abs(estimate - expected) <= tolerance))


def _known_numbers() -> list[Check]:
    """Published to five digits, or found a second way."""
    concepts, texts = regular(3, 6)
    eps, x = threshold(concepts, texts)
    rows = [
        _number("LDPC (3,6)", "eps_BP", eps, 0.42944, 5e-6),
        _number("LDPC (3,6)", "a", np.sqrt(scale_squared(concepts, texts, eps, x)), 0.56036, 1e-5),
        _number("giant component c=2", "gamma", giant(2.0), 0.79681, 5e-6),
    ]
    law = peeling(1e12, 5e12)
    rows += [
        _number("concepts and texts T/R=5", "eps_BP", law.eps_threshold, 0.51000, 5e-6),
        _number("concepts and texts T/R=5", "x_BP", law.x_threshold, 0.41777, 5e-6),
    ]
    for degree, ratio in ((6.0, 5.0), (4.0, 6.0), (10.0, 3.0)):
        # density evolution jumps at the threshold; R/eps is held while the channel gets worse
        big_r = 1e8
        of_concept, of_text = ensemble(big_r, ratio * big_r, degree)
        level, x = threshold(of_concept, of_text)
        below, above = (float(fixed_point(of_concept, of_text, level * f)) for f in (1 - 1e-5, 1 + 1e-5))
        name = f"density evolution d_t={degree:g} T/R={ratio:g}"
        rows.append(_number(name, "fixed point below the threshold", below / x, 0.0, 0.02))
        rows.append(_number(name, "fixed point above the threshold / x_BP", above / x, 1.0, 0.02))
    return rows


def _hits(name: str, quantity: str, hits, trials: int, expected) -> Check:
    z = float(binomial_z(hits, trials, expected))
    p = float(binomial_p(hits, trials, expected))
    return Check(name, quantity, hits / trials, float(expected), finite(z), p)


def _two_shares(name: str, quantity: str, hits, trials: int, others, other_trials: int) -> Check:
    pooled = (hits + others) / (trials + other_trials)
    error = np.sqrt(pooled * (1 - pooled) * (1 / trials + 1 / other_trials))
    z = (hits / trials - others / other_trials) / error if error > 0 else 0.0
    p = float(erfc(abs(z) / np.sqrt(2)))
    return Check(name, quantity, hits / trials, others / other_trials, float(z), p)


def _peeling(change: float, seed: int) -> list[Check]:
    rows = []
    for concepts, texts, degree in ((6, 9, 1.8), (12, 20, 3.0)):
        law = peeling_law(concepts, texts, degree)
        name = f"peeling R={concepts} T={texts} d_t={degree:g}"
        graphs = peel_graphs(10_000, concepts, texts, degree * change, seed).left
        rows.append(fit(name, "graphs, unknown concepts chi-square", np.bincount(graphs, minlength=len(law)), law))
        counted = peel_counts(100_000, concepts, texts, degree * change, seed)
        rows.append(fit(name, "counts, unknown concepts chi-square", np.bincount(counted, minlength=len(law)), law))
    concepts, texts = 1000, 4600
    graphs = is_stuck(peel_graphs(300, concepts, texts, 6.0 * change, seed).left, concepts, texts)
    counted = is_stuck(peel_counts(16_384, concepts, texts, 6.0, seed), concepts, texts)
    rows.append(
        _two_shares(
            "peeling R=1000 T/R=4.6", "graphs stuck, by counts", int(graphs.sum()), 300, int(counted.sum()), 16_384
        )
    )
    return rows


def _percolation(change: float, seed: int) -> list[Check]:
    rows = []
    for skills, chance in ((4, 0.3), (5, 0.45)):
        law = largest_component_law(skills, chance)
        found = np.rint(giant_shares(5_000, skills, chance * change, seed) * skills).astype(np.int64)
        counts = np.bincount(found, minlength=skills + 1)
        rows.append(fit(f"percolation S={skills} q={chance:g}", "largest component", counts, law))
    for skills, graphs, c in ((4000, 60, 2.0), (10_000, 20, 1.5)):
        found = giant_shares(graphs, skills, c / skills * change, seed)
        gamma = float(giant(c))
        # the central limit theorem of the giant component (Stepanov 1970)
        variance = gamma * (1 - gamma) / (1 - c * (1 - gamma)) ** 2 / skills
        z = (found.mean() - gamma) / np.sqrt(variance / graphs)
        p = float(mean_p(found.mean(), gamma, variance, graphs))
        told = (f"percolation S={skills} c={c:g}", "giant component")
        rows.append(Check(*told, float(found.mean()), gamma, float(z), p))
    return rows


def _skills(change: float, seed: int) -> list[Check]:
    rows = []
    for big_r, skills, mean, unlearnt in ((5_000, 20_000, 6.0, 0.3), (50_000, 20_000, 9.0, 0.0)):
        known = np.arange(big_r) >= round(unlearnt * big_r)
        key = keys(seed, identity("checks", big_r), [0], CONCEPTS)[0]
        hits = int(skills_with_concepts(key, known, skills, mean * change, 5.0).sum())
        expected = acquired_exact(mean, unlearnt, big_r)
        rows.append(_hits(f"skills mu={mean:g} P_b={unlearnt:g}", "acquired, binomial law", hits, skills, expected))
    return rows


def _walks(change: float, seed: int) -> list[Check]:
    rows = []
    for reading in walks.READINGS[:2]:
        found = walks.walk_models(12, 400, 0.008, 3, [60, 400], reading, seed=seed, search=0.4)
        # perturbed: as if the walks had been made with other chances than the graph's
        walked = found.success * change
        trials = 12 * 16 * 64
        gap = (walked - found.given_graph).mean(axis=0)
        # given the graphs a trace is a Bernoulli variable; p(1-p) averaged over tasks is at most that of the mean
        mean = found.given_graph.mean(axis=0)
        for k, d, e in zip((60, 400), gap, mean, strict=True):
            error = np.sqrt(max(e * (1 - e), 1e-12) / trials)
            z = float(d / error)
            told = (f"sampled skill graph, {reading}", f"success@{k} given the graph")
            rows.append(Check(*told, float(e + d), float(e), z, float(erfc(abs(z) / np.sqrt(2)))))
    return rows
