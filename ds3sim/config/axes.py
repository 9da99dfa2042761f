"""The axes of a sweep: which keys can be swept, and the points that their values make."""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel

from ds3sim.config import read as load
from ds3sim.config.read import dotted, shown
from ds3sim.core.errors import InputError, require

MOST_POINTS = 10**6
WHOLE, NUMBER, CHOICE, TRUTH = "a whole number", "a number", "one of a few names", "true or false"
FIXED = {
    ("strategy", "errors", "weights"),
    ("graph", "start"),
    ("graph", "goal"),
    ("graph", "dead"),
    ("graph", "score"),
}


@dataclass(frozen=True)
class Axis:
    """One axis, of one key or of several zipped ones.

    Attributes:
        keys: dotted keys.
        paths: the same, split.
        values: one tuple for each position on the axis, with a value for each key.
    """

    keys: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    values: tuple[tuple, ...]

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
    table: Any, zipped: Any, tables: Mapping[tuple[str, ...], type[BaseModel]], data: Mapping, place
) -> tuple[Axis, ...]:
    """The axes of a [sweep] table.

    Args:
        table: of [sweep.axes].
        zipped: ``sweep.zip``, lists of keys that vary together.
        tables: further tables than those of a run, by path.
        data: the raw config, for the names of its strategies.
        place: path -> who is to blame (:mod:`ds3sim.config.read`).

    Raises:
        InputError: one line naming the key, the value, the cause and the fix.
    """
    where = place(("sweep", "axes"))
    require(isinstance(table, Mapping), f"{where}: sweep.axes = {shown(table)}: must be a table, as in [sweep.axes]")
    found: dict[str, tuple[tuple[str, ...], list]] = {}
    for path, value in _flat(table, ()):
        key = dotted(path)
        told = f"{where}: sweep.axes: {key}"
        kind, options = _sweepable(path, key, told, tables, data)
        require(key not in found, f"{told} is given twice: keep one of them")
        found[key] = (path, _values(value, kind, options, told))
    groups = _groups(zipped, list(found), place(("sweep", "zip")))
    axes = []
    for keys in groups:
        lengths = [len(found[key][1]) for key in keys]
        if len(set(lengths)) > 1:
            told = ", ".join(f"{key} has {length}" for key, length in zip(keys, lengths, strict=True))
            raise InputError(f"{place(('sweep', 'zip'))}: sweep.zip: {told} values: zipped axes need equally many")
        values = list(zip(*(found[key][1] for key in keys), strict=True))
        twice = next((v for i, v in enumerate(values) if v in values[:i]), None) if len(values) < 4096 else None
        require(
            twice is None,
            f"{where}: sweep.axes: {' and '.join(keys)}: {shown(list(twice or ()))} occurs twice: remove one",
        )
        axes.append(Axis(tuple(keys), tuple(found[key][0] for key in keys), tuple(values)))
    count = math.prod(len(axis) for axis in axes)
    told = " x ".join(f"{len(axis):,}" for axis in axes)
    require(
        count <= MOST_POINTS,
        f"{where}: sweep.axes: {told} = {count:,} points are too many: at most {MOST_POINTS:,};"
        " shorten an axis, or zip some",
    )
    return tuple(axes)


