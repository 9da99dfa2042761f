"""Latent difficulty: a task's success rate R is 0 with chance 1-A, else Beta(alpha, beta) (docs/theory.md section 4).

pass@N (12), plurality votes (13) and their plateau (14), moments, densities and distribution functions.

Everything rests on one identity. With f(x) = log Gamma(x+a) - log Gamma(x),
log B(a, b)/B(a, b+N) = f(b+N) - f(b), which is written with Stirling's form at x + 12 and its large terms combined
before they cancel, and 12 exact factors. So (12) keeps 13 digits or more for N up to 10^12, for rates near 0 and
for beta up to 10^9, where differences of log-gammas have none left.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ds3sim.core.check import Numbers, fraction_array, numbers, positive, whole_array
from ds3sim.core.errors import require
from ds3sim.theory import votes
from ds3sim.theory.binomial import log_ratio, log_rising

_SMOOTH = 200.0
"""Up to this alpha + beta rates are so spread out that the counts of thousands of trials follow them."""
MOST_EXACT = 2**22
"""Largest N whose beta-binomial law is written out."""


def pass_at_n(n: Numbers, solvable: Numbers, alpha: Numbers, beta: Numbers) -> Numbers:
    """pass@N = A (1 - B(alpha, beta+N) / B(alpha, beta)), docs/theory.md (12); [DS3].

    Args:
        n: N >= 0, need not be whole. solvable: A in [0, 1]. alpha, beta: > 0. They broadcast.

    Returns:
        float64 of the broadcast shape; relative error below 1e-12 for N up to 1e12.
    """
    n = numbers("n", n, low=0)
    solvable, alpha, beta = check(solvable, alpha, beta)
    return (solvable * some_success(n, alpha, beta))[()]


def some_success(n: Numbers, alpha: Numbers, beta: Numbers) -> Numbers:
    """1 - B(alpha, beta+N) / B(alpha, beta), the chance of a success in N trials of a Beta(alpha, beta) rate.

    (12) without its A. Broadcast; nothing is checked.
    """
    return -np.expm1(-log_ratio(alpha, beta, n))


def check(solvable: Numbers, alpha: Numbers, beta: Numbers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, alpha and beta as float64 arrays.

    Raises:
        InputError: A outside [0, 1], alpha or beta not above 0 or not finite.
    """
    return fraction_array("solvable", solvable), positive("alpha", alpha), positive("beta", beta)


def log_probability(correct: Numbers, n: Numbers, alpha: Numbers, beta: Numbers) -> Numbers:
    """log of the beta-binomial chance of ``correct`` of ``n``, without log C(n, c), which no parameter enters.

    log B(alpha+c, beta+n-c) / B(alpha, beta). Broadcast; nothing is checked. Absolute error about
    1e-15 n log n.
    """
    return log_rising(alpha, correct) + log_rising(beta, n - correct) - log_rising(alpha + beta, n)


def count_law(n: int, alpha: float, beta: float) -> np.ndarray:
    """Chances of k = 0..n correct of n when the rate is Beta(alpha, beta): C(n,k) B(alpha+k, beta+n-k)/B(alpha, beta).

    Args:
        n: whole, 1 <= n <= ``MOST_EXACT``. alpha, beta: > 0.

    Returns:
        float64 [n+1]; relative error about 1e-11.
    """
    size = int(whole_array("n", n, 1))
    require(size <= MOST_EXACT, f"n = {size} is more than {MOST_EXACT}, the most whose law is written out")
    _, alpha, beta = (float(v) for v in check(1.0, alpha, beta))
    k = np.arange(size, dtype=np.float64)
    left = size - k
    ratios = np.log((k + alpha) / (k + 1.0) * (left / (left - 1.0 + beta)))
    law = np.exp(np.concatenate([[0.0], np.cumsum(ratios)]) - float(log_ratio(alpha, beta, float(size))))
    return law / law.sum()


@lru_cache(maxsize=256)
def _known_law(n: int, alpha: float, beta: float) -> np.ndarray:
    """:func:`count_law`, kept: a fit of the weights asks for the same ones again."""
    return count_law(n, alpha, beta)


