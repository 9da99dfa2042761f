"""From a checked config to tasks with budgets: what ``run``, ``validate`` and ``export`` work on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ds3sim.config import tables as c
from ds3sim.config.read import Override, dotted, read_config, shown
from ds3sim.core.errors import InputError, require
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.aggregate import Aggregate, BestOfN, Majority, Single, Verifier
from ds3sim.task.budget import budget_rows
from ds3sim.task.steps import Beam, CoT, StepPolicy, ToT
from ds3sim.task.task import Task
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors
from ds3sim.theory.cost import CostModel

TOKENS_PER_STEP = 25.0
"""omega where the config has no cost model."""

GraphTable = c.ChainGraph | c.FileGraph | c.LayeredGraph | c.RandomGraph | c.LatentGraph


@dataclass(frozen=True)
class PlannedTask:
    """One strategy of a study.

    Attributes:
        name: name of the strategy, None where the study has a single one.
        task: the task; ``task.budgets`` are steps per task, int64 [B].
        given: the budgets as the config gives them, [B].
    """

    name: str | None
    task: Task
    given: tuple[float, ...]


@dataclass(frozen=True)
class Study:
    """A config made ready to run.

    Attributes:
        name, seed: of the study.
        tasks: one entry for each strategy.
        unit: unit of the budgets: steps, steps_per_trace, tokens or flops.
        tokens_per_step: omega.
        cost: None where the config gives no ``cost.parameters``.
        engine: kind, traces, relative_error, max_traces, chunk.
        config: the resolved config: name filled in, overrides applied, graph path absolute.
        source: the config file as the user named it.
    """

    name: str
    seed: int
    tasks: tuple[PlannedTask, ...]
    unit: str
    tokens_per_step: float
    cost: CostModel | None
    engine: c.Engine
    config: c.Config
    source: str

    def toml(self) -> str:
        """The resolved config as TOML; read again, it gives the same study."""
        import tomli_w

        strategies = {name: strategy.dump() for name, strategy in self.config.by_name.items()}
        table = {}
        for key, value in self.config.model_dump(exclude_none=True, exclude={"strategy", "strategies"}).items():
            table[key] = value
            if key == "graph":
                table |= {"strategy": strategies[None]} if None in strategies else {"strategies": strategies}
        return tomli_w.dumps(_listed(table))


def load(path, overrides: Iterable[Override] = ()) -> Study:
    """The study of a TOML file.

    Args:
        path: the config file; paths in it are relative to its folder.
        overrides: from :func:`ds3sim.config.read.parse_override`.

    Raises:
        InputError: one line naming file, key, value, cause and fix.
    """
    path = Path(path)
    config = read_config(path, overrides)
    name = config.name if config.name is not None else path.stem.encode(errors="replace").decode() or "study"
    return plan(config.model_copy(update={"name": name}), path.parent, str(path))


def plan(config: c.Config, folder: str | Path = ".", source: str = "config") -> Study:
    """Build graph, tasks and cost model of a checked config.

    Args:
        config: checked config.
        folder: what relative paths in the config are relative to.
        source: how errors name the config.

    Raises:
        InputError: the graph, a strategy or a budget cannot be used.
    """
    graph = build_graph(config.graph, Path(folder), source)
    config = _absolute(config, Path(folder))
    if config.strategies is None and config.strategy is None:
        config = config.model_copy(update={"strategy": c.Strategy()})
    cost_table = config.cost
    omega = TOKENS_PER_STEP if cost_table is None else cost_table.tokens_per_step
    cost = None
    if cost_table is not None and cost_table.parameters is not None:
        with _within(f"{source}: cost"):
            cost = CostModel(**cost_table.model_dump())
    tasks = []
    for name, strategy in config.by_name.items():
        key = "strategy" if name is None else dotted(("strategies", name))
        with _within(f"{source}: {key}"):
            step, aggregate = build_step(strategy), build_aggregate(strategy)
        budget = config.budget
        given = getattr(budget, budget.unit)
        kind = {"n": aggregate.n, "proposals": step.proposals}
        with _within(source):
            rows = budget_rows(budget.unit, given, **kind, tokens_per_step=omega, cost=cost)
        steps = tuple(int(row.steps) for row in rows)
        task = Task(graph, step, aggregate, steps, strategy.feasibility, config.budget.on_dead)
        tasks.append(PlannedTask(name, task, given))
    return Study(
        name=config.name or "study",
        seed=config.seed,
        tasks=tuple(tasks),
        unit=config.budget.unit,
        tokens_per_step=omega,
        cost=cost,
        engine=config.engine,
        config=config,
        source=source,
    )


def build_graph(graph: GraphTable, folder: Path, source: str) -> SkillGraph:
    """The skill graph of a [graph] table; ``folder`` is what its path is relative to."""
    if isinstance(graph, c.FileGraph):
        path, told = folder / graph.path, f"{source}: graph.path = {shown(graph.path)}"
        try:
            exists = path.exists()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{told}: is not a usable path: {reason}") from None
        require(exists, f"{told}: no such file: the path is relative to the config's folder")
        with _within(f"{source}: graph"):
            return SkillGraph.load(
                path,
                start=_names(graph.start),
                goal=_names(graph.goal),
                dead=_names(graph.dead) or (),
                score=graph.score,
                feasible=graph.feasible,
            )
    options = graph.model_dump(exclude={"kind"})
    with _within(f"{source}: graph"):
        if isinstance(graph, c.ChainGraph):
            return SkillGraph.chain(**options)
        if isinstance(graph, c.LatentGraph):
            return SkillGraph.latent(**options)
        return SkillGraph.layered(**options) if isinstance(graph, c.LayeredGraph) else SkillGraph.random(**options)


def build_step(strategy: c.Strategy) -> StepPolicy:
    """The step policy of a [strategy] table."""
    s = strategy
    if s.step == "cot":
        return CoT()
    if s.step == "tot":
        return ToT(s.branches, s.evaluator_error, s.discount)
    return Beam(s.width, s.branches, s.evaluator_error, s.discount)


def build_aggregate(strategy: c.Strategy) -> Aggregate:
    """The aggregator of a [strategy] table."""
    if strategy.aggregate == "single":
        return Single()
    if strategy.aggregate == "best_of_n":
        verifier = strategy.verifier or c.VerifierModel()
        return BestOfN(strategy.n, Verifier(**verifier.model_dump()))
    errors = strategy.errors or c.GeometricModel()
    return Majority(strategy.n, _errors(errors), strategy.ties)


def _errors(errors) -> GeometricErrors | WeightErrors:
    if isinstance(errors, c.GeometricModel):
        return GeometricErrors(errors.categories, errors.decay)
    if isinstance(errors, c.UniformModel):
        return GeometricErrors(errors.categories, 1.0)
    if isinstance(errors, c.WeightsModel):
        return WeightErrors(errors.weights)
    weights = np.arange(1, errors.categories, dtype=np.float64) ** -errors.exponent
    return WeightErrors(tuple((weights / weights.sum()).tolist()))


def _absolute(config: c.Config, folder: Path) -> c.Config:
    if not isinstance(config.graph, c.FileGraph):
        return config
    path = str((folder / config.graph.path).resolve())
    return config.model_copy(update={"graph": config.graph.model_copy(update={"path": path})})


def _names(value):
    """Node names as the graph reader takes them."""
    return list(value) if isinstance(value, tuple) else value


def _listed(value):
    """Tuples as lists, all the way down, for the TOML writer."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, tuple | list) else value


@contextmanager
def _within(place: str) -> Iterator[None]:
    """Put the place in front of an InputError from a layer that does not know the config."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{place}: {error}") from None
