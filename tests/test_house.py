"""The house of docs/architecture.md: imports point one way, files stay short, names stay where they belong."""

import argparse
import ast
import re
import tomllib
from importlib import metadata

import pytest
from house import ROOT, Module, circles, modules, parsed, private

import ds3sim

ORDER = (
    "core stats theory graph task engine training fit allocate config results store study validate report reproduce cli"
)
LAYERS = tuple(ORDER.split())
HEAVY = "matplotlib networkx jinja2 rich pandas pyarrow xarray h5netcdf zarr math_verify sympy tomli_w numba stormpy"
LAZY = {*HEAVY.split(), "distributed", "dask", "ray", "executorlib"}
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
FUNCTION_OF = {"fit pass-at-n": "fit_pass_at_n", "fit votes": "fit_votes", "export": "export_chain"}
"""Commands whose function has another name; all others are called as their function."""

MODULES = modules()
TESTS = modules("tests")
INSIDE = [module for module in MODULES if module.folder]


def only(found: dict[str, list[str]]) -> None:
    """Fail with what was found, module by module."""
    lines = [f"{module}: {line}" for module, wrong in found.items() for line in wrong]
    assert not lines, "\n".join(["", *lines])


# ---- imports --------------------------------------------------------------------------------------


def upward(module: Module) -> list[str]:
    """Imports from a layer above, or from ds3sim itself; the command line may import ds3sim."""
    below = LAYERS[: LAYERS.index(module.folder) + 1]
    wrong = []
    for source, name, line in module.imports():
        parts = [*source.split("."), name]
        if parts[0] == "ds3sim" and parts[1] not in below and not (module.folder == "cli" and source == "ds3sim"):
            wrong.append(f"line {line}: {module.folder} imports {source} {name}")
    return wrong


def test_imports_point_to_lower_layers():
    assert {module.folder for module in INSIDE} == set(LAYERS), "name it here and in docs/architecture.md"
    only({module.name: upward(module) for module in INSIDE})


def test_no_module_imports_itself_by_a_detour():
    """Every import counts: at the top, inside a function, for type checkers."""
    names = {module.name for module in INSIDE}
    edges = {
        module.name: {
            target
            for source, name, _ in module.imports()
            for target in (source, f"{source}.{name}", f"{source}.__init__")
            if target in names and target != module.name
        }
        for module in INSIDE
    }
    assert sum(map(len, edges.values())) > 200
    only({circle[0]: [f"in a circle with {', '.join(circle[1:])}"] for circle in circles(edges)})


