"""Old spellings of a config: read as the new ones, with a line that says so, or refused where they are ambiguous."""

from __future__ import annotations

from typing import Any

from ds3sim.config.say import Place, dotted, shown
from ds3sim.config.values import is_number
from ds3sim.core.errors import InputError

RENAMED = {
    ("model", "a"): "scale",
    ("model", "b"): "steepness",
    ("model", "d"): "offset",
    ("tasks", "L0"): "difficulty",
    ("tasks", "groups", "L0"): "difficulty",
}
"""Old key -> new one in the same table."""


Notes = dict[str, list[str]]
"""What was read as something else, by place, which is the file or an override."""


def note(notes: Notes, place: str, said: str) -> None:
    """Note it, once."""
    own = notes.setdefault(place, [])
    if said not in own:
        own.append(said)


def _said(at: tuple, old: str, new: str) -> str:
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


def _tables(data: Any, path: tuple[str, ...], at: tuple = ()) -> list[tuple[tuple, dict[str, Any]]]:
    """The tables at a path, each with its own path; several in a list of tables."""
    if isinstance(data, list | tuple):
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
    if not isinstance(tasks, dict) or tasks.get("zip"):
        return
    weights = tasks.get("weights")
    if weights is not None and any(_said(("tasks",), "L0", "difficulty") in said for said in notes.values()):
        raise InputError(
            f"{place(('tasks', 'weights'))}: tasks.weights beside tasks.L0 was one row for each L0: write"
            " tasks.difficulty, and weights as one row for each m, in it one number for each L0"
        )
    rows = len(weights) if isinstance(weights, list | tuple) else None
    columns = len(weights[0]) if isinstance(weights, list | tuple) and rows and isinstance(weights[0], list) else None
    for key, wanted in (("level", columns), ("skills", rows)):
        value = tasks.get(key)
        if not isinstance(value, list | tuple) or len(value) != 2 or not all(is_number(v) for v in value):
            continue
        if "level" in tasks and wanted != 2:
            tasks[key] = {"range": list(value)}
            said = f"tasks.{key} = {shown(value)} is read as a range, {{range = {shown(value)}}}"
            note(notes, place(("tasks", key)), said)
