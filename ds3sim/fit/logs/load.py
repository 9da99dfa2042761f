"""Evaluation logs of several formats, read into :class:`~ds3sim.fit.logs.records.Log` (docs/logs.md)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import as_path, head_of, parquet_rows
from ds3sim.core.text import short
from ds3sim.fit.logs import curve, lm_eval, monkeys, search_learn, tables
from ds3sim.fit.logs import inspect_ai as inspect_log
from ds3sim.fit.logs.records import Log
from ds3sim.fit.logs.rows import shown

FORMATS = ("tidy", "counts", "lm-eval", "inspect", "monkeys", "search-and-learn", "curve")

_READERS: dict[str, Callable[..., Log]] = {
    "tidy": tables.read_tidy,
    "counts": tables.read_counts,
    "lm-eval": lm_eval.read_lm_eval,
    "inspect": inspect_log.read_inspect,
    "monkeys": monkeys.read_monkeys,
    "search-and-learn": search_learn.read_search_learn,
    "curve": curve.read_curve,
}


def load_log(path, format: str | None = None, **options) -> Log:
    """Read an evaluation log; the format is recognized from the content unless ``format`` names it.

    Args:
        path: a file, or a folder of Large Language Monkeys' YAML files.
        format: one of ``FORMATS``.
        options: those of the format's reader that are not None: ``threshold`` (all but counts and curves);
            ``filter``, ``metric``, ``pattern``, ``match`` (lm-eval); ``scorer``, ``key``, ``model``, ``errors``
            (inspect); ``pattern``, ``match`` (monkeys, search-and-learn); ``aggregate`` (search-and-learn);
            ``x``, ``y`` (curve).

    Returns:
        The log; ``notes`` says what was repaired or chosen.

    Raises:
        InputError: one line naming file and line, row or member: what :mod:`ds3sim.fit.logs.load` cannot read,
            an unknown format, an option that the format does not have.
    """
    path, where = as_path(path)
    require(format is None or format in _READERS, f"format = {shown(format)} is not known: choose {', '.join(FORMATS)}")
    found, container = recognize(path, where)
    name = format or found
    if name is None:
        raise InputError(
            f"{where}: the format is not recognized{_hint(path)}: name it with format (--format): {', '.join(FORMATS)}"
        )
    if path.is_dir() and name != "monkeys":
        raise InputError(f"{where}: is a folder: name the log file in it")
    read = _READERS[name]
    allowed = [p for p, spec in inspect.signature(read).parameters.items() if spec.kind is spec.KEYWORD_ONLY]
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        have = f"it has {', '.join(allowed)}" if allowed else "it has none"
        require(key in allowed, f"{where}: the format {name} has no option {key}: {have}")
    if name in ("tidy", "counts"):
        return read(path, where, container, **given)
    return read(path, where, **given)


def recognize(path: Path, where: str) -> tuple[str | None, str]:
    """(format or None, container) from the content; the container is csv, jsonl, json, parquet, zip, yaml or folder."""
    if path.is_dir():
        return ("monkeys" if monkeys.files_of(path) else None), "folder"
    head = head_of(path, where)
    if head.startswith(b"PK\3\4"):
        return "inspect", "zip"
    if head.startswith(b"PAR1"):
        return _from_keys(parquet_rows(path, where)[0]), "parquet"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return _json(path, text)
    if path.suffix.lower() in monkeys.SUFFIXES:
        return "monkeys", "yaml"
    return _text(text), "csv"


def _json(path: Path, text: bytes) -> tuple[str | None, str]:
    """JSON lines if the first line is a whole object, else one JSON document."""
    line = text.split(b"\n", 1)[0]
    if b"\n" not in text and path.stat().st_size > len(text):
        with path.open("rb") as stream:  # a first line longer than the head
            line = stream.readline(64 * 2**20)
    try:
        row = json.loads(line.decode("utf-8").removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, dict):
        if isinstance(row.get("eval"), dict) and ("samples" in row or "status" in row):
            return "inspect", "json"
        return _from_keys(row), "jsonl"
    if b'"eval"' in text and (b'"status"' in text or b'"version"' in text):
        return "inspect", "json"
    # A damaged first line of JSON lines still shows its keys.
    keys = [k for k in _KEYS if f'"{k}"'.encode() in line]
    return _from_keys(keys), "jsonl"


_KEYS = ("problem", "sample", "correct", "n", "doc_id", "resps", "completions", "is_correct", "is_corrects", "samples")


def _from_keys(keys) -> str | None:
    have = set(keys)
    if {"doc_id", "resps"} <= have or {"doc_id", "filter"} <= have:
        return "lm-eval"
    if "completions" in have:
        return "search-and-learn"
    if have & set(monkeys.GRADES) or {"samples", "gt_answer"} <= have:
        return "monkeys"
    kind = tables.kind_of(have)
    if kind is None and have and {"problem", "correct", "n"} & have == {"problem", "n"}:
        return "counts"  # its reader says what is missing
    return kind


def _text(text: bytes) -> str | None:
    """A table or a curve, from the first rows that are no comments."""
    lines = [
        r for r in text.decode("utf-8", errors="replace").splitlines() if r.strip() and not r.lstrip().startswith("#")
    ]
    if not lines:
        return None
    first = [f.lower() for f in curve.fields_of(lines[0])]
    if found := _from_keys(first):
        return found
    if len(first) < 2 or "problem" in first:
        return "tidy" if "problem" in first else None
    numbers = [curve.value_of(f) for f in curve.fields_of(lines[min(1, len(lines) - 1)])]
    return "curve" if sum(v is not None for v in numbers) >= 2 else None


def _hint(path: Path) -> str:
    if path.is_dir():
        names = sorted(p.name for p in path.iterdir())[:5]
        held = short(", ".join(names), 100) or "nothing"
        return f" (a folder with {held} in it; only Large Language Monkeys' YAML is read from folders)"
    return ""


__all__ = ["FORMATS", "load_log", "recognize"]
