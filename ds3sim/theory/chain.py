"""The solvable instantiation: a chain of m skills (docs/theory.md section 1).

States 0..m. A step moves on with probability r, else stays; with death it moves on with r, dies
with q, else stays. T is the hitting time of state m in steps, D the time of death, K the budget.
All functions broadcast and return float64. None includes the feasibility gamma^m: multiply success by it and mix
expectations with the full budget K (docs/theory.md (3)). Absolute error of a probability: below 1e-14 for K up to 1e9;
relative error: below 1e-12, however small it is.
"""

from __future__ import annotations

import numpy as np

from ds3sim.core.check import Numbers, fraction_array, one_of, whole_array
from ds3sim.core.errors import require
from ds3sim.theory.binomial import binomial_pmf, binomial_tails

_BLOCK = 2**20
"""Most terms of a sum over skills held at once."""


def success(m: Numbers, r: Numbers, steps: Numbers, q: Numbers = 0.0) -> np.ndarray:
    """P(T <= K) = (r/a)^m I_a(m, K-m+1), a = r + q; docs/theory.md (3.1), and (1) where nothing dies; [DS3].

    Args:
        m: skills, whole, >= 0 (0: solved before the first step).
        r: probability that a step moves on, in [0, 1].
        steps: K, whole, >= 0.
        q: probability that a step dies, r + q <= 1.

    Returns:
        float64 of the broadcast shape; 0 where K < m.
    """
    m, r, steps, q = _chain(m, r, steps, q)
    return (_ratio(r, q) ** m * binomial_tails(m, steps, r + q)[0])[()]


def pmf(m: Numbers, r: Numbers, k: Numbers) -> np.ndarray:
    """P(T = k) = C(k-1, m-1) r^m (1-r)^(k-m), docs/theory.md (2) given feasible.

    Args:
        m, r: as :func:`success`.
        k: step, whole, >= 0.
    """
    m, r, k, _ = _chain(m, r, k, 0.0)
    late = r * binomial_pmf(m - 1, k - 1, r)  # the last success falls on step k
    return np.where(m == 0, k == 0, np.where(k >= np.maximum(m, 1), late, 0.0)).astype(np.float64)[()]


def expected_steps(m: Numbers, r: Numbers, steps: Numbers, q: Numbers = 0.0, on_dead: str = "exhaust") -> np.ndarray:
    """Expected steps used within the budget, docs/theory.md (3), with death (3.3), (3.4); in steps.

    Args:
        m, r, steps, q: as :func:`success`.
        on_dead: ``stop`` gives E[min(T, D, K)]; ``exhaust`` gives E[min(T, K)], where T is infinite for a trace that
            dies. Exact at r = 0, r = 1 and K < m.

    Raises:
        InputError: an argument outside its range, or an unknown ``on_dead``.
    """
    return _moment(1, m, r, steps, q, on_dead)


def expected_square_steps(
    m: Numbers, r: Numbers, steps: Numbers, q: Numbers = 0.0, on_dead: str = "exhaust"
) -> np.ndarray:
    """Expected square of the steps used, docs/theory.md (3.2), with death (3.5), in steps^2.

    Arguments and errors as :func:`expected_steps`.
    """
    return _moment(2, m, r, steps, q, on_dead)


def branch_success(r: Numbers, b: Numbers, evaluator_error: Numbers = 0.0) -> np.ndarray:
    """(1-e) r_b + e r with r_b = 1 - (1-r)^b, docs/theory.md (6): the best of b proposals moves on.

    Args:
        r: probability that one proposal moves on.
        b: proposals a step, whole, >= 1.
        evaluator_error: e, chance that a random proposal is kept instead.
    """
    r, b, e = np.broadcast_arrays(
        fraction_array("r", r), whole_array("b", b, 1), fraction_array("evaluator_error", evaluator_error)
    )
    with np.errstate(divide="ignore"):
        best = np.where(b == 1, r, -np.expm1(b * np.log1p(-r)))
    return ((1.0 - e) * best + e * r)[()]


# ---- real numbers of steps -------------------------------------------------------------------------


def real_success(m: Numbers, r: Numbers, steps: Numbers) -> np.ndarray:
    """(1) at a real K: I_r(m, K-m+1) for K >= m, else 0, float64 of the broadcast shape; nothing is checked.

    By SciPy's function: about 1e-9 absolute at K = 1e8.
    """
    from scipy.special import betainc

    m, r, steps = np.broadcast_arrays(m, r, steps)
    enough = steps >= m
    return np.where(enough, betainc(m, np.where(enough, steps - m + 1.0, 1.0), r), 0.0)


