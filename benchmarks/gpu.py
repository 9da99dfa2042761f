"""python -m benchmarks --gpu: what the traces engine does on a GPU, in one command of a few minutes.

Nothing here is known before it is run: each part measures, or says why it could not. A rehearsal runs the same parts on
the CPU with tiny sizes, to show that they work; its times mean nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.cases import Case, cases
from ds3sim.core import rng, runtime
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.traces.backend import Backend
from ds3sim.engine.traces.choice import Choice
from ds3sim.engine.traces.gpu_walk import gpu_walk
from ds3sim.engine.traces.histogram import histogram
from ds3sim.engine.traces.pack import Job, waves
from ds3sim.engine.traces.run import tallies
from ds3sim.engine.traces.walk import Rows, jitted, stage_sizes, walk
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.aggregate import BestOfN, Majority
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task
from ds3sim.task.wrong_answers import GeometricErrors

SEED = 20250701
SECONDS = 420.0
"""After so many seconds no further part is begun."""


@dataclass(frozen=True)
class Sizes:
    """How much is done: ``traces`` of a comparison with the CPU, ``lanes`` of launches, ``long`` traces of a whole run,
    ``points`` of a sweep with ``each`` traces, ``values`` of a histogram, ``seconds`` of one timing at least."""

    traces: int = 2**21 + 12345
    lanes: tuple[int, ...] = (2**18, 2**20, 2**22, 2**24)
    long: int = 2**30
    points: int = 10_000
    each: int = 10_000
    values: int = 2**21
    bins: tuple[int, ...] = (64, 256, 512, 1024, 4096, 65536)
    seconds: float = 0.05
    draws: tuple[int, ...] = (1, 2, 4, 8)
    programs: tuple[int, ...] = (2**12, 2**13, 2**14, 2**15)
    warp_lanes: tuple[int, ...] = (32, 64)


SMALL = Sizes(300, (256,), 2**12, 12, 100, 2**12, (64, 1024), 0.0, (1, 2), (4,), (32,))


@dataclass
class Bench:
    """A device, how much is done on it, and what was found: rows of plain values by part."""

    device: Any
    sizes: Sizes = field(default_factory=Sizes)
    begun: float = field(default_factory=time.perf_counter)
    found: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def rehearsal(self) -> bool:
        """The device is no GPU."""
        return self.device.platform != "gpu"

    def run(self, say: Callable[[str], None]) -> dict[str, list[dict[str, Any]]]:
        """Every part; one that fails says why, and the others go on."""
        for part in (correctness, throughput, tuning, histograms, whole_runs, sweeps, by_hand, memory):
            name = part.__name__
            if time.perf_counter() - self.begun > SECONDS:
                self.found[name] = [{"not run": f"{SECONDS:.0f} s were over"}]
                continue
            say(f"{name} ...")
            rows = self.found.setdefault(name, [])
            try:
                rows += part(self)
            except ImportError as lacking:
                rows.append({"not run": f"{lacking}"})
            except Exception as fault:
                rows.append({"failed": f"{type(fault).__name__}: {str(fault)[:300]}"})
        return self.found

    @property
    def registers(self) -> Callable[..., Any]:
        """The walk in registers, as this device can run it."""
        return partial(gpu_walk, interpret=True) if self.rehearsal else gpu_walk

    def backend(self, walks: Choice | None = None) -> Backend:
        """The device as an accelerator."""
        lanes = self.sizes.lanes[0] if self.rehearsal else runtime.lanes_per_launch(self.device)
        return Backend([self.device], lanes, 4, accelerator=walks or Choice())


def cpu() -> Backend:
    """The CPU cores of this machine, as the engine uses them where there is no accelerator."""
    device = runtime.cpu_device()
    if device.platform != "cpu":
        raise RuntimeError("JAX sees no CPU to compare with: leave JAX_PLATFORMS unset, or say cuda,cpu")
    lanes, threads = runtime.lanes_per_launch(device), runtime.workers_per_device(device, 1)
    return Backend([device], lanes, threads, runtime.compiled())


def seconds(call: Callable[[], Any], least: float) -> float:
    """Seconds of one call: the best of three rounds of as many calls, queued, as take ``least`` seconds."""
    import jax

    def many(times: int) -> float:
        begin = time.perf_counter()
        jax.block_until_ready([call() for _ in range(times)])
        return time.perf_counter() - begin

    many(1)  # compiled
    times = max(1, min(64, int(least / max(1e-9, many(1)))))
    return min(many(times) for _ in range(3)) / times


@dataclass(frozen=True)
class Launch:
    """A launch of single traces of a case: its rows, tables and sizes on a device."""

    rows: Rows
    tables: tuple[Any, Any]
    width: int
    long: bool
    draws_each: float

    @classmethod
    def of(cls, case: Case, lanes: int, device: Any) -> Launch:
        import jax

        task = Task(case.graph, steps=case.steps)
        job = Job.of(task, 0, EngineOptions(traces=2**40))
        (wave,) = waves([job], lanes, None, accelerator=Choice())
        ready, size = wave.ready[0], wave.rows
        keys = rng.batch_keys(SEED, [task.identity] * size, range(size))
        numbers = np.repeat([[wave.width], [1], [0], *([n] for n in ready.law), [task.max_steps]], size, axis=1)
        rows = Rows(
            keys, np.zeros((2, size), np.uint32), np.repeat(ready.limit[None], size, axis=0), numbers.astype(np.int32)
        ).checked()
        rows, tables = jax.device_put((rows, ready.arrays), device)
        # A trace that ends at step k has taken ceil(k / L) draws.
        times, (_, _, steps, rounds) = np.arange(case.steps + 1), ready.law
        draws = np.maximum(1, -(-times // steps))
        each = case.law.bins @ np.concatenate([draws, draws, [rounds]])
        return cls(rows, tables, wave.width, wave.shape.long, float(each))

    @property
    def lanes(self) -> int:
        return self.width * len(self.rows.keys)

    def usual(self, draws: int) -> Callable[[], Any]:
        """XLA's loop."""
        static = {"width": self.width, "stages": stage_sizes(self.lanes, self.long), "draws": draws}
        return lambda: jitted(walk, *static)(self.rows, *self.tables, **static)

    def registers(self, kernel: Callable[..., Any], **how: int) -> Callable[[], Any]:
        """The walk in registers."""
        import jax

        call = jax.jit(partial(kernel, width=self.width, **how))
        return lambda: call(self.rows, *self.tables)


