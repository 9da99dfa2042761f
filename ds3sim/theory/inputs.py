"""Checks of array arguments shared by the formulas: whole numbers, fractions."""

from __future__ import annotations

import numpy as np

from ds3sim.core.errors import require


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
