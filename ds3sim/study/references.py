"""The numbers beside results: exact values and closed forms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3sim.config.build import PlannedTask
from ds3sim.config.expand import Entry
from ds3sim.core.errors import InputError, NoClosedForm
from ds3sim.engine.closed_form import closed_forms, real_law
from ds3sim.engine.law import Known
from ds3sim.engine.simulate import closed_form, exact
from ds3sim.task.mixture import weighed

MOST_EXACT_WORK = 5e10
"""Multiplications allowed for a reference nobody asked for by name, about a minute."""
MOST_REFERENCES = 2000
"""Tasks that are no chain by construction get a reference unless there are more of them than this."""


def references(planned: PlannedTask) -> list[dict]:
    """The reference at every budget: closed form where there is one, else exact, else nothing."""
    task = planned.task
    name = {} if planned.name is None else {"strategy": planned.name}
    for kind, engine in (("closed_form", closed_form), ("exact", exact)):
        if kind == "exact" and exact_work(planned) > MOST_EXACT_WORK:
            continue
        try:
            law = engine(task)
            success = np.asarray(law.success(task.budgets).estimate)
            steps = np.asarray(law.expected_steps(task.budgets).estimate)
        except InputError:  # no formula, or no small tensor
            continue
        return [
            {
                **name,
                "steps": int(budget),
                "success": float(success[i]),
                "expected_steps": float(steps[i]),
                "by": kind,
            }
            for i, budget in enumerate(task.budgets)
        ]
    return []


def exact_work(planned: PlannedTask) -> float:
    """About how many multiplications the exact law takes: edges times steps."""
    return float(len(planned.task.graph.source) + planned.task.graph.size) * planned.task.max_steps


class References:
    """The numbers beside the results: closed forms of chains, else what ``run`` would give."""

    def __init__(self):
        self._known: dict[tuple, list[dict]] = {}
        self._work = 0.0

    def __call__(self, entries: Sequence[Entry]) -> list[list[dict]]:
        """Reference rows of every entry; empty where there is none."""
        laws: dict[tuple, Known] = {}
        wanted: dict[tuple, tuple] = {}
        for entry in entries:
            for task, form in zip(entry.tasks, entry.forms, strict=True):
                if form is not None:
                    wanted.setdefault(_key(task), (task, form))
        try:
            laws = dict(zip(wanted, closed_forms(*zip(*wanted.values(), strict=True)), strict=True)) if wanted else {}
        except NoClosedForm:  # some have none: find out which
            for key, (task, form) in wanted.items():
                try:
                    laws[key] = closed_forms([task], [form])[0]
                except NoClosedForm:
                    continue
        return [self._entry(entry, laws) for entry in entries]

    def _entry(self, entry: Entry, laws: dict[tuple, Known]) -> list[dict]:
        name = {} if entry.strategy is None else {"strategy": entry.strategy}
        found = [laws.get(_key(task)) for task in entry.tasks]
        if entry.real is not None:
            pairs = zip(entry.tasks, entry.forms, strict=True)
            found = [None if form is None else real_law(task, form, entry.real) for task, form in pairs]
        if all(law is not None for law in found):
            success = weighed(entry.weights, [law.values for law in found if law is not None])
            spent = weighed(entry.weights, [law.spent for law in found if law is not None])
            rows = zip((row.steps for row in entry.rows), success.tolist(), spent.tolist(), strict=True)
            return [{**name, "steps": k, "success": p, "expected_steps": s, "by": "closed_form"} for k, p, s in rows]
        return [{**name, **row} for row in self._single(entry)] if len(entry.tasks) == 1 else []

    def _single(self, entry: Entry) -> list[dict]:
        task = entry.tasks[0]
        key = _key(task)
        if key not in self._known:
            planned = PlannedTask(None, task, ())
            self._work += exact_work(planned)
            few = len(self._known) < MOST_REFERENCES and self._work <= MOST_EXACT_WORK
            try:
                self._known[key] = references(planned) if few else []
            except InputError:
                self._known[key] = []
        return self._known[key]


def _key(task) -> tuple:
    return task.identity, tuple(task.budgets.tolist())
