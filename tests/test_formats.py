"""Graph files of many tools: each gives the graph that it says, and what the program writes it reads."""

import gzip
import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from refused import refusal

import ds3sim as ds
from ds3sim.config.graphs import EdgesGraph
from ds3sim.config.study import study_of
from ds3sim.core.errors import InputError, Note

CASES = Path(__file__).parents[2] / "shared" / "cases"
A_TO_B = {"start": "a", "goal": "b"}


def load(folder, name, content, **options):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ds.load_graph(path, **options)


# ---- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("g.csv", "source\ttarget\tprobability\na\tb\t0.5\n"),
        ("g.tsv", "From\tTo\tProb\na\tb\t0.5\n"),
        ("g.csv", "source;target;probability\na;b;0,5\n"),
        ("g.csv", "src|dst|p\na|b|0.5\n"),
        ("g.csv", "Source,Target,Type,Id,Label,timeset,Weight\na,b,Directed,0,,,0.5\n"),
        ("g.csv", ",source,target,weight\n0,a,b,0.5\n"),
        ("g.csv", "from,to,prob\na,b,0.5\n".encode("utf-16")),
        ("g.csv", "from,to,prob\na,b,0.5\n".encode("utf-32")),
        ("g.csv.gz", gzip.compress(b"from,to,prob\na,b,0.5\n", mtime=0)),
        ("g.csv", "sep=;\nsource;target;probability\na;b;0,5\n"),
        ("g.csv", "state,next_state,p\na,b,0.5\n"),
    ],
)
def test_tables(tmp_path, name, content):
    graph = load(tmp_path, name, content, **A_TO_B)
    assert graph.names == ("a", "b") and graph.probability.tolist() == [0.5]


# ---- GraphML, GEXF, DOT, JSON ---------------------------------------------------------------------


def graphml(edge="", default="directed", head='<?xml version="1.0"?>', names=("a", "b")):
    nodes = "".join(f'<node id="n{i}"><data key="v">{name}</data></node>' for i, name in enumerate(names))
    return (
        f'{head}<graphml><key id="v" for="node" attr.name="label" attr.type="string"/>'
        f'<key id="e" for="edge" attr.name="Weight" attr.type="double"/><graph edgedefault="{default}">{nodes}'
        f'<edge source="n0" target="n1" {edge}><data key="e">0.5</data></edge></graph></graphml>'
    )


@pytest.mark.parametrize("said", ["1", "true", " true ", "TRUE", "True"])
def test_booleans_of_graphml(tmp_path, said):
    graph = load(tmp_path, "g.graphml", graphml(f'directed="{said}"', "undirected"), **A_TO_B)
    assert graph.probability.tolist() == [0.5]


@pytest.mark.parametrize("said", ["0", "false", " 0 "])
def test_undirected_edges_of_graphml(tmp_path, said):
    assert "undirected" in refusal(lambda: load(tmp_path, "g.graphml", graphml(f'directed="{said}"'), **A_TO_B))
    assert "directed of the edge n0 -> n1 is 'yes'" in refusal(
        lambda: load(tmp_path, "g.graphml", graphml('directed="yes"'), **A_TO_B)
    )


@pytest.mark.parametrize(
    "content",
    [
        graphml(head='<?xml version="1.0" encoding="UTF-16"?>', names=("é", "b")).encode("utf-16"),
        graphml(head='<?xml version="1.0" encoding="ISO-8859-1"?>', names=("é", "b")).encode("latin-1"),
    ],
    ids=["utf-16", "latin-1"],
)
def test_encodings_of_xml(tmp_path, content):
    assert load(tmp_path, "g.graphml", content, start="é", goal="b").start.tolist() == [1, 0]


def test_nodes_are_found_by_id_first_then_by_name(tmp_path):
    twice = graphml(names=("n1", "z", "z"))
    graph = load(tmp_path, "g.graphml", twice, start="n0", goal="n1")
    assert graph.names == ("n0", "n1", "n2") and graph.goal.tolist() == [False, True, False]
    graph = load(tmp_path, "g.graphml", graphml(), start={"a": 1}, goal=["b"], score={"a": 1, "n1": 2})
    assert graph.score.tolist() == [1, 2]
    told = refusal(lambda: load(tmp_path, "g.graphml", twice, start="n0", goal="z"))
    assert "goal = z is the name of 2 nodes (n1, n2): give their ids" in told
    assert "unknown goal node q" in refusal(lambda: load(tmp_path, "g.graphml", graphml(), start="a", goal="q"))


