"""Lifetime compute and the cheapest training for a given inference demand (docs/theory.md section 8).

C = 6 N D + 2 N a + W(N) b, where a = I E[Omega] is the lifetime's tokens and W = n_layer d_attn grows with
the model. Arrays broadcast; float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import Numbers, fraction, number, whole_number
from ds3sim.core.errors import require
from ds3sim.theory.cost import training_flops
from ds3sim.theory.crossing import crossing
from ds3sim.theory.loss import LossConstants, loss_at


@dataclass(frozen=True)
class Architecture:
    """W(N) = n_layer d_attn = scale N^power: the width that attention pays for, as a function of N.

    ``Architecture()`` has W = 0: parameter-only accounting, the paper's in its allocation study.

    Attributes:
        scale: >= 0.
        power: in [0, 1].

    Raises:
        InputError: a value outside its range.
    """

    scale: float = 0.0
    power: float = 2.0 / 3.0

    def __post_init__(self) -> None:
        number("scale", self.scale, low=0)
        fraction("power", self.power)

    @classmethod
    def of_aspect(cls, aspect: float) -> Architecture:
        """From d_model / n_layer = ``aspect``, with N = 12 n_layer d_model^2 and d_attn = d_model [K20].

        n_layer = (N / (12 aspect^2))^(1/3), so W = aspect (N / (12 aspect^2))^(2/3).
        """
        number("aspect", aspect, above=0)
        return cls(aspect * (12.0 * aspect**2) ** (-2.0 / 3.0), 2.0 / 3.0)

    @classmethod
    def of_table(cls, rows: Sequence[Sequence[float]]) -> Architecture:
        """The power law that fits rows of (N, n_layer, d_attn) best, by least squares in the logarithms."""
        table = np.asarray(rows, dtype=np.float64)
        require(table.ndim == 2 and table.shape[1] == 3 and len(table) >= 2, "table needs rows of [N, layers, width]")
        require(bool((table > 0).all() and np.isfinite(table).all()), "table holds a number that is not above 0")
        x, y = np.log(table[:, 0]), np.log(table[:, 1] * table[:, 2])
        require(np.ptp(x) > 0, "table needs models of different N")
        power = float(np.cov(x, y, bias=True)[0, 1] / x.var())
        require(
            0 <= power <= 1, f"table gives layers times width a power of {power:.3g} in N: it must be between 0 and 1"
        )
        return cls(float(np.exp(y.mean() - power * x.mean())), power)

    def width(self, parameters: Numbers) -> Numbers:
        """W(N)."""
        return self.scale * parameters**self.power if self.scale else 0.0 * parameters


@dataclass(frozen=True)
class Box:
    """Where N and D are searched, and the largest budget in steps."""

    parameters: tuple[float, float] = (1e7, 1e14)
    tokens: tuple[float, float] = (1e7, 1e14)
    steps: int = 10**7

    def __post_init__(self) -> None:
        for name in ("parameters", "tokens"):
            low, high = getattr(self, name)
            require(0 < low < high < math.inf, f"{name} = [{low:g}, {high:g}] is not a range of numbers above 0")
        whole_number("steps", self.steps, 1, 10**12)


@dataclass(frozen=True)
class Training:
    """The best training per point; ``loss`` is infinite where the compute does not pay for any."""

    parameters: np.ndarray
    tokens: np.ndarray
    loss: np.ndarray


def lifetime_flops(
    parameters: Numbers, training_tokens: Numbers, tokens: Numbers, price: Numbers, shape: Architecture
) -> Numbers:
    """C = 6 N D + 2 N a + W(N) b of (26), for a = ``tokens`` of the lifetime and b = ``price``; nothing is checked."""
    return training_flops(parameters, training_tokens) + 2.0 * parameters * tokens + shape.width(parameters) * price


def data_left(compute: Numbers, parameters: Numbers, tokens: Numbers, attention: Numbers) -> Numbers:
    """D with 6 N D + 2 N a + ``attention`` = C: what the inference leaves for training; may be negative.

    NumPy, JAX or traced; nothing is checked.
    """
    return (compute - 2.0 * parameters * tokens - attention) / (6.0 * parameters)


def best_training(
    compute: Numbers, tokens: Numbers, price: Numbers, constants: LossConstants, box: Box, shape: Architecture
) -> Training:
    """N and D of the lowest loss (24) with 6 N D + 2 N a + W(N) b <= C; docs/theory.md (26.1).

    The stationary point in ln N is a root of alpha A N^-alpha = beta B D^(-beta-1) (-dD/d ln N), with
    -dD/d ln N = D + a/3 + s W b/(6N), s = d ln W / d ln N. The left side falls and the right one rises with N,
    so the root is unique, and bisection finds it to rounding. Then it is moved into the box.

    Args:
        compute: C, FLOPs.
        tokens: a, lifetime output tokens, >= 0.
        price: b, FLOPs per unit of W, >= 0.
    """
    compute, tokens, price = _arrays(compute, tokens, price)
    c = constants
    low, high = (np.full(compute.shape, math.log(v)) for v in box.parameters)
    scale = math.log(c.beta * c.B / (c.alpha * c.A))

    def data(x: np.ndarray) -> np.ndarray:
        n = np.exp(x)
        return data_left(compute, n, tokens, shape.width(n) * price)

    def rising(x: np.ndarray) -> np.ndarray:
        """The logarithm of the right side over the left one."""
        n = np.exp(x)
        attention = shape.width(n) * price
        d = data_left(compute, n, tokens, attention)
        safe = np.maximum(d, box.tokens[0] * 1e-9)
        slope = safe + tokens / 3.0 + shape.power * attention / (6.0 * n)
        return np.where(d > 0, scale + np.log(slope) - (c.beta + 1.0) * np.log(safe) + c.alpha * x, np.inf)

    def short(x: np.ndarray, bound: float) -> np.ndarray:
        """The logarithm of what D = ``bound`` would cost over what there is."""
        return np.log(lifetime_flops(np.exp(x), bound, tokens, price, shape) / compute)

    possible = data(low) >= box.tokens[0]
    best = crossing(low, high, rising)
    d = data(best)
    if not np.all((d >= box.tokens[0]) & (d <= box.tokens[1])):
        # D falls with N: the N at which the box of D is entered from above, and left below.
        ceiling = crossing(low, high, lambda x: short(x, box.tokens[1]))
        last = crossing(low, high, lambda x: short(x, box.tokens[0]))
        best = np.clip(best, np.minimum(ceiling, last), last)
        best = np.where(data(high) >= box.tokens[1], high, best)  # all of the box is affordable
    n = np.exp(best)
    d = np.clip(data(best), box.tokens[0], box.tokens[1])
    return Training(n, d, np.where(possible, loss_at(n, d, *c.numbers), np.inf))


def _arrays(*values: Numbers) -> list[np.ndarray]:
    return list(np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in values)))


def _tied_bounds(kappa: float, box: Box) -> tuple[float, float]:
    """The N of the box whose D = kappa N lies in it.

    Raises:
        InputError: there is none.
    """
    low, high = max(box.parameters[0], box.tokens[0] / kappa), min(box.parameters[1], box.tokens[1] / kappa)
    require(low < high, f"kappa = {kappa:g} leaves no model in the box: widen parameters or tokens")
    return low, high


def tied_training(
    compute: Numbers, tokens: Numbers, price: Numbers, kappa: float, constants: LossConstants, box: Box,
    shape: Architecture,
) -> Training:  # fmt: skip
    """The largest model with D = kappa N that C pays for: 6 kappa N^2 + 2 N a + W(N) b <= C, N and D in the box."""
    n, none = _largest(compute, tokens, price, kappa, _tied_bounds(kappa, box), shape)
    return Training(n, kappa * n, np.where(none, np.inf, loss_at(n, kappa * n, *constants.numbers)))


def unlimited_data(
    compute: Numbers, tokens: Numbers, price: Numbers, constants: LossConstants, box: Box, shape: Architecture
) -> Training:
    """The largest model that C pays for at 2 N a + W(N) b <= C, with D infinite."""
    n, none = _largest(compute, tokens, price, 0.0, box.parameters, shape)
    return Training(n, np.full(n.shape, np.inf), np.where(none, np.inf, loss_at(n, np.inf, *constants.numbers)))


def _largest(
    compute: Numbers, tokens: Numbers, price: Numbers, kappa: float, bounds: tuple[float, float], shape: Architecture
) -> tuple[np.ndarray, np.ndarray]:
    """The largest N within ``bounds`` with 6 kappa N^2 + 2 N a + W(N) b <= C, and where there is none."""
    compute, tokens, price = _arrays(compute, tokens, price)
    low, high = (np.full(compute.shape, math.log(v)) for v in bounds)

    def above(x: np.ndarray) -> np.ndarray:
        n = np.exp(x)
        return np.log(lifetime_flops(n, kappa * n, tokens, price, shape) / compute)

    return np.exp(crossing(low, high, above)), above(low) > 0


def cheapest_training(
    loss: Numbers, tokens: Numbers, price: Numbers, constants: LossConstants, box: Box, shape: Architecture
) -> tuple[Training, np.ndarray]:
    """N and D on the contour of ``loss`` with the least 6 N D + 2 N a + W(N) b, and that cost; (26.2).

    The dual of :func:`best_training`: D = (B / (L - E - A N^-alpha))^(1/beta), minimised over ln N by
    bisection on the sign of the derivative. The cost is infinite where the box does not reach the loss.
    """
    loss, tokens, price = _arrays(loss, tokens, price)
    c = constants
    low, high = (np.full(loss.shape, math.log(v)) for v in box.parameters)

    def gap(x: np.ndarray) -> np.ndarray:
        return loss - c.E - c.A * np.exp(x) ** -c.alpha

    def data(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", divide="ignore"):
            return np.where(gap(x) > 0, (c.B / np.maximum(gap(x), 1e-300)) ** (1.0 / c.beta), np.inf)

    def below(x: np.ndarray, bound: float) -> np.ndarray:
        return math.log(bound) - np.log(data(x))

    least = crossing(low, high, lambda x: below(x, box.tokens[1]))  # below it D would leave the box
    most = crossing(low, high, lambda x: below(x, box.tokens[0]))
    possible = data(high) <= box.tokens[1]

    def rising(x: np.ndarray) -> np.ndarray:
        """d cost / d ln N over 6 N D, times the gap."""
        n, d, g = np.exp(x), data(x), gap(x)
        rest = 2.0 * tokens + shape.power * shape.width(n) / n * price
        return g - c.alpha / c.beta * c.A * n**-c.alpha + np.maximum(g, 0.0) * rest / (6.0 * d)

    best = np.clip(crossing(low, high, rising), least, np.maximum(least, most))
    n = np.exp(best)
    d = np.clip(data(best), *box.tokens)
    return Training(n, d, loss), np.where(possible, lifetime_flops(n, d, tokens, price, shape), np.inf)


def cheapest_tied(
    loss_wanted: Numbers, tokens: Numbers, price: Numbers, kappa: float, constants: LossConstants, box: Box,
    shape: Architecture,
) -> np.ndarray:  # fmt: skip
    """The cost of the smallest model with D = kappa N that has a loss; infinite where the box does not reach it."""
    level = np.asarray(loss_wanted, dtype=np.float64)
    low, high = (np.full(level.shape, math.log(v)) for v in _tied_bounds(kappa, box))

    def good(x: np.ndarray) -> np.ndarray:
        return level - loss_at(np.exp(x), kappa * np.exp(x), *constants.numbers)

    n = np.exp(crossing(low, high, good))
    return np.where(good(high) >= 0, lifetime_flops(n, kappa * n, tokens, price, shape), np.inf)
