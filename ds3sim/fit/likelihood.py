"""(12) in the coordinates of its fits: the likelihood of counts, the squared errors of a curve.

u = (A, log alpha, log beta) within ``BOX``; z [4] are three unconstrained numbers and a flag, A = 1 where it is
above 0, so that both the inside and the edge of A are searched.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ds3sim.theory import latent

NAMES: tuple[str, ...] = ("solvable", "alpha", "beta")
LOWEST, ALPHA_MOST, BETA_MOST = 1e-4, 1e5, 1e7
"""alpha and beta lie above ``LOWEST`` and below ``ALPHA_MOST`` and ``BETA_MOST``."""
BOX = np.array([[0.0, 1.0], *np.log([[LOWEST, ALPHA_MOST], [LOWEST, BETA_MOST]])])
LARGER = 1e3
"""Scale of the squared errors while they are minimized."""
_AT_BOUND = 1e-3


def natural(z: Any) -> tuple[Any, Any, Any]:
    """(A, alpha, beta) of z, in JAX."""
    import jax
    import jax.numpy as jnp

    low, high = jnp.asarray(BOX[1:, 0]), jnp.asarray(BOX[1:, 1])
    logs = low + (high - low) * jax.nn.sigmoid(z[1:3])
    solvable = jnp.where(z[3] > 0, 1.0, jax.nn.sigmoid(z[0]))
    return solvable, jnp.exp(logs[0]), jnp.exp(logs[1])


def unconstrained(solvable: float, alpha: float, beta: float) -> np.ndarray:
    """The first three of z, float64 [3]."""
    share = (np.log([alpha, beta]) - BOX[1:, 0]) / (BOX[1:, 1] - BOX[1:, 0])
    share = np.clip(np.append(solvable, share), 1e-9, 1 - 1e-9)
    return np.log(share / (1 - share))


def parameters(u: np.ndarray) -> tuple[float, float, float]:
    """(A, alpha, beta) of u."""
    return float(u[0]), math.exp(u[1]), math.exp(u[2])


def bounds(u: np.ndarray) -> tuple[str, ...]:
    """Names of the parameters that lie at the end of their range."""
    found = ["solvable"] if u[0] >= 1.0 - 1e-9 else []
    for name, value, (low, high) in zip(NAMES[1:], u[1:], BOX[1:], strict=True):
        if value < low + _AT_BOUND * (high - low) or value > high - _AT_BOUND * (high - low):
            found.append(name)
    return tuple(found)


def log_terms(solvable: Any, alpha: Any, beta: Any, n: Any, c: Any) -> Any:
    """log of the zero-inflated beta-binomial chance of each (n, c), without log C(n, c); NumPy or JAX."""
    xp = latent.module(solvable, alpha, beta)
    mixed = latent.log_probability(c, n, alpha, beta)
    none = c == 0
    # log(1 - A + A e^mixed) without loss for A near 1: 1 - A (1 - e^mixed)
    at_zero = xp.log1p(solvable * xp.expm1(xp.where(none, xp.minimum(mixed, -1e-300), -1.0)))
    return xp.where(none, at_zero, xp.log(xp.maximum(solvable, 1e-300)) + mixed)


def negative_likelihood(z: Any, n: Any, c: Any, weight: Any) -> Any:
    """Per problem, at z, in JAX."""
    import jax.numpy as jnp

    return -jnp.sum(weight * log_terms(*natural(z), n, c)) / jnp.sum(weight)


def likelihood_at(u: Any, n: Any, c: Any, weight: Any) -> Any:
    """Log-likelihood at u, in JAX."""
    import jax.numpy as jnp

    return jnp.sum(weight * log_terms(u[0], jnp.exp(u[1]), jnp.exp(u[2]), n, c))


def squares(z: Any, n: Any, y: Any, weight: Any) -> Any:
    """``LARGER`` times the squared errors of a curve at z, in JAX."""
    import jax.numpy as jnp

    error = latent.pass_at_n(n, *natural(z)) - y
    return jnp.sum(weight * error * error) * LARGER


def curve_at(u: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(12) at u; A may step a little beyond [0, 1]."""
    solvable, alpha, beta = parameters(u)
    return solvable * latent.some_success(np.asarray(n, dtype=np.float64), alpha, beta)


def pairs_of(n: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct n and correct, and how many problems have them, float64 [pairs] each."""
    pairs, weight = np.unique(np.stack([n, correct]).astype(np.float64), axis=1, return_counts=True)
    return pairs[0], pairs[1], weight.astype(np.float64)


def padded(n: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Filled up to a power of two with weight 0, so that few shapes are compiled."""
    more = 2 ** max(7, int(n.size - 1).bit_length()) - n.size
    return np.append(n, np.ones(more)), np.append(y, np.ones(more)), np.append(weight, np.zeros(more))
