"""Studies from Python, and one dialect of configs: value lists, old spellings, the schema."""

import tomllib
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from refused import refusal

import ds3sim as ds
from ds3sim.config.read import config_of
from ds3sim.config.study import study_of
from ds3sim.graph.lump import ChainForm

CONFIGS = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.toml"))
STUDIES = [path for path in CONFIGS if not path.stem.startswith(("allocate", "train"))]
CHAIN = ds.SkillGraph.chain(4, 0.2)
EDGES = ds.SkillGraph.from_edges(
    [("A", "B", 0.5), ("B", "Z", 0.25), ("B", "X", 0.1)], start="A", goal="Z", dead="X", feasible=0.75
)
STRATEGIES = {
    "tot": ds.ToT(4),
    "vote": ds.Majority(5, ds.GeometricErrors(4, 0.5), "wrong"),
    "both": (ds.ToT(3, 0.1), ds.BestOfN(2, ds.Verifier(0.9, 0.1, "abstain"))),
    "record": ds.Strategy(ds.Beam(3, 2), ds.Majority(3, ds.WeightErrors((0.75, 0.25))), "per_trace"),
    "table": {"step": "tot", "branches": 2},
}


def test_a_study_of_records_has_their_tasks():
    study = ds.Study(CHAIN, strategies=STRATEGIES, steps=[12, 40], seed=7, traces=5000, name="mine")
    entries = list(study.entries())
    assert [entry.strategy for entry in entries] == list(STRATEGIES) == study.strategies
    assert (study.name, study.seed, study.count, study.unit) == ("mine", 7, 1, "steps")
    made = {entry.strategy: entry.tasks[0] for entry in entries}
    assert made["vote"].identity == ds.Task(CHAIN, aggregate=STRATEGIES["vote"], steps=[12, 40]).identity
    assert made["both"].identity == ds.Task(CHAIN, *STRATEGIES["both"], steps=[12, 40]).identity
    record = STRATEGIES["record"]
    assert made["record"].identity == ds.Task(CHAIN, record.step, record.aggregate, [12, 40], "per_trace").identity
    assert made["table"].step == ds.ToT(2)
    assert all(
        entry.engine.traces == 5000 and entry.seed == 7 and entry.forms[0] == ChainForm(4, 0.2) for entry in entries
    )


@pytest.mark.parametrize(
    "graph",
    [
        CHAIN,
        EDGES,
        ds.SkillGraph.layered(2, 3, 0.3, death=0.02, seed=3),
        ds.SkillGraph.random(6, 0.5, degree=2),
        ds.SkillGraph.latent(0.9, 0.5, 2.0),
    ],
    ids=["chain", "edges", "layered", "random", "latent"],
)
def test_a_study_is_its_tables(graph, tmp_path):
    """Written as TOML and read again it is the same study, whatever made the graph."""
    cost = ds.CostModel(20, 1e9, prompt_tokens=10, layers=3, attention_width=64)
    one = ds.Study(graph, strategy=ds.Majority(3), tokens=[400, 33], cost=cost, engine="exact", on_dead="stop")
    (tmp_path / "s.toml").write_text(one.toml(), encoding="utf-8")
    other = study_of(tmp_path / "s.toml")
    (mine,), (again,) = one.entries(), other.entries()
    assert mine.tasks[0].graph is graph
    assert again.tasks[0].identity == mine.tasks[0].identity
    assert (again.rows, again.cost, again.engine, again.seed) == (mine.rows, mine.cost, mine.engine, mine.seed)
    assert other.tables() == one.tables()


def test_numbers_may_be_arrays():
    """0-d arrays and NumPy scalars are numbers, arrays are lists."""
    graph = ds.SkillGraph.chain(jnp.int32(4), np.array(0.25))
    study = ds.Study(graph, steps=np.array([10, 20]), traces=np.int64(50), seed=jnp.uint32(3))
    (entry,) = study.entries()
    assert entry.tasks[0].identity == ds.Task(ds.SkillGraph.chain(4, 0.25), steps=[10, 20]).identity
    assert (entry.engine.traces, entry.seed) == (50, 3)
    axes = {"graph.success": jnp.array([0.25, 0.5])}
    assert [e.axes for e in ds.Study(graph, steps=10, axes=axes).entries()] == [
        {"graph.success": v} for v in (0.25, 0.5)
    ]


def test_axes_over_records():
    axes = {"graph.success": [0.1, 0.3], "strategies.vote.n": [3, 5]}
    study = ds.Study(CHAIN, strategies={"one": ds.CoT(), "vote": ds.Majority(3)}, steps=30, axes=axes)
    found = [
        (e.axes["graph.success"], e.forms[0].success, e.tasks[0].n) for e in study.entries() if e.strategy == "vote"
    ]
    assert found == [(0.1, 0.1, 3), (0.1, 0.1, 5), (0.3, 0.3, 3), (0.3, 0.3, 5)]
    other = ds.SkillGraph.layered(2, 2, 0.3)
    several = ds.Study(CHAIN, steps=9, axes={"graph": [CHAIN, EDGES, other], "cost.parameters": [1e9, 1e10]})
    entries = list(several.entries())
    assert [e.tasks[0].graph for e in entries[::2]] == [CHAIN, EDGES, other]
    assert len({e.axes["graph"] for e in entries}) == 3 and all(isinstance(e.axes["graph"], str) for e in entries)
    assert [e.cost.parameters for e in entries[:2]] == [1e9, 1e10]


