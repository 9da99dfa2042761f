"""Accuracy of the plurality vote among k of a problem's n samples: exact over all subsets, or sampled."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import one_of, whole_number
from ds3sim.core.estimate import Estimate
from ds3sim.fit.estimates.curve import Curve, options_of, several_k, usable
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import LogLike, log_of
from ds3sim.stats.bootstrap import RESAMPLES, bootstrap
from ds3sim.theory.binomial import binomial_pmf

EXACT_WORK = 1e10
"""Up to about this many multiplications the expectation is computed, not sampled (some ten seconds)."""

DRAWS = 4096
"""Subsets drawn for each problem and k where it is sampled; standard error at most 0.008 a problem."""

_HALF = 900
"""Up to this n, 2^-n is far above the smallest float64."""


def vote_at_k(
    log: LogLike,
    k: ArrayLike | None = None,
    *,
    ties: str = "random",
    ragged: str = "common",
    method: str = "auto",
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Curve:
    """Accuracy of the plurality vote among k samples, averaged over problems; intervals resample problems.

    For each problem it is the expectation over all subsets of k of its n samples. All correct samples of a problem are
    one answer. Wrong samples without an answer take a place but cast no vote. A subset without any vote is not solved.

    Args:
        log: a log with answers, or its path.
        k: whole numbers of votes, any order [K]; None takes up to 12 up to the smallest n.
        ties: ``random`` (uniform among the tied) or ``wrong`` (a tie counts as failure).
        ragged: as for :func:`ds3sim.pass_at_k`.
        method: ``exact``, ``sampled``, or ``auto``: exact up to ``EXACT_WORK``.
        level: of the intervals, in (0, 1).
        seed: of the bootstrap and of sampled votes.
        resamples: of the bootstrap.

    Raises:
        InputError: a log without answers; k > n, naming n; an argument outside its range.

    >>> log = ds.Log(problems=("a", "b"), samples=[5, 5], correct=[3, 2], wrong=([2], [1, 1, 1]))
    >>> ds.vote_at_k(log, [1, 5]).success.estimate.round(3).tolist()
    [0.5, 1.0]
    """
    log = log_of(log)
    log.need_answers()
    k = several_k(log, k)
    number, notes = usable(log, k, ragged)
    how = options_of(level, resamples, seed)
    values, errors = vote_table(log, k, ties=ties, method=method, seed=how["seed"])
    low, high = bootstrap(values, **how)
    error = np.sqrt(np.nansum(errors**2, axis=0)) / number
    if (errors > 0).any():
        notes += (f"votes at large k were sampled: standard error at most {error.max():.1g}",)
    success = Estimate(np.nanmean(values, axis=0), low, high)
    return Curve("vote@k", log.source, k, success, number, error, "problems", notes)


def vote_table(
    log: Log, k: np.ndarray, *, ties: str = "random", method: str = "auto", seed: int = 0, draws: int = DRAWS
) -> tuple[np.ndarray, np.ndarray]:
    """Chance that the correct answer of each problem has the most votes among k samples drawn without replacement, and
    its standard error, 0 where exact: float64 [P, K] each, NaN and 0 where k > n. Arguments as :func:`vote_at_k`."""
    one_of("ties", ties, ("random", "wrong"))
    one_of("method", method, ("auto", "exact", "sampled"))
    whole_number("seed", seed, 0)
    draws = whole_number("draws", draws, 2)
    values = np.full((len(log), k.size), np.nan)
    errors = np.zeros(values.shape)
    work = 0.0
    known: dict[tuple[int, int, bytes], np.ndarray] = {}
    for p, (n, c, blank, given) in enumerate(zip(log.samples, log.correct, log.blank, log.need_answers(), strict=True)):
        n, c, blank, wrong = int(n), int(c), int(blank), np.sort(np.asarray(given, dtype=np.int64))[::-1]
        within = k <= n
        ks, key = k[within], (c, blank, wrong.tobytes())
        if ks.size == 0:
            continue
        if key in known:
            values[p, within] = known[key]
            continue
        cost = _work(c, wrong, n, ks)
        if method == "exact" or (method == "auto" and work + cost <= EXACT_WORK):
            work += cost
            known[key] = values[p, within] = vote_exact(c, wrong, blank, ks, ties)
        else:
            found = vote_sampled(c, wrong, blank, ks, ties, seed=(seed, p), draws=draws)
            values[p, within], errors[p, within] = found
    return values, errors


def _work(c: int, wrong: np.ndarray, n: int, ks: np.ndarray) -> float:
    """About how many multiplications :func:`vote_exact` takes."""
    most = int(ks.max())
    reach = np.minimum(wrong, min(c, most)).astype(np.float64)
    # A wrong answer given w times meets j = 1..min(w, c, k): kernels of length j on up to k/j states.
    one = float(np.sum(reach * most * np.minimum(most, wrong))) + 3000.0 * float(np.sum(reach))
    return one if n <= _HALF else one * ks.size


def vote_exact(c: int, wrong: ArrayLike, blank: int, k: ArrayLike, ties: str = "random") -> np.ndarray:
    """The expectation over all subsets of k of n = c + sum(wrong) + blank samples; docs/logs.md.

    Every sample is taken with probability q, independently; given that k are taken, all subsets of k are equally
    likely. So P(win | k) = P(win and k taken) / P(k taken), and the numerator is a sum over the number j of
    correct ones taken of a product over answers: a polynomial in x (samples taken) and y (answers tied at j).
    Answers given fewer than j times can neither tie nor win, so they are one binomial together with the
    blanks; only those given j times or more are dealt with one by one, at most n/j of them. Nothing cancels.
    With q = 1/2 one pass serves all k while 2^-n is a number (n <= 900); beyond it each k has its own q = k/n.

    Args:
        c: correct samples, >= 0.
        wrong: int64 [W], how often each wrong answer was given.
        blank: samples without a vote, >= 0.
        k: int64 [K], 1 <= k <= n.
        ties: as in :func:`vote_at_k`.

    Returns:
        float64 [K]; absolute error below 1e-11.
    """
    wrong, k = np.sort(np.asarray(wrong, dtype=np.int64))[::-1], np.asarray(k, dtype=np.int64)
    wrong = wrong[wrong > 0]
    n = int(c + wrong.sum() + blank)
    if n <= _HALF:
        return _exact_pass(c, wrong, blank, k, n, 0.5, ties)
    return np.array([_exact_pass(c, wrong, blank, np.array([one]), n, one / n, ties)[0] for one in k])


def _exact_pass(c: int, wrong: np.ndarray, blank: int, k: np.ndarray, n: int, q: float, ties: str) -> np.ndarray:
    if q == 1.0:  # k = n: one subset
        best = int(wrong[0]) if wrong.size else 0
        tied = int(np.count_nonzero(wrong == c))
        won = float(c > best) or (1.0 / (1 + tied) if ties == "random" and c == best and c > 0 else 0.0)
        return np.full(k.size, won)
    most = int(k.max())
    win = np.zeros(most + 1)
    chance = _binomial(c, q)
    ahead = np.concatenate([[0], np.cumsum(wrong)])
    for j in range(1, min(c, most) + 1):
        if chance[j] < 1e-40 * chance.max() and q != 0.5:
            continue  # with q = k/n the other factors cannot make up for that
        room = most - j
        big = int(np.searchsorted(-wrong, -j, side="right"))  # answers given j times or more
        rest = n - c - int(ahead[big])
        state = np.zeros((1 + (room // j if ties == "random" else 0), room + 1))
        base = _binomial(rest, q)[: room + 1]
        state[0, : base.size] = base
        filled = 0  # ties so far, at most
        for w in wrong[:big]:
            kernel = _binomial(int(w), q)
            fewer, equal = kernel[:j], kernel[j]
            new = np.zeros_like(state)
            for t in range(filled + 1):
                new[t] += np.convolve(state[t], fewer)[: room + 1]
                if t + 1 < state.shape[0]:
                    new[t + 1, j:] += equal * state[t, : room + 1 - j]
            filled = min(filled + 1, state.shape[0] - 1)
            state = new
        win[j:] += chance[j] * ((1.0 / (1.0 + np.arange(state.shape[0]))) @ state)
    taken = _binomial(n, q)
    return np.minimum(win[k] / taken[k], 1.0)


@lru_cache(maxsize=1024)
def _binomial(n: int, q: float) -> np.ndarray:
    """P(Bin(n, q) = i), i = 0..n, float64 [n+1], read-only."""
    out = binomial_pmf(np.arange(n + 1), n, q)
    out.setflags(write=False)
    return out


def vote_sampled(
    c: int,
    wrong: ArrayLike,
    blank: int,
    k: ArrayLike,
    ties: str = "random",
    *,
    seed: int | tuple[int, ...],
    draws: int = DRAWS,
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`vote_exact` from ``draws`` random subsets a k: (values, standard errors), float64 [K] each."""
    wrong = np.asarray(wrong, dtype=np.int64)
    k = np.asarray(k, dtype=np.int64)
    single = int(np.count_nonzero(wrong == 1))  # answers given once are told apart only by how many are drawn
    many = wrong[wrong > 1]
    colors = np.concatenate([[c, blank, single], many])
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    values, errors = np.empty(k.size), np.empty(k.size)
    block = max(1, 2**22 // colors.size)
    for at, size in enumerate(k.tolist()):
        total = square = 0.0
        for begin in range(0, draws, block):
            rows = min(block, draws - begin)
            drawn = rng.multivariate_hypergeometric(colors, size, size=rows, method="marginals")
            right, alone, others = drawn[:, 0], drawn[:, 2], drawn[:, 3:]
            best = np.maximum(others.max(axis=1, initial=0), alone > 0)
            tied = (others == right[:, None]).sum(axis=1) + np.where(right == 1, alone, 0)
            share = 1.0 / (1.0 + tied) if ties == "random" else 0.0
            won = np.where(right > best, 1.0, np.where((right == best) & (right > 0), share, 0.0))
            total, square = total + won.sum(), square + (won**2).sum()
        values[at] = total / draws
        # One more draw of the other kind keeps the error above 0 where all draws agree.
        spread = max(square / draws - values[at] ** 2, 1.0 / draws)
        errors[at] = np.sqrt(spread / draws)
    return values, errors
