"""Budgets: steps per task, from whatever unit they were given in."""

from __future__ import annotations

import numpy as np

from ds3sim.core.check import whole_number
from ds3sim.core.errors import require

MOST_STEPS = 2**53


def budget_array(steps) -> np.ndarray:
    """Budgets as int64 [B]; an int counts as one budget."""
    values = np.atleast_1d(np.asarray(steps, dtype=object)).ravel()
    require(values.size > 0, "steps is empty: give at least one budget")
    return np.array([whole_number("steps", v, 0, MOST_STEPS) for v in values], dtype=np.int64)
