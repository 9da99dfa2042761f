"""An older form of a study without axes and [tasks], for callers that are about to change."""

from __future__ import annotations

from dataclasses import dataclass

from ds3sim.config.read import read_config
from ds3sim.config.study import study_of
from ds3sim.core.errors import require
from ds3sim.engine.limits import EngineOptions
from ds3sim.task.task import Task
from ds3sim.theory.cost import CostModel


@dataclass(frozen=True)
class PlannedTask:
    """One strategy of a study."""

    name: str | None
    task: Task
    given: tuple[float, ...]


@dataclass(frozen=True)
class Study:
    """A config made ready to run."""

    name: str
    seed: int
    tasks: tuple[PlannedTask, ...]
    unit: str
    tokens_per_step: float
    cost: CostModel | None
    engine: EngineOptions
    config: object
    source: str
    text: str

    def toml(self) -> str:
        """The resolved config as TOML; read again, it gives the same study."""
        return self.text


def load(path: str, overrides: tuple = ()) -> Study:
    """The study of a TOML file."""
    study = study_of(read_config(path, overrides))
    require(study.config.tasks is None, f"{path}: has [tasks]: give a [graph]")
    require(not study.axes, f"{path}: has [sweep]: remove the table")
    entries = list(study.entries())
    given = study.config.budget.amounts
    first = entries[0]
    return Study(
        study.name,
        study.seed,
        tuple(PlannedTask(entry.strategy, entry.tasks[0], given) for entry in entries),
        study.unit,
        first.tokens_per_step,
        first.cost,
        first.engine,
        study.config,
        study.source,
        study.toml(),
    )
