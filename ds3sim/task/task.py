"""A task and its strategy: what is asked, without saying how it is computed."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require, require_kind, shown
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.parts import BetaRate
from ds3sim.task.aggregate import Aggregate, Majority, Single
from ds3sim.task.budget import budget_array
from ds3sim.task.steps import Beam, CoT, StepPolicy

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor


@dataclass(frozen=True)
class Strategy:
    """A step policy and an aggregator; any two go together.

    Attributes:
        step: CoT(), ToT(...) or Beam(...).
        aggregate: Single(), BestOfN(...) or Majority(...).
        feasibility: ``per_task`` (all n traces share the draw) or ``per_trace`` (the paper's code).

    Raises:
        InputError: something else.

    >>> ds.Strategy(ds.ToT(4), ds.Majority(5)).n
    5
    """

    step: StepPolicy = field(default_factory=CoT)
    aggregate: Aggregate = field(default_factory=Single)
    feasibility: str = "per_task"

    def __post_init__(self) -> None:
        _check(self.step, self.aggregate, self.feasibility)

    @property
    def n(self) -> int:
        """Traces per task."""
        return self.aggregate.n


@dataclass(frozen=True, eq=False)
class Task:
    """SkillGraph, step policy, aggregator and budget.

    Attributes:
        graph: the skill graph.
        step: CoT(), ToT(...) or Beam(...).
        aggregate: Single(), BestOfN(...) or Majority(...).
        steps: the budget K in steps per task, shared by its n traces (floor(K/n) each). An int, or
            a sequence: the largest is simulated, the others are read from the same run.
        feasibility: ``per_task`` (all n traces share the draw) or ``per_trace`` (the paper's code).
        on_dead: ``exhaust`` (a dead trace uses its whole budget) or ``stop``.

    >>> task = ds.Task(ds.SkillGraph.chain(3, 0.5), aggregate=ds.BestOfN(4), steps=[16, 40])
    >>> ds.exact(task).success([16, 40]).estimate.round(4).tolist()
    [0.7766, 1.0]
    """

    graph: SkillGraph
    step: StepPolicy = field(default_factory=CoT)
    aggregate: Aggregate = field(default_factory=Single)
    steps: int | Sequence[int] = 1
    feasibility: str = "per_task"
    on_dead: str = "exhaust"

    def __post_init__(self) -> None:
        require_kind(self.graph, SkillGraph, lambda: f"graph = {shown(self.graph)} is not a SkillGraph")
        _check(self.step, self.aggregate, self.feasibility)
        one_of("on_dead", self.on_dead, ("exhaust", "stop"))
        if self.graph.rate is not None:
            require(isinstance(self.step, CoT), "graph = latent: one step decides a trace: use step = cot")
            require(
                self.feasibility == "per_task" or self.n == 1,
                "graph = latent: the n traces of a task share its success rate: use feasibility = per_task",
            )
        _ = self.budgets

    def __getstate__(self) -> dict[str, Any]:
        """For other processes: without the tensor, which they make faster than it is sent."""
        return {name: value for name, value in vars(self).items() if name != "tensor"}

    @cached_property
    def budgets(self) -> np.ndarray:
        """The budgets in steps per task, int64 [B], in the order given."""
        return budget_array(self.steps)

    @property
    def n(self) -> int:
        """Traces per task."""
        return self.aggregate.n

    @cached_property
    def max_budget(self) -> int:
        """The largest budget, in steps per task."""
        return int(self.budgets.max())

    @cached_property
    def max_steps(self) -> int:
        """The largest budget per trace, floor(max K / n)."""
        return self.max_budget // self.n

    def per_trace(self, steps: ArrayLike) -> np.ndarray:
        """Budgets per trace, floor(K / n), int64 of the shape of ``steps``.

        Raises:
            InputError: a budget that is not a whole number >= 0, or above the task's largest.
        """
        array, top = budget_array(steps), self.max_budget
        if (most := array.max()) > top:
            raise InputError(
                f"steps = {most} is above the task's largest budget {top}: make the task with a larger steps"
            )
        out = array // self.n
        return out if np.ndim(steps) else out[0]

    @cached_property
    def tensor(self) -> Tensor:
        """float64 [S, S]: the transition tensor under the step policy, sparse where the graph is large; kept."""
        return self.step_tensor()

    def step_tensor(self) -> Tensor:
        """:attr:`tensor`, made afresh: one that is kept stays as long as the task.

        Raises:
            InputError: a beam, which has none.
        """
        if isinstance(self.step, Beam):
            raise InputError("step = beam has no small transition tensor: use engine traces, or tot for width 1")
        return self.step.tensor(self.graph)

    @cached_property
    def identity(self) -> str:
        """Hex digest of everything that decides the law of the outcome, 32 digits.

        Names of nodes do not enter. Equal identities mean that tallies may be added.
        """
        digest = hashlib.sha256(b"ds3sim task 1\0")
        graph = self.graph
        edges = np.lexsort((graph.target, graph.source))
        for array in (graph.source[edges], graph.target[edges], graph.probability[edges], graph.start):
            digest.update(struct.pack("<q", array.size) + np.ascontiguousarray(array).tobytes())
        digest.update(graph.goal.tobytes() + graph.dead.tobytes() + struct.pack("<d", graph.feasible))
        digest.update(b"score" + graph.score.tobytes() if graph.score is not None else b"none")
        if graph.rate is not None:
            digest.update(b"latent" + struct.pack("<2d", graph.rate.alpha, graph.rate.beta))
        said = (self.step.name, asdict(self.step), self.aggregate.name, asdict(self.aggregate))
        if isinstance(self.aggregate, Majority):
            said += (type(self.aggregate.errors).__name__,)
        said += (self.feasibility, self.on_dead, self.max_steps)
        digest.update(repr(said).encode())
        return digest.hexdigest()[:32]


def shared_rate(task: Task) -> BetaRate | None:
    """The law of the success rate, where several traces of a task share a latent one."""
    return task.graph.rate if task.n > 1 else None


def latent_rate(task: Task) -> BetaRate:
    """The law of the success rate of a task on a latent graph."""
    assert task.graph.rate is not None
    return task.graph.rate


def _check(step: StepPolicy, aggregate: Aggregate, feasibility: str) -> None:
    """Refuse what is no step policy, no aggregator or no kind of feasibility."""
    require_kind(step, StepPolicy, lambda: f"step = {shown(step)} is not a step policy: use CoT, ToT or Beam")
    what = "is not an aggregator: use Single, BestOfN or Majority"
    require_kind(aggregate, Aggregate, lambda: f"aggregate = {shown(aggregate)} {what}")
    one_of("feasibility", feasibility, ("per_task", "per_trace"))
