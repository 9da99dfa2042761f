"""Many tasks at once: bit for bit the tallies of one task at a time, in a few kernels."""

import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.simulate import evaluate, simulate
from ds3sim.engine.traces.pack import BATCH
from ds3sim.engine.traces.tables import macro_tables, walk_of
from ds3sim.engine.traces.walk import traced
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.aggregate import BestOfN, Majority, Verifier
from ds3sim.task.steps import CoT
from ds3sim.task.task import Task

SMALL = SkillGraph.random(9, 0.7, degree=3, death=0.03, seed=1)
CHAIN = SkillGraph.chain(4, 0.3, feasible=0.7)
TASKS = [
    Task(SkillGraph.chain(6, 0.3), steps=60),
    Task(SkillGraph.chain(6, 0.3), steps=7),
    Task(CHAIN, CoT(), Majority(5), steps=90),
    Task(SMALL, CoT(), BestOfN(3, Verifier(0.7, 0.2)), steps=90, feasibility="per_trace"),
]


def many_of(tasks, traces, seed, *, chunk=None, **more):
    return evaluate(tasks, None, EngineOptions(traces=traces, chunk=chunk), seed, **more)


def same(a, b) -> bool:
    return a == b and a.stopping == b.stopping


def test_parts_add_up_across_the_end_of_a_batch():
    tasks = [TASKS[i] for i in (0, 2, 3)]
    firsts = [BATCH - 700, BATCH - 1, 5]
    many = many_of(tasks, 1500, 3, firsts=firsts)
    for task, tally, first in zip(tasks, many, firsts, strict=True):
        assert same(tally, simulate(task, 1500, 3, first=first))
    a = many_of(tasks, 400, 3)
    b = many_of(tasks, 600, 3, firsts=[400] * 3)
    for task, x, y in zip(tasks, a, b, strict=True):
        whole = simulate(task, 1000, 3)
        assert np.array_equal((x + y).hits, whole.hits) and np.array_equal((x + y).task_hits, whole.task_hits)


def test_equal_tasks_are_simulated_once_and_both_answered():
    told = []
    many = many_of([TASKS[0], TASKS[1], TASKS[0]], 500, 1, progress=told.append)
    assert sum(told) == 1000
    assert same(many[0], many[2])


def test_a_large_sweep_compiles_a_handful_of_kernels():
    """2000 points: 20 sizes, 20 rates, 5 budgets, a few kernels, not one a point."""
    graphs = [SkillGraph.chain(m, r) for m in range(1, 21) for r in np.linspace(0.03, 0.9, 20)]
    tasks = [Task(graph, steps=k) for graph in graphs for k in (5, 20, 60, 150, 400)]
    assert len(tasks) == 2000
    before = sum(traced.values())
    many = many_of(tasks, 64, 11)
    assert sum(traced.values()) - before <= 6
    assert all(tally.traces == 64 and tally.ranges == ((11, 0, 64),) for tally in many)
    for i in (0, 987, 1999):
        assert same(many[i], simulate(tasks[i], 64, 11))


def test_the_tables_are_those_of_a_single_task():
    walks = []
    for size in (1, 2, 5, 11, 16, 33, 70):
        graphs = [SkillGraph.chain(size, r) for r in (0.0, 0.013, 0.5, 1.0)]
        graphs += [
            SkillGraph.random(size, 0.8, degree=min(3, size - 1), death=0.05, seed=i) for i in range(3) if size > 1
        ]
        for graph in graphs:
            for steps in (1, 4, 32, 64):
                walks.append((walk_of(graph, graph.transition_tensor()), steps))
    for made, walk in zip(macro_tables(walks), walks, strict=True):
        (single,) = macro_tables([walk])
        assert np.array_equal(made.threshold, single.threshold)
        assert np.array_equal(made.outcome, single.outcome)
        assert (made.width, made.transient, made.steps) == (single.width, single.transient, single.steps)


def test_bad_arguments_are_one_line():
    for arguments, said in (
        ({"traces": 0}, "traces = 0"),
        ({"traces": 5, "firsts": [3, 4]}, "2 entries for 1 tasks"),
        ({"traces": 5, "firsts": [-1]}, "first = -1"),
        ({"traces": 5, "seed": -1}, "seed = -1"),
        ({"traces": 5, "chunk": 0}, "chunk = 0"),
    ):
        with pytest.raises(InputError, match=said):
            many_of([TASKS[0]], **({"seed": 0} | arguments))
    with pytest.raises(InputError, match="more than the traces engine keeps"):
        many_of([Task(CHAIN, steps=2**25)], 10, 0)
    assert many_of([], 10, 0) == []
