"""Reading a config: TOML, overrides, and one-line errors that name file, key, value, cause and fix."""

from __future__ import annotations

import copy
import difflib
import tomllib
from collections.abc import Iterable
from datetime import date, time

from pydantic import BaseModel, ValidationError

from ds3sim.config import tables as c
from ds3sim.core.errors import InputError, require
from ds3sim.core.errors import shown as as_python
from ds3sim.core.files import read_text

MOST_BYTES = 2**24
MOST_LEVELS = 32
"""Tables and lists within one another."""
KINDS = {
    "graph": {
        "chain": c.ChainGraph,
        "file": c.FileGraph,
        "layered": c.LayeredGraph,
        "random": c.RandomGraph,
        "latent": c.LatentGraph,
    },
    "errors": {
        "geometric": c.GeometricModel,
        "uniform": c.UniformModel,
        "zipf": c.ZipfModel,
        "weights": c.WeightsModel,
    },
}
TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): c.Config,
    ("strategy",): c.Strategy,
    ("strategy", "verifier"): c.VerifierModel,
    ("budget",): c.Budget,
    ("cost",): c.Cost,
    ("engine",): c.Engine,
}
Override = tuple[tuple[str, ...], object, str]
"""Path, value, and what the user typed."""


def read_config(path, overrides: Iterable[Override] = ()) -> c.Config:
    """The checked config of a TOML file.

    Args:
        path: the file.
        overrides: from :func:`parse_override`; each replaces or adds one key.

    Raises:
        InputError: one line naming the file, the key, the value, the cause and the fix.
    """
    label = str(path)
    return check(read_toml(path), label, list(overrides))


def read_toml(path) -> dict:
    """The tables of a TOML file.

    Raises:
        InputError: the file is missing, is a folder, cannot be read, is not UTF-8, or is not TOML.
    """
    return parse_toml(read_text(path, most=MOST_BYTES, advice="that is no config"), str(path))


def parse_toml(text: str, label: str) -> dict:
    """The tables of a TOML text; errors name ``label`` and the line."""
    import re

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        line = int(found[1]) if found else text.rstrip("\n").count("\n") + 1
        cause = message[: found.start()] if found else message.removesuffix(" (at end of document)")
        raise InputError(f"{label}, line {line}: not valid TOML: {cause}: correct this line") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{label}: not usable TOML: {str(error)[:100]}") from None
    # What the parser can nest, above all by dotted keys, is more than recursion can read afterwards.
    level: list = [tables]
    for _ in range(MOST_LEVELS):
        inner = (value for part in level for value in (part.values() if isinstance(part, dict) else part))
        level = [value for value in inner if isinstance(value, dict | list)]
    require(not level, f"{label}: not usable TOML: nested more than {MOST_LEVELS} deep: no config needs that")
    return tables


def parse_override(text: str, option: str = "--set") -> Override:
    """``a.b=value`` as (path, value, text). The value is read as TOML, else it is a text.

    Raises:
        InputError: there is no ``=`` or the key is not a dotted key.
    """
    label = f"{option} {text if len(text) <= 200 else text[:197] + '...'}"
    key, equals, value = text.partition("=")
    require(equals == "=" and key.strip() != "", f"{label}: is not key=value: write it as in --set engine.traces=1e6")
    try:
        node: object = tomllib.loads(f"{key} = 0")
    except (ValueError, RecursionError):
        raise InputError(f"{label}: {shown(key)} is not a dotted key: write it as in --set engine.traces=1e6") from None
    path: tuple[str, ...] = ()
    while isinstance(node, dict):
        require(len(node) == 1, f"{label}: {shown(key)} is not one dotted key")
        name, node = next(iter(node.items()))
        path += (name,)
        require(len(path) <= MOST_LEVELS, f"{label}: the key has more than {MOST_LEVELS} parts: no config needs that")
    return path, override_value(value.strip()), label


