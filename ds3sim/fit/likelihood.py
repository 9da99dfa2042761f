"""(12) in the coordinates of its fits, u = (A, log alpha, log beta) within ``BOX``: slopes, likelihoods, maxima."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import betaln, digamma

from ds3sim.core.errors import require
from ds3sim.theory import latent

NAMES: tuple[str, ...] = ("solvable", "alpha", "beta")
LOWEST, ALPHA_MOST, BETA_MOST = 1e-4, 1e5, 1e7
"""alpha and beta lie above ``LOWEST`` and below ``ALPHA_MOST`` and ``BETA_MOST``."""
BOX = np.array([[0.0, 1.0], *np.log([[LOWEST, ALPHA_MOST], [LOWEST, BETA_MOST]])])
Valued = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""A function of u [3] to its value and gradient [3]."""
STARTS = [(a, math.log(p), math.log(b)) for a in (0.5, 0.9) for p in (0.15, 0.5, 2.0) for b in (0.5, 4.0, 40.0)]
_AT_BOUND = np.array([1e-9, *1e-3 * (BOX[1:, 1] - BOX[1:, 0])])


def parameters(u: np.ndarray) -> tuple[float, float, float]:
    """(A, alpha, beta) of u."""
    return float(u[0]), math.exp(u[1]), math.exp(u[2])


def bounds(u: np.ndarray) -> tuple[str, ...]:
    """Names of the parameters that lie at the end of their range (of A: at 1)."""
    low, high = u < BOX[:, 0] + _AT_BOUND, u > BOX[:, 1] - _AT_BOUND
    return tuple(name for i, name in enumerate(NAMES) if high[i] or (i > 0 and low[i]))


def log_terms(u: np.ndarray, n: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log of the zero-inflated beta-binomial chance of each (n, c), without log C(n, c), float64 [pairs], and its
    slopes in u, [pairs, 3]."""
    solvable, alpha, beta = parameters(u)
    mixed, none = latent.log_probability(c, n, alpha, beta), c == 0
    some = max(solvable, 1e-300)
    with np.errstate(all="ignore"):
        # log(1 - A + A e^mixed) without loss for A near 1: 1 - A (1 - e^mixed)
        empty = np.log1p(solvable * np.expm1(np.where(none, np.minimum(mixed, -1e-300), -1.0)))
        terms = np.where(none, empty, np.log(some) + mixed)
        by_solvable = np.where(none, np.expm1(mixed) / np.exp(empty), 1.0 / some)
        by_mixed = np.where(none, solvable * np.exp(mixed - empty), 1.0)
    both = digamma(alpha + beta + n) - digamma(alpha + beta)
    by_alpha = alpha * (digamma(alpha + c) - digamma(alpha) - both)
    by_beta = beta * (digamma(beta + n - c) - digamma(beta) - both)
    return terms, np.stack([by_solvable, by_mixed * by_alpha, by_mixed * by_beta], axis=-1)


def curve(u: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(12) at u (A may step a little beyond [0, 1]) and its slopes in u, float64 [n] and [n, 3]."""
    solvable, alpha, beta = parameters(u)
    some = latent.some_success(n, alpha, beta)
    both = digamma(alpha + beta + n) - digamma(alpha + beta)
    rest = solvable * (1.0 - some)
    by_beta = beta * (digamma(beta) - digamma(beta + n) + both)
    return solvable * some, np.stack([some, rest * alpha * both, rest * by_beta], axis=-1)


def pairs_of(n: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct n and correct, and how many problems have them, float64 [pairs] each."""
    pairs, weight = np.unique(np.stack([n, correct]).astype(np.float64), axis=1, return_counts=True)
    return pairs[0], pairs[1], weight.astype(np.float64)


def counted(n: np.ndarray, correct: np.ndarray) -> Valued:
    """The log-likelihood of counts."""
    n, c, weight = pairs_of(n, correct)

    def function(u: np.ndarray) -> tuple[float, np.ndarray]:
        terms, slopes = log_terms(u, n, c)
        return float(weight @ terms), weight @ slopes

    return function


def log_choices(n: np.ndarray, correct: np.ndarray) -> float:
    """The log of the product of C(n, correct), which :func:`counted` leaves out."""
    return -float(np.sum(np.log1p(n) + betaln(correct + 1.0, n - correct + 1.0)))


def gaussian(n: np.ndarray, y: np.ndarray, white: np.ndarray | None = None, scale: float = 1.0) -> Valued:
    """The Gaussian log-likelihood of a curve: -1/2 sum of squared errors / ``scale``.

    ``white`` is the inverse of the Cholesky factor of the errors' covariance, None where they are independent.
    """

    def function(u: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes = curve(u, n)
        rest = y - value
        if white is not None:
            rest, slopes = white @ rest, white @ slopes
        return -0.5 * float(rest @ rest) / scale, slopes.T @ rest / scale

    return function


# ---- maxima ---------------------------------------------------------------------------------------


def maximum(function: Valued, starts: Sequence[ArrayLike] = STARTS) -> np.ndarray:
    """u of the largest value that ascents from ``starts`` find, L-BFGS-B and then Newton's; A = 1 where freeing A gains
    nothing. InputError: no finite value."""
    with np.errstate(all="ignore"):
        ends = [minimize(lambda u: tuple(-v for v in function(u)), start, jac=True, method="L-BFGS-B", bounds=BOX,
                         options={"ftol": 1e-14, "gtol": 1e-7, "maxiter": 100}) for start in starts]  # fmt: skip
    good = [end for end in ends if np.isfinite(end.fun)]
    require(bool(good), "the fit found no finite optimum: look at the data")
    u = _newton(function, min(good, key=lambda end: end.fun).x)
    edge = _newton(function, np.array([1.0, *u[1:]]), held=1)
    here, there = function(u)[0], function(edge)[0]
    return edge if there >= here - 1e-9 * (1.0 + abs(here)) else u


def _newton(function: Valued, u: np.ndarray, held: int = 0) -> np.ndarray:
    """A few Newton steps over the coordinates that are inside the box, from ``held`` on; each has to gain."""
    best = function(u)
    for _ in range(8):
        free = (u > BOX[:, 0]) & (u < BOX[:, 1])
        free[:held] = False
        if not free.any():
            break
        bend, new = -hessian(function, u)[np.ix_(free, free)], u.copy()
        if not np.isfinite(bend).all():
            break
        new[free] += np.linalg.lstsq(bend, best[1][free], rcond=None)[0]
        new = np.clip(new, BOX[:, 0], BOX[:, 1])
        found = function(new)
        if not found[0] >= best[0] or np.array_equal(new, u):
            break
        u, best = new, found
    return u


def hessian(function: Valued, u: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Second derivatives, by central differences of the gradient, float64 [3, 3]."""
    moves = np.eye(u.size) * step
    out = np.array([(function(u + move)[1] - function(u - move)[1]) / (2 * step) for move in moves])
    return 0.5 * (out + out.T)
