"""``ds3sim sweep`` and ``ds3sim choose``, and ``ds3sim run`` of a distribution of tasks."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping

from ds3sim.cli.choose import choose
from ds3sim.cli.console import computed, finish, show


def add_parsers(command: Callable, set_option: Callable, output_options: Callable) -> None:
    """The parsers of ``sweep`` and ``choose``."""
    abouts = {
        "sweep": "run every point of a config's [sweep] axes, points of one shape together",
        "choose": "say which strategy is best at each budget, how sure that is, and by how much",
    }
    for name, about in abouts.items():
        parser = command(name, about)
        parser.add_argument("config", metavar="CONFIG", help="TOML file")
        set_option(parser)
        parser.add_argument("--seed", metavar="N", help="same as --set seed=N")
        parser.add_argument("--traces", metavar="N", help="same as --set engine.traces=N")
        parser.add_argument("--engine", metavar="KIND", help="same as --set engine.kind=KIND")
        parser.add_argument("--store", metavar="FILE", help="keep what is simulated in this file, and go on from there")
        if name == "sweep":
            parser.add_argument("--out", metavar="FILE", help="write the result: .csv, .json, .parquet, .nc or .zarr")
        output_options(parser)
        parser.set_defaults(function=sweep if name == "sweep" else choose)


def sweep(args: Namespace) -> int:
    """``ds3sim sweep``."""
    from ds3sim.cli.console import say
    from ds3sim.core.record import check_out
    from ds3sim.results.dataset import write
    from ds3sim.study.run import run_sweep

    if args.out is not None:
        check_out(args.out)
    result, interrupted = computed(args, run_sweep, need_axes=True)
    if args.out is not None and result["points"]:
        say(args, f"results: {write(result, args.out)}")
    show(args, result, print_sweep)
    return finish(args, interrupted, f"{len(result['points']):,} points")


# ---- pieces -------------------------------------------------------------------------------------


def print_sweep(result: Mapping) -> None:
    """The table of ``ds3sim sweep``: one line for each point, strategy and budget, 200 lines at most."""
    from ds3sim.cli.console import budget, new_table, number, probability, terminal

    points, said = result["points"], result["environment"]
    rows = [(point, row) for point in points for row in point["results"]]
    axes = list(points[0]["axes"]) if points else []
    several = any("strategy" in row for _, row in rows)
    flops = any(row["expected_flops"] is not None for _, row in rows)
    given = next((key for key in ("tokens", "flops", "cot_steps") if rows and key in rows[0][1]), None)
    sampled = any(row["traces"] for _, row in rows)
    columns = [(axis, True) for axis in axes] + ([("strategy", False)] if several else [])
    columns += [({"cot_steps": "CoT steps"}.get(given, f"budget {given}"), True)] if given else []
    columns += [("steps", True), ("success", True)] + ([("95% interval", False)] if sampled else [])
    columns += [("theory", True), ("expected steps", True), ("tokens", True)] + ([("FLOPs", True)] if flops else [])
    table = new_table(columns)
    for point, row in rows[:200]:
        theory = {(r.get("strategy"), r["steps"]): r["success"] for r in point["reference"]}
        cells = [
            number(v) if isinstance(v, int | float) and not isinstance(v, bool) else str(v)
            for v in point["axes"].values()
        ]
        cells += [row["strategy"]] if several else []
        cells += [number(row[given])] if given else []
        p = row["success"]
        cells += [budget(row["steps"]), probability(p["estimate"])]
        cells += [f"{probability(p['low'])} to {probability(p['high'])}"] if sampled else []
        cells += [probability(theory.get((row.get("strategy"), row["steps"])))]
        cells += [number(row["expected_steps"]["estimate"]), number(row["expected_tokens"])]
        cells += [number(row["mean_flops"])] if flops else []
        table.add_row(*cells)
    console = terminal()
    console.print(f"{said['name']}: engine {said['engine']}, {len(points):,} points, seed {said['seed']}")
    console.print(table)
    if len(rows) > 200:
        console.print(f"... and {len(rows) - 200:,} more rows: --out results.csv or --json has them all.")