def override_value(text: str):
    """A value as TOML reads it; what is no TOML value is a text."""
    try:
        parsed = parse_toml(f"value = {text}", "value")
        return parsed["value"] if set(parsed) == {"value"} else text
    except InputError:
        return text


def apply_overrides(data: dict, overrides: Iterable[Override]) -> dict:
    """A copy of ``data`` with the overrides in. A budget in one unit replaces one in another."""
    data = copy.deepcopy(data)
    for path, value, _ in overrides:
        node = data
        for name in path[:-1]:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        if path[:-1] == ("budget",) and path[-1] in c.UNITS:
            for unit in c.UNITS:
                node.pop(unit, None)
        node[path[-1]] = value
    return data


def check(data: dict, label: str, overrides: Iterable[Override] = ()) -> c.Config:
    """The checked config of raw tables; see :func:`read_config`."""
    overrides = list(overrides)
    data = apply_overrides(data, overrides)

    def place(path: tuple) -> str:
        """Who is to blame for the key: an override or the file."""
        for typed, _, text in reversed(overrides):
            if tuple(path[: len(typed)]) == typed:
                return text
        return label

    _choose_kinds(data, place)
    _known_keys(data, (), place)
    try:
        return c.Config.model_validate(data)
    except ValidationError as error:
        raise InputError(_first(error, data, place)) from None


