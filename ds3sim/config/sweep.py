"""The tables of a config that ``run`` on a graph does not know: [sweep], [tasks], [model]."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from ds3sim.config import tables as c
from ds3sim.config import tasks as mixture
from ds3sim.config.read import shown
from ds3sim.core.errors import InputError, require


class Sweep(c.Model):
    """What [sweep] takes."""

    axes: Any = Field(default_factory=dict)
    zip: Any = Field(default_factory=list)
    match: Literal["flops"] | None = None


def known_tables(data: Mapping, place) -> None:
    """Refuse unknown tables at the top, and unknown keys of the tables that only a sweep has.

    Raises:
        InputError: one line that names the key and the nearest known one.
    """
    models: dict[str, type[BaseModel]] = {"sweep": Sweep, "tasks": mixture.Tasks}
    models["model"] = mixture.known_model(data.get("model", {}), place)
    top = [*c.Config.model_fields, *models]
    for key in data:
        if key not in top:
            near = difflib.get_close_matches(key.lower(), top, n=1)
            if near and near[0] in models:
                raise InputError(f"{place((key,))}: unknown key {key}: did you mean {near[0]}?")
    for name, model in models.items():
        table = data.get(name, {})
        require(isinstance(table, dict), f"{place((name,))}: {name} = {shown(table)}: must be a table, as in [{name}]")
        for key in table:
            if key not in model.model_fields:
                near = difflib.get_close_matches(key.lower(), model.model_fields, n=1)
                if name == "sweep" and not near and ("." in key or key in top):
                    raise InputError(f"{place((name, key))}: unknown key sweep.{key}: axes stand in [sweep.axes]")
                hint = (
                    f"did you mean {name}.{near[0]}?"
                    if near
                    else f"known keys here are {', '.join(model.model_fields)}"
                )
                raise InputError(f"{place((name, key))}: unknown key {name}.{key}: {hint}")
