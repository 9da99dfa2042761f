"""``ds3sim sweep`` and ``ds3sim choose``, and ``ds3sim run`` of a distribution of tasks."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import pairwise

from ds3sim.core.errors import require


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
    from ds3sim.cli.commands import _say
    from ds3sim.study.dataset import check_path, write
    from ds3sim.study.sweep import run_sweep

    if args.out is not None:
        check_path(args.out)
    result, interrupted = _computed(args, run_sweep, need_axes=True)
    if args.out is not None and result["points"]:
        _say(args, f"results: {write(result, args.out)}")
    _show(args, result, print_sweep)
    return _end(args, interrupted, f"{len(result['points']):,} points")


def choose(args: Namespace) -> int:
    """``ds3sim choose``."""
    from ds3sim.study.choose import choose as run_choice

    result, interrupted = _computed(args, run_choice, need_axes=False)
    _show(args, result, print_choice)
    return _end(args, interrupted, f"{len(result['choices']):,} budgets")


def run_tasks(args: Namespace) -> int:
    """``ds3sim run`` of a config with [tasks]."""
    from ds3sim.cli import table
    from ds3sim.study.sweep import run_sweep

    require(
        args.out is None,
        f"{args.config}: --out makes the report of a single graph, and this config has [tasks]: use --json, or"
        " ds3sim sweep --out FILE",
    )
    args.store = None
    found, interrupted = _computed(args, run_sweep, need_axes=False)
    if not found["points"]:
        raise KeyboardInterrupt
    environment, point = found["environment"], found["points"][0]
    said = {key: environment.pop(key) for key in ("name", "engine", "seed")}
    environment.pop("match", None)
    traces = max(row["traces"] for row in point["results"])
    stopping = {"rule": "traces"} if traces else {}
    result = {**said, "traces": traces, "stopping": stopping, **{k: point[k] for k in ("results", "reference")}}
    _show(args, result | {"environment": environment}, table.print_result)
    return _end(args, interrupted, "the point")


def is_tasks(path, overrides) -> bool:
    """Whether a config is a distribution of tasks; one with axes is refused, since ``run`` has no axes."""
    from ds3sim.study.load import apply_overrides, read_toml

    data = apply_overrides(read_toml(path), overrides)
    require("sweep" not in data, f"{path}: has [sweep]: use ds3sim sweep, or remove the table")
    return "tasks" in data


# ---- pieces -------------------------------------------------------------------------------------


def _computed(args: Namespace, compute: Callable, *, need_axes: bool) -> tuple[dict, bool]:
    """(result, interrupted) of a sweep or a choice, with its bar and its store."""
    from ds3sim.cli.commands import overrides_of
    from ds3sim.core.runtime import configure_process
    from ds3sim.engine import RANDOM
    from ds3sim.study.store import Store
    from ds3sim.study.sweep import Interrupted
    from ds3sim.study.sweep_plan import read_sweep

    plan = read_sweep(args.config, overrides_of(args), need_axes=need_axes)
    if plan.config.engine.kind in RANDOM:
        configure_process()
    with Store.open(args.store) if args.store is not None else nullcontext() as store, _bar(args, plan) as progress:
        try:
            return compute(plan, store, progress), False
        except Interrupted as stop:
            return stop.result, True


def _show(args: Namespace, result: dict, table: Callable) -> None:
    from ds3sim.cli.commands import _print_json

    if args.json:
        _print_json(result)
    else:
        table(result)


def _end(args: Namespace, interrupted: bool, done: str) -> int:
    if not interrupted:
        return 0
    kept = f"{args.store} keeps what was simulated; the same command goes on from there"
    print(
        f"interrupted: {done} done; {kept if args.store else 'with --store FILE more would be kept'}", file=sys.stderr
    )
    return 130


@contextmanager
def _bar(args: Namespace, plan) -> Iterator[Callable | None]:
    """A function for (trials, points) just done, with rate and time left, where stderr is a terminal."""
    if args.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Points a second."""

        def render(self, task) -> Text:
            speed = task.finished_speed or task.speed
            trials, seconds = task.fields["trials"], task.elapsed or 0.0
            said = f"{speed:,.1f} points/s" if speed else ""
            return Text(said + (f" {trials / seconds:.3g} trials/s" if trials and seconds else ""))

    columns = (BarColumn(), TextColumn("{task.fields[points]:,} of {task.fields[of]:,} points"), Rate())
    clocks = (TimeElapsedColumn(), TimeRemainingColumn())
    engine = plan.config.engine
    # Trials move the bar between points; a point of several tasks has more of them than one.
    each = engine.traces * len(plan.strategies) if engine.kind == "traces" and engine.relative_error is None else 0
    with Progress(*columns, *clocks, console=Console(stderr=True), transient=True) as bar:
        job = bar.add_task("sweep", total=float(plan.count), points=0, of=plan.count, trials=0)
        state = {"trials": 0, "points": 0}

        def advance(trials: int, points: int) -> None:
            state["trials"] += trials
            state["points"] += points
            reached = min(plan.count, state["trials"] / each) if each else 0.0
            bar.update(job, completed=max(state["points"], reached), points=state["points"], trials=state["trials"])

        yield advance