def test_another_study_from_a_study():
    study = ds.Study(EDGES, steps=[5, 9])
    swept = study_of(study, {"engine.traces": [10, 20]}, seed=4)
    assert [e.engine.traces for e in swept.entries()] == [10, 20] and swept.seed == 4
    assert all(e.tasks[0].graph is EDGES for e in swept.entries())
    assert study_of(study) is study and study.count == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"steps": 5}, "graph is missing"),
        ({"graph": CHAIN}, "give one of steps, steps_per_trace, tokens, flops"),
        ({"graph": CHAIN, "steps": [5, -1]}, "Study: steps[1] = -1: must be at least 0"),
        ({"graph": CHAIN, "steps": 5, "tokens": 9}, "keep exactly one"),
        ({"graph": CHAIN, "steps": 5, "traces": 0}, "Study: traces = 0: must be at least 1"),
        ({"graph": {"skills": 0, "success": 0.5}, "steps": 5}, "Study: graph.skills = 0: must be at least 1"),
        ({"graph": CHAIN, "steps": 5, "strategies": {"a": "tot"}}, "Study: strategies.a = 'tot': is no strategy"),
        ({"graph": EDGES, "steps": 5, "axes": {"graph.success": [0.1]}}, "no effect with graph.kind = edges"),
        ({"graph": CHAIN, "steps": 5, "seed": "x"}, "Study: seed = 'x'"),
        ({"graph": CHAIN, "steps": 5, "zip": [["seed", "graph.success"]]}, "sweep.zip: seed is no axis"),
        ({"graph": CHAIN, "steps": 5, "folder": 3}, "Study: folder = 3: must be a path"),
    ],
)
def test_bad_arguments_are_one_line(arguments, said):
    assert said in refusal(lambda: list(ds.Study(**arguments).entries()))


def test_ten_thousand_points_are_expanded_from_shared_pieces():
    axes = {"graph.success": {"linear": [0.05, 0.9, 100]}, "cost.parameters": {"log": [1e8, 1e11, 100]}}
    entries = list(ds.Study(CHAIN, steps=[10, 20], axes=axes).entries())
    assert len(entries) == 10_000
    assert len({id(entry.tasks) for entry in entries}) == len({id(entry.cost) for entry in entries}) == 100


def test_every_shipped_config_is_read_without_notes():
    kinds = {path.stem: ds.read_config(path) for path in CONFIGS}
    assert all(config.notes == () for config in kinds.values())
    assert {stem for stem, config in kinds.items() if config.kind == "allocation"} == {"allocate", "allocate-attention"}
    assert [stem for stem, config in kinds.items() if config.kind == "training"] == ["train"]
    assert len(STUDIES) == 9 and all(kinds[path.stem].kind == "study" for path in STUDIES)


def test_the_schema_accepts_every_shipped_config_and_refuses_mistakes():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: the schema is not held")
    check = jsonschema.Draft202012Validator(ds.schema())
    check.check_schema(ds.schema())
    for path in CONFIGS:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        assert [error.message for error in check.iter_errors(tables)] == [], path.stem
        for table in [name for name, value in tables.items() if isinstance(value, dict) and name != "strategies"]:
            wrong = tables | {table: tables[table] | {"no_such_key": 1}}
            assert not check.is_valid(wrong), (path.stem, table)
    assert not check.is_valid({"graph": {"kind": "chain", "skills": "four"}})


def tasks_of(keys, model=""):
    return config_of(tomllib.loads(f"[tasks]\n{keys}\n{model}[budget]\nsteps = 5\n"), "x.toml")


TRIPARTITE = '[model]\nkind = "tripartite"\n'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3", (3,)),
        ("[3, 4]", (3, 4)),
        ("{range = [3, 5]}", (3, 4, 5)),
        ("{linear = [2, 4, 3]}", (2, 3, 4)),
        ("{log = [1, 100, 3]}", (1, 10, 100)),
    ],
)
def test_value_lists_mean_the_same_everywhere(value, expected):
    graph, budget = "[graph]\nskills = 3\nsuccess = 0.5\n", "[budget]\nsteps = 5\n"
    read = lambda text: config_of(tomllib.loads(text), "x.toml")  # noqa: E731
    assert tasks_of(f"skills = {value}\nsuccess = 0.5").tasks.skills == expected
    assert read(graph + f"[budget]\nsteps = {value}\n").budget.steps == expected
    (axis,) = read(graph + budget + f"[sweep.axes]\n'graph.skills' = {value}\n").origin.axes
    assert axis.values == tuple((v,) for v in expected)
    if "range" not in value:
        assert read(f"[allocate]\ncompute = {value}\n").allocate.compute == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "text", ["{log = [9, 3, 2]}", "{linear = [9, 3, 2]}", "{log = [0, 3, 2]}", "{log = [1, 2]}", "{lin = [1, 2, 3]}"]
)
def test_bad_value_lists_are_refused_everywhere(text):
    graph, budget = "[graph]\nskills = 3\nsuccess = 0.5\n", "[budget]\nsteps = 5\n"
    for config in (
        f"[tasks]\nskills = {text}\nsuccess = 0.5\n" + budget,
        graph + f"[budget]\ntokens = {text}\n",
        graph + budget + f"[sweep.axes]\n'graph.success' = {text}\n",
        f"[allocate]\ncompute = {text}\n",
    ):
        assert refusal(config_of, tomllib.loads(config), "x.toml").startswith("x.toml: ")


