"""Minimize smooth functions from several starts at once: L-BFGS of optax under vmap, float64."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

MOST_STEPS = 300


@functools.cache
def _solver(loss: Callable[..., Any]) -> Callable[..., Any]:
    """Jitted: starts [S, D], tolerance and the arguments of ``loss`` -> (points [S, D], values [S])."""
    import jax
    import jax.numpy as jnp
    import optax

    def solve(start: Any, tolerance: Any, *arguments: Any) -> Any:
        def value(z: Any) -> Any:
            return loss(z, *arguments)

        method = optax.lbfgs(memory_size=10)
        value_and_grad = optax.value_and_grad_from_state(value)

        def going(carry: Any) -> Any:
            _, state, step = carry
            gradient = optax.tree.get(state, "grad")
            return (step == 0) | ((step < MOST_STEPS) & (jnp.abs(gradient).max() > tolerance))

        def turn(carry: Any) -> Any:
            z, state, step = carry
            now, gradient = value_and_grad(z, state=state)
            updates, state = method.update(gradient, state, z, value=now, grad=gradient, value_fn=value)
            new = jnp.asarray(optax.apply_updates(z, updates))  # pyright: ignore[reportArgumentType]
            # a failed line search gives NaN: stay
            return jnp.where(jnp.isfinite(new).all(), new, z), state, step + 1

        z = jax.lax.while_loop(going, turn, (start, method.init(start), 0))[0]
        return z, value(z)

    def several(starts: Any, tolerance: Any, *arguments: Any) -> Any:
        return jax.vmap(lambda z: solve(z, tolerance, *arguments))(starts)

    return jax.jit(several)


def minimize(
    loss: Callable[..., Any], starts: ArrayLike, *arguments: ArrayLike, tolerance: float = 1e-9
) -> tuple[np.ndarray, np.ndarray]:
    """The end points of descents from all starts, best first.

    Args:
        loss: function of (z [D], *arguments) in JAX; kept by identity, so that it compiles once for each shape:
            give a function of a module, not a lambda.
        starts: float64 [S, D].
        arguments: arrays.
        tolerance: largest component of the gradient at which a descent ends.

    Returns:
        points float64 [S, D] and values [S], ascending; those that are not finite are last.
    """
    import jax

    with jax.enable_x64(True):
        z, value = _solver(loss)(np.asarray(starts, dtype=np.float64), tolerance, *arguments)
        z, value = np.asarray(z), np.asarray(value)
    value = np.where(np.isfinite(value), value, np.inf)
    order = np.argsort(value, kind="stable")
    return z[order], value[order]


@functools.cache
def _derivatives(function: Callable[..., Any]) -> Callable[..., Any]:
    import jax

    return jax.jit(jax.value_and_grad(function))


def value_and_gradient(function: Callable[..., Any], z: ArrayLike, *arguments: ArrayLike) -> tuple[float, np.ndarray]:
    """Value and gradient in float64; ``function`` as in :func:`minimize`."""
    import jax

    with jax.enable_x64(True):
        value, gradient = _derivatives(function)(np.asarray(z, dtype=np.float64), *arguments)
        return float(value), np.asarray(gradient)


def hessian(function: Callable[..., Any], z: ArrayLike, *arguments: ArrayLike, step: float = 1e-5) -> np.ndarray:
    """Second derivatives, by central differences of the exact gradient (no second compilation)."""
    z = np.asarray(z, dtype=np.float64)
    rows = []
    for i in range(z.size):
        move = np.eye(z.size)[i] * step
        up, down = (value_and_gradient(function, z + sign * move, *arguments)[1] for sign in (1, -1))
        rows.append((up - down) / (2 * step))
    out = np.array(rows)
    return 0.5 * (out + out.T)


def jacobian(function: Callable[[np.ndarray], np.ndarray], z: ArrayLike, step: float = 1e-5) -> np.ndarray:
    """First derivatives of a NumPy function of z [D] with values [K], by central differences, [K, D]."""
    z = np.asarray(z, dtype=np.float64)
    moves = np.eye(z.size) * step
    return np.stack([(function(z + m) - function(z - m)) / (2 * step) for m in moves], axis=-1)
