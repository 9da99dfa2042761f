"""Options of commands, as tables from which the parser is made; nothing heavy is imported for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Option = tuple[str, Mapping[str, Any]]
"""Its name, and what ``add_argument`` takes."""


def option(name: str, metavar: str | None, about: str, **more: Any) -> Option:
    """An option or an argument; without a metavar it is a switch."""
    return name, {"help": about, **({"metavar": metavar} if metavar else {"action": "store_true"}), **more}


def config(about: str = "TOML file", **more: Any) -> tuple[Option, Option]:
    """``CONFIG`` and ``--set``."""
    told = "change or add a key of the config, as in --set strategy.branches=4 (repeatable)"
    return option("config", "CONFIG", about, **more), option("--set", "KEY=VALUE", told, action="append", default=[])


SEED = option("--seed", "N", "seed of the random engines, a whole number: same as --set seed=N")
TRACES = option("--traces", "N", "trials of the whole task: same as --set engine.traces=N")
ENGINE = option("--engine", "KIND", "how it is computed: same as --set engine.kind=KIND")
CHUNK = option("--chunk", "N", "walks in one launch: same as --set engine.chunk=N; never changes results")
STORE = option("--store", "FILE", "keep what is simulated in this file, and go on from there")
WORKERS = (
    option("--executor", "NAME", "who computes: processes, dask, dask:ADDRESS, ray, ray:ADDRESS or slurm"),
    option("--workers", "N", "workers that --executor starts: one for each GPU, else for each core"),
)
JOB = (
    option("--distributed", None, "this process is one of a job, of srun, mpirun or as below; they share the trials"),
    option("--coordinator", "HOST:PORT", "where process 0 of the job listens; not needed under srun or mpirun"),
    option("--process", "I", "number of this process, from 0"),
    option("--processes", "N", "processes of the job"),
)
JSON = option("--json", None, "print JSON instead of a table")
QUIET = option("--quiet", None, "no progress and no messages")
PRINT = (JSON, QUIET)
RESULT = option("--out", "FILE", "write the result: .csv, .json, .parquet, .nc or .zarr")
STUDY = (*config(), SEED, TRACES, ENGINE, CHUNK, STORE)
