"""Pages of results and of fits: what was asked, figures, tables, theory beside them. No script, no network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any

from ds3sim.core.errors import InputError
from ds3sim.core.figure import DARK, LIGHT, Theme, data_uri, new_figure, render
from ds3sim.core.text import duration, in_words, number, probability
from ds3sim.report import prose, run_figures
from ds3sim.report.curves import Curve
from ds3sim.report.tables import Cell, Compared, Head, Table, compared, results_table, theory_table
from ds3sim.results.plot import AXIS, Lines, axis_label, draw_lines, lines_of, said
from ds3sim.results.result import Result

MOST_ROWS = 2000
"""Rows of a table; the files hold all of them."""
PARAMETERS = {
    "solvable": "share of tasks that can be solved, A",
    "alpha": "alpha of the success rates",
    "beta": "beta of the success rates",
    "c_star": "chance of the most frequent wrong answer, c*",
    "plateau": "accuracy of the vote without end",
}
"""What the parameters of fits mean."""


def rendered(package: str, template: str, **values: Any) -> str:
    """A template of a package filled in; it may extend those of this package. Text is escaped."""
    import jinja2

    loaders = [jinja2.PackageLoader(place, "templates") for place in (package, "ds3sim.report")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


@dataclass(frozen=True)
class Picture:
    """A figure on a page, as addresses that hold it; ``alt`` is what it shows, for who cannot see it."""

    title: str
    caption: str
    alt: str
    light: str
    dark: str
    wide: bool = False


def picture(draw: Callable[[Theme], Any], title: str, caption: str, alt: str = "", wide: bool = False) -> Picture:
    """A figure in light and dark; ``draw`` makes it in a theme."""
    light, dark = (data_uri(render(draw(theme), "svg")) for theme in (LIGHT, DARK))
    return Picture(title, caption, alt or caption, light, dark, wide)


def result_page(result: Result, curves: Sequence[Curve] = ()) -> str:
    """The page of a run or a sweep as HTML, with the theory between the budgets of a run."""
    rows = compared(result)
    z = [abs(v) for one in rows for v in (one.z_success, one.z_steps) if v is not None]
    usual = NormalDist().inv_cdf(1 - 0.025 / len(z)) if z else math.inf
    many, shown = bool(result.axes), rows[:MOST_ROWS]
    return rendered(
        "ds3sim.report",
        "result.html.jinja",
        kind="sweep" if many else "report",
        name=result.name,
        headline=sweep_headline(result) if many else prose.run_headline(rows),
        asked=prose.asked(result) if result.config else [],
        figures=sweep_pictures(result) if many else run_pictures(result, rows, curves),
        results=results_table(result, shown),
        theory=theory_table(result, shown, usual),
        total=len(rows),
        random=any(one.row.traces for one in rows),
        has_flops=any(one.row.mean_flops is not None for one in rows),
        checks=len(z),
        largest_z=number(max(z, default=0.0), 3),
        usual_z=number(usual, 3),
        far=bool(z) and max(z) > usual,
        facts=[*_flat(result.environment), *(("stopping, " + k, v) for k, v in _flat(result.stopping))],
        config_text=config_text(result),
    )


def run_pictures(result: Result, rows: list[Compared], curves: Sequence[Curve]) -> list[Picture]:
    """The figures of a result without axes."""
    random, known = any(one.row.traces for one in rows), any(one.row.reference is not None for one in rows)
    points = (
        "the simulation with 95% intervals, often smaller than the point; the band joins the intervals."
        if random
        else "the values of the engine."
    )
    text = f"Success probability at each budget. Points are {points}"
    text += " The line is the theory." if known else ""
    if random and known:
        text += " Below: z, the distance of simulation from theory in standard errors; the grey band holds 95% of right"
        text += " values."
    paid = (
        "Left: success against the mean cost of a task, one point a budget. Right: mean cost against budget. A trace"
        " stops when it succeeds, so the mean lies below the worst case (dashed), where the whole budget is used."
    )
    found = " ".join(prose.run_headline(rows))
    drawn = (partial(draw, result, curves) for draw in (run_figures.accuracy_figure, run_figures.cost_figure))
    both = f"Success against mean cost, and mean cost against budget. {found}"
    return [
        picture(next(drawn), "Success against budget", text, f"Success against budget. {found}"),
        picture(next(drawn), "Success and cost", paid, both, wide=True),
    ]


def sweep_pictures(result: Result) -> list[Picture]:
    """The figures of a result with axes: success and mean cost; none where nothing varies by number."""
    drawn = lines_of(result.axes, result.rows)
    if drawn.width < 2:
        return []
    cost = "mean_flops" if all(row.mean_flops is not None for row in result.rows) else "expected_tokens"
    out = []
    for column, title in (("success", "Success"), (cost, "Mean cost")):
        label = axis_label(drawn.x)
        caption = f"{AXIS[column]} against {label[0].lower()}{label[1:]}."
        if column == "success" and result.traces:
            caption += " Bars are 95% intervals, often smaller than the point."
        if drawn.total > len(drawn.lines):
            caption += f" {len(drawn.lines)} of {drawn.total:,} lines are shown, evenly chosen."
        out.append(picture(partial(_lines_figure, drawn, column), title, caption))
    return out


def _lines_figure(drawn: Lines, column: str, theme: Theme) -> Any:
    figure, axes = new_figure((6.8, 4.2 + 0.2 * drawn.legend[0]), 1, 1, theme, 9.5)
    draw_lines(drawn, column, axes[0, 0], theme)
    return figure


def sweep_headline(result: Result) -> list[str]:
    """How much there is, and where success is highest."""
    points, rows = len(result.points), result.rows
    swept = ", ".join(f"{a} ({len({repr(row.axes.get(a)) for row in rows})} values)" for a in result.axes)
    best = max(rows, key=lambda row: row.success)
    where = [f"{axis.rpartition('.')[0]}{'.' * ('.' in axis)}{said(axis, best.axes.get(axis))}" for axis in result.axes]
    where += [best.strategy] if best.strategy is not None else []
    out = [
        f"{points:,} point{'' if points == 1 else 's'}, {len(rows):,} results, over {swept}.",
        f"The highest success is {probability(best.success)}: {', '.join([*where, f'{in_words(best.steps)} steps'])}.",
    ]
    if result.missing:
        out.append(f"{result.missing:,} points of the sweep have not been simulated yet.")
    return out


def config_text(result: Result) -> str:
    """The config of a result as TOML; "" where it is not known."""
    import tomli_w

    return tomli_w.dumps(result.config) if result.config else ""


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            out += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, float) and key.endswith("_s") and math.isfinite(value):
            out.append((f"{prefix}{key.removesuffix('_s')}", duration(value)))
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else "–" if value is None else value
            out.append((prefix + key, str(text)))
    return out


def fit_page(about: Mapping[str, Any], svg: bytes) -> str:
    """The page of a fit as HTML, from what ``ds3sim fit --json`` prints and its figure. InputError: it is no fit."""
    try:
        votes = "c_star" in about
        what = "Accuracy of the vote" if votes else "pass@N"
        last = about["predictions"][-1]
        headline = f"At N = {last['n']:,} {what} is {_estimate(last)}."
        caption = f"{what} against N: data as dots, the fit as a line with its 95% band."
        return rendered(
            "ds3sim.report",
            "fit.html.jinja",
            kind="fit",
            name=str(about["source"]),
            headline=[headline],
            figure=Picture(what, caption, f"{caption} {headline}", data_uri(svg), data_uri(svg)),
            parameters=_parameters(about),
            predictions=_predictions(about["predictions"], what),
            notes=[*about.get("notes", ()), *about.get("warnings", ())],
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InputError(f"this is not a fit of ds3sim fit: {type(error).__name__}: {error}") from None


def _parameters(about: Mapping[str, Any]) -> Table:
    heads = (Head("parameter", text=True), Head("value"), Head("95% interval"), Head("meaning", text=True))
    rows = []
    for name, meaning in PARAMETERS.items():
        if name in about:
            ends = about.get("intervals", {}).get(name) or about.get(f"{name}_interval")
            bound = " (at its bound)" if name in about.get("at_bound", ()) else ""
            interval = f"{number(ends[0])} to {number(ends[1])}" if ends else "–"
            rows.append([Cell(name), Cell(number(about[name]) + bound), Cell(interval), Cell(meaning)])
    return Table("Parameters", heads, rows)


def _predictions(rows: list[Mapping[str, Any]], what: str) -> Table:
    costs = [name for name in ("tokens", "flops") if any(row.get(name) is not None for row in rows)]
    heads = (Head("N"), Head(what, "95% interval"), *(Head("cost", {"flops": "FLOPs"}.get(c, c)) for c in costs))
    cells = [[Cell(f"{row['n']:,}"), Cell(_estimate(row)), *(Cell(number(row[c])) for c in costs)] for row in rows]
    return Table("Predictions", heads, cells)


def _estimate(row: Mapping[str, Any]) -> str:
    return f"{probability(row['estimate'])} ({probability(row['low'])} to {probability(row['high'])})"
