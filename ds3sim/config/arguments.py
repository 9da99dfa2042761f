"""A study's Python arguments as the tables of a config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ds3sim.config import graphs, strategy
from ds3sim.config.say import dotted, shown
from ds3sim.core.errors import InputError, require
from ds3sim.engine.limits import EngineOptions
from ds3sim.graph.graph import SkillGraph
from ds3sim.theory.cost import CostModel

UNITS_AND_OPTIONS = r"steps_per_trace|steps|tokens|flops|on_dead|traces|relative_error|max_traces|chunk"


def strategy_tables(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Strategies by name as tables."""
    if given is None:
        return None
    require(isinstance(given, Mapping), f"Study: strategies = {shown(given)}: must be a dict, strategies by name")
    return {name: strategy_table(one, dotted(("strategies", name))) for name, one in given.items()}


def strategy_table(given: Any, told: str = "strategy") -> dict[str, Any] | None:
    """A strategy as a table; see :func:`ds3sim.config.strategy.table_of`."""
    return None if given is None else strategy.table_of(given, f"Study: {told}")


def engine_table(given: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The name of an engine, options or a table, as a table; ``options`` that are given win."""
    own = {"kind": given} if isinstance(given, str) else {} if given is None else plain(given)
    require(isinstance(own, Mapping), f"Study: engine = {shown(given)}: must be a name, EngineOptions, or a table")
    return {**own, **{key: value for key, value in options.items() if value is not None}}


def plain(value: Any) -> Any:
    """Records as tables, arrays as lists and numbers, None left out."""
    if isinstance(value, SkillGraph):
        value = graphs.table_of(value)
    elif isinstance(value, CostModel | EngineOptions):
        value = vars(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        try:
            return plain(value.tolist())
        except Exception as error:  # a number that is being traced has no value
            raise InputError(f"Study: {type(value).__name__} has no value here: build studies outside jit") from error
    return value


def as_arguments(text: str) -> str:
    """An error's keys as the arguments of :class:`ds3sim.config.study.Study`."""
    text = re.sub(rf"\b(?:budget|engine)\.({UNITS_AND_OPTIONS})\b", r"\1", text)
    return text.replace("engine.kind", "engine")
