"""The layers: imports point one way, modules stay short, heavy packages are imported where they are used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "ds3sim"
LAYERS = (
    "core",
    "stats",
    "theory",
    "graph",
    "task",
    "engine",
    "training",
    "fit",
    "allocate",
    "config",
    "results",
    "store",
    "study",
    "validate",
    "report",
    "reproduce",
    "cli",
)
LAZY = (
    "matplotlib",
    "networkx",
    "jinja2",
    "rich",
    "pandas",
    "pyarrow",
    "xarray",
    "h5netcdf",
    "zarr",
    "tomli_w",
    "numba",
    "stormpy",
)
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE)


def imported(tree: ast.AST, package: tuple[str, ...]):
    """Absolute names of all modules that a syntax tree imports, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            name = ".".join(part for part in (base, node.module) if part)
            yield name, node.lineno
            if name == "ds3sim":
                yield from ((f"ds3sim.{alias.name}", node.lineno) for alias in node.names)


def allowed(layer: str) -> tuple[str, ...]:
    """The layers that a layer may import from."""
    return LAYERS[: LAYERS.index(layer) + 1]


def check(layer: str, source: str, package: tuple[str, ...]) -> list[str]:
    """What is wrong with the imports of a module."""
    wrong = []
    for name, line in imported(ast.parse(source), package):
        parts = name.split(".")
        if layer == "cli" and name == "ds3sim":  # the public names
            continue
        if parts[0] == "ds3sim" and (len(parts) < 2 or parts[1] not in allowed(layer)):
            wrong.append(f"line {line}: {layer} imports {name}")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_to_lower_layers(path):
    layer = path.relative_to(PACKAGE).parts[0]
    assert layer in LAYERS, f"{layer} is no layer: add it to the test and to CONTRIBUTING.md"
    package = ("ds3sim", *path.relative_to(PACKAGE).parts[:-1])
    assert check(layer, path.read_text(encoding="utf-8"), package) == []


@pytest.mark.parametrize(
    ("layer", "source", "good"),
    [
        ("core", "from ds3sim.graph.graph import SkillGraph", False),
        ("graph", "from ds3sim.core.errors import InputError", True),
        ("task", "def f():\n    import ds3sim.engine.traces.walk", False),
        ("engine", "from ..study import run", False),
        ("study", "from ds3sim.engine.simulate import simulate", True),
        ("report", "from ds3sim.cli.main import main", False),
        ("stats", "from ds3sim.graph import graph", False),
        ("theory", "from ds3sim.core import errors", True),
        ("task", "from ds3sim import simulate", False),
        ("core", "from ds3sim.stats import intervals", False),
        ("cli", "from ds3sim.theory import chain", True),
        ("cli", "import ds3sim as ds", True),
        ("study", "import ds3sim", False),
    ],
)
def test_the_check_itself(layer, source, good):
    assert (check(layer, source, ("ds3sim", layer)) == []) is good


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_inside_functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name.split(".")[0] for node in top for name, _ in imported(node, ("ds3sim",))}
    assert not names & set(LAZY)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{path.name} has {lines} lines: split it"
