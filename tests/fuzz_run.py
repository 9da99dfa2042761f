"""Many damaged inputs for every reader and command, each input in a process of its own that may die; counts of how.

    scripts/fuzz --rounds 1000 --commands 20 [--seed N] [--only TEXT] [--write docs/trust.md]

Exit code 1 where a fault was found; the files that cause one are kept in the folder ``--keep``.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import fuzz
import fuzz_inputs

MOST_BYTES = 6 * 2**30
"""Memory of a process."""
MOST_SECONDS = 60
"""Time of one reading or one command."""
OUTCOMES = ("read", "refused", "fault", "too long", "died")
MARK = "<!-- counts of scripts/fuzz -->"


def child(name: str, data: Path, asked: str, seed: int, first: int, last: int) -> None:
    """Damage ``data`` with the seeds first .. last - 1; before and after each a line on stdout."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    valid, path = data.read_bytes(), data.parent / "damaged" / name
    path.parent.mkdir(exist_ok=True)
    out = sys.stdout
    for number in range(first, last):
        random = Random(f"{name} {asked} {seed} {number}")
        path.write_bytes(fuzz.damaged(name, valid, random))
        print(json.dumps([number, "begun", ""]), file=out, flush=True)
        signal.alarm(MOST_SECONDS)
        if asked == "read":
            outcome, said = fuzz.outcome(name, path)
        else:
            outcome, said = fuzz.outcome_of_command(random.choice(fuzz.commands(name, path)))
        signal.alarm(0)
        print(json.dumps([number, outcome, said]), file=out, flush=True)


def watched(name: str, data: Path, asked: str, seed: int, rounds: int, keep: Path) -> tuple[Counter, list[str]]:
    """Counts of outcomes, and the faults; a process that dies is begun again after the case that killed it."""
    counts, faults, number = Counter(), [], 0
    while number < rounds:
        command = [sys.executable, "-W", "ignore", __file__, "--child", name, str(data), asked]
        command += [str(n) for n in (seed, number, rounds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            number, outcome, said = json.loads(line)
            if outcome == "begun":
                continue
            number += 1
            counts[outcome] += 1
            if outcome == "fault":
                faults.append(f"{name}, {asked} {number - 1}: {said}")
        said = process.stderr.read()
        if process.wait() != 0:
            outcome = "too long" if process.returncode == -signal.SIGALRM else "died"
            counts[outcome] += 1
            faults.append(f"{name}, {asked} {number}: {outcome} ({process.returncode}) {said[-300:]}")
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{asked}-{number}-{name}").write_bytes((data.parent / "damaged" / name).read_bytes())
            number += 1
    return counts, faults


def table(counts: dict[tuple[str, str], Counter], seed: int) -> str:
    """The counts as Markdown, one row for each format."""
    lines = [
        f"Seed {seed}; times above {MOST_SECONDS} s and memory above {MOST_BYTES / 2**30:g} GiB count as faults.",
        "",
    ]
    lines += [f"| input | damaged files | {' | '.join(OUTCOMES)} | commands | faults |", f"|---|{'---:|' * 8}"]
    for name in dict.fromkeys(name for name, _ in counts):
        of_readers, of_commands = counts[name, "read"], counts[name, "command"]
        row = [of_readers.total(), *(of_readers[outcome] for outcome in OUTCOMES), of_commands.total()]
        row.append(sum(of_commands[outcome] for outcome in OUTCOMES[2:]))
        lines.append(f"| `{name}` | {' | '.join(f'{count:,}' for count in row)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Give damaged inputs to every reader and command.")
    parser.add_argument("--rounds", type=int, default=200, help="damaged files of each input for its reader")
    parser.add_argument("--commands", type=int, default=5, help="damaged files of each input for a command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="inputs whose names hold this")
    parser.add_argument("--write", type=Path, help="page whose table is written anew")
    parser.add_argument("--keep", type=Path, default=Path("faults"), help="folder for the files that cause a fault")
    args = parser.parse_args()
    counts: dict[tuple[str, str], Counter] = {}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for name, content in fuzz_inputs.inputs(Path(folder)).items():
            if args.only not in name:
                continue
            data = Path(folder) / name
            data.write_bytes(content)
            for asked, rounds in (("read", args.rounds), ("command", args.commands)):
                counts[name, asked], found = watched(name, data, asked, args.seed, rounds, args.keep)
                print(f"{name}, {asked}: {dict(counts[name, asked])}", *found, sep="\n  ", flush=True)
                faults += found
    if args.write:
        page = args.write.read_text(encoding="utf-8")
        new = f"{MARK}\n{table(counts, args.seed)}\n{MARK}"
        args.write.write_text(re.sub(f"{MARK}.*{MARK}", lambda _: new, page, flags=re.DOTALL), encoding="utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), sys.argv[4], *map(int, sys.argv[5:]))
    else:
        sys.exit(main())
