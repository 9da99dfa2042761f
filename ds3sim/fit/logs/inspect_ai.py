"""Inspect (inspect-ai): ``.eval`` files and JSON logs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed, parsed
from ds3sim.core.text import short
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows
from ds3sim.fit.logs.values import answer_of, name_of, number_of, value_of, whole_of
from ds3sim.fit.logs.zipped import Zip

MOST_UNPACKED = 4 * 2**30
"""Above this many bytes of samples an .eval file's summaries are read in their place."""

HEADERS = ("header.json", "_journal/start.json")
"""Members that say what the evaluation was; the second one while it runs."""

# A sample is one member, or (since 2026) a folder with sample.json as its head.
_SAMPLE = re.compile(r"samples/.*_epoch_\d+(\.json|/sample\.json)", re.DOTALL)


@dataclass
class _Choice:
    """What was asked for, and what was seen on the way."""

    scorer: str | None
    key: str | None
    model: str | None
    failures: str
    threshold: float | None
    where: str = ""
    evaluated: str | None = None
    scorers: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    keyed: int = 0
    failed: int = 0
    invalid: int = 0
    summed: int = 0


def read_inspect(
    files: Sequence[LogFile],
    *,
    scorer: str | None = None,
    key: str | None = None,
    model: str | None = None,
    failures: str = "skip",
    threshold: float | None = None,
) -> Log:
    """Samples of Inspect logs: problem = sample id, sample = epoch.

    Values: C = 1, P = 0.5, I = N = 0, yes/no, true/false and numbers as they are; NaN, and a sample without a
    score, is unscored and left out. Tokens are ``output_tokens`` (reasoning included) of the evaluated model.

    Args:
        files: logs of one model; of one task they are runs of the same problems.
        scorer: which scorer; may be left out where there is one.
        key: which entry of a value that is a dict or a list; may be left out where there is one.
        model: whose tokens; by default the evaluated model.
        failures: samples that stopped with an error and have no score: ``skip`` leaves them out, ``wrong``
            counts them as wrong.
        threshold: from which value on a sample is correct; with it values need not lie in [0, 1], and
            ``Samples.correct`` is 0 or 1.

    Raises:
        InputError: not an Inspect log; a choice that has to be made; fields that are missing; a value that is
            no grade; an (id, epoch) that is there twice; no scored sample; logs of several models.
    """
    one_of("failures", failures, ("skip", "wrong"))
    limit = None if threshold is None else number_of(threshold, "the option", "threshold")
    choice = _Choice(scorer, key, model, failures, limit)
    table = Rows(files)
    for file in files:
        choice.where = file.where
        read = _eval_samples(file, table) if file.container == "zip" else _json_samples(file, table)
        spec = next(read)[1].get("eval")
        choice.evaluated = _text(spec, "model")
        table.open(file, _text(spec, "task"), choice.evaluated)
        for place, sample in read:
            _add(table, sample, place, choice)
    choice.where = table.source
    _conclude(choice, table)
    require(model is None or model in choice.models, _no_choice(choice.where, "model", model, choice.models))
    return table.log("inspect")


def _no_choice(where: str, what: str, name: str | None, names: Counter[str]) -> str:
    return f"{where}: there is no {what} {name!r} (there are {', '.join(map(str, names)) or 'none'})"


