"""``ds3sim fit pass-at-n`` and ``ds3sim fit votes``."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import TYPE_CHECKING, Any

import ds3sim as ds
from ds3sim.cli.console import interval, new_table, put, say
from ds3sim.cli.logs import ERRORS, LOG, above_zero, log_and_cost, told
from ds3sim.cli.options import option
from ds3sim.core.errors import require
from ds3sim.core.folder import check_folder
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

if TYPE_CHECKING:
    from rich.table import Table

ABOUT = "fit an evaluation log and predict what more samples or votes will bring"
FIT = (
    *LOG,
    option("--at", "N,N,...", "numbers of samples to predict at, as in 1,10,1e6"),
    option("--out", "DIR", "write the numbers and a figure to this folder"),
)
VOTES = (
    *FIT,
    option("--pass-at-n", "FILE", "log or curve of pass@N of the same model and tasks"),
    option("--latent", "A,ALPHA,BETA", "success rates, instead of fitting them"),
    ERRORS,
)
PARTS = {
    "pass-at-n": ("success rates of the tasks (A, alpha, beta), and pass@N at any N", FIT),
    "votes": ("which wrong answers are given, and accuracy of the plurality vote at any N", VOTES),
}


def run(args: Namespace) -> int:
    """``ds3sim fit pass-at-n`` and ``ds3sim fit votes``."""
    from ds3sim.core.plain import as_plain

    at = None if args.at is None else [above_zero("at", part.strip(), whole=True) for part in args.at.split(",")]
    rates = _rates(args) if args.what == "votes" else None
    if args.out is not None:
        check_folder(args.out, ds.LatentFit.folder)
    log, about = log_and_cost(args)
    if args.what == "votes":
        found = ds.fit_votes(log, at, errors=args.errors, rates=rates, **about)
        table = partial(print_votes, words=found.errors.words)
    else:
        found, table = ds.fit_pass_at_n(log, at, **about), print_rates
    if args.out is not None:
        say(args, f"written: {found.write(args.out)}")
    return told(args, as_plain(found.to_dict(curve=args.out is not None)), table)


def _rates(args: Namespace) -> str | tuple[float, float, float] | None:
    require(args.pass_at_n is None or args.latent is None, "give --pass-at-n or --latent, not both")
    if args.latent is None:
        return args.pass_at_n
    parts = args.latent.split(",")
    require(len(parts) == 3, f"--latent = {args.latent} is not allowed: it must be three numbers A,ALPHA,BETA")
    solvable, alpha, beta = (above_zero("latent", part.strip()) for part in parts)
    return solvable, alpha, beta


def print_rates(result: dict[str, Any]) -> None:
    """The success rates of a log, and pass@N."""
    table = new_table(["parameter<", "value", "standard error", "95% interval<"])
    for name in ("solvable", "alpha", "beta"):
        mark = " (at its bound)" if name in result["at_bound"] else ""
        error, (low, high) = number(result["standard_errors"][name], 3), result["intervals"][name]
        table.add_row(name, number(result[name]) + mark, error, interval(low, high, number))
    if "squared_error" in result:
        quality = f"squared error {result['squared_error']:.6g} over {result['points']} points"
    else:
        quality = f"log-likelihood {result['log_likelihood']:.6g} over {result['problems']} problems"
    head = f"{result['source']}: pass@N = A (1 - B(alpha, beta+N)/B(alpha, beta)), A = solvable"
    put(head, table, quality, _predictions(result, "pass@N"))


def print_votes(result: dict[str, Any], words: str) -> None:
    """The wrong answers of a log, and the vote at N."""
    low, high = result["c_star_interval"]
    put(
        f"{result['source']}: wrong answers {words}",
        f"c* = {result['c_star']:.4f} ({low:.4f} to {high:.4f})",
        f"plateau of the vote {probability(result['plateau'])} ({interval(*result['plateau_interval'])})",
        _predictions(result, "vote@N"),
    )


def _predictions(result: dict[str, Any], title: str) -> Table:
    """A table of N, success and cost."""
    rows = result["predictions"]
    costs = [name for name in ("tokens", "flops") if any(row[name] is not None for row in rows)]
    table = new_table(["N", title, "95% interval<", *costs])
    for row in rows:
        cells = [f"{row['n']:,}", probability(row["estimate"]), interval(row["low"], row["high"])]
        table.add_row(*cells, *(number(row[c]) for c in costs))
    return table
