"""Values of config keys: numbers, texts, node names, and lists of numbers in any of their spellings.

A list of numbers is a number, a list, ``{log = [lo, hi, points]}``, ``{linear = [lo, hi, points]}`` or, for whole
numbers, ``{range = [first, last]}``; the same in every table and on every axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from ds3sim.core.errors import InputError, require
from ds3sim.graph.generators import MOST_SKILLS
from ds3sim.task.budget import MOST_STEPS

MOST_SEED = 2**63 - 1
MOST_VALUES = 10**6
SPREADS = ("log", "linear", "range")


class Table(BaseModel):
    """A frozen table; unknown keys are refused."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


def key(default: Any, about: str) -> Any:
    """A key of a table: its default (``...``: it has to be given), and one line on it."""
    return Field(default, description=about)


def by_kind(union: Any) -> dict[str, Any]:
    """The tables of a union that ``kind`` tells apart, by kind."""
    return {get_args(table.model_fields["kind"].annotation)[0]: table for table in get_args(get_args(union)[0])}


def refuse(message: str, key: str | None = None) -> PydanticCustomError:
    """An error for a validator to raise; ``key`` names the key below the place where it happens."""
    return PydanticCustomError("refused", "{message}", {"message": message, "key": key})


def finite(value: int | float) -> bool:
    """False too for an int that no float can hold."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_number(value: object) -> bool:
    """Whether a value is an int or a float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any) -> float:
    """A finite number."""
    if not is_number(value):
        raise refuse("must be a number")
    if not finite(value):
        raise refuse("must be a finite number")
    return float(value)


def _whole(value: Any) -> int:
    if not is_number(value) or (isinstance(value, float) and not value.is_integer()):  # so are NaN and infinity
        raise refuse("must be a whole number")
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise refuse("must be a text in quotes that is not empty")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise refuse("must be one line without control characters")
    if any("\ud800" <= character <= "\udfff" for character in value):  # bytes of an argument that are not UTF-8
        raise refuse("must be UTF-8 text")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refuse("must be true or false")
    return value


def _name(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise refuse("cannot name a node: use a text that is not empty, or an integer")
    return value


def _names(value: Any) -> tuple[str | int, ...]:
    if isinstance(value, list | tuple):
        if not value:
            raise refuse("is an empty list: name at least one node, or leave the key out")
        return tuple(_name(v) for v in value)
    return (_name(value),)


def _start(value: Any) -> Any:
    if isinstance(value, Mapping):
        if not value:
            raise refuse("is an empty table: give a probability to at least one node")
        for name, share in value.items():
            if not is_number(share) or not finite(share):
                raise refuse("must be a finite number", name)
        return {str(name): float(share) for name, share in value.items()}
    return _names(value) if isinstance(value, list | tuple) else _name(value)


def is_spread(value: object) -> bool:
    """Whether a value is one of the tables ``{log = ...}``, ``{linear = ...}`` and ``{range = ...}``."""
    return isinstance(value, Mapping) and not set(value).isdisjoint(SPREADS)


def spread(value: Mapping[Any, Any], whole: bool) -> list[int] | list[float]:
    """The numbers that such a table stands for, rising; whole ones are rounded, each once; or an InputError."""
    require(len(value) == 1, "must be one of {log = [lo, hi, points]}, {linear = ...} and {range = [first, last]}")
    how, ends = next(iter(value.items()))
    require(how in SPREADS, f"{how} is not known: choose log, linear or range")
    if how == "range":
        good = isinstance(ends, list | tuple) and len(ends) == 2 and all(is_number(end) for end in ends)
        good = good and all(finite(end) and end == int(end) for end in ends) and ends[0] <= ends[1]
        require(good, "range must be two whole numbers, the first not above the last, as in {range = [1, 50]}")
        require(whole, "range is for whole numbers: use {linear = [lo, hi, points]}")
        require(ends[1] - ends[0] < MOST_VALUES, f"range has more than {MOST_VALUES:,} numbers: shorten it")
        return list(range(int(ends[0]), int(ends[1]) + 1))
    good = isinstance(ends, list | tuple) and len(ends) == 3 and all(is_number(end) and finite(end) for end in ends)
    require(good, f"{how} must be three numbers, as in {{{how} = [lo, hi, points]}}")
    low, high, points = ends
    require(points == int(points) and points >= 1, "points must be a whole number, at least 1")
    require(points <= MOST_VALUES, f"{int(points):,} points are too many: at most {MOST_VALUES:,}")
    require(how == "linear" or low > 0, "lo must be above 0")
    require(low < high or (low == high and points == 1), "lo must be below hi: the numbers rise")
    require(points > 1 or low == high, "one point cannot span lo to hi: use a list")
    numbers = (np.geomspace if how == "log" else np.linspace)(float(low), float(high), int(points)).tolist()
    return sorted({round(x) for x in numbers}) if whole else numbers


def _listed(value: Any, whole: bool) -> list[Any] | tuple[Any, ...]:
    if isinstance(value, Mapping):
        try:
            return tuple(spread(value, whole))
        except InputError as error:
            raise refuse(str(error)) from None
    if isinstance(value, list | tuple):
        if not value:
            raise refuse("is an empty list: give at least one number")
        return value
    return (value,)


def _list_of(whole: bool) -> BeforeValidator:
    given = float | list[float] | dict[Literal["log", "linear", "range"], list[float]]
    return BeforeValidator(lambda value: _listed(value, whole), json_schema_input_type=given)


NUMBERS, WHOLES = _list_of(False), _list_of(True)

Number = Annotated[float, BeforeValidator(number, json_schema_input_type=float)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Whole = Annotated[int, BeforeValidator(_whole, json_schema_input_type=float)]
Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=str)]
Truth = Annotated[bool, BeforeValidator(_truth, json_schema_input_type=bool)]
Seed = Annotated[Whole, Field(ge=0, le=MOST_SEED)]
Skills = Annotated[Whole, Field(ge=1, le=MOST_SKILLS)]

Name = str | int
Names = Annotated[tuple[Name, ...], BeforeValidator(_names, json_schema_input_type=Name | list[Name])]
NamesOrNone = Annotated[
    tuple[Name, ...],
    BeforeValidator(lambda value: () if value in ([], ()) else _names(value), json_schema_input_type=Name | list[Name]),
]
Start = Annotated[
    str | int | tuple[Name, ...] | dict[str, float],
    BeforeValidator(_start, json_schema_input_type=Name | list[Name] | dict[str, float]),
]
Scores = dict[str, Number]

Numbers = Annotated[tuple[Number, ...], NUMBERS]
Shares = Annotated[tuple[Share, ...], NUMBERS]
Amounts = Annotated[tuple[Positive, ...], NUMBERS]
Steps = Annotated[tuple[Annotated[Whole, Field(ge=0, le=MOST_STEPS)], ...], WHOLES]
Tokens = Annotated[tuple[Annotated[Whole, Field(ge=0, le=10**30)], ...], WHOLES]
"""Whole, and more than any budget has: what it buys is checked in steps."""
