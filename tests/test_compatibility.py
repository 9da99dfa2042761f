"""The declared floors, and the page that says with which versions the suite was run."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ds3sim as ds
from ds3sim.config.read import config_of
from ds3sim.config.tables import CostTable

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "compatibility"), run_name="compatibility")


def test_every_dependency_has_a_floor():
    floors = [Requirement(line) for line in SCRIPT["floors"]()]
    assert {"jax", "numpy", "pydantic", "pandas", "stormpy"} <= {floor.name for floor in floors}
    assert all([spec.operator for spec in floor.specifier] == ["=="] and not floor.extras for floor in floors)


def test_the_page_says_that_the_floors_were_installed():
    floors = {floor.name: next(iter(floor.specifier)).version for floor in map(Requirement, SCRIPT["floors"]())}
    (row,) = [line for line in (ROOT / "docs" / "compatibility.md").read_text().splitlines() if "| floors |" in line]
    for name in SCRIPT["SHOWN"]:
        assert re.search(rf"\b{name} {re.escape(floors[name])}(\.0)*\b", row), f"{name} {floors[name]}"


def test_rows_replace_those_of_the_same_environment(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{SCRIPT['BEGIN']}\n| a |\n|---|\n{SCRIPT['END']}\nafter\n")
    monkeypatch.setitem(SCRIPT["write"].__globals__, "PAGE", page)
    for result in ("1 failed", "9 passed"):
        SCRIPT["write"]([["3.12.1", "newest", "jax 1", "-m not slow", result, "today"]])
        SCRIPT["write"]([["3.11.7", "floors", "jax 0", "all", "3 passed", "today"]])
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "1 failed" not in text
    assert [line[:10] for line in text.splitlines() if line.startswith("| 3")] == ["| 3.11.7 |", "| 3.12.1 |"]


@pytest.mark.parametrize("key", ["layers", "attention_width"])
def test_the_bound_of_a_whole_number_is_one(key):
    """pydantic before 2.12 refuses a float in its place, and no command would start."""
    (bound,) = [found.le for found in CostTable.model_fields[key].metadata if hasattr(found, "le")]
    assert type(bound) is int
    tables = {"graph": {"skills": 2, "success": 0.5}, "budget": {"steps": 5}, "cost": {key: 1e61}}
    with pytest.raises(ds.InputError, match=rf"cost\.{key} = 1e\+61: must be at most 1e\+60"):
        config_of(tables)
