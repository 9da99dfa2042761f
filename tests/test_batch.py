"""Tasks computed together: each is what it is alone."""

import numpy as np
import pytest

from ds3sim.engine.exact import Exact, exacts
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.aggregate import BestOfN
from ds3sim.task.steps import CoT, ToT
from ds3sim.task.task import Task

GRAPHS = [SkillGraph.random(9, advance, degree=3, death=0.1, seed=seed) for advance, seed in ((0.7, 1), (0.4, 2))]


@pytest.mark.parametrize("step", [CoT(), ToT(3, 0.1)])
@pytest.mark.parametrize("on_dead", ["exhaust", "stop"])
def test_tasks_together_are_what_they_are_alone(step, on_dead):
    tasks = [
        Task(graph, step, BestOfN(n), steps, on_dead=on_dead)
        for steps in ([25], [3, 400], [8, 0])
        for graph in GRAPHS
        for n in (1, 3)
    ]
    for task, found in zip(tasks, exacts(tasks), strict=True):
        law = Exact.of(task)
        for what in ("success", "expected_steps", "expected_square_steps"):
            alone, together = (np.asarray(getattr(one, what)(task.budgets)) for one in (law, found))
            np.testing.assert_allclose(together, alone, rtol=1e-13, err_msg=what)
