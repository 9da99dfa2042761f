"""The commands and their options, as tables from which the parser is made; nothing is imported for them."""

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
JSON = option("--json", None, "print JSON instead of a table")
QUIET = option("--quiet", None, "no progress and no messages")
PRINT = (JSON, QUIET)
RESULT = option("--out", "FILE", "write the result: .csv, .json, .parquet, .nc or .zarr")
STUDY = (*config(), SEED, TRACES, ENGINE, CHUNK, STORE)

COST = {
    "parameters": "non-embedding parameters of the model, for FLOPs",
    "prompt_tokens": "tokens of the prompt",
    "layers": "layers of the model, for attention's FLOPs",
    "attention_width": "attention width of the model",
}
READING = {
    "threshold": "grade from which on a sample counts as correct (1)",
    "filter": "lm-eval: the filter whose rows are read",
    "metric": "lm-eval: the metric that grades",
    "pattern": "regular expression that extracts the answer from a response",
    "match": "which match of the pattern counts: 0 the first, -1 the last",
    "scorer": "Inspect: the scorer that grades",
    "key": "Inspect: the key of a score that has several values",
    "model": "Inspect: the model whose tokens count",
    "aggregate": "search-and-learn: how step scores become one",
    "x": "curve: the column of N",
    "y": "curve: the column of success",
}
LOG = (
    option("file", "FILE", "log, counts, or curve of N and success"),
    option("--format", "FORMAT", "of the file, where it is not recognized"),
    option("--problems", "P", "curve of pass@N: how many problems it averages over"),
    option("--tokens-per-sample", "X", "instead of the log's mean"),
    *(option(f"--{name.replace('_', '-')}", "X", text) for name, text in (COST | READING).items()),
    JSON,
    QUIET,
)
FIT = (
    *LOG,
    option("--at", "N,N,...", "numbers of samples to predict at, as in 1,10,1e6"),
    option("--out", "DIR", "write the numbers and a figure to this folder"),
)
ERRORS = option("--errors", "KIND", "geometric, uniform, zipf or weights; without it compared")

VALIDATE = (
    *config("check this config's tasks; without it a suite", nargs="?"),
    TRACES,
    ENGINE,
    option("--perturb", "X", "shift the simulated r by this share", default=0.0, type=float),
    option("--seed", "N", "seed of the simulations (0), whatever the config's", default="0"),
    option("--out", "FILE", "write the checks: .csv, .json, .parquet, .nc or .zarr"),
    *PRINT,
)
REPORT = (
    option("folder", "DIR|STORE", "folder of run --out, file of sweep --store or of --json"),
    option("--out", "FILE", "HTML page; or the numbers: .csv, .parquet, .nc, .zarr, .json", required=True),
    option("--sweep", "NAME", "which sweep of a store; without it the one used last"),
)
MERGE = (
    option("stores", "STORE", "files that sweep --store wrote", nargs="+"),
    option("--out", "STORE", "the store to add to; made where it is missing", required=True),
    JSON,
)
EXPORT = (
    *config(),
    option("--format", "FORMAT", "prism or drn", required=True, choices=("prism", "drn")),
    option("--out", "FILE", "the file to write", required=True),
    option("--strategy", "NAME", "which one of several strategies"),
    option("--point", "N", "which point of a sweep, from 0"),
    option("--part", "N", "which task of a distribution, from 0"),
)
REPRODUCE = (
    option("name", "NAME", "a figure, or all"),
    option("--out", "DIR", "folder for PNG, SVG, CSV and index.html", required=True),
    option("--quick", None, "fewer points and traces: to try, not to show"),
    option("--seed", "N", "seed of the simulations (0)", default="0"),
    option("--data", "DIR", "folder with published curves, for the figures that need them"),
    QUIET,
)
VOTES = (
    *FIT,
    option("--pass-at-n", "FILE", "log or curve of pass@N of the same model and tasks"),
    option("--latent", "A,ALPHA,BETA", "success rates, instead of fitting them"),
    ERRORS,
)
PLAN = (
    *LOG,
    option("--flops", "X", "budget of a task in FLOPs"),
    option("--tokens", "X", "budget of a task in generated tokens"),
    option("--target", "P", "success to reach"),
    ERRORS,
)
FOLDER = option("--out", "DIR", "write config, results, figures and report.html to this folder")
MODEL = 'TOML file with [model] of kind = "tripartite"'

COMMANDS = {
    "run": ("run a config: success and cost at every budget, beside the theory", (*STUDY, FOLDER, *PRINT)),
    "sweep": ("run every point of a config's [sweep] axes, points of one shape together", (*STUDY, RESULT, *PRINT)),
    "choose": (
        "say which strategy is best at each budget, how sure that is, and by how much",
        (*STUDY, RESULT, *PRINT),
    ),
    "validate": ("check engines against exact values and formulas; exit 1 where they disagree", VALIDATE),
    "report": ("make the report page of a folder that run --out wrote, or of a sweep's store", REPORT),
    "merge": ("put what several stores hold into one; merging one again changes nothing", MERGE),
    "export": ("write one trace's Markov chain for a model checker", EXPORT),
    "reproduce": ("make the paper's figures: theory as curves, simulation as points on them", REPRODUCE),
    "allocate": (
        "best model size, training tokens and tokens per task for a compute",
        (*config("TOML file with [allocate] and [tasks]"), *PRINT),
    ),
    "train": (
        "skill levels that a model of given size and training learns, theory beside simulation",
        (*config(MODEL), SEED, *PRINT),
    ),
    "fit": ("fit an evaluation log and predict what more samples or votes will bring", ()),
    "fit pass-at-n": ("success rates of the tasks (A, alpha, beta), and pass@N at any N", FIT),
    "fit votes": ("which wrong answers are given, and accuracy of the plurality vote at any N", VOTES),
    "plan": ("which strategy and how many samples, for a budget or a target, from an evaluation log", PLAN),
    "schema": ("print the JSON schema of configs, for editors", ()),
    "doctor": ("show versions, devices and settings, and run a small self-test", (JSON,)),
}
"""Name -> one line for the help, and options; the function of ``actions`` that its first word names runs it."""
