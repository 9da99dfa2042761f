"""From training to the step success: the loss (24) and the bridge (25) of docs/theory.md section 8.

:func:`loss` and :func:`step_success` take NumPy arrays (float64 out, arguments checked) or JAX arrays
and tracers (dtype of the input, nothing checked, gradients in every argument). The constants come by
name, because published ones differ a lot in what they call optimal: see :data:`CONSTANTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ds3sim.core.check import Numbers, array_module, number, numbers, positive
from ds3sim.core.errors import InputError, require


@dataclass(frozen=True)
class LossConstants:
    """The constants of (24), L = E + A N^-alpha + B D^-beta, in nats per token.

    Attributes:
        E: loss with unlimited parameters and data, >= 0.
        A, alpha: of the parameters, > 0.
        B, beta: of the data, > 0.
        name: what messages call them.

    Raises:
        InputError: a value outside its range.
    """

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    name: str = "user"

    def __post_init__(self) -> None:
        for field in fields(self)[:5]:
            bound = {"low": 0} if field.name == "E" else {"above": 0}
            object.__setattr__(self, field.name, number(f"constants.{field.name}", getattr(self, field.name), **bound))

    @property
    def numbers(self) -> tuple[float, float, float, float, float]:
        """E, A, B, alpha, beta."""
        return self.E, self.A, self.B, self.alpha, self.beta


CONSTANTS: dict[str, LossConstants] = {
    "hoffmann": LossConstants(1.69, 406.4, 410.7, 0.34, 0.28, "hoffmann"),
    "hoffmann_source": LossConstants(1.69337, 406.40, 410.72, 0.33917, 0.28491, "hoffmann_source"),
    "epoch": LossConstants(1.8172, 482.01, 2085.43, 0.3478, 0.3658, "epoch"),
}
"""``hoffmann``: as printed in [H22] and used by [DS3]. ``hoffmann_source``: the same fit with the digits that
[H22]'s source has. ``epoch``: the refit of the same data by [B24b] (Besiroglu et al., arXiv:2404.10102).

At C = 5.76e23 (Chinchilla's compute) :func:`loss_optimal` gives D/N = 92.6, 58.9 and 18.4 tokens a
parameter: only ``epoch`` agrees with the rule D = 20 N."""


def constants_of(constants: str | Mapping[Any, Any] | LossConstants) -> LossConstants:
    """The constants by name, from a mapping with E, A, B, alpha, beta (and name), or as they are.

    Raises:
        InputError: an unknown name, a missing or unknown key, or a value outside its range.
    """
    if isinstance(constants, LossConstants):
        return constants
    if isinstance(constants, Mapping):
        wanted = [field.name for field in fields(LossConstants)]
        missing = [name for name in wanted[:5] if name not in constants]
        require(not missing, f"constants.{missing[0] if missing else ''} is missing: give E, A, B, alpha and beta")
        unknown = [str(key) for key in constants if key not in wanted]
        require(not unknown, f"unknown key constants.{unknown[0] if unknown else ''}: known are {', '.join(wanted)}")
        return LossConstants(**constants)
    if constants not in CONSTANTS:
        import difflib

        near = difflib.get_close_matches(str(constants).lower(), CONSTANTS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        names = ", ".join(CONSTANTS)
        raise InputError(f"constants = {constants!r}: choose {names}{hint}, or give E, A, B, alpha, beta")
    return CONSTANTS[constants]


def loss(
    parameters: Numbers, tokens: Numbers, constants: str | Mapping[Any, Any] | LossConstants = "hoffmann"
) -> Numbers:
    """L(N, D) = E + A N^-alpha + B D^-beta, docs/theory.md (24); [H22].

    Args:
        parameters: N, > 0; infinity allowed. NumPy or JAX, any shape.
        tokens: D, training tokens, > 0; infinity is the loss with unlimited data. Broadcast with N.
        constants: a name of :data:`CONSTANTS`, a mapping, or :class:`LossConstants`.

    Returns:
        Loss in nats per token, of the broadcast shape; NumPy float64, or a JAX array if any input is one.

    Raises:
        InputError: unknown constants; with NumPy input also N or D not above 0.
    """
    c = constants_of(constants)
    if array_module(parameters, tokens) is np:
        parameters, tokens = (
            numbers(k, v, infinite=True, above=0) for k, v in (("parameters", parameters), ("tokens", tokens))
        )
    return loss_at(parameters, tokens, *c.numbers)


def loss_at(N: Numbers, D: Numbers, E: Numbers, A: Numbers, B: Numbers, alpha: Numbers, beta: Numbers) -> Numbers:
    """(24) by its constants: NumPy, JAX or traced, which broadcast; nothing is checked."""
    return E + A * N**-alpha + B * D**-beta


def loss_optimal(
    compute: Numbers, constants: str | Mapping[Any, Any] | LossConstants = "hoffmann"
) -> tuple[np.ndarray, np.ndarray]:
    """N and D that minimise (24) at 6 N D = C, docs/theory.md (24.1).

    N = G (C/6)^(beta/(alpha+beta)), D = (C/6)/N, G = (alpha A / (beta B))^(1/(alpha+beta)).

    Args:
        compute: C, training FLOPs, > 0, any shape.
        constants: as :func:`loss`.

    Returns:
        (N, D), float64 of the shape of ``compute``.

    Raises:
        InputError: unknown constants, or C not above 0.
    """
    c = constants_of(constants)
    product = positive("compute", compute) / 6.0
    total = c.alpha + c.beta
    parameters = (c.alpha * c.A / (c.beta * c.B)) ** (1.0 / total) * product ** (c.beta / total)
    return parameters[()], (product / parameters)[()]


def step_success(
    L: Numbers, L0: Numbers, a: Numbers = 1.0, d: Numbers = 0.0, iota: Numbers = 1.0, b: Numbers = 5.0
) -> Numbers:
    """xi = clip(iota (a sigma(b (L0 - L)) + d), 0, 1), docs/theory.md (25); [DS3].

    Small values keep their digits: sigma is not formed as a difference from 1.

    Args:
        L: training loss, NumPy or JAX, any shape.
        L0: how easy the skill is: the loss at which sigma is 1/2. Broadcast with L.
        a, d, iota, b: of the bridge; the single-task study of [DS3] has b = 20.

    Returns:
        Step success in [0, 1]; NumPy float64, or a JAX array if any input is one.

    Raises:
        InputError: NumPy input that is not numbers or is NaN.
    """
    xp = array_module(L, L0, a, d, iota, b)
    if xp is np:
        from scipy.special import expit

        values = {"L": L, "L0": L0, "a": a, "d": d, "iota": iota, "b": b}
        L, L0, a, d, iota, b = (numbers(name, value, infinite=True) for name, value in values.items())
    else:
        from jax.scipy.special import expit
    return xp.clip(iota * (a * expit(b * (L0 - L)) + d), 0.0, 1.0)
