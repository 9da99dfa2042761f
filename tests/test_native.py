"""Loops compiled by numba give the counts of XLA's kernels, bit for bit; tests/test_golden.py has both too."""

import numpy as np
import pytest

import ds3sim as ds
from ds3sim.core import runtime
from ds3sim.engine.traces import tables
from ds3sim.engine.traces.alias import alias_tables

pytest.importorskip("numba", reason="numba is not installed: pip install 'ds3sim[fast]'")

CHAIN = ds.SkillGraph.chain(4, 0.3, feasible=0.7)
RARE = ds.SkillGraph.from_edges(
    [("a", "b", 1e-9), ("a", "c", 0.4), ("c", "a", 0.5), ("c", "dead", 0.1), ("b", "goal", 0.5)],
    start="a", goal=["goal"], dead=["dead"],
)  # fmt: skip
VERIFIER = ds.Verifier(true_positive=0.8, false_positive=0.3)
TASKS = {
    "single": ds.Task(CHAIN, steps=60),
    "per trace": ds.Task(CHAIN, aggregate=ds.BestOfN(6), steps=120, feasibility="per_trace"),
    "per task": ds.Task(CHAIN, aggregate=ds.BestOfN(6), steps=120),
    "verified": ds.Task(CHAIN, aggregate=ds.BestOfN(7, VERIFIER), steps=140),
    "abstains": ds.Task(CHAIN, aggregate=ds.BestOfN(7, ds.Verifier(0.8, 0.3, fallback="abstain")), steps=140),
    "vote": ds.Task(CHAIN, aggregate=ds.Majority(9, ds.WeightErrors([0.5, 0.3, 0.2])), steps=180),
    "vote, ties wrong": ds.Task(CHAIN, aggregate=ds.Majority(4, ds.WeightErrors([0.9, 0.1]), ties="wrong"), steps=60),
    "rare": ds.Task(RARE, aggregate=ds.BestOfN(3), steps=90),
    "more traces than lanes": ds.Task(CHAIN, aggregate=ds.BestOfN(700), steps=4900),
}


def counts(task: ds.Task, **options: object) -> list[np.ndarray]:
    tally = ds.simulate(task, 3000, seed=11, **options)
    return [tally.hits, tally.deaths, tally.task_hits, np.array([tally.feasible])]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("options", [{}, {"chunk": 100}, {"first": 2**20 - 1000, "macro_steps": 4}], ids=str)
def test_counts_are_those_of_xla(monkeypatch, name, options):
    found = counts(TASKS[name], **options)
    monkeypatch.setenv("DS3SIM_FAST", "0")
    for one, other in zip(found, counts(TASKS[name], **options), strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[2].sum() > 0 or name == "rare"


@pytest.mark.parametrize(("rows", "width"), [(1, 2), (5, 4), (40, 64), (9, 1024)])
@pytest.mark.parametrize("power", [1, 9, 40])
def test_alias_tables_are_those_of_numpy(monkeypatch, rows, width, power):
    chance = np.random.default_rng(width + power).random((rows, width)) ** power
    chance[:, : width // 2 : 2] = 0.0
    found = alias_tables(chance)
    monkeypatch.setenv("DS3SIM_FAST", "0")
    assert not runtime.compiled()
    for one, other in zip(found, alias_tables(chance), strict=True):
        np.testing.assert_array_equal(one, other)


def test_tables_of_large_walks_are_made_once(monkeypatch):
    made = []

    def spied(walks):
        made.extend(walks)
        return original(walks)

    original = tables._made
    monkeypatch.setattr(tables, "_made", spied)
    graph = ds.SkillGraph.random(200, 0.9, degree=4, seed=5)
    again = ds.SkillGraph.random(200, 0.9, degree=4, seed=5)
    first = counts(ds.Task(graph, steps=40))
    second = counts(ds.Task(again, steps=40))
    assert len(made) == 1
    counts(ds.Task(graph, step=ds.ToT(2), steps=40))
    counts(ds.Task(graph, steps=40), macro_steps=2)
    assert len(made) == 3
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImportError("Numba needs NumPy 2.2 or less. Got NumPy 2.9."), "xla (numba: Numba needs NumPy 2.2 or less"),
        (RuntimeError("cannot cache function 'cores': no locator available"), "xla (numba: cannot cache function"),
    ],
)
def test_where_numba_does_not_work_xla_does(monkeypatch, error, told):
    import numba

    def refuse(**_):
        raise error

    task = TASKS["single"]
    found = counts(task)
    monkeypatch.setattr(numba, "njit", refuse)
    runtime.numba_fault.cache_clear()
    try:
        assert not runtime.compiled()
        assert ds.doctor().to_dict()["walks"].startswith(told)
        for one, other in zip(found, counts(task), strict=True):
            np.testing.assert_array_equal(one, other)
    finally:
        runtime.numba_fault.cache_clear()
    monkeypatch.undo()
    assert runtime.compiled() and runtime.walks().startswith("numba ")
