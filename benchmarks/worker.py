"""One contender on one case in a process of its own: python -m benchmarks.worker CONTENDER CASE.

Reads requests, one JSON object a line, from stdin; answers on the stdout it was started with (what
the contender prints goes to stderr). So compile time and peak memory are the contender's alone.
"""

from __future__ import annotations

import json
import os
import sys
import time

import numpy as np

from benchmarks.cases import cases
from benchmarks.machine import peak_memory


def check(result, case) -> float:
    """p-value of a result against the exact law."""
    from ds3sim.stats.tests import binomial_p, goodness_of_fit

    if isinstance(result, tuple):
        hits, traces = result
        return float(binomial_p(hits, traces, case.law.bins[: case.steps + 1].sum()))
    return goodness_of_fit(result, case.law.bins)[2]


def devices() -> dict | None:
    """What JAX runs on, if it was imported."""
    jax = sys.modules.get("jax")
    if jax is None:
        return None
    found = jax.devices()
    return {"platform": found[0].platform, "kind": found[0].device_kind, "count": len(found)}


def serve(name: str, case, answer) -> None:
    from benchmarks.peers import contender

    base = peak_memory()
    begin = time.perf_counter()
    sample = contender(name, case)
    ready = time.perf_counter() - begin
    answer({"ready_s": ready, "base_bytes": base})
    for line in sys.stdin:
        request = json.loads(line)
        begin, cpu = time.perf_counter(), time.process_time()
        result = sample(request["traces"], request["seed"])
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        answer(
            {"wall_s": wall, "cpu_s": cpu, "p": check(result, case), "peak_bytes": peak_memory(), "devices": devices()}
        )


def main() -> int:
    name, case_name = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(what: dict) -> None:
        print(json.dumps(what), file=out, flush=True)

    case = next(case for case in cases() if case.name == case_name)
    np.asarray(case.law.bins)  # computed before anything is timed
    try:
        serve(name, case, answer)
    except ImportError as error:
        answer({"missing": f"{type(error).__name__}: {error}"})
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # whatever a contender raises is reported, and the others go on
        answer({"failed": f"{type(error).__name__}: {error}"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
