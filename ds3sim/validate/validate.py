"""``validate``: simulation against numbers, one family-wise error over everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ds3sim.core.check import fraction
from ds3sim.core.errors import InputError, NoClosedForm
from ds3sim.engine.simulate import closed_form, exact, simulate
from ds3sim.stats.tests import binomial_p, binomial_z, goodness_of_fit, holm, mean_p
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task, shared_rate
from ds3sim.validate.suite import Case, perturbed, suite
from ds3sim.validate.training import checks as training_checks

FAMILY_WISE_ERROR = 1e-3
NUMBERS_AGREE = 1e-9
"""Largest difference, absolute and relative to max(1, value), between ``exact`` and ``closed_form``."""


@dataclass(frozen=True)
class Check:
    """One comparison: p is its p-value (1 or 0 where two numbers are compared)."""

    name: str
    quantity: str
    estimate: float
    expected: float
    z: float | None
    p: float


def validate(config=None, perturb: float = 0.0, seed: int = 0, progress=None) -> dict:
    """Simulate every case and test it against ``exact`` and ``closed_form``.

    Args:
        config: a planned study (``ds3sim.config.build.Study``): validate its tasks instead of the suite.
        perturb: multiply every chance to move by 1 + perturb in the simulation alone; a check that
            has power must then fail.
        seed: seed of the simulations.
        progress: called as progress(name, number, of) before each case.

    Returns:
        ``{"passed", "family_wise_error", "cases": [{"name", "quantity", "estimate", "expected", "z",
        "p_adjusted", "passed"}]}``; p-values are adjusted by Holm over all cases.
    """
    perturb = fraction("perturb", perturb, -0.5, 0.5)
    cases = suite() if config is None else _cases_of(config)
    checks: list[Check] = []
    for number, case in enumerate(cases):
        if progress is not None:
            progress(case.name, number, len(cases))
        checks += _checks(case, perturb, seed)
    if config is None:
        if progress is not None:
            progress("training side", len(cases), len(cases) + 1)
        checks += [Check(*row) for row in training_checks(perturb, seed)]
    adjusted = holm([c.p for c in checks])
    rows = [
        {
            "name": c.name,
            "quantity": c.quantity,
            "estimate": c.estimate,
            "expected": c.expected,
            "z": c.z,
            "p_adjusted": float(p),
            "passed": bool(p > FAMILY_WISE_ERROR),
        }
        for c, p in zip(checks, adjusted, strict=True)
    ]
    passed = all(row["passed"] for row in rows)
    return {"passed": passed, "family_wise_error": FAMILY_WISE_ERROR, "perturb": perturb, "cases": rows}


def _cases_of(study) -> list[Case]:
    """One case per strategy of a config; a beam of width 1 is held against ToT."""
    engine = study.engine
    kind = engine.kind if engine.kind in ("traces", "population", "importance") else "traces"
    cases = []
    for planned in study.tasks:
        task, reference = planned.task, None
        if isinstance(task.step, Beam):
            if task.step.width != 1:
                raise InputError(
                    f"strategy {planned.name or 'beam'}: a beam of width {task.step.width} has no exact numbers to be"
                    " validated against: use width = 1, or validate without a config"
                )
            from ds3sim.task.steps import ToT

            step = ToT(task.step.branches, task.step.evaluator_error, task.step.discount)
            reference = replace(task, step=step)
        name = study.name if planned.name is None else f"{study.name} {planned.name}"
        cases.append(Case(name, task, kind, engine.traces, None, reference))
    return cases


def _checks(case: Case, perturb: float, seed: int) -> list[Check]:
    task = perturbed(case.task, perturb) if perturb else case.task
    tally = simulate(task, case.traces, seed, case.engine, macro_steps=case.macro_steps)
    numbers = exact(case.expected)
    checks = []
    if case.engine == "importance":
        checks += _weighted_checks(case, tally, numbers)
    else:
        checks += _success_checks(case, tally, numbers, "exact")
        if shared_rate(case.expected) is None:  # else the n traces of a trial are not independent draws of T
            checks += _step_checks(case, tally, numbers)
            checks += _law_checks(case, tally, numbers)
    try:
        formula = closed_form(case.expected)
    except NoClosedForm:
        return checks
    if case.engine != "importance":
        checks += _success_checks(case, tally, formula, "closed_form")
    return checks + _number_checks(case, numbers, formula)


def _label(case: Case, k: int, what: str) -> str:
    return f"{case.engine} {what}@{k}"


def _success_checks(case: Case, tally, numbers, by: str) -> list[Check]:
    budgets = case.task.budgets
    expected = np.clip(np.asarray(numbers.success(budgets)), 0.0, 1.0)
    estimate = np.asarray(tally.success(budgets))
    hits = np.rint(estimate * tally.traces).astype(np.int64)
    p = binomial_p(hits, tally.traces, expected)
    z = binomial_z(hits, tally.traces, expected)
    return [
        Check(case.name, f"{_label(case, int(k), 'success')} by {by}", float(e), float(x), _finite(s), float(q))
        for k, e, x, s, q in zip(budgets, estimate, expected, z, p, strict=True)
    ]


def _step_variance(task: Task, k) -> np.ndarray:
    """Variance of the steps of one trial by ``exact``, float64 [B]."""
    able = exact(replace(task, graph=replace(task.graph, feasible=1.0)))
    share, n = task.graph.feasible, task.n
    mean = np.asarray(able.expected_steps(k)) / n
    spread = np.maximum(0.0, able.expected_square_steps(k) - mean**2)
    full = task.per_trace(k)
    between = share * (1 - share) * (full - mean) ** 2
    return n * share * spread + (n**2 if task.feasibility == "per_task" else n) * between


def _step_checks(case: Case, tally, numbers) -> list[Check]:
    budgets = case.task.budgets
    expected = np.asarray(numbers.expected_steps(budgets))
    estimate = np.asarray(tally.expected_steps(budgets))
    variance = _step_variance(case.expected, budgets)
    span = (case.task.n * case.task.per_trace(budgets)).astype(np.float64)
    p = mean_p(estimate, expected, variance, tally.traces, span)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (estimate - expected) / np.sqrt(variance / tally.traces)
    return [
        Check(case.name, _label(case, int(k), "expected_steps"), float(e), float(x), _finite(s), float(q))
        for k, e, x, s, q in zip(budgets, estimate, expected, z, p, strict=True)
    ]


def _law_checks(case: Case, tally, numbers) -> list[Check]:
    """The whole histogram of hitting times and of deaths, and the number of feasible tasks."""
    checks = []
    for what, counts, law in (
        ("hitting time", tally.hits, numbers.pmf),
        ("death time", tally.deaths, numbers.death_pmf),
    ):
        if tally.feasible == 0 or (what == "death time" and not law.any() and not counts.any()):
            continue
        beyond = max(0.0, 1.0 - float(law.sum()))
        if beyond < 1e-12:
            beyond = 0.0 if tally.feasible == int(counts.sum()) else 1e-12
        law = np.append(law, beyond)
        statistic, dof, p = goodness_of_fit(np.append(counts, tally.feasible - int(counts.sum())), law / law.sum())
        z = (statistic - dof) / np.sqrt(2 * dof) if dof and np.isfinite(statistic) else None
        checks.append(Check(case.name, f"{case.engine} {what} chi-square", _plain(statistic), float(dof), z, float(p)))
    able = case.task.graph.feasible
    if 0 < able < 1:
        group = case.task.n if case.task.feasibility == "per_task" else 1
        found, trials = tally.feasible // group, tally.traces * case.task.n // group
        p, z = float(binomial_p(found, trials, able)), float(binomial_z(found, trials, able))
        checks.append(Check(case.name, f"{case.engine} feasible", found / trials, able, _finite(z), p))
    return checks


def _weighted_checks(case: Case, tally, numbers) -> list[Check]:
    """Success by importance sampling; its error is estimated, so the test is a normal one."""
    z95 = 1.959963984540054
    budgets = case.task.budgets
    expected, estimate = np.asarray(numbers.success(budgets)), tally.success(budgets)
    checks = []
    for k, e, high, x in zip(budgets, estimate.estimate, estimate.high, expected, strict=True):
        variance = float((high - e) / z95) ** 2 * tally.traces
        p = float(mean_p(e, x, variance, tally.traces))
        z = float((e - x) / np.sqrt(variance / tally.traces)) if variance else None
        checks.append(Check(case.name, _label(case, int(k), "success"), float(e), float(x), z, p))
    return checks


def _number_checks(case: Case, numbers, formula) -> list[Check]:
    """``exact`` against ``closed_form``: numbers, so the p-value is 1 or 0."""
    checks = []
    for what in ("success", "expected_steps"):
        found, wanted = (np.asarray(getattr(x, what)(case.task.budgets)) for x in (numbers, formula))
        for k, e, x in zip(case.task.budgets, found, wanted, strict=True):
            agree = abs(e - x) <= NUMBERS_AGREE * max(1.0, abs(x))
            checks.append(
                Check(case.name, f"exact {what}@{int(k)} by closed_form", float(e), float(x), None, float(agree))
            )
    return checks


def _finite(z) -> float | None:
    return float(z) if np.isfinite(z) else None


def _plain(value: float) -> float:
    return float(value) if np.isfinite(value) else 1e300
