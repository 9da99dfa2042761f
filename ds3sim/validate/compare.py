"""One simulation against the numbers that it should give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.errors import NoClosedForm
from ds3sim.engine.exact import Exact
from ds3sim.engine.law import Law
from ds3sim.engine.simulate import closed_form, exact, simulate
from ds3sim.engine.tally import Tally
from ds3sim.stats.intervals import NORMAL_95
from ds3sim.stats.tests import binomial_p, binomial_z, goodness_of_fit, mean_p
from ds3sim.task.task import Task, shared_rate
from ds3sim.validate.checks import Check
from ds3sim.validate.suite import Case, perturbed

NUMBERS_AGREE = 1e-9
"""Largest difference, absolute and relative to max(1, value), between ``exact`` and ``closed_form``."""


def compare(case: Case, perturb: float, seed: int) -> list[Check]:
    """Simulate a case, and compare it with ``exact`` and, where there is one, ``closed_form``.

    Args:
        case: what is simulated.
        perturb: multiply every chance to move by 1 + perturb in the simulation alone.
        seed: of the simulation.
    """
    task = perturbed(case.task, perturb) if perturb else case.task
    tally = simulate(task, case.traces, seed, case.engine, macro_steps=case.macro_steps)
    numbers = exact(case.expected)
    if isinstance(tally, Tally):
        out = _success(case, tally, numbers)
        if shared_rate(case.expected) is None:  # else the n traces of a trial are not independent draws of T
            out += [*_steps(case, tally, numbers), *_times(case, tally, numbers), *_feasible(case, tally)]
    else:
        out = _weighted(case, tally, numbers)
    try:
        formula = closed_form(case.expected)
    except NoClosedForm:
        return out
    if isinstance(tally, Tally):
        out += _success(case, tally, formula)
    return out + _numbers(case, numbers, formula)


def _each(case: Case, what: str, by: str, *columns: Iterable[Any]) -> list[Check]:
    """A check at every budget; ``columns`` are estimate, expected, z, p."""
    rows = zip(case.task.budgets.tolist(), *(np.asarray(c, dtype=np.float64).tolist() for c in columns), strict=True)
    unit = "steps" if what.endswith("expected_steps") else "1"
    return [Check(case.name, f"{what}@{k}{by}", e, x, finite(z), p, unit=unit) for k, e, x, z, p in rows]


def finite(value: float) -> float | None:
    """None for what JSON cannot hold."""
    return float(value) if np.isfinite(value) else None


def _success(case: Case, tally: Tally, numbers: Law) -> list[Check]:
    budgets = case.task.budgets
    expected = np.clip(np.asarray(numbers.success(budgets)), 0.0, 1.0)
    estimate = np.asarray(tally.success(budgets))
    hits = np.rint(estimate * tally.traces).astype(np.int64)
    z, p = (test(hits, tally.traces, expected) for test in (binomial_z, binomial_p))
    return _each(case, f"{case.engine} success", f" by {numbers.engine}", estimate, expected, z, p)


def _steps(case: Case, tally: Tally, numbers: Law) -> list[Check]:
    budgets = case.task.budgets
    expected, estimate = (np.asarray(law.expected_steps(budgets)) for law in (numbers, tally))
    variance = _step_variance(case.expected, budgets)
    span = (case.task.n * case.task.per_trace(budgets)).astype(np.float64)
    p = mean_p(estimate, expected, variance, tally.traces, span)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (estimate - expected) / np.sqrt(variance / tally.traces)
    return _each(case, f"{case.engine} expected_steps", "", estimate, expected, z, p)


def _step_variance(task: Task, k: np.ndarray) -> np.ndarray:
    """Variance of the steps of one trial by ``exact``, float64 [B]."""
    able = exact(replace(task, graph=replace(task.graph, feasible=1.0)))
    share, n = task.graph.feasible, task.n
    mean = np.asarray(able.expected_steps(k)) / n
    spread = np.maximum(0.0, able.expected_square_steps(k) - mean**2)
    between = share * (1 - share) * (task.per_trace(k) - mean) ** 2
    return n * share * spread + (n**2 if task.feasibility == "per_task" else n) * between


def _times(case: Case, tally: Tally, numbers: Exact) -> list[Check]:
    """The whole histograms of hitting times and of deaths."""
    out = []
    for what, counts, law in (
        ("hitting time", tally.hits, numbers.pmf),
        ("death time", tally.deaths, numbers.death_pmf),
    ):
        if tally.feasible == 0 or (what == "death time" and not law.any() and not counts.any()):
            continue
        late = tally.feasible - int(counts.sum())
        beyond = max(0.0, 1.0 - float(law.sum()))
        if beyond < 1e-12:
            beyond = 1e-12 if late else 0.0
        out.append(fit(case.name, f"{case.engine} {what} chi-square", [*counts, late], [*law, beyond]))
    return out


def fit(name: str, quantity: str, counts: ArrayLike, law: ArrayLike) -> Check:
    """A histogram against its law, by chi-square: the statistic against its degrees of freedom."""
    statistic, dof, p = goodness_of_fit(np.asarray(counts), np.asarray(law) / np.sum(law))
    z = (statistic - dof) / np.sqrt(2 * dof) if dof and np.isfinite(statistic) else None
    return Check(name, quantity, float(statistic) if np.isfinite(statistic) else 1e300, float(dof), z, float(p))


def _feasible(case: Case, tally: Tally) -> list[Check]:
    """The number of feasible tasks, or traces."""
    able = case.task.graph.feasible
    if not 0 < able < 1:
        return []
    group = case.task.n if case.task.feasibility == "per_task" else 1
    found, trials = tally.feasible // group, tally.traces * case.task.n // group
    z, p = (float(test(found, trials, able)) for test in (binomial_z, binomial_p))
    return [Check(case.name, f"{case.engine} feasible", found / trials, able, finite(z), p)]


def _weighted(case: Case, tally: Law, numbers: Law) -> list[Check]:
    """Success by importance sampling; its error is estimated, so the test is a normal one."""
    budgets = case.task.budgets
    expected, found = np.asarray(numbers.success(budgets)), tally.success(budgets)
    estimate = np.asarray(found.estimate)
    error = (found.high - estimate) / NORMAL_95
    p = mean_p(estimate, expected, error**2 * tally.traces, tally.traces)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (estimate - expected) / error
    return _each(case, f"{case.engine} success", "", estimate, expected, z, p)


def _numbers(case: Case, numbers: Law, formula: Law) -> list[Check]:
    """``exact`` against ``closed_form``: numbers, so the p-value is 1 or 0."""
    out = []
    for what in ("success", "expected_steps"):
        found, wanted = (np.asarray(getattr(law, what)(case.task.budgets)) for law in (numbers, formula))
        agree = np.abs(found - wanted) <= NUMBERS_AGREE * np.maximum(1.0, np.abs(wanted))
        out += _each(case, f"exact {what}", " by closed_form", found, wanted, np.full_like(found, np.nan), agree)
    return out
