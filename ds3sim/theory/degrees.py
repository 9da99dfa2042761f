"""Degree laws, the peeling threshold (19) and the scale a of (20), for any two-sided ensemble of binomial degrees.

The degree polynomial of one side, seen from an edge, is (1 - p + p z)^(n-1): a node has n possible neighbours,
each with chance p. With p = 1 every degree is n, so the same code covers regular ensembles (tests compare with
the known numbers of the (3,6) ensemble). All polynomials are evaluated at z = 1 - u for a given u, with log1p:
p is 1e-9 and n is 1e10 in the models of interest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import Numbers

_PRECISE = 64
"""Halvings of the interval that holds x_BP."""


@dataclass(frozen=True)
class Degrees:
    """Degrees of one side: ``count`` possible neighbours, each joined with probability ``chance``.

    Both are float64 arrays that broadcast; nothing is checked.
    """

    count: np.ndarray
    chance: np.ndarray

    def edge(self, u: Numbers) -> np.ndarray:
        """(1 - p u)^(n-1), the edge polynomial at 1 - u."""
        return _power(self.chance, u, self.count - 1)

    def edge_slope(self, u: Numbers) -> np.ndarray:
        """Derivative of the edge polynomial by z at z = 1 - u: (n-1) p (1 - p u)^(n-2)."""
        return (self.count - 1) * self.chance * _power(self.chance, u, self.count - 2)

    def node(self, u: Numbers) -> np.ndarray:
        """L(1 - u): generating function of the degree of a node that has at least one neighbour."""
        none = _power(self.chance, 1.0, self.count)
        # (1 - p u)^n - (1-p)^n over 1 - (1-p)^n, no cancellation where p n is small
        rest = 1.0 - u
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            excess = self.count * np.log1p(self.chance * rest / (1.0 - self.chance))
            ratio = none * np.expm1(excess) / -np.expm1(self.count * np.log1p(-self.chance))
        plain = _power(self.chance, u, self.count) - none
        return np.where(np.isfinite(ratio) & (excess < 1.0), ratio, plain / np.where(none < 1, 1.0 - none, 1.0))

    @property
    def mean(self) -> np.ndarray:
        """L'(1), the mean degree of a node that has at least one neighbour."""
        none = _power(self.chance, 1.0, self.count)
        with np.errstate(divide="ignore"):
            some = np.where(none < 1, -np.expm1(self.count * np.log1p(-self.chance)), 1.0)
        return self.count * self.chance / some


