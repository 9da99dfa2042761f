"""Executors by name: processes of this machine, Dask, Ray, Slurm; what others made is imported when it is asked for.

Every worker has its share of the cores, and one GPU where there are any.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context, parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from os import _exit
from typing import Any, NamedTuple

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.runtime import cache_folder, cores


class Opened(NamedTuple):
    """An executor, and how it is closed: at once, workers that hang are not waited for."""

    executor: Executor
    end: Callable[[], object]


@dataclass(frozen=True)
class Kind:
    """Executors of one name.

    Attributes:
        open: from an address (None: a new one on this machine) and a number of workers.
        extra: of ds3sim, that installs it; None: nothing is needed.
        remote: an address may be given.
        timeout: seconds without an answer that are too long.
    """

    open: Callable[[str | None, int | None], Opened]
    extra: str | None = None
    remote: bool = False
    timeout: float = 300.0


def kind_of(name: str) -> tuple[Kind, str | None]:
    """The kind of ``NAME`` or ``NAME:ADDRESS``, and the address; InputError for any other."""
    own, _, address = name.partition(":")
    known = ", ".join(f"{key}|{key}:ADDRESS" if kind.remote else key for key, kind in KINDS.items())
    require(own in KINDS, f"executor = {shown(name)} is not known: choose one of {known.replace('|', ', ')}")
    require(not address or KINDS[own].remote, f"executor = {shown(name)}: {own} has no address: leave it out")
    return KINDS[own], address or None


def _needed(module: str, extra: str) -> Any:
    """A module of an extra; InputError where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        told = f"executor = {extra} needs {module.split('.')[0]} ({error})"
        raise InputError(f"{told}: install it with: pip install 'ds3sim[{extra}]'") from None


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; asked without JAX, which takes them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name not in ("", "-1")]
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
        return re.findall(r"^GPU (\d+):", said, re.MULTILINE)
    return []


def settings(count: int) -> list[dict[str, str]]:
    """The environment of each of ``count`` workers of this machine: its share of the cores, one GPU, compiled kernels
    on disk. Workers that share a GPU take its memory as they need it."""
    cards, share = gpus(), str(max(1, cores() // count))
    common = {"DS3SIM_THREADS": share, **cache_folder()}
    if len(cards) < count:
        common["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    if not cards:
        return [common] * count
    return [{**common, "CUDA_VISIBLE_DEVICES": cards[i % len(cards)]} for i in range(count)]


def usual(count: int | None) -> int:
    """Workers of this machine where nobody says how many: one for each GPU, else for each core."""
    return count or len(gpus()) or cores()


# ---- processes of this machine ----------------------------------------------------------------------


class _Spawned(SpawnContext):
    """Processes that start afresh (forked ones would hang in JAX), and are known."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *args: Any, **options: Any) -> SpawnProcess:  # type: ignore[override]
        process = SpawnProcess(*args, **options)
        self.started.append(process)
        return process


def _begin(numbers: Any, own: list[dict[str, str]]) -> None:
    """The beginning of a worker: its environment; Ctrl-C is for who collects, and a worker ends with that process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(own[numbers.get()])
    parent = parent_process()

    def orphaned() -> None:
        if parent is not None:
            parent.join()
            _exit(1)

    threading.Thread(target=orphaned, daemon=True).start()


def _processes(_: str | None, count: int | None) -> Opened:
    count = usual(count)
    context, numbers = _Spawned(), get_context("spawn").SimpleQueue()
    for i in range(count):
        numbers.put(i)
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(numbers, settings(count)))

    def end() -> None:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in context.started:
            with suppress(ValueError, OSError):
                process.kill()

    return Opened(pool, end)


# ---- Dask --------------------------------------------------------------------------------------------


def _dask(address: str | None, count: int | None) -> Opened:
    distributed = _needed("distributed", "dask")
    cluster = None
    if address is None:
        quiet = {"dashboard": False, "silence_logs": logging.CRITICAL, "memory_limit": 0}
        own = [{"nthreads": 1, "env": env, **quiet} for env in settings(usual(count))]
        workers = {i: {"cls": distributed.Nanny, "options": options} for i, options in enumerate(own)}
        options = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": ":0"}
        scheduler = {"cls": distributed.Scheduler, "options": options}
        cluster = distributed.SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL)
    else:
        require(count is None, f"workers = {count} has no effect: the cluster at {address} has its own number")
    client = distributed.Client(address if cluster is None else cluster, timeout=30, set_as_default=False)

    def end() -> None:
        client.close(timeout=10)
        if cluster is not None:
            cluster.close(timeout=10)

    return Opened(client.get_executor(pure=False), end)


# ---- Ray ---------------------------------------------------------------------------------------------


class _Ray(Executor):
    """Ray's own future of each call; Ray itself sets CUDA_VISIBLE_DEVICES of a call that has a GPU."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        need = {"num_gpus": 1} if ray.cluster_resources().get("GPU") else {"num_cpus": 1}
        self._remote = ray.remote(_call).options(max_retries=0, **need)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        return self._remote.remote(fn, args, options).future()


def _call(work: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return work(*args, **options)


def _ray(address: str | None, count: int | None) -> Opened:
    ray = _needed("ray", "ray")
    require(address is None or count is None, f"workers = {count} has no effect: the cluster has its own number")
    size = {} if address is not None else {"num_cpus": usual(count), "include_dashboard": False}
    env = {"DS3SIM_THREADS": "1", **cache_folder()}
    ray.init(
        address=address or "local",
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": env},
        **size,
    )
    return Opened(_Ray(ray), ray.shutdown)


# ---- Slurm -------------------------------------------------------------------------------------------


def _slurm(_: str | None, count: int | None) -> Opened:
    executorlib = _needed("executorlib", "slurm")
    inside = os.environ.get("SLURM_JOB_ID")
    require(
        inside is not None, "executor = slurm works inside an allocation: begin with salloc or in a script of sbatch"
    )
    tasks = count or int(os.environ.get("SLURM_NTASKS", "1"))
    threads = int(os.environ.get("SLURM_CPUS_PER_TASK", "1"))
    cards = any(os.environ.get(name) for name in ("SLURM_GPUS", "SLURM_GPUS_ON_NODE", "SLURM_JOB_GPUS"))
    pool = executorlib.SlurmJobExecutor(
        max_workers=tasks,
        resource_dict={"threads_per_core": threads, "gpus_per_core": int(cards)},
        block_allocation=True,
        disable_dependencies=True,
        restart_limit=1000,
    )
    return Opened(pool, lambda: pool.shutdown(wait=False, cancel_futures=True))


KINDS = {
    "processes": Kind(_processes),
    "dask": Kind(_dask, "dask", remote=True),
    "ray": Kind(_ray, "ray", remote=True),
    "slurm": Kind(_slurm, "slurm", timeout=86400.0),
}
"""Every executor by name."""
