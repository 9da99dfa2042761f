"""Alias tables and macro steps against the laws they are made from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds3sim.core.errors import InputError
from ds3sim.engine.traces.alias import alias_tables, row_tables
from ds3sim.engine.traces.tables import macro_steps, macro_tables, walk_of
from ds3sim.graph.graph import SkillGraph


def law_of(threshold, alias):
    width = threshold.shape[1]
    law = threshold / width
    for r in range(len(law)):
        np.add.at(law[r], alias[r], (1 - threshold[r]) / width)
    return law


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 6), st.floats(0.01, 5), st.integers(0, 10**6))
def test_alias_tables_hold_the_law(width, rows, spread, seed):
    rng = np.random.default_rng(seed)
    law = rng.dirichlet(np.full(width, spread), rows)
    law[rng.random(law.shape) < 0.3] = 0
    law[:, 0] += law.sum(axis=1) == 0
    law /= law.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(law_of(*alias_tables(law)), law, atol=1e-14)


def packed_law(threshold, outcome, width, row, codes):
    """The law that two uniform 32-bit words draw from a packed row."""
    law = np.zeros(codes)
    for column in range(width):
        entry = row * width + column
        keep = int(threshold[entry]) / 2**32
        law[int(outcome[entry]) & 0xFFFF] += keep / width
        law[int(outcome[entry]) >> 16] += (1 - keep) / width
    return law


def test_impossible_outcomes_cannot_be_drawn():
    law = np.array([[0.5, 0.0, 1e-13, 0.5 - 1e-13, 0.0], [0, 0, 1, 0, 0]])
    threshold, outcome, width = row_tables([law[None]])[0]
    for row in range(2):
        drawn = packed_law(threshold, outcome, width, row, 5)
        assert np.all(drawn[law[row] == 0] == 0)
        np.testing.assert_allclose(drawn, law[row], atol=2**-32)


@pytest.mark.parametrize("steps", [1, 2, 8, 32])
def test_macro_step_is_the_law_of_so_many_steps(steps):
    graph = SkillGraph.from_edges(
        [("a", "b", 0.3), ("b", "a", 0.1), ("b", "z", 0.2), ("a", "x", 0.05), ("b", "x", 0.02)],
        start={"a": 0.6, "b": 0.1, "z": 0.2, "x": 0.1},
        goal="z",
        dead="x",
    )
    tensor = graph.transition_tensor()
    (table,) = macro_tables([(walk_of(graph, tensor), steps)])
    inner = np.flatnonzero(~(graph.goal | graph.dead))
    codes = table.transient + 2 * (steps + 1)
    starts = [*np.eye(graph.size)[inner], graph.start]
    for row, start in enumerate(starts):
        expected = np.zeros(codes)
        now, before = start, np.zeros(2)
        for j in range(steps + 1):
            absorbed = np.array([now[graph.goal].sum(), now[graph.dead].sum()])
            expected[table.transient + j], expected[table.transient + steps + 1 + j] = absorbed - before
            before = absorbed
            if j < steps:
                now = now @ tensor
        expected[: table.transient] = now[inner]
        drawn = packed_law(table.threshold, table.outcome, table.width, row, codes)
        np.testing.assert_allclose(drawn, expected, atol=2**-31)


def test_steps_per_draw_fit_budget_and_memory():
    chain, wide = SkillGraph.chain(10, 0.2), SkillGraph.random(512, 0.9, degree=8)
    walk, large = (walk_of(graph, graph.transition_tensor()) for graph in (chain, wide))
    assert [macro_steps(walk, k) for k in (0, 1, 20, 200)] == [1, 1, 4, 32]
    assert macro_steps(walk, 10**6) > 64
    (table,) = macro_tables([(large, macro_steps(large, 10**6))])
    assert table.threshold.nbytes < 64 * 2**20


def test_too_many_states_are_refused():
    graph = SkillGraph.from_edges([(i, i + 1, 0.5) for i in range(70_000)], start=0, goal=70_000)
    with pytest.raises(InputError, match="too many for the traces engine"):
        walk_of(graph, np.zeros((1, 1)))
