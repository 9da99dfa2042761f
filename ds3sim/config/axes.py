"""The axes of a sweep: which keys can be swept, and the points that their values make."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ds3sim.config.say import all_keys, dotted, generic, models_at, nearest, nearest_leaf, shown, split
from ds3sim.config.values import finite, is_number, is_spread, spread
from ds3sim.core.errors import InputError, require

MOST_POINTS = 10**6
WHOLE, NUMBER, CHOICE, TRUTH, TABLE = "a whole number", "a number", "one of a few names", "true or false", "a table"
WHOLE_TABLES = {("graph",), ("cost",)}
"""Tables that can be swept as a whole: a list of them."""
FIXED = {("strategy", "errors", "weights")}
ALONE = ("name", "sweep", "simulation", "allocate", "box")
"""Keys and tables that no study has, or that do not vary in it."""


@dataclass(frozen=True)
class Axis:
    """One axis, of one key or of several zipped ones, and the tables whose labels are among its values."""

    keys: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    values: tuple[tuple[Any, ...], ...]  # one for each position, with a value for each key
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def value(self, label: Any) -> Any:
        """What goes into the config for a value of a point."""
        return dict(self.tables[label]) if isinstance(label, str) and label in self.tables else label

    def __len__(self) -> int:
        return len(self.values)


def points(axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    """The values of all keys at each point, in row-major order: the last axis varies fastest."""
    for chosen in product(*(axis.values for axis in axes)):
        yield {
            key: value
            for axis, values in zip(axes, chosen, strict=True)
            for key, value in zip(axis.keys, values, strict=True)
        }


def read_axes(
    table: Any, zipped: Any, data: Mapping[Any, Any], place: Callable[[tuple[Any, ...]], str]
) -> tuple[Axis, ...]:
    """The axes of a [sweep] table of the raw config ``data``, or an InputError that names the key and the fix."""
    where = place(("sweep", "axes"))
    found: dict[str, tuple[tuple[str, ...], list[Any]]] = {}
    tables: dict[str, Mapping[str, Any]] = {}
    for path, value in _flat(table, ()):
        key = dotted(path)
        told = f"{where}: sweep.axes: {key}"
        kind, options = _sweepable(path, told, data)
        require(key not in found, f"{told} is given twice: keep one of them")
        if kind == TABLE:
            labelled = _labelled(key, value, told)
            tables |= labelled
            value, kind, options = list(labelled), CHOICE, tuple(labelled)
        found[key] = (path, _values(value, kind, options, told))
    axes = tuple(
        _axis(keys, found, tables, where, place(("sweep", "zip")))
        for keys in _groups(zipped, list(found), place(("sweep", "zip")))
    )
    count = math.prod(len(axis) for axis in axes)
    told = " x ".join(f"{len(axis):,}" for axis in axes)
    most = f"at most {MOST_POINTS:,}; shorten an axis, or zip some"
    require(count <= MOST_POINTS, f"{where}: sweep.axes: {told} = {count:,} points are too many: {most}")
    return axes


def _axis(keys: Sequence[str], found: Mapping[Any, Any], tables: Mapping[Any, Any], where: str, zipped: str) -> Axis:
    """One axis of keys that vary together."""
    lengths = [len(found[key][1]) for key in keys]
    if len(set(lengths)) > 1:
        told = ", ".join(f"{key} has {length}" for key, length in zip(keys, lengths, strict=True))
        raise InputError(f"{zipped}: sweep.zip: {told} values: zipped axes need equally many")
    values = list(zip(*(found[key][1] for key in keys), strict=True))
    twice = next((v for i, v in enumerate(values) if v in values[:i]), None) if len(values) < 4096 else None
    told = f"{where}: sweep.axes: {' and '.join(keys)}: {shown(list(twice or ()))}"
    require(twice is None, f"{told} occurs twice: remove one")
    return Axis(tuple(keys), tuple(found[key][0] for key in keys), tuple(values), tables)


def _labelled(key: str, value: Any, told: str) -> dict[str, Mapping[str, Any]]:
    """Tables by a label that tells them apart."""
    good = isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value)
    require(bool(good), f"{told} cannot be swept: it is a table; name one of its keys, or give a list of tables")
    out: dict[str, Mapping[str, Any]] = {}
    for number, item in enumerate(value, 1):
        kind = item.get("kind", key)
        plain = ", ".join(f"{k}={shown(v)}" for k, v in item.items() if k != "kind")
        long = any(isinstance(v, list | tuple | Mapping) for v in item.values()) or len(plain) > 50
        label = f"{kind} {number}" if long else f"{kind}({plain})"
        require(label not in out, f"{told}: {label} occurs twice: remove one")
        out[label] = item
    return out


def _flat(table: Mapping[Any, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, values): "graph.success" = ..., graph.success = ... and [sweep.axes.graph] are all the same."""
    for name, value in table.items():
        here = (*path, *_split(str(name)))
        if isinstance(value, Mapping) and not is_spread(value):
            yield from _flat(value, here)
        else:
            yield here, value


