"""Plurality votes over one correct and M-1 wrong answers (docs/theory.md section 3, (9)-(11)); float64.

A failed trace votes for wrong answer j with probability c_j. Q_k(n) of (9) is one coefficient of a product of cut
exponential series, found by a short Fourier sum:

given k correct votes of n, the w = n-k wrong ones are independent Poissons of rates c_j t, given their sum w, for
any t > 0. So Q_k = sum over ties of the chance that every Poisson stays at k or fewer and the sum is w, over the
chance that the sum of the uncut Poissons is w. Choosing t so that the *cut* Poissons have mean w in all (the
saddle point) puts the wanted coefficient at the peak of its law: it keeps its digits however small Q_k is. The law
of the sum is log-concave with standard deviation s, so a Fourier sum over L = 45 s + 45 points aliases by less than
1e-17. A tie of u answers counts 1/(1+u), the mean of y^u over y in (0, 1), by Gauss-Legendre nodes (exact).
Categories that cannot reach k (chance below 1e-19) join one uncut Poisson, equal weights share one transform.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ds3sim.core.check import Numbers, fraction, fraction_array, one_of, whole_array, whole_number
from ds3sim.core.errors import require
from ds3sim.theory.binomial import binomial_pmf, binomial_tails, stirling_error
from ds3sim.theory.crossing import crossing

EXACT = 2048
"""Most votes for which every Q_k is computed; above, the transition from 0 to 1 is interpolated."""
LARGEST = 2**20
"""Most votes for which Q_k(n) is computed at all."""
_NODES = 72
"""Values of k at which a wide transition is computed; the spline between them errs by less than 1e-7."""
_SURE = 1e-13
"""Where a bound says that Q_k is this close to 0 or 1 it is taken to be."""
_CANNOT = 1e-19
_KEPT = 2**16
"""Counts up to which Stirling's errors are kept."""
_TERMS = 2**21
"""Most terms of a sum over votes held at once."""


def geometric_weights(categories: int, decay: float) -> np.ndarray:
    """c_j = (1 - lambda) lambda^(j-1) / (1 - lambda^(M-1)), j = 1..M-1, docs/theory.md (11); [DS3].

    Args:
        categories: M, the number of answers, the correct one included, >= 2.
        decay: lambda in [0, 1]; 1 is uniform, 0 puts everything on one wrong answer.

    Returns:
        float64 [M-1], sums to 1.
    """
    categories = whole_number("categories", categories, 2)
    powers = np.power(fraction("decay", decay), np.arange(categories - 1))
    return powers / powers.sum()


def zipf_weights(categories: int, exponent: float) -> np.ndarray:
    """c_j = j^-s / sum_i i^-s, j = 1..M-1, s >= 0: Zipf's law, beside (11); as :func:`geometric_weights`."""
    powers = np.arange(1.0, whole_number("categories", categories, 2)) ** -exponent
    return powers / powers.sum()


def plurality(n: int, weights: Numbers, ties: str = "random", quick: bool = False) -> np.ndarray:
    """Q_k(n) for k = 0..n: the chance that the correct answer wins given k correct votes of n; (9).

    Args:
        n: votes, 1 <= n <= ``LARGEST``.
        weights: c_j of the wrong answers, sum 1.
        ties: ``random`` (uniform among the tied) or ``wrong`` (a tie counts as failure).
        quick: interpolate for n above 48 already, with fewer nodes, for fits: error about 1e-5 in (13).

    Returns:
        float64 [n+1], read-only (it is cached). Relative error about 1e-12 up to ``EXACT`` for values above 1e-290;
        above, absolute error below 1e-6.
    """
    size = int(whole_array("n", n, 1))
    require(size <= LARGEST, f"n = {size} votes are more than {LARGEST}")
    one_of("ties", ties, ("random", "wrong"))
    effort = (48, 20) if quick else (EXACT, _NODES)
    return _chances(size, tuple(positive_weights(weights).tolist()), ties, *effort)


