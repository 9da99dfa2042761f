"""Names of nodes."""

from __future__ import annotations

import numbers
from contextlib import suppress
from typing import Any

import numpy as np

from ds3sim.core.errors import InputError, shown


def scalar(value: Any) -> Any:
    """What an array without axes holds, of NumPy or JAX; all else as it is."""
    with suppress(TypeError):  # of a value that JAX traces
        return value.item() if getattr(value, "shape", None) == () else value
    return value


def name_of(value: object, place: str) -> str:
    """The name of a node: strings without outer blanks, integers in decimal (3 and "3" are one node)."""
    value = scalar(value)
    ok = isinstance(value, str | numbers.Integral) and not isinstance(value, bool | np.bool_)
    try:
        name = str(value).strip() if ok else ""
        name.encode()
    except ValueError:  # an int of more than 4300 digits, or half of a UTF-16 pair
        name = ""
    if name:
        return name
    raise InputError(f"{place}: {shown(value)} cannot name a node: use a non-empty string or an integer")
