"""The log of a command, how it is read, and what a sample costs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import print_json
from ds3sim.cli.options import JSON, QUIET, option

READING = {
    "problem": "table: the column of problems",
    "sample": "table: the column of samples' numbers",
    "correct": "table: the column of grades; of counts, how many are correct",
    "answer": "table: the column of samples' answers",
    "tokens": "table: the column of generated tokens",
    "score": "table: the column of a verifier's scores",
    "n": "counts: the column of numbers of samples",
    "threshold": "grade from which on a sample counts as correct (1)",
    "filter": "lm-eval: the filter whose rows are read",
    "metric": "lm-eval, lighteval, EvalPlus (base or plus): the metric that grades",
    "pattern": "regular expression that extracts the answer from a response",
    "match": "which match of the pattern counts: 0 the first, -1 the last",
    "compare": "how answers are compared: spelling (default) or math-verify, as mathematics (extra math)",
    "scorer": "Inspect: the scorer that grades",
    "key": "Inspect: the key of a score that has several values",
    "model": "Inspect: the model whose tokens count",
    "failures": "Inspect: samples that stopped with an error: skip (default) or wrong",
    "aggregate": "search-and-learn: how step scores become one",
    "x": "curve: the column of N",
    "y": "curve: the column of success",
}
COST = {
    "parameters": "non-embedding parameters of the model, for FLOPs",
    "prompt_tokens": "tokens of the prompt",
    "layers": "layers of the model, for attention's FLOPs",
    "attention_width": "attention width of the model",
}
RENAMED = {"tokens": "tokens_column"}
"""Options whose name on the command line is another: --tokens is a budget."""
MOST_MATCHES = 10**6


def typed(name: str) -> str:
    """The option of an argument of a function."""
    return f"--{RENAMED.get(name, name).replace('_', '-')}"


LOG = (
    option("files", "FILE", "log, counts, or curve of N and success; several files are one log", nargs="+"),
    option("--format", "FORMAT", "of the file, where it is not recognized"),
    option("--problems", "P", "curve of pass@N: how many problems it averages over"),
    option("--tokens-per-sample", "X", "instead of the log's mean"),
    *(option(typed(name), "X", text) for name, text in (COST | READING).items()),
    JSON,
    QUIET,
)
LAWS = "law of the wrong answers: geometric, uniform, zipf or weights; without it compared"
ERRORS = option("--errors", "KIND", LAWS)


def above_zero(name: str, text: str | None, whole: bool = False) -> Any:
    """The number above 0 of an option, None where it is not given."""
    from ds3sim.core.check import typed_number

    return None if text is None else typed_number(typed(name), text, whole=whole, above=0)


def log_and_cost(args: Namespace) -> tuple[ds.Log, dict[str, Any]]:
    """The log, and the arguments on cost and problems as the functions of ds3sim take them."""
    from ds3sim.core.check import typed_number

    cost = {name: above_zero(name, getattr(args, name)) for name in COST if getattr(args, name) is not None}
    about = {
        "problems": above_zero("problems", args.problems, whole=True),
        "tokens_per_sample": above_zero("tokens_per_sample", args.tokens_per_sample),
        "cost": ds.CostModel(**cost) if cost else None,
    }
    reading = {name: getattr(args, RENAMED.get(name, name)) for name in READING}
    reading["threshold"] = above_zero("threshold", args.threshold)
    if args.match is not None:
        reading["match"] = typed_number("--match", args.match, whole=True, low=-MOST_MATCHES)
    log = ds.read_log(args.files[0] if len(args.files) == 1 else args.files, args.format, **reading)
    args.notes = log.notes
    return log, about


def told(args: Namespace, result: dict[str, Any], table: Callable[[dict[str, Any]], None]) -> int:
    """Print a result as JSON or as a table, then its notes and warnings."""
    if args.json:
        print_json(result)
    else:
        table(result)
    args.notes = dict.fromkeys([*args.notes, *result["notes"], *result["warnings"]])
    return 0
