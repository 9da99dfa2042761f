"""The difficulty mixture of docs/theory.md section 8, fitted to several models at once.

A task needs m skills with chance phi_m (finitely many m) and has ease L0, normal given m. A step of the model with
training loss L succeeds with xi = clip(iota (a sigma(b (L0 - L)) + d), 0, 1), (25), one iota per model; a sample
succeeds within K steps with chance I_xi(m, K-m+1), (1). So pass@N = sum_m phi_m E[1 - (1 - I)^N].
iota, a and d are known only up to a factor: a and d are given, iota is fitted.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core import runtime
from ds3sim.core.errors import require
from ds3sim.theory.binomial import binomial_tails
from ds3sim.theory.loss import step_success

NODES = 96
"""Quadrature nodes of L0, evenly spaced over +-``REACH`` standard deviations."""
REACH = 6.0


@dataclass(frozen=True)
class ModelCurve:
    """What is known of one model: name, training loss L, steps K that a sample may take, and points of its pass@N,
    float64 [points]."""

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
        law = (self.skills, self.shares, self.mean, self.deviation, self.a, self.b, self.d)
        return predicted(n, loss, steps, iota, *law)


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
    z, weight = _quadrature()
    total = np.zeros(n.shape)
    for m, share, mu, sigma in zip(skills, *map(np.asarray, (shares, mean, deviation)), strict=True):
        rate = step_success(loss, mu + sigma * z, a, d, iota, b)
        one = binomial_tails(float(m), float(steps), rate)[0]
        with np.errstate(divide="ignore"):
            total += share * (-np.expm1(n[..., None] * np.log1p(-one)) @ weight)
    return total


def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    z = np.linspace(-REACH, REACH, NODES)
    weight = np.exp(-0.5 * z * z)
    return z, weight / weight.sum()


def _parameters(v: Any, skills: int, models: int) -> tuple[Any, ...]:
    """Shares, means, deviations, iotas and b of unconstrained v; NumPy or JAX."""
    import jax.numpy as jnp

    logits = jnp.concatenate([jnp.zeros(1), v[: skills - 1]])
    shares = jnp.exp(logits - logits.max())
    at = skills - 1
    mean, deviation = v[at : at + skills], jnp.exp(v[at + skills : at + 2 * skills])
    at += 2 * skills
    return shares / shares.sum(), mean, deviation, jnp.exp(v[at : at + models]), jnp.exp(v[at + models])


@functools.cache
def _loss_for(skills: tuple[int, ...], models: int, a: float, d: float) -> Callable[..., Any]:
    """The squared error in JAX, one function for each structure so that it compiles once."""

    def loss(v: Any, losses: Any, steps: Any, owner: Any, n: Any, y: Any) -> Any:
        import jax
        import jax.numpy as jnp

        shares, mean, deviation, iota, b = _parameters(v, len(skills), models)
        z, weight = (jnp.asarray(x) for x in _quadrature())
        total = jnp.zeros(n.shape)
        for j, m in enumerate(skills):
            ease = mean[j] + deviation[j] * z
            rate = jnp.clip(step_success(losses[:, None], ease, a, d, iota[:, None], b), 1e-12, 1.0 - 1e-12)
            if m == 1:
                log_miss = steps[:, None] * jnp.log1p(-rate)
            else:
                one = jax.scipy.special.betainc(float(m), jnp.maximum(steps[:, None] - m + 1.0, 1e-3), rate)
                log_miss = jnp.log1p(-jnp.clip(one, 0.0, 1.0 - 1e-15))
            total = total + shares[j] * (-jnp.expm1(n[:, None] * log_miss[owner])) @ weight
        return 1e3 * jnp.sum((total - y) ** 2)

    return loss


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

    Raises:
        InputError: fewer than 2 models or fewer points than parameters.
    """
    import jax
    from scipy.optimize import minimize

    runtime.devices()  # says where none can be used
    skills = tuple(int(m) for m in skills)
    require(len(curves) >= 2, "a difficulty mixture needs the curves of at least 2 models")
    require(len(skills) >= 1 and min(skills) >= 1, "skills must be whole numbers of at least 1")
    count = 3 * len(skills) - 1 + len(curves) + 1
    points = sum(len(c.n) for c in curves)
    require(points >= count, f"{points} points are fewer than the {count} parameters of the mixture")
    owner = np.repeat(np.arange(len(curves)), [len(c.n) for c in curves])
    n, y = (np.concatenate([getattr(c, name) for c in curves]).astype(np.float64) for name in ("n", "success"))
    losses, steps = (np.array([getattr(c, name) for c in curves], dtype=np.float64) for name in ("loss", "steps"))
    begin = _starts(skills, len(curves), b, starts, seed)
    loss = _loss_for(skills, len(curves), float(a), float(d))
    with jax.enable_x64(True):
        descend = jax.jit(jax.value_and_grad(loss))
        ends = [minimize(lambda v: tuple(map(np.asarray, descend(v, losses, steps, owner, n, y))), start, jac=True,
                         method="L-BFGS-B", options={"maxiter": 300, "gtol": 1e-7}) for start in begin]  # fmt: skip
        best = min(ends, key=lambda end: end.fun)
        require(bool(np.isfinite(best.fun)), "the fit of the mixture found no finite optimum: look at the data")
        shares, mean, deviation, iota, slope = (np.asarray(x) for x in _parameters(best.x, len(skills), len(curves)))
    law, iotas = (skills, shares, mean, deviation), dict(zip((c.name for c in curves), iota.tolist(), strict=True))
    found = (float(a), float(slope), float(d))
    values = [predicted(c.n, c.loss, c.steps, iotas[c.name], *law, *found) for c in curves]
    miss = {c.name: float(np.sum((value - c.success) ** 2)) for c, value in zip(curves, values, strict=True)}
    return DifficultyFit(*law, iotas, *found, float(sum(miss.values())), miss)


def _starts(skills: tuple[int, ...], models: int, b: float, starts: int, seed: int) -> np.ndarray:
    """Where the descents begin: the paper's calibration, and points about it, float64 [starts, parameters]."""
    known = {1: (0.529, 0.288), 100: (1.718, 0.148)}
    mean = [known.get(m, (1.0, 0.3))[0] for m in skills]
    spread = [math.log(known.get(m, (1.0, 0.3))[1]) for m in skills]
    first = np.concatenate([np.full(len(skills) - 1, -2.0), mean, spread, np.full(models, -1.8), [math.log(b)]])
    rng = np.random.default_rng(seed)
    return first + np.vstack([np.zeros(first.size), 0.3 * rng.normal(size=(starts - 1, first.size))])
