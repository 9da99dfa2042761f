"""The solvable instantiation: a chain of m skills (docs/theory.md section 1).

States 0..m. A step moves on with probability r, else stays; with death it moves on with r, dies
with q, else stays. T is the hitting time of state m in steps, D the time of death, K the budget.
All functions broadcast over their arguments and return float64. None includes the feasibility
gamma^m: multiply success by it and mix expectations with the full budget K (docs/theory.md (3)).

Absolute error of a probability: below 1e-14 for K up to 1e9. Relative error: below 1e-12, for
values however small, down to the smallest float64.
"""

from __future__ import annotations

import numpy as np

from ds3sim.core.check import Numbers, fraction_array, one_of, whole_array
from ds3sim.core.errors import require
from ds3sim.theory.binomial import binomial_pmf, binomial_tails

_BLOCK = 2**20
"""Most terms of a sum over skills held at once."""


def success(m: Numbers, r: Numbers, steps: Numbers) -> np.ndarray:
    """P(T <= K) = I_r(m, K-m+1), docs/theory.md (1) given feasible; [DS3].

    Args:
        m: skills, whole, >= 0 (0: solved before the first step).
        r: probability that a step moves on, in [0, 1].
        steps: K, whole, >= 0.

    Returns:
        float64 of the broadcast shape; 0 where K < m.

    Raises:
        InputError: an argument outside its range.
    """
    m, r, steps = _chain(m, r, steps)
    return binomial_tails(m, steps, r)[0][()]


def pmf(m: Numbers, r: Numbers, k: Numbers) -> np.ndarray:
    """P(T = k) = C(k-1, m-1) r^m (1-r)^(k-m), docs/theory.md (2) given feasible.

    Args:
        m, r: as :func:`success`.
        k: step, whole, >= 0.

    Raises:
        InputError: an argument outside its range.
    """
    m, r, k = _chain(m, r, k)
    late = r * binomial_pmf(m - 1, k - 1, r)  # the last success falls on step k
    return np.where(m == 0, k == 0, np.where(k >= np.maximum(m, 1), late, 0.0)).astype(np.float64)[()]


def expected_steps(m: Numbers, r: Numbers, steps: Numbers) -> np.ndarray:
    """E[min(T, K)] in steps, docs/theory.md (3) given feasible; exact at r = 0, r = 1 and K < m.

    (m/r) I_r(m+1, K-m+1) + K (1 - I_r(m, K-m+1)). Arguments and errors as :func:`success`.
    """
    m, r, steps = _chain(m, r, steps)
    return (_partial_moment(m, r, steps, 1) + steps * binomial_tails(m, steps, r)[1])[()]


def expected_square_steps(m: Numbers, r: Numbers, steps: Numbers) -> np.ndarray:
    """E[min(T, K)^2] in steps^2, docs/theory.md (3.2) given feasible.

    From the rising factorial moments of the negative binomial: E[T(T+1); T <= K] =
    m (m+1) r^-2 I_r(m+2, K-m+1). Arguments and errors as :func:`success`.
    """
    m, r, steps = _chain(m, r, steps)
    solved = _partial_moment(m, r, steps, 2) - _partial_moment(m, r, steps, 1)
    return (solved + steps**2 * binomial_tails(m, steps, r)[1])[()]


