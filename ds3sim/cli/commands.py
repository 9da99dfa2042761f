"""What each command does. Each function takes the parsed arguments and returns the exit code."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from pathlib import Path

from ds3sim.cli import table
from ds3sim.cli.progress import case_bar, progress_bar
from ds3sim.core.errors import InputError, fraction, require, whole_number
from ds3sim.core.runtime import configure_process
from ds3sim.study.load import Override, override_value, parse_override


def overrides_of(args: Namespace) -> list[Override]:
    """--set and the options that are short for it, in this order."""
    out = [parse_override(text) for text in args.set]
    short = {
        "seed": ("seed",),
        "traces": ("engine", "traces"),
        "engine": ("engine", "kind"),
        "chunk": ("engine", "chunk"),
    }
    for name, path in short.items():
        value = getattr(args, name, None)
        if isinstance(value, str):
            out.append((path, override_value(value), f"--{name} {value}"))
    return out


def run(args: Namespace) -> int:
    """``ds3sim run``."""
    if args.out is not None:
        from ds3sim.report.write import check_out

        check_out(args.out)
    from ds3sim.cli import sweep

    if sweep.is_tasks(args.config, overrides_of(args)):
        return sweep.run_tasks(args)
    from ds3sim.engine import RANDOM
    from ds3sim.study.plan import load
    from ds3sim.study.run import run as run_study

    study = load(args.config, overrides_of(args))
    if study.engine.kind in RANDOM:
        configure_process()
    # Wanted trials; with relative_error nobody knows how many it will take.
    total = study.engine.traces * len(study.tasks) if study.engine.relative_error is None else None
    with progress_bar("simulating", total, args.quiet or study.engine.kind not in RANDOM) as progress:
        result = run_study(study, progress)
    interrupted = result["stopping"].get("interrupted") is True
    failed = None
    if args.out is not None:
        from ds3sim.report.write import write_run

        try:
            written = write_run(result, study, Path(args.out))
            _say(args, f"report: {written[0]}")
        except InputError as error:  # what was computed is still printed
            failed = error
    if args.json:
        _print_json(result)
    else:
        table.print_result(result)
    if interrupted:
        _say(args, f"interrupted: the numbers are of the {result['traces']:,} traces done until then")
    if failed is not None:
        raise failed
    return 130 if interrupted else 0


def validate(args: Namespace) -> int:
    """``ds3sim validate``."""
    perturb = fraction("--perturb", args.perturb, -0.5, 0.5)
    seed = whole_number("--seed", args.seed, 0, 2**63 - 1)
    require(args.config is not None or not args.set, "--set needs a CONFIG: name the config that it changes")
    study = None
    if args.config is not None:
        from ds3sim.study.plan import load

        study = load(args.config, overrides_of(args))
    from ds3sim.study.validate import validate as check

    configure_process()
    with case_bar(args.quiet) as progress:
        outcome = check(study, perturb=perturb, seed=seed, progress=progress)
    if args.json:
        from ds3sim.study.run import as_plain

        _print_json(as_plain(outcome))
    else:
        table.print_validation(outcome)
    return 0 if outcome["passed"] else 1


def report(args: Namespace) -> int:
    """``ds3sim report``."""
    out = _check_file(args.out)
    from ds3sim.report.page import report_from_dir

    page = report_from_dir(args.folder)
    from ds3sim.study.export import write_text

    write_text(out, page)
    return 0


def export(args: Namespace) -> int:
    """``ds3sim export``."""
    out = _check_file(args.out)
    from ds3sim.study.export import as_text, write_text
    from ds3sim.study.plan import load

    study = load(args.config, overrides_of(args))
    names = [planned.name for planned in study.tasks]
    if args.strategy is None:
        require(
            len(names) == 1,
            f"{args.config}: has {len(names)} strategies: choose one with --strategy {' or '.join(map(str, names))}",
        )
        planned = study.tasks[0]
    else:
        require(
            args.strategy in names,
            f"--strategy {args.strategy}: {args.config} has no such strategy"
            + (
                f": choose {', '.join(map(str, names))}"
                if names != [None]
                else ", only [strategy]: leave the option out"
            ),
        )
        planned = study.tasks[names.index(args.strategy)]
    try:
        text = as_text(planned.task, args.format)
    except InputError as error:
        raise InputError(f"{args.config}: {error}") from None
    write_text(out, text)
    return 0


def schema(args: Namespace) -> int:
    """``ds3sim schema``."""
    from ds3sim.study.config import Config

    _print_json(Config.model_json_schema())
    return 0


def doctor(args: Namespace) -> int:
    """``ds3sim doctor``."""
    from ds3sim.study.doctor import diagnose

    configure_process()
    found = diagnose()
    if args.json:
        _print_json(found)
    else:
        table.print_diagnosis(found)
    return 0 if found["passed"] else 1


def _check_file(out: str) -> Path:
    """A file that can be written, looked at before any work."""
    path = Path(out)
    require(out.strip() != "", "--out is empty: name the file to write")
    try:
        is_folder, has_parent = path.is_dir(), path.parent.is_dir()
        allowed = os.access(path.parent, os.W_OK | os.X_OK)
    except (OSError, ValueError) as error:
        raise InputError(f"{out}: cannot be used: {getattr(error, 'strerror', None) or error}") from None
    require(not is_folder, f"{out}: is a folder: name a file")
    require(has_parent, f"{out}: there is no folder {path.parent}: make it first")
    require(allowed, f"{out}: no permission to write in {path.parent}: name another file")
    return path


def _print_json(value) -> None:
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def _say(args: Namespace, message: str) -> None:
    if not args.quiet:
        print(message, file=sys.stderr)
