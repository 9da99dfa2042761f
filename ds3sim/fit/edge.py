"""Records of logs and fits at the edge: their datasets, and the axes of success against a number of samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ds3sim.core import figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def success_axes(ax: Axes, n: Iterable[float], success: Iterable[float], x: str, y: str) -> Axes:
    """Scales that hold ``n`` and ``success``, the labels ``x`` and ``y``, and the legend of what was drawn."""
    figure.magnitude(ax, [float(k) for k in n])
    figure.probability(ax, [float(p) for p in success])
    ax.set(xlabel=x, ylabel=y)
    figure.legend(ax)
    return ax


def dataset(dim: str, labels: Any, unit: str | None, columns: dict[str, tuple[Any, str]], **about: Any) -> xr.Dataset:
    """Columns (values, unit) over one named dimension; ``about`` are its attributes."""
    import xarray as xr

    named = {name: (dim, values, {"units": units}) for name, (values, units) in columns.items()}
    return xr.Dataset(named, {dim: (dim, labels, {"units": unit} if unit else {})}, about)
