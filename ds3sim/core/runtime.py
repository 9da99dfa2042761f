"""Devices and threads: where kernels run, and what a result was computed with."""

from __future__ import annotations

import functools
import gc
import os
import platform
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ds3sim.core import forks
from ds3sim.core.errors import InputError, require
from ds3sim.core.text import short


def cores() -> int:
    """CPU cores this process may use; ``DS3SIM_THREADS`` in the environment says fewer, as for one worker of many."""
    try:
        found = len(os.sched_getaffinity(0))
    except AttributeError:
        found = os.cpu_count() or 1
    said = os.environ.get("DS3SIM_THREADS", "")
    return min(found, max(1, int(said))) if said.isascii() and said.isdigit() else found


def devices() -> list[Any]:
    """JAX devices of the default backend, looked at before anything is computed with them.

    Raises:
        InputError: JAX cannot start, it is used inside of jit, or this process was forked after it had run.
    """
    require(
        not forks.inherited,
        "this process was forked after JAX had run, and its copy of JAX would hang: start processes with"
        ' multiprocessing.get_context("spawn") or "forkserver"',
    )
    import jax

    try:
        found = jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        asked = os.environ.get("JAX_PLATFORMS")
        named = f"JAX_PLATFORMS = {asked}: " if asked else ""
        why = str(error).split(" (set JAX_PLATFORMS")[0] or "there is no such device, or JAX was installed without it"
        raise InputError(
            f"{named}JAX cannot start: {why}: unset JAX_PLATFORMS, or set it to cpu (ds3sim doctor shows what there is)"
        ) from None
    outside_jit()
    return found


def join(coordinator: str | None = None, process: int | None = None, processes: int | None = None) -> int:
    """Make this process one of a job's, before JAX is used; returns its number.

    Args:
        coordinator: HOST:PORT of process 0, of which any free port will do; None: srun or mpirun say it.
        process, processes: its number, and how many there are; None: as above.

    Raises:
        InputError: only some of them are given, there is no job, or not all processes came.
    """
    given = (coordinator, process, processes)
    require(process is None or processes is None or process < processes, f"--process {process}: they are 0 to N - 1")
    told = "--coordinator, --process and --processes belong together: give all three, or none under srun or mpirun"
    require(all(one is None for one in given) or all(one is not None for one in given), told)
    if coordinator is not None:
        host, _, port = coordinator.rpartition(":")
        told = f"--coordinator {coordinator}: give HOST:PORT of process 0, as in node1:12355"
        require(bool(host) and port.isdigit() and 0 < int(port) < 2**16, told)
        try:
            socket.getaddrinfo(host.strip("[]"), int(port))
        except OSError as error:
            raise InputError(
                f"--coordinator {coordinator}: {host} is not known ({error}): give a host's name"
            ) from None
    if processes == 1:
        return 0
    import jax

    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself
    alone = coordinator is not None
    try:
        jax.distributed.initialize(
            coordinator, processes, process, cluster_detection_method="deactivate" if alone else None
        )
    except (RuntimeError, ValueError) as error:
        why = short(error, 200)
        fix = "is that address right, and were all processes started?" if alone else "give --coordinator HOST:PORT"
        raise InputError(f"the processes of the job cannot find each other ({why}): {fix}") from None
    return rank()[0]


def leave() -> None:
    """Leave the job, when all others do."""
    import jax

    jax.distributed.shutdown()


def rank() -> tuple[int, int]:
    """(number of this process, processes of the job); (0, 1) where it is alone."""
    import jax

    devices()
    return jax.process_index(), jax.process_count()


def outside_jit() -> None:
    """Refuse to simulate while JAX traces: what is computed once would stand for every later call.

    Raises:
        InputError: this is called inside of jit.
    """
    jax = sys.modules.get("jax")
    if jax is not None and not forks.inherited:
        traced = isinstance(jax.numpy.add(0, 0), jax.core.Tracer)
        require(not traced, "simulations cannot run while JAX traces: call this outside of jit")


def cpu_device() -> Any:
    """The CPU as a JAX device, also where there is an accelerator; else (``JAX_PLATFORMS``) what there is.

    Raises:
        InputError: as :func:`devices`.
    """
    found = devices()
    import jax

    with suppress(RuntimeError):
        found = jax.local_devices(backend="cpu")
    return found[0]


def fast() -> bool:
    """Whether other kernels may stand in for XLA's: the environment has no ``DS3SIM_FAST=0``."""
    return os.environ.get("DS3SIM_FAST") != "0"


