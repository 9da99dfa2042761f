"""``doctor``: what there is, and whether it works."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core import rng, runtime
from ds3sim.core.errors import InputError
from ds3sim.core.figure import new_axes
from ds3sim.core.record import Record
from ds3sim.core.runtime import environment
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.task import Task

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# Known answers of Threefry-2x32-20 from the Random123 distribution: key, counter, result.
KNOWN = (
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
)


@dataclass(frozen=True)
class Check:
    """One self-test: its name, whether it passed, and what was seen."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, eq=False)
class Diagnosis(Record):
    """What ``doctor`` found.

    Attributes:
        environment: versions and threads.
        device: kinds of the devices, joined by commas.
        accelerator_used: whether engines run on something other than the CPU.
        x64: whether JAX computes with 64 bits throughout the process.
        compilation_cache: folder of compiled kernels, or ``off``.
        checks: the self-tests.

    >>> [check.name for check in ds.doctor().checks]
    ['random numbers', 'traces engine']
    """

    environment: Mapping[str, Any]
    device: str
    accelerator_used: bool
    x64: bool
    compilation_cache: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """All self-tests passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """As ``ds3sim doctor --json`` prints it."""
        own = super().to_dict()
        return own.pop("environment") | own | {"passed": self.passed}

    def to_dataset(self) -> xarray.Dataset:
        """``passed`` along ``check``, with what was seen as the coordinate ``detail``."""
        import xarray

        data = {"passed": ("check", [check.passed for check in self.checks], {"units": "1"})}
        seen = {"check": [c.name for c in self.checks], "detail": ("check", [c.detail for c in self.checks])}
        return xarray.Dataset(data, seen, {"device": self.device})

    def plot(self, ax: Axes | None = None) -> Axes:
        """The self-tests: a full bar for each that passed."""
        axes = new_axes(ax)
        axes.barh([check.name for check in self.checks], [float(check.passed) for check in self.checks])
        axes.set(xlim=(0, 1), xlabel="passed")
        return axes


def doctor() -> Diagnosis:
    """Versions, devices and settings, and a small self-test; where JAX cannot start, why.

    >>> ds.doctor().passed
    True
    """
    import jax

    runtime.compiled()  # so that what is wrong with numba is told
    try:
        devices = runtime.devices()
    except InputError as error:
        said = {"jax_platforms": os.environ.get("JAX_PLATFORMS", "")}
        cache = str(getattr(jax.config, "jax_compilation_cache_dir", None) or "off")
        return Diagnosis(environment() | said, "none", False, False, cache, (Check("devices", False, str(error)),))
    return Diagnosis(
        environment(),
        ", ".join(sorted({f"{d.platform} {d.device_kind}" for d in devices})),
        devices[0].platform != "cpu",
        bool(getattr(jax.config, "jax_enable_x64", False)),
        str(getattr(jax.config, "jax_compilation_cache_dir", None) or "off"),
        (_random_numbers(), _engine()),
    )


def _random_numbers() -> Check:
    """Threefry against its authors' answers, in NumPy and on the device."""
    wrong: list[str] = []
    for key, counter, expected in KNOWN:
        for name, module in (("numpy", "numpy"), ("device", "jax.numpy")):
            array = import_module(module).asarray
            words = [array(np.array([w], dtype=np.uint32)) for w in (*key, *counter)]
            got = tuple(int(word[0]) for word in rng.threefry2x32(*words))
            wrong += [] if got == expected else [f"{name} gave {got[0]:08x} {got[1]:08x}"]
    detail = "; ".join(wrong) or f"{len(KNOWN)} known answers, on the host and on the device"
    return Check("random numbers", not wrong, detail)


def _engine() -> Check:
    """A small simulation against linear algebra, to five standard errors."""
    from ds3sim.engine.simulate import exact, simulate

    task = Task(SkillGraph.chain(3, 0.4), steps=8)
    expected = float(exact(task).success(8))
    trials = 2**16
    estimate = float(simulate(task, traces=trials).success(8))
    z = (estimate - expected) / (expected * (1 - expected) / trials) ** 0.5
    detail = f"simulated {estimate:.5f}, exact {expected:.5f}, {z:+.1f} standard errors"
    return Check("traces engine", abs(z) < 5, detail)
