"""What a number of samples costs, and the arguments on cost that the fits share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.fit.logs.log import Log
from ds3sim.theory.cost import CostModel

MOST_AHEAD = 10**12
"""Largest number of samples of a prediction."""

IDLE: dict[str, tuple[str, ...]] = {
    "layers": ("parameters", "attention_width"),
    "attention_width": ("parameters", "layers"),
    "prompt_tokens": ("parameters", "layers", "attention_width"),
}
"""Field of a cost model -> the fields without which it changes no FLOPs (they enter (16) as a product)."""


@dataclass(frozen=True)
class Price:
    """The cost of a sample: generated tokens, > 0, and the model for FLOPs by (16); None where unknown."""

    tokens_per_sample: float | None = None
    cost: CostModel | None = None

    def flops(self, n: float) -> float | None:
        """FLOPs of n samples of one prompt."""
        if self.tokens_per_sample is None or self.cost is None:
            return None
        return float(self.cost.flops(self.tokens_per_sample, n=max(1, round(n))))

    def row(self, n: float | None) -> dict[str, Any]:
        """Tokens and FLOPs of n samples, None where unknown."""
        tokens = None if n is None or self.tokens_per_sample is None else float(n) * self.tokens_per_sample
        return {"tokens": tokens, "flops": None if n is None else self.flops(n)}

    def affordable(self, tokens: float | None, flops: float | None) -> int:
        """Most samples within a budget; InputError: the tokens of a sample, or the model's size, are not known, or no
        sample fits in."""
        each = self.tokens_per_sample
        if each is None:
            raise InputError("the log does not say how many tokens a sample has: give --tokens-per-sample")
        if tokens is not None:
            most = int(tokens / each)
        elif flops is None or self.cost is None:
            raise InputError("a budget in FLOPs needs the model's size: give --parameters")
        else:
            most = first_n(lambda n: (self.flops(n) or 0.0) > flops, MOST_AHEAD)
            most = MOST_AHEAD if most is None else most - 1
        require(most >= 1, f"the budget is below one sample ({each:g} tokens): raise it")
        return most


def price_of(log: Log, tokens_per_sample: float | None = None, cost: CostModel | None = None) -> Price:
    """The price of a log's samples.

    Args:
        log: tokens of a sample are its mean over problems, where it has them.
        tokens_per_sample: instead of that, > 0.
        cost: with ``parameters``; its ``tokens_per_step`` is not used.

    Raises:
        InputError: an argument that has no effect.
    """
    if tokens_per_sample is None and log.tokens is not None and np.isfinite(log.tokens).any():
        tokens_per_sample = float(np.nanmean(log.tokens))
    if cost is not None:
        for name, needs in IDLE.items():
            missing = [need for need in needs if not getattr(cost, need)]
            require(
                not (getattr(cost, name) and missing),
                f"{name} = {getattr(cost, name):g} has no effect without {' and '.join(missing)}"
                f" (--{', --'.join(missing).replace('_', '-')})",
            )
        require(cost.has_flops, "a cost model without parameters has no effect: it gives no FLOPs (--parameters)")
        require(
            tokens_per_sample is not None,
            f"parameters = {cost.parameters:g} has no effect: the log does not say how many tokens a sample has"
            " (--tokens-per-sample)",
        )
    return Price(tokens_per_sample, cost)


def first_n(reached: Callable[[int], bool], most: int) -> int | None:
    """The smallest n >= 1 where ``reached``, false before and true after; None where it is false up to ``most``."""
    high = 1
    while not reached(high):
        if high >= most:
            return None
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
