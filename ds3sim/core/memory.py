"""Memory: how much there is, and a refusal before work that would not fit."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ds3sim.core.errors import InputError
from ds3sim.core.text import amount

_CGROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def free_memory() -> float:
    """Bytes that this process may still take: of the machine, or of the container that it runs in."""
    found = []
    with suppress(OSError, ValueError, AttributeError):
        found.append(float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.append(1024.0 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))))
    for limit, used in _CGROUPS:
        with suppress(OSError, ValueError):  # "max" is no number
            base = Path("/sys/fs/cgroup")
            found.append(float(int((base / limit).read_text()) - int((base / used).read_text())))
    return max(0.0, min(found, default=float("inf")))


def require_memory(need: float, what: str, fix: str) -> None:
    """Refuse work that needs more memory than is free.

    Args:
        need: bytes, of all that is held at once.
        what: the work, as the subject of a sentence.
        fix: what to do instead.

    Raises:
        InputError: it does not fit.
    """
    if need > 2**26 and need > (free := free_memory()):
        sizes = f"{amount(need / 2**30)} GiB of memory, and {amount(free / 2**30)} GiB are free"
        raise InputError(f"{what} needs about {sizes}: {fix}")