def real_moments(m: Numbers, r: Numbers, steps: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """E[min(T, K)] and E[min(T, K)^2], (3) and (3.2), at a real K: I_r(m, K-m+1) stands between those of whole K.

    float64 of the broadcast shape; nothing is checked.
    """
    m, r, steps = (np.asarray(v, dtype=np.float64) for v in (m, r, steps))
    some = r > 0
    q = np.where(some, r, 1.0)
    rest = steps * (1.0 - np.where(some, real_success(m, q, steps), 0.0))
    first = m / q * real_success(m + 1.0, q, steps + 1.0)
    second = m * (m + 1.0) / q**2 * real_success(m + 2.0, q, steps + 2.0) - first
    enough = some & (steps >= m)
    return np.where(enough, first + rest, steps), np.where(enough, second + steps * rest, steps * steps)


# ---- what others use in place of (3), for comparison ------------------------------------------------


def expected_steps_min(m: Numbers, r: Numbers, steps: Numbers) -> np.ndarray:
    """min(m/r, K): what the paper's code uses for E[min(T, K)]. It is never too small (Jensen).

    Arguments and errors as :func:`success`.
    """
    m, r, steps, _ = _chain(m, r, steps, 0.0)
    with np.errstate(divide="ignore", over="ignore"):
        mean = np.where(m == 0, 0.0, m / np.where(r > 0, r, np.nan))
    return np.fmin(mean, steps)[()]


def expected_steps_gaussian(m: Numbers, r: Numbers, steps: Numbers) -> np.ndarray:
    """E[min(X, K)] with X normal of the mean m/r and variance m(1-r)/r^2 of T: the Gaussian approximation.

    mu Phi(z) - sd phi(z) + K Phi(-z), z = (K - mu)/sd. Arguments and errors as :func:`success`.
    """
    from scipy.special import ndtr

    m, r, steps, _ = _chain(m, r, steps, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = m / r
        spread = np.sqrt(m * (1.0 - r)) / r
        z = (steps - mean) / spread
        value = mean * ndtr(z) - spread * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) + steps * ndtr(-z)
    certain = (m == 0) | (r == 1) | (r == 0) | ~np.isfinite(value)
    return np.where(certain, expected_steps_min(m, r, steps), value)[()]


# ---- helpers ---------------------------------------------------------------------------------------


def _chain(m: Numbers, r: Numbers, steps: Numbers, q: Numbers) -> list[np.ndarray]:
    values = whole_array("m", m), fraction_array("r", r), whole_array("steps", steps), fraction_array("q", q)
    m, r, steps, q = np.broadcast_arrays(*values)
    worst = float((r + q).max(initial=0.0))
    require(worst <= 1 + 1e-12, f"r + q = {worst:.12g} is above 1: a step moves on, dies or stays")
    return [m, r, steps, np.minimum(q, 1.0 - r)]


def _ratio(r: np.ndarray, q: np.ndarray) -> np.ndarray:
    """r / (r + q), the chance that a move goes on; 1 where there is neither (nothing moves)."""
    total = r + q
    return np.where(total > 0, r / np.where(total > 0, total, 1.0), 1.0)


def _moment(power: int, m: Numbers, r: Numbers, steps: Numbers, q: Numbers, on_dead: str) -> np.ndarray:
    """E[(steps used)^power], power 1 or 2."""
    m, r, steps, q = _chain(m, r, steps, q)
    one_of("on_dead", on_dead, ("exhaust", "stop"))
    if on_dead == "stop":
        return _sum_over_skills(power, m, r, q, steps)[()]
    chance, late = _ratio(r, q) ** m, binomial_tails(m, steps, r + q)[1]
    solved = _partial_moment(m, r + q, steps, 1)
    if power == 2:
        solved = _partial_moment(m, r + q, steps, 2) - solved
    return (chance * solved + steps**power * ((1.0 - chance) + chance * late))[()]


def _partial_moment(m: np.ndarray, r: np.ndarray, steps: np.ndarray, order: int) -> np.ndarray:
    """E[T (T+1) .. (T+order-1); T <= K] = m .. (m+order-1) r^-order I_r(m+order, K-m+1)."""
    tail = binomial_tails(m + order, steps + order, r)[0]
    rising = m if order == 1 else m * (m + 1)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return np.where((tail > 0) & (m > 0), rising * (tail / r / r if order == 2 else tail / r), 0.0)


def _in_state(power: int, i: np.ndarray, u: np.ndarray, a: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Sum over t < K of (1, or 2t+1 for power 2) times P(in state i at t): expected steps there, and their square.

    u^i I_a(i+1, K-i) / a, and u^i [2(i+1) I_a(i+2, K-i) / a^2 - I_a(i+1, K-i) / a].
    """
    first = binomial_tails(i + 1, steps, a)[0] / a
    if power == 1:
        return u**i * first
    return u**i * (2 * (i + 1) * (binomial_tails(i + 2, steps + 1, a)[0] / a / a) - first)


def _sum_over_skills(power: int, m: np.ndarray, r: np.ndarray, q: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The time in states 0..m-1, positive terms, in blocks of bounded memory.

    Where nothing ever moves (a = 0) the trace uses the whole budget: K^power.
    """
    shape = m.shape
    m, r, q, steps = (np.ravel(v) for v in (m, r, q, steps))
    u, a = _ratio(r, q), np.where(r + q > 0, r + q, 1.0)
    out = np.zeros(m.shape)
    most = int(min(m.max(), steps.max())) if m.size else 0  # a state beyond K steps is never reached
    size = max(1, _BLOCK // max(1, m.size))
    for low in range(0, most, size):
        i = np.arange(low, min(low + size, most), dtype=np.float64)[:, None]
        out += np.where(i < m, _in_state(power, i, u, a, steps), 0.0).sum(axis=0)
    return np.where((r + q == 0) & (m > 0), steps**power, out).reshape(shape)
