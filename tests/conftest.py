"""Settings of the whole run, made before ds3sim and JAX are imported.

Compiled kernels are kept and shared by all processes. In the rooms that compute, every call is held to the types and
shapes of its signature; what records and commands are given, they check themselves, and the tests of that give wrong
types on purpose.
"""

import json
import os
from pathlib import Path

import pytest
from beartype.claw import beartype_packages
from jaxtyping import install_import_hook
from typed import CONF

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".pytest_cache" / "kernels"
"""Kernels of this run and of earlier ones; may be deleted at any time."""
TYPED = ("core/rng.py", "theory/*.py", "stats/*.py", "training/*.py", "engine/traces/*.py", "engine/e*.py")
SLOW = ('arrays.Array, "', "TYPE_CHECKING", "NamedTuple")
"""What a module has whose signatures name dimensions, or types that only type checkers see: these need jaxtyping, which
takes longer at every call than beartype alone."""
LEFT_OUT = {"ds3sim.theory.cost", "ds3sim.stats.intervals", "ds3sim.engine.exact"}

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process has a core; threads on small matrices only wait
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("DS3SIM_CACHE", str(CACHE))  # the command line, in a process of its own

FOUND = [path for rooms in TYPED for path in (ROOT / "ds3sim").glob(rooms) if path.name != "__init__.py"]
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(FOUND)}
SHAPED = {name for name, path in MODULES.items() if any(word in path.read_text(encoding="utf-8") for word in SLOW)}
install_import_hook(sorted(SHAPED - LEFT_OUT), "typed.typed")
beartype_packages(sorted(MODULES.keys() - LEFT_OUT - SHAPED), conf=CONF)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names of tests hold no bytes of a file, which may differ in every process (gzip writes the time)."""
    return argname if isinstance(val, bytes) else None


class CommandLine:
    """Command lines run in this process, in the working folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str]):
        self.capsys = capsys
        self.err = ""
        """What the last one wrote to stderr."""

    def __call__(self, *argv: object, code: int = 0) -> str:
        """Stdout of a command line, which has to end with ``code``."""
        from ds3sim.cli.main import main

        found = main([str(arg) for arg in argv])
        out, self.err = self.capsys.readouterr()
        assert found == code, self.err
        return out

    def json(self, *argv: object) -> dict:
        """What it prints with ``--json``, with nothing on stderr."""
        out = self(*argv, "--json")
        assert self.err == ""
        return json.loads(out)

    def refuses(self, *argv: object) -> str:
        """The one line on stderr of a command line with a mistake: no output, code 2."""
        assert self(*argv, code=2) == ""
        *notes, error = self.err.splitlines()
        assert error.startswith("error: ") and all(note.startswith("note: ") for note in notes), self.err
        return self.err


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine makes no command tell how long it still takes, lest stderr depend on it."""
    monkeypatch.setattr("ds3sim.cli.progress.UNSEEN_S", 1e9)


@pytest.fixture
def cli(capsys) -> CommandLine:
    return CommandLine(capsys)
