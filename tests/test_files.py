"""Graph files: what loads, and that every broken file gets one line naming place, value and fix."""

import json
import os
import stat
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds3sim.core.errors import InputError
from ds3sim.graph import load as files
from ds3sim.graph.graph import SkillGraph

HEAD = "source,target,probability\n"
GRAPHS = Path(__file__).parents[1] / "configs" / "graphs"
DEAD = ["wrong_roots", "lost_root", "gave_up"]


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


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


def refusal(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700
    return message


# ---- CSV ------------------------------------------------------------------------------------------


def test_csv_reads_edges_start_goal_and_dead(tmp_path):
    path = write(tmp_path, "g.csv", HEAD + "a,b,0.5\na,x,0.25\nb,z,1\n")
    graph = SkillGraph.load(path, start="a", goal=["z"], dead="x", feasible=0.75)
    assert graph.names == ("a", "b", "x", "z") and graph.feasible == 0.75
    expected = [[0.25, 0.5, 0.25, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert np.array_equal(graph.transition_tensor(), expected)
    assert graph.start.tolist() == [1, 0, 0, 0]
    assert graph.goal.tolist() == [False, False, False, True]
    assert graph.dead.tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + HEAD + "a,b,0.5\n",  # byte order mark
        HEAD.replace("\n", "\r\n") + "a,b,0.5\r\n",  # Windows
        HEAD.replace("\n", "\r") + "a,b,0.5\r",  # old Mac
        HEAD + "a,b,0.5",  # no line break at the end
        "# about\n\n" + HEAD + "\n   # more\n  \na,b,0.5\n#\n\n",
        "probability,note,target,source\n0.5,x,b,a\n",
        'Source, "Target", PROBABILITY \n a , "b", 5e-1 \n',
        'source,target,probability,\n"a","b","0.5",\n',
    ],
)
def test_csv_dialects_give_the_same_graph(tmp_path, content):
    graph = SkillGraph.load(write(tmp_path, "g.CSV", content), start="a", goal="b")
    assert graph.names == ("a", "b")
    assert graph.transition_tensor().tolist() == [[0.5, 0.5], [0, 1]]


def test_csv_quoted_names_hold_commas_quotes_and_hashes(tmp_path):
    path = write(tmp_path, "g.csv", HEAD + '"a, or b","say ""x""",0.5\n"say ""x""","# 1",1\n')
    graph = SkillGraph.load(path, start="a, or b", goal="# 1")
    assert graph.names == ("a, or b", 'say "x"', "# 1")


def test_csv_names_in_unicode(tmp_path):
    graph = SkillGraph.load(write(tmp_path, "g.csv", HEAD + "début,終わり,0.5\n"), start="début", goal="終わり")
    assert graph.names == ("début", "終わり")


@pytest.mark.parametrize("goal", [3, "3", [3], ["3"], (np.int64(3),)])
def test_integer_names(tmp_path, goal):
    graph = SkillGraph.load(write(tmp_path, "g.csv", HEAD + "1,2,0.5\n2,3,0.5\n"), start=1, goal=goal)
    assert graph.goal.tolist() == [False, False, True]


def test_start_as_name_list_and_mapping(tmp_path):
    path = write(tmp_path, "g.csv", HEAD + "1,2,0.5\n2,3,0.5\n")
    assert SkillGraph.load(path, start=[1, "2"], goal=3).start.tolist() == [0.5, 0.5, 0]
    assert SkillGraph.load(path, start={"1": 0.25, 2: 0.75}, goal=3).start.tolist() == [0.25, 0.75, 0]
    assert SkillGraph.load(path, start=3, goal=3).shortest_path == 0  # start on the goal is allowed


def test_self_loops_and_edges_out_of_absorbing_nodes(tmp_path):
    loops = HEAD + "a,a,0.25\na,b,0.5\na,x,0.25\nb,a,1\nx,a,0.5\n"
    graph = SkillGraph.load(write(tmp_path, "g.csv", loops), start="a", goal="b", dead="x")
    assert graph.transition_tensor().tolist() == [[0.25, 0.5, 0.25], [0, 1, 0], [0, 0, 1]]


def test_ten_tenths_are_a_full_row(tmp_path):
    rows = "".join(f"a,b{i},0.1\n" for i in range(10)) + "b0,z,1\n"
    graph = SkillGraph.load(write(tmp_path, "g.csv", HEAD + rows), start="a", goal="z")
    assert abs(graph.transition_tensor()[0].sum() - 1) < 1e-15


BROKEN_CSV = [
    ("", {}, "file is empty"),
    (" \n\n", {}, "file is empty"),
    ("# only\n", {}, "only comments"),
    (HEAD, {}, "no edges"),
    ("a,b,0.5\n", {}, "line 1: the header 'a,b,0.5' has no column source"),
    ("source;target;probability\na;b\n", {}, "separate fields by semicolons"),
    ("source\ttarget\tprobability\n", {}, "no edges"),
    ("# x\nsource,target,chance\na,b,1\n", {}, "line 2: the header 'source,target,chance' has no column probability"),
    ("begin,target,probability\na,b,1\n", {}, "no column source (or from, src, start_node)"),
    ("Source,Target,Type,Weight\na,b,Undirected,1\n", {}, "line 2: the edge a -> b is undirected"),
    ("source,source,target,probability\na,a,b,1\n", {}, "two columns source"),
    (HEAD + "a,b\n", {}, "line 2: 2 fields where the header has 3"),
    (HEAD + "a,b,0,5\n", {}, "line 2: 4 fields"),
    (HEAD + "# x\n\na,b,x\n", {}, "line 4: the probability 'x' of a -> b is not a number"),
    (HEAD + "a,b,\n", {}, "line 2: the probability '' of a -> b is not a number"),
    (HEAD + "a,b,0_5\n", {}, "'0_5'"),
    (HEAD + "a,b,nan\n", {}, "line 2: the probability of a -> b is NaN"),
    (HEAD + "a,b,inf\n", {}, "infinite"),
    (HEAD + "a,b,-0.25\n", {}, "line 2: the probability -0.25 of a -> b is negative"),
    (HEAD + "a,b,1.5\n", {}, "the probability 1.5 of a -> b is above 1"),
    (HEAD + "a,b,0.6\na,c,0.6\n", {}, "line 3: the probabilities out of node a sum to 1.2"),
    (HEAD + "a,b,1\nb,a,0.6\nb,b,0.6\n", {}, "out of node b sum to 1.2"),  # also out of a goal
    (HEAD + "a,b,0.3\nb,c,1\na,b,0.3\n", {}, "line 4: the edge a -> b stands there twice (first: line 2)"),
    (HEAD + "a,,0.3\n", {}, "line 2: '' cannot name a node"),
    (HEAD + "a,b,0.3\n", {"start": "A"}, "unknown start node A"),
    (HEAD + "a,b,0.3\n", {"goal": ["zz"]}, "unknown goal node zz"),
    (HEAD + "a,bee,0.3\n", {"goal": "bea"}, "did you mean bee?"),
    (HEAD + "a,b,0.3\n", {"dead": 7}, "unknown dead node 7"),
    (HEAD + "a,b,0.3\n", {"dead": "b"}, "node b is both goal and dead"),
    (HEAD + "a,b,0.3\n", {"start": None}, "no start node"),
    (HEAD + "a,b,0.3\n", {"goal": None}, "no goal node"),
    (HEAD + "a,b,0.3\n", {"goal": []}, "no goal node"),
    (HEAD + "a,b,0.3\n", {"start": 1.5}, "start = 1.5"),
    (HEAD + "a,b,0.3\n", {"start": True}, "True cannot name a node"),
    (HEAD + "a,b,0.3\n", {"start": ["a", "a"]}, "listed twice"),
    (HEAD + "a,b,0.3\n", {"start": {"a": 0.5, "b": 0.4}}, "start probabilities sum to 0.9"),
    (HEAD + "a,b,0.3\n", {"start": {"a": "x"}}, "start probability of a"),
    (HEAD + "a,b,0.3\n", {"start": {"a": float("nan")}}, "start probability of a"),
    (HEAD + "a,b,0.3\n", {"goal": {"b": 1}}, "goal = {'b': 1}"),
    (HEAD + "a,b,0.3\n", {"goal": 2.5}, "goal = 2.5"),
    (HEAD + "a,b,0.3\n", {"score": {"a": 1}}, "node b has no finite score"),
    (HEAD + "a,b,0.3\n", {"score": {"a": 1, "b": "much"}}, "the score 'much' of node b"),
    (HEAD + "a,b,0.3\n", {"score": [1, 2]}, "score = [1, 2]"),
    (HEAD + "a,b,0.3\n", {"feasible": 1.5}, "feasible = 1.5"),
    (HEAD + "b,a,0.3\n", {}, "the goal (b) is out of reach from the start (a)"),
    (HEAD + "a,b,0\n", {}, "out of reach"),
    (HEAD + "a,x,1\nx,b,1\n", {"dead": "x"}, "out of reach"),
    (HEAD + '"a,b,0.3\nc,d,0.3\n', {}, "not a CSV row"),
    (HEAD + '"a\nb",b,0.3\n', {}, "line break"),
    (HEAD + '"a"b,b,0.3\n', {}, "line 2: not a CSV row"),
    (HEAD + "x" * 200_000 + ",b,0.3\n", {}, "line 2: not a CSV row"),
    (HEAD + "y" * 100_000 + ",b,0.x\n", {}, "line 2: the probability '0.x'"),
    ((HEAD + "a,b,0.3\n").encode("utf-16")[:-1], {}, "not the UTF-16 it begins as"),
    ((HEAD + "a,b,0.3\n").encode("utf-16-le"), {}, "NUL byte"),
    (HEAD.encode() + b"a,b,0.3\n\0", {}, "line 3: a NUL byte"),
    ((HEAD + "a,b\xe9,0.3\n").encode("latin-1"), {}, "line 2: wrong encoding: byte 0xe9"),
    (b"\x89PNG\r\n\x1a\n", {}, "wrong encoding"),
]


@pytest.mark.parametrize(("content", "options", "fragment"), BROKEN_CSV)
def test_broken_csv(tmp_path, content, options, fragment):
    path = write(tmp_path, "g.csv", content)
    message = refusal(lambda: SkillGraph.load(path, **{"start": "a", "goal": "b"} | options))
    assert fragment in message
    assert str(path) in message or "feasible" in options


# ---- the file itself ------------------------------------------------------------------------------


def test_missing_folder_suffix_and_odd_paths(tmp_path):
    assert "no such file" in refusal(lambda: SkillGraph.load(tmp_path / "no.csv", start="a", goal="b"))
    assert "is a folder" in refusal(lambda: SkillGraph.load(tmp_path, start="a", goal="b"))
    other = write(tmp_path, "g.txt", HEAD + "a,b,1\n")
    message = refusal(lambda: SkillGraph.load(other, start="a", goal="b"))
    assert ".txt" in message and ".csv" in message and ".graphml" in message
    assert "not a regular file" in refusal(lambda: SkillGraph.load("/dev/zero", start="a", goal="b"))
    assert "cannot be read" in refusal(lambda: SkillGraph.load("x" * 5000 + ".csv", start="a", goal="b"))
    assert "cannot be read" in refusal(lambda: SkillGraph.load("a\0.csv", start="a", goal="b"))
    assert "not a path" in refusal(lambda: SkillGraph.load(None, start="a", goal="b"))
    assert "cannot be read" in refusal(lambda: SkillGraph.load(other / "g.csv", start="a", goal="b"))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "g.csv")
    assert "not a regular file" in refusal(lambda: SkillGraph.load(tmp_path / "g.csv", start="a", goal="b"))


