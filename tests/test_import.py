"""An import does nothing but define names: no flag is changed, no array is made, nothing heavy is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

import ds3sim


def fresh(code: str) -> dict:
    """Run code in a new interpreter; it prints one JSON value last."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_import_changes_no_jax_setting_and_makes_no_array():
    found = fresh(
        """
        import json, os, pkgutil, warnings
        import jax
        before, environment = {k: repr(v) for k, v in jax.config.values.items()}, dict(os.environ)
        filters = list(warnings.filters)
        import ds3sim
        for name in ds3sim.__all__:
            getattr(ds3sim, name)
        names = [m.name for m in pkgutil.walk_packages(ds3sim.__path__, "ds3sim.") if not m.name.endswith("__main__")]
        for name in names:
            __import__(name)
        after = {k: repr(v) for k, v in jax.config.values.items()}
        print(json.dumps({
            "settings": len(before),
            "modules": len(names),
            "changed": [k for k in after if after[k] != before.get(k)],
            "arrays": len(jax.live_arrays()),
            "environment": dict(os.environ) == environment,
            "warnings": list(warnings.filters)[-len(filters):] == filters,
        }))
        """
    )
    assert found["settings"] > 10
    assert found["modules"] > 20
    assert found["changed"] == []
    assert found["arrays"] == 0
    assert found["environment"] and found["warnings"]


def test_import_is_light():
    found = fresh(
        """
        import json, sys
        import ds3sim
        dir(ds3sim)
        heavy = ("jax", "numpy", "scipy", "matplotlib", "networkx", "pydantic", "rich", "jinja2")
        print(json.dumps({"loaded": [m for m in heavy if m in sys.modules]}))
        """
    )
    assert found["loaded"] == []


def test_the_model_layer_needs_no_jax():
    found = fresh(
        """
        import json, sys
        import ds3sim
        graph = ds3sim.SkillGraph.chain(3, 0.5)
        graph.transition_tensor()
        print(json.dumps({"loaded": [m for m in ("jax", "matplotlib", "networkx") if m in sys.modules]}))
        """
    )
    assert found["loaded"] == []


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["validate", "--help"]])
def test_help_needs_no_heavy_package(arguments):
    found = fresh(
        f"""
        import contextlib, io, json, sys
        from ds3sim.cli.main import main
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                code = main({arguments!r})
            except SystemExit as stop:
                code = stop.code or 0
        heavy = ("jax", "scipy", "matplotlib", "networkx", "pandas")
        print(json.dumps({{
            "code": code, "usage": "usage" in out.getvalue(), "loaded": [m for m in heavy if m in sys.modules]
        }}))
        """
    )
    assert found == {"code": 0, "usage": True, "loaded": []}


def test_public_names_stay_what_they_are():
    """A submodule of the same name must not take the place of a public function once it was imported."""
    found = fresh(
        """
        import json, pkgutil
        import ds3sim
        for m in pkgutil.walk_packages(ds3sim.__path__, "ds3sim."):
            if not m.name.endswith("__main__"):
                __import__(m.name)
        kinds = {name: type(getattr(ds3sim, name)).__name__ for name in ds3sim.__all__}
        print(json.dumps([name for name, kind in kinds.items() if kind == "module"]))
        """
    )
    assert found == []


def test_public_names_are_there():
    assert set(ds3sim.__all__) <= set(dir(ds3sim))
    for name in ds3sim.__all__:
        value = getattr(ds3sim, name)
        assert value is getattr(ds3sim, name)
        if name != "__version__":
            assert value.__doc__
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = ds3sim.nothing_like_it


def test_version():
    assert isinstance(ds3sim.__version__, str)
    assert ds3sim.__version__[0].isdigit()
