"""An import does nothing but define names: no flag is changed, no array is made, nothing heavy is loaded."""

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
            "hidden": [n for n in ds3sim.__all__ if type(getattr(ds3sim, n)).__name__ == "module"],
        }))
        """
    )
    assert found["settings"] > 10
    assert found["modules"] > 20
    assert found["changed"] == []
    assert found["arrays"] == 0
    assert found["environment"] and found["warnings"]
    assert found["hidden"] == [], "a submodule took the place of a public function"


JAX, FIGURES, TABLES = ("jax",), ("matplotlib", "networkx"), ("pandas", "xarray", "pyarrow", "h5netcdf")
BARE = (*JAX, *FIGURES, "numpy", "scipy", "pydantic", "rich", "jinja2")
LOGS = ("pandas", "pyarrow", "yaml", "backports", "inspect_ai", "lm_eval")
HELP = "import io, contextlib; from ds3sim.cli.main import main; contextlib.redirect_stdout(io.StringIO()).__enter__()"


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import ds3sim; dir(ds3sim)", BARE),
        ("import ds3sim; ds3sim.SkillGraph.chain(3, 0.5).transition_tensor()", (*JAX, *FIGURES)),
        ("import ds3sim.results.result, ds3sim.store.store, ds3sim.store.collect, ds3sim.cli.console", (*JAX, *TABLES)),
        ("import ds3sim.fit.logs.read", LOGS),
        (f"{HELP}; main(['--help'])", BARE),
        (f"{HELP}; main(['run', '--help'])", (*JAX, *FIGURES, "scipy", "pandas")),
        (f"{HELP}; main(['validate', '--help'])", (*JAX, *FIGURES, "scipy", "pandas")),
    ],
)
def test_heavy_packages_wait_until_they_are_needed(code, heavy):
    say = f"import json, sys; print(json.dumps([m for m in {heavy!r} if m in sys.modules]), file=sys.__stdout__)"
    assert fresh(f"{code}\n{say}") == []


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
