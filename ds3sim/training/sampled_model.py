"""A sampled model: peeled concepts, skills with sampled concepts and prerequisites, and skill graphs, by level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import whole_number
from ds3sim.core.errors import require
from ds3sim.theory.trained import Trained, Training, train
from ds3sim.training.bernoulli_rows import (
    CONCEPTS,
    MOST_CELLS,
    PREREQUISITES,
    bernoulli_rows,
    generator,
    identity,
    keys,
    precise,
)
from ds3sim.training.components import components, largest
from ds3sim.training.peel_graphs import peel_graphs


@dataclass(frozen=True)
class SampledModel:
    """Skills of sampled models.

    Attributes:
        learnt: fraction of the R concepts learnt, float64 [models].
        enough: share of skills with eta concepts learnt, float64 [models, L]: g.
        p: share of skills acquired, float64 [models, L].
        giant: share of skills in the largest component, float64 [models, L].
        theory: the formulas at the same N and D.
    """

    learnt: np.ndarray
    enough: np.ndarray
    p: np.ndarray
    giant: np.ndarray
    theory: Trained


def skills_with_concepts(key, known: np.ndarray, skills: int, mean: float, needed: float) -> np.ndarray:
    """Which of ``skills`` skills have at least ``needed`` learnt concepts; bool [skills].

    A skill draws on each concept with probability mean/R.

    Args:
        key: uint32 [2].
        known: bool [R].
        skills: S.
        mean: mu <= R.
        needed: eta.
    """
    big_r = len(known)
    out = np.empty(skills, dtype=bool)
    padded = np.append(known, False)
    with precise():
        cells = bernoulli_rows(key[None], skills, big_r, min(1.0, mean / big_r))[0]
    for low in range(0, skills, 4096):
        out[low : low + 4096] = padded[cells[low : low + 4096]].sum(axis=1) >= needed
    return out


def sample_models(models: int, parameters: float, tokens: float, training: Training, seed: int = 0) -> SampledModel:
    """Sample ``models`` models of N parameters trained on D tokens.

    Concepts: a peeled concept-text graph (R = N/zeta, T = D/tau, rounded). Skills of level l: each draws on each
    concept
    with probability xi_l/S_l and needs eta of them learnt. Prerequisites: floor(sigma_l) skills of level l - 1, and one
    more with the probability that remains, drawn uniformly; all must be in that level's largest component. Connections:
    G(S_l, p^2) with p the share of skills acquired in this model.

    Args:
        models: how many.
        parameters, tokens: N, D; N/zeta up to some 10^6.
        training: constants; S_l up to ``percolate.MOST_SKILLS``.
        seed: of the random numbers.

    Returns:
        :class:`SampledModel`.

    Raises:
        InputError: an argument outside its range.
    """
    whole_number("models", models, 1)
    theory = train(parameters, tokens, training)
    big_r, big_t = round(float(theory.concepts)), round(float(theory.texts))
    require(big_r > 0 and 0 < big_t <= MOST_CELLS, f"{big_r} concepts and {big_t} texts cannot be sampled")
    levels = training.levels
    peeled = peel_graphs(models, big_r, big_t, training.text_degree, seed, keep=True)
    assert peeled.known is not None
    name = identity("model", big_r, big_t, repr(training))
    sizes = np.broadcast_to(np.asarray(training.skills_per_level, dtype=np.int64), (levels,))
    enough, p, share = np.zeros((3, models, levels))
    for i in range(models):
        random = generator(seed, name, i, PREREQUISITES)
        below, links = np.ones(1, dtype=bool), keys(seed, name, [i * levels + v for v in range(levels)], CONCEPTS)
        for level in range(levels):
            skills, mean = int(sizes[level]), float(training.shares[level] * big_r / sizes[level])
            has = skills_with_concepts(links[level], peeled.known[i], skills, mean, training.concepts_needed)
            acquired = has & prerequisites_met(random, below, skills, float(training.sigma[level]))
            enough[i, level], p[i, level] = has.mean(), acquired.mean()
            chance = p[i, level] ** 2
            below = largest(components(1, skills, chance, seed, first=i * levels + level))[0]
            share[i, level] = below.mean() if chance > 0 else 0.0
            below = below & (chance > 0)
    return SampledModel(1.0 - peeled.unlearnt, enough, p, share, theory)


def prerequisites_met(random: np.random.Generator, below: np.ndarray, skills: int, sigma: float) -> np.ndarray:
    whole = int(sigma)
    count = whole + (random.random(skills) < sigma - whole)
    asked = random.integers(len(below), size=(skills, whole + 1))
    return np.all(below[asked] | (np.arange(whole + 1) >= count[:, None]), axis=1)
