"""The difficulty mixture of docs/theory.md section 8, fitted to several models at once.

A task needs m skills with chance phi_m (finitely many m) and has ease L0, normal given m. A step of the model with
training loss L succeeds with xi = clip(iota (a sigma(b (L0 - L)) + d), 0, 1), (25), one iota per model; a sample
succeeds within K steps with chance I_xi(m, K-m+1), (1). So pass@N = sum_m phi_m E[1 - (1 - I)^N].
iota, a and d are known only up to a factor: a and d are given, iota is fitted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.errors import require
from ds3sim.theory.binomial import binomial_tails
from ds3sim.theory.loss import step_success

NODES = 96
"""Quadrature nodes of L0, evenly spaced over +-``REACH`` standard deviations."""
REACH = 6.0


@dataclass(frozen=True)
class ModelCurve:
    """What is known of one model.

    Attributes:
        name: for messages.
        loss: training loss L.
        steps: K, steps that a sample may take.
        n, success: points of its pass@N, float64 [points].
    """

    name: str
    loss: float
    steps: int
    n: np.ndarray
    success: np.ndarray


@dataclass(frozen=True, eq=False)
class DifficultyFit:
    """A fitted mixture.

    Attributes:
        skills: m, int [J].
        shares: phi, float64 [J], sum 1.
        mean, deviation: of L0 given m, float64 [J].
        iota: name -> iota.
        a, b, d: of (25).
        squared_error: sum over all points.
        errors: name -> sum of squared errors of that model.
    """

    skills: tuple[int, ...]
    shares: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    iota: dict[str, float]
    a: float
    b: float
    d: float
    squared_error: float
    errors: dict[str, float]

    def pass_at_n(self, n: ArrayLike, loss: float, steps: int, iota: float) -> np.ndarray:
        """pass@N of a model with this training loss, budget and iota; float64 of the shape of ``n``."""
        return predicted(
            n, loss, steps, iota, self.skills, self.shares, self.mean, self.deviation, self.a, self.b, self.d
        )


def predicted(
    n: ArrayLike,
    loss: float,
    steps: int,
    iota: float,
    skills: Sequence[int],
    shares: ArrayLike,
    mean: ArrayLike,
    deviation: ArrayLike,
    a: float,
    b: float,
    d: float,
) -> np.ndarray:
    """pass@N of the mixture by quadrature over L0, in NumPy; float64 of the shape of ``n``."""
    n = np.asarray(n, dtype=np.float64)
    z = np.linspace(-REACH, REACH, NODES)
    weight = np.exp(-0.5 * z * z)
    weight /= weight.sum()
    total = np.zeros(n.shape)
    for m, share, mu, sigma in zip(skills, *map(np.asarray, (shares, mean, deviation)), strict=True):
        rate = np.clip(step_success(loss, mu + sigma * z, a, d, iota, b), 0.0, 1.0)
        one = binomial_tails(float(m), float(steps), rate)[0]
        with np.errstate(divide="ignore"):
            total += share * (-np.expm1(n[..., None] * np.log1p(-one)) @ weight)
    return total


def _law(v: np.ndarray, skills: int) -> tuple[np.ndarray, ...]:
    """Shares, means, deviations, iotas and b of unconstrained v."""
    logits = np.append(0.0, v[: skills - 1])
    shares = np.exp(logits - logits.max())
    mean, spread, iota = np.split(v[skills - 1 : -1], [skills, 2 * skills])
    return shares / shares.sum(), mean, np.exp(spread), np.exp(iota), np.exp(v[-1])


def fit_difficulty(
    curves: Sequence[ModelCurve],
    skills: Sequence[int] = (1, 100),
    a: float = 0.141,
    d: float = -0.015,
    b: float = 1.354,
    starts: int = 6,
    seed: int = 0,
) -> DifficultyFit:
    """Least squares of the mixture on the curves of several models of one benchmark.

    Args:
        curves: one for each model, at least 2.
        skills: the m of the mixture.
        a, d: of (25), held; b: where the search of b begins.
        starts: starting points, the first of them the paper's calibration.
        seed: of the other starting points.

    Raises:
        InputError: fewer than 2 models or fewer points than parameters.
    """
    from scipy.optimize import least_squares

    skills = tuple(int(m) for m in skills)
    require(len(curves) >= 2, "a difficulty mixture needs the curves of at least 2 models")
    require(len(skills) >= 1 and min(skills) >= 1, "skills must be whole numbers of at least 1")
    count = 3 * len(skills) - 1 + len(curves) + 1
    points = sum(len(c.n) for c in curves)
    require(points >= count, f"{points} points are fewer than the {count} parameters of the mixture")

    def misses(v: np.ndarray) -> list[np.ndarray]:
        shares, mean, deviation, iota, slope = _law(v, len(skills))
        return [
            predicted(c.n, c.loss, c.steps, i, skills, shares, mean, deviation, a, float(slope), d) - c.success
            for c, i in zip(curves, iota.tolist(), strict=True)
        ]

    known = {1: (0.529, 0.288), 100: (1.718, 0.148)}
    mean, spread = zip(*(known.get(m, (1.0, 0.3)) for m in skills), strict=True)
    first = [*[-2.0] * (len(skills) - 1), *mean, *np.log(spread), *[-1.8] * len(curves), math.log(b)]
    moves = np.vstack([np.zeros(count), 0.3 * np.random.default_rng(seed).normal(size=(starts - 1, count))])
    ends = [least_squares(lambda v: np.concatenate(misses(v)), first + move, x_scale="jac") for move in moves]
    v = min(ends, key=lambda end: end.cost).x
    shares, mean, deviation, iota, slope = _law(v, len(skills))
    errors = {c.name: float(miss @ miss) for c, miss in zip(curves, misses(v), strict=True)}
    return DifficultyFit(
        skills=skills,
        shares=shares,
        mean=mean,
        deviation=deviation,
        iota={c.name: float(i) for c, i in zip(curves, iota, strict=True)},
        a=float(a),
        b=float(slope),
        d=float(d),
        squared_error=sum(errors.values()),
        errors=errors,
    )
