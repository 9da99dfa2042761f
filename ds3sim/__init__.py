"""ds3sim: reasoning as search on a skill graph. Accuracy and cost of inference strategies, simulated and exact.

Public names are loaded on first use, so that ``import ds3sim`` is quick and touches nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds3sim.core.errors import InputError, NoClosedForm
    from ds3sim.core.estimate import Estimate
    from ds3sim.cost.model import CostModel
    from ds3sim.engine import closed_form, exact, simulate
    from ds3sim.model.graph import SkillGraph
    from ds3sim.stats.tally import Tally
    from ds3sim.strategy.aggregate import BestOfN, GeometricErrors, Majority, Single, Verifier, WeightErrors
    from ds3sim.strategy.steps import Beam, CoT, ToT
    from ds3sim.strategy.task import Task

    __version__: str

__all__ = [
    "SkillGraph",
    "Task",
    "CoT",
    "ToT",
    "Beam",
    "Single",
    "BestOfN",
    "Majority",
    "Verifier",
    "GeometricErrors",
    "WeightErrors",
    "simulate",
    "exact",
    "closed_form",
    "CostModel",
    "Tally",
    "Estimate",
    "InputError",
    "NoClosedForm",
    "__version__",
]

_HOME = {
    "SkillGraph": "model.graph",
    "Task": "strategy.task",
    "CoT": "strategy.steps",
    "ToT": "strategy.steps",
    "Beam": "strategy.steps",
    "Single": "strategy.aggregate",
    "BestOfN": "strategy.aggregate",
    "Majority": "strategy.aggregate",
    "Verifier": "strategy.aggregate",
    "GeometricErrors": "strategy.aggregate",
    "WeightErrors": "strategy.aggregate",
    "simulate": "engine",
    "exact": "engine",
    "closed_form": "engine",
    "CostModel": "cost.model",
    "Tally": "stats.tally",
    "Estimate": "core.estimate",
    "InputError": "core.errors",
    "NoClosedForm": "core.errors",
}


def __getattr__(name: str):
    if name == "__version__":
        value = _version()
    elif name in _HOME:
        value = getattr(import_module(f"ds3sim.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'ds3sim' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The installed version; a source tree that was never installed has none."""
    from importlib import metadata

    try:
        return metadata.version("ds3sim")
    except metadata.PackageNotFoundError:
        return "0+unknown"
