"""The cases of the golden tallies: every kind of task, with the arguments of ``simulate``.

Run as a script it prints tallies as JSON, of the cases that are named and of all batches, computed in launches of
``CHUNK`` lanes, so that several host devices share them:
``XLA_FLAGS=--xla_force_host_platform_device_count=4 python golden_tallies.py``.
"""

import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ds3sim import Beam, BestOfN, GeometricErrors, Majority, SkillGraph, Task, ToT, Verifier, WeightErrors, simulate
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.simulate import evaluate

FILE = Path(__file__).parent / "golden" / "tallies.json"
CHUNK = 1024
LARGEST_SEED = 2**63 - 1
BATCH = 2**20  # trials of one batch of the random stream


@dataclass(frozen=True)
class Case:
    """A task and how it is simulated; ``options`` are further arguments of ``simulate``."""

    task: Task
    traces: int = 4000
    seed: int = 7
    options: dict = field(default_factory=dict)

    @property
    def in_batches(self) -> bool:
        """Whether ``simulate_many`` gives the same tally."""
        return not self.options.keys() - {"first"}


EDGES = [
    ("a", "b", 0.4),
    ("a", "c", 0.2),
    ("a", "lost", 0.05),
    ("b", "c", 0.5),
    ("b", "a", 0.1),
    ("b", "gone", 0.02),
    ("c", "z", 0.35),
    ("c", "y", 0.05),
    ("c", "lost", 0.1),
]
ENDS = {"goal": ["y", "z"], "dead": ["lost", "gone"]}
SCORE = {"a": 0.1, "b": 0.2, "c": 0.7, "y": 1.0, "z": 1.0, "lost": 0.3, "gone": 0.0}

CHAIN = SkillGraph.chain(6, 0.3)
UNSURE = SkillGraph.chain(4, 0.3, feasible=0.7)
LAYERED = SkillGraph.layered(4, 3, 0.35, back=0.1, death=0.04, seed=3, feasible=0.9)
RANDOM = SkillGraph.random(9, 0.7, degree=3, death=0.03, seed=1)
WIDE = SkillGraph.random(80, 0.9, degree=5, death=0.01, seed=2)
GIVEN = SkillGraph.from_edges(EDGES, start="a", **ENDS)
SCORED = SkillGraph.from_edges(EDGES, start={"a": 0.6, "b": 0.3, "c": 0.1}, score=SCORE, feasible=0.8, **ENDS)
LATENT = SkillGraph.latent(0.85, 0.5, 2.5)

GEOMETRIC = GeometricErrors(4, 0.5)
WEIGHTS = WeightErrors((0.6, 0.3, 0.1))
ERRS = Verifier(0.8, 0.25)
ABSTAINS = Verifier(0.8, 0.25, "abstain")

