"""``ds3sim run``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from ds3sim.cli.console import computed, finish, new_table, overrides_of, print_json, say, show, terminal
from ds3sim.cli.progress import progress_bar
from ds3sim.core.errors import InputError, require
from ds3sim.core.runtime import configure_process
from ds3sim.core.text import terminal_budget as budget
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability


def print_result(result: Mapping) -> None:
    """The table of ``ds3sim run``."""
    rows = result["results"]
    several = any("strategy" in row for row in rows)
    sampled = result["traces"] > 0
    flops = any(row["expected_flops"] is not None for row in rows)
    given = next((unit for unit in ("tokens", "flops") if unit in rows[0]), None)
    theory = {(row.get("strategy"), row["steps"]): row for row in result["reference"]}
    columns = [("strategy", False)] if several else []
    columns += [(f"budget {given}", True)] if given else []
    columns += [("steps", True), ("success", True)]
    columns += [("95% interval", False)] if sampled else []
    columns += [("theory", True), ("expected steps", True), ("tokens", True)]
    columns += [("FLOPs", True)] if flops else []
    table = new_table(columns)
    for row in rows:
        known = theory.get((row.get("strategy"), row["steps"]))
        success = row["success"]
        cells = [row["strategy"]] if several else []
        cells += [number(row[given])] if given else []
        cells += [budget(row["steps"]), probability(success["estimate"])]
        cells += [f"{probability(success['low'])} to {probability(success['high'])}"] if sampled else []
        cells += [probability(known["success"]) if known else "-"]
        cells += [number(row["expected_steps"]["estimate"]), number(row["expected_tokens"])]
        cells += (
            [number(row["mean_flops"] if row["mean_flops"] is not None else row["expected_flops"])] if flops else []
        )
        table.add_row(*cells)
    console = terminal()
    head = f"{result['name']}: engine {result['engine']}"
    if sampled:
        head += f", {result['traces']:,} traces, seed {result['seed']}"
    console.print(head)
    console.print(table)
    sources = sorted({row["by"] for row in result["reference"]})
    if sources:
        console.print(
            f"theory: {', '.join(sources).replace('_', ' ')}. Steps, tokens{', FLOPs' * flops}: mean of a task."
        )
    else:
        console.print("theory: neither a closed form nor an exact value is known for this task.")


def run(args: Namespace) -> int:
    """``ds3sim run``."""
    if args.out is not None:
        from ds3sim.report.write import check_out

        check_out(args.out)
    if is_tasks(args.config, overrides_of(args)):
        return run_tasks(args)
    from ds3sim.config.build import load
    from ds3sim.engine.limits import RANDOM
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
            say(args, f"report: {written[0]}")
        except InputError as error:  # what was computed is still printed
            failed = error
    if args.json:
        print_json(result)
    else:
        print_result(result)
    if interrupted:
        say(args, f"interrupted: the numbers are of the {result['traces']:,} traces done until then")
    if failed is not None:
        raise failed
    return 130 if interrupted else 0


def run_tasks(args: Namespace) -> int:
    """``ds3sim run`` of a config with [tasks]."""
    from ds3sim.study.run import run_sweep

    require(
        args.out is None,
        f"{args.config}: --out makes the report of a single graph, and this config has [tasks]: use --json, or"
        " ds3sim sweep --out FILE",
    )
    args.store = None
    found, interrupted = computed(args, run_sweep, need_axes=False)
    if not found["points"]:
        raise KeyboardInterrupt
    environment, point = found["environment"], found["points"][0]
    said = {key: environment.pop(key) for key in ("name", "engine", "seed")}
    environment.pop("match", None)
    traces = max(row["traces"] for row in point["results"])
    stopping = {"rule": "traces"} if traces else {}
    result = {**said, "traces": traces, "stopping": stopping, **{k: point[k] for k in ("results", "reference")}}
    show(args, result | {"environment": environment}, print_result)
    return finish(args, interrupted, "the point")


def is_tasks(path, overrides) -> bool:
    """Whether a config is a distribution of tasks; one with axes is refused, since ``run`` has no axes."""
    from ds3sim.config.read import apply_overrides, read_toml

    data = apply_overrides(read_toml(path), overrides)
    require("sweep" not in data, f"{path}: has [sweep]: use ds3sim sweep, or remove the table")
    return "tasks" in data
