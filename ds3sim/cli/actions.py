"""What each command does: parse, call one public function, print."""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

import ds3sim as ds
from ds3sim.cli import tables
from ds3sim.cli.commands import COST, READING
from ds3sim.cli.console import case_bar, kept, print_json, say, show, study_bar, write_record
from ds3sim.core.check import fraction, typed_number
from ds3sim.core.errors import InputError, StoppedEarly, require
from ds3sim.core.files import check_file, write_file
from ds3sim.core.folder import check_folder
from ds3sim.core.plain import as_plain
from ds3sim.core.record import check_out
from ds3sim.core.runtime import configure_process

SHORT = {"seed": "seed", "traces": "engine.traces", "engine": "engine.kind", "chunk": "engine.chunk"}
"""Options that are short for a key of the config."""


def overrides_of(args: Namespace) -> list[str | tuple[str, str]]:
    """--set and the options that are short for it, in this order."""
    typed = [(name, key, getattr(args, name, None)) for name, key in SHORT.items()]
    return [*args.set, *((f"{key}={value}", f"--{name} {value}") for name, key, value in typed if value is not None)]


def config_of(args: Namespace) -> Any:
    """The config of a command; its notes are told on stderr when the command is done."""
    config = ds.read_config(args.config, overrides_of(args))
    args.notes = config.notes
    return config


def computed(args: Namespace, compute: Callable[..., Any]) -> tuple[Any, bool]:
    """(record, interrupted) of a run, a sweep or a choice, with its bar and its store."""
    config = config_of(args)
    engine = config.engine
    if engine.random:
        configure_process()
    axes = config.origin.axes
    if axes and compute is ds.run:
        told = f"{args.config}: [sweep] is for ds3sim sweep: this is the point of the tables as they stand"
        args.notes, axes = (*args.notes, told), ()
    points = math.prod(map(len, axes))
    # Trials are known where the engine counts them and their number is fixed.
    trials = engine.traces * len(config.by_name) if engine.random and engine.relative_error is None else None
    with study_bar(args.quiet, points, trials) as advance:
        return kept(compute, config, store=args.store, progress=advance)


def run(args: Namespace) -> int:
    """``ds3sim run``."""
    if args.out is not None:
        check_folder(args.out, ds.Result.folder)
    result, interrupted = computed(args, ds.run)
    failed = None
    if args.out is not None:
        try:
            say(args, f"report: {ds.report(result, folder=args.out)}")
        except InputError as error:  # what was computed is still printed
            failed = error
    show(args, result, tables.print_result)
    if failed is not None:
        raise failed
    if interrupted:
        say(args, f"interrupted: the numbers are of the {result.traces:,} traces done until then")
    return 130 if interrupted else 0


def sweep(args: Namespace) -> int:
    """``ds3sim sweep``."""
    return _many(args, ds.sweep, tables.print_result, lambda result: (len(result.points), "points"))


def choose(args: Namespace) -> int:
    """``ds3sim choose``."""
    return _many(args, ds.choose, tables.print_choice, lambda choice: (len(choice.decisions), "budgets"))


def _many(
    args: Namespace, compute: Callable[..., Any], table: Callable[[Any], None], done: Callable[[Any], tuple[int, str]]
) -> int:
    """A sweep or a choice; after Ctrl-C a line says what was kept."""
    if args.out is not None:
        check_out(args.out)
    record, interrupted = computed(args, compute)
    count, what = done(record)
    if args.out is not None and count:
        say(args, f"results: {write_record(record, args.out)}")
    show(args, record, table)
    if not interrupted:
        return 0
    there = f"{args.store} keeps what was simulated; the same command goes on from there"
    more = there if args.store else "with --store FILE more would be kept"
    print(f"interrupted: {count:,} {what} done; {more}", file=sys.stderr)
    return 130


def validate(args: Namespace) -> int:
    """``ds3sim validate``."""
    if args.out is not None:
        check_out(args.out)
    perturb, seed = fraction("--perturb", args.perturb, -0.5, 0.5), seed_of(args)
    args.seed = None
    require(args.config is not None or not overrides_of(args), "--set needs a CONFIG: name the config that it changes")
    config = None if args.config is None else config_of(args)
    for path, _, text in [] if config is None else config.origin.overrides:
        require(path != ("seed",), f"{text}: has no effect on validate, whose simulations have their own: use --seed")
    configure_process()
    with case_bar(args.quiet) as progress:
        found, interrupted = kept(ds.validate, config, perturb=perturb, seed=seed, progress=progress)
    if args.out is not None:
        say(args, f"results: {write_record(found, args.out)}")
    show(args, found, tables.print_validation)
    if interrupted:
        say(args, "interrupted: the checks are those of the cases done until then")
        return 130
    return 0 if found.passed else 1


