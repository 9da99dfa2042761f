"""``ds3sim validate``."""

from __future__ import annotations

from argparse import Namespace

import ds3sim as ds
from ds3sim.cli.config import config_of, overrides_of, seed_of, workers_of
from ds3sim.cli.console import check_result, kept, new_table, put, say, show_result
from ds3sim.cli.options import ENGINE, PRINT, TRACES, WORKERS, config, option
from ds3sim.core.errors import require
from ds3sim.core.runtime import configure_process
from ds3sim.core.text import terminal_number as number

ABOUT = "check engines against exact values and formulas; exit 1 where they disagree"
OPTIONS = (
    *config("check this config's tasks; without it a suite", nargs="?"),
    TRACES,
    ENGINE,
    option("--perturb", "X", "shift the simulated r by this share", default=0.0, type=float),
    option("--seed", "N", "seed of the simulations (0), whatever the config's", default="0"),
    *WORKERS,
    option("--out", "FILE", "write the checks: .csv, .json, .parquet, .nc or .zarr"),
    *PRINT,
)


def run(args: Namespace) -> int:
    """``ds3sim validate``."""
    from ds3sim.core.check import fraction

    check_result(args)
    perturb, seed = fraction("--perturb", args.perturb, -0.5, 0.5), seed_of(args)
    args.seed = None
    require(args.config is not None or not overrides_of(args), "--set needs a CONFIG: name the config that it changes")
    config = None if args.config is None else config_of(args)
    for path, _, text in [] if config is None else config.origin.overrides:
        require(path != ("seed",), f"{text}: has no effect on validate, whose simulations have their own: use --seed")
    executor = workers_of(args)
    configure_process(collects=executor is not None)
    found, interrupted = kept(ds.validate, config, perturb=perturb, seed=seed, executor=executor)
    show_result(args, found, print_validation)
    if interrupted:
        say(args, "interrupted: the checks are those of the cases done until then")
        return 130
    return 0 if found.passed else 1


def print_validation(found: ds.Validation) -> None:
    """The table of a validation."""
    table = new_table(["case<", "quantity<", "estimate", "expected", "z", "adjusted p", "<"])
    for check in found.checks:
        numbers = (number(check.estimate, 6), number(check.expected, 6), number(check.z, 3))
        verdict = "ok" if check.passed else "DISAGREES"
        table.add_row(check.name, check.quantity, *numbers, number(check.p_adjusted, 3), verdict)
    failed = sum(not check.passed for check in found.checks)
    verdict = f"{failed} disagree" if failed else "all agree"
    put(table, f"{len(found.checks)} cases, family-wise error {found.family_wise_error:g}: {verdict}.")