def print_sweep(result: Mapping) -> None:
    """The table of ``ds3sim sweep``: one line for each point, strategy and budget, 200 lines at most."""
    from ds3sim.cli.table import _console, _table, budget, number, probability

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
    table = _table(columns)
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
    console = _console()
    console.print(f"{said['name']}: engine {said['engine']}, {len(points):,} points, seed {said['seed']}")
    console.print(table)
    if len(rows) > 200:
        console.print(f"... and {len(rows) - 200:,} more rows: --out results.csv or --json has them all.")


def print_choice(result: Mapping) -> None:
    """The table of ``ds3sim choose``."""
    from ds3sim.cli.table import _console, _table, number, probability

    choices, said = result["choices"], result["environment"]
    console = _console()
    console.print(f"{said['name']}: engine {said['engine']}, seed {said['seed']}")
    if not choices:
        return
    axes = list(choices[0]["axes"])
    given = next(key for key in ("cot_tokens", "tokens", "flops", "steps") if key in choices[0])
    columns = [(axis, True) for axis in axes] + [(f"budget {given.replace('cot_', '')}", True), ("best", False)]
    columns += [
        ("success", True),
        ("P(best)", True),
        ("ahead of", False),
        ("by", True),
        ("interval", False),
        ("", False),
    ]
    table = _table(columns)
    for choice in choices:
        best = next(row for row in choice["results"] if row["strategy"] == choice["best"])
        gap = choice["difference"]
        cells = [
            number(v) if isinstance(v, int | float) and not isinstance(v, bool) else str(v)
            for v in choice["axes"].values()
        ]
        cells += [number(choice[given]), choice["best"], probability(best["success"]["estimate"])]
        cells += [f"{choice['probability_best'][choice['best']]:.4f}", choice["runner_up"], f"{gap['estimate']:.4f}"]
        cells += [f"{gap['low']:.4f} to {gap['high']:.4f}", "clear" if choice["clear"] else "not clear"]
        table.add_row(*cells)
    console.print(table)
    console.print(
        f"P(best): posterior chance to be the best. Intervals of the difference hold together at {result['level']:.0%}"
        f" over all {result['comparisons']:,} comparisons of two strategies at a budget.",
        soft_wrap=True,
    )
    for line in changes(choices, given):
        console.print(line, soft_wrap=True)


def changes(choices, given: str) -> list[str]:
    """Where the best strategy changes along the budgets of a point, in words."""
    out = []
    unit = {"flops": "FLOPs", "cot_tokens": "tokens of one chain of thought"}.get(given, given)
    for before, after in pairwise(choices):
        if before["axes"] != after["axes"] or before["best"] == after["best"]:
            continue
        told = ", ".join(f"{k} = {f'{v:g}' if isinstance(v, float) else v}" for k, v in after["axes"].items())
        between = f"between {before[given]:g} and {after[given]:g} {unit}"
        sure = "" if before["clear"] and after["clear"] else " (not clear)"
        out.append(f"{after['best']} overtakes {before['best']} {between}{f' at {told}' if told else ''}{sure}.")
    return out
