"""What commands print: the table of each record, and the sentences below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any

import ds3sim as ds
from ds3sim.core.text import terminal_budget as budget
from ds3sim.core.text import terminal_number as number
from ds3sim.core.text import terminal_probability as probability

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_LINES = 200
"""Lines of a sweep's table."""
WORDS = {"flops": "FLOPs", "cot_tokens": "tokens of one chain of thought"}
"""Units of budgets in sentences."""


def terminal() -> Console:
    """Where tables go: the console of rich on stdout."""
    import sys

    from rich.console import Console

    # A pipe has no width: make lines as long as the table needs.
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


def new_table(columns: Iterable[str]) -> Table:
    """A table of rich's; a title that ends with ``<`` stands over text, any other over numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name.removesuffix("<"), justify="left" if name.endswith("<") else "right", no_wrap=True)
    return table


def say(*parts: Table | str) -> None:
    """Print tables, and lines that the terminal wraps."""
    console = terminal()
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))


def interval(low: float | None, high: float | None, form: Callable[[float | None], str] = probability) -> str:
    """``low to high``."""
    return f"{form(low)} to {form(high)}"


def axis_value(value: object) -> str:
    """The value of an axis."""
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def print_result(result: ds.Result) -> None:
    """One line for each point, strategy and budget; of a sweep 200 lines at most."""
    head = f"{result.name}: engine {result.engine}"
    if result.axes:
        head += f", {len(result.points):,} points, seed {result.seed}"
    elif result.traces:
        head += f", {result.traces:,} traces, seed {result.seed}"
    columns = _columns(result)
    table = new_table(columns)
    shown = result.rows[:MOST_LINES] if result.axes else result.rows
    for row in shown:
        table.add_row(*(cell(row) for cell in columns.values()))
    say(head, table)
    if len(shown) < len(result.rows):
        say(f"... and {len(result.rows) - len(shown):,} more rows: --out FILE.csv or --json has them all.")
    if not result.axes:
        sources = ", ".join(sorted({row.reference.by for row in result.rows if row.reference})).replace("_", " ")
        flops = ", FLOPs" if any(row.mean_flops is not None for row in result.rows) else ""
        none = "neither a closed form nor an exact value is known for this task."
        say(f"theory: {f'{sources}. Steps, tokens{flops}: mean of a task.' if sources else none}")


def _columns(result: ds.Result) -> dict[str, Callable[[Any], str]]:
    """Title -> cell of a row."""
    rows = result.rows
    out: dict[str, Callable[[Any], str]] = {
        axis: lambda row, axis=axis: axis_value(row.axes.get(axis)) for axis in result.axes
    }
    if result.strategies != (None,):
        out["strategy<"] = lambda row: row.strategy
    shown = ("tokens", "flops", "cot_steps")
    given = next((name for name in shown if rows and getattr(rows[0], name) is not None), None)
    if given is not None:
        title = "CoT steps" if given == "cot_steps" else f"budget {given}"
        out[title] = lambda row: number(getattr(row, given))
    out["steps"] = lambda row: budget(row.steps)
    out["success"] = lambda row: probability(row.success)
    if result.traces:
        out["95% interval<"] = lambda row: interval(row.success_low, row.success_high)
    out["theory"] = lambda row: probability(row.reference.success if row.reference else None)
    out["expected steps"] = lambda row: number(row.expected_steps)
    out["tokens"] = lambda row: number(row.expected_tokens)
    if any(row.mean_flops is not None for row in rows):
        out["FLOPs"] = lambda row: number(row.mean_flops)
    return out


def print_choice(choice: ds.Choice) -> None:
    """The table of a choice, and where the best strategy changes."""
    say(f"{choice.name}: engine {choice.engine}, seed {choice.seed}")
    if not choice.decisions:
        return
    unit = choice.decisions[0].unit.removeprefix("cot_")
    columns = [f"budget {unit}", "best<", "success", "P(best)", "ahead of<", "by", "interval<", "<"]
    table = new_table([*choice.axes, *columns])
    for one in choice.decisions:
        (best,) = (row for row in one.rows if row.strategy == one.best)
        gap = one.gaps[0]
        cells = [axis_value(one.axes.get(axis)) for axis in choice.axes]
        cells += [number(one.budget), one.best, probability(best.success), f"{one.probability_best[one.best]:.4f}"]
        cells += [gap.against, f"{gap.estimate:.4f}", f"{gap.low:.4f} to {gap.high:.4f}"]
        table.add_row(*cells, "clear" if one.clear else "not clear")
    say(
        table,
        f"P(best): posterior chance to be the best. Intervals of the difference hold together at {choice.level:.0%}"
        f" over all {choice.comparisons:,} comparisons of two strategies at a budget.",
        *changes(choice.decisions),
    )


def changes(decisions: Sequence[Any]) -> list[str]:
    """Where the best strategy changes along the budgets of a point, in words."""
    out = []
    for before, after in pairwise(decisions):
        if before.axes != after.axes or before.best == after.best:
            continue
        told = ", ".join(f"{k} = {f'{v:g}' if isinstance(v, float) else v}" for k, v in after.axes.items())
        between = f"between {before.budget:g} and {after.budget:g} {WORDS.get(after.unit, after.unit)}"
        sure = "" if before.clear and after.clear else " (not clear)"
        out.append(f"{after.best} overtakes {before.best} {between}{f' at {told}' if told else ''}{sure}.")
    return out


def print_validation(found: ds.Validation) -> None:
    """The table of a validation."""
    table = new_table(["case<", "quantity<", "estimate", "expected", "z", "adjusted p", "<"])
    for check in found.checks:
        numbers = (number(check.estimate, 6), number(check.expected, 6), number(check.z, 3))
        verdict = "ok" if check.passed else "DISAGREES"
        table.add_row(check.name, check.quantity, *numbers, number(check.p_adjusted, 3), verdict)
    failed = sum(not check.passed for check in found.checks)
    verdict = f"{failed} disagree" if failed else "all agree"
    say(table, f"{len(found.checks)} cases, family-wise error {found.family_wise_error:g}: {verdict}.")


def print_allocation(found: ds.Allocation) -> None:
    """The table and the sentences."""
    columns = ["compute", "N", "D", "D/N", "steps", "tokens a task", "inference", "loss", "accuracy"]
    columns += ["with D = kappa N", "extra compute"] if found.comparison else []
    table = new_table([*columns, "held back by<"])
    for point, pair in zip_longest(found.points, found.comparison):
        cells = [number(v) for v in (point.compute, point.parameters, point.training_tokens, point.kappa)]
        cells += [number(point.steps, 6), number(point.tokens_per_task)]
        cells += [f"{100 * point.inference_share:.3g}%", number(point.loss), number(point.accuracy)]
        if pair is not None:
            cells += [number(pair.tied.accuracy), f"{number(pair.extra_compute, 3)}x" if pair.extra_compute else "-"]
        table.add_row(*cells, ", ".join(point.bounds) or ("saturated" if point.saturated else ""))
    head = f"{found.name}: mode {found.mode}, {found.tasks:g} tasks, {found.constants.name}"
    say(head, table, *found.words)


def print_training(found: ds.TrainingResult) -> None:
    """The table and the sentences."""
    told = found.to_dict()
    model, limit, simulation, levels = told["model"], told["threshold"], told["simulation"], told["levels"]
    lines = [
        f"{found.name}: N = {number(model['parameters'])} parameters, D = {number(model['tokens'])} tokens"
        f" (D/N = {model['tokens_per_parameter']:.4g}), C_tr = {number(model['training_flops'])} FLOPs",
        f"R = {number(told['concepts'])} concepts, T = {number(told['texts'])} texts, T/R ="
        f" {told['texts_per_concept']:.4g}. Threshold: eps_BP = {limit['eps_bp']:.5f}, eps ="
        f" {limit['initially_unknown']:g}; law {model['finite_size']}, a = {limit['scale']:.4f}, b ="
        f" {limit['shift']:.3g}.",
        f"Theory: peeling gets stuck with probability {probability(told['stuck'])}, P_b ="
        f" {probability(told['unlearnt'])}, learnt fraction {told['learnt']:.5f}, excess entropy at least"
        f" {number(told['excess_entropy'])} nats.",
    ]
    if simulation is not None:
        share, theory = simulation["stuck"], simulation["theory"]
        lines.append(
            f"Simulation, {simulation['graphs']:,} graphs of {simulation['concepts']:,} concepts: stuck"
            f" {share['estimate']:.4f} (95% {share['low']:.4f} to {share['high']:.4f}; theory at this size"
            f" {theory['stuck']:.4f}), unknown {simulation['unlearnt']['estimate']:.5f} (theory"
            f" {theory['unlearnt']:.5f})."
        )
    sampled = any(row["simulated"] for row in levels)
    models = f", and {simulation['models']} sampled models with the error of giant" if sampled and simulation else ""
    highest = {"highest_level": "by (21)", "highest_level_exact": "by the exact law"}
    highest |= {"highest_level_simulated": "simulated"} if sampled else {}
    said = ", ".join(f"{told[key] or 'none'} {how}" for key, how in highest.items())
    say(
        *lines,
        _levels_table(levels, sampled),
        f"Theory with g by (21), with g by the exact binomial law{models}.",
        f"Highest level with p of at least 1/2: {said}. Sum of p over levels: {told['levels_learnt']:.3f}.",
        *(f"note: {note}" for note in found.notes),
    )


def _levels_table(levels: list[dict], sampled: bool) -> Table:
    """The levels by theory, by the exact law and as sampled."""
    columns = ["level", "concepts", "g (21)", "p", "giant", "| g exact", "p", "giant"]
    table = new_table([*columns, *(["| g simulated", "p", "giant", "+-"] if sampled else [])])
    for row in shown_levels(levels):
        exact, own = row["exact"], row["simulated"]
        cells = [str(row["level"]), number(row["concepts_per_skill"])]
        cells += [probability(row[key]) for key in ("acquired", "p", "giant")]
        cells += ["| " + probability(exact["acquired"]), probability(exact["p"]), probability(exact["giant"])]
        if own:
            cells += ["| " + probability(own["acquired"]["estimate"]), probability(own["p"]["estimate"])]
            cells += [probability(own["giant"]["estimate"]), f"{own['giant']['error']:.5f}"]
        table.add_row(*cells)
    return table


def shown_levels(levels: list[dict]) -> list[dict]:
    """Every fifth level, and those where theory by (21) changes most."""
    near = {0, len(levels) - 1, *range(4, len(levels), 5)}
    for at in range(1, len(levels)):
        if any(abs(levels[at][key] - levels[at - 1][key]) > 0.02 for key in ("acquired", "p", "giant")):
            near |= {at - 1, at}
    return [row for at, row in enumerate(levels) if at in near]


def print_rates(result: dict[str, Any]) -> None:
    """The success rates of a log, and pass@N."""
    table = new_table(["parameter<", "value", "standard error", "95% interval<"])
    for name in ("solvable", "alpha", "beta"):
        mark = " (at its bound)" if name in result["at_bound"] else ""
        error, (low, high) = number(result["standard_errors"][name], 3), result["intervals"][name]
        table.add_row(name, number(result[name]) + mark, error, interval(low, high, number))
    if "squared_error" in result:
        quality = f"squared error {result['squared_error']:.6g} over {result['points']} points"
    else:
        quality = f"log-likelihood {result['log_likelihood']:.6g} over {result['problems']} problems"
    head = f"{result['source']}: pass@N = A (1 - B(alpha, beta+N)/B(alpha, beta)), A = solvable"
    say(head, table, quality, _predictions(result, "pass@N"))


def print_votes(result: dict[str, Any], words: str) -> None:
    """The wrong answers of a log, and the vote at N."""
    low, high = result["c_star_interval"]
    say(
        f"{result['source']}: wrong answers {words}",
        f"c* = {result['c_star']:.4f} ({low:.4f} to {high:.4f})",
        f"plateau of the vote {probability(result['plateau'])} ({interval(*result['plateau_interval'])})",
        _predictions(result, "vote@N"),
    )


def _predictions(result: dict[str, Any], title: str) -> Table:
    """A table of N, success and cost."""
    rows = result["predictions"]
    costs = [name for name in ("tokens", "flops") if any(row[name] is not None for row in rows)]
    table = new_table(["N", title, "95% interval<", *costs])
    for row in rows:
        cells = [f"{row['n']:,}", probability(row["estimate"]), interval(row["low"], row["high"])]
        table.add_row(*cells, *(number(row[c]) for c in costs))
    return table


def print_plan(result: dict[str, Any]) -> None:
    """What each strategy needs, and the one that is recommended."""
    table = new_table(["strategy<", "samples", "success", "95% interval<", "at most", "tokens", "FLOPs"])
    for row in result["strategies"]:
        cells = ["out of reach", probability(None), "-"]
        if row["n"] is not None:
            success = row["success"]
            cells = [f"{row['n']:,}", probability(success["estimate"]), interval(success["low"], success["high"])]
        costs = (number(row["tokens"]), number(row["flops"]))
        table.add_row(row["strategy"].replace("_", " "), *cells, probability(row["largest"]), *costs)
    best = result["recommended"]
    said = best and f"recommended: {best['strategy'].replace('_', ' ')} with {best['n']:,} samples"
    say(table, said or "no strategy reaches the target")


def print_merged(found: Any) -> None:
    """What each store holds."""
    table = new_table(["store<", "problems", "rows", "trials", "sweeps<"])
    for held in (*found.inputs, found.out):
        sweeps = ", ".join(f"{sweep.name} ({len(sweep.points):,} points)" for sweep in held.sweeps) or "-"
        table.add_row(held.file, *(f"{count:,}" for count in (len(held.problems), held.rows, held.trials)), sweeps)
    new = found.new_rows
    say(table, f"{found.out.file}: {new:,} new row{'' if new == 1 else 's'}." if new else "Nothing was new.")


def print_diagnosis(found: ds.Diagnosis) -> None:
    """Settings and self-tests, one a line."""
    told = {key: value for key, value in found.to_dict().items() if key not in ("checks", "passed")}
    width = max(map(len, told))
    say(*(f"{key.replace('_', ' '):{width}}  {value}" for key, value in told.items()))
    say(*(f"{'ok' if c.passed else 'FAILED':{width}}  {c.name}: {c.detail}" for c in found.checks))
