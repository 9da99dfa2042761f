"""``ds3sim fit pass-at-n`` and ``ds3sim fit votes``: from an evaluation log to what more samples or votes bring."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import new_table, say, terminal
from ds3sim.cli.logs import ERRORS, add_log, finish, given, log_and_cost, print_predictions
from ds3sim.core.errors import require
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

KINDS = {
    "pass-at-n": "success rates of the tasks (A, alpha, beta), and pass@N at any N",
    "votes": "which wrong answers are given, and accuracy of the plurality vote at any N",
}


def add_parser(commands: Any) -> None:
    """Add the command; ``commands`` is what ``add_subparsers`` returned."""
    about = "fit an evaluation log and predict what more samples or votes will bring"
    parser = commands.add_parser("fit", help=about, description=about.capitalize() + ".", allow_abbrev=False)
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, text in KINDS.items():
        kind = kinds.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        add_log(kind)
        kind.add_argument("--at", metavar="N,N,...", help="numbers of samples to predict at, as in 1,10,1e6")
        kind.add_argument("--out", metavar="DIR", help="write the numbers and a figure to this folder")
        if name == "votes":
            kind.add_argument("--pass-at-n", metavar="FILE", help="log or curve of pass@N of the same model and tasks")
            kind.add_argument("--latent", metavar="A,ALPHA,BETA", help="success rates, instead of fitting them")
            kind.add_argument("--errors", metavar="KIND", help=ERRORS)
        kind.set_defaults(function=fit)


def fit(args: Namespace) -> int:
    """Run the command."""
    from ds3sim.core.folder import check_folder
    from ds3sim.core.plain import as_plain

    at = None if args.at is None else [given("--at", part.strip(), whole=True) for part in args.at.split(",")]
    rates = _rates(args) if args.what == "votes" else None
    if args.out is not None:
        check_folder(args.out, ds.LatentFit.folder)
    log, about = log_and_cost(args)
    if args.what == "votes":
        found = ds.fit_votes(log, at, errors=args.errors, rates=rates, **about)
        show = partial(_print_votes, found=found)
    else:
        found, show = ds.fit_pass_at_n(log, at, **about), _print_rates
    if args.out is not None:
        say(args, f"written: {found.write(args.out)}")
    result = as_plain(found.to_dict(curve=args.out is not None))
    return finish(args, result, show)


def _rates(args: Namespace) -> str | tuple[float, float, float] | None:
    require(args.pass_at_n is None or args.latent is None, "give --pass-at-n or --latent, not both")
    if args.latent is None:
        return args.pass_at_n
    parts = args.latent.split(",")
    require(len(parts) == 3, f"--latent {args.latent} is not allowed: give three numbers A,ALPHA,BETA")
    solvable, alpha, beta = (given("--latent", part.strip()) for part in parts)
    return solvable, alpha, beta


def _print_rates(result: dict[str, Any]) -> None:
    table = new_table([("parameter", False), ("value", True), ("standard error", True), ("95% interval", False)])
    for name in ("solvable", "alpha", "beta"):
        low, high = result["intervals"][name]
        mark = " (at its bound)" if name in result["at_bound"] else ""
        error = number(result["standard_errors"][name], 3)
        table.add_row(name, number(result[name]) + mark, error, f"{number(low)} to {number(high)}")
    console = terminal()
    console.print(f"{result['source']}: pass@N = A (1 - B(alpha, beta+N)/B(alpha, beta)), A = solvable")
    console.print(table)
    if "squared_error" in result:
        console.print(f"squared error {result['squared_error']:.6g} over {result['points']} points")
    else:
        console.print(f"log-likelihood {result['log_likelihood']:.6g} over {result['problems']} problems")
    print_predictions(result, "pass@N")


def _print_votes(result: dict[str, Any], found: ds.VoteFit) -> None:
    console = terminal()
    console.print(f"{result['source']}: wrong answers {found.errors.words}")
    low, high = result["c_star_interval"]
    console.print(f"c* = {result['c_star']:.4f} ({low:.4f} to {high:.4f})")
    low, high = result["plateau_interval"]
    console.print(f"plateau of the vote {probability(result['plateau'])} ({probability(low)} to {probability(high)})")
    print_predictions(result, "vote@N")
