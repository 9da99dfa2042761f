"""Optimum along compute: exponents with errors, global against Chinchilla, the inference-optimal map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.allocate.solve import Optimum, Problem, least_compute, solve
from ds3sim.core.check import whole_array
from ds3sim.core.errors import require
from ds3sim.core.progress import working
from ds3sim.stats.slopes import Exponent, exponent
from ds3sim.theory.difficulty import Bridge
from ds3sim.theory.loss import LossConstants, constants_of, loss

_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def exponents(results: Sequence[Optimum]) -> dict[str, Exponent | None]:
    """Exponents of N, D, Omega (and D/N) in C, over the results that no bound and no saturation holds back."""
    kept = [r for r in results if not r.bounds and not r.saturated]
    compute = [r.compute for r in kept]
    columns: dict[str, list[Any]] = {
        "parameters": [r.parameters for r in kept],
        "training_tokens": [r.training_tokens for r in kept],
        "tokens_per_task": [r.tokens_per_task for r in kept],
        "kappa": [r.kappa for r in kept],
    }
    good = {name: all(v is not None and 0 < v < np.inf for v in column) for name, column in columns.items()}
    return {name: exponent(compute, column) if good[name] else None for name, column in columns.items()}


@dataclass(frozen=True)
class Comparison:
    """The global optimum beside the optimum with D = kappa N at one compute.

    Attributes:
        best, tied: the two allocations.
        gap: accuracy of ``best`` minus that of ``tied``.
        extra_compute: what D = kappa N needs to be as accurate as ``best``, as a multiple of the compute;
            None where it cannot within the box.
    """

    best: Optimum
    tied: Optimum
    gap: float
    extra_compute: float | None


def compare(problem: Problem, compute: float) -> Comparison:
    """:class:`Comparison` at one compute. Errors as :func:`ds3sim.allocate.solve.solve`."""
    extra = None
    with working("", 3) as stage:
        best = solve(problem, compute, "global")
        stage.advance()
        tied = solve(problem, compute, "chinchilla")
        stage.advance()
        assert best.accuracy is not None and tied.accuracy is not None
        if not best.saturated and best.accuracy > 0:
            needed = least_compute(problem, best.accuracy, "chinchilla") / compute
            extra = float(needed) if np.isfinite(needed) else None
    return Comparison(best, tied, best.accuracy - tied.accuracy, extra)


# ---- inference-optimal, one task at a time -----------------------------------------------------------


@dataclass(frozen=True)
class InferenceMap:
    """Exponents of N and Omega in the compute of one task, over (m, L0), with unlimited data.

    Attributes:
        skills, ease: the axes, [M] and [J].
        parameters, tokens: slopes of ln N and ln Omega in ln C, [M, J]; they sum to 1.
        error: standard error of both, [M, J].
        compute: least and largest C of the range of accuracies, [M, J, 2].
        bounded: whether the box of N holds some of the range back, [M, J].
    """

    skills: np.ndarray
    ease: np.ndarray
    parameters: np.ndarray
    tokens: np.ndarray
    error: np.ndarray
    compute: np.ndarray
    bounded: np.ndarray


def inference_map(
    skills: ArrayLike,
    ease: ArrayLike,
    *,
    constants: str | LossConstants = "hoffmann",
    bridge: Bridge | None = None,
    tokens_per_step: float = 25.0,
    accuracies: tuple[float, float] = (0.01, 0.99),
    points: int = 25,
    parameters: tuple[float, float] = (1e2, 1e18),
) -> InferenceMap:
    """The authors' study of inference-optimal exponents; docs/theory.md (27).

    max over N of I_xi(m, K-m+1) at K = C/(2 N omega), K real and at least m, xi from the loss with unlimited
    data. It is solved from the other side: the least C for an accuracy q is min over N of 2 N omega K(q, N), with
    K(q, N) the inverse of the incomplete beta function in its second argument (at least m). The slopes are fitted
    to ``points`` compute values spaced evenly in ln C between those of the two ``accuracies``.

    Args:
        skills: m, [M], whole, >= 1.
        ease: L0, [J].
        bridge: (25); None is the one of the study, b = 20.

    Raises:
        InputError: values outside their range.
    """
    skills, ease = np.atleast_1d(whole_array("skills", skills, 1)), np.atleast_1d(np.asarray(ease, dtype=np.float64))
    low, high = accuracies
    require(0 < low < high < 1, f"accuracies = {accuracies} is not allowed: two numbers in (0, 1), in order")
    require(points >= 3, f"points = {points} is not allowed: at least 3")
    c, bridge = constants_of(constants), bridge or Bridge(b=20.0)
    q = 1.0 / (1.0 + np.exp(-np.linspace(np.log(low / (1 - low)), np.log(high / (1 - high)), points)))
    m, l0, q = (v[..., None] for v in np.meshgrid(skills, ease, q, indexing="ij"))  # [M, J, points, 1]
    box = float(np.log(parameters[0])), float(np.log(parameters[1]))

    def log_compute(x: np.ndarray) -> np.ndarray:
        r = bridge.step_success(loss(np.exp(x), np.inf, c), l0)
        return np.log(2.0 * tokens_per_step) + x + np.log(steps_for(m, r, q))

    x, y = (v[..., 0] for v in _least(log_compute, np.linspace(box[0], box[1], 97)))
    slope, error = np.empty(x.shape[:2]), np.empty(x.shape[:2])
    for index in np.ndindex(slope.shape):
        even = np.linspace(y[index][0], y[index][-1], points)
        fit = exponent(np.exp(even), np.exp(np.interp(even, y[index], x[index])))
        assert fit is not None and fit.error is not None
        slope[index], error[index] = fit.value, fit.error
    bounded = np.asarray(((x < box[0] + 1e-6) | (x > box[1] - 1e-6)).any(axis=-1))
    return InferenceMap(skills, ease, slope, 1.0 - slope, error, np.exp(y[..., [0, -1]]), bounded)


def _least(value: Callable[[np.ndarray], np.ndarray], grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where ``value`` is least along its last axis, and what it is there: the best of a grid, then golden section."""
    best = np.argmin(value(grid), axis=-1)[..., None]
    left, right = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, grid.size - 1)]
    a, b = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
    at_a, at_b = value(a), value(b)
    for _ in range(36):  # to about the square root of rounding, where a minimum cannot be told from its neighbours
        down = at_a <= at_b
        right, left = np.where(down, b, right), np.where(down, left, a)
        a_new, b_new = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
        fresh = value(np.where(down, a_new, b_new))
        at_a, at_b = np.where(down, fresh, at_b), np.where(down, at_a, fresh)
        a, b = a_new, b_new
    x = np.where(at_a <= at_b, a, b)
    return x, value(x)


def steps_for(m: ArrayLike, r: ArrayLike, accuracy: ArrayLike) -> np.ndarray:
    """The real K >= m with I_r(m, K-m+1) = ``accuracy``; m where m steps are enough, infinite at r = 0."""
    from scipy.special import btdtrib

    m, r, accuracy = np.broadcast_arrays(m, r, accuracy)
    enough = r**m >= accuracy
    with np.errstate(all="ignore"):
        b = btdtrib(m, accuracy, np.where(enough, 0.5, r))
    return np.where(enough, m, np.where((r > 0) & np.isfinite(b), m - 1.0 + b, np.inf))
