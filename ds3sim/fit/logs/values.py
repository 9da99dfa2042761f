"""One value of a log: names, grades, numbers, answers, as the tools spell them."""

from __future__ import annotations

import math
import re

import numpy as np

from ds3sim.core.errors import InputError
from ds3sim.core.text import shown

GRADES = (
    dict.fromkeys(
        ("true", "t", "yes", "y", "c", "correct", "right", "pass", "passed", "success", "solved", "resolved"), 1.0
    )
    | dict.fromkeys(("accepted", "ok", "\N{CHECK MARK}", "\N{HEAVY CHECK MARK}", "\N{WHITE HEAVY CHECK MARK}"), 1.0)
    | {"p": 0.5, "partial": 0.5}
    | dict.fromkeys(("false", "f", "no", "n", "i", "incorrect", "wrong", "fail", "failed", "failure", "unsolved"), 0.0)
    | dict.fromkeys(("unresolved", "rejected", "\N{BALLOT X}", "\N{HEAVY BALLOT X}", "\N{CROSS MARK}"), 0.0)
)
"""Words that are grades, lower case; C, P, I and N are Inspect's."""

NONE = ("", "nan", "none", "null", "na", "n/a", "#n/a", "<na>")
"""Texts that stand for a grade that is missing."""

_JUDGED = re.compile(r".*judgement:\s*(yes|no)\b.*", re.DOTALL)
"""A judge's verdict, after its reasons."""

_PART = re.compile(r"([-+]?\d+(?:[.,]\d+)?)\s*%|([-+]?[01],\d+)")
"""A percentage, or a number up to 1 with a decimal comma."""


def name_of(value: object, place: str, what: str = "problem") -> str:
    """The name of a problem: a non-empty string or a whole number."""
    if isinstance(value, str):
        name = value.strip()
    elif isinstance(value, int | np.integer) and not isinstance(value, bool):
        name = str(value)
    elif isinstance(value, float) and value.is_integer():
        name = str(int(value))  # pandas turns whole numbers into floats where one is missing
    else:
        name = ""
    if not name:
        raise InputError(
            f"{place}: {what} = {shown(value)} is not a name: it must be a non-empty text or a whole number"
        )
    return name


def number_of(value: object, place: str, what: str) -> float:
    """``value`` as a float; strings of numbers and true/false too. NaN passes."""
    if isinstance(value, bool | np.bool_):
        return float(value)
    if isinstance(value, int | float | np.number) and not isinstance(value, complex):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if isinstance(value, str):
        text = value.strip().lower()
        if text in ("true", "false"):
            return float(text == "true")
        try:
            if "_" not in text:
                return float(text)
        except ValueError:
            pass
    raise InputError(f"{place}: {what} = {shown(value)} is not a number")


def is_number(value: object) -> bool:
    """Whether :func:`number_of` reads it."""
    try:
        number_of(value, "", "")
    except InputError:
        return False
    return True


def value_of(value: object, place: str, what: str = "correct") -> float | None:
    """A grade or a score as a number, whatever its range; None where there is none (empty, null, NaN)."""
    if isinstance(value, str):
        text = value.strip().lower()
        text = _JUDGED.sub(r"\1", text) if ":" in text else text
        if text in NONE:
            return None
        if text in GRADES:
            return GRADES[text]
        part = _PART.fullmatch(text) if "%" in text or "," in text else None
        if part:
            return float((part[1] or part[2]).replace(",", ".")) / (100.0 if part[1] else 1.0)
    if value is None:
        return None
    try:
        found = number_of(value, place, what)
    except InputError:
        raise InputError(
            f"{place}: {what} = {shown(value)} is not a grade: it must be a number, true or false, pass or fail, C or I"
        ) from None
    return None if math.isnan(found) else found


def grade_of(value: object, place: str, what: str = "correct") -> float | None:
    """A grade in [0, 1]; None where there is none."""
    grade = value_of(value, place, what)
    if grade is not None and not 0.0 <= grade <= 1.0:
        raise InputError(f"{place}: {what} = {shown(value)} is not a grade: it must be 0, 1 or a number between")
    return grade


def whole_of(value: object, place: str, what: str, low: int = 0, high: int = 2**53) -> int:
    """A whole number in [low, high]."""
    number = number_of(value, place, what)
    if not (low <= number <= high and number == math.floor(number)):
        raise InputError(
            f"{place}: {what} = {shown(value)} is not allowed: it must be a whole number, {low} to {high:.3g}"
        )
    return int(value) if isinstance(value, int) else int(number)


def blank(value: object) -> bool:
    """True for what stands for "missing" in a table: None, NaN, an empty string."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def tokens_of(value: object, place: str, what: str = "tokens") -> int | None:
    """A number of tokens; None where there is none."""
    return None if blank(value) else whole_of(value, place, what)


def answer_of(value: object) -> str | None:
    """An answer as text: outer blanks go; numbers and other values are written as JSON would."""
    if blank(value):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
