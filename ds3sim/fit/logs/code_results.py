"""Results of code benchmarks in one JSON document: EvalPlus, BigCodeBench, code_eval, and MultiPL-E's files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.text import shown
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows
from ds3sim.fit.logs.values import grade_of, name_of

TESTS = ("base", "plus")
"""EvalPlus' tests: the benchmark's own, and those with its own ones on top."""

PASS = "pass"
"""The status of a solution that passed."""


def read_code_results(files: Sequence[LogFile], *, metric: str | None = None) -> Log:
    """``{"eval": {task: [solution, ...]}}`` of EvalPlus and BigCodeBench; code_eval's ``{task: [[i, solution], ...]}``.

    A solution is true or false, or an object with ``status``, ``passed``, or EvalPlus' ``base_status`` and
    ``plus_status``; NeMo-Skills has one object a task with ``graded_list``, EvalPlus of 2023 one with ``base`` and
    ``plus``.

    Args:
        files: results of one model; of one benchmark (by their names) they are runs of the same tasks.
        metric: ``base`` or ``plus``, where there are both; ``plus``, which is EvalPlus' base and extra tests together,
            without it.

    Raises:
        InputError: an unknown metric, or one that the results do not have; what is no result.
    """
    one_of("metric", metric, (*TESTS, None))
    table = Rows(files)
    for file in files:
        table.open(file)
        for task, entry in _tasks(file).items():
            place = f"task {task}"
            at = f"{file.where}, {place}"
            for i, found in enumerate(_solutions(entry, at)):
                table.add(name_of(task, at), i, _grade(found, metric, f"{at}[{i}]", table), None, None, place)
    return table.log("code-results")


def _tasks(file: LogFile) -> dict[str, Any]:
    inner = file.first.get("eval")
    found = inner if isinstance(inner, dict) else file.first
    require(len(found) > 0, f"{file.where}: no tasks in it: there is nothing to estimate")
    return found


def _solutions(entry: Any, at: str) -> Iterator[dict[str, Any]]:
    """Each solution of a task as an object."""
    if isinstance(entry, dict) and isinstance(entry.get("graded_list"), list):
        yield from ({"passed": grade} for grade in entry["graded_list"])
        return
    if isinstance(entry, dict) and isinstance(entry.get("base"), list):  # [[status, details], ...]
        plus = entry.get("plus") or [None] * len(entry["base"])
        require(len(plus) == len(entry["base"]), f"{at}: {len(entry['base'])} base and {len(plus)} plus results")
        for base, extra in zip(entry["base"], plus, strict=True):
            yield {"base_status": base and base[0], "plus_status": extra and extra[0]}
        return
    require(isinstance(entry, list), f"{at}: {shown(entry)} is not a list of solutions")
    for i, found in enumerate(entry):
        solution = found[1] if isinstance(found, list) and len(found) == 2 else found
        solution = {"passed": solution} if isinstance(solution, bool) else solution
        if not isinstance(solution, dict):
            raise InputError(f"{at}[{i}]: {shown(found)} is not a solution with a status")
        yield solution


def _grade(found: dict[str, Any], metric: str | None, at: str, table: Rows) -> float | None:
    if "base_status" not in found:
        require(metric is None, f"{at}: metric = {metric} has no effect: these results are not EvalPlus'")
        name = next((key for key in ("status", "passed") if key in found), None)
        require(name is not None, f"{at}: neither status nor passed: there are {shown(list(found))}")
        value = found[name or ""]
        return float(value == PASS) if name == "status" and isinstance(value, str) else grade_of(value, at, name or "")
    base, plus = found["base_status"], found.get("plus_status")
    require(metric != "plus" or plus is not None, f"{at}: there are no plus tests (--metric base)")
    if metric == "base" or plus is None:
        return None if base is None else float(base == PASS)
    if metric is None:
        table.note(
            "a solution is correct if it passes the base and the plus tests (--metric base: the base tests alone)"
        )
    return None if base is None else float(base == plus == PASS)


def _is_code_results(file: LogFile) -> bool:
    """A document whose tasks hold solutions with a status."""
    if file.container != "json" or not file.head:
        return False
    inner = file.first.get("eval")
    tasks = inner if isinstance(inner, dict) else file.first
    return bool(tasks) and all(_is_task(entry, isinstance(inner, dict)) for entry in tasks.values())


def _is_task(entry: Any, wrapped: bool) -> bool:
    if isinstance(entry, dict):
        return wrapped and any(isinstance(entry.get(key), list) for key in ("graded_list", "base"))
    if not isinstance(entry, list) or not entry:
        return wrapped and entry == []
    first = entry[0][1] if isinstance(entry[0], list) and len(entry[0]) == 2 else entry[0]
    known = isinstance(first, dict) and not {"status", "base_status", "passed"}.isdisjoint(first)
    return known or isinstance(first, bool)


def read_multipl_e(files: Sequence[LogFile]) -> Log:
    """MultiPL-E: a file a problem (``*.results.json.gz``), with ``name`` and ``results``, each with its ``status``.

    A program is correct if its ``status`` is OK and its ``exit_code`` 0.

    Raises:
        InputError: what is no result.
    """
    table = Rows(files)
    for file in files:
        table.open(file, task="")
        for number, row in file.rows():
            at = file.at(number)
            name, results = name_of(row.get("name"), at, "name"), row.get("results")
            require(isinstance(results, list), f"{at}: results = {shown(results)} is not a list")
            for i, found in enumerate(results or []):
                place = f"{name}, results[{i}]"
                ok = isinstance(found, dict) and isinstance(found.get("status"), str)
                require(ok, f"{file.where}, {place}: {shown(found)} is not a result with a status")
                good = found["status"].lower() == "ok" and found.get("exit_code", 0) == 0
                table.add(name, i, float(good), None, None, place, content=str(row.get("language")))
    return table.log("multipl-e")


def _is_multipl_e(file: LogFile) -> bool:
    results = file.first.get("results")
    return isinstance(results, list) and all(isinstance(r, dict) and "status" in r for r in results[:1])


CODE_RESULTS = Reader(
    "code-results", "EvalPlus' or BigCodeBench's *_eval_results.json", (), _is_code_results, read_code_results
)
MULTIPL_E = Reader(
    "multipl-e", "MultiPL-E's *.results.json.gz", (("name",), ("results",)), _is_multipl_e, read_multipl_e
)
