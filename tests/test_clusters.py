"""Sweeps by real workers: processes, Dask, Ray, and executorlib with a ``srun`` of this machine; some are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import ds3sim as ds
from ds3sim.core.errors import InputError, Note
from ds3sim.engine import spread
from ds3sim.store import collect

ROOT = Path(__file__).parents[1]
BOTH = {"one": ds.CoT(), "vote": ds.Majority(3)}
AXES = {"graph.success": [0.2, 0.5]}
STUDY = ds.Study(ds.SkillGraph.chain(4, 0.3), strategies=BOTH, steps=[12, 30], traces=5000, axes=AXES)
SRUN = """#!/bin/sh
while [ "$1" != "${1#-}" ]; do case $1 in -n|-N|-D) shift 2;; *) shift;; esac; done
exec "$@"
"""
"""Runs what it is given, on this machine."""


@pytest.fixture(scope="module")
def alone():
    return ds.sweep(STUDY)


@pytest.fixture
def small(monkeypatch):
    """Many small units."""
    for module in (spread, collect):
        monkeypatch.setattr(module, "piece_trials", lambda task: 1024)
    monkeypatch.setattr(spread, "UNIT_STEPS", (1.0, 1.0))


def test_a_pool_of_processes(alone):
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert ds.sweep(STUDY, executor=pool).rows == alone.rows


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.usefixtures("small")
def test_processes_that_are_killed_or_hang(alone, how, tmp_path):
    struck = []

    def strike(trials, points):
        if not struck:
            struck.extend(child.pid for child in multiprocessing.active_children())
            for pid in struck:
                os.kill(pid, how)

    told = "workers were lost" if how == signal.SIGKILL else "no answer"
    with pytest.warns(Note, match=told):
        given = ds.Workers("processes", 2, timeout=60 if how == signal.SIGKILL else 3)
        found = ds.sweep(STUDY, store=tmp_path / "kept.ds3", executor=given, progress=strike)
    assert found.rows == alone.rows and len(struck) == 2
    with ds.Store.open(tmp_path / "kept.ds3") as store:
        assert store.contents().trials == 4 * 5000


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_dask(alone, tmp_path):
    distributed = pytest.importorskip("distributed")
    assert ds.sweep(STUDY, executor=ds.Workers("dask", 2)).rows == alone.rows
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())

        def strike(trials, points):
            if pids:
                os.kill(pids.pop(), signal.SIGKILL)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Note)
            found = ds.sweep(STUDY, store=tmp_path / "kept.ds3", executor=client.get_executor(), progress=strike)
        assert found.rows == alone.rows and not pids
        named = ds.Workers(f"dask:{cluster.scheduler_address}")
        assert ds.sweep(STUDY, executor=named).rows == alone.rows


@pytest.mark.slow
def test_ray(alone):
    pytest.importorskip("ray")
    assert ds.sweep(STUDY, executor=ds.Workers("ray", 2)).rows == alone.rows


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_slurm_by_a_srun_of_this_machine(alone, tmp_path, monkeypatch):
    pytest.importorskip("executorlib")
    srun = tmp_path / "srun"
    srun.write_text(
        '#!/bin/sh\nwhile [ "$1" != "${1#-}" ]; do case $1 in -n|-N) shift 2;; *) shift;; esac; done\nexec "$@"\n'
    )
    srun.chmod(srun.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(InputError, match="inside an allocation"):
        ds.sweep(STUDY, executor="slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert ds.sweep(STUDY, executor=ds.Workers("slurm", 2)).rows == alone.rows
