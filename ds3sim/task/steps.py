"""Step policies: a transition tensor in, a transition tensor out (docs/theory.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import fraction, number, whole_number
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.tensor import mixture
from ds3sim.task.scores import best_of_b, score_classes
from ds3sim.theory.chain import branch_success

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

MOST_BRANCHES = 2**20


@dataclass(frozen=True)
class CoT:
    """Chain of thought: one proposal a step, always kept. The tensor is P itself.

    >>> ds.Task(ds.SkillGraph.chain(3, 0.5), step=ds.CoT(), steps=40).step == ds.CoT()
    True
    """

    name = "cot"

    @property
    def proposals(self) -> int:
        """Proposals generated a step; each costs omega tokens."""
        return 1

    def tensor(self, graph: SkillGraph) -> Tensor:
        """float64 [S, S]: the law of one step under this policy; sparse where the graph is large."""
        return graph.tensor()

    def advance_rate(self, r: ArrayLike) -> np.ndarray:
        """Chance that a step of a chain moves on, of one proposal's chance r: r itself."""
        return np.asarray(r, dtype=np.float64)


class _Branching:
    """What ``branches`` proposals, and a score that errs, have in common."""

    branches: int
    evaluator_error: float
    discount: float

    def _check(self, **most: int) -> None:
        for name, high in most.items():
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1, high))
        object.__setattr__(self, "evaluator_error", fraction("evaluator_error", self.evaluator_error))
        object.__setattr__(self, "discount", number("discount", self.discount, above=0, below=1))

    def advance_rate(self, r: ArrayLike) -> np.ndarray:
        """Chance that a step of a chain moves on, of one proposal's chance r: (6); a beam has no formula of its own."""
        return branch_success(r, self.branches, self.evaluator_error)


@dataclass(frozen=True)
class ToT(_Branching):
    """Tree of thoughts with one-step look-ahead: b proposals a step, the best by score is kept.

    Attributes:
        branches: b >= 1.
        evaluator_error: e; with this probability the kept proposal is uniform among the b.
        discount: d in (0, 1) of the default score v(s) = E[d^T | start at s].

    >>> graph = ds.SkillGraph.chain(3, 0.2)
    >>> ds.ToT(4).tensor(graph)[0].round(4).tolist()
    [0.4096, 0.5904, 0.0, 0.0]
    """

    branches: int = 1
    evaluator_error: float = 0.0
    discount: float = 0.99
    name = "tot"

    def __post_init__(self) -> None:
        self._check(branches=MOST_BRANCHES)

    @property
    def proposals(self) -> int:
        """b, the proposals generated a step."""
        return self.branches

    def tensor(self, graph: SkillGraph) -> Tensor:
        """float64 [S, S]: P' = (1 - e) P_b + e P, docs/theory.md (2.1); sparse where the graph is large."""
        tensor = graph.tensor()
        best = best_of_b(tensor, score_classes(graph, self.discount), self.branches)
        return mixture(self.evaluator_error, best, tensor)


@dataclass(frozen=True)
class Beam(_Branching):
    """Beam search: w particles, each makes b proposals a step; the w best of the w*b are kept.

    Ties are broken at random. The trace has reached the goal when one particle has, and is dead
    when all are. No small tensor describes it (w = 1 is ToT): only the traces engine runs it.

    Attributes:
        width: w >= 1.
        branches: b >= 1.
        evaluator_error: with this probability a step keeps w proposals chosen uniformly.
        discount: as for :class:`ToT`.

    >>> task = ds.Task(ds.SkillGraph.chain(3, 0.2), step=ds.Beam(width=2, branches=2), steps=20)
    >>> ds.simulate(task, traces=1000, seed=0).traces
    1000
    """

    width: int = 2
    branches: int = 1
    evaluator_error: float = 0.0
    discount: float = 0.99
    name = "beam"

    def __post_init__(self) -> None:
        self._check(width=1024, branches=1024)

    @property
    def proposals(self) -> int:
        """w * b, the proposals generated a step."""
        return self.width * self.branches


StepPolicy = CoT | ToT | Beam
STEP_POLICIES: tuple[type[StepPolicy], ...] = get_args(StepPolicy)
"""What a config can name; the fields of each are keys of [strategy]."""
