"""What accelerators run, on the CPU: launches, counts and kernels made for them give the tallies of all others."""

import itertools
from functools import partial

import jax
import numpy as np
import pytest
from test_kernels import TASKS, launch

import ds3sim as ds
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.traces import choice, histogram, xla
from ds3sim.engine.traces.backend import Backend
from ds3sim.engine.traces.choice import Choice
from ds3sim.engine.traces.gpu_walk import gpu_walk
from ds3sim.engine.traces.pack import BATCH, Job, packed, waves
from ds3sim.engine.traces.run import tallies
from ds3sim.engine.traces.walk import NOT_REACHED, traced, walk

WALKS = ("walk", "long walk, compacted", "vote")
HOW = ({}, {"draws": 3, "lanes": 16, "programs": 1}, {"lanes": 256})
interpreted = partial(gpu_walk, interpret=True, lanes=8, programs=4)


def accelerator(lanes: int = 2**12, walks: Choice | None = None) -> Backend:
    """A CPU that is treated as an accelerator."""
    return Backend(jax.devices("cpu")[:1], lanes, 2, accelerator=walks or Choice())


class Always(Choice):
    """Takes the other kernel, with no contest to hide its faults."""

    def endings(self, usual, other, shape, long):
        self.found[shape] = "asked"
        return other()


def same(one: ds.engine.tally.Tally, other: ds.engine.tally.Tally) -> None:
    assert (one.traces, one.feasible, one.squares, one.ranges) == (
        other.traces, other.feasible, other.squares, other.ranges,
    )  # fmt: skip
    for name in ("hits", "deaths", "task_hits"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    ("name", "first"), [*((name, 0) for name in TASKS), ("walk", BATCH - 700), ("vote", BATCH - 9)]
)
def test_tallies_of_a_task(name, first):
    task, options = TASKS[name], EngineOptions(traces=1500)
    (found,) = tallies([task], options, 5, [first], backend=accelerator())
    assert found.traces == 1500
    same(found, ds.simulate(task, 1500, seed=5, first=first))


def test_tallies_of_a_sweep():
    """Tasks of several kinds and budgets, in launches that hold many of them."""
    graphs = [ds.SkillGraph.chain(skills, 0.3 + 0.1 * skills, feasible=0.9) for skills in range(1, 6)]
    tasks = [ds.Task(graph, steps=steps) for graph in graphs for steps in (7, 40, 300)]
    tasks += [ds.Task(graph, aggregate=ds.BestOfN(3), steps=90) for graph in graphs]
    before = traced["histogram"]
    found = tallies(tasks, EngineOptions(traces=700), 9, [0] * len(tasks), backend=accelerator(2**14))
    assert traced["histogram"] > before
    for task, tally in zip(tasks, found, strict=True):
        same(tally, ds.simulate(task, 700, seed=9))


def test_tallies_to_a_relative_error():
    task, options = TASKS["walk"], EngineOptions(relative_error=0.02)
    (found,) = tallies([task], options, 1, [0], backend=accelerator(2**14))
    assert found.traces > 1000
    same(found, ds.simulate(task, seed=1, relative_error=0.02))


# ---- launches -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "lanes"), [(1, 2**21), (1, 2**24), (3, 2**22), (16, 2**21), (1000, 2**21)])
def test_launches_are_full(n, lanes):
    """A row ends with its batch, so a launch of single traces takes as many rows as fill its lanes."""
    job = Job.of(ds.Task(ds.SkillGraph.chain(4, 0.3), aggregate=ds.BestOfN(n), steps=100 * n), 0, EngineOptions())
    job.goal = job.most = 10**8
    (wave,) = waves([job], lanes, None, accelerator=Choice())
    assert 0.7 * lanes < wave.width * wave.rows <= lanes
    full = next(iter(packed(wave.ready, wave.trials, wave.rows)))
    assert sum(row.count for row in full) * n == wave.width * wave.rows


