"""Which strategy is best at each budget of each point, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ds3sim.core.plain import as_plain
from ds3sim.results.row import Row
from ds3sim.results.tidy import Tidy


@dataclass(frozen=True, slots=True)
class Gap:
    """Success of the best strategy less that of another (``against``), probabilities, with a simultaneous interval."""

    against: str
    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The best strategy at one budget of one point.

    Attributes:
        axes: the point's value on each axis.
        unit: of the budget: tokens, flops, steps, or cot_tokens (tokens of one chain of thought of equal FLOPs).
        budget: in that unit.
        best: the strategy of the highest success.
        clear: its intervals against all others lie above 0.
        probability_best: strategy -> chance to be the best; of random engines the posterior's.
        gaps: to each other strategy, the runner-up first.
        rows: one for each strategy.
    """

    axes: Mapping[str, Any]
    unit: str
    budget: float
    best: str
    clear: bool
    probability_best: Mapping[str, float]
    gaps: tuple[Gap, ...]
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """As ``ds3sim choose --json`` prints it."""
        gaps = {gap.against: {"estimate": gap.estimate, "low": gap.low, "high": gap.high} for gap in self.gaps}
        return {
            "axes": dict(self.axes),
            self.unit: self.budget,
            "best": self.best,
            "clear": self.clear,
            "probability_best": dict(self.probability_best),
            "runner_up": self.gaps[0].against,
            "difference": gaps[self.gaps[0].against],
            "differences": gaps,
            "results": [row.to_dict() for row in self.rows],
        }


@dataclass(frozen=True, eq=False)
class Choice(Tidy):
    """What ``choose`` returns.

    Its tables and arrays have ``probability_best`` besides, and ``behind``: the success that a strategy lacks to the
    best one, with its interval.

    Attributes:
        name, engine, seed, match: of the study, as in :class:`ds3sim.Result`.
        axes, strategies: names.
        decisions: one for each point and budget.
        level: chance that all intervals of differences hold together.
        comparisons: of two strategies at a budget, over which ``level`` is kept.
        interrupted: Ctrl-C came: decisions are of the points done until then.
        environment: versions, device, threads, and ``wall_s``, seconds that it took.

    >>> both = {"one": ds.CoT(), "four": ds.BestOfN(4)}
    >>> study = ds.Study(ds.SkillGraph.chain(3, 0.5), strategies=both, tokens=400, engine="exact")
    >>> ds.choose(study).to_dict()["comparisons"]
    1
    """

    name: str
    engine: str
    seed: int
    axes: tuple[str, ...]
    strategies: tuple[str, ...]
    decisions: tuple[Decision, ...]
    level: float
    comparisons: int
    match: str | None = None
    interrupted: bool = False
    environment: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """What ``ds3sim choose --json`` prints."""
        about = {"name": self.name, "seed": self.seed, "engine": self.engine, "match": self.match}
        interrupted = {"interrupted": True} if self.interrupted else {}
        return as_plain(
            {
                "choices": [decision.to_dict() for decision in self.decisions],
                "level": self.level,
                "comparisons": self.comparisons,
                "environment": {**self.environment, **about, **interrupted},
            }
        )

    def _rows(self) -> list[Row]:
        return [row for decision in self.decisions for row in decision.rows]

    def _more(self) -> dict[str, np.ndarray]:
        names = ("probability_best", "behind", "behind_low", "behind_high")
        values: list[tuple[float, ...]] = []
        for decision in self.decisions:
            gaps = {gap.against: (gap.estimate, gap.low, gap.high) for gap in decision.gaps}
            for row in decision.rows:
                name = str(row.strategy)
                values.append((decision.probability_best[name], *gaps.get(name, (0.0, 0.0, 0.0))))
        table = np.array(values, dtype=np.float64).reshape(-1, len(names))
        return {name: table[:, i] for i, name in enumerate(names)}

    def _said(self) -> dict[str, Any]:
        return {
            **super()._said(),
            "level": self.level,
            "comparisons": self.comparisons,
            "environment": dict(self.environment),
        }
