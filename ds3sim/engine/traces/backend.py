"""How the launches of a run are carried out: on which devices, how large, by which kernels."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from ds3sim.core import runtime
from ds3sim.engine.traces.choice import Choice
from ds3sim.engine.traces.gpu_walk import gpu_walk


@dataclass(frozen=True, eq=False)
class Backend:
    """What a run is carried out with. No choice here changes a tally.

    Attributes:
        devices: JAX devices, which take launches in turn.
        lanes: of a launch.
        threads: of the host, which prepare launches and wait for them.
        compiled: numba's loops stand in for XLA's.
        accelerator: launches are made for an accelerator: endings are counted where they are, many draws pass between
            two decisions of the host, and this chooses among the kernels of walks. None on CPU.
    """

    devices: list[Any]
    lanes: int
    threads: int
    compiled: bool = False
    accelerator: Choice | None = None

    @classmethod
    def found(cls, chunk: int | None = None) -> Backend:
        """What is there; ``chunk``: lanes of a launch, None fits the device. InputError: JAX cannot start."""
        devices = runtime.devices()
        first = devices[0]
        lanes = chunk or runtime.lanes_per_launch(first)
        threads = len(devices) * runtime.workers_per_device(first, len(devices))
        if first.platform == "cpu":
            return cls(devices, lanes, threads, runtime.compiled())
        return cls(devices, lanes, threads, accelerator=_choice(first.platform == "gpu" and runtime.fast()))


@functools.cache
def _choice(gpu: bool) -> Choice:
    """What this process has found out about the kernels of its accelerator."""
    return Choice(gpu_walk if gpu else None)
