"""Success and expected steps of a chain for all m = 1..M at once (docs/theory.md (1), (3)).

One pass over m gives what M calls of the formulas would: with p_m = P(Bin(K, r) = m),

    I_r(m+1, K-m) = I_r(m, K-m+1) - p_m           (downwards from 1: good while the value is large)
    I_r(m, K-m+1) = p_m h_m,  h_m = 1 + rho_m h_(m+1)   (the upper tail: positive terms, good where it is small)
    p_(m+1) = rho_m p_m,  rho_m = (K-m)/(m+1) r/(1-r)
    E[min(T_m, K)] = E[min(T_(m-1), K)] + I_r(m, K-m+1) / r

The last line (ours) is the time spent with m-1 skills done, so (3) is a sum of positive terms too. Each point
takes the form that keeps its digits. Relative error, as tests hold it for values above 1e-240: 1e-10 for M = 50 against
mpmath (K up to 1e15), 1e-9 for M = 3000 against :mod:`ds3sim.theory.chain`.

The kernel is jitted, in float64, and fed by one thread a core.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ds3sim.core.check import Numbers, fraction_array, numbers, whole_array, whole_number
from ds3sim.core.errors import require
from ds3sim.core.runtime import cores, cpu_device
from ds3sim.theory.binomial import binomial_pmf

_SMALL = 0.05
"""Below this the upper tail is summed; above, what is left of 1 has digits enough."""

_REST = 1e-13
"""Share of the upper tail beyond m = M that may be left out."""

_LEAST_LOG = -600.0
"""Probabilities below exp(this) are 0 here; float64 would underflow at -708."""

_LEAST_R, _MOST_R = 1e-300, 1.0 - 2.0**-53
"""r = 0 and r = 1 stand next to these; the results differ by rounding only."""

_LANES = 2**12
"""Pairs (r, K) in one call of a kernel: its state stays in the cache. Measured, as the factor below."""

MOST_SKILLS = 2**14


def success_all_skills(r: Numbers, steps: Numbers, most_skills: int) -> tuple[np.ndarray, np.ndarray]:
    """P(T <= K) and E[min(T, K)] for m = 1..M, docs/theory.md (1) and (3), given feasible.

    Args:
        r: probability that a step moves on, in [0, 1]; broadcast with ``steps``.
        steps: K, whole, >= 0.
        most_skills: M, 1 <= M <= ``MOST_SKILLS``.

    Returns:
        success, expected steps (in steps): float64 [..., M], index m-1. They may be views with strides
        that are not contiguous.
    """
    most = whole_number("most_skills", most_skills, 1, MOST_SKILLS)
    r, steps = np.broadcast_arrays(fraction_array("r", r), whole_array("steps", steps))
    shape, r, steps = r.shape, r.ravel(), steps.ravel()
    success, expected = np.empty((most, r.size)), np.empty((most, r.size))
    extra = _extra_terms(most)

    def fill(low: int, high: int) -> None:
        lanes = _prepare(r[low:high], steps[low:high], most)
        found = _call(_table, lanes, (most, extra))
        success[:, low:high], expected[:, low:high] = (f[:, : high - low] for f in found)
        success[:, low:high] *= r[low:high] > 0  # r = 0: exactly 0

    _in_threads(fill, r.size)
    success, expected = (np.moveaxis(a, 0, -1).reshape(*shape, most) for a in (success, expected))
    return success, expected


def study_grid(r: Numbers, steps: Numbers, weights: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and expected steps averaged over a distribution phi(L0, m) of tasks, at every budget.

    sum over (L, m) of phi(L, m) times (1), and times (3); docs/theory.md section 8 of the study of the paper.

    Args:
        r: float64 [..., L], the success of a step for each of L kinds of task (easiness L0, say).
        steps: K, whole, >= 0 [B].
        weights: phi, float64 [L, M], >= 0; column m-1 belongs to m skills.

    Returns:
        accuracy, expected steps: float64 [..., B]; weights that sum to 1 give means.

    Raises:
        InputError: an argument outside its range, or shapes that do not fit.
    """
    r, steps = fraction_array("r", r), np.atleast_1d(whole_array("steps", steps))
    weights = numbers("weights", weights, low=0)
    require(
        weights.ndim == 2 and r.ndim >= 1 and r.shape[-1] == weights.shape[0],
        f"r of shape {r.shape} and weights of shape {weights.shape} do not fit: they must be [..., L] and [L, M]",
    )
    require(steps.ndim == 1, f"steps of shape {steps.shape} is not a list of budgets")
    kinds, most = weights.shape
    whole_number("most_skills", most, 1, MOST_SKILLS)
    models, budgets = r.reshape(-1, kinds), len(steps)
    pairs = len(models) * budgets
    out = np.empty((2, pairs))
    extra = _extra_terms(most)

    def fill(low: int, high: int) -> None:
        model, budget = np.divmod(np.arange(low, high), budgets)
        each = models[model].T  # [L, lanes]
        lanes = _prepare(each, np.broadcast_to(steps[budget], each.shape), most)
        # r = 0 never solves anything; its lanes count K steps and no success.
        found = _call(_means, (*lanes, (each > 0).astype(np.float64)), (extra,), weights)
        out[0, low:high], out[1, low:high] = (f[: high - low] for f in found)

    _in_threads(fill, pairs, max(1, 2 * _LANES // kinds))  # no tables are written: more fit
    return out[0].reshape(*r.shape[:-1], budgets), out[1].reshape(*r.shape[:-1], budgets)


# ---- where p_m starts ------------------------------------------------------------------------------


def _prepare(r: np.ndarray, steps: np.ndarray, most: int) -> tuple[np.ndarray, ...]:
    """(r, K, first, p_first) for the kernels: p_m = 0 for m < first, p_first at it. All float64.

    Where (1-r)^K is a normal number p starts at m = 0. Else it starts at the first m <= M whose probability is; if
    there is none, all of p_0..p_M is negligible and ``first`` lies beyond M.
    """
    r = np.clip(r, _LEAST_R, _MOST_R)
    log_none = steps * np.log1p(-r)
    first, start = np.zeros(r.shape), np.exp(log_none)
    low = log_none < _LEAST_LOG
    if low.any():
        mean = steps[low] * r[low]
        # P(Bin < M) <= exp(-(mean - M)^2 / (2 mean)), Chernoff: nothing to see up to M
        gap = mean - most
        sure = (gap > 0) & (gap * gap > 90.0 * mean)
        begin, chance = np.full(mean.shape, most + 1.0), np.zeros(mean.shape)
        if not sure.all():
            begin[~sure], chance[~sure] = _anchor(r[low][~sure], steps[low][~sure], most)
        first[low], start[low] = begin, chance
    return r, steps, first, start


def _anchor(r: np.ndarray, steps: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest m <= min(mode, M) with log p_m >= _LEAST_LOG, by bisection, and p_m."""

    def log_chance(m: np.ndarray) -> np.ndarray:
        left = steps - m
        with np.errstate(divide="ignore", invalid="ignore"):
            used = np.where(m > 0, m * np.log(m / (steps * r)), 0.0)
            rest = np.where(left > 0, left * np.log(left / (steps * (1.0 - r))), 0.0)
        return -(used + rest)  # all but a factor of order sqrt(K)

    low, high = np.zeros(r.shape), np.minimum(np.floor((steps + 1.0) * r), np.minimum(steps, most))
    possible = log_chance(high) >= _LEAST_LOG
    for _ in range(max(1, math.ceil(math.log2(most + 1))) + 1):
        middle = np.floor((low + high) / 2.0)
        good = log_chance(middle) >= _LEAST_LOG
        low, high = np.where(good | (low >= high), low, middle + 1.0), np.where(good, middle, high)
    return np.where(possible, high, most + 1.0), np.where(possible, binomial_pmf(high, steps, r), 0.0)


@lru_cache(maxsize=64)
def _extra_terms(most: int) -> int:
    """Terms of the upper tail beyond M: enough for a Poisson law, whose tail is the heaviest, where I_r(M) = _SMALL."""
    from scipy.special import gammainc, gammaincinv

    mean = gammaincinv(most, 1.5 * _SMALL)
    terms = np.arange(1, 4096)
    rest = gammainc(most + terms, mean) / _SMALL
    return int(terms[np.argmax(rest < _REST)])


# ---- kernels ---------------------------------------------------------------------------------------


def _scan(
    r: Array, steps: Array, first: Array, start: Array, most: int, extra: int, carry: Any, take: Callable[..., Any]
) -> tuple[Any, Any]:
    """Walk over m = 1..M; ``take(carry, I_r(m), m-1)`` returns (carry, output) as in ``lax.scan``."""
    odds = r / (1.0 - r)

    def back(h: Array, m: Array) -> tuple[Array, Array]:
        h = 1.0 + jnp.maximum(steps - m, 0.0) * odds / (m + 1.0) * h
        return h, h

    high = jnp.arange(most + extra, most, -1, dtype=jnp.float64)
    h, _ = lax.scan(lambda h, m: (back(h, m)[0], None), jnp.ones_like(r), high, unroll=4)
    skills = jnp.arange(1, most + 1, dtype=jnp.float64)
    _, tails = lax.scan(back, h, skills, reverse=True)

    def forward(state: tuple[Any, ...], at: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        p, below, carry = state
        m, tail = at
        below = below + p
        p = jnp.where(first == m, start, jnp.maximum(steps - (m - 1.0), 0.0) * odds / m * p)
        left = 1.0 - below
        carry, out = take(carry, jnp.where(left >= _SMALL, left, p * tail), m)
        return (p, below, carry), out

    begin = (jnp.where(first == 0, start, 0.0), jnp.zeros_like(r), carry)
    (_, _, carry), out = lax.scan(forward, begin, (skills, tails))
    return carry, out


@partial(jax.jit, static_argnums=(4, 5))
def _table(r: Array, steps: Array, first: Array, start: Array, most: int, extra: int) -> tuple[Array, Array]:
    """Success and expected steps, float64 [M, lanes]."""
    inverse = 1.0 / r

    def take(total: Array, success: Array, m: Array) -> tuple[Array, tuple[Array, Array]]:
        total = total + success
        return total, (success, total * inverse)

    return _scan(r, steps, first, start, most, extra, jnp.zeros_like(r), take)[1]


@partial(jax.jit, static_argnums=(6,))
def _means(
    r: Array, steps: Array, first: Array, start: Array, possible: Array, weights: Array, extra: int
) -> tuple[Array, Array]:
    """sum over (L, m) of weights [L, M] times success, and times expected steps; lanes are [L, B], results [B]."""
    most = weights.shape[1]
    columns = weights.T
    # sum_m w_m E_m = sum_m (w_m + w_(m+1) + ..) I_m / r
    later = jnp.cumsum(columns[::-1], axis=0)[::-1]

    def take(carry: tuple[Any, ...], success: Array, m: Array) -> tuple[tuple[Any, ...], None]:
        at = m.astype(jnp.int32) - 1
        solved, spent = carry
        return (solved + columns[at][:, None] * success, spent + later[at][:, None] * success), None

    zero = jnp.zeros_like(r)
    (solved, spent), _ = _scan(r, steps, first, start, most, extra, (zero, zero), take)
    return (solved * possible).sum(axis=0), (spent / r).sum(axis=0)


def _call(
    kernel: Callable[..., Any], lanes: Sequence[np.ndarray], static: tuple[Any, ...], *arrays: np.ndarray
) -> list[np.ndarray]:
    """Run a kernel in float64, on the CPU, on lanes padded to a power of two, so that few shapes are compiled."""
    size = lanes[0].shape[-1]
    pad = 2 ** math.ceil(math.log2(max(size, 64))) - size
    if pad:
        lanes = [np.concatenate([a, np.repeat(a[..., -1:], pad, axis=-1)], axis=-1) for a in lanes]
    with jax.enable_x64(True), jax.default_device(cpu_device()):
        return [np.asarray(f) for f in kernel(*lanes, *arrays, *static)]


def _in_threads(fill: Callable[[int, int], None], size: int, lanes: int = _LANES) -> None:
    """``fill(low, high)`` over slices of ``lanes``; one thread a core, as XLA runs these loops on one core."""
    if size == 0:
        return
    slices = [(low, min(low + lanes, size)) for low in range(0, size, lanes)]
    fill(*slices[0])  # compiles, once
    if len(slices) > 1:
        with ThreadPoolExecutor(min(cores(), len(slices))) as pool:
            list(pool.map(lambda s: fill(*s), slices[1:]))
