"""Batches of walks of one size: each is what it is alone."""

import numpy as np
import pytest

from ds3sim.engine.exact import propagate, propagate_batch
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.steps import CoT, ToT

GRAPHS = [SkillGraph.random(9, advance, degree=3, death=0.1, seed=seed) for advance, seed in ((0.7, 1), (0.4, 2))]


@pytest.mark.parametrize("step", [CoT(), ToT(3, 0.1)])
def test_a_batch_is_its_members(step):
    tensors = [step.tensor(graph) for graph in GRAPHS]
    goals, deaths = propagate_batch(GRAPHS, tensors, 25)
    for i, (graph, own) in enumerate(zip(GRAPHS, tensors, strict=True)):
        pmf, death_pmf = propagate(own, graph.start, graph.goal, graph.dead, 25)
        np.testing.assert_allclose(goals[i], np.cumsum(pmf), atol=1e-14)
        np.testing.assert_allclose(deaths[i], np.cumsum(death_pmf), atol=1e-14)