def test_old_spellings_are_noted_in_one_line():
    old = "[allocate]\ncompute = 1e20\n[tasks]\nskills = [1, 2]\nL0 = 2.0\n[model]\na = 0.5\nb = 4\nd = 0.1\n"
    config = config_of(tomllib.loads(old), "x.toml")
    assert (config.model.scale, config.model.steepness, config.model.offset) == (0.5, 4, 0.1)
    assert config.tasks.difficulty == (2.0,)
    assert config.notes == (
        "x.toml: model.a is now model.scale, model.b is now model.steepness, model.d is now model.offset,"
        " tasks.L0 is now tasks.difficulty",
    )
    with pytest.raises(ds.InputError, match="one row for each m"):
        config_of(tomllib.loads(old.replace("L0 = 2.0", "L0 = [2.0, 3.0]\nweights = [[1, 2], [3, 4]]")), "x.toml")


def test_two_numbers_beside_level_are_a_range_with_a_note():
    config = tasks_of("skills = [2, 5]\nlevel = [60, 62]", TRIPARTITE)
    assert (config.tasks.skills, config.tasks.level) == ((2, 3, 4, 5), (60, 61, 62))
    assert len(config.notes) == 1 and "{range = [2, 5]}" in config.notes[0]
    assert tasks_of("skills = {range = [2, 5]}\nlevel = {range = [60, 62]}", TRIPARTITE).notes == ()
    assert tasks_of("skills = [2, 5]\nsuccess = 0.5").tasks.skills == (2, 5)


def test_overrides_are_texts_or_parsed(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("[graph]\nskills = 3\nsuccess = 0.5\n[budget]\nsteps = 5\n", encoding="utf-8")
    config = ds.read_config(path, ["seed=1e3", "budget.tokens=[100, 200]"])
    assert (config.seed, config.budget.tokens, config.budget.steps) == (1000, (100, 200), None)
    with pytest.raises(ds.InputError, match=r"^--set seed=x: seed = 'x': must be a whole number$"):
        ds.read_config(path, ["seed=x"])


def test_groups_are_tasks_of_a_study_too():
    """A normal law of difficulties by 21 nodes: the mean success is that of the weighted sum."""
    group = "{{skills = {}, weight = {}, difficulty = {{mean = 2.0, sd = {}}}}}"
    text = f"groups = [{group.format(2, 3, 0.2)}, {group.format(5, 1, 0)}]"
    study = study_of(tasks_of(text, "[model]\nloss = 2.0\n"))
    (entry,) = study.entries()
    skills = np.array([task.graph.size - 1 for task in entry.tasks])
    weights = np.array(entry.weights)
    assert weights.sum() == pytest.approx(1, rel=1e-12) and weights[skills == 2].sum() == pytest.approx(0.75, rel=1e-12)
    assert set(skills) == {2, 5} and (skills == 5).sum() == 1


def test_a_vote_of_3000_traces_needs_no_formula():
    study = ds.Study(
        tasks={"level": 60, "skills": {"range": [2, 3]}},
        model={"kind": "tripartite"},
        strategies={"vote": ds.Majority(3000), "formula": ds.Majority(2000)},
        steps_per_trace=[40, 200],
    )
    vote, formula = study.entries()
    assert {task.n for task in vote.tasks} == {3000}
    assert [row.authors_flops is not None for row in vote.rows] == [True, True]
    # The level is that of the largest vote with a formula.
    assert vote.forms == formula.forms and vote.weights == formula.weights


def test_the_command_line_says_what_it_read_and_errors_stand_alone(tmp_path, cli):
    path = tmp_path / "x.toml"
    text = "[tasks]\nskills = 2\nL0 = 2.0\n[model]\nloss = 2.0\nb = 4\n[budget]\nsteps = 5\n[engine]\nkind = 'exact'\n"
    path.write_text(text, encoding="utf-8")
    cli("run", path)
    assert cli.err == f"note: {path}: model.b is now model.steepness, tasks.L0 is now tasks.difficulty\n"
    cli("run", path, "--quiet")
    assert cli.err == ""
    assert "budget.steps = -1" in cli.refuses("sweep", path, "--set", "budget.steps=-1")
