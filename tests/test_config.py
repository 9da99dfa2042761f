"""Configs: what is read, what is refused and in which words, and how budgets become steps."""

import os
import tomllib

import numpy as np
import pytest
from refused import refusal

from ds3sim.config.read import apply_overrides, parse_override, read_config
from ds3sim.config.study import Study, study_of
from ds3sim.core.errors import InputError
from ds3sim.task.aggregate import BestOfN, Majority, Single, Verifier
from ds3sim.task.steps import Beam, CoT, ToT
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors
from ds3sim.theory.cost import CostModel

GRAPH = '[graph]\nkind = "chain"\nskills = 3\nsuccess = 0.5\n'
BUDGET = "[budget]\nsteps = [5]\n"
BASE = GRAPH + BUDGET
FILE = '[graph]\nkind = "file"\npath = "g.csv"\n'
VOTE = BASE + '[strategy]\naggregate = "majority"\nn = 3\n'


def entries_of(study: Study) -> list:
    """What a study asks."""
    return list(study.entries())


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Write a config and load it, with a small graph file beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.csv").write_text("source,target,probability\nA,B,0.5\nB,Z,0.5\nB,X,0.1\n1,A,0.5\n")

    def make(text, *sets):
        (tmp_path / "x.toml").write_text(text, encoding="utf-8")
        made = study_of(read_config("x.toml", sets))
        entries_of(made)
        return made

    return make


def test_defaults(study):
    made = study(BASE)
    (entry,) = made.entries()
    (task,) = entry.tasks
    assert (made.name, made.seed, made.unit, entry.tokens_per_step, entry.cost) == ("x", 0, "steps", 25.0, None)
    assert (entry.strategy, task.step, task.aggregate) == (None, CoT(), Single())
    assert (task.feasibility, task.on_dead, task.budgets.tolist()) == ("per_task", "exhaust", [5])
    assert (entry.engine.kind, entry.engine.traces, entry.engine.chunk) == ("traces", 1_000_000, None)


def test_kind_can_be_told_from_the_keys(study):
    assert entries_of(study("[graph]\nskills = 3\nsuccess = 0.5\n" + BUDGET))[0].tasks[0].graph.size == 4
    assert entries_of(study('[graph]\npath = "g.csv"\nstart = "A"\ngoal = "Z"\n' + BUDGET))[0].tasks[0].graph.size == 5


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('step = "cot"\nbranches = 1\nevaluator_error = 0.0', (CoT(), Single())),
        ('step = "tot"\nbranches = 4\nevaluator_error = 0.1\ndiscount = 0.9', (ToT(4, 0.1, 0.9), Single())),
        ('step = "beam"\nwidth = 3\nbranches = 2', (Beam(3, 2), Single())),
        ('aggregate = "best_of_n"\nn = 8', (CoT(), BestOfN(8))),
        (
            'aggregate = "best_of_n"\nn = 8\nverifier = {true_positive = 0.9, fallback = "abstain"}',
            (CoT(), BestOfN(8, Verifier(0.9, 0.0, "abstain"))),
        ),
        ('aggregate = "majority"\nn = 5\nties = "wrong"', (CoT(), Majority(5, GeometricErrors(), "wrong"))),
        (
            'aggregate = "majority"\nn = 5\nerrors = {kind = "geometric", categories = 4, decay = 0.5}',
            (CoT(), Majority(5, GeometricErrors(4, 0.5))),
        ),
        (
            'aggregate = "majority"\nn = 5\nerrors = {kind = "weights", weights = [0.5, 0.3, 0.2]}',
            (CoT(), Majority(5, WeightErrors((0.5, 0.3, 0.2)))),
        ),
        (
            'aggregate = "majority"\nn = 5\nerrors = {kind = "uniform", categories = 3}',
            (CoT(), Majority(5, WeightErrors((0.5, 0.5)))),
        ),
        (
            'aggregate = "majority"\nn = 5\nerrors = {kind = "zipf", categories = 3, exponent = 1}',
            (CoT(), Majority(5, WeightErrors((2 / 3, 1 / 3)))),
        ),
    ],
)
def test_strategies(study, table, expected):
    task = entries_of(study(BASE + "[strategy]\n" + table))[0].tasks[0]
    assert task.step == expected[0] and type(task.aggregate) is type(expected[1])
    assert task.aggregate.n == expected[1].n
    if isinstance(expected[1], Majority):
        np.testing.assert_allclose(task.aggregate.errors.weights, expected[1].errors.weights, rtol=1e-14)
        assert task.aggregate.ties == expected[1].ties
    else:
        assert task.aggregate == expected[1]


