"""A quick engine for tests of the store: every trial has its own random number, so any split adds up."""

import time

import numpy as np

from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.tally import Tally
from ds3sim.graph.graph import SkillGraph
from ds3sim.store import collect
from ds3sim.store.contents import Point
from ds3sim.store.store import Store
from ds3sim.task.budget import BudgetRow
from ds3sim.task.task import Task
from ds3sim.theory.cost import CostModel


def tasks(count: int, steps: int = 40) -> list[Task]:
    return [Task(SkillGraph.chain(skills=3, success=0.1 + 0.001 * i), steps=steps) for i in range(count)]


def hashed(task: Task, seed: int, first: int, end: int) -> np.ndarray:
    """Uniform uint64 of each trial, a function of (task, seed, trial): splitmix64."""
    with np.errstate(over="ignore"):
        x = np.arange(first, end, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x += np.uint64(int(task.identity[:16], 16) ^ seed)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def toy(task: Task, traces: int, seed: int, first: int = 0) -> Tally:
    """A tally that is no simulation of the task, but adds up like one."""
    numbers = hashed(task, seed, first, first + traces)
    top = task.max_steps
    time_of = (numbers % np.uint64(2 * top)).astype(np.int64)
    hits = np.bincount(time_of[time_of <= top], minlength=top + 1)
    lost = int((numbers >> np.uint64(60) == 0).sum())
    return Tally(
        identity=task.identity,
        engine="traces",
        seed=seed,
        n=task.n,
        traces=traces,
        feasible=traces - lost,
        task_hits=hits,
        hits=hits,
        deaths=np.zeros(top + 1, np.int64),
        ranges=((seed, first, first + traces),),
    )


def toy_engine(tasks, forms, options, seed=0, *, firsts=None, progress=None):
    """In place of :func:`ds3sim.engine.simulate.evaluate`."""
    out = []
    for task, first in zip(tasks, firsts or [0] * len(tasks), strict=True):
        out.append(toy(task, options.traces, seed, first))
        if progress is not None:
            progress(options.traces)
    return out


def counts(tally) -> tuple:
    """Everything of a tally that has to be equal bit for bit."""
    arrays = tuple(array.tobytes() for array in (tally.task_hits, tally.hits, tally.deaths))
    return (tally.identity, tally.seed, tally.n, tally.traces, tally.feasible, tally.ranges, arrays)


def work(path: str, number: int, traces: int) -> None:
    """What the tests kill: collect in as many transactions as there are tasks, and wait a little between them."""

    def slow(*args, **options):
        time.sleep(0.02)
        return toy_engine(*args, **options)

    collect.FIRST_GROUP, collect.COMMIT_S, collect.evaluate = 1.0, 0.0, slow
    with Store.open(path, wait=300) as store:
        print("open", flush=True)
        collect.collect(items(number), store, EngineOptions(traces=traces), seed=3)
    print("done", flush=True)


def items(number: int, steps: int = 40):
    return [(task, {"number": i}) for i, task in enumerate(tasks(number, steps))]


def gather(path, number=5, traces=1000, seed=3, progress=None):
    """Tallies of the toy engine, collected in a file."""
    real, collect.evaluate = collect.evaluate, toy_engine
    try:
        with Store.open(path) as store:
            return collect.collect(items(number), store, EngineOptions(traces=traces), seed, progress)
    finally:
        collect.evaluate = real


def held(path):
    with Store.open(path, create=False, readonly=True) as store:
        return store.contents()


def point(r, strategy="cot"):
    cost = CostModel(25.0, 1e9, attention=False)
    rows = (BudgetRow(12, 4, tokens=300.0), BudgetRow(13, 4, tokens=325.0))
    weights: tuple = (0.25, (0.75, 0.5))
    return Point(0, {"graph.success": r}, strategy, 3, 2, 25.0, cost, weights, rows, "traces", ("a", "b"))
