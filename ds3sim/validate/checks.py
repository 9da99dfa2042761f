"""What ``validate`` returns: checks, with p-values adjusted over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.figure import new_axes
from ds3sim.core.plain import as_plain
from ds3sim.core.record import Record
from ds3sim.stats.intervals import normal_quantile
from ds3sim.stats.tests import holm

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

FAMILY_WISE_ERROR = 1e-3


FIELDS = ("name", "quantity", "estimate", "expected", "z", "p_adjusted", "passed")
"""Of a check, as ``--json`` prints it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One number against another.

    Attributes:
        name: of the case.
        quantity: what is compared, in words.
        estimate, expected: in ``unit``.
        z: distance in standard errors, None between numbers that are not random.
        p: p-value; 1 or 0 between numbers that are not random.
        p_adjusted: by Holm over all checks that were made together; NaN before.
        unit: of the quantity; ``1`` for shares, counts and statistics.
    """

    name: str
    quantity: str
    estimate: float
    expected: float
    z: float | None
    p: float
    p_adjusted: float = math.nan
    unit: str = "1"

    @property
    def passed(self) -> bool:
        """Whether the two agree."""
        return self.p_adjusted > FAMILY_WISE_ERROR


@dataclass(frozen=True, eq=False)
class Validation(Record):
    """What ``validate`` returns.

    Attributes:
        name: of the study, or ``suite``.
        checks: all comparisons.
        family_wise_error: chance that any check fails although everything is right.
        perturb: by what share the simulated chances were shifted.
        seed: of the simulations.
        interrupted: Ctrl-C came: checks are of the cases done until then.

    >>> study = ds.Study(ds.SkillGraph.chain(3, 0.5), steps=20, traces=10_000)
    >>> ds.validate(study).family_wise_error
    0.001
    """

    name: str
    checks: tuple[Check, ...]
    family_wise_error: float = FAMILY_WISE_ERROR
    perturb: float = 0.0
    seed: int = 0
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """What ``ds3sim validate --json`` prints."""
        about = {"passed": self.passed, "family_wise_error": self.family_wise_error, "perturb": self.perturb}
        cases = [{field: getattr(check, field) for field in FIELDS} for check in self.checks]
        return as_plain({**about, "cases": cases, **({"interrupted": True} if self.interrupted else {})})

    def to_dataset(self) -> xarray.Dataset:
        """One dimension, ``check``; ``name``, ``quantity`` and the ``unit`` of both numbers lie along it."""
        import xarray

        def line(field: str, kind: Any, **attrs: str) -> tuple[Any, ...]:
            return "check", np.array([getattr(check, field) for check in self.checks], dtype=kind), attrs

        units = {check.unit for check in self.checks}
        both = units.pop() if len(units) == 1 else "of the column unit"
        data = {
            "estimate": line("estimate", float, units=both, long_name="what was found"),
            "expected": line("expected", float, units=both, long_name="what it should be"),
            "z": line("z", float, units="1", long_name="distance in standard errors"),
            "p_adjusted": line("p_adjusted", float, units="1", long_name="p-value adjusted by Holm"),
            "passed": line("passed", bool, units="1"),
        }
        about = {"family_wise_error": self.family_wise_error, "perturb": self.perturb, "seed": self.seed}
        return xarray.Dataset(
            data, {n: line(n, object) for n in ("name", "quantity", "unit")}, {"study": self.name, **about}
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The z of all checks, sorted, against the quantiles of a normal law, on which they lie where all is right."""
        axes = new_axes(ax)
        z = np.sort([check.z for check in self.checks if check.z is not None])
        normal = normal_quantile((np.arange(z.size) + 0.5) / max(1, z.size))
        axes.plot(normal, z, "o", markersize=3)
        axes.plot(normal, normal, linewidth=1)
        axes.set_xlabel("normal quantile")
        axes.set_ylabel("z (standard errors)")
        return axes


def adjusted(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks with their p-values adjusted."""
    found = holm([check.p for check in checks])
    return tuple(replace(check, p_adjusted=float(p)) for check, p in zip(checks, found, strict=True))
