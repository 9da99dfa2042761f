"""``ds3sim fit pass-at-n``, ``ds3sim fit votes`` and ``ds3sim plan``: from evaluation logs to predictions."""

from __future__ import annotations

import math
from argparse import Namespace

from ds3sim.core.errors import InputError, require

READING = {
    "threshold": "grade from which on a sample counts as correct (1)",
    "filter": "lm-eval: the filter whose rows are read",
    "metric": "lm-eval: the metric that grades",
    "pattern": "regular expression that extracts the answer from a response",
    "match": "how an extracted answer is compared with the target",
    "scorer": "Inspect: the scorer that grades",
    "key": "Inspect: the key of a score that has several values",
    "model": "Inspect: the model whose tokens count",
    "aggregate": "search-and-learn: how step scores become one",
    "x": "curve: the column of N",
    "y": "curve: the column of success",
}


def add_parser(commands) -> None:
    """Add the commands; ``commands`` is what ``add_subparsers`` returned."""
    fit = commands.add_parser(
        "fit",
        help="fit an evaluation log and predict what more samples or votes will bring",
        description="Fit an evaluation log and predict what more samples or votes will bring.",
        allow_abbrev=False,
    )
    kinds = fit.add_subparsers(dest="what", metavar="WHAT", required=True)
    about = {
        "pass-at-n": "success rates of the tasks (A, alpha, beta), and pass@N at any N",
        "votes": "which wrong answers are given, and accuracy of the plurality vote at any N",
    }
    for name, text in about.items():
        parser = kinds.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        _common(parser)
        parser.add_argument("--at", metavar="N,N,...", help="numbers of samples to predict at, as in 1,10,1e6")
        parser.add_argument("--out", metavar="DIR", help="write the numbers and a figure to this folder")
        if name == "votes":
            parser.add_argument(
                "--pass-at-n", metavar="FILE", help="log or curve of pass@N of the same model and tasks"
            )
            parser.add_argument("--latent", metavar="A,ALPHA,BETA", help="success rates, instead of fitting them")
            _errors(parser)
        parser.set_defaults(function=pass_at_n if name == "pass-at-n" else votes)
    plan_ = commands.add_parser(
        "plan",
        help="which strategy and how many samples, for a budget or a target, from an evaluation log",
        description="Which strategy and how many samples, for a budget or a target, from an evaluation log.",
        allow_abbrev=False,
    )
    _common(plan_)
    plan_.add_argument("--flops", metavar="X", help="budget of a task in FLOPs")
    plan_.add_argument("--tokens", metavar="X", help="budget of a task in generated tokens")
    plan_.add_argument("--target", metavar="P", help="success to reach")
    _errors(plan_)
    plan_.set_defaults(function=plan)


def _common(parser) -> None:
    parser.add_argument("file", metavar="FILE", help="log, counts, or curve of N and success")
    parser.add_argument("--format", metavar="FORMAT", help="of the file, where it is not recognized")
    parser.add_argument("--problems", metavar="P", help="curve: how many problems it averages over")
    parser.add_argument("--tokens-per-sample", metavar="X", help="instead of the log's mean")
    parser.add_argument("--parameters", metavar="N", help="non-embedding parameters of the model, for FLOPs")
    parser.add_argument("--prompt-tokens", metavar="X", help="tokens of the prompt")
    parser.add_argument("--layers", metavar="N", help="layers of the model, for attention's FLOPs")
    parser.add_argument("--attention-width", metavar="N", help="attention width of the model")
    for name, text in READING.items():
        parser.add_argument(f"--{name}", metavar="X", help=text)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no messages")


def _errors(parser) -> None:
    parser.add_argument("--errors", metavar="KIND", help="geometric, uniform, zipf or weights; without it compared")


# ---- arguments ---------------------------------------------------------------------------------


def _number(name: str, text: str | None, low: float = 0.0) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    require(math.isfinite(value) and value > low, f"{name} {text} is not allowed: it must be a number above {low:g}")
    return value


