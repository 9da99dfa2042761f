"""Strategies at equal cost: the model of a language model's cost, and success at the cost of a chain of thought."""

from __future__ import annotations

from typing import Any

import numpy as np

from ds3sim.theory import chain
from ds3sim.theory.cost import CostModel

COST = CostModel(parameters=1e10, prompt_tokens=200, layers=96, attention_width=12288)


def name(b: int) -> str:
    """What a strategy is called in legends."""
    return "CoT" if b == 1 else f"ToT({b})"


def surface(r: float, m: Any, tokens: Any, b: Any) -> np.ndarray:
    """Success with b branches at the cost of a chain of thought of ``tokens``; broadcast."""
    return chain.success(m, chain.branch_success(r, b), COST.max_steps(COST.flops(tokens), b))