CASES: dict[str, Case] = {
    # graphs
    "chain": Case(Task(CHAIN, steps=[7, 20, 60])),
    "chain, one sure skill": Case(Task(SkillGraph.chain(1, 1.0), steps=3)),
    "chain, hopeless": Case(Task(SkillGraph.chain(2, 0.0), steps=40)),
    "chain, no budget": Case(Task(UNSURE, steps=0)),
    "chain, long": Case(Task(SkillGraph.chain(150, 0.4), steps=600)),
    "chain, large budget": Case(Task(SkillGraph.chain(3, 0.01), steps=3000)),
    "chain, never feasible": Case(Task(SkillGraph.chain(3, 0.5, feasible=0.0), steps=20)),
    "chain, unsure": Case(Task(UNSURE, steps=50)),
    "layered": Case(Task(LAYERED, steps=80)),
    "layered, stop": Case(Task(LAYERED, steps=80, on_dead="stop")),
    "random": Case(Task(RANDOM, steps=60)),
    "random, stop": Case(Task(RANDOM, steps=60, on_dead="stop")),
    "random, wide": Case(Task(WIDE, steps=400)),
    "edges": Case(Task(GIVEN, steps=40)),
    "edges, start, score": Case(Task(SCORED, steps=40, on_dead="stop")),
    "latent": Case(Task(LATENT, steps=3)),
    "latent, no budget": Case(Task(LATENT, steps=0)),
    "latent, best of 8": Case(Task(LATENT, aggregate=BestOfN(8), steps=8)),
    "latent, best of 5, verifier": Case(Task(LATENT, aggregate=BestOfN(5, ERRS), steps=20)),
    "latent, majority of 9": Case(Task(LATENT, aggregate=Majority(9, GEOMETRIC), steps=9)),
    # seeds and numbers of trials
    "seed 0": Case(Task(CHAIN, steps=60), seed=0),
    "seed 2^32": Case(Task(CHAIN, steps=60), seed=2**32),
    "seed largest": Case(Task(CHAIN, steps=60), seed=LARGEST_SEED),
    "one trace": Case(Task(CHAIN, steps=60), traces=1),
    "50,000 traces": Case(Task(GIVEN, steps=40), traces=50_000, seed=LARGEST_SEED),
    "first 1000": Case(Task(CHAIN, steps=60), traces=3000, options={"first": 1000}),
    "first across a batch": Case(Task(GIVEN, steps=40), options={"first": BATCH - 700}),
    "first, votes across a batch": Case(
        Task(UNSURE, aggregate=Majority(5), steps=90), traces=1500, seed=LARGEST_SEED, options={"first": BATCH - 1}
    ),
    "first 10^12": Case(Task(RANDOM, ToT(2), steps=40), options={"first": 10**12}),
    "first, beam": Case(Task(RANDOM, Beam(2, 2), steps=15), traces=1500, options={"first": 3 * BATCH - 10}),
    "first, latent": Case(Task(LATENT, aggregate=BestOfN(4), steps=4), options={"first": BATCH - 5}),
    # step policies
    "tot 1": Case(Task(RANDOM, ToT(1), steps=40)),
    "tot 2": Case(Task(LAYERED, ToT(2), steps=40)),
    "tot 4, stop": Case(Task(RANDOM, ToT(4), steps=40, on_dead="stop")),
    "tot 3, error": Case(Task(GIVEN, ToT(3, 0.3), steps=40)),
    "tot 3, always errs": Case(Task(GIVEN, ToT(3, 1.0), steps=40)),
    "tot 3, score": Case(Task(SCORED, ToT(3, 0.1), steps=40)),
    "tot 3, discount": Case(Task(WIDE, ToT(3, discount=0.5), steps=100)),
    "tot 16, chain": Case(Task(UNSURE, ToT(16, 0.2), steps=20), seed=LARGEST_SEED),
    "beam 1x3": Case(Task(RANDOM, Beam(1, 3), steps=15), traces=1500),
    "beam 2x1": Case(Task(CHAIN, Beam(2, 1), steps=25), traces=1500),
    "beam 3x2, error": Case(Task(LAYERED, Beam(3, 2, 0.2), steps=15), traces=1500),
    "beam 4x2, score, stop": Case(Task(SCORED, Beam(4, 2), steps=15, on_dead="stop"), traces=1500, seed=LARGEST_SEED),
    "beam 2x2, majority of 3": Case(Task(GIVEN, Beam(2, 2, 0.1), Majority(3, WEIGHTS), steps=30), traces=500),
    # aggregators
    "best of 7": Case(Task(UNSURE, aggregate=BestOfN(7), steps=210)),
    "best of 7, per trace": Case(Task(UNSURE, aggregate=BestOfN(7), steps=210, feasibility="per_trace")),
    "best of 1000": Case(Task(SkillGraph.chain(2, 0.3), aggregate=BestOfN(1000), steps=9000), traces=40),
    "best of 3, verifier": Case(Task(GIVEN, aggregate=BestOfN(3, ERRS), steps=60)),
    "best of 3, verifier, per trace": Case(
        Task(LAYERED, aggregate=BestOfN(3, ERRS), steps=90, feasibility="per_trace", on_dead="stop")
    ),
    "best of 5, abstains": Case(Task(UNSURE, aggregate=BestOfN(5, ABSTAINS), steps=90)),
    "best of 5, abstains, per trace": Case(
        Task(SCORED, ToT(2), BestOfN(5, ABSTAINS), steps=90, feasibility="per_trace")
    ),
    "best of 4, verifier rejects all": Case(Task(CHAIN, aggregate=BestOfN(4, Verifier(0.0, 0.0)), steps=80)),
    "majority of 5": Case(Task(UNSURE, aggregate=Majority(5), steps=90)),
    "majority of 5, wrong ties": Case(Task(UNSURE, aggregate=Majority(5, GEOMETRIC, ties="wrong"), steps=90)),
    "majority of 4, weights": Case(Task(GIVEN, aggregate=Majority(4, WEIGHTS), steps=60)),
    "majority of 4, weights, wrong ties": Case(Task(GIVEN, aggregate=Majority(4, WEIGHTS, ties="wrong"), steps=60)),
    "majority of 5, two answers, per trace": Case(
        Task(UNSURE, ToT(2), Majority(5, WeightErrors((1.0,))), steps=60, feasibility="per_trace")
    ),
    "majority of 33": Case(Task(RANDOM, aggregate=Majority(33, GeometricErrors(11, 1.0)), steps=990), traces=300),
    # how it is computed
    **{f"macro {k}": Case(Task(LAYERED, steps=80), options={"macro_steps": k}) for k in (1, 2, 8, 32)},
    "macro 8, tot, majority": Case(Task(RANDOM, ToT(2), Majority(3), steps=120), options={"macro_steps": 8}),
    "macro 32, chain, best of 3": Case(Task(UNSURE, aggregate=BestOfN(3), steps=120), options={"macro_steps": 32}),
    "relative error": Case(Task(GIVEN, steps=20), options={"relative_error": 0.001, "max_traces": 150_000}),
    "population": Case(Task(LAYERED, steps=80, on_dead="stop"), traces=10**9, options={"engine": "population"}),
    "population, tot": Case(
        Task(SCORED, ToT(3, 0.2), steps=40), traces=2 * 10**12 + 5, seed=LARGEST_SEED, options={"engine": "population"}
    ),
    "population, first": Case(
        Task(CHAIN, steps=60), traces=10**6, options={"engine": "population", "first": 3 * 10**12}
    ),
    "population, relative error": Case(
        Task(CHAIN, steps=20), options={"engine": "population", "relative_error": 1e-3, "max_traces": 10**9}
    ),
    "importance": Case(Task(SkillGraph.chain(20, 0.1), steps=[25, 40, 80]), options={"engine": "importance"}),
    "importance, tot, unsure": Case(
        Task(LAYERED, ToT(2), steps=[3, 6, 10]), seed=LARGEST_SEED, options={"engine": "importance"}
    ),
}


