"""Write the golden files afresh: ``python tests/golden_write.py`` (``--new``: only cases that have none yet).

The tallies are the definition of the random streams. They are never rewritten to make a test pass: a store that
somebody keeps adds new trials to old ones, so a changed stream is a fault of the code. They are written when a case
is added (``--new``), or when the streams are changed on purpose and the changelog says so.
"""

from __future__ import annotations

import argparse
import json

import golden_tallies


def lines(table: dict) -> str:
    """JSON with one line for each entry, so that a diff shows which changed."""
    entries = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in table.items())
    return f"{{\n{entries}\n}}\n"


def write_tallies(new: bool) -> None:
    file = golden_tallies.FILE
    kept = json.loads(file.read_text(encoding="utf-8")) if new and file.exists() else {}
    found = {name: kept.get(name) or golden_tallies.compute(case) for name, case in golden_tallies.CASES.items()}
    file.write_text(lines(found), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--new", action="store_true", help="leave the entries that exist as they are")
    write_tallies(parser.parse_args().new)
