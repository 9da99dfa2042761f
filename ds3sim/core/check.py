"""Checks of arguments, each raising an InputError in one wording: ``name = value is not allowed: it must be ...``.

Numbers of Python, NumPy and JAX are numbers, also as arrays without axes; ``True`` is none. Bounds: ``low`` and
``high`` are allowed, ``above`` and ``below`` are not.
"""

from __future__ import annotations

import math
import numbers as kinds
import operator
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, TypeGuard

import numpy as np

from ds3sim.core.errors import InputError, require, shown

Numbers = Any
"""A number or an array of numbers, of Python, NumPy or JAX; functions check what they are given."""

MOST_TRIALS = 10**15
"""Counts are held as float64; far below 2^53, so h, n - h and n - h + 1 are exact."""


def whole_number(name: str, value: Any, low: int = 0, high: int | None = None) -> int:
    """``value`` as an int in [low, high], with every digit; no bool, fraction, NaN or infinity."""
    return _whole(name, value, low=low, high=high)


def _whole(name: str, value: Any, **bounds: float | None) -> int:
    found = _plain(value)
    whole = int(found) if isinstance(found, int) or (found is not None and found.is_integer()) else None
    if whole is None or not _within(whole, **bounds):
        raise _refusal(name, value, _said("a whole number", **bounds))
    return whole


def number(name: str, value: Any, **bounds: float | None) -> float:
    """``value`` as a finite float within ``bounds`` (any of low, above, high, below); no bool and no NaN."""
    found = _plain(value)
    try:
        out = math.nan if found is None else float(found)
    except OverflowError:
        out = math.inf
    if not math.isfinite(out) or not _within(out, **bounds):
        raise _refusal(name, value, _said("a number", **bounds))
    return out


def typed_number(name: str, text: str, *, whole: bool = False, **bounds: float | None) -> int | float:
    """A number that was typed, within ``bounds``: 1000, 1_000 and 1e3 are the same."""
    value: int | float | str = text
    with suppress(ValueError):
        value = float(text)
    with suppress(ValueError):
        value = int(text, 0)
    return _whole(name, value, **bounds) if whole else number(name, value, **bounds)


def fraction(name: str, value: Any, low: float = 0.0, high: float = 1.0) -> float:
    """``value`` as a float in [low, high]; errors as :func:`number`."""
    return number(name, value, low=low, high=high)


def positive_number(name: str, value: Any) -> float:
    """``value`` as a finite float > 0; errors as :func:`number`."""
    return number(name, value, above=0.0)


def numbers(
    name: str, values: Any, *, whole: bool = False, infinite: bool = False, **bounds: float | None
) -> np.ndarray:
    """``values`` as float64 of any shape within ``bounds``; no NaN, and infinite or fractions only where allowed."""
    kind = "a whole number" if whole else "a number"
    try:
        array = np.asarray(None if _traced(values) else values)
    except (TypeError, ValueError):  # a ragged list, or one of traced values
        array = np.array(None)
    if array.dtype.kind not in "iuf":
        raise _refusal(name, values, _said(f"{kind} or an array of such", **bounds))
    array = array.astype(np.float64)
    good = _within(array, **bounds)
    if not infinite:
        good &= np.isfinite(array)
    if whole:
        good &= np.floor(array) == array
    if not good.all():
        raise _refusal(name, float(array[~good].flat[0]), _said(kind, **bounds))
    return array


def whole_array(name: str, values: Any, low: int = 0) -> np.ndarray:
    """``values`` as float64 whole numbers >= ``low``; errors as :func:`numbers`."""
    return numbers(name, values, whole=True, low=low)


def fraction_array(name: str, values: Any) -> np.ndarray:
    """``values`` as float64 in [0, 1]; errors as :func:`numbers`."""
    return numbers(name, values, low=0, high=1)


def positive(name: str, values: Any) -> np.ndarray:
    """``values`` as finite float64 > 0; errors as :func:`numbers`."""
    return numbers(name, values, above=0)


def counted(hits: Any, trials: Any) -> tuple[np.ndarray, np.ndarray]:
    """``hits`` and ``trials`` as float64 whole numbers, 0 <= hits <= trials <= ``MOST_TRIALS``; broadcast or not."""
    h, n = (numbers(k, v, whole=True, low=0, high=MOST_TRIALS) for k, v in (("hits", hits), ("trials", trials)))
    require(bool(np.all(h <= n)), "there cannot be more hits than trials")
    return h, n


def confidence(level: Any) -> float:
    """The level of an interval, in (0, 1)."""
    return number("level", level, above=0, below=1)


def one_of(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Refuse a ``value`` that is not among ``choices`` (None stands for what is not said), by an InputError."""
    known = tuple(choices)
    if not (isinstance(value, str) or value is None) or value not in known:
        *some, last = (str(choice) for choice in known if choice is not None)
        listed = f"{', '.join(some)} or {last}" if some else last
        raise InputError(f"{name} = {shown(value)} is not known: choose {listed}")


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether a value is a dict; as all these, it may hold anything."""
    return isinstance(value, dict)


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether a value is a mapping."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether a value is a list or a tuple."""
    return isinstance(value, list | tuple)


def array_module(*values: Any) -> ModuleType:
    """jax.numpy where one of the values is a JAX array or tracer, else numpy; does not import JAX."""
    jax = sys.modules.get("jax")
    if jax is not None and any(isinstance(value, jax.Array) for value in values):
        return jax.numpy
    return np


def _plain(value: Any) -> int | float | None:
    """The real number in ``value`` as an int or a float; None for a bool, a string, a list, a traced value."""
    if getattr(value, "shape", None) == () and hasattr(value, "item") and not _traced(value):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, kinds.Real):
        return None
    if isinstance(value, kinds.Integral):
        return int(value)
    try:
        return float(value)
    except OverflowError:  # a Fraction that no float can hold
        return math.inf


def _traced(value: Any) -> bool:
    """Whether JAX traces the value: under grad it looks like a number, and the gradient would silently be 0."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.core.Tracer)


BOUNDS = {"low": (operator.ge, ", at least"), "above": (operator.gt, " above"),
          "high": (operator.le, " at most"), "below": (operator.lt, " below")}  # fmt: skip
"""Name of a bound -> how a value keeps it, and how that is said."""


def _within(value: Any, **bounds: float | None) -> Any:
    good: Any = value == value  # not NaN
    for name, bound in bounds.items():
        good = good if bound is None else good & BOUNDS[name][0](value, bound)
    return good


def _said(kind: str, **bounds: float | None) -> str:
    given = {name: _bound(bounds[name]) for name in BOUNDS if bounds.get(name) is not None}
    if {"low", "high"} <= given.keys():
        return f"{kind} between {given['low']} and {given['high']}"
    return kind + " and".join(f"{BOUNDS[name][1]} {bound}" for name, bound in given.items())


def _bound(value: float | None) -> str:
    return str(value) if isinstance(value, int) else f"{value:.17g}"


def _refusal(name: str, value: Any, must: str) -> InputError:
    if _traced(value):
        return InputError(
            f"{name} is a value that JAX traces: it must be {must}: call this outside of jit, vmap and grad"
        )
    said = f"{value:g}" if isinstance(value, float) else shown(value)
    return InputError(f"{name} = {said} is not allowed: it must be {must}")