@pytest.mark.parametrize(("traces", "n"), [(10_000, 1), (10_000, 7), (100, 1), (123_457, 3)])
def test_launches_of_sweeps_are_full(traces, n):
    graphs = [ds.SkillGraph.chain(4, p) for p in np.linspace(0.2, 0.8, 500)]
    tasks = [ds.Task(graph, aggregate=ds.BestOfN(n), steps=100 * n) for graph in graphs]
    jobs = [Job.of(task, 0, EngineOptions(traces=traces)) for task in tasks]
    (wave,) = waves(jobs, 2**20, None, accelerator=Choice())
    first, *_ = packed(wave.ready, wave.trials, wave.rows)
    assert sum(row.count for row in first) * n > 0.7 * wave.width * wave.rows
    assert wave.width * wave.rows > min(2**19, 500 * traces * n)


def test_launches_of_few_traces_are_small():
    job = Job.of(ds.Task(ds.SkillGraph.chain(4, 0.3), steps=100), 0, EngineOptions(traces=3000))
    (wave,) = waves([job], 2**21, None, accelerator=Choice())
    assert (wave.rows, wave.width) == (1, 4096)


def test_a_sweep_leaves_its_lanes_on_the_device(monkeypatch):
    """What comes back of a launch are counts."""
    copied = []
    monkeypatch.setattr(xla, "_count", lambda values, size: copied.append(size))
    tasks = [ds.Task(ds.SkillGraph.chain(3, p), steps=40) for p in np.linspace(0.2, 0.8, 12)]
    tallies(tasks, EngineOptions(traces=500), 9, [0] * 12, backend=accelerator(2**14))
    assert not copied


# ---- counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[5], [300], [900, 40, 1], [6, 6, 6, 6, 6], [30_000, 3]])
def test_counts(sizes):
    made = np.random.default_rng(len(sizes))
    spans = list(itertools.pairwise(np.cumsum([1, *made.integers(1, 4, len(sizes))])))
    values = made.geometric(0.01, (spans[-1][1] + 2, 257)).astype(np.int32) - 1
    values[made.random(values.shape) < 0.1] = NOT_REACHED
    found = histogram.device_counts(jax.numpy.asarray(values), spans, sizes)
    for counts, (begin, end), size in zip(found, spans, sizes, strict=True):
        inside = values[begin:end][values[begin:end] < size]
        np.testing.assert_array_equal(counts, np.bincount(inside, minlength=size))
        assert counts.dtype == np.int64


def test_more_bins_than_lanes_are_counted_on_the_host():
    values = jax.numpy.zeros((1, 64), "int32")
    assert histogram.device_counts(values, [(0, 1)], [2**20]) is None
    task = ds.Task(ds.SkillGraph.chain(2, 1e-4), steps=200_000)
    (found,) = tallies([task], EngineOptions(traces=100), 5, [0], backend=accelerator())
    same(found, ds.simulate(task, 100, seed=5))


# ---- the walk in registers ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "how"), [*((name, {}) for name in WALKS), *(("walk", how) for how in HOW[1:])])
def test_the_walk_in_registers(name, how):
    _, arrays, static, _ = launch(TASKS[name], 3)
    expected = jax.jit(walk, static_argnames=tuple(static))(*arrays, **static)
    found = interpreted(*arrays, width=static["width"], **how)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 3


def test_the_walk_in_registers_of_many_tasks():
    """Rows of other laws, budgets and sizes, of which some are empty."""
    graphs = [ds.SkillGraph.chain(skills, 0.7 - 0.1 * skills, feasible=0.8) for skills in range(1, 6)]
    tasks = [ds.Task(graph, steps=steps) for graph in graphs for steps in (7, 90)]
    walks = Always(interpreted)
    found = tallies(tasks, EngineOptions(traces=300), 9, [0] * len(tasks), backend=accelerator(2**13, walks))
    assert walks.found
    for task, tally in zip(tasks, found, strict=True):
        same(tally, ds.simulate(task, 300, seed=9))


# ---- the choice -----------------------------------------------------------------------------------


def contest(usual_seconds: float, other_seconds: float, other=lambda: np.arange(3)):
    """A contest of two kernels that take so long, by a clock of its own, and what was called."""
    now, called = [0.0], []

    def kernel(name, seconds, does):
        def run():
            called.append(name)
            now[0] += seconds
            return does()

        return run

    made = Choice(clock=lambda: now[0])
    pair = kernel("usual", usual_seconds, lambda: np.arange(3)), kernel("other", other_seconds, other)
    return made, pair, called


