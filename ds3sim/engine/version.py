"""Which code made a tally."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np

from ds3sim.core import rng
from ds3sim.core.runtime import version


@functools.cache
def engine_version(engine: str) -> str:
    """What a store keeps with the counts of an engine: release, random stream, and a digest of the engine's code.

    Releases of one stream give the same tallies; the digest tells code apart that was changed in between. The
    population engine draws NumPy's binomials, whose stream may change with NumPy.
    """
    folder = Path(__file__).parent
    own = [folder / f"{name}.py" for name in ("population", "groups", "splits")]
    files = [Path(rng.__file__), *own, *sorted((folder / "traces").glob("*.py"))]
    code = hashlib.sha256()
    for file in files:
        code.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    numpy = f", numpy {np.__version__}" if engine == "population" else ""
    return f"ds3sim {version()}, stream {rng.STREAM}, code {code.hexdigest()[:8]}{numpy}"