def test_the_check_of_circles():
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_heavy_packages_are_imported_inside_functions():
    found = {}
    for module in MODULES:
        top = [node for node in module.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {source.split(".")[0] for node in top for source, _, _ in module.imports(node)}
        native = {source for node in top for source, _, _ in module.imports(node) if ".native_" in source}
        if ".native_" in module.name:  # imported where there is numba
            names, native = names - {"numba"}, set()
        found[module.name] = sorted(names & LAZY | native)
    only(found)


def test_underscore_names_stay_in_their_file():
    everywhere = [*MODULES, *modules("benchmarks")]
    only({m.name: [f"line {line}: {name}" for name, line in m.foreign_underscores()] for m in everywhere})


# ---- sizes and annotations ------------------------------------------------------------------------


def test_modules_are_short():
    only({m.name: [f"{m.lines} lines: split it"] for m in (*MODULES, *TESTS) if m.lines > LONGEST_MODULE})


def test_functions_are_short():
    found = {}
    for module in MODULES:
        lines = {name: node.end_lineno - node.lineno + 1 for name, node in module.functions()}
        found[module.name] = [f"{name} has {count} lines" for name, count in lines.items() if count > LONGEST_FUNCTION]
    only(found)


def unannotated(module: Module) -> list[str]:
    """Public functions and methods that lack the type of an argument or of what they return."""
    wrong, functions = [], dict(module.functions())
    for name, node in functions.items():
        outer, _, own = name.rpartition(".")
        if any(private(part) for part in name.split(".")) or outer in functions:
            continue
        args = [*node.args.posonlyargs, *node.args.args]
        args = args[1:] if outer and not any(ast.unparse(d) == "staticmethod" for d in node.decorator_list) else args
        args += [*node.args.kwonlyargs, *filter(None, [node.args.vararg, node.args.kwarg])]
        missing = [arg.arg for arg in args if arg.annotation is None]
        if node.returns is None and own != "__init__":
            missing.append("return")
        if missing:
            wrong.append(f"line {node.lineno}: {name}: {', '.join(missing)}")
    return wrong


def test_public_functions_are_annotated():
    only({module.name: unannotated(module) for module in MODULES})


def test_public_names_are_checked_strictly():
    """By pyright: its strict list has every module that defines a public name, and only files that exist."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    strict = set(tomllib.loads(text)["tool"]["pyright"]["strict"])
    public = [getattr(ds3sim, name) for name in ds3sim.__all__ if name != "__version__"]
    homes = {f"{value.__module__.replace('.', '/')}.py" for value in public}
    assert len(homes) > 30
    assert homes - strict == set(), "add it to strict in pyproject.toml"
    assert [path for path in sorted(strict) if not (ROOT / path).is_file()] == []


# ---- tests ----------------------------------------------------------------------------------------


def vague(module: Module) -> list[str]:
    """Tests that assert nothing, and expected InputErrors of which any would do."""
    wrong = []
    for node in module.nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises" and node.args:
            error = ast.unparse(node.args[0]).rpartition(".")[2]
            if error == "InputError" and not any(keyword.arg == "match" for keyword in node.keywords):
                wrong.append(f"line {node.lineno}: pytest.raises(InputError) without match")
    for name, node in module.functions():
        if name.rpartition(".")[2].startswith("test_"):
            calls = [ast.unparse(inner.func) for inner in ast.walk(node) if isinstance(inner, ast.Call)]
            said = any(word in call for call in calls for word in ("assert_", "raises", "refuses", "check_", "only"))
            if not said and not any(isinstance(inner, ast.Assert) for inner in ast.walk(node)):
                wrong.append(f"line {node.lineno}: {name} asserts nothing")
    return wrong


def test_tests_can_fail():
    only({module.name: vague(module) for module in TESTS})


# ---- the command line -----------------------------------------------------------------------------


def private_to_the_package(module: Module) -> list[str]:
    """What a module of the command line takes from ds3sim, beside types, that is neither public nor of cli or core."""
    wrong, known = [], {*ds3sim.__all__, "cli", "core"}
    plain = [alias for node in module.nodes if isinstance(node, ast.Import) for alias in node.names]
    aliases = {alias.asname or alias.name for alias in plain if alias.name == "ds3sim"}
    for source, name, line in module.imports():
        parts = [*source.split("."), name]
        if (
            parts[0] == "ds3sim"
            and parts[1]
            and (parts[1] not in known or (len(parts) > 2 and parts[1] not in ("cli", "core")))
        ):
            wrong.append(f"line {line}: {source} {name}")
    for node in module.nodes:
        of_ds3sim = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases
        if of_ds3sim and node.attr not in known:
            wrong.append(f"line {node.lineno}: ds3sim.{node.attr}")
    return wrong


def test_the_command_line_uses_public_names_only():
    only({module.name: private_to_the_package(module) for module in MODULES if module.folder == "cli"})


def commands(parser: argparse.ArgumentParser, prefix: str = "") -> list[str]:
    """Every command that ``--help`` lists, subcommands of commands with their full name."""
    found = []
    for action in parser._subparsers._group_actions if parser._subparsers else ():
        for name, inner in action.choices.items():
            found += commands(inner, f"{prefix}{name} ") or [prefix + name]
    return found


def test_each_command_is_a_public_function():
    from ds3sim.cli import main

    names = commands(main.build_parser())
    assert {"run", "sweep", "fit votes", "schema"} <= set(names)
    wanted = {FUNCTION_OF.get(name, name.replace("-", "_")) for name in names}
    assert wanted - set(ds3sim.__all__) == set()
    for name in wanted:
        assert callable(getattr(ds3sim, name))


# ---- dependencies ---------------------------------------------------------------------------------

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULE_OF = {"pyyaml": "yaml", "tomli-w": "tomli_w", "backports.zstd": "backports.zstd", "pytest-xdist": "xdist"}
MODULE_OF |= {"math-verify": "math_verify", "pandas-stubs": "pandas"}
TOOLS = {"ruff": "ruff", "pyright": "pyright", "pytest-xdist": "--numprocesses"}
"""Distributions that are run and not imported, with the word that a script or page runs them by."""


def distributions(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", text)[0].lower() for text in requirements} - {"ds3sim"}


def used_by(folders: tuple[str, ...]) -> set[str]:
    """Every module that the files of the folders import, with its parents; also by name, as plug-ins are."""
    found: set[str] = set()
    for module in (module for folder in folders for module in modules(folder)):
        for source, name, _ in module.imports():
            found |= {source, f"{source}.{name}", source.split(".")[0]}
        for node in module.nodes:
            if isinstance(node, ast.keyword) and node.arg == "engine" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))  # xarray's engine="h5netcdf"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if node.func.attr in ("importorskip", "import_module") and isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found


@pytest.mark.parametrize(
    ("extra", "folders"),
    [
        (None, ("ds3sim",)),
        ("test", ("tests", "benchmarks")),
        ("bench", ("benchmarks",)),
        *((extra, ("ds3sim", "tests")) for extra in ("zarr", "math", "fast", "dask", "ray", "slurm")),
    ],
)
def test_each_declared_dependency_is_used(extra, folders):
    declared = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "scripts" / "test", ROOT / "CONTRIBUTING.md")]
    used = used_by(folders)
    idle = [
        name
        for name in distributions(declared)
        if MODULE_OF.get(name, name) not in used and not (name in TOOLS and any(TOOLS[name] in t for t in texts))
    ]
    assert idle == [], "drop it from pyproject.toml, or use it"


def test_each_import_is_declared():
    from sys import stdlib_module_names

    extras = PROJECT["optional-dependencies"]
    names = [name for extra in ("zarr", "math", "fast", "dask", "ray", "slurm") for name in extras[extra]]
    declared = distributions([*PROJECT["dependencies"], *names])
    known = {MODULE_OF.get(name, name).split(".")[0] for name in declared}
    used = {source.split(".")[0] for module in MODULES for source, _, _ in module.imports()}
    # Parts of pydantic, of Python 3.14, of annotations and of math-verify.
    ours = {"ds3sim", "pydantic_core", "compression", "jaxtyping", "sympy"}
    assert used - stdlib_module_names - known - ours == set()


def test_pins_cover_what_is_declared():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in text.splitlines() if "==" in line}
    extras = PROJECT["optional-dependencies"]
    declared = distributions([*PROJECT["dependencies"], *extras["test"], *extras["bench"]])
    assert {name.replace("_", "-") for name in declared} <= pinned
    assert metadata.version("ds3sim") == PROJECT["version"]


@pytest.mark.parametrize(
    ("check", "layer", "source", "count"),
    [
        (upward, "core", "from ds3sim.graph.graph import SkillGraph", 1),
        (upward, "graph", "from ds3sim.core.errors import InputError", 0),
        (upward, "task", "def f():\n    import ds3sim.engine.traces.walk", 1),
        (upward, "engine", "from ..study import run", 1),
        (upward, "study", "from ds3sim.engine.simulate import simulate", 0),
        (upward, "report", "if TYPE_CHECKING:\n    from ds3sim.cli.main import main", 1),
        (upward, "stats", "from ds3sim.graph import graph", 1),
        (upward, "theory", "from ds3sim.core import errors", 0),
        (upward, "task", "from ds3sim import simulate", 1),
        (upward, "core", "from ds3sim.stats import intervals", 1),
        (upward, "cli", "import ds3sim as ds", 0),
        (Module.foreign_underscores, "core", "from ds3sim.theory.gamma import _stirling", 1),
        (Module.foreign_underscores, "core", "from ds3sim.theory import gamma\ngamma._stirling(1)", 1),
        (Module.foreign_underscores, "core", "import jax\njax._src.core.Tracer", 1),
        (Module.foreign_underscores, "core", "from jax._src import core", 1),
        (Module.foreign_underscores, "core", "def _own(): pass\n_own()", 0),
        (
            Module.foreign_underscores,
            "core",
            "class A:\n    def f(self, other):\n        self._x = 1\n        return other._x",
            0,
        ),
        (Module.foreign_underscores, "core", "def f(record): return record._data", 1),
        (Module.foreign_underscores, "core", "def f(pair): return pair._replace(x=1), pair.__class__", 0),
        (unannotated, "core", "def f(x: int, *a: int, y: int = 1, **k: int) -> int: ...", 0),
        (unannotated, "core", "def f(x): ...", 1),
        (unannotated, "core", "def f(*a) -> int: ...", 1),
        (unannotated, "core", "def _f(x): ...", 0),
        (unannotated, "core", "class A:\n    def f(self, x: int) -> int:\n        def g(y): ...", 0),
        (unannotated, "core", "class A:\n    @staticmethod\n    def f(x) -> int: ...", 1),
        (private_to_the_package, "cli", "import ds3sim as ds\nds.simulate(ds.Task)", 0),
        (private_to_the_package, "cli", "import ds3sim as ds\nds.engine", 1),
        (private_to_the_package, "cli", "from ds3sim import simulate, graph", 1),
        (private_to_the_package, "cli", "from ds3sim.core.errors import InputError\nfrom ds3sim.cli import main", 0),
        (private_to_the_package, "cli", "def f():\n    from ds3sim.engine.simulate import simulate", 1),
        (vague, "core", "def test_f():\n    with pytest.raises(InputError, match='x = 1'):\n        f()", 0),
        (vague, "core", "def test_f():\n    with pytest.raises(InputError):\n        f()", 1),
        (vague, "core", "def test_f():\n    with pytest.raises(ds.InputError) as caught:\n        f()", 1),
        (vague, "core", "def test_f():\n    f()", 1),
        (vague, "core", "def test_f():\n    np.testing.assert_allclose(f(), 1)", 0),
        (vague, "core", "class TestF:\n    def test_f(self):\n        assert f()", 0),
    ],
)
def test_the_checks_find_what_is_wrong(check, layer, source, count):
    assert len(list(check(parsed(f"ds3sim.{layer}.here", source)))) == count
