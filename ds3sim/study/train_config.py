"""The config of ``ds3sim train``: a [model] of kind tripartite, and how much to simulate beside the formulas."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from ds3sim.core.errors import InputError, require
from ds3sim.study import config as c
from ds3sim.study import load
from ds3sim.study.load import Override, shown
from ds3sim.study.tripartite import TripartiteModel

OTHERS = ("graph", "tasks", "strategy", "strategies", "budget", "cost", "engine", "sweep")
"""Tables of a run, which a config may have for ``run``; they are not read here."""


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
        overrides: from :func:`ds3sim.study.load.parse_override`.

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
