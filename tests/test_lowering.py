"""Every kernel can be translated for GPUs and TPUs, which needs no device; nothing here says how fast it is."""

import warnings
from contextlib import nullcontext

import jax
import numpy as np
import pytest
from jax import export
from test_kernels import TASKS, launch
from test_newcomer import Quorum

import ds3sim as ds
from ds3sim.engine.traces.gpu_walk import gpu_walk
from ds3sim.engine.traces.histogram import MOST_COMPARED, histogram
from ds3sim.engine.traces.outcome import correct, outcome
from ds3sim.engine.traces.pack import Job, waves
from ds3sim.engine.traces.tables import law_table
from ds3sim.engine.traces.walk import Rows, stage_sizes, walk
from ds3sim.training import bernoulli_rows, peeling

PLATFORMS = ("cuda", "tpu")
TRITON = ("__gpu$xla.gpu.triton", "triton_kernel_call_ffi")
RARE = ds.SkillGraph.from_edges(
    [("a", "b", 1e-9), ("a", "c", 0.4), ("c", "a", 0.5), ("c", "dead", 0.1), ("b", "goal", 0.5)],
    start="a", goal=["goal"], dead=["dead"],
)  # fmt: skip
TRACES = {
    **TASKS,
    "rare": ds.Task(RARE, steps=90),
    "beam, rare": ds.Task(RARE, ds.Beam(3, 2, 0.2), steps=12),
    "counted": ds.Task(ds.SkillGraph.chain(4, 0.3), aggregate=Quorum(3), steps=30),
}
ROWS = Rows(*(np.zeros(shape, np.uint32) for shape in ((8, 8, 2), (2, 8), (8, 2))), np.ones((8, 8), np.int32)).checked()
TABLE = np.zeros(4096, np.uint32), np.zeros(4096, np.uint32)


def lowered(kernel, arrays: tuple, platform: str, **static: object) -> str:
    """The kernel's code for a platform; a kernel that cannot be translated raises."""
    jitted = kernel if hasattr(kernel, "lower") else jax.jit(kernel, static_argnames=tuple(static))
    # Triton's code comes without a promise that later versions of JAX can run it: nothing is kept here.
    unchecked = [export.DisabledSafetyCheck.custom_call(name) for name in TRITON]
    module = export.export(jitted, platforms=[platform], disabled_checks=unchecked)(*arrays, **static).mlir_module()
    assert "func.func public @main" in module
    return module


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", TRACES)
def test_kernels_of_traces(name, platform):
    task = TRACES[name]
    shape, arrays, static, marks = launch(task, 3)
    assert lowered(shape.kernel, arrays, platform, **static)
    if shape.kernel is walk:
        lowered(shape.kernel, arrays, platform, **static, draws=4)
    ending = np.zeros((1, static["width"]), np.int32)
    lowered(outcome, (ending, arrays[0], marks), platform, n=task.n, kind=shape.outcome)
    lowered(correct, (ending,), platform, n=task.n)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("long", [False, True])
def test_walks_of_many_tasks(platform, long):
    found = lowered(walk, (ROWS, *TABLE), platform, width=1024, stages=stage_sizes(8 * 1024, long), draws=4)
    # An accelerator makes one kernel of a draw; a barrier would take it apart.
    assert "optimization_barrier" not in found
    assert "optimization_barrier" in lowered(walk, (ROWS, *TABLE), "cpu", width=1024, stages=(8192,))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("owners", "bins"), [(1, MOST_COMPARED), (1, 1024), (64, 2048)])
def test_histograms(platform, owners, bins):
    values, owner = np.zeros((8, 64), np.int32), np.zeros(8, np.int32)
    found = lowered(histogram, (values, owner), platform, owners=owners, bins=bins)
    assert "stablehlo.scatter" not in found
    assert ("stablehlo.sort" in found) == (owners * bins > MOST_COMPARED)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_votes_need_no_atomic_additions(platform):
    task = TRACES["vote"]
    shape, arrays, static, marks = launch(task, 3)
    ending = np.zeros((1, static["width"]), np.int32)
    found = lowered(outcome, (ending, arrays[0], marks), platform, n=task.n, kind=shape.outcome)
    scatters = found.count('"stablehlo.scatter"')
    assert scatters == 2 == found.count("unique_indices = true")


@pytest.mark.parametrize("rows", [1, 8])
def test_the_walk_in_registers(rows):
    """Triton's code: stores, and no atomic additions."""
    given = Rows(ROWS.keys[:rows], ROWS.first[:, :rows], ROWS.limit[:rows], ROWS.numbers[:, :rows])
    # Later versions of JAX ask which card it is for, and say that they will drop Triton.
    device = getattr(jax.sharding, "AbstractDevice", None)
    mesh = nullcontext()
    if device is not None:
        card = device(device_kind="NVIDIA H100 80GB HBM3", num_cores=132, platform="gpu")
        mesh = jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), (), (), abstract_device=card))
    with mesh, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = lowered(gpu_walk, (given, *TABLE), "cuda", width=1024)
    assert any(f"custom_call @{name}" in found for name in TRITON)
    assert "store" in found and "atomic" not in found


@pytest.mark.parametrize("platform", PLATFORMS)
def test_kernels_of_training(platform, monkeypatch):
    """Those that a small run calls, as it calls them."""
    called = []
    for module, name in ((bernoulli_rows, "_rows"), (peeling, "_peel")):
        kernel = getattr(module, name)

        def spied(*arguments, kernel=kernel):
            called.append(export.export(kernel, platforms=[platform])(*arguments).mlir_module())
            return kernel(*arguments)

        monkeypatch.setattr(module, name, spied)

    peeling.peel_graphs(2, 20, 30, seed=1)
    assert len(set(called)) == 2


def test_what_cannot_be_translated_is_noticed():
    """The check of this file can fail."""
    with pytest.raises(Exception, match=r"(?i)translation|lowering|not found|unimplemented"):
        lowered(jax.lax.linalg.eig, (np.eye(3, dtype=np.float32),), "tpu")


def test_tables_that_are_lowered_are_wide():
    assert len(law_table(RARE)) > 3
    (wave,) = waves([Job.of(TRACES["rare"], 0, ds.engine.limits.EngineOptions())], 1024, None)
    assert len(wave.ready[0].arrays) > 2
