"""Inspect (inspect-ai): ``.eval`` files and JSON logs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.files import needed, parsed, read_text
from ds3sim.core.text import short, shown
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows, answer_of, name_of, number_of, whole_of
from ds3sim.fit.logs.zipped import Zip

GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""inspect_ai.scorer.value_to_float: correct, partial, incorrect, no answer."""

MOST_UNPACKED = 4 * 2**30
"""Above this many bytes of samples an .eval file's summaries are read in their place."""

# A sample is one member, or (since 2026) a folder with sample.json as its head.
_SAMPLE = re.compile(r"samples/.*_epoch_\d+(\.json|/sample\.json)", re.DOTALL)


@dataclass
class _Choice:
    """What was asked for, and what was seen on the way."""

    where: str
    scorer: str | None
    key: str | None
    model: str | None
    errors: str
    threshold: float | None
    scorers: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    keyed: int = 0
    failed: int = 0
    invalid: int = 0
    unscored: int = 0
    summed: int = 0


def read_inspect(
    file: LogFile,
    *,
    scorer: str | None = None,
    key: str | None = None,
    model: str | None = None,
    errors: str = "skip",
    threshold: float | None = None,
) -> Log:
    """Samples of an Inspect log: problem = sample id, sample = epoch.

    Values: C = 1, P = 0.5, I = N = 0, yes/no, true/false and numbers as they are; NaN, and a sample without a
    score, is unscored and left out. Tokens are ``output_tokens`` (reasoning included) of the evaluated model.

    Args:
        scorer: which scorer; may be left out where there is one.
        key: which entry of a value that is a dict or a list; may be left out where there is one.
        model: whose tokens; by default the evaluated model.
        errors: samples that stopped with an error and have no score: ``skip`` leaves them out, ``wrong``
            counts them as wrong.
        threshold: from which value on a sample is correct; with it values need not lie in [0, 1], and
            ``Samples.correct`` is 0 or 1.

    Raises:
        InputError: not an Inspect log; a choice that has to be made; fields that are missing; a value that is
            no grade; an (id, epoch) that is there twice; no scored sample.
    """
    one_of("errors", errors, ("skip", "wrong"))
    limit = None if threshold is None else number_of(threshold, "the option", "threshold")
    notes: list[str] = []
    choice = _Choice(file.where, scorer, key, model, errors, limit)
    table = Rows(file.where)
    read = _eval_samples(file, notes) if file.container == "zip" else _json_samples(file, notes)
    header = next(read)[1]
    choice.model = model or _text(header.get("eval"), "model")
    for place, sample in read:
        _add(table, sample, place, choice)
    _conclude(choice, notes)
    require(model is None or model in choice.models, _no_choice(choice.where, "model", model, choice.models))
    return table.log("inspect", notes)


def _no_choice(where: str, what: str, name: str | None, names: Counter[str]) -> str:
    return f"{where}: there is no {what} {name!r} (there are {', '.join(map(str, names)) or 'none'})"


def _text(value: Any, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


# ---- the two containers ----------------------------------------------------------------------


def _json_samples(file: LogFile, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The header, then every sample with its place."""
    where = file.where
    log = parsed(read_text(file.path, where), where)
    ok = isinstance(log, dict) and isinstance(log.get("eval"), dict)
    require(ok, f"{where}: not an Inspect log: there is no object 'eval'")
    _status(log, notes)
    yield where, log
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise InputError(f"{where}: the log has no samples: Inspect wrote only its header (log_samples = false)")
    for i, sample in enumerate(samples):
        yield f"samples[{i}]", sample


def _eval_samples(source: LogFile, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    where = source.where
    with Zip(source.path, where) as file:
        head = next((n for n in ("header.json", "_journal/start.json") if n in file.names), None)
        require(head is not None, f"{where}: not an Inspect log: the zip file has no header.json")
        assert head is not None
        header = _member(file, head)
        if head != "header.json":
            notes.append("the run did not finish: the file has no header.json, only a journal")
        _status(header, notes)
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
        notes.append(f"the file {why}: its summaries were read; long answers are cut off in them")
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


def _member(file: Zip, name: str, kind: type = dict) -> Any:
    place = f"{file.where}, {short(name, 200)}"
    try:
        text = file.read(name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: wrong encoding: not UTF-8 ({error.reason})") from None
    value = parsed(text, place)
    what = "object" if kind is dict else "list"
    require(isinstance(value, kind), f"{place}: must be a JSON {what}, not {type(value).__name__}")
    return value


def _status(header: dict[str, Any], notes: list[str]) -> None:
    status = header.get("status")
    if isinstance(status, str) and status != "success":
        notes.append(f"the run's status is {status!r}: samples may be missing")


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
    if value is None:
        if sample.get("error"):
            choice.failed += 1
            if choice.errors == "wrong":
                table.add(problem, epoch, 0.0, None, tokens, place)
        else:
            choice.unscored += 1
        return
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
    if value is None:
        return None
    if isinstance(value, str) and value.strip().upper() in GRADES:
        grade = GRADES[value.strip().upper()]
        return grade if threshold is None else float(grade >= threshold)
    if isinstance(value, dict | list):
        raise InputError(f"{at}: value = {shown(value)} is not a grade")
    grade = number_of(value, at, "value")
    if math.isnan(grade):
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
    names = [choice.model] if choice.model in usage else list(usage)
    if len(names) > 1:
        choice.summed += 1
    total = 0
    for name in names:
        entry = usage[name]
        require(isinstance(entry, dict), f"{at}: model_usage[{name!r}] must be an object")
        total += whole_of(entry.get("output_tokens", 0) or 0, at, f"model_usage[{name!r}].output_tokens")
    return total


def _conclude(choice: _Choice, notes: list[str]) -> None:
    found, named = choice.scorers, choice.scorer
    require(named is None or named in found, _no_choice(choice.where, "scorer", named, found))
    require(
        choice.key is None or choice.keyed > 0 or not found,
        f"{choice.where}: key = {choice.key} has no effect: no value of the scorer is an object or a list",
    )
    done = "left out" if choice.errors == "skip" else "counted as wrong"
    if choice.failed:
        other = "wrong" if choice.errors == "skip" else "skip"
        notes.append(f"{choice.failed} samples stopped with an error: {done} (--errors {other} changes that)")
    if choice.unscored:
        notes.append(f"{choice.unscored} samples have no score: left out")
    if choice.invalid:
        notes.append(f"{choice.invalid} samples were marked invalid: left out")
    if choice.summed:
        notes.append(f"in {choice.summed} samples tokens are summed over all models (--model chooses one)")


def _recognizes(file: LogFile) -> bool:
    if file.container == "zip":
        return True
    whole = {"eval": {}} if file.first is None else file.first
    return isinstance(whole.get("eval"), dict) and {"eval"} < file.keys & {"eval", "status", "samples", "version"}


READER = Reader("inspect", _recognizes, read_inspect)
