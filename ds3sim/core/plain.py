"""Records and arrays as plain data for JSON."""

from __future__ import annotations

import math

import numpy as np


def as_plain(table: dict) -> dict:
    """Plain Python data for JSON: NumPy numbers unpacked, NaN and infinity as None."""
    return {str(key): _plain(value) for key, value in table.items()}


def _plain(value):
    if isinstance(value, dict):
        return as_plain(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