def branch_success(r: Numbers, b: Numbers, evaluator_error: Numbers = 0.0) -> np.ndarray:
    """(1-e) r_b + e r with r_b = 1 - (1-r)^b, docs/theory.md (6): the best of b proposals moves on.

    Args:
        r: probability that one proposal moves on.
        b: proposals a step, whole, >= 1.
        evaluator_error: e, chance that a random proposal is kept instead.

    Raises:
        InputError: an argument outside its range.
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


# ---- a chain on which one can die (ours) -----------------------------------------------------------


def success_with_death(m: Numbers, r: Numbers, q: Numbers, steps: Numbers) -> np.ndarray:
    """P(T <= K) where a step dies with probability q: (r/a)^m I_a(m, K-m+1), a = r + q; (3.1).

    Args:
        m, r, steps: as :func:`success`.
        q: probability that a step dies, r + q <= 1.

    Raises:
        InputError: an argument outside its range.
    """
    m, r, q, steps = _dying(m, r, q, steps)
    return (_ratio(r, q) ** m * binomial_tails(m, steps, r + q)[0])[()]


def expected_steps_with_death(
    m: Numbers, r: Numbers, q: Numbers, steps: Numbers, on_dead: str = "exhaust"
) -> np.ndarray:
    """Expected steps used within the budget, docs/theory.md (3.3), (3.4), in steps.

    Args:
        m, r, q, steps: as :func:`success_with_death`.
        on_dead: ``stop`` gives E[min(T, D, K)]; ``exhaust`` gives E[min(T, K)], where T is infinite
            for a trace that dies.

    Raises:
        InputError: an argument outside its range, or an unknown ``on_dead``.
    """
    m, r, q, steps = _dying(m, r, q, steps)
    if _stops(on_dead):
        return _sum_over_skills(_time_in_state, 1, m, r, q, steps)[()]
    chance = _ratio(r, q) ** m
    solved, late = binomial_tails(m, steps, r + q)
    return (chance * _partial_moment(m, r + q, steps, 1) + steps * _never(chance, solved, late))[()]


def expected_square_steps_with_death(
    m: Numbers, r: Numbers, q: Numbers, steps: Numbers, on_dead: str = "exhaust"
) -> np.ndarray:
    """Expected square of the steps used within the budget, docs/theory.md (3.5), in steps^2.

    Arguments and errors as :func:`expected_steps_with_death`.
    """
    m, r, q, steps = _dying(m, r, q, steps)
    if _stops(on_dead):
        return _sum_over_skills(_square_in_state, 2, m, r, q, steps)[()]
    chance = _ratio(r, q) ** m
    solved, late = binomial_tails(m, steps, r + q)
    moment = _partial_moment(m, r + q, steps, 2) - _partial_moment(m, r + q, steps, 1)
    return (chance * moment + steps**2 * _never(chance, solved, late))[()]


# ---- what others use in place of (3), for comparison ------------------------------------------------


def expected_steps_min(m: Numbers, r: Numbers, steps: Numbers) -> np.ndarray:
    """min(m/r, K): what the paper's code uses for E[min(T, K)]. It is never too small (Jensen).

    Arguments and errors as :func:`success`.
    """
    m, r, steps = _chain(m, r, steps)
    with np.errstate(divide="ignore", over="ignore"):
        mean = np.where(m == 0, 0.0, m / np.where(r > 0, r, np.nan))
    return np.fmin(mean, steps)[()]


def expected_steps_gaussian(m: Numbers, r: Numbers, steps: Numbers) -> np.ndarray:
    """E[min(X, K)] with X normal of the mean m/r and variance m(1-r)/r^2 of T: the Gaussian approximation.

    mu Phi(z) - sd phi(z) + K Phi(-z), z = (K - mu)/sd. Arguments and errors as :func:`success`.
    """
    from scipy.special import ndtr

    m, r, steps = _chain(m, r, steps)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = m / r
        spread = np.sqrt(m * (1.0 - r)) / r
        z = (steps - mean) / spread
        value = mean * ndtr(z) - spread * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) + steps * ndtr(-z)
    certain = (m == 0) | (r == 1) | (r == 0) | ~np.isfinite(value)
    return np.where(certain, expected_steps_min(m, r, steps), value)[()]


# ---- helpers ---------------------------------------------------------------------------------------


def _chain(m, r, steps) -> list[np.ndarray]:
    values = whole_array("m", m), fraction_array("r", r), whole_array("steps", steps)
    return list(np.broadcast_arrays(*values))


def _dying(m, r, q, steps) -> list[np.ndarray]:
    values = whole_array("m", m), fraction_array("r", r), fraction_array("q", q), whole_array("steps", steps)
    m, r, q, steps = np.broadcast_arrays(*values)
    total = r + q
    worst = float(total.max()) if total.size else 0.0
    require(worst <= 1 + 1e-12, f"r + q = {worst:.12g} is above 1: a step moves on, dies or stays")
    return [m, r, np.minimum(q, 1.0 - r), steps]


def _stops(on_dead: str) -> bool:
    one_of("on_dead", on_dead, ("exhaust", "stop"))
    return on_dead == "stop"


def _ratio(r, q):
    """r / (r + q), the chance that a move goes on; 1 where there is neither (nothing moves)."""
    total = r + q
    return np.where(total > 0, r / np.where(total > 0, total, 1.0), 1.0)


def _never(chance, solved, late):
    """1 - chance * solved without cancellation: it dies first, or it would come too late."""
    return np.where(solved < 0.5, 1.0 - chance * solved, (1.0 - chance) + chance * late)


def _partial_moment(m, r, steps, order: int):
    """E[T (T+1) .. (T+order-1); T <= K] = m .. (m+order-1) r^-order I_r(m+order, K-m+1)."""
    tail = binomial_tails(m + order, steps + order, r)[0]
    rising = m if order == 1 else m * (m + 1)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return np.where((tail > 0) & (m > 0), rising * (tail / r / r if order == 2 else tail / r), 0.0)


def _time_in_state(i, u, a, steps):
    """Expected steps spent in state i before time K: u^i I_a(i+1, K-i) / a."""
    return u**i * binomial_tails(i + 1, steps, a)[0] / a


def _square_in_state(i, u, a, steps):
    """sum over t < K of (2t+1) P(in state i at t): u^i [2(i+1) I_a(i+2, K-i) / a^2 - I_a(i+1, K-i) / a]."""
    first = binomial_tails(i + 1, steps, a)[0] / a
    second = binomial_tails(i + 2, steps + 1, a)[0] / a / a
    return u**i * (2 * (i + 1) * second - first)


def _sum_over_skills(term, power: int, m, r, q, steps) -> np.ndarray:
    """sum over i = 0..m-1 of term(i, r/a, a, steps), positive terms, in blocks of bounded memory.

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
        out += np.where(i < m, term(i, u, a, steps), 0.0).sum(axis=0)
    return np.where((r + q == 0) & (m > 0), steps**power, out).reshape(shape)
