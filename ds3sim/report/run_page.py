"""One self-contained HTML page for a run: no script, no network, figures inside."""

from __future__ import annotations

import base64
import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ds3sim.core import text as text_module
from ds3sim.core.errors import InputError
from ds3sim.core.text import duration, number, probability
from ds3sim.report import prose as words
from ds3sim.report import run_figures as figures
from ds3sim.report.rows import is_random, series

MARKER = ".ds3sim-run"
"""A folder that ``write_run`` made holds this file."""


def render_page(result: Mapping[str, Any], config_text: str) -> str:
    """The page of a run as HTML.

    Args:
        result: what ``ds3sim run --json`` prints, design of the README's section on JSON.
        config_text: the resolved config, TOML; shown as it is and put in words.

    Raises:
        InputError: ``result`` is not a result of ``ds3sim run``.
    """
    import jinja2

    template = jinja2.Environment(
        loader=jinja2.PackageLoader("ds3sim.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("report.html.jinja")
    groups = series(result)
    everything = [r for g in groups for r in g.rows]
    z = [v for r in everything for v in (r.z_success, r.z_steps) if v is not None]
    return template.render(
        name=str(result.get("name") or "run"),
        asked=words.asked(_tables(config_text), result),
        headline=_headline(result),
        groups=groups,
        several=len(groups) > 1 or any(g.name for g in groups),
        has_flops=any(r.flops is not None for r in everything),
        has_budget_flops=any(r.data.get("budget_flops") is not None for r in everything),
        has_reference=any(r.reference is not None for r in everything),
        random=is_random(result),
        checks=len(z),
        largest_z=max((abs(v) for v in z), default=0.0),
        expected_z=_expected_largest(len(z)),
        figures=[
            _picture(figures.accuracy_figure, result, "Success against budget", figures.describe_accuracy(result)),
            _picture(figures.cost_figure, result, "Success and cost", figures.describe_cost(result)),
        ],
        environment=_flat(result.get("environment") or {}),
        stopping=_flat(result.get("stopping") or {}),
        config_text=config_text,
        w=text_module,
    )


def report_from_dir(folder) -> str:
    """The page of a folder that ``ds3sim run --out`` wrote, made anew from its results.json and config.toml.

    Raises:
        InputError: the folder is missing, was not made by ds3sim, or its files cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: give the folder that ds3sim run --out wrote")
    if not (folder / "results.json").is_file():
        raise InputError(f"{folder}: has no results.json: give a folder that ds3sim run --out wrote")
    try:
        result = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{folder / 'results.json'}: cannot be read: {error}") from error
    if not isinstance(result, dict) or not result.get("results"):
        raise InputError(f"{folder / 'results.json'}: is not a result of ds3sim run: it has no results")
    try:
        config_text = (folder / "config.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{folder}: has no config.toml: give a folder that ds3sim run --out wrote") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'config.toml'}: cannot be read: {error}") from error
    return render_page(result, config_text)


# ---- pieces -----------------------------------------------------------------------------------


def _picture(make, result, title: str, description: str) -> dict[str, str]:
    return {
        "title": title,
        "alt": description,
        "light": data_uri(figures.render(make(result, figures.LIGHT), "svg")),
        "dark": data_uri(figures.render(make(result, figures.DARK), "svg")),
    }


def data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def _headline(result: Mapping[str, Any]) -> list[str]:
    """One sentence a strategy: what is reached at the largest budget, and beside which theory."""
    out = []
    for group in series(result):
        row = group.rows[-1]
        estimate, low, high = row.success
        text = f"{group.name + ': ' if group.name else ''}at {row.steps:,} steps the task is solved with probability "
        text += probability(estimate)
        if is_random(result):
            text += f" (95% interval {probability(low)} to {probability(high)})"
        if row.reference is not None and row.reference.get("success") is not None:
            by = str(row.reference.get("by", "reference")).replace("_", " ")
            text += f"; {by} gives {probability(float(row.reference['success']))}"
        text += f". It takes {number(row.expected_steps[0])} steps on average"
        if row.data.get("expected_tokens") is not None:
            text += f", {number(float(row.data['expected_tokens']))} tokens"
        if row.flops is not None:
            text += f", {number(row.flops)} FLOPs"
        out.append(text[0].upper() + text[1:] + ".")
    return out


def _expected_largest(checks: int) -> float:
    """The |z| that the largest of ``checks`` independent right values exceeds once in twenty."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - 0.025 / checks) if checks else 0.0


def _tables(config_text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(config_text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"config.toml: not valid TOML: {error}") from error


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            out += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, float) and key.endswith("_s") and math.isfinite(value):
            out.append((f"{prefix}{key.removesuffix('_s')}", duration(value)))
        elif isinstance(value, list | tuple):
            out.append((prefix + key, ", ".join(map(str, value))))
        else:
            out.append((prefix + key, "–" if value is None else str(value)))
    return out
