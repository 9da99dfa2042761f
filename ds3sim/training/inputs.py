"""Checks of array arguments of the training side."""

from __future__ import annotations

import numpy as np

from ds3sim.core.errors import require


def _numbers(name: str, values) -> np.ndarray:
    array = np.asarray(values)
    require(array.dtype.kind in "iuf", f"{name} is not a number or an array of numbers")
    return array.astype(np.float64)


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
