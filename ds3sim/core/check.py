"""Checks of array arguments shared by the formulas: whole numbers, fractions."""

from __future__ import annotations

import numpy as np

from ds3sim.core.errors import InputError, require, shown


def _numbers(name: str, values) -> np.ndarray:
    array = np.asarray(values)
    require(array.dtype.kind in "iuf", f"{name} = {_short(values)} is not a number or an array of numbers")
    return array.astype(np.float64)


def _short(values) -> str:
    text = " ".join(repr(values).split())
    return text if len(text) <= 60 else text[:57] + "..."


def whole_array(name: str, values, low: int = 0) -> np.ndarray:
    """``values`` as float64 whole numbers >= ``low``; any shape.

    Raises:
        InputError: not numbers, NaN, infinite, fractional or below ``low``.
    """
    array = _numbers(name, values)
    bad = ~(np.isfinite(array) & (array >= low) & (np.floor(array) == array))
    if bad.any():
        require(False, f"{name} = {array[bad].flat[0]:g} is not allowed: it must be a whole number, at least {low}")
    return array


def fraction_array(name: str, values) -> np.ndarray:
    """``values`` as float64 in [0, 1]; any shape.

    Raises:
        InputError: not numbers, NaN or outside [0, 1].
    """
    array = _numbers(name, values)
    bad = ~((array >= 0) & (array <= 1))
    if bad.any():
        require(False, f"{name} = {array[bad].flat[0]:g} is not allowed: it must be a number between 0 and 1")
    return array


def whole_number(name: str, value, low: int, high: int | None = None) -> int:
    """``value`` as an int in [low, high].

    Raises:
        InputError: it is out of range, a bool, a fraction, NaN, infinite or no number.
    """
    import numbers

    whole = None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        whole = int(value)  # not through float: that keeps 53 bits only
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            whole = int(float(value)) if float(value).is_integer() else None
        except OverflowError:  # a Fraction that no float can hold
            whole = None
    if whole is None or whole < low or (high is not None and whole > high):
        bound = f"at least {low}" if high is None else f"between {low} and {high}"
        raise InputError(f"{name} = {shown(value)} is not allowed: it must be a whole number, {bound}")
    return whole


def fraction(name: str, value, low: float = 0.0, high: float = 1.0) -> float:
    """``value`` as a float in [low, high].

    Raises:
        InputError: it is out of range, a bool, NaN or no number.
    """
    import contextlib
    import math
    import numbers

    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # a huge int has no float
            number = float(value)
    if not low <= number <= high:
        raise InputError(f"{name} = {shown(value)} is not allowed: it must be a number between {low:g} and {high:g}")
    return number


def positive(name: str, values) -> np.ndarray:
    """``values`` as finite float64 > 0.

    Raises:
        InputError: anything else.
    """
    array = _numbers(name, values)
    bad = ~(np.isfinite(array) & (array > 0))
    if bad.any():
        require(False, f"{name} = {array[bad].flat[0]:g} is not allowed: it must be a positive number")
    return array


def open_fraction(name: str, values) -> np.ndarray:
    """``values`` as float64 in (0, 1].

    Raises:
        InputError: anything else.
    """
    array = _numbers(name, values)
    bad = ~((array > 0) & (array <= 1))
    if bad.any():
        require(False, f"{name} = {array[bad].flat[0]:g} is not allowed: it must be above 0 and at most 1")
    return array


def positive_number(name: str, value) -> float:
    """``value`` as a finite float > 0.

    Raises:
        InputError: anything else.
    """
    array = positive(name, value)
    require(array.ndim == 0, f"{name} = {shown(value)} is not a number")
    return float(array)
