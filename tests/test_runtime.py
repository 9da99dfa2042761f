"""Where JAX cannot be used: platforms that are not there, tracing, forked processes; and its scalars are numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ds3sim as ds

ROOT = Path(__file__).parents[1]
CHAIN = ds.SkillGraph.chain(4, 0.3)
TASK = ds.Task(CHAIN, steps=40)
CONFIG = """
[graph]
kind = "chain"
skills = 3
success = 0.5
[budget]
steps = 10
[engine]
traces = 100
"""


def python(program, folder, **environment):
    """(exit code, stdout, stderr) of a program in a process of its own."""
    command = [sys.executable, *program]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "command",
    ["run x.toml", "sweep x.toml --store s.db", "validate x.toml", "train m.toml", "reproduce disorder --out f"],
)
def test_a_platform_that_is_not_there_is_one_line(tmp_path, command):
    (tmp_path / "x.toml").write_text(CONFIG)
    (tmp_path / "m.toml").write_text("[model]\ntraining_flops = 3.35e25\n")
    code, out, err = python(["-m", "ds3sim", *command.split()], tmp_path, JAX_PLATFORMS="nonsense")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("error: JAX_PLATFORMS = nonsense: JAX cannot start: ") and "set it to cpu" in err


def test_a_device_that_is_not_there_is_diagnosed(tmp_path):
    code, out, err = python(["-m", "ds3sim", "doctor", "--json"], tmp_path, JAX_PLATFORMS="cuda")
    if code == 0:
        pytest.skip("there is a GPU")
    found = json.loads(out)
    assert code == 2 and not found["passed"] and found["jax_platforms"] == "cuda" and err.count("\n") == 1
    assert found["checks"][0]["detail"] in err and "JAX_PLATFORMS = cuda" in err


def test_what_needs_no_device_runs_without(tmp_path):
    (tmp_path / "x.toml").write_text(CONFIG)
    command = ["-m", "ds3sim", "run", "x.toml", "--engine", "exact", "--json"]
    code, out, err = python(command, tmp_path, JAX_PLATFORMS="nonsense")
    assert (code, err) == (0, "") and json.loads(out)["engine"] == "exact"


@pytest.mark.parametrize("engine", ["traces", "population", "importance"])
@pytest.mark.parametrize("transform", [jax.jit, lambda f: jax.jit(jax.grad(f)), lambda f: jax.grad(jax.jit(f))])
def test_no_simulation_inside_of_jit(engine, transform):
    def program(x):
        return x * ds.simulate(TASK, 100, engine=engine).success(40).estimate

    with pytest.raises(ds.InputError, match="outside of jit"):
        transform(program)(1.0)
    assert program(1.0) > 0.9


FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")
import ds3sim as ds
task = ds.Task(ds.SkillGraph.chain(4, 0.3), steps=40)
exec(sys.argv[1])
if os.fork() == 0:
    try:
        print(ds.exact(task).success(40).estimate > 0.9, ds.simulate(task, 100, engine="population").traces, flush=True)
        print(ds.simulate(task, 100).traces, flush=True)
    except ds.InputError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("before", ["ds.simulate(task, 100)", "import jax; jax.numpy.zeros(3).block_until_ready()"])
def test_a_process_forked_after_jax_ran_is_refused(tmp_path, before):
    code, out, err = python(["-c", FORKED, before], tmp_path)
    assert code == 0, err
    first, second = out.splitlines()
    assert first == "True 100" and "forked after JAX had run" in second and "spawn" in second


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_process_forked_before_jax_ran_simulates(tmp_path):
    code, out, err = python(["-c", FORKED, "import jax"], tmp_path)
    assert code == 0, err
    assert out.splitlines() == ["True 100", "100"]


# ---- scalars ----------------------------------------------------------------------------------------

SCALARS = {
    "jax": (jnp.float32, jnp.int32),
    "numpy": (np.float32, np.int16),
    "no axes": (np.array, np.array),
}


def study(real, whole):
    strategies = {"a": ds.ToT(whole(2), real(0.25)), "b": ds.BestOfN(whole(2), ds.Verifier(real(0.75), real(0.25)))}
    graph = ds.SkillGraph.chain(whole(4), real(0.25), feasible=real(0.5))
    return ds.Study(graph, strategies=strategies, tokens=[real(500)], traces=whole(100), seed=whole(2))


def stored(real, whole):
    with ds.Store.in_memory() as store:
        store.add(ds.simulate(TASK, traces=whole(100), seed=whole(3)))
        rest = store.missing(TASK.identity, "traces", whole(3), whole(0), whole(150))
        return store.tally(TASK.identity, "traces", whole(3), end=whole(100)).hits.tolist(), rest


CALLS = {
    "graph": lambda real, whole: ds.SkillGraph.layered(whole(3), whole(2), real(0.5), death=real(0.25)).digest,
    "latent": lambda real, whole: ds.SkillGraph.latent(real(0.5), real(0.5), real(1.5)).digest,
    "simulate": lambda real, whole: ds.simulate(TASK, whole(100), whole(3), first=whole(5), chunk=whole(128)).hits,
    "until": lambda real, whole: ds.simulate(TASK, relative_error=real(0.25), max_traces=whole(1000)).hits,
    "vote": lambda real, whole: (
        ds.exact(
            ds.Task(CHAIN, aggregate=ds.Majority(whole(3), ds.GeometricErrors(whole(3), real(0.5))), steps=whole(60))
        )
        .success(whole(60))
        .estimate
    ),
    "run": lambda real, whole: ds.run(study(real, whole)).to_frame()["success"],
    "store": stored,
    "estimate": lambda real, whole: (
        ds.pass_at_k(
            ([10, 10, 10], [3, 7, 0]), whole(2), level=real(0.875), seed=whole(1), resamples=whole(100)
        ).success
    ),
    "validate": lambda real, whole: ds.validate(study(real, whole), seed=whole(1), perturb=real(0.0)).checks,
}


@pytest.mark.parametrize("kind", SCALARS)
@pytest.mark.parametrize("call", CALLS)
def test_scalars_are_numbers(kind, call):
    found, expected = CALLS[call](*SCALARS[kind]), CALLS[call](float, int)
    assert np.array_equal(found, expected) if isinstance(found, np.ndarray) else str(found) == str(expected)


@pytest.mark.parametrize("kind", SCALARS)
def test_integer_scalars_name_nodes(kind):
    _, whole = SCALARS[kind]
    edges = [(whole(0), whole(1), 0.5), (whole(1), whole(2), 0.25)]
    graph = ds.SkillGraph.from_edges(edges, start=whole(0), goal=[whole(2)])
    assert graph.names == ("0", "1", "2") and graph.shortest_path == 2
