"""Files of evaluation logs for the tests of their readers."""

import json
from pathlib import Path

import pytest
from refused import refusal as refused
from refused import write

from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import read_log

LOGS = Path(__file__).parent / "data" / "logs"


def jsonl(path: Path, rows) -> Path:
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def written(folder: Path, files) -> list[Path]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            pytest.importorskip("pyarrow", reason="pyarrow is not installed: Parquet is not tested")
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [folder / name for name in files]


def of(log: Log, name: str) -> tuple[int, int]:
    return as_dict(log)[name]


def as_dict(log: Log) -> dict[str, tuple[int, int]]:
    return dict(zip(log.problems, zip(log.samples.tolist(), log.correct.tolist(), strict=True), strict=True))


def refusal(path, format=None, **options) -> str:
    return refused(read_log, path, format, **options)


def sample(**changes) -> dict:
    scores = {"s": {"value": changes.pop("value", "C"), "answer": "x"}}
    return {"id": 1, "epoch": 1, "target": "x", "scores": scores, "model_usage": {}, "error": None} | changes


def inspect_json(path: Path, samples, **changes) -> Path:
    log = {"version": 2, "status": "success", "eval": {"model": "m"}, "samples": samples} | changes
    return write(path, json.dumps(log))


def completions(**changes) -> dict:
    return {
        "problem": "6*7?",
        "answer": "42",
        "unique_id": "test/1",
        "completions": ["so \\boxed{42}", "\\boxed{\\frac{1}{2}}", "no"],
        "scores": [[0.1, 0.9], [0.5, 0.2], [0.3]],
        "pred": "so \\boxed{42}",
        "completion_tokens": [5, 6, 7],
    } | changes
