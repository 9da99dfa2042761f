"""Devices and threads: where kernels run, and what a result was computed with."""

from __future__ import annotations

import functools
import gc
import os
import platform
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


def cores() -> int:
    """CPU cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


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
    """Walks in one kernel launch: enough to make the cost of a launch small, or to fill an accelerator."""
    return 2**17 if device.platform == "cpu" else 2**21


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


def configure_process() -> None:
    """Settings for a process that is ours (the command line): keep compiled kernels on disk, and look for garbage
    rarely, since the points of a sweep are many objects that stay.

    The library never calls this; importing ds3sim changes no setting of JAX. A cache folder that
    cannot be written is left alone. The folder is $DS3SIM_CACHE, else the user's cache folder.

    Raises:
        InputError: JAX cannot start.
    """
    import jax

    gc.set_threshold(100_000, 20, 100)
    base = os.environ.get("DS3SIM_CACHE")
    folder = Path(base or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ds3sim") / "xla"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
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
