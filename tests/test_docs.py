"""The docs are what the code says: examples of every public name run, and the generated pages are current."""

import doctest
import importlib.util
import re
from importlib import metadata

import numpy as np
import pytest
from house import ROOT

import ds3sim

PUBLIC = [name for name in ds3sim.__all__ if name != "__version__"]
spec = importlib.util.spec_from_file_location("api_reference", ROOT / "scripts" / "api_reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_run(name, tmp_path, monkeypatch):
    """Each public name has an example in its docstring; it and those of its methods give what they say."""
    monkeypatch.chdir(tmp_path)
    value = getattr(ds3sim, name)
    found = doctest.DocTestFinder().find(value, name, module=False, globs={"ds": ds3sim, "np": np})
    assert found[0].examples, f"{reference.home(name)}.{name} has no example (>>> ...)"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for test in found:
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


def test_each_public_name_is_on_one_page():
    assert sorted(name for page in reference.PAGES for name in reference.names_of(page)) == sorted(PUBLIC)


def test_the_reference_is_current():
    written = {path.name: path.read_text(encoding="utf-8") for path in reference.FOLDER.glob("*.md")}
    assert written == reference.pages(), "run scripts/api_reference.py"


@pytest.mark.skipif(
    tuple(map(int, metadata.version("pydantic").split(".")[:2])) < (2, 12),
    reason="this pydantic words schemas otherwise",
)
def test_the_config_reference_is_current():
    assert (ROOT / "README.md").read_text(encoding="utf-8") == reference.readme(), "run scripts/api_reference.py"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    links = re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