def test_no_permission(tmp_path, monkeypatch):
    path = write(tmp_path, "g.csv", HEAD + "a,b,1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    assert "no permission" in refusal(lambda: SkillGraph.load(path, start="a", goal="b"))
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)


@pytest.mark.parametrize("name", ["g.csv", "g.json", "g.graphml"])
def test_three_gigabytes_are_refused_unread(tmp_path, monkeypatch, name):
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.truncate(3 * 2**30)  # sparse: takes no room

    def never(*_, **__):
        raise AssertionError("the file was opened")

    monkeypatch.setattr(Path, "open", never)
    message = refusal(lambda: SkillGraph.load(path, start="a", goal="b"))
    assert "3,072 MiB" in message and "256 MiB" in message


def test_size_limit_is_inclusive(tmp_path, monkeypatch):
    content = HEAD + "a,b,1\n"
    path = write(tmp_path, "g.csv", content)
    monkeypatch.setattr(files, "LARGEST_FILE", len(content))
    assert SkillGraph.load(path, start="a", goal="b").size == 2
    monkeypatch.setattr(files, "LARGEST_FILE", len(content) - 1)
    refusal(lambda: SkillGraph.load(path, start="a", goal="b"))


def test_many_nodes_load_but_have_no_dense_tensor(tmp_path):
    path = write(tmp_path, "g.csv", HEAD + "".join(f"n{i},n{i + 1},0.5\n" for i in range(20_000)))
    graph = SkillGraph.load(path, start="n0", goal="n20000")
    assert graph.size == 20_001 and graph.shortest_path == 20_000
    assert abs(graph.sparse_tensor().sum() - graph.size) < 1e-6
    message = refusal(graph.transition_tensor)
    assert "20001 nodes" in message and "GiB" in message


