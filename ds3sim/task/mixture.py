"""Distributions over tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Part:
    """One kind of task of a distribution: a chain, and its weight; the weights sum to 1."""

    skills: int
    success: float
    feasible: float
    weight: float


def weighed(weights, values) -> np.ndarray:
    """Weighted sum over parts, float64 [B]; ``weights`` has one number for each part, or for each part and budget."""
    share, values = np.asarray(weights, dtype=np.float64), np.asarray(values, dtype=np.float64)
    return share @ values if share.ndim == 1 else np.einsum("pb,pb->b", share, values)
