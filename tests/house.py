"""The package as syntax trees: what its modules import, define and use. tests/test_house.py holds the rules."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ds3sim"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}


@dataclass(frozen=True, eq=False)
class Module:
    """One file: its dotted name and its syntax tree."""

    name: str
    tree: ast.Module
    lines: int

    @property
    def folder(self) -> str:
        """The folder of ds3sim that the module lies in; empty for ds3sim itself."""
        parts = self.name.split(".")
        return parts[1] if parts[0] == "ds3sim" and len(parts) > 2 else ""

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(ast.walk(self.tree))

    def imports(self, tree: ast.AST | None = None) -> Iterator[tuple[str, str, int]]:
        """(module, name, line) of every import, anywhere in the file; name is empty for ``import module``."""
        package = self.name.split(".")[:-1]
        for node in ast.walk(tree) if tree else self.nodes:
            if isinstance(node, ast.Import):
                yield from ((alias.name, "", node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                source = ".".join([*base, *([node.module] if node.module else [])])
                yield from ((source, alias.name, node.lineno) for alias in node.names)

    def functions(self) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        """(name with its class or outer function, node) of every function."""

        def inside(node: ast.AST, prefix: str):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, FUNCTIONS):
                    yield prefix + child.name, child
                if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                    yield from inside(child, f"{prefix}{child.name}.")
                else:
                    yield from inside(child, prefix)

        yield from inside(self.tree, "")

    def foreign_underscores(self) -> Iterator[tuple[str, int]]:
        """Underscore names that the file uses and does not define, by import or as an attribute."""
        own = {node.name for node in self.nodes if isinstance(node, (*FUNCTIONS, ast.ClassDef))}
        for node in self.nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                own.add(node.attr)
            elif isinstance(node, ast.Call):  # object.__setattr__(self, "_name", value) of a frozen dataclass
                own |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)}
        for source, name, line in self.imports():
            if source.split(".")[0] not in sys.stdlib_module_names and any(
                private(part) for part in (*source.split("."), name)
            ):
                yield f"{source}.{name}", line
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own | NAMED_TUPLE:
                yield ast.unparse(node), node.lineno


def private(name: str) -> bool:
    """Whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


def parsed(name: str, source: str) -> Module:
    """A module from its text."""
    return Module(name, ast.parse(source), len(source.splitlines()))


@cache
def modules(folder: str = "ds3sim") -> tuple[Module, ...]:
    """Every module below a folder of the repository."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts)  # a folder's own file keeps its last part, __init__
        found.append(parsed(name, path.read_text(encoding="utf-8")))
    return tuple(found)


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one node, and nodes with an edge to themselves."""
    reach: dict[str, set[str]] = {}
    for node in edges:
        seen: set[str] = set()
        todo = list(edges[node])
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo.extend(edges.get(at, ()))
        reach[node] = seen
    found = {tuple(sorted(o for o in reach[n] if n in reach.get(o, ()))) for n in edges if n in reach[n]}
    return [list(circle) for circle in sorted(found)]