def _flat(table: Mapping, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, values): "graph.success" = ..., graph.success = ... and [sweep.axes.graph] are all the same."""
    for name, value in table.items():
        here = (*path, *_split(str(name)))
        if isinstance(value, Mapping) and not (set(value) & {"log", "linear"}):
            yield from _flat(value, here)
        else:
            yield here, value


def _split(name: str) -> tuple[str, ...]:
    """A dotted key; quotes inside keep dots together, as in strategies."tree, b = 4".branches."""
    try:
        return load.parse_override(f"{name}=0")[0]
    except InputError:
        return tuple(name.split("."))


@cache
def _kind(model: type[BaseModel], name: str) -> tuple[str, tuple] | None:
    """What values a key takes: its kind and, for names, the options. None: it cannot be swept."""
    return _of(model.model_fields[name].annotation)


def _of(annotation) -> tuple[str, tuple] | None:
    if get_origin(annotation) is Annotated:
        return _of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [_of(part) for part in get_args(annotation) if part is not type(None)]
        return kinds[0] if len(kinds) == 1 else None
    if get_origin(annotation) is Literal:
        options = get_args(annotation)
        return (CHOICE, options)
    if get_origin(annotation) is tuple:  # one number stands for a list of one
        return _of(next(iter(get_args(annotation))))
    return {bool: (TRUTH, ()), int: (WHOLE, ()), float: (NUMBER, ())}.get(annotation)  # pyright: ignore


def _models(tables) -> dict[tuple[str, ...], list[type[BaseModel]]]:
    out: dict[tuple[str, ...], list[type[BaseModel]]] = {
        path: [model] for path, model in {**load.TABLES, **tables}.items()
    }
    out[("graph",)] = list(load.KINDS["graph"].values())
    out["strategy", "errors"] = list(load.KINDS["errors"].values())
    return out


def _sweepable(path: tuple[str, ...], key: str, told: str, tables, data) -> tuple[str, tuple]:
    models = _models(tables)
    generic = load._generic(path)
    several, head = data.get("strategies"), path[0]
    if path[0] == "strategy" and isinstance(several, Mapping):
        names = " or ".join(dotted(("strategies", name, *path[1:])) for name in several)
        raise InputError(f"{told}: this config has [strategies.NAME]: name the strategy, as in {names}")
    if path[0] == "strategies":
        names = list(several) if isinstance(several, Mapping) else []
        known = f"it has {', '.join(names)}" if names else "it has [strategy]: write strategy.KEY"
        require(len(path) > 2 and path[1] in names, f"{told}: this config has no such strategy: {known}")
    for missing, other in (("graph", "tasks"), ("tasks", "graph")):
        require(head != missing or other not in data, f"{told}: this config has [{other}] in place of [{missing}]")
    for model in models.get(generic[:-1], ()):
        if generic[-1] in model.model_fields:
            kind = None if generic in FIXED else _kind(model, generic[-1])
            require(
                kind is not None and generic[0] not in ("sweep", "name"),
                f"{told} cannot be swept: an axis is a key that takes a number, a name from a list, or true and false",
            )
            assert kind is not None
            return kind
    absent = "graph" if "tasks" in data else "tasks"
    known = [
        dotted((*place, name))
        for place, found in models.items()
        if place[:1] != (absent,)
        for model in found
        for name in model.model_fields
    ]
    spelled = dotted(generic)
    if any(other.startswith(spelled + ".") for other in known):
        raise InputError(f"{told} cannot be swept: it is a table; name one of its keys")
    near = difflib.get_close_matches(spelled, known, n=1, cutoff=0.6)
    if not near:
        leaves = {full.rsplit(".", 1)[-1]: full for full in reversed(known)}
        near = [leaves[leaf] for leaf in difflib.get_close_matches(generic[-1], leaves, n=1, cutoff=0.75)]
    hint = f": did you mean {near[0]}?" if near else ": an axis is a dotted key of the config, as graph.success"
    raise InputError(f"{told}: unknown key{hint}")


def _values(value, kind: str, options: tuple, told: str) -> list:
    if isinstance(value, Mapping):
        return _range(value, kind, told)
    require(
        isinstance(value, list),
        f"{told} = {shown(value)}: must be a list, or {{log = [lo, hi, points]}}, or {{linear = [lo, hi, points]}}",
    )
    require(len(value) > 0, f"{told} is an empty axis: give at least one value")
    out = []
    for item in value:
        number = isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item)
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


def _range(value: Mapping, kind: str, told: str) -> list:
    require(kind in (WHOLE, NUMBER), f"{told}: a range needs a key that takes numbers: give a list of values")
    require(
        len(value) == 1,
        f"{told} = {shown(dict(value))}: give one of {{log = [lo, hi, points]}} and {{linear = [lo, hi, points]}}",
    )
    how, spec = next(iter(value.items()))
    example = f"{{{how} = [lo, hi, points]}}"
    good = isinstance(spec, list) and len(spec) == 3
    good = good and all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in spec)
    require(good, f"{told}: {how} = {shown(spec)}: must be three numbers, as in {example}")
    low, high, many = spec
    require(
        many == int(many) and many >= 1, f"{told}: {how} = {shown(spec)}: points must be a whole number, at least 1"
    )
    require(
        many <= MOST_POINTS,
        f"{told}: {how} = {shown(spec)}: {int(many):,} points are too many: at most {MOST_POINTS:,}",
    )
    require(low < high or (low == high and many == 1), f"{told}: {how} = {shown(spec)}: lo must be below hi")
    require(many > 1 or low == high, f"{told}: {how} = {shown(spec)}: one point cannot span lo to hi: use a list")
    require(how != "log" or low > 0, f"{told}: log = {shown(spec)}: lo must be above 0")
    numbers = (np.geomspace if how == "log" else np.linspace)(float(low), float(high), int(many))
    if kind == NUMBER:
        return numbers.tolist()
    return np.unique(np.rint(numbers).astype(np.int64)).tolist()


def _groups(zipped, keys: list[str], where: str) -> list[list[str]]:
    """Keys that vary together, each group at the place of its first key in the axes."""
    good = isinstance(zipped, list) and all(isinstance(g, list) and all(isinstance(k, str) for k in g) for g in zipped)
    require(
        good, f'{where}: sweep.zip = {shown(zipped)}: must be lists of keys, as in [["graph.skills", "graph.success"]]'
    )
    home: dict[str, list[str]] = {}
    for group in zipped:
        spelled = [dotted(_split(key)) for key in group]
        require(len(spelled) >= 2, f"{where}: sweep.zip: {shown(group)}: at least two keys vary together")
        for key in spelled:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f": did you mean {near[0]}?" if near else ": add it to [sweep.axes]"
            require(key in keys, f"{where}: sweep.zip: {key} is no axis{hint}")
            require(key not in home, f"{where}: sweep.zip: {key} is zipped twice")
            home[key] = spelled
    out, seen = [], set()
    for key in keys:
        if key in seen:
            continue
        group = home.get(key, [key])
        seen.update(group)
        out.append(group)
    return out
