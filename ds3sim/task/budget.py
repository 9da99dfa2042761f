"""Budgets: what a task may use, in steps per task. The one place where tokens and FLOPs become steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError, require, shown
from ds3sim.theory.cost import CostModel

MOST_STEPS = 2**53
UNITS = ("steps", "steps_per_trace", "tokens", "flops")


@dataclass(frozen=True)
class BudgetRow:
    """One budget of a strategy, in steps and as it was given.

    Attributes:
        steps: K, steps of a task, shared by its n traces; a real number where steps are not rounded.
        steps_per_trace: steps of each trace, floor(K/n); or real.
        tokens: the budget in output tokens per task; None where it was given in another unit.
        flops: the budget in FLOPs per task; None where it was given in another unit.
        cot_steps, cot_tokens: steps and tokens of the single chain of thought of equal FLOPs (``match = "flops"``).
        authors_flops: mean FLOPs of a task as the authors' code counts them (tasks of levels of skills); NaN where
            their code has no such strategy.
    """

    steps: int | float
    steps_per_trace: int | float
    tokens: float | None = None
    flops: float | None = None
    cot_steps: int | None = None
    cot_tokens: float | None = None
    authors_flops: float | None = None

    def to_dict(self) -> dict[str, int | float | None]:
        """The fields that are not None; NaN as None."""
        own = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: None if value != value else value for name, value in own if value is not None}


def budget_array(steps: ArrayLike) -> np.ndarray:
    """Budgets as int64 [B]; an int counts as one budget."""
    whole = isinstance(steps, list | tuple | range) and set(map(type, steps)) == {int}
    values = np.asarray(steps, dtype=None if whole or isinstance(steps, np.ndarray) else object).ravel()
    require(values.size > 0, "steps is empty: give at least one budget")
    if values.dtype == np.int64 and values.min() >= 0 and values.max() <= MOST_STEPS:
        return values.copy()
    return np.array([whole_number("steps", v, 0, MOST_STEPS) for v in values.astype(object)], dtype=np.int64)


def whole_steps(amount: float | Fraction, each: float | Fraction) -> int:
    """floor(amount / each), exactly, with decimal digits as written: 33 tokens at 1.1 a step are 30 steps."""
    return int(_exact(amount) / _exact(each))


def _exact(value: float | Fraction) -> Fraction:
    return Fraction(value) if isinstance(value, int | Fraction) else Fraction(repr(float(value)))


def budget_rows(
    unit: str,
    amounts: Sequence[int | float],
    *,
    n: int,
    proposals: int,
    tokens_per_step: float,
    cost: CostModel | None = None,
    whole: bool = True,
) -> tuple[BudgetRow, ...]:
    """Budgets of a strategy (docs/theory.md sections 3 and 5).

    Args:
        unit: of ``amounts``: steps (per task), steps_per_trace, tokens or flops (per task).
        amounts: the budgets.
        n: traces per task.
        proposals: proposals per step.
        tokens_per_step: omega.
        cost: prices FLOPs.
        whole: False takes steps as real numbers, and rounds nothing.

    Raises:
        InputError: a budget of more than ``MOST_STEPS`` steps, or FLOPs without a cost model.
    """
    rows = []
    for amount in amounts:
        if unit == "steps":
            task = amount
        elif unit == "steps_per_trace":
            task = amount * n
        elif unit == "tokens":
            price = proposals * _exact(tokens_per_step)
            task = whole_steps(amount, price) if whole else float(_exact(amount) / price)
        else:
            require(cost is not None, "budget.flops needs a cost model with parameters")
            assert cost is not None
            try:
                if whole:
                    task = int(cost.max_steps(amount, branches=proposals, n=n)) * n
                else:
                    task = float(cost.most_tokens(amount, branches=proposals, n=n)) / tokens_per_step * n
            except InputError as error:
                raise InputError(f"budget.flops = {amount:g}: {error}") from None
        require(
            task <= MOST_STEPS,
            f"budget.{unit} = {shown(amount)}: is {float(task):.6g} steps per task, more than the {MOST_STEPS} allowed:"
            " lower it",
        )
        tokens, flops = (float(amount) if unit == name else None for name in ("tokens", "flops"))
        if not whole:
            each = amount if unit == "steps_per_trace" else task / n
            rows.append(BudgetRow(each * n, float(each), tokens, flops))
        else:
            rows.append(BudgetRow(int(task), int(task) // n, tokens, flops))
    return tuple(rows)


def matched_rows(
    chain: Sequence[BudgetRow], *, n: int, proposals: int, tokens_per_step: float, cost: CostModel
) -> tuple[BudgetRow, ...]:
    """The budgets that cost as many FLOPs, by (18), as a single chain of thought with the budgets ``chain``."""
    steps = np.array([row.steps for row in chain], dtype=np.int64)
    each = cost.max_steps(cost.flops(tokens_per_step * steps), branches=proposals, n=n)
    return tuple(
        BudgetRow(k * n, k, cot_steps=one, cot_tokens=tokens_per_step * one)
        for k, one in zip(np.atleast_1d(each).tolist(), steps.tolist(), strict=True)
    )
