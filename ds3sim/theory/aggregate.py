"""Best of n traces of one task, chosen by a verifier (docs/theory.md (7), (8))."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import Numbers, fraction_array, whole_array
from ds3sim.core.errors import require


def best_of_n(p1: Numbers, n: Numbers) -> np.ndarray:
    """1 - (1 - P1)^n: at least one of n traces succeeds and an oracle finds it; (7).

    Args:
        p1: success probability of one trace.
        n: traces, whole, >= 1.

    Returns:
        float64 of the broadcast shape; small values keep their digits.
    """
    p1, n = np.broadcast_arrays(fraction_array("p1", p1), whole_array("n", n, 1))
    with np.errstate(divide="ignore"):
        return np.where(n == 1, p1, -np.expm1(n * np.log1p(-p1)))[()]


def best_of_n_verified(
    p1: Numbers, n: Numbers, true_positive: ArrayLike = 1.0, false_positive: ArrayLike = 0.0, fallback: str = "random"
) -> np.ndarray:
    """Best of n with an imperfect verifier, docs/theory.md (8), ours.

    With a = P1 t, c = (1-P1) f and d = 1 - a - c (a trace is rejected):
    a/(a+c) (1 - d^n) + P1 (1-t) d^(n-1); the last term only with ``fallback = "random"``.

    Args:
        p1: success probability of one trace.
        n: traces, whole, >= 1.
        true_positive, false_positive: t and f, chances that a correct and a wrong trace is accepted.
        fallback: if no trace is accepted, ``random`` answers with any of the n, ``abstain`` fails.
    """
    require(fallback in ("random", "abstain"), f"fallback = {fallback!r} is not known: choose random or abstain")
    p1, n, t, f = np.broadcast_arrays(
        fraction_array("p1", p1),
        whole_array("n", n, 1),
        fraction_array("true_positive", true_positive),
        fraction_array("false_positive", false_positive),
    )
    right, wrong = p1 * t, (1.0 - p1) * f
    accepted = right + wrong
    missed = p1 * (1.0 - t)
    rejected = missed + (1.0 - p1) * (1.0 - f)  # a sum of positive terms: no digits lost near 0
    with np.errstate(divide="ignore", invalid="ignore"):
        log_rejected = np.where(accepted < 0.5, np.log1p(-np.minimum(accepted, 1.0)), np.log(rejected))
        some = -np.expm1(n * log_rejected)
        found = np.where(accepted > 0, right * (some / np.where(accepted > 0, accepted, 1.0)), 0.0)
        none_before = np.where(n == 1, 1.0, np.exp((n - 1) * log_rejected))
    if fallback == "abstain":
        return np.minimum(found, 1.0)[()]
    return np.where(p1 == 1, 1.0, np.minimum(found + missed * none_before, 1.0))[()]


def mean_verified(
    n: int, alpha: float, beta: float, true_positive: float, false_positive: float, fallback: str
) -> float:
    """(8) averaged over a success rate Beta(alpha, beta) that the n traces share, by Gauss-Jacobi; ours.

    (8) is a polynomial of degree n in the rate: n/2 + 1 nodes are exact, and 200 are beyond float64 for any n.

    Args:
        n, true_positive, false_positive, fallback: as :func:`best_of_n_verified`, which also names the errors.
        alpha, beta: > 0.
    """
    from scipy.special import roots_jacobi

    nodes, weights = roots_jacobi(min(n // 2 + 1, 200), beta - 1.0, alpha - 1.0)
    rate = np.clip((nodes + 1.0) / 2.0, 0.0, 1.0)
    value = best_of_n_verified(rate, n, true_positive, false_positive, fallback)
    return float(value @ weights / weights.sum())
