"""Large graphs: every engine on a sparse tensor gives what it gives on a dense one, in memory that the edges set."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array
from statistics_budget import agrees

import ds3sim as ds
from ds3sim.core.errors import InputError
from ds3sim.engine import population
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.simulate import evaluate
from ds3sim.engine.traces import tables
from ds3sim.engine.traces.alias import wide_tables
from ds3sim.engine.traces.tables import macro_tables, walk_of
from ds3sim.graph import graph as graphs
from ds3sim.task.export import exported

GRAPHS = {
    "layered": ds.SkillGraph.layered(6, 4, 0.4, back=0.1, death=0.03, seed=2, feasible=0.9),
    "random": ds.SkillGraph.random(90, 0.9, degree=5, death=0.02, seed=3),
    "chain": ds.SkillGraph.chain(40, 0.6),
}


@pytest.fixture(params=GRAPHS)
def graph(request):
    return GRAPHS[request.param]


def on_sparse(monkeypatch, compute):
    """What ``compute`` gives with dense tensors, and with sparse ones alone."""
    dense = compute()
    with monkeypatch.context() as patch:
        patch.setattr(graphs, "DENSE_NODES", 0)
        patch.setattr(ds.SkillGraph, "transition_tensor", lambda _: pytest.fail("asked for a dense tensor"))
        return dense, compute()


@pytest.mark.parametrize("step", [ds.CoT(), ds.ToT(3, 0.1)], ids=["cot", "tot"])
def test_numbers_on_a_sparse_tensor(graph, step, monkeypatch):
    task = ds.Task(graph, step, steps=[30, 90])
    one, two = on_sparse(monkeypatch, lambda: ds.exact(ds.Task(graph, step, steps=90)))
    np.testing.assert_allclose(two.pmf, one.pmf, rtol=1e-12)
    one, two = on_sparse(monkeypatch, lambda: exported(ds.Task(graph, step, steps=90), "drn").split())
    assert [word for word in one if "." not in word] == [word for word in two if "." not in word]
    one, two = on_sparse(monkeypatch, lambda: ds.simulate(task, 500, engine="importance").success([30, 90]).estimate)
    np.testing.assert_allclose(two, one, rtol=0.5)  # another theta, so other traces
    if graph.names[0] == "0":
        forms = on_sparse(monkeypatch, lambda: ds.closed_form(task).form)
        assert forms[0] == forms[1]


@pytest.mark.parametrize(
    ("step", "engine", "options"),
    [
        (ds.CoT(), "traces", {"macro_steps": 1}),
        (ds.CoT(), "traces", {"macro_steps": 4}),
        (ds.ToT(2), "traces", {"macro_steps": 1}),
        (ds.Beam(2, 2), "traces", {}),
        (ds.CoT(), "population", {}),
    ],
    ids=["cot", "cot, 4 steps", "tot", "beam", "population"],
)
def test_tallies_on_a_sparse_tensor_are_the_same(graph, step, engine, options, monkeypatch):
    def tally():
        return ds.simulate(ds.Task(graph, step, steps=40), 3000, engine=engine, **options)

    dense, sparse = on_sparse(monkeypatch, tally)
    assert np.array_equal(dense.hits, sparse.hits) and np.array_equal(dense.deaths, sparse.deaths)


def test_importance_on_a_sparse_tensor_has_no_bias(monkeypatch):
    monkeypatch.setattr(graphs, "DENSE_NODES", 0)
    task = ds.Task(GRAPHS["random"], steps=12)
    expected = ds.exact(task).success(12).estimate
    found = ds.simulate(task, 20_000, engine="importance").success(12)
    assert agrees(found.estimate, expected, (found.high - found.low) / 3.9)


def star(leaves):
    """A hub with many leaves, of which one in eight leads on."""
    edges = [("hub", i, 0.9 / leaves) for i in range(leaves)]
    return [*edges, *((i, "hub", 0.5) for i in range(leaves)), *((i, "end", 0.25) for i in range(0, leaves, 8))]


@pytest.mark.parametrize("step", [ds.CoT(), ds.Beam(1, 1)], ids=["walk", "beam"])
def test_rows_of_unequal_length(step, monkeypatch):
    """Rows of their own widths: a hub does not cost every other node its width."""
    graph = ds.SkillGraph.from_edges(star(300), start="hub", goal="end")
    monkeypatch.setattr(graphs, "DENSE_NODES", 0)
    monkeypatch.setattr(tables, "TABLE_BYTES", 2**16)
    (table,) = macro_tables([(walk_of(graph, graph.tensor()), 1)])
    assert table.wide and table.threshold.size < 2200
    tally = ds.simulate(ds.Task(graph, step, steps=40), 20_000, macro_steps=1 if step == ds.CoT() else None)
    expected = ds.exact(ds.Task(graph, steps=40)).success([2, 5, 40]).estimate
    assert agrees(tally.success([2, 5, 40]).estimate, expected, np.sqrt(expected * (1 - expected) / 20_000))


def test_twenty_thousand_nodes():
    nodes, rng = 20_000, np.random.default_rng(8)
    target = (np.arange(nodes)[:, None] + rng.integers(1, nodes // 10, (nodes, 10)).cumsum(axis=1)) % nodes
    chance = rng.dirichlet(np.ones(10), nodes) * 0.95
    edges = zip(np.repeat(np.arange(nodes), 10).tolist(), target.ravel().tolist(), chance.ravel().tolist(), strict=True)
    graph = ds.SkillGraph.from_edges(edges, start=0, goal=range(100, 200), dead=range(300, 310))
    (table,) = macro_tables([(walk_of(graph, graph.tensor()), 1)])
    assert graph.source.size == 200_000 and table.threshold.size <= 4 * 220_000
    task = ds.Task(graph, steps=300)
    expected = ds.exact(task).success([100, 300]).estimate
    found = ds.simulate(task, 3000).success([100, 300])
    assert agrees(found.estimate, expected, np.sqrt(expected * (1 - expected) / 3000))
    assert agrees(ds.simulate(ds.Task(graph, steps=8), 10**6, engine="population").success(8).estimate, *_law(graph))


def _law(graph):
    expected = ds.exact(ds.Task(graph, steps=8)).success(8).estimate
    return expected, np.sqrt(expected * (1 - expected) / 10**6)


def test_what_is_too_large_is_refused_in_one_line(monkeypatch):
    graph = ds.SkillGraph.from_edges(star(3000), start="hub", goal="end")
    monkeypatch.setattr(tables, "LARGEST_TABLE", 2**16)
    monkeypatch.setattr(tables, "TABLE_BYTES", 2**12)
    with pytest.raises(InputError, match="use engine exact or population"):
        ds.simulate(ds.Task(graph, steps=10), 10, macro_steps=1)
    with pytest.raises(InputError, match=r"macro_steps = 16, more than .* use macro_steps = 1"):
        ds.simulate(ds.Task(graph, steps=100), 10, macro_steps=16)


# ---- rare steps -----------------------------------------------------------------------------------

RARE = [10.0**-k for k in range(3, 16)]


def implied(arrays, row, codes):
    """The law that uniform words draw from a row of a wide table, exactly."""
    threshold, outcome, middle, low, places = arrays
    first, width = int(places[row]) >> 5, 1 << (int(places[row]) & 31)
    law = [Fraction(0)] * codes
    for entry in range(first, first + width):
        keep = Fraction((int(threshold[entry]) << 64) + (int(middle[entry]) << 32) + int(low[entry]), 2**96)
        law[int(outcome[entry]) & 0xFFFF] += keep / width
        law[int(outcome[entry]) >> 16] += (1 - keep) / width
    return law


def test_wide_tables_keep_the_digits_of_rare_chances():
    law = np.zeros((2, 18))
    law[0, 1:14], law[0, 15] = RARE, 1 - sum(RARE)
    law[1, [0, 17]] = 1e-15, 1 - 1e-15
    arrays = wide_tables(csr_array(law))
    for row in range(2):
        for found, expected in zip(implied(arrays, row, 18), law[row] / law[row].sum(), strict=True):
            assert abs(found - Fraction(expected)) <= Fraction(expected) / 10**12


@pytest.mark.parametrize("steps", [1, 8])
@pytest.mark.parametrize("chance", [1e-9, 1e-12, 1e-15])
def test_a_rare_step_is_as_rare_in_the_table_of_a_walk(chance, steps):
    edges = [("a", "b", chance), ("a", "x", 0.25), ("b", "z", 0.5), ("c", "a", 1)]
    graph = ds.SkillGraph.from_edges(edges, start={"a": 1 - chance, "c": chance}, goal="z", dead="x")
    (table,) = macro_tables([(walk_of(graph, graph.transition_tensor()), steps)])
    arrays = (table.threshold, table.outcome, *table.wide)
    moved = sum(
        (0.75 - chance) ** i * 0.5 ** (steps - 1 - i) for i in range(steps)
    )  # a -> b at one of the steps, then stay
    from_a = implied(arrays, 0, 3 + 2 * steps + 2)
    assert abs(float(from_a[1]) / (chance * moved) - 1) < 1e-9
    if steps > 1:
        hit = chance * sum((0.75 - chance) ** i * 0.5 ** (steps - 1 - i) for i in range(steps - 1))
        assert abs(float(from_a[3 + steps]) / hit - 1) < 1e-9


def test_only_walks_with_rare_steps_draw_otherwise():
    usual = ds.SkillGraph.from_edges([("a", "b", 1 - 1e-13), ("b", "z", 1e-8)], start="a", goal="z")
    rare = ds.SkillGraph.from_edges([("a", "b", 1), ("b", "z", 1e-10)], start="a", goal="z")
    assert not walk_of(usual, usual.transition_tensor()).rare  # a rare wasted step does not matter
    assert walk_of(rare, rare.transition_tensor()).rare


@pytest.mark.parametrize("engine", ["traces", "population", "importance"])
def test_engines_meet_a_rare_step_as_often_as_they_should(engine):
    graph = ds.SkillGraph.from_edges([("a", "z", 2e-10), ("a", "x", 1e-10)], start="a", goal="z", dead="x")
    steps = 2**20 if engine == "traces" else 2**11
    task = ds.Task(graph, steps=steps)
    traces = {"traces": 200_000, "population": 10**11, "importance": 2000}[engine]
    expected = ds.exact(task).success(steps).estimate
    found = ds.simulate(task, traces, engine=engine).success(steps)
    error = np.sqrt(expected / traces) if engine != "importance" else (found.high - found.low) / 3.9
    assert agrees(found.estimate, expected, error)
    assert found.estimate > 0.5 * expected


def test_beams_propose_rare_steps(monkeypatch):
    """Where the first word of a proposal decides nothing, the further ones do."""
    graph = ds.SkillGraph.from_edges([("a", "z", 1e-10), ("a", "x", 0.5)], start="a", goal="z", dead="x")
    tally = ds.simulate(ds.Task(graph, ds.Beam(1, 1), steps=20), 20_000)
    expected = 1 - 0.5 ** np.arange(1, 6)
    assert agrees(np.cumsum(tally.deaths[1:6]) / 20_000, expected, np.sqrt(expected * (1 - expected) / 20_000))


def test_a_population_splits_by_rare_chances():
    rng = np.random.Generator(np.random.Philox(5))
    law = np.array([1e-12, 0.5, 3e-15, 0.5 - 1e-12 - 3e-15])
    counts = sum(population.multinomial(rng, 10**12, law) for _ in range(2000))
    assert counts.sum() == 2000 * 10**12
    mean = 2000 * 10**12 * law
    assert agrees(counts, mean, np.sqrt(mean * (1 - law)))
    assert population.binomial(rng, 0, 1e-20) == 0 and population.binomial(rng, 10**12, 1e-30) == 0


def test_importance_where_hardly_anything_moves():
    """1 - P_ss would be 0 in float64."""
    task = ds.Task(ds.SkillGraph.chain(2, 1e-17), steps=100)
    found = ds.simulate(task, 2000, engine="importance").success(100)
    assert found.low <= ds.closed_form(task).success(100).estimate <= found.high


def test_rare_and_usual_walks_in_one_batch():
    """Each tally is what it is alone, whatever stands beside it, and however launches are cut."""
    rare = ds.SkillGraph.from_edges(
        [("a", "b", 0.5), ("b", "z", 0.5), ("b", "x", 1e-12)], start="a", goal="z", dead="x"
    )
    tasks = [ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20), ds.Task(rare, steps=20)]
    tasks += [ds.Task(rare, aggregate=ds.BestOfN(3), steps=400), ds.Task(rare, steps=600)]
    together = evaluate(tasks, None, EngineOptions(traces=3000), seed=4)
    for task, law in zip(tasks, together, strict=True):
        alone = ds.simulate(task, 3000, seed=4, chunk=256)
        assert np.array_equal(law.hits, alone.hits) and np.array_equal(law.task_hits, alone.task_hits)


def grid(side):
    """A walk between neighbours on a square, with a preference for the corner of the goal."""
    at = np.arange(side * side).reshape(side, side)
    pairs = [
        (at[:, :-1], at[:, 1:], 0.3),
        (at[:-1], at[1:], 0.3),
        (at[:, 1:], at[:, :-1], 0.15),
        (at[1:], at[:-1], 0.1),
    ]
    edges = [(a, b, p) for ends, others, p in pairs for a, b in zip(ends.flat, others.flat, strict=True)]
    edges += [(a, "dead", 0.001) for a in at.flat]
    return ds.SkillGraph.from_edges(
        edges, start={0: 0.7, side + 1: 0.2, "dead": 0.1}, goal=side * side - 1, dead="dead"
    )


@pytest.mark.parametrize("steps", [2, 8])
@pytest.mark.parametrize("kind", ["chain", "grid", "rare"])
def test_many_steps_a_draw_on_a_sparse_tensor(kind, steps):
    """The law of so many steps, from products of the sparse tensor."""
    edges = [("a", "b", 0.5), ("b", "a", 0.25), ("b", "z", 1e-9), ("b", "x", 1e-3)]
    rare = ds.SkillGraph.from_edges(edges, start={"a": 0.5, "z": 0.5}, goal="z", dead="x")
    graph = {"chain": GRAPHS["chain"], "grid": grid(6), "rare": rare}[kind]
    walk = walk_of(graph, graph.sparse_tensor())
    assert steps in walk.powers
    law = tables._sparse_law(walk, steps).toarray()
    np.testing.assert_allclose(law, tables._laws([walk], walk.start.size, steps)[0], rtol=1e-13)
    (table,) = macro_tables([(walk, steps)])
    assert bool(table.wide) == (kind == "rare")
    np.testing.assert_allclose(law.sum(axis=1), 1.0, rtol=1e-12)


def test_steps_a_draw_follow_the_fan_out():
    """Chains and grids make many steps a draw; where edges lead anywhere, a table of two steps is too wide."""
    nodes = graphs.DENSE_NODES + 500
    chain = ds.SkillGraph.chain(nodes - 1, 0.5)
    walk = walk_of(chain, chain.tensor())
    assert [tables.macro_steps(walk, k) for k in (0, 3, 50, 4000)] == [1, 1, 8, 32]
    (table,) = macro_tables([(walk, 32)])
    assert table.threshold.nbytes + table.outcome.nbytes <= 8 * 64 * nodes
    square, anywhere = grid(50), ds.SkillGraph.random(nodes, 0.9, degree=8, seed=1)
    assert tables.macro_steps(walk_of(square, square.tensor()), 4000) in (4, 8)
    assert list(walk_of(anywhere, anywhere.tensor()).powers) == [1]


def test_large_sparse_walks_of_many_steps_a_draw():
    task = ds.Task(grid(50), steps=[150, 400])
    assert task.graph.size > graphs.DENSE_NODES and len(walk_of(task.graph, task.tensor).powers) > 1
    expected = ds.exact(task)
    for found in (ds.simulate(task, 20_000), ds.simulate(task, 20_000, macro_steps=1)):
        p = expected.success([150, 400]).estimate
        assert agrees(found.success([150, 400]).estimate, p, np.sqrt(p * (1 - p) / 20_000))
        died = np.cumsum(expected.death_pmf)[[10, 100, 400]]
        share = np.cumsum(found.deaths)[[10, 100, 400]] / 20_000
        assert agrees(share, died, np.sqrt(died * (1 - died) / 20_000))


@pytest.mark.parametrize("chance", [1e-100, 1e-200, 1e-300])
def test_intervals_of_importance_cover_where_squares_of_weights_underflow(chance):
    edges = [("a", "b", 0.5), ("b", "z", chance), ("b", "x", 0.1), ("b", "a", 0.3)]
    task = ds.Task(ds.SkillGraph.from_edges(edges, start="a", goal="z", dead="x"), steps=30)
    expected = ds.exact(task).success(30).estimate
    found = ds.simulate(task, 20_000, engine="importance").success(30)
    assert agrees(found.estimate / chance, expected / chance, (found.high - found.low) / 3.9 / chance)
    assert found.high - found.low > 0.005 * expected
