"""Write the golden files afresh: ``python tests/golden_write.py`` (``--new``: only cases that have none yet).

The tallies are the definition of the random streams. They are never rewritten to make a test pass: a store that
somebody keeps adds new trials to old ones, so a changed stream is a fault of the code. They are written when a case
is added (``--new``), or when the streams are changed on purpose and the changelog says so. The same holds for the
outputs: a key that is gone or a number that changed breaks the readers of ``--json``.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import golden_commands
import golden_tallies


def command_output(name: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        found = golden_commands.output(name, Path(folder) / "here")
    assert found["code"] in (0, 1), f"{name} is refused"
    return found


def write(file: Path, names: Iterable[str], make: Callable[[str], dict], new: bool) -> None:
    """One line for each entry, so that a diff shows which changed."""
    kept = json.loads(file.read_text(encoding="utf-8")) if new and file.exists() else {}
    found = {name: kept[name] if name in kept else make(name) for name in names}
    entries = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
    file.write_text(f"{{\n{entries}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--new", action="store_true", help="leave the entries that exist as they are")
    new = parser.parse_args().new
    cases = golden_tallies.CASES
    write(golden_tallies.FILE, cases, lambda name: golden_tallies.compute(cases[name]), new)
    write(golden_commands.FILE, golden_commands.COMMANDS, command_output, new)
