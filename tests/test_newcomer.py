"""What a newcomer adds by the guide of CONTRIBUTING.md: an aggregator that every engine does."""

from dataclasses import dataclass

import numpy as np
import pytest
from statistics_budget import MOST_Z

import ds3sim as ds
from ds3sim.task.aggregate import Counting


@dataclass(frozen=True)
class Quorum(Counting):
    """Succeeds when at least ``least`` traces are correct; with fewer, but some, with chance ``near``."""

    n: int = 1
    least: int = 1
    near: float = 0.0
    name = "quorum"

    def given(self, correct: int) -> float:
        """1 or ``near``."""
        return 1.0 if correct >= self.least else self.near


GRAPHS = [ds.SkillGraph.chain(3, 0.4, feasible=0.9), ds.SkillGraph.latent(0.8, 0.7, 1.5)]


@pytest.mark.parametrize("feasibility", ["per_task", "per_trace"])
@pytest.mark.parametrize("graph", GRAPHS, ids=["chain", "latent"])
@pytest.mark.parametrize("least", [1, 2, 4])
def test_an_aggregator_of_counts(graph, feasibility, least):
    if graph is GRAPHS[1] and feasibility == "per_trace":
        pytest.skip("the traces of a latent task share its rate")
    task = ds.Task(graph, aggregate=Quorum(4, least, 0.3), steps=[4, 20, 48], feasibility=feasibility)
    formula, sums = (law.success(task.budgets).estimate for law in (ds.closed_form(task), ds.exact(task)))
    np.testing.assert_allclose(formula, sums, rtol=1e-10)
    traces = 40_000
    found = ds.simulate(task, traces, seed=5).success(task.budgets).estimate
    error = np.sqrt(np.maximum(formula * (1 - formula), 1e-12) / traces)
    assert (np.abs(found - formula) <= MOST_Z * error + 1e-12).all(), (found, formula)


def test_it_is_best_of_n_and_a_vote_of_two_answers():
    graph = ds.SkillGraph.chain(3, 0.3)
    for ours, known in ((Quorum(5, 1), ds.BestOfN(5)), (Quorum(5, 3), ds.Majority(5, ds.WeightErrors((1.0,))))):
        pair = [ds.exact(ds.Task(graph, aggregate=how, steps=60)).success([10, 30, 60]) for how in (ours, known)]
        np.testing.assert_allclose(*pair, rtol=1e-12)