def test_labels_of_yed(tmp_path):
    content = (
        '<graphml xmlns:y="http://www.yworks.com/xml/graphml"><key for="node" id="d6" yfiles.type="nodegraphics"/>'
        '<key for="edge" id="d9" yfiles.type="edgegraphics"/><graph edgedefault="directed">'
        '<node id="n0"><data key="d6"><y:ShapeNode><y:NodeLabel>a</y:NodeLabel></y:ShapeNode></data></node>'
        '<node id="n1"><data key="d6"><y:ShapeNode><y:NodeLabel>b</y:NodeLabel></y:ShapeNode></data></node>'
        '<edge source="n0" target="n1"><data key="d9"><y:PolyLineEdge><y:EdgeLabel>0.5</y:EdgeLabel></y:PolyLineEdge>'
        "</data></edge></graph></graphml>"
    )
    assert load(tmp_path, "g.graphml", content, **A_TO_B).probability.tolist() == [0.5]


def sample():
    graph = nx.DiGraph()
    graph.add_node("a", score=0.25, start=True)
    graph.add_node("m", score=0.5)
    graph.add_node("z", score=1.0, goal=True)
    graph.add_edge("a", "m", probability=0.5)
    graph.add_edge("m", "z", weight=0.75)
    return graph


def test_gexf_of_networkx(tmp_path):
    nx.write_gexf(sample(), tmp_path / "g.gexf")
    graph = ds.load_graph(tmp_path / "g.gexf")
    assert graph.names == ("a", "m", "z") and graph.probability.tolist() == [0.5, 0.75]
    assert graph.score.tolist() == [0.25, 0.5, 1.0] and graph.goal.tolist() == [False, False, True]
    nx.write_gexf(nx.Graph([("a", "b")]), tmp_path / "g.gexf")
    assert "undirected" in refusal(lambda: ds.load_graph(tmp_path / "g.gexf", **A_TO_B))


@pytest.mark.parametrize("version", ["1.1draft", "1.2draft", "1.3"])
def test_gexf_by_label_and_weight(tmp_path, version):
    content = (
        f'<gexf version="{version}"><graph><nodes><node id="0" label="a"/><node id="1" label="b"/></nodes><edges>'
        '<edge id="0" source="0" target="1" weight="0.5" type="directed"/></edges></graph></gexf>'
    )
    assert load(tmp_path, "g.gexf", content, **A_TO_B).names == ("0", "1")
    assert "a second graph" in refusal(lambda: load(tmp_path, "g.gexf", "<gexf><graph/><graph/></gexf>"))
    assert "not <gexf>" in refusal(lambda: load(tmp_path, "g.gexf", "<graphml/>"))


@pytest.mark.parametrize(
    "content",
    [
        'digraph { a -> b [label="0.5"]; }',
        'strict digraph "G" { // about\n edge [weight=0.25] a:n -> m [prob=.5, weight=3]; m -> "b" /* on */ }',
        'digraph { start = a\n node [shape=box]; a [label="1st"]; {a} -> {m} [p=5e-1 color=red]; m -> b [weight="1"] }',
        'digraph { subgraph cluster_0 { a; label = "x" } a -> m -> b [probability=0.5]\n# line\n}',
        'digraph { 0 [label="0\\n(a)"]; a -> "b" [ label= "0.5", weight=2 ]; }',
        "digraph { node [label=<<b>bold</b> &amp; x>]; a -> b [label=<0.5>] }",
        "digraph { a, m -> b, c [p=0.5] }",
    ],
)
def test_dot(tmp_path, content):
    graph = load(tmp_path, "g.dot", content, **A_TO_B)
    assert graph.probability[0] == 0.5 and {"a", "b"} <= set(graph.names)


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("graph { a -- b }", "undirected"),
        ("digraph { a -- b }", "undirected"),
        ("digraph { a -> b }", "line 1: the edge a -> b has no probability"),
        ("digraph {\n a -> b [p=0.5", "line 2: the end of the file"),
        ("digraph { a -> ; }", "';' where a name is expected"),
        ("digraph {\n a -> b [label=<<b>0.5</b>] }", "line 2: an HTML label without its end"),
        ("digraph { a -> b [p=0.5], c }", "',' where a name is expected"),
        ("a,b,0.5", "begins with digraph"),
        ("digraph {} digraph {}", "a second graph"),
        ("digraph " + "{ subgraph " * 2000, "nested too deeply"),
    ],
)
def test_broken_dot(tmp_path, content, fragment):
    assert fragment in refusal(lambda: load(tmp_path, "g.gv", content, **A_TO_B))