def kinds() -> dict[str, Task]:
    """A task for every kernel and aggregator."""
    chain, random = SkillGraph.chain(6, 0.3, feasible=0.8), SkillGraph.random(64, 0.9, degree=8, seed=1, feasible=0.9)
    return {
        "single": Task(chain, steps=80),
        "single, S=64": Task(random, steps=256),
        "best of 5": Task(chain, aggregate=BestOfN(5), steps=400),
        "per trace": Task(chain, aggregate=BestOfN(5), steps=400, feasibility="per_trace"),
        "vote of 9": Task(chain, aggregate=Majority(9, GeometricErrors(4, 0.5)), steps=720),
        "beam": Task(chain, Beam(3, 2, 0.2), steps=24),
        "latent": Task(SkillGraph.latent(0.85, 0.5, 2.5), aggregate=BestOfN(8), steps=8),
        "long": Task(SkillGraph.chain(40, 0.4), steps=400),
    }


def correctness(bench: Bench) -> list[dict[str, Any]]:
    """Tallies of the device and of the CPU, bit for bit; and the endings of both kernels of walks."""
    out = []
    for name, task in kinds().items():
        few = bench.sizes.traces // (8 if name == "beam" else 1)
        runs = [tallies([task], EngineOptions(traces=few), SEED, [0], backend=b)[0] for b in (bench.backend(), cpu())]
        equal = all(np.array_equal(getattr(runs[0], x), getattr(runs[1], x)) for x in ("hits", "deaths", "task_hits"))
        equal &= runs[0].feasible == runs[1].feasible and runs[0].squares == runs[1].squares
        out.append({"what": f"tally: {name}", "traces": few * task.n, "equal": bool(equal)})
    for case in shown(bench):
        launch = Launch.of(case, bench.sizes.lanes[0], bench.device)
        found, expected = launch.registers(bench.registers)(), launch.usual(1)()
        equal = bool(np.array_equal(found, expected))
        out.append({"what": f"walk in registers: {case.name}", "traces": launch.lanes, "equal": equal})
    return out


