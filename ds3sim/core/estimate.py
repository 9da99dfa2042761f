"""A number with its interval, for one or many budgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

Numbers = Any
"""float64 [B] for several budgets, np.float64 for one."""


@dataclass(frozen=True, eq=False)
class Estimate(NDArrayOperatorsMixin):
    """Point estimates with 95% intervals, arrays of equal shape.

    In arithmetic and in NumPy functions an ``Estimate`` stands for its point estimates. Numbers
    that are not random (``exact``, ``closed_form``) have ``low == high == estimate``.

    >>> task = ds.Task(ds.SkillGraph.chain(3, 0.5), steps=20)
    >>> success = ds.simulate(task, traces=10_000).success(10)
    >>> bool(success.low <= success.estimate <= success.high)
    True
    """

    estimate: Numbers
    low: Numbers
    high: Numbers

    @classmethod
    def of(cls, values: Numbers) -> Estimate:
        """An ``Estimate`` without uncertainty."""
        values = np.asarray(values, dtype=np.float64)
        return cls(values, values, values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.estimate, dtype=dtype, copy=True if copy is None else copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [x.estimate if isinstance(x, Estimate) else x for x in inputs]
        return getattr(ufunc, method)(*plain, **kwargs)

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.estimate)

    def __len__(self) -> int:
        return len(self.estimate)

    def __iter__(self) -> Iterator[Estimate]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Estimate:
        return Estimate(self.estimate[index], self.low[index], self.high[index])

    def __float__(self) -> float:
        return float(self.estimate)

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else repr(self)