A_B = {"source": "a", "target": "b"}
CYTOSCAPE = [{"data": {"id": "a"}}, {"data": {"id": "b"}}, {"group": "edges", "data": A_B | {"id": "ab", "p": 0.5}}]


@pytest.mark.parametrize(
    "data",
    [
        nx.adjacency_data(nx.DiGraph([("a", "b", {"weight": 0.5})])),
        nx.cytoscape_data(nx.DiGraph([("a", "b", {"weight": 0.5})])),
        {"graph": {"nodes": {"a": {}, "b": {}}, "edges": [{"source": "a", "target": "b", "metadata": {"prob": 0.5}}]}},
        {"nodes": [{"name": "a"}, {"name": "b"}], "links": [{"source": 0, "target": 1, "p": 0.5}]},
        {
            "nodes": [{"id": 7, "label": "a"}, {"id": 8, "label": "b"}],
            "edges": [{"source": 7, "target": 8, "Prob": 0.5}],
        },
        {"nodes": [{"id": 1, "Label": "a"}, {"id": 2, "Label": "b"}], "edges": [{"from": 1, "to": 2, "weight": 0.5}]},
        {"links": [{"source": "a", "target": "b", "weight": "0.5"}], "graph": [[[], 1], ["name", "x"]]},
        {"nodes": [{"id": 1, "label": "a"}, {"id": 2, "label": "b"}], "edges": [{"from": 1, "to": 2, "label": "0.5"}]},
        {"elements": CYTOSCAPE},
        CYTOSCAPE,
        {"graph": {"nodes": [{"id": "a"}, {"id": "b"}], "edges": [A_B | {"metadata": {"weight": 0.5}}]}},
        {"graphs": [{"nodes": {"a": {}, "b": {}}, "edges": [A_B | {"metadata": {"weight": 0.5}}]}]},
        {"attributes": {}, "options": {"type": "directed"}, "edges": [A_B | {"attributes": {"weight": 0.5}}]},
        {"nodes": [{"id": "a"}], "links": [{"source": {"id": "a", "x": 1}, "target": {"id": "b"}, "p": 0.5}]}
        | {"nodes": [{"id": "a"}, {"id": "b"}]},
    ],
    ids=[
        "adjacency",
        "cytoscape",
        "json graph",
        "numbered",
        "labelled",
        "vis",
        "pairs",
        "vis label",
        "flat elements",
        "list of elements",
        "json graph of lists",
        "json graphs",
        "graphology",
        "d3 after its run",
    ],
)
def test_relatives_of_node_link_json(tmp_path, data):
    graph = load(tmp_path, "g.json", json.dumps(data), **A_TO_B)
    assert graph.probability.tolist() == [0.5] and graph.shortest_path == 1


@pytest.mark.parametrize(
    "data",
    [
        {"options": {"type": "undirected"}, "attributes": {}, "edges": [A_B | {"attributes": {"p": 0.5}}]},
        {"edges": [A_B | {"p": 0.5, "undirected": True}]},
        {"elements": CYTOSCAPE, "directed": False},
    ],
)
def test_undirected_relatives(tmp_path, data):
    assert "undirected" in refusal(lambda: load(tmp_path, "g.json", json.dumps(data), **A_TO_B))


def test_start_and_feasible_may_be_text(tmp_path):
    """Formats without types hold all attributes as text."""
    content = 'digraph { feasible="0.5"; a [start="0.75"]; m [start=.25]; b [start=0, goal=1]; a -> m -> b [p=0.5] }'
    graph = load(tmp_path, "g.dot", content)
    assert graph.start.tolist() == [0.75, 0.25, 0] and graph.feasible == 0.5
    graph = load(tmp_path, "g.dot", content.replace('"0.75"', "true").replace("start=.25", "start=0.0"))
    assert graph.start.tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", ["#x", 'a"b', "x,y", ";", "<&>", "a\tb", "a\u2028b", "sep=;"])
def test_names_survive_an_edge_list(tmp_path, name):
    graph = ds.SkillGraph.from_edges([(name, "m", 0.5), ("m", "z", 0.25), (name, "z", 1e-12)], start=name, goal="z")
    back = ds.load_graph(graph.save(tmp_path / "g.csv"), start=name, goal="z")
    assert back.digest == graph.digest


def test_names_that_no_edge_list_can_hold(tmp_path):
    graph = ds.SkillGraph.from_edges([("two\nlines", "z", 0.5)], start="two\nlines", goal="z")
    assert "has a line break" in refusal(graph.save, tmp_path / "g.csv")
    assert not (tmp_path / "g.csv").exists() and ds.load_graph(graph.save(tmp_path / "g.json")).digest == graph.digest


