"""What ``--gpu`` found, for people; and the command itself."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.gpu import SMALL, Bench, Sizes, card

WANTED = 1e12
"""Live steps a second at S = 11 that are wanted of a card for computing centres."""
OF_HAND = 0.7
"""Share of the speed of the kernel by hand that is wanted."""
SWEEP = 10.0
"""How much faster than two CPU cores a sweep is wanted to be."""


def no_gpu(devices: list[Any]) -> str | None:
    """Why there is nothing to measure, in a line; None: there is a GPU."""
    if devices[0].platform == "gpu":
        return None
    name = machine.gpu()
    if name:
        return (
            f"there is a card ({name}), but JAX sees only {devices[0].platform}: install JAX for it with"
            " pip install 'jax[cuda13]'"
        )
    return f"there is no GPU: JAX sees {devices[0].platform} alone, and nvidia-smi no card. Nothing was measured."


def main(rehearse: bool, out: Path) -> int:
    """Measure, print, and write the files; 1 without a GPU, or where something is not equal to the CPU's."""
    import jax

    devices = jax.devices()
    why = no_gpu(devices)
    if why and not rehearse:
        print(f"error: {why}", file=sys.stderr)
        return 1
    bench = Bench(devices[0], SMALL if why else Sizes())
    found = bench.run(lambda text: print(text, file=sys.stderr, flush=True))
    result = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "rehearsal": bench.rehearsal,
        "machine": machine.describe(),
        "card": card(bench.device),
        "parts": found,
    }
    text = markdown(result)
    print(text)
    if not bench.rehearsal:
        out.mkdir(parents=True, exist_ok=True)
        name = f"{result['date'][:10]}-gpu-{machine.slug(result['card']['kind'])}"
        (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        (out / f"{name}.md").write_text(text + "\n")
        print(f"written: {out / name}.json and .md", file=sys.stderr)
    return 1 if wrong(found) else 0


def wrong(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What is not equal, and why nothing is known of it."""
    lines = [f"{part}: {row}" for part, rows in found.items() for row in rows if row.get("equal") is False]
    return lines + [
        f"correctness: {row[key]}" for row in found["correctness"] for key in ("failed", "not run") if key in row
    ]


def wanted(found: dict[str, list[dict[str, Any]]]) -> list[tuple[str, float, float]]:
    """(what, measured, wanted) of the aims that could be measured."""
    out = []

    def best(part: str, case: str) -> float:
        rows = [row for row in found.get(part, ()) if case in row.get("case", "")]
        return max((row["live_steps_per_s"] for row in rows if "live_steps_per_s" in row), default=0.0)

    if rate := best("throughput", "S=11"):
        out.append(("live steps a second at S = 11, endings alone", rate, WANTED))
    if (rate := best("throughput", "S=11")) and (hand := best("by_hand", "S=11")):
        out.append(("share of the kernel by hand at S = 11", rate / hand, OF_HAND))
    faster = [row["faster"] for row in found.get("sweeps", ()) if "faster" in row]
    return out + [("a sweep, to the CPU cores of this machine", many, SWEEP) for many in faster]


def markdown(result: dict[str, Any]) -> str:
    """One table for each part."""
    about, of = result["card"], result["machine"]
    versions = ", ".join(f"{name} {found}" for name, found in about["versions"].items() if found)
    lines = [
        f"# {'Rehearsal without a GPU' if result['rehearsal'] else 'Benchmark of a GPU'}, {result['date']}",
        "",
        f"- device: {about['kind']} ({about['platform']}, {about['platform_version'].splitlines()[0]}); nvidia-smi:"
        f" {about['nvidia_smi'] or 'no card'}",
        f"- host: {of['cpu']}, {of['usable_cores']} cores; {of['os']}; Python {of['python']}, {versions}",
        "- live steps: traces times E[min(T, D, K)] of the exact law, the same for every kernel",
    ]
    if result["rehearsal"]:
        lines.append("- THE TIMES BELOW MEAN NOTHING: sizes are tiny, and the GPU's kernel is interpreted on the CPU")
    else:
        lines += [f"- {what}: {have:.3g}, wanted {need:.3g}" for what, have, need in wanted(result["parts"])]
    bad = wrong(result["parts"])
    lines += ["- " + (f"NOT EQUAL: {'; '.join(bad)}" if bad else "everything that was compared is equal bit for bit")]
    for part, rows in result["parts"].items():
        lines += ["", f"## {part.replace('_', ' ')}"]
        previous: list[str] = []
        for row in rows:
            if list(row) != previous:
                previous = list(row)
                lines += ["", f"| {' | '.join(previous)} |", "|---" * len(previous) + "|"]
            lines.append(f"| {' | '.join(_cell(value) for value in row.values())} |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "/").replace("\n", " ")
