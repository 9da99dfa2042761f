"""Plurality votes over one correct and M-1 wrong answers (docs/theory.md section 3, (9)-(11)).

A failed trace votes for wrong answer j with probability c_j. Everything is float64.
"""

from __future__ import annotations

import numpy as np

from ds3sim.core.check import Numbers, fraction, fraction_array, whole_number
from ds3sim.core.errors import NoClosedForm, require
from ds3sim.theory.binomial import binomial_pmf, binomial_tails
from ds3sim.theory.plurality import EXACT, chances

MOST_VOTES = EXACT
"""Up to here every Q_k is computed; :func:`ds3sim.theory.plurality.chances` approximates beyond."""

_TERMS = 2**21
"""Most terms of a sum over votes held at once."""


def geometric_weights(categories: int, decay: float) -> np.ndarray:
    """c_j = (1 - lambda) lambda^(j-1) / (1 - lambda^(M-1)), j = 1..M-1, docs/theory.md (11); [DS3].

    Args:
        categories: M, the number of answers, the correct one included, >= 2.
        decay: lambda in [0, 1]; 1 is uniform, 0 puts everything on one wrong answer.

    Returns:
        float64 [M-1], sums to 1.

    Raises:
        InputError: an argument outside its range.
    """
    categories = whole_number("categories", categories, 2)
    powers = np.power(fraction("decay", decay), np.arange(categories - 1))
    return powers / powers.sum()


def zipf_weights(categories: int, exponent: float) -> np.ndarray:
    """c_j = j^-s / sum_i i^-s, j = 1..M-1: Zipf's law, beside (11).

    Args:
        categories: M, the number of answers, the correct one included, >= 2.
        exponent: s >= 0; 0 is uniform.

    Returns:
        float64 [M-1], sums to 1.

    Raises:
        InputError: ``categories`` outside its range.
    """
    powers = np.arange(1.0, whole_number("categories", categories, 2)) ** -exponent
    return powers / powers.sum()


def plurality(n: int, weights: Numbers, ties: str = "random") -> np.ndarray:
    """Q_k(n) for k = 0..n: the chance that the correct answer wins given k correct votes of n; (9).

    Args:
        n: votes, 1 <= n <= ``MOST_VOTES``.
        weights: c_j of the M-1 wrong answers, sum 1.
        ties: ``random`` (uniform among the tied) or ``wrong`` (a tie counts as failure).

    Returns:
        float64 [n+1], read-only (it is cached). Absolute error below 1e-12; values above 1e-290 keep 10 digits.

    Raises:
        InputError: an argument outside its range.
        NoClosedForm: n is above ``MOST_VOTES``.
    """
    n = whole_number("n", n, 1)
    require(ties in ("random", "wrong"), f"ties = {ties!r} is not known: choose random or wrong")
    if n > MOST_VOTES:
        raise NoClosedForm(f"n = {n} votes: plurality is computed for up to {MOST_VOTES}; use engine = traces")
    return chances(n, weights, ties)


def vote_success(p1: Numbers, n: int, weights: Numbers, ties: str = "random") -> np.ndarray:
    """P_MV(n) = sum_k C(n,k) P1^k (1-P1)^(n-k) Q_k(n), docs/theory.md (10).

    Args:
        p1: success probability of one trace, any shape.
        n: votes, 1 <= n <= 2^20; above ``MOST_VOTES`` the absolute error is below 1e-6 (Q_k is interpolated).
        weights, ties: as :func:`plurality`.

    Returns:
        float64 of the shape of ``p1``.

    Raises:
        InputError: an argument outside its range.
    """
    p1, n = fraction_array("p1", p1), whole_number("n", n, 1)
    if n <= MOST_VOTES:
        return np.minimum(1.0, binomial_pmf(np.arange(n + 1), n, p1[..., None]) @ plurality(n, weights, ties))[()]
    chance = chances(n, weights, ties)
    open_k = np.flatnonzero((chance > 0) & (chance < 1))  # below them Q_k is 0, above them 1
    sure = int(open_k[-1]) + 1 if open_k.size else int(np.argmax(chance))
    out = np.array(binomial_tails(sure, n, p1)[0], dtype=np.float64)
    flat, each = p1.ravel(), out.reshape(-1)
    size = max(1, _TERMS // max(1, open_k.size))
    for at in range(0, flat.size, size):
        part = slice(at, at + size)
        each[part] += binomial_pmf(open_k, n, flat[part, None]) @ chance[open_k]
    return np.minimum(1.0, each.reshape(p1.shape))[()]


def authors_vote(p1: Numbers, n: int, answers: int) -> np.ndarray:
    """``authors_code``: I_P1(h, n-h+1) with h = ceil((n+1)/A), for comparison only; docs/theory.md (10.1).

    The paper's code calls a vote won when at least h of n votes are correct. For A = 2 that is the
    strict majority (a tie fails); for A > 2 it is a threshold that is not the plurality.

    Args:
        p1: success probability of one trace, any shape.
        n: votes, >= 1.
        answers: A >= 2.

    Raises:
        InputError: an argument outside its range.
    """
    p1 = fraction_array("p1", p1)
    n, answers = whole_number("n", n, 1), whole_number("answers", answers, 2)
    return binomial_tails(-(-(n + 1) // answers), n, p1)[0][()]