def shown(bench: Bench) -> list[Case]:
    """The cases that are timed; a rehearsal takes one, with few steps."""
    return [replace(cases()[0], steps=30)] if bench.rehearsal else cases()


def throughput(bench: Bench) -> list[dict[str, Any]]:
    """Both kernels of walks by case and lanes, endings alone, and what they are bound by: the random words alone, and
    the bytes that XLA's loop moves."""
    out, words = [], words_per_second(bench)
    for case in shown(bench):
        for lanes in bench.sizes.lanes:
            launch = Launch.of(case, lanes, bench.device)
            for name, call in (("xla", launch.usual(4)), ("registers", launch.registers(bench.registers))):
                begin = time.perf_counter()
                taken = seconds(call, bench.sizes.seconds)
                draws = launch.lanes * launch.draws_each / taken
                out.append(
                    {
                        "case": case.name, "lanes": launch.lanes, "kernel": name, "ms": 1e3 * taken,
                        "live_steps_per_s": launch.lanes * case.law.live_steps / taken, "draws_per_s": draws,
                        "share_of_words": draws / words, "with_compilation_s": time.perf_counter() - begin,
                    }
                )  # fmt: skip
    return [{"words_per_s": words, "copy_bytes_per_s": copied_per_second(bench)}, *out]


def words_per_second(bench: Bench) -> float:
    """Pairs of random words a second, with nothing done with them: no walk can draw faster."""
    import jax
    import jax.numpy as jnp

    blocks, size = 32, bench.sizes.values

    def block(lane: Any) -> Any:
        total = lane
        for number in range(blocks):
            first, second = rng.threefry2x32(jnp.uint32(1), jnp.uint32(2), lane, jnp.full_like(lane, number))
            total = total ^ first ^ second
        return total

    call, lane = jax.jit(block), jax.device_put(np.arange(size, dtype=np.uint32), bench.device)
    return blocks * size / seconds(lambda: call(lane), bench.sizes.seconds)


def copied_per_second(bench: Bench) -> float:
    """Bytes read and written a second by a copy that does not fit the caches."""
    import jax

    size = 2**12 if bench.rehearsal else 2**28
    array = jax.device_put(np.zeros(size, np.uint32), bench.device)
    call = jax.jit(lambda x: x + np.uint32(1))
    return 8 * size / seconds(lambda: call(array), bench.sizes.seconds)


def tuning(bench: Bench) -> list[dict[str, Any]]:
    """The constants of the kernels: draws between two decisions, programs of a launch, lanes of a program."""
    out = []
    for case in shown(bench):
        launch = Launch.of(case, bench.sizes.lanes[-1], bench.device)
        ways: list[tuple[str, dict[str, int], Callable[[], Any]]] = [
            ("xla", {"draws": draws}, launch.usual(draws)) for draws in bench.sizes.draws
        ]
        for programs in bench.sizes.programs:
            for lanes in bench.sizes.warp_lanes:
                for draws in bench.sizes.draws:
                    how = {"programs": programs, "lanes": lanes, "draws": draws}
                    ways.append(("registers", how, launch.registers(bench.registers, **how)))
        for name, how, call in ways:
            if time.perf_counter() - bench.begun > 0.6 * SECONDS:
                return [*out, {"not run": "the rest: the other parts need the time"}]
            rate = launch.lanes * case.law.live_steps / seconds(call, bench.sizes.seconds)
            out.append({"case": case.name, "kernel": name, **how, "live_steps_per_s": rate})
    return out


