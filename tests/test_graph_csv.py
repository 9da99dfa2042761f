"""Graphs in CSV files: what loads, and that every broken file gets one line naming place, value and fix."""

import os
import stat
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from refused import refusal, write

from ds3sim.graph import load as files
from ds3sim.graph.graph import SkillGraph

HEAD = "source,target,probability\n"
load = partial(SkillGraph.load, start="a", goal="b")


def test_csv_reads_edges_start_goal_and_dead(tmp_path):
    path = write(tmp_path / "g.csv", HEAD + "a,b,0.5\na,x,0.25\nb,z,1\n")
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
    graph = load(write(tmp_path / "g.CSV", content))
    assert graph.names == ("a", "b")
    assert graph.transition_tensor().tolist() == [[0.5, 0.5], [0, 1]]


def test_csv_quoted_names_hold_commas_quotes_and_hashes(tmp_path):
    path = write(tmp_path / "g.csv", HEAD + '"a, or b","say ""x""",0.5\n"say ""x""","# 1",1\n')
    graph = SkillGraph.load(path, start="a, or b", goal="# 1")
    assert graph.names == ("a, or b", 'say "x"', "# 1")


def test_csv_names_in_unicode(tmp_path):
    graph = SkillGraph.load(write(tmp_path / "g.csv", HEAD + "début,終わり,0.5\n"), start="début", goal="終わり")
    assert graph.names == ("début", "終わり")


@pytest.mark.parametrize("goal", [3, "3", [3], ["3"], (np.int64(3),)])
def test_integer_names(tmp_path, goal):
    graph = SkillGraph.load(write(tmp_path / "g.csv", HEAD + "1,2,0.5\n2,3,0.5\n"), start=1, goal=goal)
    assert graph.goal.tolist() == [False, False, True]


def test_start_as_name_list_and_mapping(tmp_path):
    path = write(tmp_path / "g.csv", HEAD + "1,2,0.5\n2,3,0.5\n")
    assert SkillGraph.load(path, start=[1, "2"], goal=3).start.tolist() == [0.5, 0.5, 0]
    assert SkillGraph.load(path, start={"1": 0.25, 2: 0.75}, goal=3).start.tolist() == [0.25, 0.75, 0]
    assert SkillGraph.load(path, start=3, goal=3).shortest_path == 0  # start on the goal is allowed


def test_self_loops_and_edges_out_of_absorbing_nodes(tmp_path):
    loops = HEAD + "a,a,0.25\na,b,0.5\na,x,0.25\nb,a,1\nx,a,0.5\n"
    graph = SkillGraph.load(write(tmp_path / "g.csv", loops), start="a", goal="b", dead="x")
    assert graph.transition_tensor().tolist() == [[0.25, 0.5, 0.25], [0, 1, 0], [0, 0, 1]]


def test_ten_tenths_are_a_full_row(tmp_path):
    rows = "".join(f"a,b{i},0.1\n" for i in range(10)) + "b0,z,1\n"
    graph = SkillGraph.load(write(tmp_path / "g.csv", HEAD + rows), start="a", goal="z")
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
    path = write(tmp_path / "g.csv", content)
    message = refusal(load, path, **options)
    assert fragment in message
    assert str(path) in message or "feasible" in options


def test_missing_folder_suffix_and_odd_paths(tmp_path):
    assert "no such file" in refusal(load, tmp_path / "no.csv")
    assert "is a folder" in refusal(load, tmp_path)
    other = write(tmp_path / "g.txt", HEAD + "a,b,1\n")
    message = refusal(load, other)
    assert ".txt" in message and ".csv" in message and ".graphml" in message
    assert "not a regular file" in refusal(load, "/dev/zero")
    assert "cannot be read" in refusal(load, "x" * 5000 + ".csv")
    assert "cannot be read" in refusal(load, "a\0.csv")
    assert "not a path" in refusal(load, None)
    assert "cannot be read" in refusal(load, other / "g.csv")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "g.csv")
    assert "not a regular file" in refusal(load, tmp_path / "g.csv")


def test_no_permission(tmp_path, monkeypatch):
    path = write(tmp_path / "g.csv", HEAD + "a,b,1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    assert "no permission" in refusal(load, path)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)


@pytest.mark.parametrize("name", ["g.csv", "g.json", "g.graphml"])
def test_three_gigabytes_are_refused_unread(tmp_path, monkeypatch, name):
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.truncate(3 * 2**30)  # sparse: takes no room

    def never(*_, **__):
        raise AssertionError("the file was opened")

    monkeypatch.setattr(Path, "open", never)
    message = refusal(load, path)
    assert "3,072 MiB" in message and "256 MiB" in message


def test_size_limit_is_inclusive(tmp_path, monkeypatch):
    content = HEAD + "a,b,1\n"
    path = write(tmp_path / "g.csv", content)
    monkeypatch.setattr(files, "LARGEST_FILE", len(content))
    assert load(path).size == 2
    monkeypatch.setattr(files, "LARGEST_FILE", len(content) - 1)
    assert "MiB" in refusal(load, path)


def test_many_nodes_load_but_have_no_dense_tensor(tmp_path):
    path = write(tmp_path / "g.csv", HEAD + "".join(f"n{i},n{i + 1},0.5\n" for i in range(20_000)))
    graph = SkillGraph.load(path, start="n0", goal="n20000")
    assert graph.size == 20_001 and graph.shortest_path == 20_000
    assert abs(graph.sparse_tensor().sum() - graph.size) < 1e-6
    message = refusal(graph.transition_tensor)
    assert "20001 nodes" in message and "GiB" in message


def test_hundred_thousand_edges(tmp_path):
    rows = "".join(f"n{i % 20_000},n{(i * 7919 + i // 20_000) % 20_000},0.125\n" for i in range(100_000))
    graph = SkillGraph.load(write(tmp_path / "g.csv", HEAD + rows), start="n0", goal="n19999")
    assert graph.source.size == 100_000 and graph.size == 20_000
