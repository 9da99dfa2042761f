"""A strategy: what is done at a step, and what becomes of the traces."""

from __future__ import annotations

from dataclasses import dataclass, field

from ds3sim.core.check import one_of
from ds3sim.core.errors import require
from ds3sim.task.aggregate import Aggregate, Single
from ds3sim.task.steps import CoT, StepPolicy


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
        check_strategy(self.step, self.aggregate, self.feasibility)

    @property
    def n(self) -> int:
        """Traces per task."""
        return self.aggregate.n


def check_strategy(step: StepPolicy, aggregate: Aggregate, feasibility: str) -> None:
    """Refuse what is no step policy, no aggregator or no kind of feasibility."""
    require(isinstance(step, StepPolicy), f"step = {step!r} is not a step policy: use CoT, ToT or Beam")
    what = f"aggregate = {aggregate!r} is not an aggregator: use Single, BestOfN or Majority"
    require(isinstance(aggregate, Aggregate), what)
    one_of("feasibility", feasibility, ("per_task", "per_trace"))
