"""``train``: what a model learns in training, theory beside simulation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.config.read import read_config
from ds3sim.config.tables import Config, SimulationTable
from ds3sim.core import runtime
from ds3sim.core.errors import InputError
from ds3sim.core.estimate import Estimate
from ds3sim.core.figure import new_axes
from ds3sim.core.plain import as_plain
from ds3sim.core.progress import Stage, working
from ds3sim.core.record import Record
from ds3sim.core.runtime import environment
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.stats.tests import binomial_z
from ds3sim.theory.peeling import Peeling, excess_entropy, large_graph, peeling
from ds3sim.theory.skills import Trained, acquired_exact, skill_levels
from ds3sim.training.peeling import peel_graphs
from ds3sim.training.skill_graphs import MOST_SKILLS, sample_skills

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

MOST_TEXTS = 10**7
"""Texts of a peeled graph."""

Progress = Callable[[str, int, int], None]
"""Called with a word on the piece of work, and how many of how many are done."""


@dataclass(frozen=True)
class Levels:
    """Shares of the skills of each level, float64 [L].

    Attributes:
        acquired: g, enough concepts learnt.
        p: p_l, prerequisites included.
        giant: gamma_l, in the giant component.
    """

    acquired: np.ndarray
    p: np.ndarray
    giant: np.ndarray

    @property
    def highest(self) -> int:
        """The highest level with p of at least 1/2, from 1; 0 where there is none."""
        learnt = np.flatnonzero(self.p >= 0.5)
        return int(learnt[-1]) + 1 if learnt.size else 0

    def row(self, at: int) -> dict[str, float]:
        """The shares of one level, by name."""
        return {name: shares[at] for name, shares in vars(self).items()}


@dataclass(frozen=True)
class Simulated:
    """What was simulated beside the formulas.

    Attributes:
        graphs: concept-text graphs peeled.
        concepts, texts: of each.
        scaled: fewer concepts than the model has.
        stuck: share of the graphs where peeling got stuck, with its 95% interval.
        unlearnt, unlearnt_error: mean fraction of concepts that stays unknown, and its standard error.
        theory: (19) and (20) at this size; z_stuck: standard errors between it and ``stuck``.
        models: whose skills were sampled.
        levels, errors: their mean shares and standard errors; None where no skills were sampled.
    """

    graphs: int
    concepts: int
    texts: int
    scaled: bool
    stuck: Estimate
    unlearnt: float
    unlearnt_error: float | None
    theory: Peeling
    z_stuck: float
    models: int = 0
    levels: Levels | None = None
    errors: Levels | None = None

    def to_dict(self) -> dict[str, Any]:
        """As ``ds3sim train --json`` prints it, without the levels."""
        law = self.theory
        return {name: getattr(self, name) for name in ("graphs", "concepts", "texts", "scaled", "stuck", "models")} | {
            "unlearnt": {"estimate": self.unlearnt, "error": self.unlearnt_error},
            "theory": {"stuck": law.stuck, "unlearnt": law.unlearnt, "z_stuck": self.z_stuck},
        }


@dataclass(frozen=True, eq=False)
class TrainingResult(Record):
    """What ``train`` returns: the skill levels that a model learns.

    Attributes:
        name, seed: of the config.
        model: the model after training, by (19)-(23) of docs/training.md.
        exact: the same by the exact binomial law in place of the Chernoff form (21).
        simulation: what was simulated, None where nothing was.
        notes: what to know of the simulation.
        environment: versions, device, threads, and ``wall_s``, seconds that it took.

    >>> from pathlib import Path
    >>> _ = Path("model.toml").write_text("[model]\\ntraining_flops = 3.35e25\\n[simulation]\\nenabled = false\\n")
    >>> found = ds.train("model.toml")
    >>> found.theory.highest, found.exact.highest, found.simulation
    (60, 84, None)
    """

    name: str
    seed: int
    model: Trained
    exact: Levels
    simulation: Simulated | None
    notes: tuple[str, ...]
    environment: Mapping[str, Any]

    @property
    def theory(self) -> Levels:
        """The levels by (21), (22) and (23)."""
        return Levels(self.model.acquired, self.model.p, self.model.giant)

    def to_dict(self) -> dict[str, Any]:
        """As ``ds3sim train --json`` prints it."""
        model, training, law = self.model, self.model.training, self.model.peeling
        sampled = self.simulation and self.simulation.levels
        return as_plain(
            {
                "name": self.name,
                "seed": self.seed,
                "model": {
                    "parameters": model.parameters,
                    "tokens": model.tokens,
                    "training_flops": model.flops,
                    "tokens_per_parameter": model.tokens / model.parameters,
                    "finite_size": training.finite_size,
                },
                "concepts": model.concepts,
                "texts": model.texts,
                "texts_per_concept": model.texts / model.concepts,
                "threshold": {
                    "eps_bp": law.eps_threshold,
                    "x_bp": law.x_threshold,
                    "initially_unknown": training.initially_unknown,
                    "gamma_bp": law.gamma,
                    "scale": law.scale,
                    "shift": law.shift,
                },
                "stuck": law.stuck,
                "unlearnt": law.unlearnt,
                "unlearnt_large_graph": large_graph(
                    model.concepts, model.texts, training.text_degree, training.initially_unknown
                ),
                "learnt": law.learnt,
                "excess_entropy": excess_entropy(model.concepts, law.unlearnt, training.text_degree)[1],
                "levels_learnt": model.p.sum(),
                "highest_level": self.theory.highest,
                "highest_level_exact": self.exact.highest,
                "highest_level_simulated": sampled.highest if sampled else None,
                "levels": [self._level(at) for at in range(training.levels)],
                "simulation": self.simulation,
                "notes": self.notes,
                "environment": self.environment,
            }
        )

    def _level(self, at: int) -> dict[str, Any]:
        sampled = self.simulation
        simulated = None
        if sampled is not None and sampled.levels and sampled.errors:
            error = sampled.errors.row(at)
            simulated = {key: {"estimate": v, "error": error[key]} for key, v in sampled.levels.row(at).items()}
        return {
            "level": at + 1,
            "skills": self.model.training.sizes[at],
            "concepts_per_skill": _concepts_per_skill(self.model)[at],
            **self.theory.row(at),
            "exact": self.exact.row(at),
            "simulated": simulated,
        }

    def to_dataset(self) -> xarray.Dataset:
        """Shares of the skills along ``level``: ``acquired``, ``p``, ``giant``, and the same exact and simulated."""
        import xarray

        found = {"": self.theory, "exact_": self.exact}
        if self.simulation is not None and self.simulation.levels and self.simulation.errors:
            found |= {"simulated_": self.simulation.levels, "simulated_error_": self.simulation.errors}
        columns = {kind + name: shares for kind, levels in found.items() for name, shares in vars(levels).items()}
        data: dict[str, Any] = {name: ("level", shares, {"units": "1"}) for name, shares in columns.items()}
        level = np.arange(1, len(self.model.p) + 1)
        return xarray.Dataset(data, {"level": level}, {"name": self.name, "seed": self.seed})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Acquired skills, with prerequisites, of every level."""
        axes = new_axes(ax)
        levels = np.arange(1, len(self.model.p) + 1)
        sampled = self.simulation and self.simulation.levels
        for label, found in (("by (21)", self.theory), ("exact law", self.exact), ("simulated", sampled)):
            if found:
                axes.plot(levels, found.p, label=label)
        axes.set(xlabel="level", ylabel="share of skills acquired", ylim=(0.0, 1.03))
        axes.legend(frameon=False)
        return axes


