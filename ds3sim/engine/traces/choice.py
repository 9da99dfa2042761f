"""Which of two kernels that give the same walks an accelerator runs: the faster one, as timed on the first long run."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Hashable
from typing import Any

LONG_RUN = 2**40
"""Steps, all budgets together, from which on a second kernel is worth its compilation: seconds on any card."""
ROUNDS = 3


class Choice:
    """Remembers, for each shape of launches, whether another kernel than the usual one is the faster.

    Attributes:
        challenger: the other kernel, with the arguments of walks; None: there is none.
        found: what was found for each shape, in words.
    """

    def __init__(
        self, challenger: Callable[..., Any] | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.challenger, self.clock = challenger, clock
        self.found: dict[Hashable, str] = {}
        self._faster: dict[Hashable, bool] = {}
        self._one = threading.Lock()

    def endings(self, usual: Callable[[], Any], other: Callable[[], Any], shape: Hashable, long: bool) -> Any:
        """What ``usual`` gives, by the faster of both; ``long``: it is worth to find out which one that is.

        Whatever ``other`` does wrong (it cannot be imported, compiled or run, or gives other endings), ``usual`` stands
        in for it from then on.
        """
        import jax

        if shape not in self._faster and long and self._one.acquire(blocking=False):
            try:
                return self._contest(usual, other, shape)
            finally:
                self._one.release()
        if self._faster.get(shape):
            try:
                return jax.block_until_ready(other())  # here, where a fault can still be answered
            except Exception as fault:
                self._settle(shape, False, _said(fault))
        return usual()

    def _contest(self, usual: Callable[[], Any], other: Callable[[], Any], shape: Hashable) -> Any:
        """Run both, compare, time both."""
        import jax
        import jax.numpy as jnp

        expected = jax.block_until_ready(usual())
        try:
            same = bool(jnp.array_equal(jax.block_until_ready(other()), expected))
            times = [min(self._seconds(kernel) for _ in range(ROUNDS)) for kernel in (usual, other)]
        except Exception as fault:
            self._settle(shape, False, _said(fault))
            return expected
        if not same:
            warnings.warn(
                "the accelerator's second kernel gave other walks than the first, which is used instead: please report"
                " this with what `ds3sim doctor` prints",
                RuntimeWarning,
                stacklevel=2,
            )
        said = "usual {:.3g} s, other {:.3g} s".format(*times) if same else "the kernels disagree"
        self._settle(shape, same and times[1] < times[0], said)
        return expected

    def _seconds(self, kernel: Callable[[], Any]) -> float:
        import jax

        begin = self.clock()
        jax.block_until_ready(kernel())
        return self.clock() - begin

    def _settle(self, shape: Hashable, faster: bool, said: str) -> None:
        self._faster[shape], self.found[shape] = faster, said


def _said(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".splitlines()[0][:200]
