"""ds3sim: reasoning as search on a skill graph. Accuracy and cost of inference strategies, simulated and exact.

Public names are loaded on first use, so that ``import ds3sim`` is quick and touches nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ds3sim.allocate.allocation import Allocation
    from ds3sim.config.read import read_config
    from ds3sim.config.study import Study
    from ds3sim.config.tables import schema
    from ds3sim.core.errors import InputError, Interrupted, NoClosedForm
    from ds3sim.core.estimate import Estimate
    from ds3sim.core.workers import Workers
    from ds3sim.engine.simulate import closed_form, exact, simulate
    from ds3sim.engine.tally import Tally
    from ds3sim.fit.estimates.curve import Curve
    from ds3sim.fit.estimates.pass_at_k import pass_at_k
    from ds3sim.fit.estimates.vote_at_k import vote_at_k
    from ds3sim.fit.latent_fit import LatentFit
    from ds3sim.fit.logs.log import Log
    from ds3sim.fit.logs.read import read_log
    from ds3sim.fit.pass_at_n import fit_pass_at_n
    from ds3sim.fit.plan import Plan, plan
    from ds3sim.fit.votes import VoteFit, fit_votes
    from ds3sim.graph.graph import SkillGraph, load_graph
    from ds3sim.report.write import report
    from ds3sim.reproduce.registry import figures
    from ds3sim.reproduce.write import reproduce
    from ds3sim.results.choice import Choice
    from ds3sim.results.result import Result
    from ds3sim.store.contents import StoreContents
    from ds3sim.store.merge import merge
    from ds3sim.store.store import Store
    from ds3sim.study.allocate import allocate
    from ds3sim.study.choose import choose
    from ds3sim.study.doctor import Diagnosis, doctor
    from ds3sim.study.export import export_chain
    from ds3sim.study.run import run, sweep
    from ds3sim.study.train import TrainingResult, train
    from ds3sim.task.aggregate import BestOfN, Majority, Single, Verifier
    from ds3sim.task.steps import Beam, CoT, ToT
    from ds3sim.task.task import Strategy, Task
    from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors
    from ds3sim.theory.cost import CostModel
    from ds3sim.validate.checks import Validation
    from ds3sim.validate.validate import validate

    __version__: str

__all__ = [
    "SkillGraph",
    "load_graph",
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
    "Strategy",
    "Study",
    "read_config",
    "schema",
    "export_chain",
    "simulate",
    "exact",
    "closed_form",
    "read_log",
    "pass_at_k",
    "vote_at_k",
    "fit_pass_at_n",
    "fit_votes",
    "plan",
    "report",
    "reproduce",
    "figures",
    "run",
    "sweep",
    "choose",
    "validate",
    "Result",
    "Choice",
    "Validation",
    "CostModel",
    "Log",
    "Curve",
    "LatentFit",
    "VoteFit",
    "Plan",
    "Tally",
    "Estimate",
    "allocate",
    "Allocation",
    "train",
    "TrainingResult",
    "Store",
    "StoreContents",
    "merge",
    "Workers",
    "doctor",
    "Diagnosis",
    "InputError",
    "Interrupted",
    "NoClosedForm",
    "__version__",
]

_HOME = {
    "SkillGraph": "graph.graph",
    "load_graph": "graph.graph",
    "Task": "task.task",
    "CoT": "task.steps",
    "ToT": "task.steps",
    "Beam": "task.steps",
    "Single": "task.aggregate",
    "BestOfN": "task.aggregate",
    "Majority": "task.aggregate",
    "Verifier": "task.aggregate",
    "GeometricErrors": "task.wrong_answers",
    "WeightErrors": "task.wrong_answers",
    "Strategy": "task.task",
    "Study": "config.study",
    "export_chain": "study.export",
    "read_config": "config.read",
    "schema": "config.tables",
    "simulate": "engine.simulate",
    "exact": "engine.simulate",
    "closed_form": "engine.simulate",
    "read_log": "fit.logs.read",
    "pass_at_k": "fit.estimates.pass_at_k",
    "vote_at_k": "fit.estimates.vote_at_k",
    "fit_pass_at_n": "fit.pass_at_n",
    "fit_votes": "fit.votes",
    "plan": "fit.plan",
    "report": "report.write",
    "reproduce": "reproduce.write",
    "figures": "reproduce.registry",
    "run": "study.run",
    "sweep": "study.run",
    "choose": "study.choose",
    "Result": "results.result",
    "Choice": "results.choice",
    "validate": "validate.validate",
    "Validation": "validate.checks",
    "CostModel": "theory.cost",
    "Log": "fit.logs.log",
    "Curve": "fit.estimates.curve",
    "LatentFit": "fit.latent_fit",
    "VoteFit": "fit.votes",
    "Plan": "fit.plan",
    "Tally": "engine.tally",
    "Estimate": "core.estimate",
    "allocate": "study.allocate",
    "Allocation": "allocate.allocation",
    "train": "study.train",
    "TrainingResult": "study.train",
    "Store": "store.store",
    "StoreContents": "store.contents",
    "merge": "store.merge",
    "Workers": "core.workers",
    "doctor": "study.doctor",
    "Diagnosis": "study.doctor",
    "InputError": "core.errors",
    "Interrupted": "core.errors",
    "NoClosedForm": "core.errors",
}


class _Package(ModuleType):
    """A function may be called as a folder is (``report``): its name stays the function's when the folder is loaded."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
import_module("ds3sim.core.forks")  # has to be there before a fork


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = import_module("ds3sim.core.runtime").version()
    elif name in _HOME:
        value = getattr(import_module(f"ds3sim.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'ds3sim' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