def _whole(name: str, text: str | None) -> int | None:
    value = _number(name, text)
    require(value is None or value.is_integer(), f"{name} {text} is not allowed: it must be a whole number")
    return None if value is None else int(value)


def _at(text: str | None, most: float) -> list[int] | None:
    if text is None:
        return None
    out = []
    for part in text.split(","):
        value = _number("--at", part.strip(), 0.0)
        assert value is not None
        require(
            value.is_integer() and value <= most,
            f"--at {part.strip()} is not allowed: numbers of samples are whole, up to {most:g}",
        )
        out.append(int(value))
    return out


def _load(path: str, args: Namespace):
    from ds3sim.fit.logs.load import load_log

    options = {name: getattr(args, name) for name in READING}
    options["threshold"] = _number("--threshold", options["threshold"])
    return load_log(path, args.format, **options)


def _prices(log, args: Namespace):
    from ds3sim.fit.forecast import Prices
    from ds3sim.theory.cost import CostModel

    cost = None
    if args.parameters is not None:
        cost = CostModel(
            parameters=_number("--parameters", args.parameters),
            prompt_tokens=_number("--prompt-tokens", args.prompt_tokens) or 0,
            layers=_whole("--layers", args.layers) or 0,
            attention_width=_number("--attention-width", args.attention_width) or 0,
        )
    return Prices(log, _number("--tokens-per-sample", args.tokens_per_sample), cost)


# ---- commands ----------------------------------------------------------------------------------


def pass_at_n(args: Namespace) -> int:
    """``ds3sim fit pass-at-n``."""
    from ds3sim.core.runtime import configure_process
    from ds3sim.fit import forecast

    at, problems = _at(args.at, forecast.MOST_AHEAD), _whole("--problems", args.problems)
    _check_out(args)
    log = _load(args.file, args)
    prices = _prices(log, args)
    configure_process()
    result = forecast.pass_at_n(log, at, problems, prices, curve=args.out is not None)
    return _finish(args, log, result, _print_rates)


def votes(args: Namespace) -> int:
    """``ds3sim fit votes``."""
    from ds3sim.core.runtime import configure_process
    from ds3sim.fit import forecast
    from ds3sim.fit.logs.load import load_log
    from ds3sim.fit.pass_at_n import fit_log

    at, problems = _at(args.at, forecast.MOST_AHEAD), _whole("--problems", args.problems)
    require(args.pass_at_n is None or args.latent is None, "give --pass-at-n or --latent, not both")
    parameters = _latent(args.latent)
    _check_out(args)
    log = _load(args.file, args)
    prices = _prices(log, args)
    configure_process()
    rates = None if args.pass_at_n is None else fit_log(load_log(args.pass_at_n), problems)
    result = forecast.votes(log, at, args.errors, parameters, rates, prices, curve=args.out is not None)
    return _finish(args, log, result, _print_votes)


