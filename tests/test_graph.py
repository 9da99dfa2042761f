"""Skill graphs: builder, generators, tensors, and the lumping test."""

import io
import json
import math
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from refused import refusal

from ds3sim.core.errors import InputError, NoClosedForm
from ds3sim.graph.graph import SkillGraph, load_graph
from ds3sim.graph.lump import ChainForm, chain_form, fewest_steps
from ds3sim.task.steps import ToT
from ds3sim.task.task import Task


def law(tensor, start, goal, steps):
    """P(T <= k), k = 0..steps, by repeated multiplication."""
    state, found = np.array(start, dtype=float), []
    for _ in range(steps + 1):
        found.append(state[goal].sum())
        state = state @ tensor
    return np.array(found)


def chain_law(form, steps):
    """P(T <= k) of a chain with death: sum of C(j-1, m-1) r^m (1-r-q)^(j-m)."""
    m, r, stay = form.skills, form.success, 1 - form.success - form.death
    pmf = [math.comb(j - 1, m - 1) * r**m * stay ** (j - m) if j >= m else 0.0 for j in range(1, steps + 1)]
    return np.concatenate([[0.0], np.cumsum(pmf)])


def test_chain_tensor():
    graph = SkillGraph.chain(skills=3, success=0.25, feasible=0.5)
    expected = [[0.75, 0.25, 0, 0], [0, 0.75, 0.25, 0], [0, 0, 0.75, 0.25], [0, 0, 0, 1]]
    assert graph.transition_tensor().tolist() == expected
    assert graph.shortest_path == 3 and graph.feasible == 0.5
    assert graph.steps_to_goal.tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize("success", [0.0, 1.0])
def test_chain_at_the_ends_of_r(success):
    graph = SkillGraph.chain(4, success)
    assert np.array_equal(graph.transition_tensor().sum(axis=1), np.ones(5))
    assert graph.shortest_path == (4 if success else None)


GENERATED = [
    SkillGraph.chain(7, 0.3),
    SkillGraph.layered(3, 4, 0.5, back=0.2, death=0.1, seed=1),
    SkillGraph.layered(1, 3, 0.0),
    SkillGraph.layered(2, 2, 0.6, back=0.2, death=0.2),
    SkillGraph.random(12, 0.9, degree=5, death=0.1, seed=2),
    SkillGraph.random(2, 1.0, degree=1),
    SkillGraph.random(9, 0.0, degree=3),
]


@pytest.mark.parametrize("graph", GENERATED)
def test_generated_tensors_are_stochastic_and_absorbing(graph):
    tensor = graph.transition_tensor()
    assert tensor.dtype == np.float64 and tensor.shape == (graph.size, graph.size)
    assert np.all(tensor >= 0) and np.allclose(tensor.sum(axis=1), 1, rtol=0, atol=1e-15)
    ends = np.flatnonzero(graph.goal | graph.dead)
    assert np.array_equal(tensor[ends], np.eye(graph.size)[ends])
    assert np.array_equal(graph.sparse_tensor().toarray(), tensor)
    assert graph.start.sum() == 1 and graph.goal.any()


def test_random_graph_keeps_its_promises():
    graph = SkillGraph.random(30, 0.7, degree=5, death=0.05, seed=3)
    tensor = graph.transition_tensor()
    index = {name: i for i, name in enumerate(graph.names)}
    for i in range(29):
        row = tensor[index[f"s{i}"]]
        assert row[index[f"s{i + 1}"]] > 0 and abs(row[index["dead"]] - 0.05) < 1e-15
        assert np.count_nonzero(row) == 5 + 2  # five successors, death, wasted step
        assert abs(row[index[f"s{i}"]] - 0.25) < 1e-15
    assert np.array_equal(tensor, SkillGraph.random(30, 0.7, degree=5, death=0.05, seed=3).transition_tensor())
    assert not np.array_equal(tensor, SkillGraph.random(30, 0.7, degree=5, death=0.05, seed=4).transition_tensor())


