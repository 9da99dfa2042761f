"""A graph whose success rate differs between tasks: R is 0 with chance 1-A, else Beta(alpha, beta) (docs/theory.md
section 4).

One step decides a trace: it reaches the goal with chance R, else the trace is lost. R belongs to a task, so the n
traces of a task share it; zero rates are the graph's ``feasible`` = A, which they share too. For single traces this
is the graph with the mean rate, which is what its edges say; engines that hold n traces of one task together ask
for its ``rate``.
"""

from __future__ import annotations

import numpy as np

from ds3sim.core.check import fraction, positive_number
from ds3sim.graph.parts import BetaRate, Parts


def latent(solvable: float, alpha: float, beta: float) -> Parts:
    """The graph of a fitted pass@N: A = ``solvable``, ``alpha``, ``beta``; nodes task, solved, failed.

    Raises:
        InputError: A outside [0, 1], alpha or beta not a finite number above 0.
    """
    solvable = fraction("solvable", solvable)
    rate = BetaRate(positive_number("alpha", alpha), positive_number("beta", beta))
    return Parts(
        names=("task", "solved", "failed"),
        source=np.array([0, 0]),
        target=np.array([1, 2]),
        probability=np.array([rate.mean, 1.0 - rate.mean]),
        start=np.array([1.0, 0.0, 0.0]),
        goal=np.array([False, True, False]),
        dead=np.array([False, False, True]),
        feasible=solvable,
        rate=rate,
    )