def seed_of(args: Namespace) -> int:
    """``--seed`` of a command whose seed is not the config's."""
    return int(typed_number("--seed", args.seed, whole=True, low=0, high=2**63 - 1))


def allocate(args: Namespace) -> int:
    """``ds3sim allocate``."""
    with case_bar(args.quiet) as progress:
        found = ds.allocate(config_of(args), progress=progress)
    return show(args, found, tables.print_allocation)


def train(args: Namespace) -> int:
    """``ds3sim train``."""
    configure_process()
    with case_bar(args.quiet) as progress:
        found = ds.train(config_of(args), progress=progress)
    return show(args, found, tables.print_training)


def export(args: Namespace) -> int:
    """``ds3sim export``."""
    out = check_file(args.out)
    given = {name: getattr(args, name) for name in ("point", "part")}
    chosen = {
        name: int(typed_number(f"--{name}", text, whole=True, low=0))
        for name, text in given.items()
        if text is not None
    }
    write_file(out, ds.export_chain(config_of(args), args.format, args.strategy, **chosen))
    return 0


def report(args: Namespace) -> int:
    """``ds3sim report``."""
    ds.report(args.folder, args.out, sweep=args.sweep)
    return 0


def merge(args: Namespace) -> int:
    """``ds3sim merge``."""
    return show(args, ds.merge(args.stores, args.out), tables.print_merged)


def schema(_: Namespace) -> int:
    """``ds3sim schema``."""
    return print_json(ds.schema())


def doctor(args: Namespace) -> int:
    """``ds3sim doctor``."""
    configure_process()
    found = ds.doctor()
    show(args, found, tables.print_diagnosis)
    return 0 if found.passed else 1


def reproduce(args: Namespace) -> int:
    """``ds3sim reproduce``."""
    seed = seed_of(args)
    configure_process()
    how = {"quick": args.quick, "seed": seed, "data": args.data, "progress": lambda line: say(args, line)}
    try:
        say(args, str(ds.reproduce(args.name, args.out, **how)))
    except StoppedEarly as stop:
        kept = f"the figures up to {stop.partial[-1]} are kept" if stop.partial else "nothing was finished"
        print(f"interrupted: {kept}", file=sys.stderr)
        return 130
    return 0


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


def fit(args: Namespace) -> int:
    """``ds3sim fit pass-at-n`` and ``ds3sim fit votes``."""
    at = None if args.at is None else [above_zero("at", part.strip(), whole=True) for part in args.at.split(",")]
    rates = _rates(args) if args.what == "votes" else None
    if args.out is not None:
        check_folder(args.out, ds.LatentFit.folder)
    log, about = log_and_cost(args)
    if args.what == "votes":
        found = ds.fit_votes(log, at, errors=args.errors, rates=rates, **about)
        table = partial(tables.print_votes, words=found.errors.words)
    else:
        found, table = ds.fit_pass_at_n(log, at, **about), tables.print_rates
    if args.out is not None:
        say(args, f"written: {found.write(args.out)}")
    return _told(args, as_plain(found.to_dict(curve=args.out is not None)), table)


def _rates(args: Namespace) -> str | tuple[float, float, float] | None:
    require(args.pass_at_n is None or args.latent is None, "give --pass-at-n or --latent, not both")
    if args.latent is None:
        return args.pass_at_n
    parts = args.latent.split(",")
    require(len(parts) == 3, f"--latent = {args.latent} is not allowed: it must be three numbers A,ALPHA,BETA")
    solvable, alpha, beta = (above_zero("latent", part.strip()) for part in parts)
    return solvable, alpha, beta


def plan(args: Namespace) -> int:
    """``ds3sim plan``."""
    budget = {name: above_zero(name, getattr(args, name)) for name in ("flops", "tokens", "target")}
    log, about = log_and_cost(args)
    return _told(args, as_plain(ds.plan(log, errors=args.errors, **budget, **about).to_dict()), tables.print_plan)


def _told(args: Namespace, result: dict[str, Any], table: Callable[[dict[str, Any]], None]) -> int:
    """Print a result as JSON or as a table, then its notes and warnings."""
    if args.json:
        print_json(result)
    else:
        table(result)
    for note in [*result["notes"], *result["warnings"]]:
        say(args, f"note: {note}")
    return 0
