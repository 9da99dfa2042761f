"""What the fits of pass@N and of votes have in common: predictions at some N with their cost, a figure, a folder."""

from __future__ import annotations

import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError
from ds3sim.core.estimate import Estimate
from ds3sim.core.figure import band, dots, line, new_axes, new_figure, render
from ds3sim.core.folder import Marker, write_folder
from ds3sim.core.plain import as_plain
from ds3sim.core.record import Record
from ds3sim.fit.edge import dataset, success_axes
from ds3sim.fit.estimates.curve import Curve
from ds3sim.fit.logs.log import Log
from ds3sim.fit.price import MOST_AHEAD, Price

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


class Forecast(Record, ABC):
    """A fit that predicts success at any N: :class:`~ds3sim.LatentFit` and :class:`~ds3sim.VoteFit`.

    Attributes:
        folder: by what a folder that :meth:`write` wrote is known.
        axis, title: labels of the figure.
    """

    log: Log
    at: tuple[int, ...]
    price: Price
    folder: ClassVar[Marker] = Marker(".ds3sim-fit", "ds3sim fit --out", ("result.json", "fit.svg", "fit.png"))
    axis: ClassVar[str] = "samples N"
    title: ClassVar[str] = "pass@N"

    @abstractmethod
    def predict(self, n: ArrayLike) -> Estimate:
        """Success with 95% intervals at ``n``."""

    @abstractmethod
    def observed(self) -> Curve | None:
        """What the log itself shows, without a model, up to its smallest n; None for a curve."""

    def grid(self) -> np.ndarray:
        """N of the figure, float64, about evenly spaced by their logarithms."""
        return np.geomspace(min(self.at), max(*self.at, 10), 25)

    @cached_property
    def predictions(self) -> Estimate:
        """Success at ``at``, float64 [at]."""
        return self.predict(np.array(self.at, dtype=np.float64))

    @cached_property
    def _curve(self) -> Estimate:
        return self.predict(self.grid())

    def forecast(self, curve: bool) -> dict[str, Any]:
        """``observed``, ``predictions`` and, with ``curve``, the curve of the figure, as rows of plain numbers."""
        seen, points = self.observed(), self.log.curve
        if seen is not None:
            rows = _rows(seen.k.tolist(), seen.success)
        else:
            assert points is not None
            rows = [{"n": n, "estimate": y} for n, y in zip(points.n.tolist(), points.success.tolist(), strict=True)]
        out = {"source": self.log.source, "format": self.log.format, "observed": rows}
        out["predictions"] = _rows(self.at, self.predictions, self.price)
        if curve:
            out["curve"] = _rows(self.grid().tolist(), self._curve, Price())
        return out

    @abstractmethod
    def to_dict(self, curve: bool = False) -> dict[str, Any]:
        """Parameters, what the log shows, predictions, notes and warnings; with ``curve`` the curve of the figure."""

    def to_dataset(self) -> xr.Dataset:
        """Predictions over the dimension ``n``."""
        values, costs = self.predictions, [self.price.row(n) for n in self.at]
        columns = {"success": values.estimate, "success_low": values.low, "success_high": values.high}
        units = {name: (column, "1") for name, column in columns.items()}
        for name, unit in (("tokens", "tokens"), ("flops", "FLOPs")):
            units[name] = (np.array([row[name] for row in costs], dtype=np.float64), unit)
        return dataset("n", np.array(self.at, dtype=np.int64), "samples", units, source=self.log.source)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The log's success, and the fitted curve with its 95% band."""
        axes, n, fit = new_axes(ax), self.grid(), self._curve
        band(axes, n, fit.low, fit.high, label="95% band")
        line(axes, n, fit.estimate, label="fit")
        seen, points = self.observed(), self.log.curve
        if seen is not None:
            x, y, low, high = seen.k, seen.success.estimate, seen.success.low, seen.success.high
        else:
            x, y, low, high = (points.n, *(points.success,) * 3) if points is not None else ((), (), (), ())
        dots(axes, x, y, low, high, index=1, label="data")
        return success_axes(axes, [*n, *x], [*fit.estimate, *y], self.axis, self.title)

    def write(self, out: str | os.PathLike[str]) -> Path:
        """Write result.json, fit.svg and fit.png to a folder, whole or not at all.

        Args:
            out: a new or empty folder, or one that this wrote before.

        Raises:
            InputError: the folder has files of others, or cannot be written.
        """
        drawn, axes = new_figure((6.4, 4.2))
        self.plot(axes[0, 0])
        text = json.dumps(as_plain(self.to_dict(curve=True)), indent=2, allow_nan=False) + "\n"
        contents = {"result.json": text.encode()} | {f"fit.{kind}": render(drawn, kind) for kind in ("svg", "png")}
        return write_folder(out, contents, self.folder)[0].parent


def _rows(n: Iterable[float], values: Estimate, price: Price | None = None) -> list[dict[str, Any]]:
    triples = zip(n, values.estimate, values.low, values.high, strict=True)
    rows = ({"n": k, "estimate": float(e), "low": float(low), "high": float(high)} for k, e, low, high in triples)
    return [row | ({} if price is None else price.row(row["n"])) for row in rows]


def ahead(log: Log, at: ArrayLike | None) -> tuple[int, ...]:
    """The N to predict at, whole, 1 .. ``MOST_AHEAD``; None takes 1, 10, ... to ten times the largest number of
    samples."""
    if at is not None:
        return tuple(whole_number("at", k.item(), 1, MOST_AHEAD) for k in np.atleast_1d(np.asarray(at)))
    most = float((log.samples if log.curve is None else log.curve.n).max())
    top = max(2, math.ceil(math.log10(max(most, 1.0)) - 1e-9) + 1)
    return tuple(10**i for i in range(top + 1))


@contextmanager
def naming(log: Log) -> Iterator[None]:
    """Errors name the log."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(log.source)) else f"{log.source}: {text}") from None