def histograms(bench: Bench) -> list[dict[str, Any]]:
    """Counts of values by comparison and by sorting: where the one should take over from the other."""
    import jax

    from ds3sim.engine.traces import histogram as module

    out, made = [], np.random.default_rng(1)
    for bins in bench.sizes.bins:
        values = made.geometric(min(0.5, 8 / bins), (1, bench.sizes.values)).astype(np.int32) % bins
        given = jax.device_put((values, np.zeros(1, np.int32)), bench.device)
        for name, most in (("compared", 2**30), ("sorted", 0)):
            if name == "compared" and bins > 4096:
                continue
            kept, module.MOST_COMPARED = module.MOST_COMPARED, most
            try:
                call = jax.jit(partial(histogram, owners=1, bins=bins))
                same = bool(np.array_equal(np.asarray(call(*given))[0], np.bincount(values[0], minlength=bins)))
            finally:
                module.MOST_COMPARED = kept
            taken = seconds(partial(call, *given), bench.sizes.seconds)
            out.append({"bins": bins, "how": name, "ns_a_value": 1e9 * taken / bench.sizes.values, "equal": same})
    return out


def whole_runs(bench: Bench) -> list[dict[str, Any]]:
    """Whole runs, tables, counts and all, with XLA's walk and with the faster one as it is chosen."""
    out = []
    for case in shown(bench):
        task = Task(case.graph, steps=case.steps)
        for name, walks in (("xla", Choice()), ("chosen", Choice(bench.registers))):
            backend, options = bench.backend(walks), EngineOptions(traces=bench.sizes.long)
            tallies([task], EngineOptions(traces=bench.sizes.long // 16), SEED, [0], backend=backend)
            begin = time.perf_counter()
            tallies([task], options, SEED, [0], backend=backend)
            rate = bench.sizes.long * case.law.live_steps / (time.perf_counter() - begin)
            said = "; ".join(dict.fromkeys(walks.found.values()))
            out.append({"case": case.name, "walk": name, "live_steps_per_s": rate, "choice": said})
    return out


def sweeps(bench: Bench) -> list[dict[str, Any]]:
    """A sweep of many points, on the device and on the CPU cores; equal, and how much faster."""
    chances = np.linspace(0.15, 0.6, bench.sizes.points)
    tasks = [Task(SkillGraph.chain(skills=10, success=float(p)), steps=200) for p in chances]
    out, runs, firsts = [], [], [0] * len(tasks)
    for name, backend in (("device", bench.backend()), ("cpu", cpu())):
        tallies(tasks[:8], EngineOptions(traces=bench.sizes.each), SEED, firsts[:8], backend=backend)
        begin, used = time.perf_counter(), time.process_time()
        runs.append(tallies(tasks, EngineOptions(traces=bench.sizes.each), SEED, firsts, backend=backend))
        taken = {"s": time.perf_counter() - begin, "cpu_s": time.process_time() - used}
        out.append({"where": name, "points": len(tasks), "traces": bench.sizes.each, **taken})
    equal = all(np.array_equal(a.hits, b.hits) for a, b in zip(*runs, strict=True))
    return [*out, {"equal": equal, "faster": out[1]["s"] / out[0]["s"]}]


def by_hand(bench: Bench) -> list[dict[str, Any]]:
    """The kernel of walk.cu through CuPy, counts included, beside ours."""
    from benchmarks.by_hand import timed

    out = []
    for case in shown(bench):
        launch = Launch.of(case, min(2**20, bench.sizes.lanes[-1]), bench.device)
        counts, taken = timed(launch.rows, launch.tables, launch.lanes, bench.sizes.seconds)
        expected = np.bincount(np.asarray(launch.usual(1)()).ravel(), minlength=counts.size)
        rate = launch.lanes * case.law.live_steps / taken
        out.append({"case": case.name, "live_steps_per_s": rate, "equal": bool(np.array_equal(counts, expected))})
    return out


def memory(bench: Bench) -> list[dict[str, Any]]:
    """Memory of the device at its peak in all that came before."""
    found = bench.device.memory_stats() or {}
    names = ("peak_bytes_in_use", "bytes_limit", "largest_alloc_size")
    return [{name: found[name] for name in names if name in found} or {"not run": "the device does not tell"}]


def card(device: Any) -> dict[str, Any]:
    """The device and the versions that its kernels are compiled by."""
    client = device.client
    return {
        "kind": device.device_kind, "platform": device.platform, "platform_version": client.platform_version,
        "nvidia_smi": machine.gpu(), "versions": {n: machine.version(n) for n in (*machine.PACKAGES, "cupy-cuda13x")},
    }  # fmt: skip
