"""Exported chains against Storm, where it is installed."""

import numpy as np
import pytest

import ds3sim as ds
from ds3sim.core.errors import InputError
from ds3sim.core.files import write_file
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.tensor import dense
from ds3sim.task.export import drn, exported, markov_chain, prism
from ds3sim.task.steps import Beam, CoT, ToT
from ds3sim.task.task import Task

EDGES = [("A", "B", 0.5), ("B", "Z", 0.5), ("B", "X", 0.1), ("B", "A", 0.2), ("C", "Z", 0.2), ("Z", "A", 1.0)]
GRAPHS = {
    "chain": SkillGraph.chain(5, 0.3),
    "infeasible": SkillGraph.chain(5, 0.3, 0.8),
    "start not first": SkillGraph.from_edges(EDGES, start="B", goal="Z", dead="X"),
    "starts": SkillGraph.from_edges(EDGES, start={"A": 0.3, "C": 0.7}, goal="Z", dead="X"),
    "start on goal": SkillGraph.from_edges(EDGES, start={"A": 0.3, "Z": 0.7}, goal="Z", dead="X", feasible=0.6),
    "layered": SkillGraph.layered(3, 2, 0.5, back=0.1, death=0.05, feasible=0.9, seed=3),
}
BUDGETS = (1, 2, 5, 12)


def brute_force(task: Task, steps: int) -> float:
    """Success within ``steps`` by powers of the tensor."""
    law = task.graph.start.copy()
    for _ in range(steps):
        law = law @ task.tensor
    return task.graph.feasible * float(law[task.graph.goal].sum())


@pytest.mark.parametrize("step", [CoT(), ToT(3, 0.1)], ids=["cot", "tot"])
@pytest.mark.parametrize("name", GRAPHS)
def test_chain_has_the_law_of_the_trace(name, step):
    task = Task(GRAPHS[name], step, steps=max(BUDGETS))
    chain = markov_chain(task)
    tensor = dense(chain.tensor)
    np.testing.assert_allclose(tensor.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    law = np.eye(len(tensor))[chain.initial]
    for k in range(1, max(BUDGETS) + 1):
        law = law @ tensor
        assert law[chain.labels["goal"]].sum() == pytest.approx(brute_force(task, k), abs=1e-14)


@pytest.mark.parametrize("kind", ["prism", "drn", "umb"])
@pytest.mark.parametrize("step", [CoT(), ToT(3, 0.1)], ids=["cot", "tot"])
@pytest.mark.parametrize("name", GRAPHS)
def test_storm_agrees(name, step, kind, tmp_path):
    stormpy = pytest.importorskip("stormpy", reason="stormpy is not installed: exported files are not model-checked")
    task = Task(GRAPHS[name], step, steps=max(BUDGETS))
    path = str(write_file(tmp_path / f"model.{kind}", exported(task, kind)))
    wanted = ";".join(f'P=? [F<={k} "goal"]' for k in BUDGETS)
    if kind == "prism":
        program = stormpy.parse_prism_program(path)
        properties = stormpy.parse_properties(wanted, program)
        model = stormpy.build_model(program, properties)
    else:
        build = stormpy.build_model_from_drn if kind == "drn" else stormpy.build_model_from_umb
        model, properties = build(path), stormpy.parse_properties(wanted)
    start = model.initial_states[0]
    checked = [stormpy.model_checking(model, p).get_value(start) for p in properties]
    from ds3sim.engine.simulate import exact

    expected = exact(task).success(list(BUDGETS)).estimate
    np.testing.assert_allclose(checked, expected, rtol=0, atol=1e-13)


def test_text_of_a_chain():
    task = Task(SkillGraph.chain(1, 0.25), steps=1)
    assert prism(task) == (
        "// One trace under its step policy, exported by ds3sim. Success within K steps:\n"
        '//   P=? [ F<=K "goal" ]\n'
        "dtmc\n\nmodule trace\n  s : [0..1] init 0;\n"
        "  [] s=0 -> 0.75:(s'=0) + 0.25:(s'=1); // 0\n"
        "  [] s=1 -> 1.0:(s'=1); // 1\n"
        "endmodule\n\n"
        'label "goal" = s=1;\nlabel "dead" = false;\n\nrewards "steps"\n  true : 1;\nendrewards\n'
    )
    assert "state 0 init\n\taction 0\n\t\t0 : 0.75\n\t\t1 : 0.25\nstate 1 goal\n" in drn(task)


def test_a_node_name_cannot_leave_its_comment():
    graph = SkillGraph.from_edges([("A\nlabel", "Z", 0.5)], start="A\nlabel", goal="Z")
    lines = prism(Task(graph, steps=1)).splitlines()
    assert sum("A label" in line for line in lines) == 1
    assert not any(line.startswith("label;") for line in lines)


def test_what_cannot_be_exported():
    with pytest.raises(InputError, match="beam"):
        prism(Task(SkillGraph.chain(2, 0.5), Beam(2), steps=3))
    with pytest.raises(InputError, match="choose prism, drn or umb"):
        exported(Task(SkillGraph.chain(2, 0.5), steps=3), "dot")


def test_one_chain_of_many():
    """The chain of a named strategy, point or part is that of its task; several must be chosen from."""
    study = ds.Study(
        GRAPHS["layered"], strategies={"one": CoT(), "tree": ToT(3)}, steps=5, axes={"graph.success": [0.2, 0.4]}
    )
    tasks = {(entry.point, entry.strategy): entry.tasks[0] for entry in study.entries()}
    assert ds.export_chain(study, "drn", "tree", point=1) == drn(tasks[1, "tree"])
    assert ds.export_chain(tasks[0, "one"], "prism") == prism(tasks[0, "one"])
    mixed = ds.Study(tasks={"skills": [2, 3], "success": [0.5, 0.25]}, steps=5)
    assert ds.export_chain(mixed, "drn", part=3) == drn(Task(SkillGraph.chain(3, 0.25), steps=5))
    for source, options, said in [
        (study, {"strategy": "tree"}, "has 2 points"),
        (study, {"point": 0}, "choose one with strategy = one or tree"),
        (study, {"strategy": "best", "point": 0}, "has no such strategy: choose one, tree"),
        (study, {"strategy": "one", "point": 2}, "between 0 and 1"),
        (mixed, {}, "is a distribution of 4 tasks"),
        (tasks[0, "one"], {"part": 1}, "no effect with a task"),
    ]:
        with pytest.raises(InputError, match=said):
            ds.export_chain(source, "drn", **options)
