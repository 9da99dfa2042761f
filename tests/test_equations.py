"""Every equation that a docstring cites by number is on the page that it names."""

import ast
import re

import pytest
from house import ROOT, modules

PAGES = {
    name: set(re.findall(r"\\tag\{([^}]+)\}", (ROOT / "docs" / name).read_text(encoding="utf-8")))
    for name in ("theory.md", "training.md")
}
CITED = re.compile(r"(?<![\w.)\]])\((\d{1,2}(?:\.\d[a-z]?)?)\)")
"""A number in brackets of its own: "(3.1)", but not "f(3)"."""
AFTER_PAGE = re.compile(r"docs/(theory|training)\.md((?:[\s,;:]|and|to|-|\(\d{1,2}(?:\.\d[a-z]?)?\))+)")


def missing(text: str) -> list[str]:
    """What a docstring cites and no page has, or not the page that it names."""
    found = [number for number in CITED.findall(text) if not any(number in tags for tags in PAGES.values())]
    for page, numbers in AFTER_PAGE.findall(text):
        found += [f"{page}.md: {n}" for n in CITED.findall(numbers) if n not in PAGES[f"{page}.md"]]
    return found


def docstrings(tree: ast.Module):
    """Docstrings of a module, its classes and functions, and the texts below its constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def test_cited_equations_exist():
    cited = [(module.name, text) for module in modules() for text in docstrings(module.tree)]
    assert sum(len(CITED.findall(text)) for _, text in cited) > 150
    wrong = [f"{name}: ({', '.join(numbers)})" for name, text in cited if (numbers := missing(text))]
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("success, docs/theory.md (1) and (3.2a); f(99), x[1](98)", []),
        ("(97)", ["97"]),
        ("docs/training.md (19)-(23)", []),
        ("docs/theory.md (1), (19)", ["theory.md: 19"]),
        ("docs/theory.md (3.9)", ["3.9", "theory.md: 3.9"]),
    ],
)
def test_the_check_itself(text, wrong):
    assert missing(text) == wrong


def test_no_equation_is_defined_twice():
    for name in PAGES:
        tags = re.findall(r"\\tag\{([^}]+)\}", (ROOT / "docs" / name).read_text(encoding="utf-8"))
        assert len(tags) == len(set(tags))
    assert not PAGES["theory.md"] & PAGES["training.md"]
