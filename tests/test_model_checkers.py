"""Files of model checkers: PRISM, Storm and UMB, read and written."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from refused import refusal

import ds3sim as ds
from ds3sim.core.files import write_file

CASES = Path(__file__).parents[2] / "shared" / "cases"
A_TO_B = {"start": "a", "goal": "b"}


def load(folder, name, content, **options):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ds.load_graph(path, **options)


GRAPHS = {
    "start and dead": ds.SkillGraph.from_edges(
        [("A", "B", 0.5), ("B", "Z", 1 / 3), ("B", "X", 0.1), ("B", "A", 0.2)], start="B", goal="Z", dead="X"
    ),
    "merged": ds.SkillGraph.layered(3, 2, 0.5, back=0.1, death=0.05, feasible=0.9, seed=3),
    "chain": ds.SkillGraph.chain(5, 1e-12),
}


@pytest.mark.parametrize("kind", ["prism", "drn", "umb"])
@pytest.mark.parametrize("name", GRAPHS)
def test_what_export_writes_is_read(tmp_path, name, kind):
    task = ds.Task(GRAPHS[name], steps=20)
    path = write_file(tmp_path / f"g.{kind}", ds.export_chain(task, kind))
    back = ds.exact(ds.Task(ds.load_graph(path), steps=20)).success([1, 5, 20]).estimate
    np.testing.assert_allclose(back, ds.exact(task).success([1, 5, 20]).estimate, rtol=1e-12)


TRA = "3 4\n0 0 0.5\n0 1 0.5\n1 2 1\n2 2 1\n"
LAB = '0="init" 1="deadlock" 2="goal" 3="half way"\n0: 0\n1: 3\n2: 2\n'


def test_explicit_files_of_prism(tmp_path):
    (tmp_path / "m.lab").write_text(LAB)
    (tmp_path / "m.sta").write_text("(x,y)\n0:(0,0)\n1:(0,1)\n2:(1,1)\n")
    graph = load(tmp_path, "m.tra", TRA)
    assert graph.names == ("0", "1", "2") and graph.start.tolist() == [1, 0, 0] and graph.goal.tolist() == [0, 0, 1]
    assert load(tmp_path, "m.tra", TRA, goal="half way").goal.tolist() == [0, 1, 0]
    assert load(tmp_path, "m.tra", TRA, goal="(0,1)", start=0).goal.tolist() == [0, 1, 0]


def test_explicit_files_of_storm(tmp_path):
    (tmp_path / "m.lab").write_text("#DECLARATION\ninit goal\n#END\n0 init\n2 goal\n")
    assert load(tmp_path, "m.tra", TRA.replace("3 4", "dtmc")).goal.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("3 4 9\n0 0 0 0.5\n", "MDP"),
        ("mdp\n0 0 0 0.5\n", "only discrete-time"),
        ("2 1\n0 7 0.5\n", "'7' is not the number of a state"),
        ("2 1\n0 2 0.5\n", "'2' is not the number of a state"),
        ("2 3\n0 1 0.5\n", "has 1 transitions where its first line says 3"),
        ("2 1\n0 1\n", "line 2: '0 1' is no transition"),
        ("2 1\n0 1 x\n", "line 2: the probability 'x'"),
        ("999999999 1\n0 1 1\n", "no goal node"),
    ],
)
def test_broken_transitions(tmp_path, content, fragment):
    assert fragment in refusal(lambda: load(tmp_path, "m.tra", content, start=0))


DRN = """// by hand
@type: DTMC
@parameters

@reward_models
steps
@nr_states
3
@nr_choices
3
@model
state 0 [1] init "half way"
	action a [0]
		0 : 1/2
		1 : 1/2
state 1
	action 0
		2 : 1
state 2 goal
	action 0
		2 : 1
