"""One run by the processes of a job: every split of the trials gives the tallies of one process, bit for bit."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ds3sim as ds
from ds3sim.core import runtime
from ds3sim.core.errors import InputError, StoppedEarly
from ds3sim.engine import distributed
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.simulate import evaluate
from ds3sim.engine.tally import Tally

ROOT = Path(__file__).parents[1]
TASKS = [
    ds.Task(ds.SkillGraph.chain(4, 0.3, 0.8), steps=[10, 30]),
    ds.Task(ds.SkillGraph.chain(4, 0.5), aggregate=ds.Majority(3), steps=30),
    ds.Task(ds.SkillGraph.latent(0.9, 0.5, 2.0), aggregate=ds.BestOfN(4), steps=12),
]
CONFIG = """
seed = 3
[graph]
kind = "chain"
skills = 6
success = 0.3
[budget]
steps = [40, 60]
[strategies.one]
[strategies.two]
aggregate = "majority"
n = 3
[engine]
traces = 400000
"""


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_shares_are_disjoint_whole_launches_of_equal_work(of):
    works, sizes, units = [30, 90, 7, 1], [1000, 400, 1, 50_000], [64, 16, 64, 64]
    shares = [distributed.share(works, sizes, units, rank, of) for rank in range(of)]
    for task, size in enumerate(sizes):
        at = 0
        for own in shares:
            begin, count = own[task]
            assert begin == at and count >= 0
            at += count
            assert at == size or at % units[task] == 0
        assert at == size
    load = [sum(work * count for work, (_, count) in zip(works, own, strict=True)) for own in shares]
    assert max(load) - min(load) <= 2 * max(work * unit for work, unit in zip(works, units, strict=True))


def by_a_job(monkeypatch, of: int, tasks, options, seed=5) -> list[list]:
    """What every process of a job has, one process after the other: the collective waits for all of them."""
    heard: list[dict[int, np.ndarray]] = []
    monkeypatch.setattr(distributed, "LAUNCHES", (256, 1024))

    class Waits(Exception):
        pass

    def one(rank):
        calls = iter(range(1000))

        def gathered(values):
            at = next(calls)
            if at == len(heard):
                heard.append({})
            heard[at][rank] = values
            if len(heard[at]) < of:
                raise Waits
            return np.stack([heard[at][i] for i in range(of)])

        monkeypatch.setattr(runtime, "rank", lambda: (rank, of))
        monkeypatch.setattr(distributed, "gathered", gathered)
        try:
            return distributed.evaluate_distributed(tasks, None, options, seed)
        except StoppedEarly as stop:
            return stop.partial

    out: list[list] = [[]] * of
    for _ in range(100):
        for rank in range(of):
            try:
                out[rank] = one(rank)
            except Waits:
                out[rank] = []
        if all(out):
            return out
    raise AssertionError("the processes wait for each other")


def same(one: Tally, other: Tally) -> bool:
    """Every bit."""
    counts = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("task_hits", "hits", "deaths"))
    facts = ("identity", "engine", "seed", "n", "traces", "feasible", "ranges", "stopping", "squares")
    return counts and all(getattr(one, name) == getattr(other, name) for name in facts)


@pytest.mark.parametrize("of", [1, 2, 5])
@pytest.mark.parametrize(
    "options",
    [EngineOptions("traces", 3000), EngineOptions("traces", relative_error=0.02, max_traces=200_000)],
    ids=["traces", "relative_error"],
)
def test_each_process_has_the_tallies_of_one(monkeypatch, of, options):
    tasks = [*TASKS, TASKS[0]]
    wanted = evaluate(tasks, None, options, 5)
    for found in by_a_job(monkeypatch, of, tasks, options):
        assert all(same(*pair) for pair in zip(found, wanted, strict=True))


def test_an_interrupt_of_one_process_is_told_to_all(monkeypatch):
    real = distributed.evaluate

    def stopped(tasks, forms, options, seed, *, firsts, progress):
        if runtime.rank()[0] == 0:
            raise StoppedEarly([None] * len(tasks))
        return real(tasks, forms, options, seed, firsts=firsts, progress=progress)

    monkeypatch.setattr(distributed, "evaluate", stopped)
    one, other = by_a_job(monkeypatch, 2, TASKS[:1], EngineOptions("traces", 3000))
    assert same(one[0], other[0])
    assert 0 < one[0].traces < 3000 and one[0].stopping.interrupted
    ((_, first, end),) = one[0].ranges
    assert (end - first, end) == (one[0].traces, 3000)


def test_only_trials_of_engine_traces_are_split():
    with pytest.raises(InputError, match="engine = population: its trials are not split"):
        ds.run(TASKS[0], engine="population", distributed=True)
    with pytest.raises(InputError, match="leave it out of a distributed run"), ds.Store.in_memory() as store:
        ds.run(TASKS[0], store=store, distributed=True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("node1:70000", 0, 2), "give HOST:PORT"),
        (("node1", 0, 2), "give HOST:PORT"),
        (("127.0.0.1:12345", 2, 2), "--process 2: they are 0 to N - 1"),
        (("127.0.0.1:12345", None, 2), "belong together"),
        (("no-such-host.invalid:12345", 0, 2), "is not known"),
    ],
)
def test_what_is_no_job(given, told):
    with pytest.raises(InputError, match=told):
        runtime.join(*given)


@pytest.mark.parametrize("fast", ["1", "0"])
def test_two_processes_of_two_devices(tmp_path, cli, fast):
    """Real processes, with the collective; stdout has the result of the first alone."""
    path = tmp_path / "study.toml"
    path.write_text(CONFIG)
    alone = cli.json("run", path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "DS3SIM_FAST": fast, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "ds3sim", "run", path, "--json", "--distributed", "--coordinator", address]
    started = [
        subprocess.Popen(
            [*map(str, command), "--process", str(i), "--processes", "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **flags},
            cwd=ROOT,
        )
        for i in range(2)
    ]
    try:
        (out, err), (silent, other) = (process.communicate(timeout=240) for process in started)
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], err + other
    assert silent == ""
    found = json.loads(out)
    assert found.pop("environment")["devices"] == 4
    alone.pop("environment")
    assert found == alone
