"""The numbers beside results: closed forms where there are some, else exact values."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from ds3sim.config.entries import Entry
from ds3sim.core.errors import InputError, NoClosedForm
from ds3sim.engine.closed_form import closed_forms, real_law
from ds3sim.engine.law import Known, known
from ds3sim.engine.simulate import exact
from ds3sim.results.row import Reference
from ds3sim.task.mixture import weighed
from ds3sim.task.task import Task

MOST_EXACT_WORK = 5e10
"""Multiplications allowed for a reference nobody asked for by name, about a minute."""
HURRIED_WORK = 1e8
"""The same after Ctrl-C, for all that is left to do."""
MOST_REFERENCES = 2000
"""Tasks that are no chain by construction get a reference unless there are more of them than this."""


def exact_work(task: Task) -> float:
    """About how many multiplications the exact law takes: edges times steps."""
    return float(len(task.graph.source) + task.graph.size) * task.max_steps


class References:
    """Makes the references of entries, and keeps them; work is at most ``MOST_EXACT_WORK`` times the strategies."""

    def __init__(self, strategies: int = 1) -> None:
        self._slow: dict[tuple[Any, ...], tuple[str, Known] | None] = {}
        self._left = MOST_EXACT_WORK * strategies
        self._until = math.inf

    def hurry(self) -> None:
        """Ctrl-C came: from now on only what takes about a second in all."""
        self._left, self._until = min(self._left, HURRIED_WORK), time.monotonic() + 1.0

    def __call__(self, entries: Sequence[Entry]) -> list[list[Reference | None]]:
        """For every entry the reference at each of its budgets, None where there is none."""
        chains = self._chains(entries)
        return [self._entry(entry, chains) for entry in entries]

    def _chains(self, entries: Sequence[Entry]) -> dict[tuple[Any, ...], Known]:
        """Closed forms of all tasks that are chains by construction."""
        wanted = {
            _key(task): (task, form)
            for entry in entries
            for task, form in zip(entry.tasks, entry.forms, strict=True)
            if form is not None and entry.real is None
        }
        try:
            return dict(zip(wanted, closed_forms(*zip(*wanted.values(), strict=True)), strict=True)) if wanted else {}
        except NoClosedForm:  # some have none: find out which
            found = {}
            for key, (task, form) in wanted.items():
                try:
                    found[key] = closed_forms([task], [form])[0]
                except NoClosedForm:
                    continue
            return found

    def _entry(self, entry: Entry, chains: dict[tuple[Any, ...], Known]) -> list[Reference | None]:
        found: list[tuple[str, Known] | None] = []
        for task, form in zip(entry.tasks, entry.forms, strict=True):
            if entry.real is not None and form is not None:
                found.append(("closed_form", real_law(task, form, entry.real)))
            elif _key(task) in chains:
                found.append(("closed_form", chains[_key(task)]))
            else:
                found.append(self._one(task))
            if found[-1] is None:
                return [None] * len(entry.rows)
        laws = [law for law in found if law is not None]
        success = weighed(entry.weights, [law.values for _, law in laws])
        spent = weighed(entry.weights, [law.spent for _, law in laws])
        by = "exact" if any(kind == "exact" for kind, _ in laws) else "closed_form"
        return [Reference(p, k, by) for p, k in zip(success.tolist(), spent.tolist(), strict=True)]

    def _one(self, task: Task) -> tuple[str, Known] | None:
        """The closed form of any task, else its exact law."""
        key = _key(task)
        if key not in self._slow:
            allowed = len(self._slow) < MOST_REFERENCES and time.monotonic() < self._until
            self._slow[key] = self._found(task) if allowed else None
        return self._slow[key]

    def _found(self, task: Task) -> tuple[str, Known] | None:
        try:
            return "closed_form", closed_forms([task], [None])[0]
        except InputError:
            pass
        work = exact_work(task)
        if work > min(MOST_EXACT_WORK, self._left):
            return None
        self._left -= work
        try:
            return "exact", known(exact(task), task)
        except InputError:  # no small tensor
            return None


def _key(task: Task) -> tuple[Any, ...]:
    return task.identity, tuple(task.budgets.tolist())