def test_hundred_thousand_edges(tmp_path):
    rows = "".join(f"n{i % 20_000},n{(i * 7919 + i // 20_000) % 20_000},0.125\n" for i in range(100_000))
    graph = SkillGraph.load(write(tmp_path, "g.csv", HEAD + rows), start="n0", goal="n19999")
    assert graph.source.size == 100_000 and graph.size == 20_000


# ---- node-link JSON and GraphML -------------------------------------------------------------------


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
    message = refusal(lambda: SkillGraph.load(path))
    assert fragment in message and str(path) in message


@pytest.mark.parametrize("form", FORMS)
def test_parallel_edges_and_undirected_graphs(tmp_path, form):
    parallel = broken(lambda g: g.add_edge("a", "m", probability=0.1), nx.MultiDiGraph)
    assert "the edge a -> m stands there twice" in refusal(lambda: SkillGraph.load(save(parallel, tmp_path, form)))
    message = refusal(lambda: SkillGraph.load(save(sample(nx.Graph), tmp_path, form)))
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


@pytest.mark.parametrize(("content", "fragment"), BROKEN_JSON)
def test_broken_json(tmp_path, content, fragment):
    path = write(tmp_path, "g.json", content)
    message = refusal(lambda: SkillGraph.load(path, start="a", goal="b"))
    assert fragment in message and str(path) in message


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


@pytest.mark.parametrize(("content", "fragment"), BROKEN_GRAPHML)
def test_broken_graphml(tmp_path, content, fragment):
    path = write(tmp_path, "g.graphml", content)
    message = refusal(lambda: SkillGraph.load(path, start="a", goal="b"))
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
    path = write(tmp_path, "g.graphml", graphml(body, keys, '<?xml version="1.0" encoding="latin-1"?>'))
    graph = SkillGraph.load(path, start="a")
    assert graph.transition_tensor().tolist() == [[0.75, 0.25], [0, 1]]


# ---- round trip and the shipped graph -------------------------------------------------------------

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
    assert same(SkillGraph.load(write(folder, "g.csv", HEAD + rows), **options), graph)
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
