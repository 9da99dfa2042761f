"""What a model learns in training: theory beside simulation, as plain data."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ds3sim.config.training import TrainConfig, trained
from ds3sim.core.environment import environment
from ds3sim.core.errors import InputError
from ds3sim.core.plain import as_plain
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.stats.tests import binomial_z
from ds3sim.theory.peeling import excess_entropy, large_graph, peeling
from ds3sim.theory.skills import acquired_exact, skill_levels
from ds3sim.training.peel_graphs import peel_graphs
from ds3sim.training.sampled_model import MOST_SKILLS, sample_skills

MOST_TEXTS = 10**7
"""Texts of a peeled graph."""


def run_training(config: TrainConfig, progress: Callable | None = None) -> dict:
    """The result of a training, as ``ds3sim train --json`` prints it.

    Args:
        config: from :func:`ds3sim.config.training.read_train_config`.
        progress: called with a word on the piece of work, and how many of how many are done.

    Returns:
        ``name, seed, model, concepts, texts, texts_per_concept, threshold, stuck, unlearnt, learnt, excess_entropy,
        levels_learnt, highest_level, levels, simulation, notes, environment``; ``levels`` has for each level
        ``acquired`` (g of (21)), ``p`` (p_l), ``giant`` (gamma_l), the same by the ``exact`` binomial law in place of
        the Chernoff form (21), and the same ``simulated``, each with its standard error.

    Raises:
        InputError: the model cannot be trained.
    """
    begun = time.perf_counter()
    model, training = config.model, config.model.training
    try:
        one = trained(model)
    except InputError as error:
        raise InputError(f"{config.source}: model: {error}") from None
    law, big_r, big_t = one.peeling, float(one.concepts), float(one.texts)
    entropy = excess_entropy(big_r, law.unlearnt, model.text_degree)
    sizes = np.broadcast_to(np.asarray(training.skills_per_level, dtype=np.float64), (training.levels,))
    mean = np.minimum(training.shares * big_r / sizes, big_r)
    exact = acquired_exact(mean, law.unlearnt, big_r, training.concepts_needed)
    exact_p, exact_giant = skill_levels(exact, sizes, training.sigma)
    levels = [
        {
            "level": at + 1,
            "skills": float(sizes[at]),
            "concepts_per_skill": float(mean[at]),
            "acquired": float(one.acquired[at]),
            "p": float(one.p[at]),
            "giant": float(one.giant[at]),
            "exact": {"acquired": float(exact[at]), "p": float(exact_p[at]), "giant": float(exact_giant[at])},
            "simulated": None,
        }
        for at in range(training.levels)
    ]
    simulation, notes = _simulate(config, levels, progress) if config.simulation.enabled else (None, [])

    def highest(p) -> int:
        learnt = np.flatnonzero(np.asarray(p) >= 0.5)
        return int(learnt[-1]) + 1 if learnt.size else 0

    sampled = [row["simulated"]["p"]["estimate"] for row in levels if row["simulated"]]
    n, d = model.size
    return as_plain(
        {
            "name": config.name,
            "seed": config.seed,
            "model": {
                "parameters": n,
                "tokens": d,
                "training_flops": float(one.flops),
                "tokens_per_parameter": d / n,
                "finite_size": model.finite_size,
            },
            "concepts": big_r,
            "texts": big_t,
            "texts_per_concept": big_t / big_r,
            "threshold": {
                "eps_bp": float(law.eps_threshold),
                "x_bp": float(law.x_threshold),
                "initially_unknown": model.initially_unknown,
                "gamma_bp": float(law.gamma),
                "scale": float(law.scale),
                "shift": float(law.shift),
            },
            "stuck": float(law.stuck),
            "unlearnt": float(law.unlearnt),
            "unlearnt_large_graph": float(large_graph(big_r, big_t, model.text_degree, model.initially_unknown)),
            "learnt": float(law.learnt),
            "excess_entropy": float(entropy[1]),
            "levels_learnt": float(one.p.sum()),
            "highest_level": highest(one.p),
            "highest_level_exact": highest(exact_p),
            "highest_level_simulated": highest(sampled) if sampled else None,
            "levels": levels,
            "simulation": simulation,
            "notes": notes,
            "environment": {**environment(), "wall_s": time.perf_counter() - begun},
        }
    )


def _simulate(config: TrainConfig, levels: list[dict], progress: Callable | None) -> tuple[dict | None, list[str]]:
    """Peel graphs and sample skills; ``levels`` get their simulated shares."""
    model, wanted = config.model, config.simulation
    one = trained(model)
    big_r, ratio, notes = float(one.concepts), float(one.texts / one.concepts), []
    size = max(1, round(min(big_r, wanted.concepts)))
    texts = max(1, round(ratio * size))
    if texts > MOST_TEXTS or model.text_degree > size:
        return None, [f"nothing is simulated: {texts:,} texts for {size:,} concepts are too many, or degrees too large"]
    scaled = size < round(big_r)
    if scaled:
        notes.append(
            f"peeling is simulated on graphs of {size:,} concepts and {texts:,} texts, in place of {big_r:.4g}"
            " concepts: T/R is the same, and the finite-size law is shown at the simulated size"
        )
    if progress is not None:
        progress("peeling", 0, 2)
    left = peel_graphs(wanted.graphs, size, texts, model.text_degree, config.seed).unlearnt
    law = peeling(size, texts, model.text_degree, model.initially_unknown, model.finite_size)
    gap = 0.5 * float(law.gamma) / model.initially_unknown
    stuck = int((left > gap).sum())
    low, high = (float(v) for v in clopper_pearson(stuck, wanted.graphs))
    error = float(left.std(ddof=1) / np.sqrt(len(left))) if len(left) > 1 else None
    found = {
        "graphs": wanted.graphs,
        "concepts": size,
        "texts": texts,
        "scaled": scaled,
        "stuck": {"estimate": stuck / wanted.graphs, "low": low, "high": high},
        "unlearnt": {"estimate": float(left.mean()), "error": error},
        "theory": {
            "stuck": float(law.stuck),
            "unlearnt": float(law.unlearnt),
            "z_stuck": float(binomial_z(stuck, wanted.graphs, law.stuck)),
        },
        "models": 0,
    }
    if progress is not None:
        progress("skills", 1, 2)
    biggest = max(row["skills"] for row in levels)
    if biggest > MOST_SKILLS:
        notes.append(f"skills are not simulated: {biggest:,.0f} in a level are more than {MOST_SKILLS:,}")
        return found, notes
    count = min(wanted.models, wanted.graphs)
    if scaled:
        notes.append(
            f"skills are sampled for {big_r:.4g} concepts, the learnt fraction being that of the peeled graphs"
        )
    skills = sample_skills(1.0 - left[:count], big_r, model.training, config.seed)
    found["models"] = count
    for at, row in enumerate(levels):
        row["simulated"] = {
            key: _mean(values[:, at], row["skills"])
            for key, values in (("acquired", skills.enough), ("p", skills.p), ("giant", skills.giant))
        }
    if progress is not None:
        progress("skills", 2, 2)
    return found, notes


def _mean(values: np.ndarray, skills: float) -> dict:
    """Mean over models, and its standard error: at least that of as many independent skills."""
    mean = float(values.mean())
    between = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return {"estimate": mean, "error": max(between, float(np.sqrt(mean * (1 - mean) / (len(values) * skills))))}