def test_random_successors_are_uniform():
    """Over seeds, each of the six nodes that may follow s3 besides s4 is chosen equally often."""
    runs, chosen = 600, np.zeros(8)
    for seed in range(runs):
        graph = SkillGraph.random(8, 0.5, degree=3, seed=seed)
        here = graph.names.index("s3")
        for t in graph.target[graph.source == here]:
            chosen[int(graph.names[t][1:])] += 1
    assert chosen[3] == 0 and chosen[4] == runs
    others = np.delete(chosen, [3, 4])
    deviation = (others - runs / 3) / math.sqrt(runs / 3 * 2 / 3)
    assert np.abs(deviation).max() < 4.5


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: SkillGraph.chain(0, 0.5), "skills = 0 is"),
        (lambda: SkillGraph.chain(2.5, 0.5), "skills = 2.5 is"),
        (lambda: SkillGraph.chain(3, 1.5), "success = 1.5 is"),
        (lambda: SkillGraph.chain(3, float("nan")), "success = nan is"),
        (lambda: SkillGraph.chain(3, 0.5, feasible=-1), "feasible = -1 is"),
        (lambda: SkillGraph.chain(10**6, 0.5), "skills = 1000000 is .* between 1 and 65536"),
        (lambda: SkillGraph.layered(0, 2, 0.5), "layers = 0 is"),
        (lambda: SkillGraph.layered(2, 2, 0.5, back=0.4, death=0.2), "success . back . death = 1.1 is above 1"),
        (lambda: SkillGraph.layered(10**4, 10**4, 0.5), "layers . width = 100000000 is more than 65536"),
        (lambda: SkillGraph.random(1, 0.5), "skills = 1 is"),
        (lambda: SkillGraph.random(4, 0.5, degree=4), "degree = 4 is too large: 4 skills have at most 3"),
        (lambda: SkillGraph.random(4, 0.9, degree=2, death=0.2), "success . death = 1.1 is above 1"),
        (lambda: SkillGraph.random(4, 0.9, degree=2, seed=-1), "seed = -1 is"),
    ],
)
def test_generators_refuse(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_from_edges_orders_nodes_by_appearance_and_takes_integers():
    graph = SkillGraph.from_edges([(1, "b", 0.5), ("b", 3, 1)], start=1, goal="3", nodes=["x"])
    assert graph.names == ("x", "1", "b", "3")
    assert graph.transition_tensor().tolist() == [[1, 0, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


def test_row_slightly_above_one_is_scaled():
    graph = SkillGraph.from_edges([("a", "b", 0.5 + 4e-10), ("a", "c", 0.5 + 4e-10)], start="a", goal="b")
    assert graph.transition_tensor()[0].tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("edges", "fragment"),
    [
        ([], "no edges"),
        ([("a", "b")], "edge 1: ('a', 'b') is not an edge"),
        (["abc"], "'abc' is not an edge"),
        ([("a", "b", None)], "None"),
        ([("a", "b", True)], "True"),
        ([("a", "b", 10**400)], "not a number"),
        ([("a", "b", 10**5000)], "a huge int"),
        ([("a", "b", "1_0")], "'1_0'"),
        ([(True, "b", 0.5)], "True cannot name a node"),
        ([(1.0, "b", 0.5)], "1.0 cannot name a node"),
        ([("a", "b", 0.5), (" ", "b", 0.5)], "edge 2: ' ' cannot name a node"),
        ([("a", "b", 0.5), ("a ", "b", 0.1)], "stands there twice (first: edge 1)"),
        ([("a", "b", 0.5), ("a", "c", 0.500002)], "edge 2: the probabilities out of node a sum to 1.000002"),
    ],
)
def test_builder_refuses(edges, fragment):
    assert fragment in refusal(SkillGraph.from_edges, edges, start="a", goal="b")


def test_fewest_steps_against_floyd_warshall():
    rng = np.random.default_rng(0)
    for _ in range(20):
        size = int(rng.integers(2, 9))
        there = rng.random((size, size)) < 0.25
        ends = rng.random(size) < 0.3
        distance = np.where(there, 1.0, np.inf)
        np.fill_diagonal(distance, 0)
        for k in range(size):
            distance = np.minimum(distance, distance[:, [k]] + distance[[k], :])
        expected = distance[:, ends].min(axis=1, initial=np.inf)
        assert np.array_equal(fewest_steps(*np.nonzero(there), ends), expected)


@pytest.mark.parametrize(("skills", "success"), [(10, 0.2), (1, 1.0), (1, 1e-300)])
def test_generated_chain_is_its_own_form(skills, success):
    assert SkillGraph.chain(skills, success).chain_form() == ChainForm(skills, success)


def test_goal_out_of_reach():
    assert SkillGraph.chain(5, 0.0).chain_form().success == 0.0
    lost = SkillGraph.from_edges([("a", "x", 0.5), ("b", "z", 1)], start="a", goal="z", dead="x", require_path=False)
    with pytest.raises(NoClosedForm, match="death is not"):
        lost.chain_form()


@pytest.mark.parametrize("branches", [1, 3])
def test_layered_graph_lumps_under_cot_and_tot(branches):
    """Layers without a way back are a chain; ToT sees only the layer, so its tensor lumps as well."""
    graph = SkillGraph.layered(4, 3, 0.3, death=0.1, seed=5)
    tensor = ToT(branches=branches).tensor(graph)
    form = chain_form(tensor, graph.start, graph.goal, graph.dead, graph.names)
    assert form.skills == 5 and form.at_dead
    assert form.success == pytest.approx(1 - 0.7**branches, rel=1e-12)
    assert form.death == pytest.approx(0.1**branches, rel=1e-12)
    assert np.allclose(chain_law(form, 40), law(tensor, graph.start, graph.goal, 40), rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize(
    ("edges", "start", "form"),
    [  # nodes that the walk never meets; lost without a dead node; a start spread over one layer
        ([("a", "b", 0.5), ("b", "z", 0.5), ("u", "a", 0.9), ("u", "z", 0.1)], "a", ChainForm(2, 0.5)),
        (
            [("a", "b", 0.5), ("a", "pit", 0.25), ("b", "z", 0.5), ("b", "x", 0.25)],
            "a",
            ChainForm(2, 0.5, 0.25, at_dead=False),
        ),
        ([("a", "z", 0.5), ("b", "z", 0.5), ("b", "a", 0.25)], ["a", "b"], ChainForm(1, 0.5)),
    ],
)
def test_chain_form_of_edges(edges, start, form):
    dead = [name for name in "x" if any(name in edge for edge in edges)]
    assert SkillGraph.from_edges(edges, start=start, goal="z", dead=dead).chain_form() == form


@pytest.mark.parametrize(
    ("edges", "start", "fragments"),
    [
        ([("a", "b", 0.5), ("b", "z", 0.4)], "a", ("node a moves on", "node b with 0.4")),
        ([("a", "b", 0.5), ("b", "z", 0.5), ("b", "x", 0.1)], "a", ("node a is lost", "node b with 0.1")),
        ([("a", "b", 0.5), ("b", "z", 0.5), ("b", "a", 0.1)], "a", ("node b has a step away", "to a")),
        ([("a", "b", 0.5), ("b", "z", 0.5)], ["a", "b"], ("different distances", "a: 2", "b: 1")),
        ([("a", "z", 0.5)], {"a": 0.5, "z": 0.5}, ("node z", "the goal")),
        ([("a", "z", 0.5)], "z", ("node z", "the goal")),
        ([("a", "z", 0.5), ("a", "x", 0.1)], {"a": 0.5, "x": 0.5}, ("node x", "dead")),
    ],
)
def test_no_chain_form(edges, start, fragments):
    dead = [name for name in "x" if any(name in edge for edge in edges)]
    graph = SkillGraph.from_edges(edges, start=start, goal="z", dead=dead)
    with pytest.raises(NoClosedForm) as caught:
        graph.chain_form()
    assert all(fragment in str(caught.value) for fragment in fragments)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(2, 5), st.randoms(use_true_random=False))
def test_whenever_a_form_is_given_its_law_is_right(size, random):
    """Small graphs with few distinct probabilities: many lump, many do not; a form must never be wrong."""
    edges = [
        (f"n{s}", f"n{t}", random.choice([0.25, 0.5]))
        for s in range(size)
        for t in range(size)
        if s != t and random.random() < 0.4
    ]
    kept, sums = [], {}
    for s, t, p in edges:
        if sums.get(s, 0) + p <= 1:
            sums[s] = sums.get(s, 0) + p
            kept.append((s, t, p))
    names = [f"n{i}" for i in range(size)]
    graph = SkillGraph.from_edges(
        [*kept, ("n0", "x", 0.0)], start="n0", goal=names[-1], dead=["x"], nodes=names, require_path=False
    )
    try:
        form = graph.chain_form()
    except NoClosedForm:
        return
    found = law(graph.transition_tensor(), graph.start, graph.goal, 12)
    assert np.allclose(chain_law(form, 12), found, rtol=1e-12, atol=0)


SCORES = {"a": 0.25, "b$": 0.5, "<z>": 1.0, "x": 0.0}
SAVED = [
    *GENERATED,
    SkillGraph.latent(0.9, 0.4, 1.5),
    SkillGraph.from_edges(
        [("a", "b$", 0.1 + 0.2), ("b$", "<z>", 1 / 3), ("a", "x", 0.1), ("<z>", "a", 1.0)],
        start={"a": 0.7, "b$": 0.1, "x": 0.2},
        goal="<z>",
        dead="x",
        score=SCORES,
        feasible=0.9,
    ),
    SkillGraph.from_edges([(i, 99, 1 / 7) for i in range(49)], start=list(range(49)), goal=99),
    SkillGraph.chain(200, 0.5),
]


@pytest.mark.parametrize("graph", SAVED, ids=range(len(SAVED)))
def test_a_saved_graph_is_read_back_equal(tmp_path, graph):
    loaded = load_graph(graph.save(tmp_path / "g.json"))
    assert loaded == graph and hash(loaded) == hash(graph) and loaded.rate == graph.rate
    assert loaded.start.tobytes() == graph.start.tobytes()
    assert Task(loaded, steps=3).identity == Task(graph, steps=3).identity
    assert json.loads(graph.to_json()) == json.loads((tmp_path / "g.json").read_text())
    assert len(nx.node_link_graph(json.loads(graph.to_json()), edges="links")) == graph.size


def test_equality_of_graphs():
    one = SkillGraph.chain(3, 0.25)
    assert one == SkillGraph.chain(3, 0.25) and one != SkillGraph.chain(3, 0.5) and one != SkillGraph.chain(4, 0.25)
    assert one != replace(one, feasible=0.5) and one != replace(one, score=np.zeros(4))
    assert SkillGraph.latent(0.9, 0.4, 1.5) != SkillGraph.latent(0.9, 0.8, 3.0)


def test_a_saved_graph_may_be_given_another_start(tmp_path):
    path = SkillGraph.chain(3, 0.25, feasible=0.5).save(tmp_path / "g.json")
    graph = load_graph(path, start="1", feasible=1.0)
    assert graph.start.tolist() == [0, 1, 0, 0] and graph.feasible == 1.0


def test_edges_as_csv_and_frame(tmp_path):
    graph = SAVED[-3]
    path = graph.save(tmp_path / "g.csv")
    start = {"a": 0.7, "b$": 0.1, "x": 0.2}
    assert load_graph(path, start=start, goal="<z>", dead="x", feasible=0.9, score=SCORES) == graph
    frame = graph.to_frame()
    assert frame.columns.tolist() == ["source", "target", "probability"] and frame["target"].tolist()[1] == "<z>"


def test_dataset_has_named_nodes_and_edges(tmp_path):
    graph = SAVED[-3]
    data = graph.to_dataset()
    assert dict(data.sizes) == {"node": 4, "edge": 4} and data["probability"].attrs["units"] == "1"
    assert data["start"].sel(node="a") == 0.7 and bool(data["goal"].sel(node="<z>"))
    with xarray.open_dataset(graph.save(tmp_path / "g.nc")) as read:
        assert read["source"].values.tolist() == ["a", "b$", "a", "<z>"] and read.attrs["feasible"] == 0.9


def test_small_graphs_are_drawn_and_large_ones_summed_up():
    graph = SAVED[-3]
    ax = graph.plot(Figure().add_subplot())
    assert sum(len(c.get_offsets()) for c in ax.collections) == graph.size
    ax.figure.savefig(io.BytesIO(), format="svg")
    text = graph._repr_html_()
    assert "&lt;z&gt;" in text and "<z>" not in text and "data:image/svg" in text
    large = SkillGraph.chain(60, 0.5)
    assert "data:image/svg" not in large._repr_html_() and "61" in large._repr_html_()
    assert large.plot(Figure().add_subplot()).get_xlabel() == "Fewest steps to the goal"
    assert "alpha" in SkillGraph.latent(0.9, 0.4, 1.5)._repr_html_()
