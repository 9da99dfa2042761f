"""What records of rows have in common: tidy tables (pandas), labelled arrays (xarray) and a figure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import require
from ds3sim.core.figure import new_axes
from ds3sim.core.record import Record
from ds3sim.results.labels import COLUMNS, attributes, columns_of, dataset_of, is_number, unit_of
from ds3sim.results.plot import draw_lines, lines_of
from ds3sim.results.row import Row

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes


class Tidy(Record, ABC):
    """A record of rows of results: the tables, arrays and the figure that follow from them."""

    axes: tuple[str, ...]

    def to_frame(self) -> pandas.DataFrame:
        """A tidy table: one row for each point, strategy and budget.

        Columns are the axes, ``strategy`` and the fields of :class:`Row` that some row fills; ``attrs`` holds ``units``
        (column -> unit), ``meanings`` and what the record says of itself.
        """
        import pandas

        frame = pandas.DataFrame(columns_of(self.axes, self._rows(), self._more()))
        numeric = [name for name in frame.columns if is_number(frame[name])]
        frame.attrs = {
            "units": {name: unit_of(name) for name in numeric if unit_of(name)},
            "meanings": {name: COLUMNS[name].meaning for name in frame.columns if name in COLUMNS},
            **attributes(self._said()),
        }
        return frame

    def to_table(self) -> pandas.DataFrame:
        """:meth:`to_frame` with a unit in each column's name, for files that have no place for units."""
        frame = self.to_frame()
        names = {name: COLUMNS[name].header for name in frame.columns if name in COLUMNS}
        out = frame.rename(columns=names)
        for key in ("units", "meanings"):
            out.attrs[key] = {names.get(name, name): said for name, said in frame.attrs[key].items()}
        return out

    def to_dataset(self) -> xarray.Dataset:
        """Labelled arrays: dimensions are the axes, ``strategy`` and ``budget``; units in ``attrs``.

        A strategy without a name is called ``strategy``. Axes that vary together (zipped) share a dimension, named as
        the first of them; the others are coordinates along it. Where the points fill no grid, there is one dimension
        ``point`` with the axes as coordinates. Cells without a result are NaN. ``budget`` is labelled by what all rows
        have in common: FLOP, tokens or steps; if nothing, by 0, 1, ..., and the steps are a variable.

        Raises:
            InputError: there are no rows.
        """
        return dataset_of(self.axes, self._rows(), self._said(), self._more())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Success with its 95% interval against the axis or budget with the most values, at most eight lines."""
        require(len(self._rows()) > 0, "there are no results to draw: nothing was simulated yet")
        return draw_lines(lines_of(self.axes, self._rows()), "success", new_axes(ax))

    @abstractmethod
    def _rows(self) -> Sequence[Row]:
        """The rows, in order."""

    def _said(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "engine", "seed", "match")}

    def _more(self) -> dict[str, np.ndarray]:
        return {}
