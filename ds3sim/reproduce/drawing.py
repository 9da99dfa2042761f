"""What the figures share: options, the sheet of numbers drawn, and simulated points beside their theory."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from ds3sim.report.points import Points

COLUMNS: tuple[str, ...] = (
    "panel",
    "series",
    "kind",
    "x_name",
    "x",
    "y_name",
    "y",
    "value_name",
    "value",
    "low",
    "high",
    "theory",
    "z",
    "traces",
)
"""Of every CSV; names of quantities carry their units."""


@dataclass(frozen=True)
class Options:
    """How a figure is made.

    Attributes:
        quick: fewer points and traces, for tests.
        seed: of all simulations.
        data: folder with published curves, for the figures that need them.
    """

    quick: bool = False
    seed: int = 0
    data: Path | None = None

    def pick(self, full, quick):
        """``full``, or ``quick`` where a quick figure is wanted."""
        return quick if self.quick else full


@dataclass
class Drawing:
    """A finished figure.

    Attributes:
        name: of the files.
        title, caption: what is seen, in words. The caption need not mention z: :meth:`check` does.
        figures: matplotlib figures by suffix; "" is the only one, else "a", "b", ...
        sheet: the numbers drawn.
        found: the numbers found, one sentence each.
    """

    name: str
    title: str
    caption: str
    figures: dict[str, Any]
    sheet: Sheet
    found: list[str] = field(default_factory=list)

    def check(self) -> str:
        """One sentence on the distance between simulation and theory."""
        z = self.sheet.z
        if not z:
            return "Nothing is simulated in this figure."
        usual = NormalDist().inv_cdf(1 - 0.025 / len(z))
        return (
            f"Largest |z| between simulation and theory: {max(abs(v) for v in z):.2f} over {len(z)} points"
            f" (it exceeds {usual:.2f} once in twenty figures if both are right)."
        )


class Sheet:
    """Rows of what is drawn, one a point, in the order drawn."""

    def __init__(self):
        self.rows: list[dict[str, Any]] = []

    @property
    def z(self) -> list[float]:
        """The z-scores of the simulated points."""
        return [z for row in self.rows if (z := row.get("z")) is not None and not math.isnan(z)]

    def curve(self, panel: str, series: str, x_name: str, x, value_name: str, value, kind: str = "theory") -> None:
        """Points of a line. NaN and infinity become empty cells."""
        for a, v in zip(np.ravel(x).tolist(), np.ravel(value).tolist(), strict=True):
            self.add(panel, series, kind, x_name=x_name, x=a, value_name=value_name, value=v)

    def surface(self, panel: str, series: str, x_name: str, x, y_name: str, y, value_name: str, value) -> None:
        """A map: x [X], y [Y], value [Y, X]."""
        value = np.asarray(value)
        for i, b in enumerate(np.ravel(y).tolist()):
            for j, a in enumerate(np.ravel(x).tolist()):
                v = float(value[i, j])
                self.add(
                    panel, series, "theory", x_name=x_name, x=a, y_name=y_name, y=b, value_name=value_name, value=v
                )

    def points(self, panel: str, series: str, x_name: str, x, value_name: str, points: Points, **more) -> None:
        """Simulated points."""
        columns = (points.value, points.low, points.high, points.theory, points.z)
        for a, *numbers in zip(np.ravel(x).tolist(), *(np.ravel(c).tolist() for c in columns), strict=True):
            found = dict(zip(("value", "low", "high", "theory", "z"), numbers, strict=True))
            self.add(
                panel, series, "simulation", x_name=x_name, x=a, value_name=value_name, traces=points.traces,
                **found, **more,
            )  # fmt: skip

    def add(self, panel: str, series: str, kind: str, **cells) -> None:
        """One row; ``cells`` are named as in ``COLUMNS``."""
        self.rows.append({"panel": panel, "series": series, "kind": kind, **cells})

    def csv(self) -> str:
        """Tidy CSV with the columns ``COLUMNS``; numbers with all their digits."""
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({k: _cell(v) for k, v in row.items()})
        return out.getvalue()


def _cell(value):
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else value