def compiled() -> bool:
    """Whether loops compiled by numba stand in for XLA's on CPU devices: they do where numba works (the extra
    ``fast``), unless the environment has ``DS3SIM_FAST=0``. They give the same numbers, bit for bit."""
    return fast() and numba_fault() is None


@functools.cache
def numba_fault() -> str | None:
    """Why numba cannot be used, in a few words; None where it can. Numba refuses a NumPy that it does not know, and
    folders of which none can keep what it compiles."""
    try:
        from numba import njit

        njit(cache=True)(cores)
    except Exception as error:  # whatever is wrong with it, there is XLA
        return "not installed" if isinstance(error, ModuleNotFoundError) else f"{str(error).splitlines()[0]:.80}"
    return None


def walks() -> str:
    """What makes the walks on CPU devices, for people."""
    asked = fast() and find_spec("numba") is not None
    fault = numba_fault() if asked and "numba" in sys.modules else None  # else it costs half a second to ask
    return "xla" if not asked else f"numba {_version('numba')}" if fault is None else f"xla (numba: {fault})"


def workers_per_device(device: Any, count: int) -> int:
    """Host threads that feed one device.

    XLA runs our loops on one core of a CPU device, and calls from different threads side by side: such a device gets
    its share of the cores. An accelerator gets four, so that the next launches are prepared and queued while one runs.
    """
    return max(1, cores() // count) if device.platform == "cpu" else 4


def lanes_per_launch(device: Any) -> int:
    """Walks in one kernel launch: enough to make the cost of a launch small. At 10^12 steps a second an accelerator
    walks 2^24 of some 50 steps in a millisecond, about what the host needs to prepare them."""
    return 2**17 if device.platform == "cpu" else 2**24


def in_order(
    launch: Callable[..., Any],
    work: Iterable[tuple[Any, ...]],
    threads: int,
    take: Callable[[tuple[Any, ...], Any], None],
) -> None:
    """``take(args, launch(*args))`` for each ``args`` of ``work``, in its order; ``launch`` runs in threads.

    At most two launches a thread wait in the queue. After Ctrl-C, or any other exception, the queue is emptied: only
    launches under way are waited for.
    """
    waiting: deque[Any] = deque()

    def oldest() -> None:
        args, future = waiting[0]
        found = future.result()
        waiting.popleft()
        take(args, found)

    with ThreadPoolExecutor(threads) as pool:
        try:
            for args in work:
                waiting.append((args, pool.submit(launch, *args)))
                while len(waiting) > 2 * threads:
                    oldest()
            while waiting:
                oldest()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def cache_folder() -> dict[str, str]:
    """JAX's settings, as variables of the environment, that keep compiled kernels on disk: in $DS3SIM_CACHE, else the
    user's cache folder. Empty where that cannot be written."""
    base = os.environ.get("DS3SIM_CACHE")
    folder = Path(base or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ds3sim") / "xla"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        return {}
    return {"JAX_COMPILATION_CACHE_DIR": str(folder), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3"}


def configure_process(collects: bool = False) -> None:
    """Settings for a process that is ours (the command line): keep compiled kernels on disk, and look for garbage
    rarely, since the points of a sweep are many objects that stay.

    The library never calls this; importing ds3sim changes no setting of JAX.

    Args:
        collects: workers compute for this process, and it leaves accelerators to them.

    Raises:
        InputError: JAX cannot start.
    """
    import jax

    gc.set_threshold(100_000, 20, 100)
    for name, value in cache_folder().items():
        jax.config.update(name.lower(), float(value) if name.endswith("SECS") else value)
    if collects:
        jax.config.update("jax_platforms", "cpu")
    devices()


def version() -> str:
    """The installed version of ds3sim."""
    return _version("ds3sim") or "0+unknown"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def environment() -> dict[Any, Any]:
    """Versions, device and threads. JAX is asked for its device only where it was used and can be."""
    from jaxlib import version as jaxlib

    jax = sys.modules.get("jax")
    try:
        found = jax.devices() if jax is not None else []
    except (RuntimeError, AssertionError):  # JAX cannot start: engines say so
        found = []
    return {
        "ds3sim": version(),
        "jax": _version("jax"),
        "jaxlib": jaxlib.__version__,
        "numpy": _version("numpy"),
        "scipy": _version("scipy"),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "device": getattr(found[0], "device_kind", str(found[0])) if found else "cpu",
        "devices": max(1, len(found)),
        "threads": cores(),
        "walks": walks(),
    }
