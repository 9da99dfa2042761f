"""Rows of many entries at once: results as ``run`` prints them, and the references beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ds3sim.core.errors import InputError, NoClosedForm
from ds3sim.study.laws import Known, closed_forms
from ds3sim.study.levels import real_law
from ds3sim.study.mixture import weighed
from ds3sim.study.plan import PlannedTask
from ds3sim.study.run import MOST_EXACT_WORK, exact_work, references
from ds3sim.study.sweep_plan import Entry

MOST_REFERENCES = 2000
"""Tasks that are no chain by construction get a reference unless there are more of them than this."""


def mixed(estimates: Sequence, weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean of independent estimates with its interval: estimate, low, high, float64 [B] each.

    The half widths, times the weights, add in quadrature, lower and upper ones apart (MOVER: Zou and Donner,
    "Construction of confidence limits about effect measures", 2008). So the interval is the part's own
    where there is one part, and is not zero wide where no part saw an event.
    """
    if len(estimates) == 1:
        one = estimates[0]
        return np.asarray(one.estimate), np.asarray(one.low), np.asarray(one.high)
    mid, low, high = (np.array([getattr(e, key) for e in estimates]) for key in ("estimate", "low", "high"))
    square, mean = np.square(np.asarray(weights, dtype=np.float64)), weighed(weights, mid)
    return mean, mean - np.sqrt(weighed(square, (mid - low) ** 2)), mean + np.sqrt(weighed(square, (high - mid) ** 2))


def rows_of(entries: Sequence[Entry], found: Sequence[Sequence]) -> list[list[dict]]:
    """The rows of every entry, from the laws of its tasks."""
    moments = []
    out = []
    for entry, laws in zip(entries, found, strict=True):
        steps = entry.tasks[0].budgets
        success = mixed([law.success(steps) for law in laws], entry.weights)
        spent = mixed([law.expected_steps(steps) for law in laws], entry.weights)
        square = np.array([law.expected_square_steps(steps) for law in laws], dtype=np.float64)
        moments.append((spent[0], weighed(entry.weights, square)))
        traces = int(sum(getattr(law, "traces", 0) for law in laws))
        name = {} if entry.strategy is None else {"strategy": entry.strategy}
        ends = [np.stack(part, axis=1).tolist() for part in (_within(success, 1.0), _within(spent, steps))]
        tokens = entry.tasks[0].step.proposals * entry.tokens_per_step
        out.append(
            [
                {
                    **name,
                    **given,
                    "traces": traces,
                    "success": dict(zip(("estimate", "low", "high"), p, strict=True)),
                    "expected_steps": dict(zip(("estimate", "low", "high"), s, strict=True)),
                    "expected_tokens": tokens * s[0],
                    "expected_flops": None,
                    "mean_flops": None,
                    "budget_tokens": float(tokens * entry.tasks[0].n * given["steps_per_trace"]),
                    "budget_flops": None,
                }
                for given, p, s in zip(entry.rows, *ends, strict=True)
            ]
        )
    _put_flops(entries, moments, out)
    return out


def _within(triple, most) -> list[np.ndarray]:
    """The interval clipped to what is possible."""
    estimate, low, high = triple
    return [estimate, np.maximum(low, 0.0), np.minimum(high, np.maximum(most, estimate))]


def _put_flops(entries: Sequence[Entry], moments: Sequence[tuple], out: list[list[dict]]) -> None:
    """FLOPs of all rows, one call for each cost model."""
    groups: dict = {}
    for i, entry in enumerate(entries):
        if entry.cost is not None:
            groups.setdefault(entry.cost, []).append(i)
    for cost, members in groups.items():
        sizes = [len(out[i]) for i in members]
        omega = cost.tokens_per_step
        kind = {
            "branches": np.repeat([entries[i].tasks[0].step.proposals for i in members], sizes),
            "n": np.repeat([entries[i].tasks[0].n for i in members], sizes),
        }
        spent, square = (np.concatenate([moments[i][j] for i in members]) for j in (0, 1))
        per_trace = np.array([row["steps_per_trace"] for i in members for row in out[i]], dtype=np.float64)
        mean = omega * (spent / kind["n"])
        # A mean and a mean square that were rounded apart may miss mean^2 <= square by an ulp or two.
        columns = {
            "expected_flops": cost.flops(mean, **kind),
            "mean_flops": cost.mean_flops(mean, np.maximum(omega**2 * square, mean * mean), **kind),
            "budget_flops": cost.flops(omega * per_trace, **kind),
        }
        rows = [row for i in members for row in out[i]]
        for key, values in columns.items():
            for row, value in zip(rows, values.tolist(), strict=True):
                row[key] = value


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
            rows = zip((row["steps"] for row in entry.rows), success.tolist(), spent.tolist(), strict=True)
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
            task.__dict__.pop("tensor", None)
        return self._known[key]


def _key(task) -> tuple:
    return task.identity, tuple(task.budgets.tolist())