def _power(p: Numbers, u: Numbers, exponent: Numbers) -> np.ndarray:
    """(1 - p u)^exponent; 0^0 = 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.exp(exponent * np.log1p(-p * u))
    return np.where(exponent == 0, 1.0, value)


def threshold(concepts: Degrees, texts: Degrees) -> tuple[np.ndarray, np.ndarray]:
    """eps_BP and x_BP of docs/training.md (19): the minimum of h(x) = x / lambda(1 - rho(1-x)).

    h falls to 0 for x -> 0 wherever a concept can be in no text at all, so the minimum meant is the local one that
    belongs to the large fixed point: the largest x in (0, 1] at which h turns from falling to rising, or x = 1 if h
    still falls there.

    Args:
        concepts, texts: degrees of the two sides; lambda is the edge polynomial of ``concepts``, rho that of ``texts``.

    Returns:
        eps_BP, x_BP; float64 of the broadcast shape. Both 0 where h never falls: learning then has no threshold
        (for large graphs: mean concept degree below e).
    """
    n_v, p, n_c, q = np.broadcast_arrays(concepts.count, concepts.chance, texts.count, texts.chance)
    concepts, texts = Degrees(n_v, p), Degrees(n_c, q)

    def slope(x: np.ndarray) -> np.ndarray:
        """x h'(x) / h(x) = 1 - x (ln lambda(1 - rho(1-x)))'; negative where h falls."""
        left = texts.edge(x)
        with np.errstate(invalid="ignore", divide="ignore"):
            back = (n_v - 1) * p / (1.0 - p * left)
        # p = 1 and x = 0: a node of fixed degree whose other edges are all open
        return 1.0 - x * np.where(np.isfinite(back), back, np.inf) * texts.edge_slope(x)

    # x rho'(1-x) is largest at 1/(q (n_c - 1)); h falls there or nowhere (the factor beside it varies slowly).
    with np.errstate(divide="ignore"):
        peak = np.minimum(1.0, 1.0 / np.maximum(q * (n_c - 1), 1e-300))
    grid = peak + (1.0 - peak) * np.linspace(0.0, 1.0, 65).reshape(-1, *([1] * peak.ndim))
    falling = slope(grid) < 0
    last = 64 - np.argmax(falling[::-1], axis=0)  # the last point of the grid where h falls
    exists = falling.any(axis=0)
    low = np.where(exists, np.take_along_axis(grid, last[None], axis=0)[0], 1.0)
    high = np.where(exists & (last < 64), np.take_along_axis(grid, np.minimum(last + 1, 64)[None], axis=0)[0], low)
    for _ in range(_PRECISE):
        middle = 0.5 * (low + high)
        falls = slope(middle) < 0
        low, high = np.where(falls, middle, low), np.where(falls, high, middle)
    x = np.where(exists, np.where(last < 64, 0.5 * (low + high), 1.0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        value = x / concepts.edge(texts.edge(x))
    return np.where(exists, value, 0.0), x


def scale_squared(concepts: Degrees, texts: Degrees, eps: Numbers, x: Numbers, sign: float = -1.0) -> np.ndarray:
    """V1 + V2 of docs/training.md (20): n_c times the variance of the threshold, channel included.

    Subtract eps (1 - eps) where the number of unknown concepts is fixed.

    Args:
        concepts, texts: as :func:`threshold`.
        eps, x: its results, x > 0.
        sign: -1 as published (Amraoui, Montanari, Richardson, Urbanke, IEEE Trans. Inf. Theory 55, 2009); +1 puts
            plus signs before xb^2 rho'(xb^2), lambda(y^2) and y^2 lambda'(y^2), as the authors' code does.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rho, rho_slope = texts.edge(x), texts.edge_slope(x)
        double = x * (2.0 - x)  # 1 - xb^2
        y, back = 1.0 - rho, concepts.edge(rho)
        double_y = rho * (2.0 - rho)  # 1 - y^2
        common = concepts.mean * back**2
        first = rho**2 - texts.edge(double) + rho_slope * (1.0 - 2.0 * x * rho)
        first = (first + sign * (1.0 - x) ** 2 * texts.edge_slope(double)) / (common * rho_slope**2)
        second = back**2 + sign * (concepts.edge(double_y) + y**2 * concepts.edge_slope(double_y))
        return first + np.asarray(eps) ** 2 * second / common


def regular(concept_degree: int, text_degree: int) -> tuple[Degrees, Degrees]:
    """The regular ensemble: every concept in ``concept_degree`` texts, every text with ``text_degree`` concepts."""
    one = np.array(1.0)
    return Degrees(np.array(float(concept_degree)), one), Degrees(np.array(float(text_degree)), one)


def fixed_point(concepts: Degrees, texts: Degrees, eps: Numbers) -> np.ndarray:
    """Largest x in [0, eps] with x = eps lambda(1 - rho(1-x)): where peeling of a large graph ends.

    Args:
        concepts, texts: as :func:`threshold`.
        eps: unknown fraction; broadcast.

    Returns:
        float64 of the broadcast shape; absolute error below 1e-12.
    """
    shape = np.broadcast_shapes(*(np.shape(v) for v in (concepts.count, concepts.chance, texts.count, eps)))
    x = np.broadcast_to(np.asarray(eps, dtype=np.float64), shape).copy()
    for _ in range(_MOST_ROUNDS):
        new = eps * concepts.edge(texts.edge(x))
        done = np.max(np.abs(new - x), initial=0.0) < 1e-15
        x = new
        if done:
            break
    return x


_MOST_ROUNDS = 200_000
"""Rounds of density evolution; close to the threshold it slows down as the inverse root of the distance."""
