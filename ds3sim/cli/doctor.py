"""``ds3sim doctor``."""

from __future__ import annotations

from argparse import Namespace
from contextlib import suppress
from typing import Any

from ds3sim.cli.options import add_command


def add_parser(commands: Any) -> None:
    """Add ``doctor``; ``commands`` is what ``add_subparsers`` returned."""
    parser = add_command(commands, "doctor", "show versions, devices and settings, and run a small self-test")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(function=run)


def run(args: Namespace) -> int:
    """The command; returns the exit code."""
    import ds3sim as ds
    from ds3sim.cli.console import show
    from ds3sim.core.errors import InputError
    from ds3sim.core.runtime import configure_process

    with suppress(InputError):  # the diagnosis says it
        configure_process()
    found = ds.doctor()
    show(args, found, print_diagnosis)
    unusable = [check.detail for check in found.checks if check.name == "devices"]
    if unusable:
        raise InputError(unusable[0])
    return 0 if found.passed else 1


def print_diagnosis(found: Any) -> None:
    """Settings and self-tests, one a line."""
    from ds3sim.cli.console import terminal

    console = terminal()
    said = {key: value for key, value in found.to_dict().items() if key not in ("checks", "passed")}
    width = max(map(len, said))
    for key, value in said.items():
        console.print(f"{key.replace('_', ' '):{width}}  {value}", soft_wrap=True)
    for check in found.checks:
        console.print(f"{'ok' if check.passed else 'FAILED':{width}}  {check.name}: {check.detail}", soft_wrap=True)
