"""The config of a command, and what is computed from it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import ds3sim as ds
from ds3sim.cli.console import check_result, kept, show, show_result
from ds3sim.core.errors import require
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


def seed_of(args: Namespace) -> int:
    """``--seed`` of a command whose seed is not the config's."""
    from ds3sim.core.check import typed_number

    return int(typed_number("--seed", args.seed, whole=True, low=0, high=2**63 - 1))


def workers_of(args: Namespace) -> ds.Workers | None:
    """``--executor`` and ``--workers``."""
    from ds3sim.core.check import typed_number

    count = None if args.workers is None else int(typed_number("--workers", args.workers, whole=True, low=1, high=1e6))
    require(args.executor is not None or count is None, f"--workers {args.workers} needs --executor: name one")
    return None if args.executor is None else ds.Workers(args.executor, count)


def computed(args: Namespace, compute: Callable[..., Any], **how: Any) -> tuple[Any, bool]:
    """(record, interrupted) of a run, a sweep or a choice, with its store."""
    config = config_of(args)
    if config.engine.random:
        configure_process(collects=how.get("executor") is not None)
    if config.origin.axes and compute is ds.run:
        told = f"{args.config}: [sweep] is for ds3sim sweep: this is the point of the tables as they stand"
        args.notes = (*args.notes, told)
    return kept(compute, config, store=args.store, **how)


def many(
    args: Namespace, compute: Callable[..., Any], table: Callable[[Any], None], done: Callable[[Any], tuple[int, str]]
) -> int:
    """A sweep or a choice; after Ctrl-C a line says what was kept."""
    check_result(args)
    record, interrupted = computed(args, compute, executor=workers_of(args))
    count, what = done(record)
    (show_result if count else show)(args, record, table)
    if not interrupted:
        return 0
    there = f"{args.store} keeps what was simulated; the same command goes on from there"
    more = there if args.store else "with --store FILE more would be kept"
    print(f"interrupted: {count:,} {what} done; {more}", file=sys.stderr)
    return 130
