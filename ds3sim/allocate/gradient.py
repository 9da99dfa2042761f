"""The global allocation by gradients: L-BFGS (optax) over ln N and ln K, K continuous.

A second way to the optimum of :mod:`ds3sim.allocate.solve`, which shares only (24) and (25) with it. (1) and (3) are
continued to real K by the gamma function,

    I_r(m, K-m+1) = 1 - sum_{j<m} C(K, j) r^j (1-r)^(K-j),   C(K, j) = prod_{i<j} (K-i)/(i+1),

which holds for real K > m - 1 and is 0 at K = m - 1. Unlike ``betainc`` it has a derivative in K. D follows from N
and K as the largest solution of 6 N D + 2 N I omega E[min(T, K)] + .. = C; its derivative is that of the implicit
function. Everything is float64 in a local ``jax.enable_x64`` context; no global setting changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.allocate.solve import Problem
from ds3sim.core.errors import require
from ds3sim.core.memory import require_memory
from ds3sim.theory.cost import attention_flops
from ds3sim.theory.loss import loss_at, step_success
from ds3sim.theory.spending import data_left

if TYPE_CHECKING:
    from jax import Array

_ROUNDS = 400
_TAIL = 64
"""Terms of an upper tail beyond the largest m + 1: they fall by more than half each where they are used."""
_REFUSED = 50.0
"""-ln accuracy where N and K cost more than there is."""


@dataclass(frozen=True)
class GradientOptimum:
    """Where L-BFGS ended.

    Attributes:
        parameters, training_tokens, steps: N, D, and K as a real number.
        accuracy: at that K.
        gradient: largest |d ln accuracy / d (ln N, ln K)|, 0 at an interior optimum.
        rounds: iterations of the best start.
    """

    parameters: float
    training_tokens: float
    steps: float
    accuracy: float
    gradient: float
    rounds: int


def log_accuracy(problem: Problem, compute: float, log_parameters: float, log_steps: float) -> tuple[float, np.ndarray]:
    """ln of the expected accuracy at N, K and the D that C leaves, and its gradient in (ln N, ln K)."""
    import jax

    with jax.enable_x64(True):
        x = np.array([float(log_parameters), float(log_steps)])
        value, slope = _slope()(x, _constants(problem, compute))
        return -float(value), -np.asarray(slope)


def maximise(
    problem: Problem,
    compute: float,
    starts: Sequence[tuple[float, float]] | None = None,
    *,
    tolerance: float = 1e-8,
    rounds: int = 200,
) -> GradientOptimum:
    """The best of several L-BFGS runs on ln accuracy over (ln N, ln K).

    Args:
        problem: as for :func:`ds3sim.allocate.solve.solve`; the box bounds N and K only.
        compute: C over the lifetime.
        starts: list of (N, K); None takes a 2 x 2 grid of what C can pay for.
        tolerance: a run ends when no component of the gradient exceeds it.
        rounds: most iterations of a run.

    Raises:
        InputError: no start is affordable.
    """
    import jax

    with jax.enable_x64(True):
        constants = _constants(problem, compute)
        low = np.log([problem.box.parameters[0], 1.0])
        high = np.log([problem.box.parameters[1], problem.box.steps])
        if starts is None:
            starts = _starts(problem, compute)
        best = None
        for start in starts:
            unit = (np.log(np.asarray(start, dtype=np.float64)) - low) / (high - low)
            unit = np.clip(unit, 1e-4, 1 - 1e-4)
            x, value, slope, count = _descend(np.log(unit / (1 - unit)), constants, low, high, tolerance, rounds)
            if np.isfinite(value) and (best is None or value < best[0]):
                best = value, x, float(np.abs(slope).max()), count
        require(best is not None and best[0] < _REFUSED, f"compute = {compute:g} pays for none of the starts")
        value, x, slope, count = best or (0.0, np.zeros(2), 0.0, 0)
        d = float(_trained()(x, constants))
    return GradientOptimum(float(np.exp(x[0])), d, float(np.exp(x[1])), float(np.exp(-value)), slope, count)


def _starts(problem: Problem, compute: float) -> list[tuple[float, float]]:
    """Models from the smallest to what training alone could pay for, K from few steps to what is left."""
    least, most = problem.box.parameters
    top = min(most, max(2 * least, np.sqrt(compute / 6.0)))
    out = []
    for n in np.geomspace(least, top, 4)[1:3]:
        affordable = compute / (2.0 * n * max(problem.demand, 1e-9) * problem.tokens_per_step)
        cap = min(problem.box.steps / 2, max(2.0, affordable / 2))
        out += [(n, k) for k in np.geomspace(min(3.0, cap), cap, 4)[1:3]]
    return out


def _constants(problem: Problem, compute: float) -> dict[Any, Any]:
    c, bridge, (levels, table) = problem.constants, problem.tasks.bridge, problem.tasks.table
    require_memory(
        3 * 8.0 * (table.shape[1] + _TAIL) ** 2,
        f"allocate.check with tasks of {table.shape[1]:,} skills",
        "take fewer skills, or leave check out",
    )
    return {
        "C": float(compute),
        "loss": c.numbers,
        "bridge": (bridge.a, bridge.d, bridge.iota, bridge.b),
        "levels": levels,
        "table": table,
        "cost": (problem.demand, problem.tokens_per_step, problem.prompt_tokens),
        "shape": (problem.shape.scale, problem.shape.power),
    }


def _moments(loss: Array, k: Array, c: dict[str, Any]) -> tuple[Array, Array, Array]:
    """Accuracy, E[min(T, K)] and E[min(T, K)^2] of the tasks at a real K."""
    import jax.numpy as jnp

    a, d, iota, b = c["bridge"]
    r = step_success(loss, c["levels"], a, d, iota, b)[:, None]
    r = jnp.clip(r, 1e-300, 1 - 1e-16)
    most = c["table"].shape[1]
    j = np.arange(most + 2.0 + _TAIL)
    left = k - j[:-1]
    # Sums by triangular matrices and signs by counting: XLA compiles them much faster than scans.
    ones = np.triu(np.ones((j.size, j.size)))
    ways = jnp.log(jnp.where(left == 0, 1.0, jnp.abs(left)) / (j[:-1] + 1.0)) @ ones[:-1, :-1]
    ways = jnp.concatenate([jnp.zeros(1), ways])
    negative = jnp.maximum(0.0, j - 1.0 - jnp.floor(k))  # factors K - i below 0
    sign = jnp.where((j > k) & (k == jnp.floor(k)), 0.0, 1.0 - 2.0 * (negative % 2))
    moves = sign * jnp.exp(ways + j * jnp.log(r) + (k - j) * jnp.log1p(-r))
    below = moves[:, : most + 2] @ ones[: most + 2, : most + 2]
    # Small upper tails term by term: 1 - below would lose their digits, which m^2/r^2 then magnifies.
    above = moves @ ones.T
    upper = jnp.concatenate([jnp.ones_like(r), 1.0 - below], axis=1)  # P(X >= m), m = 0..most+2
    exact = (r < 0.25) & (above[:, : most + 3] < 1e-3) & (k * r < j[: most + 3])
    upper = jnp.where(exact, above[:, : most + 3], upper)
    m = j[1 : most + 1]
    done = jnp.where(k > m - 1.0, upper[:, 1 : most + 1], 0.0)
    late = jnp.where(k > m - 1.0, below[:, :most], 1.0)
    here, further = moves[:, 1 : most + 1], moves[:, 2 : most + 2]
    here = jnp.where(k > m - 1.0, here, 0.0)
    further = jnp.where(k > m, further, 0.0)
    more = jnp.where(k > m, upper[:, 2 : most + 2], 0.0)
    most_more = jnp.where(k > m + 1, upper[:, 3 : most + 3], 0.0)
    one = more + r * here
    two = most_more + r * (2 - r) * further + r * r * here
    first, second = m * one / r, m * (m + 1.0) * two / (r * r)
    total = c["table"]
    return (
        jnp.sum(total * done),
        jnp.sum(total * (first + k * late)),
        jnp.sum(total * (second - first + k * k * late)),
    )


def _rest(n: Array, k: Array, d: Array, c: dict[str, Any]) -> Array:
    """D that the inference of a model trained on ``d`` tokens leaves."""
    demand, omega, prompt = c["cost"]
    scale, power = c["shape"]
    _, one, two = _moments(loss_at(n, d, *c["loss"]), k, c)
    tokens = omega * one
    price = 2.0 * prompt**2 + attention_flops(tokens, omega**2 * two, prompt)
    return data_left(c["C"], n, demand * tokens, scale * n**power * demand * price)


def _data(x: Array, c: dict[str, Any]) -> tuple[Array, Array]:
    """The largest fixed point D of :func:`_rest` from above, with its implicit derivative; and whether it exists."""
    import jax
    import jax.numpy as jnp

    n, k = jnp.exp(x[0]), jnp.exp(x[1])
    floor = 1e-3 * c["C"] / (6.0 * n) * 1e-9
    fixed_n, fixed_k = jax.lax.stop_gradient(n), jax.lax.stop_gradient(k)

    def going(state: tuple[Any, ...]) -> Array:
        old, new, count = state
        return (count < _ROUNDS) & (new < old * (1 - 1e-15)) & (new > floor)

    def step(state: tuple[Any, ...]) -> tuple[Any, ...]:
        _, new, count = state
        return new, jnp.maximum(_rest(fixed_n, fixed_k, new, c), floor), count + 1

    top = c["C"] / (6.0 * fixed_n)
    start = jnp.maximum(_rest(fixed_n, fixed_k, top, c), floor)
    d = jax.lax.while_loop(going, step, (top, start, 0))[1]
    there = d > 2 * floor

    def newton(d: Array, n: Array, k: Array) -> Array:
        slope = 1.0 - jax.grad(lambda v: _rest(fixed_n, fixed_k, v, c))(d)
        return d - (d - _rest(n, k, d, c)) / jax.lax.stop_gradient(jnp.where(there & (slope > 1e-6), slope, 1.0))

    # The fixed point is approached slowly where the contraction is weak.
    d = jax.lax.stop_gradient(jax.lax.fori_loop(0, 3, lambda _, v: newton(v, fixed_n, fixed_k), d))
    # One more with N and K alive carries the derivative of the implicit function.
    return jnp.where(there, newton(d, n, k), floor), there


def _objective(x: Array, c: dict[str, Any]) -> Array:
    """-ln accuracy; a plateau of ``_REFUSED`` where N and K are too dear."""
    import jax.numpy as jnp

    x = jnp.asarray(x)
    d, there = _data(x, c)
    safe = jnp.where(there, d, 1e7)
    success = _moments(loss_at(jnp.exp(x[0]), safe, *c["loss"]), jnp.exp(x[1]), c)[0]
    return jnp.where(there, -jnp.log(jnp.clip(success, 1e-300, 1.0)), _REFUSED + x[0] + x[1])


@lru_cache(maxsize=1)
def _slope() -> Callable[..., Any]:
    """The jitted objective with its gradient."""
    import jax

    return jax.jit(jax.value_and_grad(_objective))


@lru_cache(maxsize=1)
def _trained() -> Callable[..., Any]:
    """The jitted D of N and K."""
    import jax

    return jax.jit(lambda x, c: _data(x, c)[0])


@lru_cache(maxsize=1)
def _direction() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Optax's L-BFGS preconditioner and its jitted update."""
    import jax
    import optax

    method = optax.scale_by_lbfgs(memory_size=10)
    return method.init, jax.jit(method.update)


def _descend(
    z: np.ndarray, constants: dict[str, Any], low: np.ndarray, high: np.ndarray, tolerance: float, rounds: int
) -> tuple[np.ndarray, float, np.ndarray, int]:
    """L-BFGS with halving of the step until the value falls enough (Armijo); (x, value, slope in x, rounds)."""
    init, update = _direction()

    def at(z: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        share = 1.0 / (1.0 + np.exp(-z))
        x = low + (high - low) * share
        value, slope = _slope()(x, constants)
        return float(value), np.asarray(slope) * (high - low) * share * (1.0 - share), x, np.asarray(slope)

    memory = init(z)
    value, slope, x, inner = at(z)
    count = 0
    while count < rounds and np.abs(inner).max() > tolerance:
        direction, memory = update(slope, memory, z)
        step = -np.asarray(direction)
        if not slope @ step < 0:
            step = -slope
        step = step * min(1.0, 2.0 / np.abs(step).max())  # not across the whole box at once
        share = 1.0
        while share > 1e-12:
            new = at(z + share * step)
            if new[0] <= value + 1e-4 * share * float(slope @ step):
                break
            share *= 0.5
        else:
            break
        z = z + share * step
        value, slope, x, inner = new
        count += 1
    return x, value, inner, count
