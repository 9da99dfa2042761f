"""What is wrong with a config, in one line that names the key, the value, the cause and the fix."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time
from typing import Any

from pydantic import BaseModel, ValidationError

from ds3sim.config import tables as c
from ds3sim.config.graphs import GRAPHS
from ds3sim.config.models import MODELS
from ds3sim.config.strategy import ERRORS, StrategyTable, VerifierTable
from ds3sim.config.tasks import GroupTable, NormalTable, TasksTable
from ds3sim.config.values import Table, is_spread
from ds3sim.core.errors import InputError
from ds3sim.core.errors import shown as as_python

Place = Callable[[tuple[Any, ...]], str]
KINDS: dict[tuple[str, ...], Mapping[str, type[Table]]] = {
    ("graph",): GRAPHS,
    ("model",): MODELS,
    ("strategy", "errors"): ERRORS,
}
"""Tables whose ``kind`` decides which keys there are."""
TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): c.Config,
    ("tasks",): TasksTable,
    ("tasks", "groups"): GroupTable,
    ("tasks", "groups", "difficulty"): NormalTable,
    ("strategy",): StrategyTable,
    ("strategy", "verifier"): VerifierTable,
    ("budget",): c.BudgetTable,
    ("cost",): c.CostTable,
    ("engine",): c.EngineTable,
    ("sweep",): c.SweepTable,
    ("simulation",): c.SimulationTable,
    ("allocate",): c.AllocateTable,
    ("box",): c.BoxTable,
}


def dotted(path: Iterable[Any]) -> str:
    """``("budget", "steps", 2)`` as ``budget.steps[2]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def split(name: str) -> tuple[str, ...]:
    """A dotted key as its path; quotes keep dots together: strategies."tree, b = 4".branches. ValueError: none."""
    path, node = (), tomllib.loads(f"{name} = 0")
    while isinstance(node, dict):
        ((part, node),) = node.items()
        path += (part,)
    return path


def shown(value: object) -> str:
    """A value as the user would write it, cut to a line's length."""
    text = " ".join(_written(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_written(item) for item in value[:20]) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_written(item)}" for key, item in list(value.items())[:20]) + "}"
    if isinstance(value, date | time):
        return value.isoformat()
    return f"{value:.15g}" if isinstance(value, float) else as_python(value, 200)


def generic(path: tuple[Any, ...]) -> tuple[Any, ...]:
    """The path without numbers of items, and with ``strategies.NAME`` as ``strategy``."""
    path = tuple(part for part in path if not isinstance(part, int))
    return ("strategy", *path[2:]) if len(path) >= 2 and path[0] == "strategies" else path


def value_at(data: Any, path: tuple[Any, ...]) -> Any:
    """The raw value at a path, None where there is none."""
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def model_at(path: tuple[Any, ...], table: Any) -> type[BaseModel] | None:
    """The model of the table at a path."""
    kinds = KINDS.get(generic(path))
    return kinds.get(table.get("kind", "")) if kinds and isinstance(table, Mapping) else TABLES.get(generic(path))


def models_at(path: tuple[Any, ...]) -> tuple[type[BaseModel], ...]:
    """The models that a table at a path may have."""
    kinds = KINDS.get(generic(path))
    one = TABLES.get(generic(path))
    return tuple(kinds.values()) if kinds else () if one is None else (one,)


def all_keys() -> list[str]:
    """Every key there is, dotted."""
    places = dict.fromkeys([(), *KINDS, *TABLES])
    return list(
        dict.fromkeys(dotted((*p, key)) for p in places for model in models_at(p) for key in model.model_fields)
    )


def choose_from(value: object, options: Sequence[str]) -> str:
    """``choose a, b or c``, with the nearest one."""
    near = nearest(str(value), options)
    hint = f" (did you mean {near}?)" if near else ""
    return f"choose {', '.join(options[:-1])} or {options[-1]}{hint}"


def known_keys(table: Mapping[Any, Any], path: tuple[Any, ...], place: Place) -> None:
    """Refuse unknown keys of a table and of those in it, in the order of the file, with the nearest known one."""
    model = model_at(path, table)
    if model is not None:
        for key in table:
            if key not in model.model_fields:
                raise InputError(f"{place((*path, key))}: {_unknown(str(key), table, path, model)}")
    # start and score of a graph, axes and constants are tables of names of their own
    free = path in (("graph",), ("sweep",), ("allocate",))
    for key, value in table.items():
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, Mapping) and not free and not is_spread(item):
                known_keys(item, (*path, key), place)