def test_several_strategies(study):
    made = study(BASE + '[strategies.cot]\n[strategies."tot 4"]\nstep = "tot"\nbranches = 4\n')
    assert [e.strategy for e in made.entries()] == ["cot", "tot 4"]
    assert [e.tasks[0].step for e in made.entries()] == [CoT(), ToT(4)]
    one, other = made.entries()
    assert one.tasks[0].graph is other.tasks[0].graph


@pytest.mark.parametrize(
    ("keys", "start"),
    [
        ('start = "A"\ngoal = "Z"', {"A": 1.0}),
        ('start = ["A", "B"]\ngoal = ["Z"]\ndead = ["X"]', {"A": 0.5, "B": 0.5}),
        ('start = {A = 0.25, B = 0.75}\ngoal = "Z"\ndead = "X"', {"A": 0.25, "B": 0.75}),
        ('start = 1\ngoal = "Z"\ndead = []', {"1": 1.0}),
    ],
)
def test_graph_files(study, keys, start):
    graph = entries_of(study(FILE + keys + "\n" + BUDGET))[0].tasks[0].graph
    assert {n: p for n, p in zip(graph.names, graph.start, strict=True) if p > 0} == start


def test_paths_are_relative_to_the_config(study, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    study(FILE + 'start = "A"\ngoal = "Z"\n' + BUDGET)
    monkeypatch.chdir(tmp_path / "sub")
    assert entries_of(study_of("../x.toml"))[0].tasks[0].graph.size == 5
    with pytest.raises(InputError, match=r"^x\.toml: there is no such file"):
        study_of("x.toml")


@pytest.mark.parametrize(
    ("budget", "strategy", "steps"),
    [
        ("steps = [7, 20]", "", [7, 20]),
        ("steps = 7", "", [7]),
        ("steps = [7.0, 1e3]", "", [7, 1000]),
        ("steps_per_trace = [7, 20]", 'aggregate = "best_of_n"\nn = 3', [21, 60]),
        ("tokens = [100, 124, 125]", "", [4, 4, 5]),
        ("tokens = [1000]", 'step = "tot"\nbranches = 4', [10]),
        ("tokens = [1000]", 'step = "beam"\nbranches = 4\nwidth = 2', [5]),
        ("tokens = [1000]", 'aggregate = "majority"\nn = 4', [40]),
        ("tokens = [10]", "", [0]),
    ],
)
def test_budgets(study, budget, strategy, steps):
    made = study(GRAPH + f"[budget]\n{budget}\n[strategy]\n{strategy}\n")
    assert entries_of(made)[0].tasks[0].budgets.tolist() == steps
    assert made.unit == budget.split(" ")[0]


def test_token_budgets_count_in_decimals(study):
    made = study(GRAPH + "[budget]\ntokens = [3, 6]\n[cost]\ntokens_per_step = 0.1\n")
    assert entries_of(made)[0].tasks[0].budgets.tolist() == [30, 60]  # in binary 3 / 0.1 is below 30
    assert entries_of(made)[0].cost is None


def test_flops_budgets_are_the_most_steps_that_fit(study):
    cost = {"tokens_per_step": 20, "parameters": 1e9, "prompt_tokens": 100, "layers": 32, "attention_width": 4096}
    text = GRAPH + "[budget]\nflops = [1e10, 3e12, 2e14]\n[cost]\n" + "".join(f"{k} = {v}\n" for k, v in cost.items())
    strategies = '[strategies.a]\n[strategies.b]\nstep = "tot"\nbranches = 4\naggregate = "best_of_n"\nn = 3\n'
    made = study(text + strategies)
    model = CostModel(**cost)
    for entry, b, n in zip(made.entries(), (1, 4), (1, 3), strict=True):
        assert entry.cost == model
        for flops, steps in zip((1e10, 3e12, 2e14), entry.tasks[0].budgets.tolist(), strict=True):
            k, rest = divmod(steps, n)
            assert rest == 0
            assert steps == 0 or model.flops(20 * k, branches=b, n=n) <= flops
            assert model.flops(20 * (k + 1), branches=b, n=n) > flops


def test_overrides():
    def apply(data, *texts):
        return apply_overrides(data, [parse_override(text) for text in texts])

    assert apply({}, "a.b=3", "a.c = [1, 2]", "d=1e6", "e=cot", 'f="3"', "g=true", "h=1_000") == {
        "a": {"b": 3, "c": [1, 2]},
        "d": 1e6,
        "e": "cot",
        "f": "3",
        "g": True,
        "h": 1000,
    }
    assert apply({}, 'strategies."best of 4".n=4') == {"strategies": {"best of 4": {"n": 4}}}
    assert apply({}, "a=b = c", "x=1\n[y]") == {"a": "b = c", "x": "1\n[y]"}
    assert apply({"a": 3}, "a.b=1") == {"a": {"b": 1}}
    # A budget in another unit takes the place of the file's.
    assert apply({"budget": {"steps": [5], "on_dead": "stop"}}, "budget.tokens=[100]") == {
        "budget": {"tokens": [100], "on_dead": "stop"}
    }
    data = {"a": {"b": 1}}
    apply(data, "a.b=2")
    assert data == {"a": {"b": 1}}


@pytest.mark.parametrize("text", ["x", "=3", " =3", "a..b=3", "a b=3", "a.=3", "[a]=3"])
def test_overrides_that_are_none(text):
    with pytest.raises(InputError, match=r"^--set"):
        parse_override(text)


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        FILE + 'start = {A = 0.25, B = 0.75}\ngoal = ["Z"]\ndead = "X"\nfeasible = 0.9\n' + BUDGET,
        FILE + 'start = 1\ngoal = "Z"\nscore = {A = 1, B = 2, Z = 3, X = 0, 1 = 0}\n' + BUDGET,
        'name = "é \\"q\\""\nseed = 9223372036854775807\n[graph]\nkind = "layered"\nlayers = 2\nwidth = 2\n'
        "success = 0.5\nback = 0.1\ndeath = 0.1\nseed = 4\n[budget]\ntokens = [100, 1e3]\n[engine]\ntraces = 5e3\n",
        '[graph]\nkind = "random"\nskills = 5\nsuccess = 0.5\n'
        + BUDGET
        + "[engine]\nrelative_error = 0.01\nchunk = 64\n",
        BASE
        + '[strategies.a]\nstep = "tot"\nbranches = 3\n[strategies."b c"]\naggregate = "majority"\nn = 3\n'
        + 'errors = {weights = [0.5, 0.5]}\n[strategies.d]\naggregate = "best_of_n"\nn = 2\nverifier = {}\n',
        GRAPH + "[budget]\nflops = [1e13]\n[cost]\nparameters = 1e9\nattention = false\nshared_prefill = false\n",
    ],
)
def test_resolved_config_gives_the_same_study(study, text, tmp_path):
    made = study(text)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "resolved.toml").write_text(made.toml(), encoding="utf-8")
    again = study_of(tmp_path / "elsewhere" / "resolved.toml")
    assert again.toml() == made.toml()
    for new, old in zip(again.entries(), made.entries(), strict=True):
        assert (new.strategy, new.tasks[0].identity, new.rows) == (old.strategy, old.tasks[0].identity, old.rows)
        assert (new.seed, new.engine, new.cost) == (old.seed, old.engine, old.cost)


