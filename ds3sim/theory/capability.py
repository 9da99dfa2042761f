"""From capability to the step success of the chain (docs/theory.md (4), (5)); [DS3]."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import Numbers, fraction_array, numbers, whole_array
from ds3sim.core.errors import require

_SLACK = 1e-9
"""A product this close above a whole number, relatively, is that number: (1 + 0.1) * 10 is 11, not 12."""


def _ceiling(x: np.ndarray) -> np.ndarray:
    return np.ceil(x * (1.0 - _SLACK))


def relevant_skills(m: Numbers, beta: Numbers) -> np.ndarray:
    """M = ceil((1 + beta) m), the skills that compete for the m required ones; (4).

    Args:
        m: required skills, whole, >= 1.
        beta: relevant but not required skills per required one, >= 0.

    Returns:
        float64 whole numbers of the broadcast shape.
    """
    m = whole_array("m", m, 1)
    beta = numbers("beta", beta, low=0)
    return np.maximum(_ceiling((1.0 + beta) * m), m)[()]


def search_weight(m: Numbers, beta: Numbers, rho: Numbers) -> np.ndarray:
    """rho/M + 1 - rho, the chance to look at the right skill, in (4); arguments as :func:`success_from_capability`."""
    rho = fraction_array("rho", rho)
    return rho / relevant_skills(m, beta) + 1.0 - rho


def success_from_capability(
    p: Numbers, m: Numbers, beta: ArrayLike = 5.0, rho: ArrayLike = 0.5, quality: ArrayLike | None = None
) -> np.ndarray:
    """r = p (rho/M + 1 - rho) q(p), docs/theory.md (4).

    Args:
        p: probability that the model connects a pair of skills, any shape.
        m: required skills, whole, >= 1.
        beta: as :func:`relevant_skills`.
        rho: in [0, 1]; 1 searches the relevant set blindly, 0 knows which skill is next.
        quality: q(p) as an array in [0, 1]; None means q(p) = p.
    """
    p = fraction_array("p", p)
    q = p if quality is None else fraction_array("quality", quality)
    return (p * q * search_weight(m, beta, rho))[()]


def skills_at_level(m: Numbers, level: Numbers, other: Numbers, sigma: Numbers) -> np.ndarray:
    """m', the skills of level l' that a task of m skills of level l needs; docs/theory.md (5).

    m' = m for l' = l; ceil(m prod_{k=l'+1..l} sigma_k) for l' < l; max(ceil(m / prod_{k=l+1..l'} sigma_k), 2)
    for l' > l.

    Args:
        m: skills of level l, whole, >= 1.
        level, other: l and l', whole, 1 <= l, l' <= L; broadcast with ``m``.
        sigma: prerequisites sigma_1..sigma_L, [L]; sigma_1 is never used, the others are positive.

    Returns:
        float64 whole numbers (they can exceed any integer type); infinite where they overflow.
    """
    sigma = np.asarray(sigma, dtype=np.float64)
    require(
        sigma.ndim == 1 and sigma.size >= 1 and bool(np.all(sigma[1:] > 0) and np.all(np.isfinite(sigma))),
        "sigma is not allowed: give one positive finite number per level",
    )
    m, level, other = np.broadcast_arrays(
        whole_array("m", m, 1), whole_array("level", level, 1), whole_array("other", other, 1)
    )
    top = int(max(level.max(), other.max())) if m.size else 1
    require(top <= sigma.size, f"level = {top} is above the {sigma.size} levels that sigma describes")
    log_product = np.concatenate([[0.0, 0.0], np.cumsum(np.log(sigma[1:]))])
    here, there = level.astype(np.int64), other.astype(np.int64)
    with np.errstate(over="ignore"):
        scaled = _ceiling(m * np.exp(log_product[here] - log_product[there]))
    return np.where(there == here, m, np.maximum(scaled, np.where(there > here, 2.0, 1.0)))[()]
