"""Graphs in node-link JSON and GraphML: what networkx writes, broken files, round trips, the shipped graph."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import refusal, write

from ds3sim.graph.graph import SkillGraph

GRAPHS = Path(__file__).parents[1] / "configs" / "graphs"
DEAD = ["wrong_roots", "lost_root", "gave_up"]


def same(one: SkillGraph, two: SkillGraph) -> bool:
    """Equal up to the order of nodes."""
    order = [two.names.index(name) for name in one.names]
    return (
        set(one.names) == set(two.names)
        and np.array_equal(one.transition_tensor(), two.transition_tensor()[np.ix_(order, order)])
        and np.array_equal(one.start, two.start[order])
        and np.array_equal(one.goal, two.goal[order])
        and np.array_equal(one.dead, two.dead[order])
        and (one.score is None) == (two.score is None)
        and (one.score is None or np.array_equal(one.score, two.score[order]))
    )


def sample(kind=nx.DiGraph):
    graph = kind()
    graph.add_node("a", score=0.25, start=True)
    graph.add_node("m", score=0.5)
    graph.add_node("z", score=1.0, goal=True)
    graph.add_node("x", score=0.0, dead=True)
    graph.add_edge("a", "m", probability=0.5)
    graph.add_edge("a", "x", probability=0.125)
    graph.add_edge("m", "z", weight=0.75)
    graph.add_edge("m", "a", probability=0.125, weight=7.0)
    return graph


def expected_sample():
    edges = [("a", "m", 0.5), ("a", "x", 0.125), ("m", "z", 0.75), ("m", "a", 0.125)]
    return SkillGraph.from_edges(edges, start="a", goal="z", dead="x", score={"a": 0.25, "m": 0.5, "z": 1.0, "x": 0.0})


def save(graph, folder, form):
    path = folder / f"g.{'graphml' if form == 'graphml' else 'json'}"
    if form == "graphml":
        nx.write_graphml(graph, path)
    else:
        path.write_text(json.dumps(nx.node_link_data(graph, edges=form)))
    return path


FORMS = ["links", "edges", "graphml"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [nx.DiGraph, nx.MultiDiGraph])
def test_what_networkx_writes_is_read(tmp_path, form, kind):
    assert same(SkillGraph.load(save(sample(kind), tmp_path, form)), expected_sample())


@pytest.mark.parametrize("form", FORMS)
def test_arguments_replace_what_the_file_says(tmp_path, form):
    path = save(sample(), tmp_path, form)
    scores = {"a": 4, "m": 3, "z": 2, "x": 1}
    graph = SkillGraph.load(path, start={"a": 0.5, "m": 0.5}, goal="x", dead="z", score=scores)
    assert graph.start.tolist() == [0.5, 0.5, 0, 0] and graph.score.tolist() == [4, 3, 2, 1]
    assert graph.names[int(np.argmax(graph.goal))] == "x" and graph.names[int(np.argmax(graph.dead))] == "z"


@pytest.mark.parametrize("form", FORMS)
def test_graph_level_attributes_and_integer_ids(tmp_path, form):
    graph = nx.DiGraph(start=1, goal="3")
    graph.add_edge(1, 2, probability=0.5)
    graph.add_edge(2, 3, probability=1)
    loaded = SkillGraph.load(save(graph, tmp_path, form))
    assert loaded.names == ("1", "2", "3") and loaded.start.tolist() == [1, 0, 0]
    assert SkillGraph.load(save(graph, tmp_path, form), goal=[2]).goal.tolist() == [False, True, False]


@pytest.mark.parametrize("form", FORMS)
def test_start_probabilities_on_nodes(tmp_path, form):
    graph = sample()
    graph.nodes["a"]["start"], graph.nodes["m"]["start"] = 0.25, 0.75
    assert SkillGraph.load(save(graph, tmp_path, form)).start.tolist() == [0.25, 0.75, 0, 0]


@pytest.mark.parametrize("form", FORMS)
def test_isolated_dead_node_is_a_node(tmp_path, form):
    graph = sample()
    graph.remove_edge("a", "x")
    assert SkillGraph.load(save(graph, tmp_path, form)).dead.sum() == 1


def broken(change, kind=nx.DiGraph):
    graph = sample(kind)
    change(graph)
    return graph


BROKEN_ATTRIBUTES = [
    (lambda g: g["a"]["m"].update(probability=float("nan")), "the probability of a -> m is NaN"),
    (lambda g: g["a"]["m"].update(probability=float("inf")), "infinite"),
    (lambda g: g["a"]["m"].update(probability=-0.5), "negative"),
    (lambda g: g["a"]["m"].update(probability=0.9), "out of node a sum to 1.025"),
    (lambda g: g["m"]["z"].pop("weight"), "has no probability"),
    (lambda g: g.nodes["m"].pop("score"), "node m has no score but others have"),
    (lambda g: g.nodes["m"].update(goal="perhaps"), "goal of node m is 'perhaps'"),
    (lambda g: g.nodes["m"].update(start="perhaps"), "start of node m is 'perhaps'"),
    (lambda g: g.nodes["a"].update(start=False), "no start node"),
    (lambda g: g.nodes["z"].update(goal=False), "no goal node"),
    (lambda g: g.nodes["z"].update(dead=True), "both goal and dead"),
    (lambda g: g.graph.update(goal="z"), "goal is given on nodes and on the graph"),
    (lambda g: g.remove_edge("m", "z"), "out of reach"),
    (lambda g: g.remove_edges_from(list(g.edges)), "no edges"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("change", "fragment"), BROKEN_ATTRIBUTES)
def test_broken_attributes(tmp_path, form, change, fragment):
    path = save(broken(change), tmp_path, form)
    message = refusal(SkillGraph.load, path)
    assert fragment in message and str(path) in message


@pytest.mark.parametrize("form", FORMS)
def test_parallel_edges_and_undirected_graphs(tmp_path, form):
    parallel = broken(lambda g: g.add_edge("a", "m", probability=0.1), nx.MultiDiGraph)
    assert "the edge a -> m stands there twice" in refusal(SkillGraph.load, save(parallel, tmp_path, form))
    message = refusal(SkillGraph.load, save(sample(nx.Graph), tmp_path, form))
    assert "undirected" in message and "two edges" in message


EDGE = '{"source": "a", "target": "b", "probability": 0.5}'
BROKEN_JSON = [
    ("{", "not valid JSON: Expecting property name enclosed in double quotes at column 2"),
    ('{"links": [\n}', "line 2"),
    ("[]", "the document is a list"),
    ("3", "the document is a number"),
    ('{"nodes": []}', "no list links or edges"),
    ('{"links": [], "edges": []}', "both links and edges"),
    ('{"links": 3}', "links is a number"),
    ('{"links": [], "nodes": {}}', "nodes is an object"),
    ('{"links": [], "graph": 3}', "graph is a number"),
    ('{"links": []}', "no edges"),
    ('{"links": [7]}', "links[0]: 7 is no edge"),
    ('{"links": [{"source": "a"}]}', "links[0]"),
    ('{"links": [{"source": "a", "target": "b"}]}', "'a' -> 'b' has no probability"),
    ('{"links": [{"source": ["a"], "target": "b", "weight": 1}]}', "['a'] cannot name a node"),
    ('{"links": [{"source": null, "target": "b", "weight": 1}]}', "None cannot name a node"),
    ('{"links": [{"source": 1.5, "target": "b", "weight": 1}]}', "1.5 cannot name a node"),
    ('{"links": [{"source": "a", "target": "b", "weight": "x"}]}', "links[0]: the probability 'x'"),
    ('{"links": [{"source": "a", "target": "b", "weight": [1]}]}', "links[0]: the probability [1]"),
    ('{"links": [{"source": "a", "target": "b", "weight": true}]}', "links[0]: the probability True"),
    ('{"links": [{"source": "a", "target": "b", "weight": 1e999}]}', "infinite"),
    ('{"links": [{"source": "a", "target": "b", "weight": NaN}]}', "NaN"),
    ('{"links": [{"source": "a", "target": "b", "weight": ' + "9" * 5000 + "}]}", "too long"),
    (f'{{"nodes": [{{"id": "a"}}], "links": [{EDGE}]}}', "links[0]: unknown node b"),
    (f'{{"nodes": [{{"id": 1}}, {{"id": "1"}}], "links": [{EDGE}]}}', "nodes[1]: node 1 is listed twice"),
    (f'{{"nodes": [{{"score": 1}}], "links": [{EDGE}]}}', "nodes[0]"),
    (f'{{"nodes": [{{"name": "a"}}], "links": [{EDGE}]}}', "links[0]: unknown node b"),
    (f'{{"directed": false, "links": [{EDGE}]}}', "undirected"),
    (f'{{"directed": "maybe", "links": [{EDGE}]}}', "directed is 'maybe'"),
    (f'{{"links": [{EDGE}, {EDGE}]}}', "links[1]: the edge a -> b stands there twice (first: links[0])"),
    ("[" * 100_000, "nested too deeply"),
    (b'{"links": "\xff"}', "wrong encoding"),
]


def graphml(body, keys='<key id="p" for="edge" attr.name="probability" attr.type="double"/>', head=""):
    return f"{head}<graphml>{keys}\n{body}</graphml>"


GOOD = (
    '<graph edgedefault="directed">\n<node id="a"/>\n<node id="b"/>\n'
    '<edge source="a" target="b"><data key="p">0.5</data></edge></graph>'
)
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
BROKEN_GRAPHML = [
    ("<", "not valid XML"),
    ("<a/>", "<a>, not <graphml>"),
    ("<graphml/>", "no graph element"),
    (graphml(GOOD)[:-5], "not valid XML"),
    (graphml(GOOD, head=BOMB), "DOCTYPE"),
    (graphml(GOOD, head='<!DOCTYPE graphml SYSTEM "file:///etc/passwd">'), "DOCTYPE"),
    (graphml(GOOD.replace("0.5", "&c;")), "undefined entity"),
    (graphml(GOOD.replace("0.5", "half")), "line 5: the probability 'half' of a -> b"),
    (graphml(GOOD.replace("0.5", "")), "line 5: the probability '' of a -> b"),
    (graphml(GOOD.replace("0.5", "nan")), "line 5: the probability of a -> b is NaN"),
    (graphml(GOOD, keys=""), "unknown key 'p'"),
    (graphml(GOOD + GOOD), "line 5: a second (or nested) graph"),
    (graphml(GOOD.replace('target="b"', 'target="c"')), "line 5: unknown node c"),
    (graphml(GOOD.replace('id="b"', 'id="a"')), "line 4: node a is listed twice (first: line 3)"),
    (graphml(GOOD.replace('<node id="b"', "<node")), "line 4: a node without an id"),
    (graphml(GOOD.replace('target="b"', "")), "line 5: an edge without source or target"),
    (graphml(GOOD.replace("<edge ", '<edge directed="false" ')), "line 5: the edge a -> b is undirected"),
    (graphml(GOOD.replace('"directed"', '"undirected"')), "undirected"),
    (graphml(GOOD.replace('<node id="b"/>', '<node id="b"/><hyperedge/>')), "hyperedge"),
]


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [*(("g.json", *row) for row in BROKEN_JSON), *(("g.graphml", *row) for row in BROKEN_GRAPHML)],
)
def test_broken_files(tmp_path, name, content, fragment):
    path = write(tmp_path / name, content)
    message = refusal(SkillGraph.load, path, start="a", goal="b")
    assert fragment in message and str(path) in message


def test_graphml_defaults_untyped_keys_and_foreign_data(tmp_path):
    keys = (
        '<key id="p" for="all" attr.name="weight"><default>0.25</default></key>'
        '<key id="g" for="node" attr.name="goal" attr.type="boolean"><default>false</default></key>'
        '<key id="y" for="node" yfiles.type="nodegraphics"/>'
    )
    body = (
        '<graph edgedefault="directed"><node id="a"><data key="y"><Shape>big</Shape></data></node>'
        '<node id="b"><data key="g"> true </data></node><edge source="a" target="b"/></graph>'
    )
    path = write(tmp_path / "g.graphml", graphml(body, keys, '<?xml version="1.0" encoding="latin-1"?>'))
    graph = SkillGraph.load(path, start="a")
    assert graph.transition_tensor().tolist() == [[0.75, 0.25], [0, 1]]


names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(names, min_size=2, max_size=6, unique=True),
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 0.15)), max_size=20, unique_by=lambda e: e[:2]
    ),
)
def test_round_trip_through_every_form(tmp_path_factory, named, drawn):
    edges = [(named[s % len(named)], named[t % len(named)], p) for s, t, p in drawn]
    edges = list({e[:2]: e for e in [*edges, (named[0], named[-1], 0.1)]}.values())
    options = {"start": named[0], "goal": named[-1]}
    graph = SkillGraph.from_edges(edges, **options)
    folder = tmp_path_factory.mktemp("trip")

    def quoted(text):
        return '"' + text.replace('"', '""') + '"'

    rows = "".join(f"{quoted(s)},{quoted(t)},{p!r}\n" for s, t, p in edges)
    path = write(folder / "g.csv", f"source,target,probability\n{rows}")
    assert same(SkillGraph.load(path, **options), graph)
    written = nx.DiGraph()
    for s, t, p in edges:
        written.add_edge(s, t, probability=p)
    for form in FORMS:
        assert same(SkillGraph.load(save(written, folder, form), **options), graph)


def test_quadratic_graph_csv_and_json_agree():
    csv = SkillGraph.load(GRAPHS / "quadratic.csv", start="read_problem", goal="solved", dead=DEAD)
    assert same(csv, SkillGraph.load(GRAPHS / "quadratic.json"))
    assert 15 <= csv.size <= 30
    assert np.all(csv.reaches_goal | csv.dead)  # only the dead ends are final
    tensor = csv.transition_tensor()
    inner = csv.transient
    ends = np.linalg.solve(np.eye(inner.size) - tensor[np.ix_(inner, inner)], tensor[inner][:, csv.goal].sum(axis=1))
    assert 0.5 < ends[list(inner).index(csv.names.index("read_problem"))] < 0.8
    # All three routes matter: without any one of them some traces still succeed, but fewer at 12 steps.
    whole = at_goal(csv, 12)
    for first in ("factor_search", "coefficient_halved", "formula_written"):
        edges = [
            (csv.names[s], csv.names[t], p)
            for s, t, p in zip(csv.source, csv.target, csv.probability.tolist(), strict=True)
            if first not in (csv.names[s], csv.names[t])
        ]
        less = SkillGraph.from_edges(edges, start="read_problem", goal="solved", dead=DEAD)
        assert 0 < at_goal(less, 12) < whole


def at_goal(graph, steps):
    return float(graph.start @ np.linalg.matrix_power(graph.transition_tensor(), steps) @ graph.goal)