def test_keys_without_effect_are_not_in_the_resolved_config(study):
    assert tomllib.loads(study(BASE).toml())["strategy"] == {
        "step": "cot",
        "aggregate": "single",
        "feasibility": "per_task",
    }


# fmt: off
REFUSED = [
    ("", "x.toml: graph is missing: add the table [graph] (the skill graph) (and 1 more)"),
    (GRAPH, "x.toml: budget is missing: add the table [budget] (the budgets)"),
    ("graph = 3\n" + BUDGET, "x.toml: graph = 3: must be a table, as in [graph]"),
    # unknown keys
    (BASE + "[strategy]\nbrunches = 3\n", "x.toml: unknown key strategy.brunches: did you mean strategy.branches?"),
    ("skils = 3\n" + BASE, "x.toml: unknown key skils: did you mean graph.skills?"),
    (BASE + "[coast]\nparameters = 1\n", "x.toml: unknown key coast: did you mean cost?"),
    (BASE + "[strategy.verifer]\n", "x.toml: unknown key strategy.verifer: did you mean strategy.verifier?"),
    (BASE + "[strategies.a]\nbrunches = 2\n",
     "x.toml: unknown key strategies.a.brunches: did you mean strategies.a.branches?"),
    (BASE + "engine.traces = 5\n", "x.toml: unknown key budget.engine: did you mean engine?"),
    (BASE + "zzz = 5\n",
     "x.toml: unknown key budget.zzz: known keys here are steps, steps_per_trace, tokens, flops, on_dead"),
    # types and ranges
    ('[graph]\nkind = "chain"\nskills = 0\nsuccess = 0.5\n' + BUDGET, "x.toml: graph.skills = 0: must be at least 1"),
    ('[graph]\nkind = "chain"\nskills = 3\nsuccess = 1.5\n' + BUDGET, "x.toml: graph.success = 1.5: must be at most 1"),
    ('[graph]\nkind = "chain"\nskills = 3\nsuccess = nan\n' + BUDGET,
     "x.toml: graph.success = nan: must be a finite number"),
    ('[graph]\nkind = "chain"\nskills = 3\nsuccess = "0.5"\n' + BUDGET,
     "x.toml: graph.success = '0.5': must be a number"),
    ('[graph]\nkind = "chain"\nskills = 3\nsuccess = true\n' + BUDGET,
     "x.toml: graph.success = true: must be a number"),
    ('[graph]\nkind = "chain"\nskills = 3\nsuccess = 0.5\nfeasible = -0.1\n' + BUDGET,
     "x.toml: graph.feasible = -0.1: must be at least 0"),
    ('[graph]\nkind = "chain"\nskills = 3\n' + BUDGET,
     "x.toml: graph.success is missing: add it (r, chance that one step moves on)"),
    ('[graph]\nkind = "chian"\n' + BUDGET,
     "x.toml: graph.kind = 'chian': choose chain, file, layered, random, latent or edges (did you mean chain?)"),
    (BASE + "[engine]\ntraces = true\n", "x.toml: engine.traces = true: must be a whole number"),
    (BASE + "[engine]\ntraces = 1.5\n", "x.toml: engine.traces = 1.5: must be a whole number"),
    (BASE + "[engine]\ntraces = inf\n", "x.toml: engine.traces = inf: must be a whole number"),
    (BASE + "[engine]\ntraces = 0\n", "x.toml: engine.traces = 0: must be at least 1"),
    (BASE + "[engine]\nrelative_error = 1\n", "x.toml: engine.relative_error = 1: must be below 1"),
    (BASE + '[engine]\nkind = "trace"\n',
     "x.toml: engine.kind = 'trace': choose traces, population, importance, exact or closed_form"
     " (did you mean traces?)"),
    ("seed = -1\n" + BASE, "x.toml: seed = -1: must be at least 0"),
    ("seed = 9223372036854775808\n" + BASE, "x.toml: seed = 9223372036854775808: must be at most 9223372036854775807"),
    ("name = 5\n" + BASE, "x.toml: name = 5: must be a text in quotes that is not empty"),
    (BASE + "[cost]\ntokens_per_step = 0\n", "x.toml: cost.tokens_per_step = 0: must be above 0"),
    (BASE + '[cost]\nattention = "yes"\n', "x.toml: cost.attention = 'yes': must be true or false"),
    # integers that no float can hold, dates, control characters
    (GRAPH.replace("0.5", f"1{'0' * 400}") + BUDGET,
     f"x.toml: graph.success = 1{'0' * 56}...: must be a finite number"),
    (GRAPH.replace("0.5", "0x" + "f" * 9000) + BUDGET, "x.toml: graph.success = a huge int: must be a finite number"),
    (f"seed = 1{'0' * 400}\n" + BASE, f"x.toml: seed = 1{'0' * 56}...: must be at most 9223372036854775807"),
    (GRAPH + f"[budget]\nsteps = [1{'0' * 400}]\n",
     f"x.toml: budget.steps[0] = 1{'0' * 56}...: must be at most 9007199254740992"),
    (BASE + f"[cost]\nlayers = 1{'0' * 400}\n", f"x.toml: cost.layers = 1{'0' * 56}...: must be at most 1e+60"),
    (FILE + f'start = {{A = 1{"0" * 400}}}\ngoal = "Z"\n' + BUDGET,
     f"x.toml: graph.start.A = 1{'0' * 56}...: must be a finite number"),
    (GRAPH.replace("0.5", "1979-05-27") + BUDGET, "x.toml: graph.success = 1979-05-27: must be a number"),
    (BASE + '"\\u001b[31m" = 1\n',
     "x.toml: unknown key budget.\\x1b[31m: known keys here are steps, steps_per_trace, tokens, flops, on_dead"),
    # budgets
    (GRAPH + "[budget]\n",
     "x.toml: budget gives no budget: add one of steps, steps_per_trace, tokens, flops, for example steps = [50, 100]"),
    (GRAPH + "[budget]\nsteps = [5]\ntokens = [100]\n",
     "x.toml: budget gives steps and tokens: keep exactly one of them"),
    (GRAPH + "[budget]\nsteps = []\n", "x.toml: budget.steps = [] is an empty list: give at least one number"),
    (GRAPH + "[budget]\nsteps = [5, -1]\n", "x.toml: budget.steps[1] = -1: must be at least 0"),
    (GRAPH + '[budget]\nsteps = "5"\n', "x.toml: budget.steps = '5': must be a whole number"),
    (GRAPH + "[budget]\nsteps = [1e16]\n", "x.toml: budget.steps[0] = 1e+16: must be at most 9007199254740992"),
    (GRAPH + "[budget]\nflops = [1e12]\n[cost]\nlayers = 3\n",
     "x.toml: budget.flops = [1000000000000] needs a cost model: add [cost] with parameters,"
     " or give the budget in tokens"),
    (GRAPH + "[budget]\ntokens = [1e18]\n",
     "x.toml: budget.tokens = 1000000000000000000: is 4e+16 steps per task, more than the 9007199254740992 allowed:"
     " lower it"),
    # keys that do not go together
    (BASE + "[strategy]\nbranches = 3\n",
     "x.toml: strategy.branches = 3 has no effect with step = cot: remove it, or use tot or beam"),
    (BASE + '[strategy]\nstep = "tot"\nwidth = 3\n',
     "x.toml: strategy.width = 3 has no effect with step = tot: remove it, or use beam"),
    (BASE + "[strategy]\nn = 4\n",
     "x.toml: strategy.n = 4 has no effect with aggregate = single: remove it, or use best_of_n or majority"),
    (BASE + '[strategy]\naggregate = "best_of_n"\nn = 2\nerrors = {kind = "geometric"}\n',
     "x.toml: strategy.errors has no effect with aggregate = best_of_n: remove it, or use majority"),
    (VOTE + "verifier = {}\n",
     "x.toml: strategy.verifier has no effect with aggregate = majority: remove it, or use best_of_n"),
    (VOTE + 'errors = {kind = "geometric", weights = [1]}\n',
     "x.toml: strategy.errors.weights has no effect with strategy.errors.kind = geometric:"
     " remove it, or use kind weights"),
    (VOTE + "errors = {weights = [0.5, 0.2]}\n", "x.toml: strategy: errors.weights sum to 0.7: they must sum to 1"),
    (VOTE + "errors = {categories = 1}\n", "x.toml: strategy.errors.categories = 1: must be at least 2"),
    (BASE + "[strategies.a]\naggregate = 'majority'\nerrors = {kind = 'zipf', exponent = -1}\n",
     "x.toml: strategies.a.errors.exponent = -1: must be at least 0"),
    ('[graph]\nkind = "chain"\nskills = 3\nsuccess = 0.5\nwidth = 3\n' + BUDGET,
     "x.toml: graph.width has no effect with graph.kind = chain: remove it, or use kind layered"),
    (FILE + "success = 0.5\n" + BUDGET,
     "x.toml: graph.success has no effect with graph.kind = file: remove it, or use kind chain or layered or random"),
    (BASE + "[engine]\nmax_traces = 5\n",
     "x.toml: engine.max_traces = 5 has no effect without relative_error: remove it, or add relative_error"),
    (BASE + "[strategies]\n", "x.toml: strategies is empty: add a table [strategies.NAME]"),
    (BASE + "[strategy]\n[strategies.a]\n",
     "x.toml: strategies stands beside strategy: move the [strategy] table into [strategies.NAME]"),
    # graphs
    ('[graph]\nkind = "file"\npath = "no.csv"\n' + BUDGET,
     "x.toml: graph.path = 'no.csv': no such file: the path is relative to the config's folder"),
    (FILE + 'start = true\ngoal = "Z"\n' + BUDGET,
     "x.toml: graph.start = true cannot name a node: use a text that is not empty, or an integer"),
    (FILE + 'start = {A = "x"}\ngoal = "Z"\n' + BUDGET, "x.toml: graph.start.A = 'x': must be a finite number"),
    (FILE + 'start = "A"\ngoal = []\n' + BUDGET,
     "x.toml: graph.goal = [] is an empty list: name at least one node, or leave the key out"),
    (FILE + 'start = {A = 0.5}\ngoal = "Z"\n' + BUDGET,
     "x.toml: graph: g.csv: the start probabilities sum to 0.5: they must sum to 1"),
    ('[graph]\nkind = "layered"\nlayers = 3\nwidth = 2\nsuccess = 0.9\nback = 0.2\n' + BUDGET,
     "x.toml: graph: success + back + death = 1.1 is above 1: lower one of them"),
    # TOML
    ("seed = 0\nname = \n", "x.toml, line 2: not valid TOML: Invalid value: correct this line"),
    ("[graph\n", "x.toml, line 1: not valid TOML: Expected ']' at the end of a table declaration: correct this line"),
]
# fmt: on


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[message[8:60] for _, message in REFUSED])
def test_refused(study, text, message):
    assert refusal(study, text) == message