@pytest.mark.parametrize(("usual", "other", "faster"), [(2.0, 1.0, "other"), (1.0, 2.0, "usual")])
def test_the_faster_kernel_stays(usual, other, faster):
    walks, pair, called = contest(usual, other)
    for _ in range(2):
        walks.endings(*pair, "shape", False)
    assert called == ["usual"] * 2 and not walks.found  # a short run is not worth it
    np.testing.assert_array_equal(walks.endings(*pair, "shape", True), np.arange(3))
    assert set(called) == {"usual", "other"}
    del called[:]
    for long in (True, False):
        walks.endings(*pair, "shape", long)
    assert called == [faster] * 2
    del called[:]
    walks.endings(*pair, "another shape", False)
    assert called == ["usual"]


def fault():
    raise NotImplementedError("no Triton here\nand more")


def test_a_fault_leaves_the_usual_kernel():
    walks, pair, called = contest(2.0, 1.0, fault)
    np.testing.assert_array_equal(walks.endings(*pair, "shape", True), np.arange(3))
    assert walks.found["shape"] == "NotImplementedError: no Triton here"
    del called[:]
    walks.endings(*pair, "shape", True)
    assert called == ["usual"]


def test_a_late_fault_leaves_the_usual_kernel():
    broken = []
    walks, pair, called = contest(2.0, 1.0, lambda: fault() if broken else np.arange(3))
    walks.endings(*pair, "shape", True)
    broken.append(True)
    del called[:]
    for _ in range(2):
        np.testing.assert_array_equal(walks.endings(*pair, "shape", False), np.arange(3))
    assert called == ["other", "usual", "usual"]


def test_other_walks_are_told_and_not_taken():
    walks, pair, called = contest(2.0, 1.0, lambda: np.arange(3) + 1)
    with pytest.warns(RuntimeWarning, match="other walks"):
        np.testing.assert_array_equal(walks.endings(*pair, "shape", True), np.arange(3))
    assert walks.found["shape"] == "the kernels disagree"
    del called[:]
    walks.endings(*pair, "shape", True)
    assert called == ["usual"]


def test_a_long_run_makes_the_choice(monkeypatch):
    """Within a run: both kernels are timed, agree, and the tally is that of all others."""
    monkeypatch.setattr("ds3sim.engine.traces.pack.LONG_RUN", 1000 * 40)
    walks = Choice(interpreted)
    task = TASKS["walk"]
    for traces, chosen in ((900, 0), (1000, 1)):
        (found,) = tallies([task], EngineOptions(traces=traces), 5, [0], backend=accelerator(256, walks))
        same(found, ds.simulate(task, traces, seed=5))
        assert len(walks.found) == chosen
    assert all(said.startswith("usual ") for said in walks.found.values())
    walks, options = Choice(interpreted), EngineOptions(relative_error=1e-4, max_traces=2**17)
    monkeypatch.setattr("ds3sim.engine.traces.pack.LONG_RUN", 2**17 * 40)  # the last round alone is so long
    (found,) = tallies([task], options, 5, [0], backend=accelerator(2**14, walks))
    same(found, ds.simulate(task, seed=5, relative_error=1e-4, max_traces=2**17))
    assert found.traces == 2**17 and len(walks.found) == 1
    assert choice.LONG_RUN > 2**30


@pytest.mark.gpu
@pytest.mark.skipif(jax.default_backend() != "gpu", reason="there is no GPU")
@pytest.mark.parametrize("name", TASKS)
def test_a_gpu_gives_the_tallies_of_the_cpu(name):
    """Also by the walk in registers, where a task has one; a fault of it is told here, and not answered."""
    task, options = TASKS[name], EngineOptions(traces=5000)
    (expected,) = tallies([task], options, 5, [0], backend=Backend(jax.devices("cpu")[:1], 2**12, 2))
    assert expected.traces == 5000
    same(ds.simulate(task, 5000, seed=5), expected)
    walks = Always(gpu_walk)
    (found,) = tallies([task], options, 5, [0], backend=Backend(jax.devices()[:1], 2**12, 2, accelerator=walks))
    same(found, expected)


def test_a_cpu_is_no_accelerator():
    found = Backend.found()
    if jax.default_backend() == "cpu":
        assert found.accelerator is None and found.lanes == 2**17
    assert Backend.found(64).lanes == 64