def _split(name: str) -> tuple[str, ...]:
    try:
        return split(name)
    except (ValueError, RecursionError):
        return tuple(name.split("."))


def _of(annotation: Any) -> tuple[str, tuple[Any, ...]] | None:
    """What values a key takes: its kind and, for names, the options. None: it cannot be swept."""
    if get_origin(annotation) is Annotated:
        return _of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [_of(part) for part in get_args(annotation) if part is not type(None)]
        return kinds[0] if len(kinds) == 1 else None
    if get_origin(annotation) is Literal:
        return CHOICE, get_args(annotation)
    if get_origin(annotation) is tuple:  # one number stands for a list of one
        return _of(next(iter(get_args(annotation))))
    return {bool: (TRUTH, ()), int: (WHOLE, ()), float: (NUMBER, ())}.get(annotation)  # pyright: ignore


def _sweepable(path: tuple[str, ...], told: str, data: Mapping[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    several, head, spelled = data.get("strategies"), path[0], generic(path)
    if head == "strategy" and isinstance(several, Mapping):
        names = " or ".join(dotted(("strategies", name, *path[1:])) for name in several)
        raise InputError(f"{told}: this config has [strategies.NAME]: name the strategy, as in {names}")
    if head == "strategies":
        names = list(several) if isinstance(several, Mapping) else []
        known = f"it has {', '.join(names)}" if names else "it has [strategy]: write strategy.KEY"
        require(len(path) > 2 and path[1] in names, f"{told}: this config has no such strategy: {known}")
    for missing, other in (("graph", "tasks"), ("tasks", "graph")):
        require(head != missing or other not in data, f"{told}: this config has [{other}] in place of [{missing}]")
    if path in WHOLE_TABLES:
        return TABLE, ()
    homes = [model for model in models_at(path[:-1]) if spelled[-1] in model.model_fields]
    if homes:
        kind = None if spelled in FIXED or head in ALONE else _of(homes[0].model_fields[spelled[-1]].annotation)
        if kind is None:
            able = "a number, a name from a list, or true and false"
            raise InputError(f"{told} cannot be swept: an axis is a key that takes {able}")
        return kind
    absent = "graph" if "tasks" in data else "tasks"
    known = [key for key in all_keys() if key.split(".")[0] not in (absent, *ALONE)]
    text = dotted(spelled)
    if any(other.startswith(text + ".") for other in known):
        raise InputError(f"{told} cannot be swept: it is a table; name one of its keys")
    near = nearest(text, known) or nearest_leaf(spelled[-1], known)
    hint = f": did you mean {near}?" if near else ": an axis is a dotted key of the config, as graph.success"
    raise InputError(f"{told}: unknown key{hint}")


def _values(value: Any, kind: str, options: tuple[Any, ...], told: str) -> list[Any]:
    if is_spread(value):
        require(kind in (WHOLE, NUMBER), f"{told}: a range needs a key that takes numbers: give a list of values")
        try:
            return list(spread(value, kind == WHOLE))
        except InputError as error:
            raise InputError(f"{told} = {shown(value)}: {error}") from None
    value = list(value) if isinstance(value, list | tuple) else [value]
    require(len(value) > 0, f"{told} is an empty axis: give at least one value")
    out = []
    for item in value:
        number = is_number(item) and finite(item)
        ok = {
            WHOLE: number and item == int(item),
            NUMBER: number,
            CHOICE: isinstance(item, str) and item in options,
            TRUTH: isinstance(item, bool),
        }[kind]
        meant = kind if kind != CHOICE else f"one of {', '.join(map(str, options))}"
        require(ok, f"{told}: {shown(item)} is not allowed: must be {meant}")
        out.append(int(item) if kind == WHOLE else float(item) if kind == NUMBER else item)
    return out


def _groups(zipped: Any, keys: list[str], where: str) -> list[tuple[str, ...]]:
    """Keys that vary together, each group at the place of its first key in the axes."""
    lists = (list, tuple)
    good = isinstance(zipped, lists) and all(
        isinstance(g, lists) and all(isinstance(k, str) for k in g) for g in zipped
    )
    must = 'must be lists of keys, as in [["graph.skills", "graph.success"]]'
    require(good, f"{where}: sweep.zip = {shown(zipped)}: {must}")
    home: dict[str, list[str]] = {}
    for group in zipped:
        spelled = [dotted(_split(key)) for key in group]
        require(len(spelled) >= 2, f"{where}: sweep.zip: {shown(group)}: at least two keys vary together")
        for key in spelled:
            near = nearest(key, keys)
            hint = f": did you mean {near}?" if near else ": add it to [sweep.axes]"
            require(key in keys, f"{where}: sweep.zip: {key} is no axis{hint}")
            require(key not in home, f"{where}: sweep.zip: {key} is zipped twice")
            home[key] = spelled
    return list(dict.fromkeys(tuple(home.get(key, [key])) for key in keys))
