"""Sweeps by workers that fail, die, hang, answer twice or in any order: the numbers are those of one process."""

from __future__ import annotations

import random
import sys
import threading
import warnings
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import ds3sim as ds
from ds3sim.core import executors, workers
from ds3sim.core.errors import InputError, Note
from ds3sim.engine import spread
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.simulate import evaluate
from ds3sim.store import collect

ROOT = Path(__file__).parents[1]
GRAPH = ds.SkillGraph.chain(4, 0.3)
BOTH = {"one": ds.CoT(), "vote": ds.Majority(3)}
STUDY = ds.Study(GRAPH, strategies=BOTH, steps=[12, 30], traces=5000, axes={"graph.success": [0.2, 0.5]})
CONFIG = """
[graph]
kind = "chain"
skills = 3
success = 0.5
[budget]
steps = [5, 10]
[engine]
traces = 5000
[sweep.axes]
"graph.success" = [0.25, 0.5]
"""


@pytest.fixture(scope="module")
def alone():
    return ds.sweep(STUDY)


@pytest.fixture
def small(monkeypatch):
    """Many small units, and no pauses."""
    for module in (spread, collect):
        monkeypatch.setattr(module, "piece_trials", lambda task: 1024)
    monkeypatch.setattr(spread, "UNIT_STEPS", (1.0, 1.0))
    monkeypatch.setattr(workers, "LONGEST_PAUSE_S", 0.0)


class Direct(Executor):
    """Answers at once, in this process."""

    def __init__(self):
        self.calls = 0

    def submit(self, fn, /, *args, **kwargs):
        self.calls += 1
        future = Future()
        self.answer(future, fn, args)
        return future

    def answer(self, future, fn, args):
        future.set_result(fn(*args))


class Shuffled(Direct):
    """Answers in another order, from another thread."""

    def __init__(self):
        super().__init__()
        self.waiting, self.random = [], random.Random(1)

    def answer(self, future, fn, args):
        self.waiting.append((future, fn, args))
        if len(self.waiting) == 1:
            threading.Timer(0.05, self.flush).start()

    def flush(self):
        some, self.waiting = self.waiting, []
        self.random.shuffle(some)
        for future, fn, args in some:
            if future.set_running_or_notify_cancel():
                future.set_result(fn(*args))


class Failing(Direct):
    """Every third call fails."""

    def answer(self, future, fn, args):
        if self.calls % 3 == 0:
            future.set_exception(OSError("the worker ran away"))
        else:
            super().answer(future, fn, args)


class Restarted(Direct):
    """A scheduler that forgets everything after some calls, once."""

    def answer(self, future, fn, args):
        if self.calls == 4:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            super().answer(future, fn, args)


class Broken(Direct):
    """As a pool one of whose processes was killed: what is under way fails, and so does every later call."""

    def submit(self, fn, /, *args, **kwargs):
        if self.calls >= 5:
            raise BrokenExecutor("a process died")
        return super().submit(fn, *args)

    def answer(self, future, fn, args):
        if self.calls >= 3:
            future.set_exception(BrokenExecutor("a process died"))
        else:
            super().answer(future, fn, args)


class Hanging(Direct):
    """The first copy of a call answers only when the second has; both count the same trials."""

    def __init__(self):
        super().__init__()
        self.hung = {}

    def answer(self, future, fn, args):
        name = repr(args[0].firsts), args[0].tasks[0].identity
        if name not in self.hung:
            self.hung[name] = future
            return
        found = fn(*args)
        future.set_result(found)
        first = self.hung[name]
        if first is not None and first.set_running_or_notify_cancel():
            first.set_result(found)
        self.hung[name] = None


@pytest.mark.parametrize("kind", [Direct, Shuffled, Failing, Restarted])
@pytest.mark.usefixtures("small")
def test_rows_do_not_depend_on_the_executor(alone, kind):
    with pool_notes():
        assert ds.sweep(STUDY, executor=kind()).rows == alone.rows
        assert ds.sweep(STUDY, executor=kind).rows == alone.rows


