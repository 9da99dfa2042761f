"""One self-contained page for a sweep, from its store or its JSON: curves and the table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ds3sim.core.errors import require
from ds3sim.core.text import in_words, number, probability
from ds3sim.report import run_figures as figures
from ds3sim.report.run_page import data_uri
from ds3sim.results import tidy

MOST_ROWS = 2000
"""Rows of the table; the files hold all of them."""

MOST_LINES = 8
"""Lines of a figure: as many as there are colours."""

_TITLES = {
    "budget_steps": "budget",
    "budget_steps_per_trace": "per trace",
    "given_tokens": "budget",
    "cot_tokens": "CoT budget",
    "cot_steps": "CoT budget",
    "given_FLOP": "budget",
    "success_probability": "success",
    "expected_steps": "expected",
    "expected_tokens": "expected",
    "mean_FLOP": "mean",
    "budget_tokens": "worst case",
    "budget_FLOP": "worst case",
    "traces": "traces",
}


@dataclass(frozen=True)
class Lines:
    """What the figures draw.

    Attributes:
        x: the column along the horizontal axis.
        lines: label -> rows, sorted by x.
        total: lines that there would be without a limit.
    """

    x: str
    lines: dict[str, list[dict[str, Any]]]
    total: int


def render_store_page(result: Mapping[str, Any]) -> str:
    """The page of a sweep as HTML.

    Args:
        result: what ``ds3sim sweep --json`` prints, or what a store holds of it.

    Raises:
        InputError: not a result of ``sweep`` or ``run``, or one without rows.
    """
    import jinja2

    rows = tidy.tidy_rows(result)
    require(len(rows) > 0, "there are no results to show: nothing was simulated yet")
    axes = [tidy.axis_column(name) for name in tidy.axis_names(result)]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ds3sim.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # One look for all pages: the style is that of the run's page.
    assert environment.loader is not None
    source = environment.loader.get_source(environment, "report.html.jinja")[0]
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)
    drawn = choose_lines(rows, axes)
    columns = _columns(rows, axes)
    shown = rows[:MOST_ROWS]
    return environment.get_template("store.html.jinja").render(
        name=str(result.get("name") or (result.get("environment") or {}).get("name") or "sweep"),
        headline=_headline(result, rows, axes),
        style=style.group(1) if style else "",
        figures=_figures(drawn) if drawn.lines else [],
        columns=columns,
        rows=[[_cell(row, column["name"]) for column in columns] for row in shown],
        left_out=len(rows) - len(shown),
        facts=_facts(result),
    )


def choose_lines(rows: Sequence[dict[str, Any]], axes: Sequence[str]) -> Lines:
    """The axis or budget with the most values goes along x; everything else makes lines, at most eight."""
    keys = [*axes, "strategy"]
    given = next(
        (
            k
            for k in ("given_FLOP", "given_tokens", "cot_tokens", "cot_steps", "budget_steps")
            if rows[0].get(k) is not None
        ),
        None,
    )
    others = [key for key in (*axes, given) if key is not None]
    numeric = [k for k in others if all(_is_number(row.get(k)) for row in rows)]
    counts = {k: len({row[k] for row in rows}) for k in numeric}
    if not counts or max(counts.values()) < 2:
        return Lines(given or "", {}, 0)
    x = max(counts, key=lambda k: (counts[k], k == given))
    rest = [k for k in (*keys, given) if k is not None and k != x]
    # An axis that goes along with x (zipped) is no reason for another line.
    bound = {k for k in rest if len({(row.get(x), row.get(k)) for row in rows}) == counts[x]}
    rest = [k for k in rest if k not in bound and len({row.get(k) for row in rows}) > 1]
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault(", ".join(_said(k, row.get(k)) for k in rest), []).append(row)
    names = list(lines)
    if len(names) > MOST_LINES:
        names = [names[round(i * (len(names) - 1) / (MOST_LINES - 1))] for i in range(MOST_LINES)]
    return Lines(x, {n: sorted(lines[n], key=lambda row: row[x]) for n in names}, len(lines))


def draw(drawn: Lines, column: str, label: str, theme: figures.Theme = figures.LIGHT):
    """A ``matplotlib`` figure of a column against x, with 95% intervals where the rows have them."""
    figure = figures.new_figure((6.8, 4.4), theme)
    axes = figure.subplots(1, 1)
    every: list[dict[str, Any]] = []
    for index, (name, rows) in enumerate(drawn.lines.items()):
        colour, marker, dash = figures._look(theme, index)
        rows = [row for row in rows if row.get(column) is not None]
        every += rows
        x, y = [row[drawn.x] for row in rows], [row[column] for row in rows]
        low = [row.get(f"{column}_low95", row[column]) for row in rows]
        high = [row.get(f"{column}_high95", row[column]) for row in rows]
        below = [max(0.0, m - a) for m, a in zip(y, low, strict=True)]
        above = [max(0.0, b - m) for m, b in zip(y, high, strict=True)]
        size = 4.5 if len(x) <= 25 else 2.5 if len(x) <= 100 else 0
        axes.errorbar(
            x,
            y,
            yerr=[below, above],
            color=colour,
            linestyle=dash,
            linewidth=1.2,
            marker=marker if size else None,
            markersize=size,
            markeredgewidth=0,
            elinewidth=0.9,
            label=name or label.lower(),
        )
    if column == "success_probability":
        figures._probability_axis(axes, [row[column] for row in every])
    else:
        figures.magnitude_axis(axes, [row[column] for row in every], "y")
    figures.magnitude_axis(axes, [float(row[drawn.x]) for row in every])
    axes.set_xlabel(_axis_title(drawn.x))
    axes.set_ylabel(label)
    figures.apply_style(axes, theme)
    if len(drawn.lines) > 1:
        handles, labels = axes.get_legend_handles_labels()
        longest = max(map(len, labels))
        figures.frameless(axes, handles, labels, theme, 1 if longest > 40 else 2 if longest > 18 else 4)
    return figure


# ---- pieces -----------------------------------------------------------------------------------


def _figures(drawn: Lines) -> list[dict[str, str]]:
    first = next(iter(drawn.lines.values()))[0]
    cost = "mean_FLOP" if first.get("mean_FLOP") is not None else "expected_tokens"
    wanted = [("success_probability", "Success", "Success probability")]
    if first.get(cost) is not None:
        unit = "FLOPs" if cost == "mean_FLOP" else "tokens"
        wanted.append((cost, "Mean cost", f"Mean cost of a task ({unit})"))
    out = []
    for column, title, label in wanted:
        caption = f"{label} against {_axis_title(drawn.x)}."
        if any(f"{column}_low95" in row for row in drawn.lines[next(iter(drawn.lines))]):
            caption += " Bars are 95% intervals, often smaller than the point."
        if drawn.total > len(drawn.lines):
            caption += f" {len(drawn.lines)} of {drawn.total:,} lines are shown, evenly chosen."
        light, dark = (
            data_uri(figures.render(draw(drawn, column, label, theme), "svg"))
            for theme in (figures.LIGHT, figures.DARK)
        )
        out.append({"title": title, "alt": caption, "caption": caption, "light": light, "dark": dark})
    return out


def _headline(result: Mapping[str, Any], rows: Sequence[dict], axes: Sequence[str]) -> list[str]:
    points = len(tidy.points_of(result))
    swept = ", ".join(f"{a} ({len({repr(row.get(a)) for row in rows})} values)" for a in axes)
    out = [f"{points:,} point{'' if points == 1 else 's'}, {len(rows):,} results{f', over {swept}' if swept else ''}."]
    best = max(rows, key=lambda row: row.get("success_probability") or 0.0)
    prefix = {a: a.rpartition(".")[0] + "." * ("." in a) for a in axes}
    keys = [k for k in (*axes, "strategy", "budget_steps") if best.get(k) is not None]
    where = ", ".join(prefix.get(k, "") + _said(k, best[k]) for k in keys)
    if best.get("success_probability") is not None:
        out.append(f"The highest success is {probability(best['success_probability'])}: {where}.")
    if result.get("missing"):
        out.append(f"{result['missing']:,} points of the sweep have not been simulated yet.")
    return out


def _columns(rows: Sequence[dict], axes: Sequence[str]) -> list[dict[str, Any]]:
    hidden = {"budget_steps_per_trace", "expected_tokens_FLOP", "reference"}
    names = [k for k in rows[0] if k not in hidden and not k.endswith(("_low95", "_high95"))]
    out = []
    for name in names:
        unit = tidy.UNITS[name][0] if name in tidy.UNITS else tidy.axis_unit(name) if name in axes else ""
        unit = {"1": "", "FLOP": "FLOPs"}.get(unit, unit)
        text = not all(_is_number(row.get(name)) or row.get(name) is None for row in rows)
        title = _TITLES.get(name, name.replace("_", " ") if name not in axes else name)
        out.append({"name": name, "title": title, "unit": unit, "text": text})
        if f"{name}_low95" in rows[0]:
            out.append({"name": f"{name}_low95", "title": "95% interval", "unit": unit, "text": False})
    return out


def _cell(row: dict[str, Any], name: str) -> str:
    if name.endswith("_low95"):
        high = row.get(name.removesuffix("low95") + "high95")
        form = probability if name.startswith("success") else number
        return "–" if row.get(name) is None else f"{form(row[name])} to {form(high)}"
    value = row.get(name)
    if not _is_number(value):
        return "–" if value is None else str(value)
    return probability(value) if "success_probability" in name else number(value)


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    out = []
    for key, value in result.items():
        if key in ("points", "results", "reference", "name", "missing") or value is None:
            continue
        if isinstance(value, Mapping):
            out += [(str(k), str(v)) for k, v in value.items() if isinstance(v, str | int | float)]
        else:
            out.append((key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return out


def _axis_title(name: str) -> str:
    unit = tidy.UNITS[name][0] if name in tidy.UNITS else tidy.axis_unit(name)
    unit = {"1": "", "FLOP": "FLOPs"}.get(unit, unit)
    said = "budget" if name.startswith(("budget_", "given_", "cot_")) else name
    return f"{said} ({unit} per task)" if said == "budget" else f"{said} ({unit})" if unit else said


def _said(name: str, value) -> str:
    """An axis and its value in a few words; a strategy by its name alone."""
    text = in_words(float(value)) if _is_number(value) else str(value)
    if name == "strategy":
        return text
    if name.startswith(("budget_", "given_", "cot_")):
        return f"{text} {tidy.UNITS[name][0].replace('FLOP', 'FLOPs')}"
    return f"{name.rsplit('.', 1)[-1]} {text}"


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
