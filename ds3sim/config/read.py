"""Reading a config, once: TOML, overrides, old spellings, axes, and one checked :class:`Config`."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ds3sim.config.axes import points, read_axes
from ds3sim.config.say import (
    KINDS,
    Place,
    choose_from,
    dotted,
    first_error,
    generic,
    known_keys,
    shown,
    split,
    value_at,
)
from ds3sim.config.tables import Config, Origin, SweepTable
from ds3sim.config.values import is_number
from ds3sim.core.check import is_dict, is_list
from ds3sim.core.errors import InputError, require
from ds3sim.core.files import read_text
from ds3sim.core.guard import reads
from ds3sim.task.budget import UNITS

MOST_BYTES = 2**24
MOST_LEVELS = 32
"""Tables and lists within one another."""
Override = tuple[tuple[str, ...], Any, str]
"""Path, value, and what the user typed."""
STUDIED = ("graph", "tasks", "budget", "sweep", "allocate")
"""With none of these tables a config is a training."""


RENAMED: dict[tuple[str, ...], str] = {
    ("model", "a"): "scale",
    ("model", "b"): "steepness",
    ("model", "d"): "offset",
    ("tasks", "L0"): "difficulty",
    ("tasks", "groups", "L0"): "difficulty",
}
"""Old key -> new one in the same table."""


Notes = dict[str, list[str]]
"""What was read as something else, by place, which is the file or an override."""


def read_config(path: str | Path, overrides: Iterable[str | tuple[str, str] | Override] = ()) -> Config:
    """The checked config of a TOML file, for every command.

    Which tables it must have is up to the command; what it is made for says :attr:`Config.kind`. Old spellings are
    read, and named in :attr:`Config.notes`, one line each.

    Args:
        path: the file; paths in it are relative to its folder.
        overrides: each replaces or adds one key, as ``"engine.traces=1e6"``; in a pair the second text is what the
            user typed, for errors; or from :func:`parse_override`.

    Raises:
        InputError: one line naming the file or the override, the key, the value, the cause and the fix.

    Example:
        >>> import ds3sim as ds
        >>> from pathlib import Path
        >>> _ = Path("x.toml").write_text(ds.Study(ds.SkillGraph.chain(4, 0.2), steps=[10, 20]).toml())
        >>> config = ds.read_config("x.toml", ["budget.steps=[30]"])
        >>> config.kind, config.budget.steps, config.notes
        ('study', (30,), ())
    """
    changes = [item if isinstance(item, tuple) and len(item) == 3 else parse_override(item) for item in overrides]
    return config_of(read_toml(path), str(path), Path(path).parent, changes)


def config_of(
    tables: Mapping[str, Any], source: str = "config", folder: Path = Path(), overrides: Iterable[Override] = ()
) -> Config:
    """The checked config of raw tables, as :func:`read_config`; errors name ``source``."""
    notes: Notes = {}
    data = copy.deepcopy(dict(tables))
    rename_keys(data, lambda _: source, notes)
    changes = tuple((rename_path(at, text, notes), value, text) for at, value, text in overrides)
    data, origin = apply_overrides(data, changes), Origin(source, folder, overrides=changes)
    rename_keys(data, origin.place, notes)  # in the tables that overrides brought
    read_tasks(data, origin.place, notes)
    choose_kinds(data, origin.place)
    known_keys(data, (), origin.place)
    try:
        sweep = SweepTable.model_validate(data.get("sweep", {}))
    except ValidationError as error:
        raise first_error(error, data, origin.place, ("sweep",)) from None
    raw = {key: value for key, value in data.items() if key != "sweep"}
    axes = read_axes(sweep.axes, sweep.zip, raw, origin.place)
    swept = {path for axis in axes for path in axis.paths}
    for path, _, text in origin.overrides:
        require(path not in swept, f"{text}: {dotted(path)} is an axis of the sweep: change sweep.axes instead")
    told = tuple(f"{place}: {', '.join(said)}" for place, said in notes.items())
    origin = Origin(source, folder, raw, axes, changes, told)
    config = config_at(origin, next(points(axes)))
    if config.name is None:
        name = Path(source).stem.encode(errors="replace").decode() or "study"
        config = config.model_copy(update={"name": name})
    config = config.model_copy(update={"sweep": sweep if "sweep" in data else None})
    return config.with_origin(origin)


def config_at(origin: Origin, point: Mapping[str, Any]) -> Config:
    """The config at one point of its axes, without [sweep], or an InputError that says whose value is wrong."""
    changes = tuple(
        (path, axis.value(point[key]), f"{origin.source}: sweep.axes")
        for axis in origin.axes
        for key, path in zip(axis.keys, axis.paths, strict=True)
    )
    data = apply_overrides(dict(origin.raw), changes)
    place = Origin(origin.source, overrides=(*origin.overrides, *changes)).place
    choose_kinds(data, place)
    known_keys(data, (), place)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise first_error(error, data, place) from None


def choose_kinds(data: dict[str, Any], place: Place) -> None:
    """Fill in or refuse ``kind`` where it decides which keys there are. InputError: an unknown kind."""
    several = data.get("strategies")
    names = several if is_dict(several) else ()
    homes = [("strategy",), *(("strategies", name) for name in names)]
    model = "loss" if any(key in data for key in STUDIED) else "tripartite"
    for path in [("graph",), ("model",), *((*home, "errors") for home in homes)]:
        table, kinds = value_at(data, path), KINDS[generic(path)]
        if not is_dict(table):
            continue
        defaults = {
            "graph": "file" if "path" in table else "edges" if "edges" in table else "chain",
            "model": model,
            "errors": "weights" if "weights" in table else "geometric",
        }
        kind = table.setdefault("kind", defaults[path[-1]])
        if not isinstance(kind, str) or kind not in kinds:
            key = (*path, "kind")
            raise InputError(f"{place(key)}: {dotted(key)} = {shown(kind)}: {choose_from(kind, list(kinds))}")


@reads("config")
def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file; an InputError where it cannot be read, is not UTF-8, or is not TOML."""
    return parse_toml(read_text(path, most=MOST_BYTES, advice="that is no config"), str(path))


