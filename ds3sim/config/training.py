"""[model] kind = "tripartite": a model by its training, and its tasks (l, m).

Parameters and training tokens (or training FLOPs) give the skills of every level (docs/training.md). What a strategy
does with tasks of m skills of level l is in :mod:`ds3sim.config.levels`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from ds3sim.config import read as load
from ds3sim.config import tables as c
from ds3sim.config.read import Override, shown
from ds3sim.core.errors import InputError, require
from ds3sim.theory.trained import Trained, Training, compute_optimal, train
from ds3sim.training.reasoning import Tasks as Grid

OTHERS = ("graph", "tasks", "strategy", "strategies", "budget", "cost", "engine", "sweep")
"""Tables of a run, which a config may have for ``run``; they are not read here."""

AIME_FLOPS = 3.35e25
Positive = Annotated[c.Number, Field(gt=0)]


def _sizes(value):
    """A number, or a list of numbers."""
    if not isinstance(value, list | tuple):
        return c._number(value)
    return tuple(c._number(v) for v in c._some(value))


class TripartiteModel(c.Model):
    """A model by its training: texts, concepts and skills. The defaults are those of the AIME study."""

    kind: Literal["tripartite"] = "tripartite"
    training_flops: Positive | None = Field(default=None, description="C_tr = 6 N D; D = kappa N")
    parameters: Positive | None = Field(default=None, description="N, non-embedding parameters")
    tokens: Positive | None = Field(default=None, description="D, training tokens; kappa N when left out")
    tokens_per_parameter: Positive = Field(default=20.0, description="kappa = D/N, where D is not given")
    levels: Annotated[c.Whole, Field(ge=1, le=10_000)] = Field(default=100, description="L, levels of skills")
    skills_per_level: Annotated[float | tuple[float, ...], BeforeValidator(_sizes)] = Field(
        default=1e4, description="S_l, a number or one for each level"
    )
    text_degree: Positive = Field(default=6.0, description="d_t, mean concepts of a text")
    parameters_per_concept: Positive = Field(default=2.5e3, description="zeta: R = N/zeta concepts")
    tokens_per_text: Positive = Field(default=1e4, description="tau: T = D/tau texts")
    relevant_factor: Annotated[c.Number, Field(ge=0)] = Field(default=5.0, description="beta of (4)")
    search: c.Fraction = Field(default=0.5, description="rho of (4): 1 searches blindly, 0 knows the next skill")
    concepts_needed: Positive = Field(default=5.0, description="eta, learnt concepts that a skill needs")
    initially_unknown: Annotated[c.Number, Field(gt=0, le=1)] = Field(
        default=0.5, description="eps, fraction of concepts unknown at the start"
    )
    finite_size: Literal["published", "authors_code", "random_graph"] = Field(
        default="published", description="variant of (20)"
    )
    round_steps: c.Truth = Field(True, description="false: K = C_inf/(2 N omega) as a real number (closed_form only)")

    @model_validator(mode="after")
    def _one_source(self):
        if self.training_flops is not None:
            for key in ("parameters", "tokens"):
                if getattr(self, key) is not None:
                    raise c.refuse(f"stands beside {key}: keep one of them", "training_flops")
        if self.tokens is not None:
            if self.parameters is None:
                raise c.refuse("needs parameters beside it", "tokens")
            if "tokens_per_parameter" in self.model_fields_set:
                raise c.refuse("has no effect beside tokens: remove one of them", "tokens_per_parameter")
        sizes = np.asarray(self.skills_per_level)
        if sizes.ndim and sizes.size != self.levels:
            raise c.refuse(f"needs one number, or {self.levels} of them, one for each level", "skills_per_level")
        if np.any(sizes < 1):
            raise c.refuse("must be at least 1", "skills_per_level")
        if self.concepts < self.text_degree:
            raise c.refuse(
                f"is above the {self.concepts:.4g} concepts of a model of {self.size[0]:.4g} parameters: lower it, or"
                " train a larger model",
                "text_degree",
            )
        return self

    @property
    def size(self) -> tuple[float, float]:
        """N and D."""
        if self.parameters is None:
            n, d = compute_optimal(self.training_flops or AIME_FLOPS, self.tokens_per_parameter)
            return float(n), float(d)
        return self.parameters, self.tokens if self.tokens is not None else self.tokens_per_parameter * self.parameters

    @property
    def concepts(self) -> float:
        """R = N/zeta."""
        return self.size[0] / self.parameters_per_concept

    @property
    def training(self) -> Training:
        """The constants as the formulas take them."""
        own = self.model_dump(exclude={"kind", "training_flops", "parameters", "tokens", "relevant_factor", "search"})
        del own["round_steps"]
        return Training(**own)


def trained(model: TripartiteModel) -> Trained:
    """The model after training, by the formulas (19)-(23)."""
    return _train(*model.size, model.training)


@lru_cache(maxsize=256)
def _train(parameters: float, tokens: float, training: Training) -> Trained:
    return train(parameters, tokens, training)


@dataclass(frozen=True)
class LevelTasks:
    """Tasks (l, m) with weights of sum 1.

    Attributes:
        level, skills: whole, one for each task.
        weight: phi.
    """

    level: tuple[int, ...]
    skills: tuple[int, ...]
    weight: tuple[float, ...]

    def grid(self, model: TripartiteModel) -> Grid:
        """The same for :func:`ds3sim.training.reasoning.reason`."""
        levels, skills = sorted(set(self.level)), sorted(set(self.skills))
        phi = np.zeros((len(levels), len(skills)))
        for at, m, w in zip(self.level, self.skills, self.weight, strict=True):
            phi[levels.index(at), skills.index(m)] += w
        return Grid(tuple(levels), tuple(skills), phi, model.relevant_factor, model.search)


def level_tasks(tasks, model, source: str) -> LevelTasks:
    """The tasks (l, m) of a [tasks] table with ``level``, those of weight 0 left out.

    Two numbers are an inclusive range; longer lists, zipped ones, and lists of two that fit ``weights``, as they stand.

    Raises:
        InputError: no tripartite model, or a level that it does not have.
    """
    if not isinstance(model, TripartiteModel):
        raise InputError(f'{source}: tasks.level needs the training side: add [model] with kind = "tripartite"')
    level, skills = tasks.spans
    top = max(level)
    require(
        top <= model.levels,
        f"{source}: tasks.level = {top}: is above the {model.levels} levels of the model: lower it, or raise"
        " model.levels",
    )
    pairs = list(zip(skills, level, strict=True)) if tasks.zip else [(m, at) for m in skills for at in level]
    weights = np.ones(len(pairs)) if tasks.weights is None else np.ravel(np.asarray(tasks.weights, dtype=np.float64))
    kept = [(at, m, w) for (m, at), w in zip(pairs, weights.tolist(), strict=True) if w > 0]
    total = math.fsum(w for *_, w in kept)
    return LevelTasks(tuple(k[0] for k in kept), tuple(k[1] for k in kept), tuple(k[2] / total for k in kept))


class Simulation(c.Model):
    """What is simulated beside the formulas."""

    enabled: c.Truth = Field(True, description="false: formulas only")
    graphs: Annotated[c.Whole, Field(ge=1, le=100_000)] = Field(default=100, description="concept-text graphs to peel")
    concepts: Annotated[c.Whole, Field(ge=100, le=1_000_000)] = Field(
        default=10_000, description="concepts of a peeled graph at most; a larger model is scaled down to it"
    )
    models: Annotated[c.Whole, Field(ge=1, le=10_000)] = Field(default=4, description="models whose skills are sampled")


class TrainTables(c.Model):
    """All that is read."""

    name: c.Text | None = Field(default=None, description="name of the study; the file's name when left out")
    seed: c.Seed = Field(default=0, description="seed of everything random")
    model: TripartiteModel = Field(description="the model and its training")
    simulation: Simulation = Field(default=Simulation.model_validate({}), description="what is simulated")


TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): TrainTables,
    ("model",): TripartiteModel,
    ("simulation",): Simulation,
}


@dataclass(frozen=True)
class TrainConfig:
    """A checked config.

    Attributes:
        name, seed, model, simulation: of the config.
        source: the file as the user named it.
    """

    name: str
    seed: int
    model: TripartiteModel
    simulation: Simulation
    source: str


def read_train_config(path, overrides: Iterable[Override] = ()) -> TrainConfig:
    """The checked config of a TOML file.

    Args:
        path: the file. A config of ``run`` or ``sweep`` with such a [model] will do.
        overrides: from :func:`ds3sim.config.read.parse_override`.

    Raises:
        InputError: one line naming file, key, value, cause and fix.
    """
    overrides = list(overrides)
    data = load.apply_overrides(load.read_toml(path), overrides)

    def place(found: tuple) -> str:
        for typed, _, text in reversed(overrides):
            if tuple(found[: len(typed)]) == typed:
                return text
        return str(path)

    data = {key: value for key, value in data.items() if key not in OTHERS}
    require("model" in data, f'{path}: has no [model]: add it, with kind = "tripartite" and training_flops = 1e24')
    _known(data, place)
    model = data["model"]
    if isinstance(model, dict) and model.get("kind", "tripartite") != "tripartite":
        kind = shown(model["kind"])
        raise InputError(f'{place(("model", "kind"))}: model.kind = {kind}: training needs kind = "tripartite"')
    try:
        tables = TrainTables.model_validate(data)
    except ValidationError as error:
        item = error.errors(include_url=False)[0]
        where = tuple(item["loc"])
        # one number, or a list of them: the second half of a union says nothing more
        where = tuple(
            part for part in where if not (isinstance(part, str) and ("[" in part or part in ("float", "tuple")))
        )
        context = item.get("ctx", {})
        if item["type"] == "refused" and context.get("key"):
            where += (context["key"],)
        said = load._say(item["type"], context, where, data, item["msg"])
        raise InputError(f"{place(where)}: {said}") from None
    name = tables.name if tables.name is not None else Path(path).stem or "training"
    return TrainConfig(name, tables.seed, tables.model, tables.simulation, str(path))


def _known(data: dict, place) -> None:
    """Refuse unknown keys, with the nearest known one."""
    for path, model in TABLES.items():
        table = load._at(data, path) if path else data
        if table is None:
            continue
        name = load.dotted(path)
        if not isinstance(table, dict):
            raise InputError(f"{place(path)}: {name} = {shown(table)}: must be a table, as in [{name}]")
        known = list(model.model_fields)
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key.lower(), known if path else [*known, *OTHERS], n=1)
                hint = (
                    f"did you mean {load.dotted((*path, near[0]))}?" if near else f"known keys are {', '.join(known)}"
                )
                raise InputError(f"{place((*path, key))}: unknown key {load.dotted((*path, key))}: {hint}")
