"""Arguments on a log that ``fit`` and ``plan`` share, and how a prediction is printed."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import new_table, print_json, terminal
from ds3sim.cli.options import whole
from ds3sim.core.errors import require
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

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
RENAMED = {"tokens": "tokens-column"}
"""Options whose name on the command line is another: --tokens is a budget."""
MOST_MATCHES = 10**6
COST = {
    "parameters": "non-embedding parameters of the model, for FLOPs",
    "prompt_tokens": "tokens of the prompt",
    "layers": "layers of the model, for attention's FLOPs",
    "attention_width": "attention width of the model",
}
ERRORS = "law of the wrong answers: geometric, uniform, zipf or weights; without it compared"


def add_log(parser: ArgumentParser) -> None:
    """The file, how it is read, and what a sample costs."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="log, counts, or curve of N and success; several files are one log"
    )
    parser.add_argument("--format", metavar="FORMAT", help="of the file, where it is not recognized")
    parser.add_argument("--problems", metavar="P", help="curve of pass@N: how many problems it averages over")
    parser.add_argument("--tokens-per-sample", metavar="X", help="instead of the log's mean")
    for name, text in (COST | READING).items():
        parser.add_argument(option(name), metavar="X", help=text)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no messages")


def option(name: str) -> str:
    """The option of an argument of a function."""
    return f"--{RENAMED.get(name, name).replace('_', '-')}"


def given(name: str, text: str | None, whole: bool = False) -> Any:
    """A number above 0 of the command line, None where it is not given."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    require(math.isfinite(value) and value > 0, f"{name} {text} is not allowed: it must be a number above 0")
    require(not whole or value.is_integer(), f"{name} {text} is not allowed: it must be a whole number")
    return int(value) if whole else value


def log_and_cost(args: Namespace) -> tuple[ds.Log, dict[str, Any]]:
    """The log, and the arguments on cost and problems as the functions of ds3sim take them."""
    about = {
        "problems": given("--problems", args.problems, whole=True),
        "tokens_per_sample": given("--tokens-per-sample", args.tokens_per_sample),
    }
    cost = {name: given(option(name), getattr(args, name)) for name in COST}
    cost = {name: value for name, value in cost.items() if value is not None}
    about["cost"] = ds.CostModel(**cost) if cost else None
    reading = {name: getattr(args, RENAMED.get(name, name).replace("-", "_")) for name in READING}
    reading["threshold"] = given("--threshold", args.threshold)
    if args.match is not None:
        reading["match"] = whole("--match", args.match, -MOST_MATCHES)
    log = ds.read_log(args.files[0] if len(args.files) == 1 else args.files, args.format, **reading)
    args.notes = log.notes
    return log, about


def finish(args: Namespace, result: dict[str, Any], show: Any) -> int:
    """Print a result as JSON or by ``show``, then its notes and warnings."""
    if args.json:
        print_json(result)
    else:
        show(result)
    args.notes = dict.fromkeys([*args.notes, *result["notes"], *result["warnings"]])
    return 0


def print_predictions(result: dict[str, Any], title: str) -> None:
    """A table of N, success and cost."""
    rows = result["predictions"]
    costs = [name for name in ("tokens", "flops") if any(row[name] is not None for row in rows)]
    table = new_table([("N", True), (title, True), ("95% interval", False), *((c, True) for c in costs)])
    for row in rows:
        interval = f"{probability(row['low'])} to {probability(row['high'])}"
        table.add_row(f"{row['n']:,}", probability(row["estimate"]), interval, *(number(row[c]) for c in costs))
    terminal().print(table)