def _text(value: Any, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


# ---- the two containers ----------------------------------------------------------------------


def _json_samples(file: LogFile, table: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    """The header, then every sample with its place."""
    where = file.where
    log = file.first
    require(isinstance(log.get("eval"), dict), f"{where}: not an Inspect log: there is no object 'eval'")
    _status(log, table)
    yield where, log
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise InputError(f"{where}: the log has no samples: Inspect wrote only its header (log_samples = false)")
    for i, sample in enumerate(samples):
        yield f"samples[{i}]", sample


def _eval_samples(source: LogFile, table: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    where = source.where
    with Zip(source.path, where) as file:
        head = next((n for n in HEADERS if n in file.names), None)
        require(head is not None, f"{where}: not an Inspect log: the zip file has no header.json")
        assert head is not None
        header = _member(file, head)
        if head != "header.json":
            table.note("the run did not finish: the file has no header.json, only a journal")
        _status(header, table)
        yield head, header
        members = [n for n in file.names if _SAMPLE.fullmatch(n)]
        unpacked = sum(file.size(n) for n in members)
        if members and unpacked <= MOST_UNPACKED:
            for name in members:
                yield name, _member(file, name)
            return
        summaries = _summaries(file)
        require(bool(summaries), f"{where}: there are neither samples nor summaries in it (log_samples = false?)")
        why = "has no samples" if not members else f"holds {unpacked / 2**30:.1f} GiB of samples"
        table.note(f"the file {why}: its summaries were read; long answers are cut off in them")
        yield from summaries


def _summaries(file: Zip) -> list[tuple[str, dict[str, Any]]]:
    """summaries.json, or what the journal has of it."""
    names = ["summaries.json"] if "summaries.json" in file.names else []
    if not names:
        names = [n for n in file.names if n.startswith("_journal/summaries/") and n.endswith(".json")]
    found: list[tuple[str, dict[str, Any]]] = []
    for name in names:
        rows = _member(file, name, list)
        found += [(f"{name}[{i}]", row) for i, row in enumerate(rows)]
    return found


def _member(file: Zip, name: str, kind: type[Any] = dict) -> Any:
    place = f"{file.where}, {short(name, 200)}"
    try:
        text = file.read(name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: wrong encoding: not UTF-8 ({error.reason})") from None
    value = parsed(text, place)
    what = "object" if kind is dict else "list"
    require(isinstance(value, kind), f"{place}: must be a JSON {what}, not {type(value).__name__}")
    return value


def _status(header: dict[str, Any], table: Rows) -> None:
    status = header.get("status")
    if isinstance(status, str) and status != "success":
        table.note(f"the run's status is {status!r}: samples may be missing")


# ---- one sample ------------------------------------------------------------------------------


def _add(table: Rows, sample: Any, place: str, choice: _Choice) -> None:
    at = f"{choice.where}, {place}"
    require(isinstance(sample, dict), f"{at}: must be an object, not {type(sample).__name__}")
    problem = name_of(needed(sample, "id", at), at, "id")
    epoch = whole_of(needed(sample, "epoch", at), at, "epoch")
    if sample.get("invalidation"):
        choice.invalid += 1
        return
    scores = sample.get("scores")
    if scores is None and "score" in sample:  # logs of 2024
        scores = {choice.scorer or "score": sample["score"]}
    require(scores is None or isinstance(scores, dict), f"{at}: scores must be an object, not {type(scores).__name__}")
    tokens = _tokens(sample.get("model_usage"), choice, at)
    value, answer = None, None
    if scores:
        choice.scorers.update(scores.keys())
        name = _pick(list(scores), choice.scorer, "scorer", at)
        if name in scores and scores[name] is not None:
            entry = scores[name]
            require(isinstance(entry, dict) and "value" in entry, f"{at}: scores[{name!r}] has no value")
            value, answer = _grade(entry["value"], choice, f"{at}: {name}"), answer_of(entry.get("answer"))
    if value is None and sample.get("error"):
        choice.failed += 1
        if choice.failures == "skip":
            return
        value = 0.0
    table.add(problem, epoch, value, answer, tokens, place)


def _pick(names: list[str], wanted: str | None, what: str, at: str) -> str:
    if wanted is not None:
        return wanted
    if len(names) > 1:
        raise InputError(f"{at}: there are several {what}s ({', '.join(map(str, names))}): choose one (--{what})")
    return names[0]


def _grade(value: Any, choice: _Choice, at: str) -> float | None:
    """A score's value as a grade, None for an unscored one."""
    threshold = choice.threshold
    if isinstance(value, list):
        value = {str(i): v for i, v in enumerate(value)}
    if isinstance(value, dict):
        require(len(value) > 0, f"{at}: the value is an empty object")
        choice.keyed += 1
        name = _pick(list(value), choice.key, "key", at)
        require(name in value, f"{at}: the value has no key {name!r} (there are {short(', '.join(value), 200)})")
        value, at = value[name], f"{at}[{name!r}]"
    grade = value_of(value, at, "value")
    if grade is None:
        return None
    if threshold is not None:
        return float(grade >= threshold)
    if not 0.0 <= grade <= 1.0:
        raise InputError(
            f"{at}: value = {grade:g} is not between 0 and 1: say from which value on a sample is correct (--threshold)"
        )
    return grade


def _tokens(usage: Any, choice: _Choice, at: str) -> int | None:
    """Generated tokens of the evaluated model; of all models where it is not among them."""
    if not usage:
        return None
    require(isinstance(usage, dict), f"{at}: model_usage must be an object, not {type(usage).__name__}")
    choice.models.update(usage.keys())
    asked = choice.model or choice.evaluated
    names = [asked] if asked in usage else list(usage)
    if len(names) > 1:
        choice.summed += 1
    total = 0
    for name in names:
        entry = usage[name]
        require(isinstance(entry, dict), f"{at}: model_usage[{name!r}] must be an object")
        total += whole_of(entry.get("output_tokens", 0) or 0, at, f"model_usage[{name!r}].output_tokens")
    return total


def _conclude(choice: _Choice, table: Rows) -> None:
    found, named = choice.scorers, choice.scorer
    require(named is None or named in found, _no_choice(choice.where, "scorer", named, found))
    require(
        choice.key is None or choice.keyed > 0 or not found,
        f"{choice.where}: key = {choice.key} has no effect: no value of the scorer is an object or a list",
    )
    done, other = ("left out", "wrong") if choice.failures == "skip" else ("counted as wrong", "skip")
    if choice.failed:
        table.note(f"{choice.failed} samples stopped with an error: {done} (--failures {other} changes that)")
    if choice.invalid:
        table.note(f"{choice.invalid} samples were marked invalid: left out")
    if choice.summed:
        table.note(f"in {choice.summed} samples tokens are summed over all models (--model chooses one)")


def _recognizes(file: LogFile) -> bool:
    if file.container == "zip":
        return file.path.suffix.lower() == ".eval" or any(name in file.columns for name in HEADERS)
    spec = file.first.get("eval")
    return file.container == "json" and isinstance(spec, dict) and not {"model", "task", "dataset"}.isdisjoint(spec)


READER = Reader("inspect", "an Inspect log (.eval or .json)", (), _recognizes, read_inspect)
