"""Settings of the whole run, made before ds3sim and JAX are imported.

Compiled kernels are kept and shared by all processes. In the rooms that compute, every call is held to the types and
shapes of its signature; what records and commands are given, they check themselves, and the tests of that give wrong
types on purpose.
"""

import os
from pathlib import Path

from jaxtyping import install_import_hook

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".pytest_cache" / "kernels"
"""Kernels of this run and of earlier ones; may be deleted at any time."""
TYPED = ("core/rng.py", "theory/*.py", "stats/*.py", "training/*.py", "engine/traces/*.py", "engine/e*.py")
LEFT_OUT = {"ds3sim.theory.cost", "ds3sim.stats.intervals", "ds3sim.engine.evaluate", "ds3sim.engine.exact"}

os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("DS3SIM_CACHE", str(CACHE))  # the command line, in a process of its own

FOUND = [path.relative_to(ROOT).with_suffix("") for rooms in TYPED for path in (ROOT / "ds3sim").glob(rooms)]
MODULES = {".".join(path.parts) for path in FOUND if path.name != "__init__"} - LEFT_OUT
install_import_hook(sorted(MODULES), "typed.typed")