def train(
    config: str | os.PathLike[str] | Config, overrides: Iterable[str] = (), progress: Progress | None = None
) -> TrainingResult:
    """Skill levels that a model of given size and training learns, theory beside simulation.

    Args:
        config: a TOML file with a [model] of kind tripartite, or what was read from it.
        overrides: changes of its keys, as ``"model.parameters=1e9"``.
        progress: told of the pieces of the simulation.

    Raises:
        InputError: a mistake in the config, or a model that cannot be trained.

    >>> from pathlib import Path
    >>> _ = Path("model.toml").write_text("[model]\\ntraining_flops = 3.35e25\\n[simulation]\\nenabled = false\\n")
    >>> ds.train("model.toml").theory.highest
    60
    """
    begun = time.perf_counter()
    if not isinstance(config, Config):
        config = read_config(Path(config), overrides)
    asked, source = config.trained_model, config.origin.source
    try:
        model = asked.trained
    except InputError as error:
        raise InputError(f"{source}: model: {error}") from None
    training = model.training
    unlearnt, concepts = model.peeling.unlearnt, float(model.concepts)
    exact = acquired_exact(_concepts_per_skill(model), unlearnt, concepts, training.concepts_needed)
    simulation, notes = None, list[str]()
    if config.simulation.enabled:
        runtime.devices()  # says where none can be used
        with working("parts", 2) as stage:
            simulation = _simulate(model, config.simulation, config.seed, notes, stage, progress)
    return TrainingResult(
        name=config.name or Path(source).stem or "training",
        seed=config.seed,
        model=model,
        exact=Levels(exact, *skill_levels(exact, training.sizes, training.sigma)),
        simulation=simulation,
        notes=tuple(notes),
        environment={**environment(), "wall_s": time.perf_counter() - begun},
    )