def _latent(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    from ds3sim.theory.latent import check

    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    require(len(values) == 3, f"--latent {text} is not allowed: give three numbers A,ALPHA,BETA")
    try:
        check(*values)
    except InputError as error:
        raise InputError(f"--latent {text}: {error}") from None
    return values[0], values[1], values[2]


def plan(args: Namespace) -> int:
    """``ds3sim plan``."""
    from ds3sim.core.runtime import configure_process
    from ds3sim.fit import forecast

    target = _number("--target", args.target)
    tokens, flops = _number("--tokens", args.tokens), _number("--flops", args.flops)
    given = sum(v is not None for v in (target, tokens, flops))
    require(given == 1, "plan needs one of --target, --tokens and --flops")
    problems = _whole("--problems", args.problems)
    log = _load(args.file, args)
    prices = _prices(log, args)
    configure_process()
    result = forecast.plan(
        log, target=target, tokens=tokens, flops=flops, prices=prices, problems=problems, kind=args.errors
    )
    args.out = None
    return _finish(args, log, result, _print_plan)


def _check_out(args: Namespace) -> None:
    if args.out is not None:
        from ds3sim.report.fit_page import check_out

        check_out(args.out)


def _finish(args: Namespace, log, result: dict, show) -> int:
    from ds3sim.cli.console import print_json, say
    from ds3sim.core.plain import as_plain

    result["notes"] = list(log.notes)
    result = as_plain(result)
    if args.out is not None:
        from ds3sim.report.fit_page import write_fit

        say(args, f"written: {write_fit(result, args.out)}")
    if args.json:
        print_json(result)
    else:
        show(result)
    for note in [*result["notes"], *result["warnings"]]:
        say(args, f"note: {note}")
    return 0


# ---- tables ------------------------------------------------------------------------------------


def _print_rates(result: dict) -> None:
    from ds3sim.cli.console import new_table, terminal
    from ds3sim.core.text import terminal_number as number

    table = new_table([("parameter", False), ("value", True), ("standard error", True), ("95% interval", False)])
    for name in ("solvable", "alpha", "beta"):
        low, high = result["intervals"][name]
        mark = " (at its bound)" if name in result["at_bound"] else ""
        table.add_row(
            name,
            number(result[name]) + mark,
            number(result["standard_errors"][name], 3),
            f"{number(low)} to {number(high)}",
        )
    console = terminal()
    console.print(f"{result['source']}: pass@N = A (1 - B(alpha, beta+N)/B(alpha, beta)), A = solvable")
    console.print(table)
    if "squared_error" in result:
        console.print(f"squared error {result['squared_error']:.6g} over {result['points']} points")
    else:
        console.print(f"log-likelihood {result['log_likelihood']:.6g} over {result['problems']} problems")
    _print_predictions(result, "pass@N")


def _print_predictions(result: dict, title: str) -> None:
    from ds3sim.cli.console import new_table, terminal
    from ds3sim.core.text import terminal_number as number
    from ds3sim.core.text import terminal_probability as probability

    rows = result["predictions"]
    costs = [name for name in ("tokens", "flops") if any(row[name] is not None for row in rows)]
    table = new_table([("N", True), (title, True), ("95% interval", False), *((c, True) for c in costs)])
    for row in rows:
        table.add_row(
            f"{row['n']:,}",
            probability(row["estimate"]),
            f"{probability(row['low'])} to {probability(row['high'])}",
            *(number(row[c]) for c in costs),
        )
    terminal().print(table)


def _print_votes(result: dict) -> None:
    from ds3sim.cli.console import terminal
    from ds3sim.core.text import terminal_probability as probability

    errors = result["errors"]
    shape = {"geometric": f", decay {errors['decay']}", "zipf": f", exponent {errors['exponent']}"}
    console = terminal()
    low, high = result["c_star_interval"]
    console.print(
        f"{result['source']}: wrong answers {errors['kind']}, {errors['categories']} categories"
        + shape.get(errors["kind"], "")
    )
    console.print(f"c* = {result['c_star']:.4f} ({low:.4f} to {high:.4f})")
    low, high = result["plateau_interval"]
    console.print(f"plateau of the vote {probability(result['plateau'])} ({probability(low)} to {probability(high)})")
    _print_predictions(result, "vote@N")


def _print_plan(result: dict) -> None:
    from ds3sim.cli.console import new_table, terminal
    from ds3sim.core.text import terminal_number as number
    from ds3sim.core.text import terminal_probability as probability

    table = new_table(
        [
            ("strategy", False),
            ("samples", True),
            ("success", True),
            ("95% interval", False),
            ("at most", True),
            ("tokens", True),
            ("FLOPs", True),
        ]
    )
    for row in result["strategies"]:
        success = row["success"] if row["n"] is not None else None
        table.add_row(
            row["strategy"].replace("_", " "),
            "out of reach" if row["n"] is None else f"{row['n']:,}",
            probability(success["estimate"] if success else None),
            f"{probability(success['low'])} to {probability(success['high'])}" if success else "-",
            probability(row["largest"]),
            number(row["tokens"]),
            number(row["flops"]),
        )
    console = terminal()
    console.print(table)
    best = result["recommended"]
    if best is None:
        console.print("no strategy reaches the target")
    else:
        console.print(f"recommended: {best['strategy'].replace('_', ' ')} with {best['n']:,} samples")