def parse_toml(text: str, label: str) -> dict[Any, Any]:
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
    level: list[Any] = [tables]
    for _ in range(MOST_LEVELS):
        inner = (value for part in level for value in (part.values() if is_dict(part) else part))
        level = [value for value in inner if isinstance(value, dict | list)]
    require(not level, f"{label}: not usable TOML: nested more than {MOST_LEVELS} deep: no config needs that")
    return tables


def parse_override(change: str | tuple[str, str]) -> Override:
    """``a.b=value`` as (path, value, what the user typed); what is no TOML value is a text."""
    text, typed = (change, f"--set {change}") if isinstance(change, str) else change
    label = typed if len(typed) <= 206 else typed[:203] + "..."
    key, equals, value = text.partition("=")
    require(equals == "=" and key.strip() != "", f"{label}: is not key=value: write it as in --set engine.traces=1e6")
    try:
        path = split(key)
    except (ValueError, RecursionError):
        raise InputError(f"{label}: {shown(key)} is not a dotted key: write it as in --set engine.traces=1e6") from None
    require(len(path) <= MOST_LEVELS, f"{label}: the key has more than {MOST_LEVELS} parts: no config needs that")
    return path, override_value(value.strip()), label


def override_value(text: str) -> Any:
    """A value as TOML reads it; what is no TOML value is a text."""
    try:
        parsed = parse_toml(f"value = {text}", "value")
        return parsed["value"] if set(parsed) == {"value"} else text
    except InputError:
        return text


def apply_overrides(data: dict[Any, Any], overrides: Iterable[Override]) -> dict[Any, Any]:
    """A copy of ``data`` with the overrides in. A budget in one unit replaces one in another."""
    return put_overrides(copy.deepcopy(data), overrides)


def put_overrides(data: dict[Any, Any], overrides: Iterable[Override]) -> dict[Any, Any]:
    """``data`` itself with the overrides in, as :func:`apply_overrides`."""
    for path, value, _ in overrides:
        node = data
        for name in path[:-1]:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        if path[:-1] == ("budget",) and path[-1] in UNITS:
            for unit in UNITS:
                node.pop(unit, None)
        node[path[-1]] = value
    return data


def note(notes: Notes, place: str, said: str) -> None:
    """Note it, once."""
    own = notes.setdefault(place, [])
    if said not in own:
        own.append(said)


def _said(at: tuple[Any, ...], old: str, new: str) -> str:
    names = [dotted(part for part in (*at, key) if not isinstance(part, int)) for key in (old, new)]
    return " is now ".join(names)


def rename_path(path: tuple[str, ...], place: str, notes: Notes) -> tuple[str, ...]:
    """The path of an override as it is spelled now."""
    for old, new in RENAMED.items():
        if path[: len(old)] == old:
            note(notes, place, _said(old[:-1], old[-1], new))
            return (*old[:-1], new, *path[len(old) :])
    return path


def rename_keys(data: dict[str, Any], place: Place, notes: Notes) -> None:
    """Put new names into raw tables, in place. InputError: an old name stands beside the new one."""
    for old, new in RENAMED.items():
        for at, table in _tables(data, old[:-1]):
            if old[-1] in table:
                where, said = place((*at, old[-1])), _said(at, old[-1], new)
                if new in table:
                    raise InputError(f"{where}: {said}, and both are given: keep {dotted((*at, new))}")
                table[new] = table.pop(old[-1])
                note(notes, where, said)


def _tables(data: Any, path: tuple[str, ...], at: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The tables at a path, each with its own path; several in a list of tables."""
    if is_list(data):
        return [found for i, item in enumerate(data) for found in _tables(item, path, (*at, i))]
    if not isinstance(data, dict):
        return []
    if not path:
        return [(at, data)]
    return _tables(data[path[0]], path[1:], (*at, path[0])) if path[0] in data else []


def read_tasks(data: dict[str, Any], place: Place, notes: Notes) -> None:
    """Old meanings in [tasks], in place: two numbers beside ``level`` are an inclusive range, unless ``zip`` or
    ``weights`` takes them one by one. InputError: weights beside ``L0``, which stood the other way round.
    """
    tasks = data.get("tasks")
    if not is_dict(tasks) or tasks.get("zip"):
        return
    weights = tasks.get("weights")
    if weights is not None and any(_said(("tasks",), "L0", "difficulty") in said for said in notes.values()):
        raise InputError(
            f"{place(('tasks', 'weights'))}: tasks.weights beside tasks.L0 was one row for each L0: write"
            " tasks.difficulty, and weights as one row for each m, in it one number for each L0"
        )
    rows = len(weights) if is_list(weights) else None
    columns = len(weights[0]) if is_list(weights) and rows and is_list(weights[0]) else None
    for key, wanted in (("level", columns), ("skills", rows)):
        value = tasks.get(key)
        if not is_list(value) or len(value) != 2 or not all(is_number(v) for v in value):
            continue
        if "level" in tasks and wanted != 2:
            tasks[key] = {"range": list(value)}
            said = f"tasks.{key} = {shown(value)} is read as a range, {{range = {shown(value)}}}"
            note(notes, place(("tasks", key)), said)