def vote_success(p1: Numbers, n: int, weights: Numbers, ties: str = "random") -> np.ndarray:
    """P_MV(n) = sum_k C(n,k) P1^k (1-P1)^(n-k) Q_k(n), docs/theory.md (10).

    Args:
        p1: success probability of one trace, any shape.
        n: votes, 1 <= n <= 2^20; above ``EXACT`` the absolute error is below 1e-6 (Q_k is interpolated).
        weights, ties: as :func:`plurality`.

    Returns:
        float64 of the shape of ``p1``.
    """
    p1, n = fraction_array("p1", p1), whole_number("n", n, 1)
    if n <= EXACT:
        return np.minimum(1.0, binomial_pmf(np.arange(n + 1), n, p1[..., None]) @ plurality(n, weights, ties))[()]
    chance = plurality(n, weights, ties)
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
    """
    p1 = fraction_array("p1", p1)
    n, answers = whole_number("n", n, 1), whole_number("answers", answers, 2)
    return binomial_tails(-(-(n + 1) // answers), n, p1)[0][()]


def positive_weights(weights: Numbers) -> np.ndarray:
    """The positive weights, largest first, scaled to sum 1; InputError where they do not sum to 1."""
    c = np.atleast_1d(fraction_array("weights", weights)).ravel()
    total = float(c.sum())
    require(c.size >= 1 and abs(total - 1) <= 1e-9, f"weights sum to {total:.12g}: they must sum to 1")
    return np.sort(c[c > 0])[::-1] / total


@lru_cache(maxsize=256)
def _chances(n: int, weights: tuple[float, ...], ties: str, exact: int, nodes: int) -> np.ndarray:
    c = np.array(weights)
    result = np.zeros(n + 1)
    result[n // 2 + 1 :] = 1.0
    # With k below n/M the wrong votes cannot all stay at k or fewer: Q = 0. Above n/2: Q = 1.
    first, last = max(1, -(-n // (c.size + 1))), n // 2
    if n > exact:
        first, last = _transition(n, c, first, last)
        result[last + 1 :] = 1.0
    count = last - first + 1
    if count > 0:
        if n > exact and count > nodes + 12:
            from scipy.interpolate import make_interp_spline

            at = np.unique(np.rint(np.linspace(first, last, nodes)).astype(int))
            known = _several(n, at, c, ties)
            result[first : last + 1] = make_interp_spline(at, known, k=7)(np.arange(first, last + 1))
        else:
            result[first : last + 1] = _several(n, np.arange(first, last + 1), c, ties)
    result = np.clip(result, 0.0, 1.0)
    result.setflags(write=False)
    return result


def _transition(n: int, c: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """The k between which Q_k is not surely 0 (P(W_1 <= k) small) or 1 (sum of P(W_j >= k) small)."""

    def lost(k: np.ndarray) -> np.ndarray:
        return binomial_tails(k + 1.0, n - k, c[0])[1] < _SURE

    def unsure(k: np.ndarray) -> np.ndarray:
        return binomial_tails(k[:, None], n - k[:, None], c)[0].sum(axis=1) >= _SURE

    return _first_false(lost, first, last), _first_false(unsure, first, last)


def _first_false(condition: Callable[[np.ndarray], np.ndarray], first: int, last: int) -> int:
    """The first k in first..last where ``condition``, true before and false after, fails; last where none fails."""
    while first < last:
        k = np.unique(np.linspace(first, last - 1, 16).astype(np.int64))
        true = int(condition(k.astype(np.float64)).sum())
        first, last = int(k[true - 1]) + 1 if true else first, int(k[true]) if true < k.size else last
    return first


def _saddles(c: np.ndarray, cap: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """t at which the cut Poissons (rates c t, at most ``cap`` each) have mean ``wrong`` in all, for each pair [K] with
    wrong < cap c.size; the mean is t times the sum of c g(cap-1)/g(cap). About is enough: Q_k does not depend on it."""
    shape = cap[:, None]

    def excess(t: np.ndarray) -> np.ndarray:
        rate = c * t[:, None]
        return (rate * _cut_ratio(rate, shape)).sum(axis=1) / wrong - 1.0

    high = wrong.copy()
    short = excess(high) < 0
    while short.any() and high.max() < 1e16:
        high[short] *= 4.0
        short = excess(high) < 0
    return crossing(np.where(high > wrong, high / 4.0, high), high, excess, 1e-4)


def _cut_ratio(rate: np.ndarray, k: np.ndarray) -> np.ndarray:
    """P(Poisson(rate) <= k-1) / P(Poisson(rate) <= k), stable where both vanish."""
    from scipy import special

    upper = special.pdtr(k, rate)
    small = upper < 1e-200
    with np.errstate(invalid="ignore", divide="ignore"):
        out = np.where(small, 1.0 - 1.0 / (1.0 + k / rate / (1.0 - (k - 1) / rate).clip(1e-3)), 0.0)
        return np.where(small, out, special.pdtr(k - 1, rate) / np.where(small, 1.0, upper))


def _several(n: int, k: np.ndarray, c: np.ndarray, ties: str) -> np.ndarray:
    """Q_k(n) for each of k [K], 1 <= k <= n - k."""
    from scipy import special

    wrong, cap = n - k, k if ties == "random" else k - 1
    out, most = np.zeros(k.size), cap * c.size
    for i in np.flatnonzero(wrong == most):  # all at the cap
        chance = special.gammaln(wrong[i] + 1) - c.size * special.gammaln(cap[i] + 1) + cap[i] * np.log(c).sum()
        out[i] = math.exp(chance) / (1 + c.size if ties == "random" else 1)
    some = np.flatnonzero(wrong < most)
    if some.size:
        rates = _saddles(c, cap[some].astype(np.float64), wrong[some].astype(np.float64))
        out[some] = [_one(n, one, c, ties, t) for one, t in zip(k[some].tolist(), rates.tolist(), strict=True)]
    return out


def _one(n: int, k: int, c: np.ndarray, ties: str, t: float) -> float:
    """Q_k(n) by Poissons of rates c t."""
    from scipy import fft, special

    wrong = n - k
    most_tied = min(c.size, wrong // k) if ties == "random" else 0
    cap = k if ties == "random" else k - 1
    rate, far = c * t, t > 2.0 * wrong
    tail = special.pdtrc(k - 1, rate)
    cut = np.flatnonzero(tail > _CANNOT)  # categories that may reach k
    free = rate[tail <= _CANNOT].sum()
    power, begin, law, log_scale, variance = _cut_laws(rate[cut], k, cap, far)
    variance += free
    span = int(45.0 * math.sqrt(variance) + 45.0)
    least = min(span, wrong + cap * c.size + 1)
    length = int(fft.next_fast_len(max(least, 8), real=True) or least)
    angle = 2.0 * np.pi / length * np.arange(length // 2 + 1)
    base = np.exp(free * (np.exp(-1j * angle) - 1.0)) if free > 0 else np.ones(angle.size, dtype=complex)
    full = begin + law.shape[1] - 1 >= k
    fewer = _transform(law[:, :-1] if full else law, begin, length, angle)
    at_k = law[:, -1:] if full else np.zeros((len(law), 1))
    base *= np.exp(1j * ((angle * wrong) % (2.0 * np.pi)))
    fold = np.full(angle.size, 2.0)
    fold[0] = 1.0
    if length % 2 == 0:
        fold[-1] = 1.0
    tied = at_k * np.exp(-1j * ((angle * k) % (2.0 * np.pi)))[None]
    nodes, node_weights = _legendre(most_tied // 2 + 1) if most_tied else (np.zeros(1), np.ones(1))
    several, total = bool(np.any(power > 1)), 0.0
    for y, share in zip(nodes, node_weights, strict=True):
        factor = (fewer + y * tied) if y else fewer
        product = (factor ** power[:, None] if several else factor).prod(axis=0)
        total += share * float((fold * np.real(product * base)).sum())
    whole = float(_log_poisson(np.array([wrong]), t, far)[0]) - (free if far else 0.0)
    return float(np.exp(log_scale - whole) * max(total, 0.0) / length)


def _cut_laws(rates: np.ndarray, k: int, cap: int, far: bool) -> tuple[np.ndarray, int, np.ndarray, float, float]:
    """Poissons that may reach k, equal ones together, each scaled so that its part up to ``cap`` sums to 1.

    Returns:
        how many of each, [G]; the first count of their laws, and these, [G, counts]; the log of all scales; the
        variance of the sum of their cut laws.
    """
    rate, power = np.unique(rates, return_counts=True)
    if not rate.size:
        return power, 0, np.zeros((0, 1)), 0.0, 0.0
    low, most = min(float(rate[0]), cap), float(rate[-1])
    begin = max(0, int(low - 12.0 * math.sqrt(low)) - 30) if cap > 200 else 0
    counts = np.arange(begin, min(k, int(most + 12.0 * math.sqrt(most) + 60)) + 1)
    logs = _log_poisson(counts, rate[:, None], far)
    top, inside = logs.max(axis=1, keepdims=True), counts <= cap
    law = np.exp(logs - top)
    mass = law[:, inside].sum(axis=1, keepdims=True)
    law /= mass
    kept, those = law[:, inside], counts[inside]
    spread = (kept * (those - (kept @ those)[:, None]) ** 2).sum(axis=1)
    return power, begin, law, float(power @ (top + np.log(mass))[:, 0]), float(power @ spread)


def _log_poisson(counts: np.ndarray, rate: np.ndarray | float, far: bool) -> np.ndarray:
    """log P(Poisson(rate) = counts) + (rate if ``far``, where the rate is no help to cancel against)."""
    from scipy import special

    i = counts.astype(np.float64)
    if far:
        return i * np.log(rate) - special.gammaln(i + 1.0)
    # i log(i/rate) - (i - rate) from the excess, so that nothing large cancels
    last = int(counts[-1])
    rest = _stirling_rest(1 << last.bit_length())[counts[0] : last + 1] if last < _KEPT else _rest(i)
    excess = i - rate
    return -rest - special.xlog1py(i, np.maximum(excess / rate, -1.0)) + excess


def _rest(i: np.ndarray) -> np.ndarray:
    """What Stirling's i log i - i lacks of log i!."""
    safe = np.maximum(i, 1.0)
    return np.where(i > 0, 0.5 * np.log(2.0 * np.pi * safe) + stirling_error(safe), 0.0)


@lru_cache(maxsize=32)
def _stirling_rest(size: int) -> np.ndarray:
    """That of 0 .. size - 1."""
    return _rest(np.arange(float(size)))


def _transform(law: np.ndarray, begin: int, length: int, angle: np.ndarray) -> np.ndarray:
    """sum_i law_i e^{-i angle (begin + i)} of each law [G, counts] at the angles 2 pi l / length, l = 0..length/2."""
    many, size = law.shape
    if size > length:
        law = np.pad(law, ((0, 0), (0, -size % length))).reshape(many, -1, length).sum(axis=1)
    out = np.fft.rfft(law, length)
    return out * np.exp(-1j * ((angle * begin) % (2.0 * np.pi))) if begin else out


@lru_cache(maxsize=64)
def _legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1.0) / 2.0, weights / 2.0