def _concepts_per_skill(model: Trained) -> np.ndarray:
    """Mean number of concepts that a skill draws on, float64 [L]."""
    concepts = float(model.concepts)
    return np.minimum(model.training.shares * concepts / model.training.sizes, concepts)


def _simulate(
    model: Trained, wanted: SimulationTable, seed: int, notes: list[str], stage: Stage, progress: Progress | None
) -> Simulated | None:
    """Peel graphs and sample skills; ``notes`` get what to know of it."""
    training, concepts = model.training, float(model.concepts)
    size = max(1, round(min(concepts, wanted.concepts)))
    texts = max(1, round(float(model.texts / model.concepts) * size))
    if texts > MOST_TEXTS or training.text_degree > size:
        notes.append(f"nothing is simulated: {texts:,} texts for {size:,} concepts are too many, or degrees too large")
        return None
    scaled = size < round(concepts)
    if scaled:
        notes.append(
            f"peeling is simulated on graphs of {size:,} concepts and {texts:,} texts, in place of {concepts:.4g}"
            " concepts: T/R is the same, and the finite-size law is shown at the simulated size"
        )
    if progress is not None:
        progress("peeling", 0, 2)
    left = peel_graphs(wanted.graphs, size, texts, training.text_degree, seed).unlearnt
    law = peeling(size, texts, training.text_degree, training.initially_unknown, training.finite_size)
    stuck = int((left > 0.5 * float(law.gamma) / training.initially_unknown).sum())
    found = Simulated(
        graphs=wanted.graphs,
        concepts=size,
        texts=texts,
        scaled=scaled,
        stuck=Estimate(stuck / wanted.graphs, *(float(v) for v in clopper_pearson(stuck, wanted.graphs))),
        unlearnt=float(left.mean()),
        unlearnt_error=float(left.std(ddof=1) / np.sqrt(len(left))) if len(left) > 1 else None,
        theory=law,
        z_stuck=float(binomial_z(stuck, wanted.graphs, law.stuck)),
    )
    stage.advance()
    if progress is not None:
        progress("skills", 1, 2)
    if model.training.sizes.max() > MOST_SKILLS:
        most = model.training.sizes.max()
        notes.append(f"skills are not simulated: {most:,.0f} in a level are more than {MOST_SKILLS:,}")
        return found
    count = min(wanted.models, wanted.graphs)
    if scaled:
        notes.append(
            f"skills are sampled for {concepts:.4g} concepts, the learnt fraction being that of the peeled graphs"
        )
    mean, error = _sampled(model, 1.0 - left[:count], seed)
    if progress is not None:
        progress("skills", 2, 2)
    return replace(found, models=count, levels=mean, errors=error)


def _sampled(model: Trained, learnt: np.ndarray, seed: int) -> tuple[Levels, Levels]:
    """Mean shares over sampled models, and standard errors: at least those of as many independent skills."""
    skills = sample_skills(learnt, float(model.concepts), model.training, seed)
    shares = np.array([skills.enough.T, skills.p.T, skills.giant.T])  # [3, L, models]
    mean, count = shares.mean(axis=2), len(learnt)
    between = shares.std(axis=2, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(mean.shape)
    within = np.sqrt(mean * (1 - mean) / (count * model.training.sizes))
    return Levels(*mean), Levels(*np.maximum(between, within))