def _unknown(key: str, table: Mapping[Any, Any], path: tuple[Any, ...], model: type[BaseModel]) -> str:
    name = dotted((*path, key))
    homes = [kind for kind, other in KINDS.get(generic(path), {}).items() if key in other.model_fields]
    if homes:
        kind = dotted((*path, "kind"))
        return f"{name} has no effect with {kind} = {table['kind']}: remove it, or use kind {' or '.join(homes)}"
    if path == ("sweep",) and ("." in key or key in c.Config.model_fields):
        return f"unknown key {name}: axes stand in [sweep.axes]"
    known = list(model.model_fields)
    close, near, leaf = nearest(key, known, 0.75), nearest(key, known), nearest_leaf(key, all_keys())
    best = leaf if leaf and not close else dotted((*path, close or near)) if near else None
    if best:
        return f"unknown key {name}: did you mean {best}?"
    return f"unknown key {name}: known keys here are {', '.join(model.model_fields)}"


def nearest(key: str, known: Sequence[str], cutoff: float = 0.6) -> str | None:
    """The known key that is spelled most like this one."""
    return next(iter(difflib.get_close_matches(key.lower(), known, n=1, cutoff=cutoff)), None)


def nearest_leaf(key: str, known: Sequence[str]) -> str | None:
    """The dotted key whose last part is spelled most like this one."""
    leaves = {full.rsplit(".", 1)[-1]: full for full in reversed(known)}
    return leaves.get(nearest(key, list(leaves), 0.75) or "")


def first_error(error: ValidationError, data: Mapping[Any, Any], place: Place, at: tuple[Any, ...] = ()) -> InputError:
    """The first error of pydantic in one line of ours; ``at``: the path of the table, whose whole is ``data``."""
    found = error.errors(include_url=False)
    item, context = found[0], found[0].get("ctx", {})
    path = [*at, *item["loc"]]
    # A tagged union puts its tag behind the name of the table: graph.chain.skills.
    for end, kinds in ((1, GRAPHS), (1, MODELS), (2, ERRORS), (3, ERRORS)):
        if len(path) > end and path[end] in kinds and generic(tuple(path[:end])) in KINDS:
            del path[end]
            break
    # One number, or a list of them: the second half of a union says nothing more.
    path = [part for part in path if not (isinstance(part, str) and (part in ("float", "tuple") or "[" in part))]
    if item["type"] == "refused" and context.get("key"):
        path += context["key"].split(".") if path[:1] != ["graph"] else [context["key"]]
    alone = bool(path) and isinstance(path[-1], int) and not isinstance(value_at(data, tuple(path[:-1])), list | tuple)
    if alone:
        del path[-1]  # one number stands for a list of one
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return InputError(f"{place(tuple(path))}: {_say(item['type'], context, tuple(path), data, item['msg'])}{more}")


def missing(path: tuple[Any, ...], data: Mapping[Any, Any]) -> str:
    """That a key or a table is missing, and what it is."""
    key, table = dotted(path), value_at(data, path[:-1]) if len(path) > 1 else data
    model = model_at(path[:-1], table)
    field = model.model_fields.get(str(path[-1])) if model and path else None
    about = f" ({field.description})" if field and field.description else ""
    return f"{key} is missing: add {f'the table [{key}]' if len(path) == 1 else 'it'}{about}"


def _say(kind: str, context: Mapping[Any, Any], path: tuple[Any, ...], data: Mapping[Any, Any], message: str) -> str:
    key, value = dotted(path) or "the config", value_at(data, path)
    told = f"{key} = {shown(value)}"
    bounds = {
        "greater_than_equal": ("at least", "ge"),
        "greater_than": ("above", "gt"),
        "less_than_equal": ("at most", "le"),
        "less_than": ("below", "lt"),
    }
    if kind == "missing":
        return missing(path, data)
    if kind in bounds:
        word, entry = bounds[kind]
        bound = context[entry]
        return f"{told}: must be {word} {_written(float(bound) if bound > 2**63 else bound)}"
    if kind == "literal_error":
        options = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ", ").split(",")]
        return f"{told}: {choose_from(value, options)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{told}: must be a table, as in [{key}]"
    if kind == "refused":
        if (isinstance(value, Mapping) and not is_spread(value)) or value is None:
            return f"{key} {context['message']}"
        joint = " " if context["message"].split()[0] in ("has", "needs", "stands", "is", "cannot") else ": "
        return f"{told}{joint}{context['message']}"
    return f"{told}: {message}"
