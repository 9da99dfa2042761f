"""Rounds of interleaved runs: A B C, A B C, ...; each contender in its own process, one runs at a time."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.cases import Case

FIRST_TRACES = 2**17
MOST_TRACES = 2**30
SEED = 20250701


class Absent(Exception):
    """A contender cannot run here; the message says why."""


class Worker:
    """A started :mod:`benchmarks.worker`."""

    def __init__(self, name: str, case: Case):
        command = [sys.executable, "-m", "benchmarks.worker", name, case.name]
        home = Path(__file__).resolve().parents[1]
        # Without JAX's cache on disk, so that the first run compiles.
        environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=home, env=environment
        )
        self.hello = self._answer()

    def _answer(self) -> dict:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Absent(f"its process ended with exit status {self.process.wait()}")
        answer = json.loads(line)
        for reason in ("missing", "failed"):
            if reason in answer:
                raise Absent(answer[reason])
        return answer

    def run(self, traces: int, seed: int) -> dict:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"traces": traces, "seed": seed}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Row:
    """What was measured of one contender on one case."""

    contender: str
    case: str
    absent: str | None = None
    traces: int = 0
    ready_s: float = 0.0
    first_s: float = 0.0
    walls_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    p_values: list[float] = field(default_factory=list)
    base_bytes: int = 0
    peak_bytes: int = 0
    devices: dict | None = None
    live_steps: float = 0.0

    @property
    def median_s(self) -> float:
        return float(np.median(self.walls_s))

    @property
    def steps_per_s(self) -> float:
        return self.traces * self.live_steps / self.median_s

    def summary(self, others: dict[str, Row]) -> dict:
        """Plain numbers for JSON; ratios of steps a second to each other contender of this case."""
        if self.absent is not None:
            return {"contender": self.contender, "case": self.case, "absent": self.absent}
        present = {name: row for name, row in others.items() if row.absent is None and name != self.contender}
        work = self.traces * self.live_steps
        return {
            "contender": self.contender,
            "case": self.case,
            "traces": self.traces,
            "million_live_steps_per_s": self.steps_per_s / 1e6,
            "slowest_to_fastest": [work / 1e6 / max(self.walls_s), work / 1e6 / min(self.walls_s)],
            "traces_per_s": self.traces / self.median_s,
            "ratio_to": {name: self.steps_per_s / row.steps_per_s for name, row in present.items()},
            "cores_used": sum(self.cpu_s) / sum(self.walls_s),
            "import_and_tables_s": self.ready_s,
            "compile_and_first_run_s": self.first_s,
            "peak_mib": self.peak_bytes / 2**20,
            "peak_above_start_mib": (self.peak_bytes - self.base_bytes) / 2**20,
            "walls_s": self.walls_s,
            "p_values_against_exact": self.p_values,
            "devices": self.devices,
        }


def measure(case: Case, names: list[str], repetitions: int, seconds: float, say) -> list[Row]:
    """Time ``names`` on ``case``; runs are sized to take about ``seconds`` each."""
    rows = {name: Row(name, case.name, live_steps=case.law.live_steps) for name in names}
    workers: dict[str, Worker] = {}
    try:
        for name, row in rows.items():
            try:
                workers[name] = _prepare(name, case, row, seconds)
            except Absent as reason:
                row.absent = str(reason)
                say(f"{case.name}: {name} not run: {reason}")
        for repetition in range(repetitions):
            say(f"{case.name}: round {repetition + 1} of {repetitions}")
            for name, worker in list(workers.items()):
                row = rows[name]
                try:
                    answer = worker.run(row.traces, SEED + 10 + repetition)
                except Absent as reason:
                    row.absent = str(reason)
                    say(f"{case.name}: {name} stopped: {reason}")
                    del workers[name]
                    continue
                row.walls_s.append(answer["wall_s"])
                row.cpu_s.append(answer["cpu_s"])
                row.p_values.append(answer["p"])
                row.peak_bytes = answer["peak_bytes"]
    finally:
        for worker in workers.values():
            worker.close()
    return list(rows.values())


def _prepare(name: str, case: Case, row: Row, seconds: float) -> Worker:
    """Start, compile, size the runs, and run once at that size untimed (memory, caches, late compiles)."""
    worker = Worker(name, case)
    try:
        row.ready_s, row.base_bytes = worker.hello["ready_s"], worker.hello["base_bytes"]
        row.first_s = worker.run(FIRST_TRACES, SEED)["wall_s"]
        row.traces = _fitting_traces(worker, seconds)
        answer = worker.run(row.traces, SEED + 2)
        row.peak_bytes, row.devices = answer["peak_bytes"], answer["devices"]
    except BaseException:
        worker.close()
        raise
    return worker


def _fitting_traces(worker: Worker, seconds: float) -> int:
    """The power of two of traces that takes about ``seconds``, from the slope between two sizes.

    The slope, so that a fixed cost of each call (tables, threads) does not pass for a low speed.
    """
    traces, before = FIRST_TRACES, worker.run(FIRST_TRACES, SEED + 1)["wall_s"]
    while True:
        traces *= 4
        worker.run(traces, SEED + 1)  # some contenders compile for the size
        wall = worker.run(traces, SEED + 2)["wall_s"]
        grown = wall - before
        if traces >= MOST_TRACES or (wall >= 0.25 * seconds and grown >= 0.5 * wall):
            break
        before = wall
    rate = 0.75 * traces / max(grown, 1e-9)
    return min(MOST_TRACES, max(FIRST_TRACES, 2 ** round(math.log2(rate * seconds))))
