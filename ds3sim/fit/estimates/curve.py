"""A curve of success against k, averaged over problems, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import confidence, numbers, one_of, whole_number
from ds3sim.core.errors import InputError, require
from ds3sim.core.estimate import Estimate
from ds3sim.core.figure import dots, new_axes
from ds3sim.core.record import Record
from ds3sim.core.text import shown
from ds3sim.fit.edge import dataset, success_axes
from ds3sim.fit.logs.log import MOST_SAMPLES, Log

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

RAGGED = ("common", "available")
"""What is done where problems have different numbers of samples."""


@dataclass(frozen=True, eq=False)
class Curve(Record):
    """Success at each k, averaged over problems.

    Attributes:
        kind: ``pass@k``, ``pass^k``, ``vote@k`` or ``best-of-k``.
        source: the log.
        k: int64 [K], samples of a problem.
        success: probabilities with intervals, float64 [K].
        problems: int64 [K], how many problems the average is over.
        sampling_error: float64 [K], standard error of Monte Carlo (votes of large logs); zeros where exact.
        units: what the interval is over, see :func:`ds3sim.pass_at_k`.
        notes: what was decided, a sentence each.

    >>> ds.pass_at_k(([4, 4], [1, 2]), [1, 2]).to_frame()[["k", "success"]].values.round(3).tolist()
    [[1.0, 0.375], [2.0, 0.667]]
    """

    kind: str
    source: str
    k: np.ndarray
    success: Estimate
    problems: np.ndarray
    sampling_error: np.ndarray
    units: str = "problems"
    notes: tuple[str, ...] = ()

    def to_dataset(self) -> xr.Dataset:
        """Variables over the dimension ``k``."""
        s = self.success
        columns = {"success": s.estimate, "success_low": s.low, "success_high": s.high}
        columns |= {"problems": self.problems, "sampling_error": self.sampling_error}
        units = {name: (values, "problems" if name == "problems" else "1") for name, values in columns.items()}
        return dataset("k", self.k, "samples", units, kind=self.kind, source=self.source, resampled=self.units)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Success with its intervals against k."""
        axes = new_axes(ax)
        s = self.success
        dots(axes, self.k, s.estimate, s.low, s.high, label=self.source)
        return success_axes(axes, self.k, s.estimate, "k", self.kind)


def several_k(log: Log, k: ArrayLike | None) -> np.ndarray:
    """``k`` as int64 [K]; None takes up to 12, spread evenly by their logarithms, to the smallest n. InputError: not
    whole numbers of at least 1."""
    if k is None:
        return np.unique(np.rint(np.geomspace(1, int(log.need_counts().samples.min()), 12)).astype(np.int64))
    array = np.atleast_1d(numbers("k", k, whole=True, low=1, high=MOST_SAMPLES))
    require(array.ndim == 1 and array.size > 0, "k must be a whole number or a list of whole numbers")
    return array.astype(np.int64)


def options_of(level: float, resamples: int, seed: int) -> dict[str, Any]:
    """The options of the bootstrap, of Python, NumPy or JAX, as Python's numbers."""
    return {
        "level": confidence(level),
        "resamples": whole_number("resamples", resamples),
        "seed": whole_number("seed", seed, 0),
    }


def usable(log: Log, k: np.ndarray, ragged: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Over how many problems the average at each k is, int64 [K], and notes on it; InputError: a k beyond the samples
    of a problem (``common``) or of all (``available``)."""
    one_of("ragged", ragged, RAGGED)
    n, top = log.need_counts().samples, int(k.max())
    least, most = int(n.min()), int(n.max())
    if ragged == "available":
        require(top <= most, f"k = {top} is more than n = {most}, the samples of any problem: it takes a fit")
    elif top > least:
        more = "" if most == least else " (ragged = available averages over the problems with enough samples)"
        raise InputError(
            f"k = {top} is more than n = {least}, the samples of problem {shown(log.problems[int(np.argmin(n))])}:"
            f" beyond n it takes a fitted model{more}"
        )
    notes = (f"above k = {least} the average is over fewer problems",) if top > least else ()
    return (n[:, None] >= k[None, :]).sum(axis=0), notes