def dotted(path: Iterable) -> str:
    """``("budget", "steps", 2)`` as ``budget.steps[2]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shown(value) -> str:
    """A value as the user would write it, cut to a line's length."""
    text = " ".join(_written(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _written(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_written(item) for item in value[:20]) + "]"
    if isinstance(value, date | time):
        return value.isoformat()
    return f"{value:.15g}" if isinstance(value, float) else as_python(value, 200)


def _generic(path: tuple) -> tuple:
    """The path with ``strategies.NAME`` as ``strategy``."""
    return ("strategy", *path[2:]) if len(path) >= 2 and path[0] == "strategies" else path


def _kinds(path: tuple) -> dict[str, type[BaseModel]] | None:
    generic = _generic(path)
    if generic == ("graph",):
        return KINDS["graph"]
    return KINDS["errors"] if generic == ("strategy", "errors") else None


def _model(path: tuple, table: dict) -> type[BaseModel] | None:
    kinds = _kinds(path)
    return kinds[table["kind"]] if kinds else TABLES.get(_generic(path))


def _strategy_paths(data: dict) -> list[tuple[str, ...]]:
    several = data.get("strategies")
    names = list(several) if isinstance(several, dict) else []
    return [("strategy",), *(("strategies", name) for name in names)]


def _choose_kinds(data: dict, place) -> None:
    """Fill in or refuse ``kind`` where it decides which keys there are."""
    for path in [("graph",), *((*p, "errors") for p in _strategy_paths(data))]:
        table = _at(data, path)
        if not isinstance(table, dict):
            continue
        kinds = _kinds(path) or {}
        default = ("file" if "path" in table else "chain") if path == ("graph",) else "geometric"
        if path != ("graph",) and "weights" in table:
            default = "weights"
        kind = table.setdefault("kind", default)
        if not isinstance(kind, str) or kind not in kinds:
            key = dotted((*path, "kind"))
            raise InputError(f"{place((*path, 'kind'))}: {key} = {shown(kind)}: {choose_from(kind, list(kinds))}")


def _at(data, path: tuple):
    """The raw value at a path, None where there is none."""
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def choose_from(value, options: list[str]) -> str:
    near = difflib.get_close_matches(str(value).lower(), options, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"choose {', '.join(options[:-1])} or {options[-1]}{hint}"


def _known_keys(table: dict, path: tuple, place) -> None:
    """Refuse unknown keys, in the order of the file, with the nearest known one."""
    model = _model(path, table)
    if model is not None:
        for key in table:
            if key not in model.model_fields:
                raise InputError(f"{place((*path, key))}: {_unknown(key, table, path, model)}")
    free = path == ("graph",)  # start and score are tables of the user's own names
    for key, value in table.items():
        if isinstance(value, dict) and not free:
            _known_keys(value, (*path, key), place)


def _unknown(key: str, table: dict, path: tuple, model: type[BaseModel]) -> str:
    name = dotted((*path, key))
    kinds = _kinds(path)
    if kinds:
        homes = [kind for kind, other in kinds.items() if key in other.model_fields]
        if homes:
            return (
                f"{name} has no effect with {dotted((*path, 'kind'))} = {table['kind']}:"
                f" remove it, or use kind {' or '.join(homes)}"
            )
    near = difflib.get_close_matches(key.lower(), model.model_fields, n=1, cutoff=0.6)
    if near:
        return f"unknown key {name}: did you mean {dotted((*path, near[0]))}?"
    known = _all_keys()
    leaves = {full.rsplit(".", 1)[-1]: full for full in reversed(known)}
    near = difflib.get_close_matches(key.lower(), leaves, n=1, cutoff=0.75)
    if near:
        return f"unknown key {name}: did you mean {leaves[near[0]]}?"
    return f"unknown key {name}: known keys here are {', '.join(model.model_fields)}"


def _all_keys() -> list[str]:
    """Every key there is, dotted."""
    tables = list(TABLES.items())
    tables += [(("graph",), model) for model in KINDS["graph"].values()]
    tables += [(("strategy", "errors"), model) for model in KINDS["errors"].values()]
    return list(dict.fromkeys(dotted((*path, key)) for path, model in tables for key in model.model_fields))


def _first(error: ValidationError, data: dict, place) -> str:
    """The first error of pydantic in one line of ours."""
    found = error.errors(include_url=False)
    item = found[0]
    path = list(item["loc"])
    # A tagged union puts its tag behind the name of the table: graph.chain.skills.
    for at, kinds in ((1, KINDS["graph"]), (2, KINDS["errors"]), (3, KINDS["errors"])):
        before = _generic(tuple(path[:at]))
        if len(path) > at and path[at] in kinds and before in (("graph",), ("strategy", "errors")):
            del path[at]
            break
    context = item.get("ctx", {})
    if item["type"] == "refused" and context.get("key"):
        path += context["key"].split(".") if path[:1] != ["graph"] else [context["key"]]
    if path and isinstance(path[-1], int) and not isinstance(_at(data, tuple(path[:-1])), list | tuple):
        del path[-1]  # one number stands for a list of one
    path = tuple(path)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{place(path)}: {_say(item['type'], context, path, data, item['msg'])}{more}"


def _say(kind: str, context: dict, path: tuple, data: dict, message: str) -> str:
    key, value = dotted(path) or "the config", _at(data, path)
    told = f"{key} = {shown(value)}"
    bounds = {
        "greater_than_equal": ("at least", "ge"),
        "greater_than": ("above", "gt"),
        "less_than_equal": ("at most", "le"),
        "less_than": ("below", "lt"),
    }
    if kind == "missing":
        about = _description(path, data)
        table = path and (len(path) == 1 and path[0] in ("graph", "budget"))
        return f"{key} is missing: add {'the table [' + key + ']' if table else 'it'}{f' ({about})' if about else ''}"
    if kind in bounds:
        word, entry = bounds[kind]
        return f"{told}: must be {word} {_written(context[entry])}"
    if kind == "literal_error":
        options = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ", ").split(",")]
        return f"{told}: {choose_from(value, options)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{told}: must be a table, as in [{key}]"
    if kind == "refused":
        if isinstance(value, dict) or value is None:
            return f"{key} {context['message']}"
        joint = " " if context["message"].split()[0] in ("has", "needs", "stands", "is", "cannot") else ": "
        return f"{told}{joint}{context['message']}"
    return f"{told}: {message}"


def _description(path: tuple, data: dict) -> str:
    table = _at(data, path[:-1]) if len(path) > 1 else data
    model = _model(path[:-1], table) if isinstance(table, dict) else None
    field = model.model_fields.get(str(path[-1])) if model and path else None
    return (field.description or "") if field else ""
