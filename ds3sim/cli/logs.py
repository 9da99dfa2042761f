"""The log of a command, how it is read, and what a sample costs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import print_json, say
from ds3sim.cli.options import JSON, QUIET, option
from ds3sim.core.check import typed_number

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
ERRORS = option("--errors", "KIND", "geometric, uniform, zipf or weights; without it compared")


def above_zero(name: str, text: str | None, whole: bool = False) -> Any:
    """The number above 0 of an option, None where it is not given."""
    return None if text is None else typed_number(f"--{name.replace('_', '-')}", text, whole=whole, above=0)


def log_and_cost(args: Namespace) -> tuple[ds.Log, dict[str, Any]]:
    """The log, and the arguments on cost and problems as the functions of ds3sim take them."""
    cost = {name: above_zero(name, getattr(args, name)) for name in COST if getattr(args, name) is not None}
    about = {
        "problems": above_zero("problems", args.problems, whole=True),
        "tokens_per_sample": above_zero("tokens_per_sample", args.tokens_per_sample),
        "cost": ds.CostModel(**cost) if cost else None,
    }
    reading = {name: getattr(args, name) for name in READING}
    reading["threshold"] = above_zero("threshold", args.threshold)
    if args.match is not None:
        reading["match"] = typed_number("--match", args.match, whole=True)
    return ds.read_log(args.file, args.format, **reading), about


def told(args: Namespace, result: dict[str, Any], table: Callable[[dict[str, Any]], None]) -> int:
    """Print a result as JSON or as a table, then its notes and warnings."""
    if args.json:
        print_json(result)
    else:
        table(result)
    for note in [*result["notes"], *result["warnings"]]:
        say(args, f"note: {note}")
    return 0
