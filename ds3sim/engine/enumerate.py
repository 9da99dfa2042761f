"""Aggregators by enumeration: sums over what the n traces can do, for the ``exact`` engine.

Nothing here is shared with ``ds3sim.theory``, which has the closed forms: agreement of the two means something.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from ds3sim.core.errors import require
from ds3sim.engine.limits import MOST_TOGETHER, MOST_VOTES
from ds3sim.task.aggregate import Aggregate, BestOfN, Counting, Majority, Single
from ds3sim.task.task import Task, latent_rate

SPREAD = 12.0
"""Counts further from their mean than this many standard deviations (plus 40) are left out: their
chance is below 1e-30."""


def success(aggregate: Aggregate, correct: float) -> float:
    """Success of the aggregator when each trace is correct with chance ``correct``, independently."""
    if isinstance(aggregate, Single):
        return correct
    n = aggregate.n
    if isinstance(aggregate, Majority):
        require(
            n <= MOST_VOTES,
            f"engine exact enumerates votes up to n = {MOST_VOTES}, not {n}: use engine closed_form or traces",
        )
        found = _majority(aggregate, correct)
    else:
        require(
            not isinstance(aggregate, BestOfN) or aggregate.verifier.perfect or n <= MOST_VOTES,
            f"engine exact enumerates an imperfect verifier up to n = {MOST_VOTES}, not {n}: use closed_form or traces",
        )
        found = sum(chance * given(aggregate, n, c) for c, chance in _weighted(n, correct))
    return min(1.0, found)  # the sum of many rounded chances may end just above


def _log_binomial(n: int, k: np.ndarray) -> np.ndarray:
    return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)


def _weighted(n: int, p: float) -> list[tuple[int, float]]:
    """(count, chance) of a binomial(n, p), without those of no chance."""
    if n == 0 or p <= 0.0:
        return [(0, 1.0)]
    if p >= 1.0:
        return [(n, 1.0)]
    reach = SPREAD * np.sqrt(n * p * (1 - p)) + 40
    counts = np.arange(max(0, int(n * p - reach)), min(n, int(n * p + reach)) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        law = np.exp(_log_binomial(n, counts) + special.xlogy(counts, p) + special.xlog1py(n - counts, -p))
    return list(zip(counts.tolist(), law.tolist(), strict=True))


def _majority(aggregate: Majority, correct: float) -> float:
    """Sum over the number k of correct votes; the wrong ones by :func:`_wins`."""
    n, weights, ties = aggregate.n, aggregate.errors.weights, aggregate.ties
    return float(sum(chance * _wins(n, k, weights, ties) for k, chance in _weighted(n, correct) if k and chance))


def _wins(n: int, k: int, weights: np.ndarray, ties: str) -> float:
    """Chance that k correct votes of n win, the n - k wrong ones spread by ``weights``.

    The wrong counts are independent Poissons given their sum n - k. Convolving Poisson laws cut at
    k gives the chance that none exceeds k. A tie of t answers counts 1 / (1 + t), which is the mean
    of y^t over y uniform in (0, 1); Gauss-Legendre nodes make that mean exact.
    """
    wrong = n - k
    if k > wrong:
        return 1.0
    nodes, node_weights = np.array([0.0]), np.array([1.0])
    if ties == "random":
        most_tied = min(len(weights), wrong // k)
        nodes, node_weights = np.polynomial.legendre.leggauss(most_tied // 2 + 1)
        nodes, node_weights = (nodes + 1) / 2, node_weights / 2
    counts = np.arange(k + 1)
    total = 0.0
    for y, weight in zip(nodes, node_weights, strict=True):
        law = np.ones(1)
        for c in weights:
            cut = np.exp(special.xlogy(counts, wrong * c) - wrong * c - special.gammaln(counts + 1))
            cut[k] *= y
            law = np.convolve(law, cut)[: wrong + 1]
        total += weight * (law[wrong] if len(law) > wrong else 0.0)
    whole = np.exp(special.xlogy(wrong, wrong) - wrong - special.gammaln(wrong + 1))
    return float(min(1.0, total / whole))


def by_sums(task: Task, steps_per_trace: np.ndarray) -> np.ndarray:
    """Success at budgets per trace, float64: a sum over the number of correct traces; shares no code with theory."""
    rate, able, how = latent_rate(task), task.graph.feasible, task.aggregate
    n = how.n
    require(n <= MOST_TOGETHER, f"engine exact sums over at most {MOST_TOGETHER} traces of a latent graph, not {n}")
    k = np.arange(n + 1)
    log_law = special.betaln(rate.alpha + k, rate.beta + n - k) - special.betaln(rate.alpha, rate.beta)
    law = np.exp(_log_binomial(n, k) + log_law)
    # below 1e-13 a term cannot be seen in the sum
    chances = np.array([given(how, n, int(c)) if law[c] > 1e-13 else 0.0 for c in k])
    none = given(how, n, 0)
    value = able * float(law @ chances / law.sum()) + (1.0 - able) * none
    return np.where(steps_per_trace >= 1, value, none)


def given(how: Aggregate, n: int, c: int) -> float:
    """Success of the aggregator given that c of n traces are correct."""
    if isinstance(how, Majority):
        return _wins(n, c, how.errors.weights, how.ties) if c else 0.0
    if isinstance(how, Counting):
        return how.given(c) if c else 0.0
    assert isinstance(how, BestOfN)
    v = how.verifier
    if v.perfect:
        return float(c > 0)
    right, wrong = _weighted(c, v.true_positive), _weighted(n - c, v.false_positive)
    i, pi = (np.array(x, dtype=np.float64) for x in zip(*right, strict=True))
    j, pj = (np.array(x, dtype=np.float64) for x in zip(*wrong, strict=True))
    accepted = i[:, None] + j[None, :]
    share = np.where(accepted > 0, i[:, None] / np.maximum(accepted, 1.0), c / n if v.fallback == "random" else 0.0)
    return float(pi @ share @ pj)
