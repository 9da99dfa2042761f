"""``ds3sim doctor``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from ds3sim.cli.console import print_json, terminal
from ds3sim.cli.options import add_command
from ds3sim.core.runtime import configure_process


def add_parser(commands) -> None:
    """Add ``doctor``; ``commands`` is what ``add_subparsers`` returned."""
    parser = add_command(commands, "doctor", "show versions, devices and settings, and run a small self-test")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(function=doctor)


def print_diagnosis(found: Mapping) -> None:
    """The lines of ``ds3sim doctor``."""
    console = terminal()
    entries = [(key, value) for key, value in found.items() if key not in ("checks", "passed")]
    width = max(len(key) for key, _ in entries)
    for key, value in entries:
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        console.print(f"{key.replace('_', ' '):{width}}  {shown}", soft_wrap=True)
    for check in found["checks"]:
        console.print(
            f"{'ok' if check['passed'] else 'FAILED':{width}}  {check['name']}: {check['detail']}", soft_wrap=True
        )


def doctor(args: Namespace) -> int:
    """``ds3sim doctor``."""
    from ds3sim.study.doctor import diagnose

    configure_process()
    found = diagnose()
    if args.json:
        print_json(found)
    else:
        print_diagnosis(found)
    return 0 if found["passed"] else 1
