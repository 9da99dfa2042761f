"""A graph whose success rate differs between tasks: R is 0 with chance 1-A, else Beta(alpha, beta) (docs/theory.md
section 4).

One step decides a trace: it reaches the goal with chance R, else the trace is lost. R belongs to a task, so the n
traces of a task share it; zero rates are the graph's ``feasible`` = A, which they share too. For single traces this
is the graph with the mean rate, which is what its edges say; engines that hold n traces of one task together ask
:func:`shared_rate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import fraction
from ds3sim.core.errors import require
from ds3sim.graph.graph import SkillGraph


@dataclass(frozen=True, eq=False)
class LatentGraph(SkillGraph):
    """See :func:`latent`; ``feasible`` is A.

    Attributes:
        alpha, beta: of the success rate of a task that can be solved.
    """

    alpha: float = 1.0
    beta: float = 1.0


def latent(solvable: float, alpha: float, beta: float) -> LatentGraph:
    """The graph of a fitted pass@N: A = ``solvable``, ``alpha``, ``beta``; nodes task, solved, failed.

    Raises:
        InputError: A outside [0, 1], alpha or beta not a finite number above 0.
    """
    solvable = fraction("solvable", solvable)
    for name, value in (("alpha", alpha), ("beta", beta)):
        good = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        good = good and math.isfinite(value) and value > 0
        require(good, f"{name} = {value!r} is not allowed: it must be a finite number above 0")
    mean = alpha / (alpha + beta)
    return LatentGraph(
        names=("task", "solved", "failed"),
        source=np.array([0, 0]),
        target=np.array([1, 2]),
        probability=np.array([mean, 1.0 - mean]),
        start=np.array([1.0, 0.0, 0.0]),
        goal=np.array([False, True, False]),
        dead=np.array([False, False, True]),
        feasible=solvable,
        alpha=float(alpha),
        beta=float(beta),
    )