def moments(solvable: Numbers, alpha: Numbers, beta: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the success rate R over tasks, float64 of the broadcast shape.

    E[R] = A alpha/(alpha+beta); E[R^2] = E[R] (alpha+1)/(alpha+beta+1).
    """
    solvable, alpha, beta = check(solvable, alpha, beta)
    mean = solvable * alpha / (alpha + beta)
    square = mean * (alpha + 1.0) / (alpha + beta + 1.0)
    return mean, square - mean**2


def density(rate: Numbers, solvable: Numbers, alpha: Numbers, beta: Numbers) -> np.ndarray:
    """Density of the continuous part of R at ``rate``; its integral over (0, 1) is A (an atom 1 - A lies at 0)."""
    from scipy.special import betaln, xlog1py, xlogy

    rate = fraction_array("rate", rate)
    solvable, alpha, beta = check(solvable, alpha, beta)
    with np.errstate(divide="ignore"):
        power = xlogy(alpha - 1.0, rate) + xlog1py(beta - 1.0, -rate)
        return (solvable * np.exp(power - betaln(alpha, beta)))[()]


def distribution(rate: Numbers, solvable: Numbers, alpha: Numbers, beta: Numbers) -> np.ndarray:
    """P(R <= rate) = 1 - A (1 - I_rate(alpha, beta)), float64 of the broadcast shape."""
    from scipy.special import betainc

    rate = fraction_array("rate", rate)
    solvable, alpha, beta = check(solvable, alpha, beta)
    return (1.0 - solvable * (1.0 - betainc(alpha, beta, rate)))[()]


def critical_rate(c_star: Numbers) -> np.ndarray:
    """r_c = c*/(1+c*): above it the correct answer is the likeliest one; docs/theory.md (14)."""
    c_star = fraction_array("c_star", c_star)
    return (c_star / (1.0 + c_star))[()]


def plateau(solvable: Numbers, alpha: Numbers, beta: Numbers, c_star: Numbers) -> np.ndarray:
    """P_MV@inf = A (1 - I_{r_c}(alpha, beta)), docs/theory.md (14); [DS3]. c* is the largest weight of (11)."""
    from scipy.special import betaincc

    solvable, alpha, beta = check(solvable, alpha, beta)
    return (solvable * betaincc(alpha, beta, critical_rate(c_star)))[()]


def vote_at_n(
    n: int,
    solvable: Numbers,
    alpha: Numbers,
    beta: Numbers,
    weights: Numbers,
    ties: str = "random",
    quick: bool = False,
) -> float:
    """P_MV@N = A sum_k C(N,k) B(alpha+k, beta+N-k)/B(alpha,beta) Q_k(N), docs/theory.md (13), ours.

    Exact (float64, about 1e-12) for N up to 2048; to 2^20 the transition of Q_k from 0 to 1 is interpolated (error
    below 1e-6); beyond, the difference to the plateau (14) is that of 2^20 votes over weights
    spread out as far as N votes tell them apart, times (2^20/N)^(1/2) (error below 1e-4, docs/forecasting.md).

    Args:
        n: N votes, whole, >= 1.
        solvable, alpha, beta: numbers.
        weights: c_j of the wrong answers, sum 1.
        ties: ``random`` or ``wrong``.
        quick: with an error of about 1e-5, for fits.
    """
    size = int(whole_array("n", n, 1))
    solvable, alpha, beta = (float(v) for v in check(solvable, alpha, beta))
    if size <= votes.LARGEST:
        return solvable * _vote(size, alpha, beta, tuple(votes.positive_weights(weights).tolist()), ties, quick)
    far = float(plateau(solvable, alpha, beta, np.max(weights)))
    scale = (votes.LARGEST / size) ** 0.5
    near = vote_at_n(votes.LARGEST, solvable, alpha, beta, _spread_out(weights, 1.0 / scale), ties, quick)
    return far + (near - far) * scale


@lru_cache(maxsize=4096)
def _vote(n: int, alpha: float, beta: float, weights: tuple[float, ...], ties: str, quick: bool) -> float:
    """(13) of A = 1, kept: intervals ask for the same ones again."""
    from scipy.special import betaln

    chance = votes.plurality(n, weights, ties, quick)
    if n <= votes.EXACT:
        return float(_known_law(n, alpha, beta) @ chance)
    if alpha + beta > _SMOOTH:
        return float(count_law(n, alpha, beta) @ chance)
    unsure = np.flatnonzero((chance > 0) & (chance < 1))  # above them Q_k is 1
    first, sure = (int(unsure[0]), int(unsure[-1]) + 1) if unsure.size else (int(np.argmax(chance)),) * 2
    k = np.arange(first, sure, dtype=np.float64)
    law = np.exp(log_rising(k + 1.0, alpha - 1.0) + log_rising(n - k + 1.0, beta - 1.0)
                 - log_rising(n + 1.0, alpha + beta - 1.0) - betaln(alpha, beta))  # fmt: skip
    return float(law @ chance[first:sure]) + _at_least(sure, n, alpha, beta)


def _at_least(k: int, n: int, alpha: float, beta: float) -> float:
    """P(X >= k), 0 < k <= n, for the law of :func:`count_law` with a smooth density of rates.

    X reaches k where the rate is above a Beta(k, n-k+1) number, which is near k/n: the mean of P(R > y) over it, by the
    trapezoid rule in the logit of y, over 9 standard deviations and more.
    """
    from scipy.special import betaincc, expit

    left = n - k + 1.0
    sd = math.sqrt(1.0 / k + 1.0 / left)
    z = math.log(k / left) + sd * np.linspace(-12.0, 12.0, 161)
    y = expit(z)
    log_weight = k * np.log(y) + left * np.log1p(-y)
    weight = np.exp(log_weight - log_weight.max())
    return float(weight @ betaincc(alpha, beta, y) / weight.sum())


def _spread_out(weights: Numbers, by: float) -> np.ndarray:
    """Weights whose distances to the largest are ``by`` times as large: with by = sqrt(N/n), n votes over them are to
    each other as N votes over the given ones. What falls below half the largest cannot win and shares what is left."""
    c = np.sort(np.asarray(weights, dtype=np.float64).ravel())[::-1]
    moved = c[0] - (c[0] - c) * by
    kept = moved[moved > 0.5 * c[0]]
    left = max(1.0 - float(kept.sum()), 0.0)
    pieces = int(np.ceil(left / (0.5 * c[0])))
    out = np.concatenate([kept, np.full(pieces, left / pieces)]) if pieces and left > 1e-12 else kept
    return out / out.sum()
