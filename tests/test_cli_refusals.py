"""What a command line refuses: one line on stderr, nothing on stdout, code 2."""

import pytest

CHAIN = """
name = "small"
[graph]
kind = "chain"
skills = 3
success = 0.5
[budget]
steps = [2, 4, 8]
"""
SEVERAL = CHAIN + '[strategies.cot]\n[strategies.tot]\nstep = "tot"\nbranches = 2\n'
AXIS = CHAIN + "[sweep.axes]\nseed = [1]\n"
MODEL = '[model]\nkind = "tripartite"\ntraining_flops = 3.35e25\n'
LEVELS = MODEL + "[tasks]\nlevel = [60, 63]\nskills = [2, 4]\n[budget]\ntokens = [1000, 4000]\n"
ALLOCATION = """
[allocate]
compute = [1e18, 1e19]
tasks = 1e7
[tasks]
skills = {range = [1, 6]}
difficulty = [1.0, 3.0]
[box]
parameters = [1e6, 1e13]
tokens = [1e6, 1e14]
steps = 2000
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="x.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")

    write(CHAIN)
    return write


ERRORS = [
    ("", "the following arguments are required: COMMAND (see ds3sim --help)"),
    ("run", "the following arguments are required: CONFIG (see ds3sim run --help)"),
    ("run x.toml --foo", "unrecognized arguments: --foo (see ds3sim --help)"),
    ("run x.toml --set", "argument --set: expected one argument (see ds3sim run --help)"),
    ("run none.toml", "none.toml: there is no such file (working folder {here}): check the path"),
    ("run .", ".: is a folder: name the file in it"),
    ("run x.toml --set x", "--set x: is not key=value: write it as in --set engine.traces=1e6"),
    ("run x.toml --set graph.skils=3", "--set graph.skils=3: unknown key graph.skils: did you mean graph.skills?"),
    ("run x.toml --set graph=3", "--set graph=3: graph = 3: must be a table, as in [graph]"),
    ("run x.toml --set budget.steps=[1,-2]", "--set budget.steps=[1,-2]: budget.steps[1] = -2: must be at least 0"),
    ("run x.toml --seed x", "--seed x: seed = 'x': must be a whole number"),
    ("run x.toml --seed=-1", "--seed -1: seed = -1: must be at least 0"),
    ("run x.toml --traces 0", "--traces 0: engine.traces = 0: must be at least 1"),
    ("run x.toml --traces nan", "--traces nan: engine.traces = nan: must be a whole number"),
    ("run x.toml --chunk 0.5", "--chunk 0.5: engine.chunk = 0.5: must be a whole number"),
    (
        "run x.toml --engine exakt",
        "--engine exakt: engine.kind = 'exakt':"
        " choose traces, population, importance, exact or closed_form (did you mean exact?)",
    ),
    (
        "run beam.toml --engine exact",
        "beam.toml: engine.kind = exact: step = beam has no small transition tensor: use engine traces,"
        " or tot for width 1",
    ),
    ("run x.toml --set name=\udcff", "--set name=\\udcff: name = '\\udcff': must be UTF-8 text"),
    (
        "run x.toml --set a" + ".a" * 40 + "=1",
        "--set a" + ".a" * 40 + "=1: the key has more than 32 parts: no config needs that",
    ),
    (
        "run x.toml --set graph.success=1" + "0" * 400,
        "--set graph.success=1" + "0" * 182 + "...: graph.success = 1" + "0" * 56 + "...: must be a finite number",
    ),
    ("run x.toml --out=", "--out : is not the name of a folder: name one for the results"),
    ("run x.toml --out file", "file: is a file: give a folder for the results"),
    ("run x.toml --out .", ".: is a folder with files that ds3sim run did not write: give a new or an empty folder"),
    (
        "run beam.toml --engine closed_form --out out",
        "beam.toml: engine.kind = closed_form: no closed form for step = beam: use engine traces",
    ),
    ("train none.toml", "none.toml: there is no such file (working folder {here}): check the path"),
    ("validate none.toml", "none.toml: there is no such file (working folder {here}): check the path"),
    ("validate --perturb x", "argument --perturb: invalid float value: 'x' (see ds3sim validate --help)"),
    ("validate --perturb nan", "--perturb = nan is not allowed: it must be a number between -0.5 and 0.5"),
    ("validate --set seed=1", "--set needs a CONFIG: name the config that it changes"),
    (
        "report none --out y.html",
        "none: no such file or folder: give a folder of run --out or a store of sweep --store",
    ),
    ("validate --seed 1.5", "--seed = 1.5 is not allowed: it must be a whole number between 0 and 9223372036854775807"),
    (
        "validate x.toml --set seed=1",
        "--set seed=1: has no effect on validate, whose simulations have their own: use --seed",
    ),
    ("report . --out y.html", ".: has no results.json: give a folder that ds3sim run --out wrote"),
    ("report . --out .", ".: is a folder: name a file"),
    ("export x.toml --format drn --out none/y", "none/y: there is no folder none: make it first"),
    (
        "export x.toml --format drn --out y --strategy a",
        "strategy = a: x.toml has no such strategy: only [strategy]: leave it out",
    ),
    (
        "export beam.toml --format drn --out y",
        "beam.toml: step = beam has no small transition tensor: use engine traces, or tot for width 1",
    ),
]


@pytest.mark.parametrize(("line", "message"), ERRORS, ids=[line for line, _ in ERRORS])
def test_a_line(here, cli, tmp_path, line, message):
    here(CHAIN + '[strategy]\nstep = "beam"\n', "beam.toml"), here("", "file")
    before = sorted(tmp_path.iterdir())
    assert cli.refuses(*line.split()) == f"error: {message.replace('{here}', str(tmp_path))}\n"
    assert sorted(tmp_path.iterdir()) == before


AXES = [
    ('"graph.sucess" = [0.1]', "did you mean graph.success?"),
    ('"success" = [0.1]', "did you mean graph.success?"),
    ('"graph.success" = []', "empty axis"),
    ('"graph.success" = "a"', "must be a number"),
    ('"graph.success" = [0.1, 1.5]', "must be at most 1"),
    ('"graph.success" = [0.1, true]', "must be a number"),
    ('"graph.success" = [0.1, 0.1]', "occurs twice"),
    ('"graph.skills" = [1.5]', "must be a whole number"),
    ('"graph.skills" = {log = [0, 10, 3]}', "lo must be above 0"),
    ('"graph.skills" = {log = [10, 1, 3]}', "lo must be below hi"),
    ('"graph.skills" = {log = [1, 10]}', "three numbers"),
    ('"graph.skills" = {lin = [1, 10, 3]}', "graph.skills.lin"),
    ('"strategy.step" = ["cto"]', "one of cot, tot, beam"),
    ('"strategy.step" = {log = [1, 2, 3]}', "needs a key that takes numbers"),
    ('"graph.path" = ["a.csv"]', "cannot be swept"),
    ('"graph" = [1]', "cannot be swept"),
    ('"name" = ["a"]', "cannot be swept"),
    ('"strategies.a.n" = [1]', "no such strategy"),
    ('"tasks.feasible" = [0.5]', "in place of"),
    (
        '"graph.success" = {linear = [0.1, 0.9, 100000]}\n"graph.skills" = {linear = [1, 9000, 9000]}',
        "900,000,000 points",
    ),
    ('"graph.width" = [2]', "no effect with graph.kind = chain"),
    ('"engine.kind" = ["traces", "closedform"]', "one of traces"),
]
SWEEPS = [
    (CHAIN + "[swep.axes]\n", [], "did you mean sweep?"),
    (CHAIN + '[sweep]\n"graph.success" = [0.1]\n', [], "axes stand in [sweep.axes]"),
    (CHAIN + '[sweep]\nmatch = "flop"\naxes = {seed = [1]}\n', [], "did you mean flops?"),
    (CHAIN + '[sweep]\nmatch = "flops"\naxes = {seed = [1]}\n', [], "needs a cost model"),
    (CHAIN + '[sweep]\nzip = [["seed", "graph.success"]]\naxes = {seed = [1]}\n', [], "graph.success is no axis"),
    (
        CHAIN + '[sweep]\nzip = [["seed", "graph.skills"]]\naxes = {seed = [1], "graph.skills" = [1, 2]}\n',
        [],
        "seed has 1, graph.skills has 2",
    ),
    (AXIS, ["--set", "seed=4"], "--set seed=4: seed is an axis"),
    (AXIS, ["--out", "x.docx"], "the ending decides"),
    (AXIS, ["--store", "s", "--engine", "exact"], "use engine traces"),
    (CHAIN + "[tasks]\nskills = 1\nsuccess = 0.5\n[sweep.axes]\nseed = [1]\n", [], "stands beside"),
    (SEVERAL + '[sweep.axes]\n"strategy.n" = [1]\n', [], "name the strategy"),
]
TASKS = [
    ("skills = [1, 2]", "needs one of success"),
    ("skills = [1, 2]\nsuccess = [2.0]", "at most 1"),
    ("skills = [0]\nsuccess = [0.5]", "at least 1"),
    ("skills = [1, 2]\nsuccess = [0.5]\nweights = [1, 2]", "2 lists of 1"),
    ("skills = [1, 2]\nsuccess = [0.5]\nweights = [[1], [-2]]", "at least 0"),
    ("skills = [1, 2]\nsuccess = [0.5]\nzip = true", "go in pairs"),
    ("skills = [1]\ndifficulty = [2.0]", "add [model]"),
    ("skills = [1]\nsuccess = [0.5]\nfeasable = 1", "did you mean tasks.feasible?"),
    ("skills = [1]\ndifficulty = [2.0]\n[model]\nloss = 2\ntokens = 1e9", "keep one of them"),
    ("skills = [1]\ndifficulty = [2.0]\n[model]\ntokens = 1e9", "needs loss"),
    ("skills = [1]\nsuccess = [0.5]\n[model]\nloss = 2", "no effect"),
]
RUNS = [
    (LEVELS.replace('"tripartite"', '"tripartit"'), "choose loss or tripartite (did you mean tripartite?)"),
    (LEVELS.replace('kind = "tripartite"\n', ""), "use kind tripartite"),
    (LEVELS.replace("level = [60, 63]\n", "success = [0.5]\n"), "needs tasks.level in place of tasks.success"),
    (LEVELS.replace(MODEL, ""), "tasks.level needs the training side"),
    (LEVELS.replace("[60, 63]", "[60, 101]"), "tasks.level = 101: is above the 100 levels"),
    (LEVELS.replace("[60, 63]", "[63, 60]"), "the first not above the last"),
    (LEVELS.replace("[60, 63]", "[]"), "empty list"),
    (LEVELS.replace("[60, 63]", "[0, 3]"), "at least 1"),
    (LEVELS.replace("[60, 63]", "[1, 10000]").replace("[2, 4]", "[1, 8000]"), "at most 200,000"),
    (LEVELS.replace("[2, 4]\n", "[2, 4]\nfeasible = 0.5\n"), "tasks.feasible = 0.5 has no effect with level"),
    (LEVELS.replace("[2, 4]\n", "[2, 4]\nweights = [[1, 2, 3], [3, 4, 5]]\n"), "lists of"),
    (LEVELS.replace("3.35e25", "3.35e25\nparameters = 1e9"), "stands beside parameters"),
    (LEVELS.replace("training_flops = 3.35e25", "tokens = 1e9"), "needs parameters beside it"),
    (
        LEVELS.replace("training_flops = 3.35e25", "parameters = 1e9\ntokens = 1e9\ntokens_per_parameter = 3"),
        "no effect",
    ),
    (LEVELS.replace("3.35e25", "3.35e25\nlevels = 70\nskills_per_level = [1, 2]"), "one for each level"),
    (LEVELS.replace("3.35e25", "-1"), "must be above 0"),
    (LEVELS.replace("3.35e25", "1e6"), "train a larger model"),
    (LEVELS.replace("3.35e25", "3.35e25\nserch = 1"), "did you mean model.search?"),
    (LEVELS.replace("3.35e25", "3.35e25\nsearch = 2"), "model.search = 2: must be at most 1"),
    (LEVELS.replace("3.35e25", '3.35e25\nfinite_size = "exact"'), "model.finite_size = 'exact': choose"),
    (LEVELS.replace("3.35e25", "3.35e25\nround_steps = false"), "works with engine.kind = closed_form"),
    (LEVELS.replace("3.35e25", "3.35e25\nround_steps = 0"), "must be true or false"),
    (LEVELS + "[graph]\nskills = 2\nsuccess = 0.4\n", "stands beside [graph]"),
]
TRAININGS = [
    ("", "has no [model]"),
    ("model = 3\n", "must be a table"),
    ("[model]\nkind = 'loss'\n", "model.kind = 'loss': training needs"),
    ("[model]\ntraining_flop = 1e24\n", "did you mean model.training_flops?"),
    ("[model]\ntraining_flops = 'x'\n", "must be a number"),
    ("[model]\ntraining_flops = 1e24\nlevels = 0\n", "model.levels = 0: must be at least 1"),
    ("[model]\nskills_per_level = 'many'\n", "model.skills_per_level"),
    ("[model]\nskills_per_level = [1, 2]\n", "one for each level"),
    ("[model]\n[simulation]\ngraphs = 0\n", "simulation.graphs = 0: must be at least 1"),
    ("[model]\n[simulation]\ngraph = 3\n", "did you mean simulation.graphs?"),
    ("[model]\n[simulatoin]\n", "did you mean simulation?"),
    ("seed = -1\n[model]\n", "seed = -1: must be at least 0"),
    ("[model\n", "not valid TOML"),
]
ALLOCATIONS = [
    (["allocate.computee=1e20"], "did you mean allocate.compute?"),
    (["tasks.dificulty=[1]"], "did you mean tasks.difficulty?"),
    (["allocate.tokens_per_step=25"], "did you mean"),
    (["allocate.mode=globl"], "did you mean global?"),
    (["allocate.constants=epok"], "did you mean epoch"),
    (["allocate.compute=-1"], "must be above 0"),
    (["allocate.compute={log=[0, 1, 3]}"], "lo must be above 0"),
    (["allocate.mode=fixed_tokens"], "needs tokens_per_task"),
    (["allocate.tokens_per_task=50"], "has no effect with mode = global"),
    (["tasks.weights=[[1, 2]]"], "must be 6 lists of 2"),
    (["cost.prompt_tokens=10"], "has no effect without attention"),
    (["allocate.compute=1e3"], "pays for no model"),
    (["box.parameters=[10, 1]"], "in order"),
    (["model.b=0"], "model.steepness = 0: must be above 0"),
    (["tasks.L0=[1, 2]", "tasks.weights=[[1, 2]]"], "one row for each m"),
    (["tasks.skills={range=[5, 1]}"], "range must be"),
    (["box=3"], "must be a table"),
]
EXPORT = ["--format", "drn", "--out", "model"]
CASES = [
    ("export", SEVERAL, EXPORT, "x.toml: has 2 strategies: choose one with strategy = cot or tot"),
    *(("sweep", f"{CHAIN}[sweep.axes]\n{axis}\n", [], said) for axis, said in AXES),
    *(("sweep", text, options, said) for text, options, said in SWEEPS),
    *(("run", f"[tasks]\n{tasks}\n[budget]\nsteps = 5\n", [], said) for tasks, said in TASKS),
    *(("run", text, [], said) for text, said in RUNS),
    *(("train", text, [], said) for text, said in TRAININGS),
    *(("allocate", ALLOCATION, [part for s in sets for part in ("--set", s)], said) for sets, said in ALLOCATIONS),
]


@pytest.mark.parametrize(("command", "text", "options", "said"), CASES, ids=[said for *_, said in CASES])
def test_a_config(here, cli, command, text, options, said):
    here(text)
    assert said in cli.refuses(command, "x.toml", *options)