@contextmanager
def pool_notes():
    """Notes of lost workers are expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Note)
        yield


@pytest.mark.usefixtures("small")
def test_a_broken_executor_is_opened_again_or_done_without(alone):
    with pytest.warns(Note, match="what is left is computed in this process"):
        assert ds.sweep(STUDY, executor=Broken()).rows == alone.rows
    opened = []

    def another():
        opened.append(Broken() if len(opened) < 2 else Direct())
        return opened[-1]

    with pytest.warns(Note, match="they are started again"):
        assert ds.sweep(STUDY, executor=another).rows == alone.rows
    assert len(opened) == 3


@pytest.mark.usefixtures("small")
def test_hanging_workers_are_not_waited_for_and_nothing_counts_twice(alone):
    with pytest.warns(Note, match=r"no answer from the workers for 0\.2 s"):
        found = ds.sweep(STUDY, executor=ds.Workers(Hanging(), timeout=0.2))
    assert found.rows == alone.rows


@pytest.mark.usefixtures("small")
def test_what_fails_everywhere_is_told_and_the_store_keeps_the_rest(tmp_path, alone):
    class Poison(Direct):
        def answer(self, future, fn, args):
            if 2048 in args[0].firsts:
                future.set_exception(MemoryError("too large"))
            else:
                super().answer(future, fn, args)

    path = tmp_path / "kept.ds3"
    with pytest.raises(InputError, match="failed 4 times on the workers, the last time by MemoryError: too large"):
        ds.sweep(STUDY, store=path, executor=Poison())
    with ds.Store.open(path) as store:
        kept = store.contents().trials
    assert 0 < kept < 4 * 5000
    counted = []
    found = ds.sweep(STUDY, store=path, executor=Failing(), progress=lambda trials, _: counted.append(trials))
    assert found.rows == alone.rows
    assert sum(counted) == 4 * 5000 - kept
    with pytest.raises(InputError, match="lost 5 times in a row"), pool_notes():
        ds.sweep(STUDY, executor=Dead)


class Dead(Direct):
    """Nobody is there."""

    def submit(self, fn, /, *args, **kwargs):
        raise BrokenExecutor("nobody is there")


@pytest.mark.usefixtures("small")
def test_an_interrupt_keeps_what_came(tmp_path, alone):
    path = tmp_path / "kept.ds3"

    class Stops(Direct):
        def submit(self, fn, /, *args, **kwargs):
            if self.calls == 4:
                raise KeyboardInterrupt
            return super().submit(fn, *args)

    def heard(trials, points):
        raise KeyboardInterrupt

    with pytest.raises(ds.Interrupted) as caught:
        ds.sweep(STUDY, store=path, executor=Direct(), progress=heard)
    assert caught.value.result.interrupted
    with pytest.raises(ds.Interrupted):
        ds.sweep(STUDY, executor=Stops())
    assert ds.sweep(STUDY, store=path, executor=Direct()).rows == alone.rows


@pytest.mark.usefixtures("small")
def test_mistakes_in_the_work_are_told_as_always():
    study = ds.Study(GRAPH, strategy=ds.Majority(65), steps=65, engine="population", axes={"graph.success": [0.2, 0.5]})
    with pytest.raises(InputError, match="engine population groups at most 64 traces") as here:
        ds.sweep(study)
    with pytest.raises(InputError, match="engine population groups at most 64 traces") as there:
        ds.sweep(study, executor=Direct())
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize("kind", ["traces", "population", "importance", "exact", "closed_form"])
@pytest.mark.usefixtures("small")
def test_every_engine_bit_for_bit(kind):
    tasks = [ds.Task(ds.SkillGraph.chain(4, r), steps=[6, 20]) for r in (0.2, 0.5, 0.2)]
    options = EngineOptions.heeded(kind, traces=5000)
    with ThreadPoolExecutor(2) as pool, workers.crew_of(pool) as crew:
        found = spread.evaluate_spread(crew, tasks, None, options, 7)
    for task, own, wanted in zip(tasks, found, evaluate(tasks, None, options, 7), strict=True):
        for name in ("success", "expected_steps"):
            one, other = getattr(own, name)([6, 20]), getattr(wanted, name)([6, 20])
            assert all(np.array_equal(getattr(one, part), getattr(other, part)) for part in ("estimate", "low", "high"))
        if isinstance(wanted, ds.Tally):
            assert all(np.array_equal(getattr(own, n), getattr(wanted, n)) for n in ("task_hits", "hits", "deaths"))
            same = ("identity", "traces", "feasible", "ranges", "stopping", "squares", "seed")
            assert [getattr(own, n) for n in same] == [getattr(wanted, n) for n in same]
        assert task.identity


@pytest.mark.usefixtures("small")
def test_relative_error_and_shared_rates():
    latent = ds.SkillGraph.latent(0.9, 0.5, 2.0)
    for study in (
        ds.Study(GRAPH, steps=[20], relative_error=0.02, axes={"graph.success": [0.3, 0.5]}),
        ds.Study(latent, strategy=ds.Majority(4), steps=8, traces=3000, axes={"budget.steps": [8, 20]}),
    ):
        assert ds.sweep(study, executor=Direct()).rows == ds.sweep(study).rows
        with ds.Store.in_memory() as store:
            assert ds.sweep(study, store=store, executor=Shuffled()).rows == ds.sweep(study).rows


def test_choices_and_validations_by_workers():
    study = ds.Study(GRAPH, strategies=BOTH, tokens=[500, 1000], traces=2000)
    assert ds.choose(study, executor=Shuffled()).decisions == ds.choose(study).decisions
    assert ds.validate(study, executor=Shuffled()).checks == ds.validate(study).checks


@pytest.mark.parametrize(
    ("executor", "told"),
    [
        (
            "dusk",
            "executor = 'dusk' is not known: choose one of processes, dask, dask:ADDRESS, ray, ray:ADDRESS, slurm",
        ),
        ("processes:4", "processes has no address"),
        (7, "is no executor of concurrent.futures"),
        (lambda: 7, "did not return an executor"),
    ],
)
def test_what_is_no_executor(executor, told):
    with pytest.raises(InputError, match=told):
        ds.sweep(STUDY, executor=executor)


def test_arguments_of_workers():
    with pytest.raises(InputError, match="workers = 0"):
        ds.Workers("processes", 0)
    with pytest.raises(InputError, match="has its own number"):
        ds.Workers(Direct(), 2)
    with pytest.raises(InputError, match="timeout = -1"):
        ds.Workers(Direct(), timeout=-1)


@pytest.mark.parametrize(("name", "module"), [("dask", "distributed"), ("ray", "ray"), ("slurm", "executorlib")])
def test_an_extra_that_is_missing_is_named(name, module, monkeypatch, cli, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "study.toml").write_text(CONFIG)
    told = cli.refuses("sweep", tmp_path / "study.toml", "--executor", name)
    assert f"needs {module}" in told and f"pip install 'ds3sim[{name}]'" in told


def test_commands(cli, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(CONFIG)
    alone, spread = cli.json("sweep", path), cli.json("sweep", path, "--executor", "processes", "--workers", 2)
    alone.pop("environment"), spread.pop("environment")
    assert alone == spread
    assert "--workers 2 needs --executor" in cli.refuses("sweep", path, "--workers", 2)
    assert "--processes 2 needs --distributed" in cli.refuses("run", path, "--processes", 2)
    assert "--store" in cli.refuses("run", path, "--distributed", "--store", tmp_path / "kept.ds3")


def test_each_worker_has_its_gpu_and_its_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(executors, "cores", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert executors.usual(None) == 2
    two, four = executors.settings(2), executors.settings(4)
    assert [one["CUDA_VISIBLE_DEVICES"] for one in two] == ["3", "5"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in four] == ["3", "5", "3", "5"]
    assert {one["DS3SIM_THREADS"] for one in two} == {"4"} and {one["DS3SIM_THREADS"] for one in four} == {"2"}
    assert "XLA_PYTHON_CLIENT_PREALLOCATE" not in two[0] and four[0]["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert executors.gpus() == [] and executors.usual(None) == 8