def test_errors_of_overrides_name_them(study):
    said = "--set strategy.brunches=3: unknown key strategy.brunches: did you mean strategy.branches?"
    assert refusal(study, BASE, "strategy.brunches=3") == said
    said = "--set engine.traces=many: engine.traces = 'many': must be a whole number"
    assert refusal(study, BASE, "engine.traces=many") == said


def test_files_that_are_no_configs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'seed = 0\nname = "\xe9"\n')
    for path, message in [
        ("none.toml", "none.toml: there is no such file"),
        (".", ".: is a folder: name the file in it"),
        ("latin.toml", "latin.toml, line 2: wrong encoding: byte 0xe9 is not UTF-8"),
    ]:
        assert refusal(study_of, path).startswith(message)
    # Brackets exhaust the parser; dotted keys do not, nor do a few hundred brackets.
    for text in ("x = " + "[" * 5000, BASE + "a" + ".a" * 800 + " = 1", "x = " + "[" * 300 + "]" * 300):
        (tmp_path / "deep.toml").write_text(text)
        with pytest.raises(InputError, match=r"^deep\.toml: not usable TOML"):
            study_of("deep.toml")


def test_a_file_name_that_is_not_utf8_makes_a_name_that_is(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.toml")
    with open(path, "wb") as file:
        file.write(BASE.encode())
    assert study_of(os.fsdecode(path)).name == "caf?"
