"""Plurality votes over one correct and M-1 wrong answers (docs/theory.md section 3, (9)-(11)).

A failed trace votes for wrong answer j with probability c_j. Everything is float64.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ds3sim.core.errors import NoClosedForm, fraction, require, whole_number
from ds3sim.theory.binomial import binomial_pmf, binomial_tails
from ds3sim.theory.inputs import fraction_array

MOST_VOTES = 2048
"""The dynamic program keeps one float64 [n+1, n+1] matrix and takes about n^3 (M-1) operations."""

_NEGLIGIBLE = 1e-290
"""Probabilities below this are set to 0: they cannot matter and subnormal numbers are slow."""


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


def plurality(n: int, weights, ties: str = "random") -> np.ndarray:
    """Q_k(n) for k = 0..n: the chance that the correct answer wins given k correct votes of n; (9).

    Args:
        n: votes, 1 <= n <= ``MOST_VOTES``.
        weights: c_j of the M-1 wrong answers, sum 1.
        ties: ``random`` (uniform among the tied) or ``wrong`` (a tie counts as failure).

    Returns:
        float64 [n+1], read-only (it is cached). Absolute error below 1e-12.

    Raises:
        InputError: an argument outside its range.
        NoClosedForm: n is above ``MOST_VOTES``.
    """
    n = whole_number("n", n, 1)
    require(ties in ("random", "wrong"), f"ties = {ties!r} is not known: choose random or wrong")
    if n > MOST_VOTES:
        raise NoClosedForm(f"n = {n} votes: plurality is computed for up to {MOST_VOTES}; use engine = traces")
    return _plurality(n, tuple(_weights(weights).tolist()), ties)


def vote_success(p1, n: int, weights, ties: str = "random") -> np.ndarray:
    """P_MV(n) = sum_k C(n,k) P1^k (1-P1)^(n-k) Q_k(n), docs/theory.md (10).

    Args:
        p1: success probability of one trace, any shape.
        n, weights, ties: as :func:`plurality`, which also names the errors.

    Returns:
        float64 of the shape of ``p1``.
    """
    p1 = fraction_array("p1", p1)
    chance = plurality(n, weights, ties)
    return np.minimum(1.0, binomial_pmf(np.arange(n + 1), n, p1[..., None]) @ chance)[()]


def authors_vote(p1, n: int, answers: int) -> np.ndarray:
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


def _weights(weights) -> np.ndarray:
    """The positive weights, largest first, scaled to sum 1 exactly as far as float64 goes."""
    c = np.atleast_1d(fraction_array("weights", weights)).ravel()
    total = float(c.sum())
    require(c.size >= 1 and abs(total - 1) <= 1e-9, f"weights sum to {total:.12g}: they must sum to 1")
    return np.sort(c[c > 0])[::-1] / total


def _binomial_table(n: int, p: float, q: float) -> np.ndarray:
    """P(Bin(w, p) = i) at [w, i] for w, i = 0..n, by Pascal's rule: positive sums, about w/2 roundings."""
    table = np.zeros((n + 1, n + 1))
    table[0, 0] = 1.0
    for w in range(1, n + 1):
        table[w, : w + 1] = q * table[w - 1, : w + 1]
        table[w, 1 : w + 1] += p * table[w - 1, :w]
        table[w, : w + 1][table[w, : w + 1] < _NEGLIGIBLE] = 0.0
    return table


@lru_cache(maxsize=64)
def _plurality(n: int, weights: tuple[float, ...], ties: str) -> np.ndarray:
    """The dynamic program behind (9), one category of wrong answers after the other.

    The n-k wrong votes are dealt out by thinning: with w votes left, category j takes i of them
    with the binomial probability of c_j / (c_j + c_{j+1} + ...). That is (9) with its factorials
    absorbed: every number is a probability, so nothing overflows, nothing cancels, and what
    underflows is negligible. The state is kept for each k: [t, w], t categories tied at k, w votes
    left. A category may take at most k. In the order k = 1, 2, ... the matrix of "takes fewer than
    k" only gains one diagonal, so one matrix serves all k.
    """
    c = np.array(weights)
    categories = c.size
    rest = np.cumsum(c[::-1])[::-1]
    after = np.append(rest[1:], 0.0)
    result = np.zeros(n + 1)
    result[n // 2 + 1 :] = 1.0
    # With k below n/M the wrong votes cannot all stay at k or fewer: Q = 0. Above n/2: Q = 1.
    first, last = -(-n // (categories + 1)), n // 2
    states = {k: (n - k, _start(k, n, categories, ties)) for k in range(max(first, 1), last + 1)}
    for j in range(categories):
        table = _binomial_table(n, c[j] / rest[j], after[j] / rest[j])
        fewer = np.zeros((n + 1, n + 1))
        flat = fewer.ravel()
        filled = 0
        for k, (low, state) in states.items():
            for i in range(filled, k):  # entry [w, w - i] = P(the category takes i of w)
                flat[i * (n + 1) :: n + 2] = table[i:, i]
            filled = max(filled, k)
            high = low + state.shape[1] - 1
            new_low = max(0, low - k)
            new_high = min(high, (categories - 1 - j) * k)  # what the categories to come can hold
            new = state @ fewer[low : high + 1, new_low : new_high + 1]
            if state.shape[0] > 1:
                shifted = state[:-1] * table[low : high + 1, k]
                begin = max(low, k)
                end = min(high, new_high + k)
                if end >= begin:
                    new[1:, begin - k - new_low : end - k - new_low + 1] += shifted[:, begin - low : end - low + 1]
            new[new < _NEGLIGIBLE] = 0.0
            states[k] = (new_low, new)
    for k, (_, state) in states.items():
        result[k] = state[:, 0] @ (1.0 / (1.0 + np.arange(state.shape[0])))
    result = np.minimum(result, 1.0)
    result.setflags(write=False)
    return result


def _start(k: int, n: int, categories: int, ties: str) -> np.ndarray:
    """State before the first category: no ties, all n-k wrong votes left; [t, 1]."""
    most_tied = min(categories, (n - k) // k) if ties == "random" else 0
    state = np.zeros((most_tied + 1, 1))
    state[0, 0] = 1.0
    return state