def compute(case: Case, chunk: int | None = None) -> dict:
    """What is kept of the case's tally, computed alone."""
    options = case.options if case.options.get("engine") == "population" else case.options | {"chunk": chunk}
    traces = None if "relative_error" in options else case.traces
    return record(case, simulate(case.task, traces, case.seed, **options))


def compute_batches(cases: dict[str, Case], chunk: int | None = None) -> dict[str, dict]:
    """The same for many cases together, by name; those of one seed and number of trials are one batch."""
    found = {}
    for seed, traces in sorted({(case.seed, case.traces) for case in cases.values()}):
        part = {name: case for name, case in cases.items() if (case.seed, case.traces) == (seed, traces)}
        firsts = [case.options.get("first", 0) for case in part.values()]
        options = EngineOptions(traces=traces, chunk=chunk)
        tallies = evaluate([case.task for case in part.values()], None, options, seed, firsts=firsts)
        found |= {name: record(case, tally) for (name, case), tally in zip(part.items(), tallies, strict=True)}
    return found


def record(case: Case, tally) -> dict:
    """Numbers and digests of a tally; the numbers come first, so that a failure says how it differs."""
    steps = [int(k) for k in case.task.budgets]
    kept: dict = {"identity": tally.identity, "traces": tally.traces}
    if case.options.get("engine") == "importance":  # weights are floats: no counts to digest
        kept["success"] = tally.success(steps).estimate.tolist()
        kept["expected_steps"] = tally.expected_steps(steps).estimate.tolist()
        kept["expected_square_steps"] = tally.expected_square_steps(steps).tolist()
        return kept
    kept["feasible"] = tally.feasible
    for name in ("task_hits", "hits", "deaths"):
        counts = np.ascontiguousarray(getattr(tally, name), dtype=np.int64)
        digest = hashlib.sha256(counts.tobytes()).hexdigest()
        kept[name] = {"length": counts.size, "sum": int(counts.sum()), "sha256": digest}
    return kept


if __name__ == "__main__":
    import jax

    together = {name: case for name, case in CASES.items() if case.in_batches}
    said = {
        "devices": len(jax.local_devices()),
        "alone": {name: compute(case, CHUNK) for name, case in CASES.items() if name in sys.argv},
        "batches": compute_batches(together, CHUNK),
    }
    json.dump(said, sys.stdout)
