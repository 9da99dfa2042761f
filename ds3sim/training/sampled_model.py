"""Sampled models: skills with sampled concepts and prerequisites, and skill graphs, level by level."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import Numbers
from ds3sim.core.errors import require
from ds3sim.core.progress import working
from ds3sim.theory.trained import Training
from ds3sim.training.bernoulli_rows import CONCEPTS, bernoulli_rows, generator, identity, precise

MOST_SKILLS = 20_000
"""Skills of a level."""


@dataclass(frozen=True)
class SampledSkills:
    """Shares of the skills of each level, float64 [models, L].

    Attributes:
        enough: eta concepts learnt: g.
        p: acquired, prerequisites included.
        giant: in the largest component.
    """

    enough: np.ndarray
    p: np.ndarray
    giant: np.ndarray


def sample_skills(learnt: Numbers, concepts: float, training: Training, seed: int = 0) -> SampledSkills:
    """Sample the skills of models, level by level.

    A skill of level l draws on each of the R concepts with probability mu/R = xi_l/S_l and needs eta of them learnt.
    Given that k concepts are learnt, their number is Bin(k, mu/R), independent of other skills, so the concepts are
    not listed. Prerequisites: floor(sigma_l) skills of level l - 1, and one more with the probability that remains,
    drawn uniformly; all must be in that level's largest component. Connections: G(S_l, p^2) with p the share of skills
    acquired in this model.

    Args:
        learnt: learnt fraction of the R concepts, one for each model, [models].
        concepts: R, rounded to a whole number.
        training: constants; S_l up to ``MOST_SKILLS``.
        seed: of the random numbers; a model's do not depend on how many there are.

    Raises:
        InputError: too many skills in a level.
    """
    levels, big_r = training.levels, max(1, round(concepts))
    sizes = np.broadcast_to(np.rint(np.asarray(training.skills_per_level, dtype=np.float64)), (levels,)).astype(int)
    require(
        int(sizes.max()) <= MOST_SKILLS,
        f"skills_per_level = {int(sizes.max()):,} is more than the {MOST_SKILLS:,} that can be sampled",
    )
    chance = np.minimum(1.0, training.shares / sizes)
    name = identity("skills", big_r, repr(training))
    fractions = np.atleast_1d(np.asarray(learnt, dtype=np.float64))
    enough, p, giant = np.zeros((3, len(fractions), levels))
    with working("levels of skills", len(fractions) * levels) as stage:
        for i, fraction in enumerate(fractions.tolist()):
            random = generator(seed, name, i, CONCEPTS)
            below = np.ones(1, dtype=bool)
            for level in range(levels):
                skills = int(sizes[level])
                has = random.binomial(round(fraction * big_r), chance[level], skills) >= training.concepts_needed
                acquired = has & _prerequisites_met(random, below, skills, float(training.sigma[level]))
                enough[i, level], p[i, level] = has.mean(), acquired.mean()
                below = largest_component(random, skills, float(p[i, level]) ** 2)
                giant[i, level] = below.mean()
                stage.advance()
    return SampledSkills(enough, p, giant)


def _prerequisites_met(random: np.random.Generator, below: np.ndarray, skills: int, sigma: float) -> np.ndarray:
    """Which skills have all their prerequisites among ``below``, bool [skills]."""
    whole = int(sigma)
    count = whole + (random.random(skills) < sigma - whole)
    asked = random.integers(len(below), size=(skills, whole + 1))
    return np.all(below[asked] | (np.arange(whole + 1) >= count[:, None]), axis=1)


def largest_component(random: np.random.Generator, skills: int, chance: float) -> np.ndarray:
    """Members of the largest component of one G(S, chance), bool [skills]; none where there is no edge at all.

    From a mean degree of ln S + 45 on all skills are in it but for a chance below 1e-19, and nothing is drawn.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if chance * skills > math.log(skills) + 45.0:
        return np.ones(skills, dtype=bool)
    pairs = skills * (skills - 1) // 2
    count = int(random.binomial(pairs, chance)) if pairs else 0
    if count == 0:
        return np.zeros(skills, dtype=bool)
    k = random.choice(pairs, count, replace=False, shuffle=False)
    high = ((1.0 + np.sqrt(1.0 + 8.0 * k)) / 2.0).astype(np.int64)
    high -= high * (high - 1) // 2 > k  # the root is right to a rounding
    high += high * (high + 1) // 2 <= k
    low = k - high * (high - 1) // 2
    graph = coo_array((np.ones(count, dtype=bool), (low, high)), shape=(skills, skills))
    labels = connected_components(graph, directed=False)[1]
    return labels == np.argmax(np.bincount(labels))


def skills_with_concepts(key: np.ndarray, known: np.ndarray, skills: int, mean: float, needed: float) -> np.ndarray:
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
