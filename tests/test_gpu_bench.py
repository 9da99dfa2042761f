"""The benchmark of GPUs where there is none: its parts run, tiny, and it says that there is nothing to measure."""

import ctypes
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import by_hand, gpu, gpu_report, machine
from benchmarks.cases import cases
from benchmarks.gpu import SMALL, Bench, Launch, kinds

CPU = jax.devices("cpu")[0]
SIZES = replace(SMALL, traces=64, lanes=(64,), long=256, points=3, each=50, values=256, bins=(32, 512), draws=(1,))
EMULATION = """
#include <string.h>
struct uint2 { unsigned int x, y; };
struct place { unsigned int x; };
static place threadIdx, blockIdx, blockDim, gridDim;
static unsigned int __funnelshift_l(unsigned int x, unsigned int, int by) { return x << by | x >> (32 - by); }
template <class T> T __ldg(const T *at) { return *at; }
template <class T> void atomicAdd(T *at, T more) { *at += more; }
#define __device__
#define __global__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __syncthreads()
uint2 space[1 << 20];
"""
"""One thread a block, one block after the other: what walk.cu then needs of CUDA."""


def test_without_a_gpu_nothing_is_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: [CPU])
    monkeypatch.setattr(machine, "gpu", lambda: None)
    assert gpu_report.main(False, tmp_path) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: there is no GPU: JAX sees cpu alone") and err.count("\n") == 1
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(machine, "gpu", lambda: "NVIDIA H100")
    assert gpu_report.main(False, tmp_path) == 1
    assert "a card (NVIDIA H100), but JAX sees only cpu" in capsys.readouterr().err
    assert gpu_report.no_gpu([SimpleNamespace(platform="gpu")]) is None


@pytest.mark.parametrize("part", ["throughput", "tuning", "histograms", "whole_runs", "sweeps", "memory"])
def test_parts(part):
    rows = getattr(gpu, part)(Bench(CPU, SIZES))
    assert rows and not any("failed" in row for row in rows)
    assert all(row["equal"] for row in rows if "equal" in row)
    rates = [value for row in rows for name, value in row.items() if name.endswith("per_s")]
    assert all(rate > 0 for rate in rates) and (rates or part in ("histograms", "sweeps", "memory"))


def test_correctness(monkeypatch):
    """Equal tallies, and unequal ones where a kernel is wrong."""
    few = {name: kinds()[name] for name in ("best of 5", "latent")}
    monkeypatch.setattr(gpu, "kinds", lambda: few)
    bench = Bench(CPU, SIZES)
    assert [row["equal"] for row in gpu.correctness(bench)] == [True] * 3
    monkeypatch.setattr(Bench, "registers", property(lambda self: lambda rows, *tables, width: np.zeros((1, width))))
    assert [row["equal"] for row in gpu.correctness(bench)] == [True, True, False]


def test_a_run_and_its_report(monkeypatch, tmp_path, capsys):
    """A part that fails leaves the others; what is unequal is said and makes the command fail."""

    def equal(bench):
        return [{"what": "x", "equal": True}]

    def fails(bench):
        raise RuntimeError("out of memory")

    for name in ("correctness", "throughput", "tuning", "histograms", "whole_runs", "sweeps", "by_hand", "memory"):
        made = fails if name == "tuning" else equal
        monkeypatch.setattr(gpu, name, type(made)(made.__code__, made.__globals__, name))
    monkeypatch.setattr(jax, "devices", lambda: [CPU])
    assert gpu_report.main(True, tmp_path) == 0
    out, _ = capsys.readouterr()
    assert "THE TIMES BELOW MEAN NOTHING" in out and "RuntimeError: out of memory" in out and "bit for bit" in out
    assert not list(tmp_path.iterdir())
    wrong = {"correctness": [{"what": "x", "equal": False}, {"not run": "late"}]}
    assert len(gpu_report.wrong(wrong)) == 2


def test_the_aims():
    found = {
        "throughput": [{"words_per_s": 1.0}, {"case": "chain S=11", "live_steps_per_s": 2e12}],
        "by_hand": [{"case": "chain S=11", "live_steps_per_s": 4e12}],
        "sweeps": [{"where": "device"}, {"equal": True, "faster": 12.0}],
        "correctness": [],
    }
    assert [(have, need) for _, have, need in gpu_report.wanted(found)] == [(2e12, 1e12), (0.5, 0.7), (12.0, 10.0)]
    assert gpu_report.wanted({"throughput": [{"failed": "no"}]}) == []
    result = {"date": "d", "rehearsal": False, "machine": machine.describe(), "card": gpu.card(CPU), "parts": found}
    text = gpu_report.markdown(json.loads(json.dumps(result)))
    assert "share of the kernel by hand at S = 11: 0.5, wanted 0.7" in text and "| chain S=11 | 2e+12 |" in text


def test_draws_of_a_launch():
    """The chain at S = 11: draws of a trace are counted from the exact law, and no fewer than steps over L."""
    case = cases()[0]
    launch = Launch.of(case, 256, CPU)
    steps = int(launch.rows.numbers[5, 0])
    assert case.law.live_steps / steps <= launch.draws_each <= case.law.live_steps / steps + 1
    assert launch.lanes == 256


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++: the kernel by hand is not run on the host")
@pytest.mark.parametrize("local", [False, True])
def test_the_kernel_by_hand_counts_what_ours_does(tmp_path, local):
    program, library = tmp_path / "walk.cpp", tmp_path / "walk.so"
    calls = "blockDim.x = 1; gridDim.x = 7; for (blockIdx.x = 0; blockIdx.x < 7; blockIdx.x++)"
    types = ["const uint2 *t", *(f"u32 a{i}" for i in range(11)), "u64 *c"]
    names = ", ".join(["t", *(f"a{i}" for i in range(11)), "c"])
    run = f'extern "C" void run({", ".join(types)}) {{ {calls} walk({names}); }}'
    program.write_text(f"{EMULATION}\n{by_hand.SOURCE.read_text()}\n{run}\n")
    subprocess.run(["g++", "-O1", "-w", "-shared", "-fPIC", "-o", library, program], check=True, timeout=120)
    launch = Launch.of(replace(cases()[0], steps=77), 1024, CPU)
    table = np.ascontiguousarray(by_hand.paired(launch.tables))
    counts = np.zeros(2 * 77 + 4, np.uint64)
    given = [ctypes.c_uint32(int(a)) for a in by_hand.arguments(launch.rows, 0, len(table), local)]
    ctypes.CDLL(str(library)).run(ctypes.c_void_p(table.ctypes.data), *given, ctypes.c_void_p(counts.ctypes.data))
    expected = np.bincount(np.asarray(launch.usual(1)()).ravel(), minlength=counts.size)
    np.testing.assert_array_equal(counts.astype(np.int64), expected)
    assert np.count_nonzero(expected) > 20


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="there is no nvcc: the kernel by hand is not compiled")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_the_kernel_by_hand_is_compiled(tmp_path, architecture):
    """No card is needed for that; a thread keeps its walk in registers."""
    command = [
        "nvcc",
        f"-arch={architecture}",
        "-Xptxas",
        "-v",
        "-cubin",
        "-o",
        tmp_path / "walk.cubin",
        by_hand.SOURCE,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stderr
    assert "0 bytes spill stores, 0 bytes spill loads" in said
    assert int(said.split(" registers")[0].split()[-1]) <= 32
