"""Peeling of the concept-text graph as formulas: threshold (19) and finite-size law (20) of docs/training.md.

R concepts can be learnt. They are the unknown fraction eps of n_c = R/eps concepts; T texts contain each concept with
probability p = d_t/R. A text with exactly one unknown concept teaches it; repeat. [NV], [DS3].

The threshold and the scale a of (20) hold for any two-sided ensemble of binomial degrees. The degree polynomial of one
side, seen from an edge, is (1 - p + p z)^(n-1): a node has n possible neighbours, each with chance p. With p = 1 every
degree is n, so the same code covers regular ensembles. All polynomials are evaluated at z = 1 - u for a given u, with
log1p: p is 1e-9 and n is 1e10 in the models of interest.

Named variants of the finite-size law:

``published``     the scale a of Amraoui, Montanari, Richardson and Urbanke, the shift b n_c^(-2/3) of the threshold.
``authors_code``  three plus signs in a where the published law has minus signs, and no shift.
``random_graph``  as published, with the scale of a graph of independent edges (ours, (20.2)): the published a is that
                  of an ensemble whose degrees are fixed, and 5% too small here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import Numbers, fraction_array, numbers, one_of, positive
from ds3sim.core.errors import require

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


VARIANTS = ("published", "authors_code", "random_graph")

SHIFT = 0.6
"""b of ``published``: fitted to simulations of 4000 to 64000 concepts, 0.600 +- 0.007 (docs/findings/peeling.md)."""

BROWNIAN = 0.996193
"""E max over real t of W(t) - t^2/2, W two-sided Brownian motion (Daniels and Skyrme 1985; Barbour 1975)."""


@dataclass(frozen=True)
class Peeling:
    """What (19) and (20) say; float64 arrays of the shape of the arguments.

    Attributes:
        eps_threshold: eps_BP of (19); 0 where there is no threshold.
        x_threshold: x_BP of (19).
        gamma: gamma_BP = eps_BP L(1 - rho(1 - x_BP)): unknown fraction at which peeling gets stuck at the threshold.
        scale: a of (20).
        shift: b of (20); 0 in ``authors_code``.
        stuck: the normal tail of (20), the probability that peeling gets stuck high.
        unlearnt: P_b = gamma/eps * stuck, the expected fraction of the R concepts that stays unknown.
        learnt: 1 - P_b.
    """

    eps_threshold: np.ndarray
    x_threshold: np.ndarray
    gamma: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    stuck: np.ndarray
    unlearnt: np.ndarray

    @property
    def learnt(self) -> np.ndarray:
        return 1.0 - self.unlearnt


def ensemble(
    concepts: Numbers, texts: Numbers, text_degree: ArrayLike = 6.0, unknown: ArrayLike = 0.5
) -> tuple[Degrees, Degrees]:
    """Degrees of the concepts (n_v = T neighbours) and of the texts (n_c = R/eps neighbours), p = d_t/R.

    Args:
        concepts: R > 0.
        texts: T > 0.
        text_degree: d_t, mean number of unknown concepts in a text, 0 < d_t <= R.
        unknown: eps in (0, 1].
    """
    big_r, big_t, degree = (
        positive("concepts", concepts),
        positive("texts", texts),
        positive("text_degree", text_degree),
    )
    eps = numbers("unknown", unknown, above=0, high=1)
    big_r, big_t, degree, eps = np.broadcast_arrays(big_r, big_t, degree, eps)
    require(
        bool(np.all(degree <= big_r)),
        "text_degree is above the number of concepts: a text has each concept at most once",
    )
    p = degree / big_r
    return Degrees(big_t, p), Degrees(big_r / eps, p)


def peeling(
    concepts: Numbers,
    texts: Numbers,
    text_degree: ArrayLike = 6.0,
    unknown: ArrayLike = 0.5,
    variant: str = "published",
    shift: ArrayLike | None = None,
) -> Peeling:
    """Threshold (19) and finite-size law (20); arguments broadcast.

    P_b = (gamma_BP/eps) Q( sqrt(n_c) (eps_BP - b n_c^(-2/3) - eps) / a ).

    (20) is a law near the threshold. Far above it (too few texts) gamma_BP is too small an unknown fraction: see
    :func:`large_graph`. Where there is no threshold at all, ``unlearnt`` is that of a large graph.

    Args:
        concepts, texts, text_degree, unknown: as :func:`ensemble`.
        variant: one of ``VARIANTS``.
        shift: b; None is ``SHIFT`` for ``published``, 0 for ``authors_code``, :func:`shift_constant` for
        ``random_graph``.

    Raises:
        InputError: an argument outside its range, an unknown variant.
    """
    from scipy.special import ndtr

    one_of("finite_size", variant, VARIANTS)
    eps = numbers("unknown", unknown, above=0, high=1)
    of_concept, of_text = ensemble(concepts, texts, text_degree, eps)
    level, x = threshold(of_concept, of_text)
    some = x > 0
    at = np.where(some, x, 0.5)
    n_c = of_text.count
    with np.errstate(invalid="ignore"):
        if variant == "random_graph":
            squared = independent_edges(of_concept, of_text, level, at)
        else:
            squared = scale_squared(of_concept, of_text, level, at, 1.0 if variant == "authors_code" else -1.0)
            squared = squared - level * (1.0 - level)
        scale = np.sqrt(np.where(some & np.isfinite(squared), np.maximum(squared, 0.0), 0.0))
    if shift is not None:
        b = np.broadcast_to(numbers("shift", shift), level.shape)
    elif variant == "random_graph":
        b = shift_constant(of_concept, of_text, level, x)
    else:
        b = np.full(level.shape, SHIFT if variant == "published" else 0.0)
    distance = np.sqrt(n_c) * (level - b * n_c ** (-2.0 / 3.0) - eps)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(scale > 0, distance / scale, np.sign(distance) * np.inf)
    stuck = np.where(some, ndtr(-np.where(np.isnan(z), 0.0, z)), 1.0)
    some_level = np.where(np.isfinite(level), level, 0.0)  # far too many texts: nothing stays unknown
    gamma = np.where(some, some_level * of_concept.node(of_text.edge(at)), 0.0)
    unlearnt = np.minimum(1.0, gamma / eps * stuck)
    if not np.all(some):
        rest = of_concept.node(of_text.edge(fixed_point(of_concept, of_text, eps)))
        unlearnt, gamma = np.where(some, unlearnt, rest), np.where(some, gamma, eps * rest)
    return Peeling(*(v[()] for v in (level, x, gamma, scale, b, stuck, unlearnt)))


def shift_constant(concepts: Degrees, texts: Degrees, eps: Numbers, x: Numbers) -> np.ndarray:
    """b of (20) in the limit of large graphs; *ours*, docs/training.md (20.1).

    The number of texts that can teach, v, follows near its minimum a parabola with unit diffusion: with x = (unknown
    concepts)/n_c it is n_c x [ln(x/eps) + n_v p exp(-n_c p x)], whose second derivative at the threshold is
    n_c (n_c p x - 1)/x. Peeling dies when v reaches 0; the minimum of a Brownian path on a parabola lies lower than the
    parabola's by ``BROWNIAN`` n_c^(1/3) ((n_c p x - 1)/x)^(-1/3), which is as if eps were larger by b n_c^(-2/3).
    """
    degree = texts.count * texts.chance
    at = np.where(np.asarray(x) > 0, x, 1.0)
    bend = np.maximum(degree * at - 1.0, 1e-12) / at
    return np.where(np.asarray(x) > 0, BROWNIAN * eps / at * bend ** (-1.0 / 3.0), 0.0)


def independent_edges(concepts: Degrees, texts: Degrees, eps: Numbers, x: Numbers) -> np.ndarray:
    """a^2 of a graph of independent edges, in the limit of large graphs; *ours*, docs/training.md (20.2).

    eps^2/x - eps - eps^2/(n_v p n_c p x^2) at eps_BP, x_BP. It is the variance of the number v of texts that can teach,
    where its mean has its minimum 0, carried over to eps: arrivals of texts at one unknown concept are multinomial,
    losses binomial, and their integrals cancel but for these terms. Arguments as :func:`shift_constant`.
    """
    return eps * eps / x - eps - (eps / x) ** 2 / (concepts.count * concepts.chance * texts.count * texts.chance)


def large_graph(
    concepts: Numbers, texts: Numbers, text_degree: ArrayLike = 6.0, unknown: ArrayLike = 0.5
) -> np.ndarray:
    """Fraction of the R concepts that stays unknown in a very large graph (density evolution); ours.

    eps lambda(y) iterated from eps gives the fixed point x; the fraction is L(1 - rho(1-x)), counted like P_b of (20)
    among concepts that occur in a text. Arguments and errors as :func:`ensemble`.
    """
    eps = numbers("unknown", unknown, above=0, high=1)
    of_concept, of_text = ensemble(concepts, texts, text_degree, eps)
    x = fixed_point(of_concept, of_text, eps)
    return of_concept.node(of_text.edge(x))[()]


def excess_entropy(concepts: Numbers, unlearnt: Numbers, text_degree: ArrayLike = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Text error e and the lower bound e^2/2 (nats) of the training loss above its floor; [NV].

    e = 1 - (1 - p delta)^(R-1) (1 + p R delta), delta = P_b, p = d_t/R.

    Args:
        concepts: R > 0.
        unlearnt: P_b in [0, 1].
        text_degree: d_t <= R.

    Returns:
        e, e^2/2; float64 of the broadcast shape. Relative error below 1e-12 also for tiny delta.
    """
    big_r, degree, delta = positive("concepts", concepts), positive("text_degree", text_degree), unlearnt
    big_r, degree, delta = np.broadcast_arrays(big_r, degree, fraction_array("unlearnt", delta))
    require(bool(np.all(degree <= big_r)), "text_degree is above the number of concepts")
    small, mean = degree / big_r * delta, degree * delta
    # ln(1 - p delta) + ln(1 + R p delta): the linear terms leave p delta only
    with np.errstate(divide="ignore"):
        error = -np.expm1((big_r - 1.0) * _log1p_rest(-small) + _log1p_rest(mean) + small)
    error = np.clip(error, 0.0, 1.0) + 0.0  # the formula is below 0 by p delta where delta < 2/(R d_t)
    return error[()], (0.5 * error * error)[()]


def _log1p_rest(x: np.ndarray) -> np.ndarray:
    """ln(1 + x) - x with all digits near 0."""
    near = np.where(np.abs(x) < 0.02, x, 0.0)
    series = np.zeros_like(near)
    for k in range(12, 1, -1):
        series = series * near + (-1.0) ** (k + 1) / k
    with np.errstate(divide="ignore"):
        return np.where(np.abs(x) < 0.02, series * near * near, np.log1p(x) - x)
