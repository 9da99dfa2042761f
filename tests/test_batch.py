"""Batches of tensors: padding changes nothing."""

import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.engine.exact import propagate, propagate_batch
from ds3sim.graph.batch import stack
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.steps import ToT

GRAPHS = [
    SkillGraph.chain(3, 0.4),
    SkillGraph.random(9, 0.7, degree=3, death=0.1, seed=1),
    SkillGraph.layered(2, 3, 0.5, back=0.1, death=0.05, seed=2),
]


@pytest.mark.parametrize("step", [None, ToT(3, 0.1)])
def test_a_batch_is_its_members(step):
    tensors = None if step is None else [step.tensor(graph) for graph in GRAPHS]
    batch = stack(GRAPHS, tensors)
    assert batch.tensor.shape == (3, 10, 10)
    np.testing.assert_allclose(batch.tensor.sum(axis=-1), 1.0, atol=1e-14)
    np.testing.assert_allclose(batch.start.sum(axis=-1), 1.0)
    goals, deaths = propagate_batch(batch, 25)
    for i, graph in enumerate(GRAPHS):
        own = graph.transition_tensor() if tensors is None else tensors[i]
        pmf, death_pmf = propagate(own, graph.start, graph.goal, graph.dead, 25)
        np.testing.assert_allclose(goals[i], np.cumsum(pmf), atol=1e-14)
        np.testing.assert_allclose(deaths[i], np.cumsum(death_pmf), atol=1e-14)


def test_refusals():
    with pytest.raises(InputError, match="at least one graph"):
        stack([])
    with pytest.raises(InputError, match="one tensor for each"):
        stack(GRAPHS, [np.eye(4)])
    with pytest.raises(InputError, match="has shape"):
        stack(GRAPHS[:1], [np.eye(3)])
    with pytest.raises(InputError, match="smaller batches"):
        stack([SkillGraph.chain(3000, 0.5)] * 20)
