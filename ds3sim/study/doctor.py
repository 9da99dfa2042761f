"""``ds3sim doctor``: what there is, and whether it works."""

from __future__ import annotations

import numpy as np

from ds3sim.core import rng, runtime
from ds3sim.core.environment import environment
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.task import Task

# Known answers of Threefry-2x32-20 from the Random123 distribution: key, counter, result.
KNOWN = (
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
)


def diagnose() -> dict:
    """Versions, devices, settings, and ``checks`` with ``passed`` over all of them."""
    import jax

    devices = runtime.devices()
    checks = [_random_numbers(), _engine()]
    return {
        **environment(),
        "device": ", ".join(sorted({f"{d.platform} {d.device_kind}" for d in devices})),
        "accelerator_used": devices[0].platform != "cpu",
        "x64": bool(getattr(jax.config, "jax_enable_x64", False)),
        "compilation_cache": str(getattr(jax.config, "jax_compilation_cache_dir", None) or "off"),
        "checks": checks,
        "passed": all(check["passed"] for check in checks),
    }


def _random_numbers() -> dict:
    """Threefry against its authors' answers, in NumPy and on the device."""
    import jax.numpy as jnp

    wrong = []
    for key, counter, expected in KNOWN:
        for name, array in (("numpy", np.asarray), ("device", jnp.asarray)):
            words = [array(np.array([w], dtype=np.uint32)) for w in (*key, *counter)]
            got = tuple(int(word[0]) for word in rng.threefry2x32(*words))
            wrong += [] if got == expected else [f"{name} gave {got[0]:08x} {got[1]:08x}"]
    detail = "; ".join(wrong) or f"{len(KNOWN)} known answers, on the host and on the device"
    return {"name": "random numbers", "passed": not wrong, "detail": detail}


def _engine() -> dict:
    """A small simulation against linear algebra, to five standard errors."""
    from ds3sim.engine.simulate import exact, simulate

    task = Task(SkillGraph.chain(3, 0.4), steps=8)
    expected = float(exact(task).success(8))
    trials = 2**16
    estimate = float(simulate(task, traces=trials).success(8))
    z = (estimate - expected) / (expected * (1 - expected) / trials) ** 0.5
    detail = f"simulated {estimate:.5f}, exact {expected:.5f}, {z:+.1f} standard errors"
    return {"name": "traces engine", "passed": abs(z) < 5, "detail": detail}
