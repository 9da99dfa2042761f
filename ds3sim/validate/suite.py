"""The cases of ``ds3sim validate``: every part of the model, and the edges where code goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ds3sim.graph.graph import SkillGraph
from ds3sim.task.aggregate import BestOfN, Majority, Verifier
from ds3sim.task.steps import Beam, ToT
from ds3sim.task.task import Task
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors

TRACES = 200_000


@dataclass(frozen=True)
class Case:
    """One simulation held against its references.

    Attributes:
        name: unique.
        task: what is simulated.
        engine: traces, population or importance.
        traces: trials.
        macro_steps: steps per draw of the traces engine; 1 walks step by step, None chooses.
        reference: the task whose numbers are expected, where it is another one (a beam has no
            numbers of its own, but some beams are known walks).
    """

    name: str
    task: Task
    engine: str = "traces"
    traces: int = TRACES
    macro_steps: int | None = None
    reference: Task | None = None

    @property
    def expected(self) -> Task:
        return self.reference or self.task


def perturbed(task: Task, by: float) -> Task:
    """The task with every chance to move multiplied by 1 + ``by`` (rows stay at most 1)."""
    graph = task.graph
    if graph.rate is not None:
        return replace(task, graph=SkillGraph.latent(graph.feasible, graph.rate.alpha * (1.0 + by), graph.rate.beta))
    moves = graph.probability * np.where(graph.source == graph.target, 1.0, 1.0 + by)
    sums = np.bincount(graph.source, moves, graph.size)
    moves = moves / np.maximum(1.0, sums)[graph.source]
    return replace(task, graph=replace(graph, probability=moves))


def _solver() -> SkillGraph:
    """A small procedure with a wrong turn, a way back and two dead ends."""
    edges = [
        ("read", "plan", 0.6),
        ("read", "guess", 0.2),
        ("plan", "solve", 0.4),
        ("plan", "guess", 0.1),
        ("guess", "read", 0.3),
        ("guess", "wrong", 0.15),
        ("solve", "check", 0.5),
        ("solve", "slip", 0.1),
        ("check", "done", 0.7),
        ("check", "plan", 0.2),
    ]
    return SkillGraph.from_edges(edges, start={"read": 0.9, "plan": 0.1}, goal="done", dead=["wrong", "slip"])


def suite() -> list[Case]:
    """All cases, more than sixty; names are unique."""
    return [*_chains(), *_graphs(), *_tree(), *_best_of_n(), *_majority(), *_other_engines()]


def _chains() -> list[Case]:
    def chain(
        name: str,
        m: int,
        r: float,
        steps: list[int],
        feasible: float = 1.0,
        macro: int | None = None,
        traces: int = TRACES,
    ) -> Case:
        return Case(f"chain {name}", Task(SkillGraph.chain(m, r, feasible), steps=steps), "traces", traces, macro)

    return [
        chain("m=10 r=0.2", 10, 0.2, [20, 50, 100, 200]),
        chain("m=10 r=0.2, step by step", 10, 0.2, [20, 50, 100, 200], macro=1),
        chain("m=1 r=0.5", 1, 0.5, [0, 1, 2, 5, 40]),
        chain("m=2 r=0.03", 2, 0.03, [1, 10, 60, 300], macro=1),
        chain("small r=0.001", 3, 0.001, [1000, 3000, 6000]),
        chain("tiny r=1e-5", 1, 1e-5, [10_000, 100_000]),
        chain("large m=100", 100, 0.3, [250, 333, 420]),
        chain("large m=400 r=0.9", 400, 0.9, [430, 444, 460]),
        chain("K=m", 5, 0.6, [5]),
        chain("K=m, step by step", 5, 0.6, [5], macro=1),
        chain("K<m", 8, 0.9, [0, 3, 7]),
        chain("K around m", 8, 0.9, [7, 8, 9]),
        chain("r=0", 4, 0.0, [0, 10, 100]),
        chain("r=1", 4, 1.0, [3, 4, 5, 50]),
        chain("K=0", 3, 0.5, [0]),
        chain("infeasible tasks 0.35", 6, 0.3, [10, 20, 60], 0.35),
        chain("never feasible", 6, 0.3, [10, 60], 0.0),
        chain("long walk K=20000", 12, 0.0012, [8_000, 20_000], traces=50_000),
        chain("r=0.999", 7, 0.999, [7, 8, 9]),
    ]


def _graphs() -> list[Case]:
    layered = SkillGraph.layered(4, 3, 0.35, seed=1)
    dying = SkillGraph.layered(4, 3, 0.35, death=0.03, seed=2)
    back = SkillGraph.layered(3, 4, 0.4, back=0.2, death=0.01, seed=3)
    small = SkillGraph.random(12, 0.7, degree=3, seed=4)
    wide = SkillGraph.random(64, 0.9, degree=8, death=0.005, seed=5)
    spread = SkillGraph.from_edges(
        [("a", "b", 0.3), ("b", "z", 0.2), ("a", "x", 0.1)], start={"a": 0.5, "z": 0.2, "x": 0.3}, goal="z", dead="x"
    )
    trap = SkillGraph.from_edges(
        [("a", "z", 0.1), ("a", "t", 0.2), ("t", "u", 0.5), ("u", "t", 0.5)], start="a", goal="z"
    )
    return [
        Case("layered", Task(layered, steps=[8, 15, 40])),
        Case("layered, dead ends", Task(dying, steps=[8, 15, 40])),
        Case("layered, dead ends, stop", Task(dying, steps=[8, 15, 40], on_dead="stop")),
        Case("layered, steps back", Task(back, steps=[8, 20, 80])),
        Case("random S=12", Task(small, steps=[5, 15, 60])),
        Case("random S=12, step by step", Task(small, steps=[5, 15, 60]), macro_steps=1),
        Case("random S=64", Task(wide, steps=[20, 60, 200])),
        Case("random S=64, infeasible", Task(replace(wide, feasible=0.6), steps=[20, 200], on_dead="stop")),
        Case("procedure", Task(_solver(), steps=[4, 10, 40])),
        Case("procedure, stop", Task(_solver(), steps=[4, 10, 40], on_dead="stop")),
        Case("start on goal and dead", Task(spread, steps=[0, 3, 30])),
        Case("start on goal and dead, stop", Task(spread, steps=[0, 3, 30], on_dead="stop"), macro_steps=1),
        Case("unmarked trap", Task(trap, steps=[2, 10, 50])),
    ]


def _tree() -> list[Case]:
    chain = SkillGraph.chain(10, 0.2)
    ten = SkillGraph.random(12, 0.7, degree=4, death=0.02, seed=6)
    one = SkillGraph.chain(1, 0.05)
    scored = SkillGraph.from_edges(
        [("a", "b", 0.4), ("a", "c", 0.4), ("b", "z", 0.1), ("c", "z", 0.5)],
        start="a",
        goal="z",
        score={"a": 0.0, "b": 1.0, "c": 0.5, "z": 2.0},
    )
    return [
        Case("ToT b=1", Task(chain, ToT(1), steps=[50, 100])),
        Case("ToT b=4", Task(chain, ToT(4), steps=[10, 16, 30])),
        Case("ToT b=16", Task(chain, ToT(16), steps=[10, 11, 12])),
        Case("ToT b=4, noisy evaluator", Task(chain, ToT(4, evaluator_error=0.3), steps=[15, 20, 40])),
        Case("ToT b=4, blind evaluator", Task(chain, ToT(4, evaluator_error=1.0), steps=[40, 60])),
        Case("ToT b=3, random graph", Task(ten, ToT(3, 0.1), steps=[4, 10, 40])),
        Case("ToT b=5, procedure", Task(_solver(), ToT(5), steps=[4, 8, 20], on_dead="stop")),
        Case("ToT b=2, given scores", Task(scored, ToT(2), steps=[2, 5, 20])),
        Case(
            "beam w=1 is ToT",
            Task(ten, Beam(1, 3, 0.1), steps=[4, 10, 40]),
            traces=50_000,
            reference=Task(ten, ToT(3, 0.1), steps=[4, 10, 40]),
        ),
        Case(
            "beam on one skill is ToT w*b",
            Task(one, Beam(3, 2), steps=[1, 4, 16]),
            traces=50_000,
            reference=Task(one, ToT(6), steps=[1, 4, 16]),
        ),
    ]


def _best_of_n() -> list[Case]:
    chain, risky = SkillGraph.chain(6, 0.25), SkillGraph.chain(6, 0.25, feasible=0.5)
    steps = [60, 90, 160]

    def case(name: str, n: int, verifier: Verifier | None = None, graph: SkillGraph = chain, **options: Any) -> Case:
        how = BestOfN(n, verifier or Verifier())
        return Case(f"best of {n}{name}", Task(graph, aggregate=how, steps=[k * n // 4 for k in steps], **options))

    return [
        case("", 1),
        case("", 4),
        case("", 16),
        case(", infeasible tasks", 4, graph=risky),
        case(", infeasible traces", 4, graph=risky, feasibility="per_trace"),
        case(", imperfect verifier", 4, Verifier(0.8, 0.2)),
        case(", imperfect verifier, abstain", 4, Verifier(0.8, 0.2, "abstain")),
        case(", misleading verifier", 5, Verifier(0.2, 0.7)),
        case(", blind verifier", 3, Verifier(0.5, 0.5)),
        case(", verifier that refuses all", 4, Verifier(0.0, 0.0)),
        case(", verifier that takes all", 4, Verifier(1.0, 1.0)),
        case(", imperfect verifier, infeasible", 7, Verifier(0.9, 0.1), risky),
        Case(
            "best of 4, ToT, procedure",
            Task(_solver(), ToT(2, 0.1), BestOfN(4, Verifier(0.9, 0.05)), steps=[16, 32], on_dead="stop"),
        ),
        case(", one trace, imperfect verifier, abstain", 1, Verifier(0.7, 0.1, "abstain")),
    ]


def _majority() -> list[Case]:
    chain, risky = SkillGraph.chain(6, 0.25), SkillGraph.chain(6, 0.25, feasible=0.5)
    steps = [60, 90, 160]

    def case(
        name: str,
        n: int,
        errors: GeometricErrors | WeightErrors | None = None,
        graph: SkillGraph = chain,
        ties: str = "random",
        **options: Any,
    ) -> Case:
        how = Majority(n, errors or GeometricErrors(), ties)
        return Case(f"majority of {n}{name}", Task(graph, aggregate=how, steps=[k * n // 4 for k in steps], **options))

    two = WeightErrors((1.0,))
    return [
        case("", 1),
        case("", 2),
        case("", 5),
        case("", 32),
        case(", two answers", 4, two),
        case(", two answers, ties wrong", 4, two, ties="wrong"),
        case(", uniform errors", 6, GeometricErrors(4, 1.0)),
        case(", uneven errors", 9, WeightErrors((0.5, 0.3, 0.2))),
        case(", ties wrong", 6, ties="wrong"),
        case(", infeasible tasks", 5, graph=risky),
        case(", infeasible traces", 5, graph=risky, feasibility="per_trace"),
        Case("majority of 5, ToT, dead ends", Task(_solver(), ToT(2), Majority(5), steps=[20, 60])),
        Case("budget below n", Task(chain, aggregate=Majority(9), steps=[0, 8, 60])),
    ]


def _other_engines() -> list[Case]:
    chain = SkillGraph.chain(10, 0.2, feasible=0.8)
    return [
        Case("population, chain", Task(chain, steps=[20, 50, 200]), "population", 10**9),
        Case("population, procedure", Task(_solver(), ToT(2), steps=[4, 10], on_dead="stop"), "population", 10**8),
        Case("importance, rare chain", Task(SkillGraph.chain(20, 0.1, 0.5), steps=[30, 60]), "importance"),
        Case(
            "importance, rare in a graph", Task(SkillGraph.random(20, 0.3, degree=3, seed=8), steps=[4]), "importance"
        ),
    ]
