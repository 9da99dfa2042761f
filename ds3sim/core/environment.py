"""What a result was computed with."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from ds3sim.core import runtime


def version() -> str:
    """The installed version of ds3sim."""
    return _version("ds3sim") or "0+unknown"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def environment() -> dict:
    """Versions, device and threads. JAX is asked for its device only where it was used and can be."""
    from jaxlib import version as jaxlib

    jax = sys.modules.get("jax")
    try:
        devices = jax.devices() if jax is not None else []
    except (RuntimeError, AssertionError):  # JAX cannot start: engines say so
        devices = []
    return {
        "ds3sim": version(),
        "jax": _version("jax"),
        "jaxlib": jaxlib.__version__,
        "numpy": _version("numpy"),
        "scipy": _version("scipy"),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "device": getattr(devices[0], "device_kind", str(devices[0])) if devices else "cpu",
        "devices": max(1, len(devices)),
        "threads": runtime.cores(),
    }
