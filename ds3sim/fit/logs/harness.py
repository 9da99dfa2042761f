"""What a harness' value of n responses says of them: how many are correct."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.text import shown
from ds3sim.fit.estimates.subsets import chance_of_any
from ds3sim.fit.logs.values import grade_of

PASS = re.compile(r"pass(?:@|_at_)(?:k:k=)?(\d+)", re.IGNORECASE)
MEAN = re.compile(r"(?:avg|mean)(?:@|_at_)(?:[kn]:[kn]=)?(\d+)?", re.IGNORECASE)
SAMPLES = re.compile(r"(?:[:&]n=|:)(\d+)(?:_samples)?$")
"""How many responses lighteval took: ``pass@k:k=1&n=4``, ``pass@1:4_samples``."""

BINARY = re.compile(r"match|acc(?:uracy)?$|correct", re.IGNORECASE)
"""Metrics that grade a response 0 or 1."""

EQUAL = 1e-6
"""Values may have been kept in single precision."""


@dataclass(frozen=True)
class Counted:
    """So many of a document's responses are correct."""

    samples: int
    correct: int


def k_of_metric(name: str) -> int | None:
    """k of the metrics that determine counts: 1 of a mean over responses; None for other metrics."""
    found = PASS.search(name)
    if found is None or "g-pass" in name.lower() or "maj" in name.lower():
        return 1 if MEAN.search(name) else None
    return int(found.group(1))


def is_average(metric: str, value: Any) -> bool:
    """Whether a value lies between 0 and 1 though its metric grades a response 0 or 1: it is a mean of several."""
    return BINARY.search(metric) is not None and isinstance(value, int | float) and 0.0 < value < 1.0


def counted(metric: str, responses: int, value: Any, place: str, *, mean: bool = False) -> Counted | None:
    """Inverts pass@k, 1 - C(n-c, k) / C(n, k), or a mean, of n responses.

    Args:
        metric: name; its own number of responses counts where it has one.
        responses: n.
        value: in [0, 1].
        place: for messages.
        mean: the value is a mean, whatever the metric is called.

    Returns:
        n and c; None where the metric is not one that determines c.

    Raises:
        InputError: no c gives the value, or several do.
    """
    k = 1 if mean else k_of_metric(metric)
    if k is None or value is None:
        return None
    own = SAMPLES.search(metric)
    n = min(int(own.group(1)), responses) if own else responses
    said = grade_of(value, place, metric)
    require(said is not None, f"{place}: {metric} = {shown(value)} is not a number")
    require(k <= n, f"{place}: {metric} of {n} responses: pass@k needs at least k")
    each = chance_of_any(n, np.arange(n + 1), k)
    found = np.flatnonzero(np.abs(each - float(said or 0.0)) <= EQUAL)
    if found.size == 0:
        raise InputError(f"{place}: {metric} = {shown(value)} is not {metric} of {n} responses, whatever is correct")
    if found.size > 1:
        raise InputError(
            f"{place}: {metric} = {shown(value)} of {n} responses holds for {found[0]} to {found[-1]} correct ones:"
            " choose a metric that tells how many (--metric), as pass@1 does, or give a pattern (--pattern)"
        )
    return Counted(n, int(found[0]))