"""


def test_drn(tmp_path):
    graph = load(tmp_path, "m.drn", DRN)
    assert graph.probability.tolist() == [0.5, 0.5, 1, 1] and graph.start.tolist() == [1, 0, 0]
    assert load(tmp_path, "m.drn", DRN, goal=1).goal.tolist() == [0, 1, 0]
    several = DRN.replace("state 1\n", "state 1 init\n")
    assert "2 states are initial" in refusal(lambda: load(tmp_path, "m.drn", several))
    assert load(tmp_path, "m.drn", several, start=[0, 1]).start.tolist() == [0.5, 0.5, 0]


def test_drn_as_storm_writes_it(tmp_path):
    """Chances by placeholders, comments between the lines, a label that looks like a comment."""
    content = DRN.replace("@reward_models", "@placeholders\n$0 : 1/2\n@reward_models").replace(": 1/2", ": $0")
    content = content.replace("$0 : $0", "$0 : 1/2").replace("state 1\n", 'state 1 "a // b"\n//[x=1 & y=2]\n')
    graph = load(tmp_path, "m.drn", content)
    assert graph.probability.tolist() == [0.5, 0.5, 1, 1]
    assert load(tmp_path, "m.drn", content, goal="a // b").goal.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("old", "new", "fragment"),
    [
        ("DTMC", "MDP", "only discrete-time"),
        ("\taction 0\n\t\t2 : 1\nstate 2", "\taction 0\n\t\t2 : 1\n\taction 1\n\t\t2 : 1\nstate 2", "several actions"),
        ("@parameters\n\n", "@parameters\np q\n", "has parameters"),
        ("1/2", "p", "the probability 'p'"),
        ("1/2", "1/0", "the probability '1/0'"),
        ("state 1", "state 0", "one twice"),
        ("@model", "", "no @model"),
        ('"half way"', '"half', "quotes"),
        ("state 2 goal\n\taction 0\n\t\t2 : 1\n", "", "has 2 states where @nr_states says 3"),
    ],
)
def test_broken_drn(tmp_path, old, new, fragment):
    assert fragment in refusal(lambda: load(tmp_path, "m.drn", DRN.replace(old, new, 1)))


def test_prism_modules_of_one_variable(tmp_path):
    content = (
        "dtmc // by hand\nmodule m s:[0..2] init 1; [] s=0 -> 1e-3:(s'=2)+0.5:(s'=0)+(0.0):(s'=1);\n"
        '[go] s=1 -> (s\'=0);  [] s=2 -> true; endmodule\nlabel "goal" = s=2;'
    ).replace("+(0.0):(s'=1)", "")
    graph = load(tmp_path, "m.pm", content)
    assert graph.start.tolist() == [0, 1, 0] and graph.probability.tolist() == [1e-3, 0.5, 1, 1]
    twice = load(tmp_path, "m.pm", content.replace("0.5:(s'=0)", "0.25:(s'=0) + 0.25:(s'=0)"))
    assert twice.probability.tolist() == graph.probability.tolist()
    others = [content.replace("s=2 ->", "s=1 ->"), content + "init s=1 endinit"]
    for other in (*others, "mdp\n" + content[4:], content.replace("s=1 ->", "s>0 ->"), content.replace("1e-3", "p")):
        refusal(lambda other=other: load(tmp_path, "m.prism", other))


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def umb_files(**changes):
    system = {"time": "discrete", "#players": 0, "#states": 2, "#initial-states": 1, "#choices": 2, "#branches": 3}
    system |= {"branch-probability-type": {"type": "rational"}} | changes
    aps = {"a-0": {"alias": "goal", "applies-to": ["states"], "type": {"type": "bool"}}}
    index = {"format-version": 0, "transition-system": system, "annotations": {"aps": aps}}
    thirds = b"".join(n.to_bytes(8, "little") + (3).to_bytes(8, "little") for n in (1, 2, 3))
    return {
        "index.json": json.dumps(index).encode(),
        "state-is-initial.bin": b"\1" + bytes(7),
        "choice-to-branches.bin": np.array([0, 2, 3], "<u8").tobytes(),
        "branch-to-target.bin": np.array([0, 1, 1], "<u8").tobytes(),
        "branch-to-probability.bin": thirds,
        "annotations/aps/a-0/states/values.bin": b"\2" + bytes(7),
    }


def test_umb_of_others(tmp_path):
    graph = load(tmp_path, "g.umb", archive(umb_files()))
    assert graph.probability.tolist() == [1 / 3, 2 / 3, 1] and graph.goal.tolist() == [False, True]


def test_umb_of_format_version_1_with_parallel_branches(tmp_path):
    files = umb_files()
    files["index.json"] = files["index.json"].replace(b'"format-version": 0', b'"format-version": 1')
    files["branch-to-target.bin"] = np.array([1, 1, 1], "<u8").tobytes()
    assert load(tmp_path, "g.umb", archive(files)).probability.tolist() == [1, 1]
    files["index.json"] = files["index.json"].replace(b'"format-version": 1', b'"format-version": 2')
    assert "format version 2" in refusal(lambda: load(tmp_path, "g.umb", archive(files)))


def test_storm_and_its_files(tmp_path):
    """What Storm writes is read to the numbers that Storm computes."""
    stormpy = pytest.importorskip("stormpy")
    from stormpy import io as storm

    (tmp_path / "m.pm").write_text(
        "dtmc\nmodule m s:[0..3] init 0; b:bool init false; [] s<2 -> 1/3:(s'=s+1)+0.25:(s'=3)+5/12:(b'=true);"
        '[] s>1 -> true; endmodule label "goal" = s=2; label "dead" = s=3; rewards "r" s=1: 2; endrewards'
    )
    model = stormpy.build_model(stormpy.parse_prism_program(str(tmp_path / "m.pm")))
    asked = stormpy.parse_properties('P=? [F<=9 "goal"]')[0]
    expected = stormpy.model_checking(model, asked).get_value(model.initial_states[0])
    storm.export_to_umb(model, str(tmp_path / "m.umb"))
    storm.export_to_drn(model, str(tmp_path / "m.drn"))
    for name, digits in (("m.umb", 1e-13), ("m.drn", 1e-8)):  # Storm writes ten digits in DRN
        found = ds.exact(ds.Task(ds.load_graph(tmp_path / name), steps=9)).success(9).estimate
        assert found == pytest.approx(expected, rel=digits)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda f: f.pop("index.json"), "index.json is missing"),
        (lambda f: f.update(umb_files(**{"#players": 1})), "only a DTMC"),
        (lambda f: f.update(umb_files(**{"#states": 10**15})), "shorter than index.json says"),
        (lambda f: f.update(umb_files(**{"#branches": -1})), "#branches is -1"),
        (lambda f: f.update({"branch-to-target.bin": f["branch-to-target.bin"][:-8]}), "16 bytes, not 24"),
        (lambda f: f.update({"branch-to-target.bin": np.full(3, 9, "<u8").tobytes()}), "a state above 1"),
        (lambda f: f.update({"choice-to-branches.bin": np.array([0, 9, 3], "<u8").tobytes()}), "does not count up"),
        (lambda f: f.update({"branch-to-probability.bin": bytes(48)}), "denominator 0"),
        (lambda f: f.update({"index.json": b"[]"}), "no transition-system"),
    ],
)
def test_broken_umb(tmp_path, change, fragment):
    files = umb_files()
    change(files)
    assert fragment in refusal(lambda: load(tmp_path, "g.umb", archive(files), start=0, goal=1))


def test_umb_that_is_no_archive(tmp_path):
    for content in (b"umb", archive(umb_files())[:200], gzip.compress(b"x" * 5000, mtime=0)):
        assert "g.umb" in refusal(lambda content=content: load(tmp_path, "g.umb", content, start=0, goal=1))
