"""Settings of the whole run, made before JAX is imported: compiled kernels are kept and shared by all processes."""

import os
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".pytest_cache" / "kernels"
"""Kernels of this run and of earlier ones; may be deleted at any time."""

os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("DS3SIM_CACHE", str(CACHE))  # the command line, in a process of its own
