"""``ds3sim doctor``."""

from __future__ import annotations

from argparse import Namespace
from contextlib import suppress

import ds3sim as ds
from ds3sim.cli.console import put, show
from ds3sim.cli.options import JSON
from ds3sim.core.errors import InputError
from ds3sim.core.runtime import configure_process

ABOUT = "show versions, devices and settings, and run a small self-test"
OPTIONS = (JSON,)


def run(args: Namespace) -> int:
    """``ds3sim doctor``."""
    with suppress(InputError):  # the diagnosis says it
        configure_process()
    found = ds.doctor()
    show(args, found, print_diagnosis)
    unusable = [check.detail for check in found.checks if check.name == "devices"]
    if unusable:
        raise InputError(unusable[0])
    return 0 if found.passed else 1


def print_diagnosis(found: ds.Diagnosis) -> None:
    """Settings and self-tests, one a line."""
    told = {key: value for key, value in found.to_dict().items() if key not in ("checks", "passed")}
    width = max(map(len, told))
    put(*(f"{key.replace('_', ' '):{width}}  {value}" for key, value in told.items()))
    put(*(f"{'ok' if c.passed else 'FAILED':{width}}  {c.name}: {c.detail}" for c in found.checks))