# ---- probabilities of single precision, and counts ------------------------------------------------


def test_rows_of_single_precision_are_scaled_with_a_note():
    logits = np.random.default_rng(1).normal(size=(200, 7)).astype(np.float32)
    law = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    edges = [(f"s{i}", f"t{j}", float(str(law[i, j]))) for i in range(200) for j in range(7)]
    with pytest.warns(Note, match=r"\d+ rows sum to 1 only nearly .* scaled to 1"):
        graph = ds.SkillGraph.from_edges(edges, start="s0", goal="t0")
    rows = np.bincount(graph.source, graph.probability)
    np.testing.assert_allclose(rows[rows > 0], 1.0, rtol=0, atol=1.1e-9)


@pytest.mark.parametrize("total", [1 + 4e-8, 1 - 4e-8, 1 + 9e-7, 1 - 9e-7])
def test_the_tolerance_of_a_row(total):
    with pytest.warns(Note, match="the row of node a sums to"):
        graph = ds.SkillGraph.from_edges([("a", "b", 0.75), ("a", "c", total - 0.75)], start="a", goal="b")
    assert abs(graph.transition_tensor()[0, 0]) < 1e-15 and graph.probability[0] == pytest.approx(
        0.75 / total, rel=1e-15
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("row", [[0.75, 0.25 - 2e-6], [1 - 1e-7], [0.9999999, 1e-7], [0.75, 0.25 - 1e-10]])
def test_rows_that_stay_as_they_are(row):
    """Wasted steps that are meant: one edge, more than the tolerance, or what decimal fractions lack."""
    edges = [("a", target, p) for target, p in zip("bc", row, strict=False)]
    assert ds.SkillGraph.from_edges(edges, start="a", goal="b").probability.tolist() == row


@pytest.mark.parametrize("row", [[0.75, 0.25 + 2e-6], [1 + 2e-6]])
def test_rows_above_the_tolerance_are_refused(row):
    edges = [("a", target, p) for target, p in zip("bc", row, strict=False)]
    assert "normalize = true" in refusal(lambda: ds.SkillGraph.from_edges(edges, start="a", goal="b"))


def test_a_column_of_counts(tmp_path):
    graph = load(tmp_path, "g.csv", "from,to,count\na,m,1\na,b,3\nm,b,7\n", **A_TO_B, normalize=True)
    assert graph.probability.tolist() == [0.25, 0.75, 1]
    assert "normalize = true" in refusal(lambda: load(tmp_path, "g.csv", "from,to,count\na,b,3\n", **A_TO_B))


def test_counts_are_normalized_on_request(tmp_path):
    content = "from,to,weight\na,b,3\na,c,1\nc,b,0\na,b,4\nc,a,10\n"
    graph = load(tmp_path, "g.csv", content, **A_TO_B, normalize=True)
    assert graph.names == ("a", "b", "c") and graph.probability.tolist() == [7 / 8, 1 / 8, 0, 1]
    assert "normalize = true" in refusal(lambda: ds.load_graph(tmp_path / "g.csv", **A_TO_B))
    (tmp_path / "c.toml").write_text(
        '[graph]\nkind = "file"\npath = "g.csv"\nstart = "a"\ngoal = "b"\nnormalize = true\n[budget]\nsteps = [4]\n'
    )
    (entry,) = study_of(tmp_path / "c.toml").entries()
    assert entry.tasks[0].graph.probability.tolist() == [7 / 8, 1 / 8, 0, 1]
    edges = EdgesGraph(kind="edges", edges=[["a", "b", 3], ["a", "c", 1]], **A_TO_B, normalize=True)
    assert edges.build(tmp_path).probability.tolist() == [0.75, 0.25]
    for bad in (-1, float("nan"), float("inf")):
        refusal(lambda bad=bad: ds.SkillGraph.from_edges([("a", "b", bad)], start="a", goal="b", normalize=True))


# ---- files of others ------------------------------------------------------------------------------


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases")
@pytest.mark.filterwarnings("ignore::ds3sim.core.errors.Note")
@pytest.mark.parametrize("folder", ["graphs", "graphml-names", "float32-rows"])
def test_every_case_is_read_or_refused_in_one_line(folder):
    read = 0
    for path in sorted((CASES / folder).iterdir()):
        try:
            read += ds.load_graph(path, start="a", goal="n0" if path.stem == "f32" else "b").size > 0
        except InputError as error:
            assert "\n" not in str(error)
    assert read >= {"graphs": 36, "graphml-names": 2, "float32-rows": 1}[folder]
