"""python -m benchmarks: the traces engine beside its peers. Table or JSON to stdout, progress to stderr."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine
from benchmarks.cases import cases
from benchmarks.measure import Row, measure
from benchmarks.peers import CONTENDERS

RESULTS = Path(__file__).resolve().parent / "results"
SUSPECT = 1e-6
"""A p-value below this marks a contender that does not sample the law; its speed means nothing."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 short rounds; writes no files unless --out is given")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--only", help=f"contenders, separated by commas: {','.join(CONTENDERS)}")
    parser.add_argument("--case", help="cases whose name contains this, for example S=64")
    parser.add_argument("--repetitions", type=int, help="rounds (5; with --quick 3)")
    parser.add_argument("--seconds", type=float, help="length of one run (2.0; with --quick 0.2)")
    parser.add_argument("--out", type=Path, help=f"folder for the result files ({RESULTS})")
    parser.add_argument("--gpu", action="store_true", help="measure the GPU instead, in under eight minutes")
    parser.add_argument("--rehearse", action="store_true", help="with --gpu: its parts on the CPU, tiny, without files")
    chosen = parser.parse_args(arguments)
    if chosen.gpu:
        from benchmarks import gpu_report

        return gpu_report.main(chosen.rehearse, chosen.out or RESULTS)

    names = chosen.only.split(",") if chosen.only else list(CONTENDERS)
    unknown = [name for name in names if name not in CONTENDERS]
    if unknown:
        parser.error(f"unknown contender {unknown[0]!r}: choose from {', '.join(CONTENDERS)}")
    selected = [case for case in cases() if not chosen.case or chosen.case in case.name]
    if not selected:
        parser.error(f"no case contains {chosen.case!r}: there are {', '.join(case.name for case in cases())}")
    repetitions = chosen.repetitions or (3 if chosen.quick else 5)
    seconds = chosen.seconds or (0.2 if chosen.quick else 2.0)

    description = machine.describe()
    rows: list[Row] = []
    for case in selected:
        rows += measure(case, names, repetitions, seconds, lambda text: print(text, file=sys.stderr, flush=True))
    result = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": description,
        "repetitions": repetitions,
        "seconds_per_run": seconds,
        "cases": [
            {"name": case.name, "nodes": case.graph.size, "steps": case.steps, "live_steps": case.law.live_steps}
            for case in selected
        ],
        "rows": [row.summary({other.contender: other for other in rows if other.case == row.case}) for row in rows],
    }
    table = markdown(result)
    if chosen.out or not chosen.quick:
        write(result, table, chosen.out or RESULTS)
    print(json.dumps(result, indent=1) if chosen.json else table)
    wanted = "ds3sim" if "ds3sim" in names else names[0]
    failed = [row for row in rows if row.absent is not None and row.contender == wanted]
    return 1 if failed or suspects(result) else 0


def suspects(result: dict) -> list[str]:
    """Contenders whose counts do not fit the exact law."""
    bad = [r for r in result["rows"] if "absent" not in r and min(r["p_values_against_exact"]) < SUSPECT]
    return [f"{r['contender']} on {r['case']}" for r in bad]


def shared(result: dict) -> list[str]:
    """Runs of the numba loops, which keep every core busy when they can, that got less than 90% of the cores."""
    cores = result["machine"]["usable_cores"]
    rows = [r for r in result["rows"] if "absent" not in r and r["contender"].startswith("numba")]
    return [
        f"{r['contender']} on {r['case']} had {r['cores_used']:.1f} of {cores} cores"
        for r in rows
        if r["cores_used"] < 0.9 * cores
    ]


def write(result: dict, table: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts = [result["date"][:10], machine.slug(result["machine"]["cpu"])]
    if result["machine"]["gpu"]:
        parts.append(machine.slug(result["machine"]["gpu"]))
    name = "-".join(parts)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / f"{name}.md").write_text(table + "\n")
    print(f"written: {folder / name}.json and .md", file=sys.stderr)


def markdown(result: dict) -> str:
    """The result for people: one table a case."""
    about = result["machine"]
    packages = ", ".join(f"{name} {found}" for name, found in about["packages"].items() if found)
    devices = next((r["devices"] for r in result["rows"] if r.get("devices")), None)
    lines = [
        f"# Benchmark of {result['date']}",
        "",
        f"- CPU: {about['cpu']}, {about['usable_cores']} of {about['cores']} cores usable, {about['memory_gib']} GiB;"
        f" GPU: {about['gpu'] or 'none'}; {about['os']}",
        f"- Python {about['python']}, {packages}",
        f"- JAX devices of ds3sim: {devices['count']} x {devices['kind']} ({devices['platform']})"
        if devices
        else "- JAX was not used",
        f"- load average at the start: {about['load_average'] and about['load_average'][0]:.2f};"
        f" median of {result['repetitions']} interleaved runs of about {result['seconds_per_run']:g} s",
        "- live steps: traces times E[min(T, D, K)] of the exact law, the same for all; (slowest to fastest run)",
        "- first: imports, tables, compilation and a first run of 131072 traces, nothing cached on disk; memory: peak"
        " resident size of the contender's process",
        "- to numba, to numba-4: ratios of steps a second; cores used: processor time over time; well below"
        " the number of cores where other programs took a share, and then the ratios are not to be trusted",
        "- the peers' tables are made before the clock starts, those of ds3sim inside every run",
    ]
    for case in result["cases"]:
        lines += [
            "",
            f"## {case['name']}, K={case['steps']} ({case['live_steps']:.1f} live steps a trace)",
            "",
            "| contender | million live steps/s | traces/s | to numba | to numba-4 | cores used | first, s | MiB |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_line(row) for row in result["rows"] if row["case"] == case["name"]]
    lines += ["", "Contenders:", ""]
    lines += [f"- {name}: {CONTENDERS[name]}" for name in dict.fromkeys(row["contender"] for row in result["rows"])]
    if shared(result):
        lines += ["", f"NOT A QUIET MACHINE, so do not use the ratios: {', '.join(shared(result))}."]
    bad = suspects(result)
    lines += ["", f"Counts that do NOT fit the exact law: {', '.join(bad)}" if bad else "All counts fit the exact law."]
    return "\n".join(lines)


def _line(row: dict) -> str:
    if "absent" in row:
        return f"| {row['contender']} | not run: {row['absent']} | | | | | | |"
    ratios = {**row["ratio_to"], row["contender"]: 1.0}
    numba, four = (f"{ratios[name]:.2f}" if name in ratios else "" for name in ("numba", "numba-4"))
    slow, fast = row["slowest_to_fastest"]
    first = row["import_and_tables_s"] + row["compile_and_first_run_s"]
    cells = [
        row["contender"],
        f"{row['million_live_steps_per_s']:.0f} ({slow:.0f} to {fast:.0f})",
        f"{row['traces_per_s']:.3g}",
        numba,
        four,
        f"{row['cores_used']:.1f}",
        f"{first:.1f}",
        f"{row['peak_mib']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
