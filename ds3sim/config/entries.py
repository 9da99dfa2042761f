"""The entries of a study: every point of its axes and every strategy, as weighted tasks with budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from ds3sim.config import tables as c
from ds3sim.config.axes import Axis, points
from ds3sim.config.graphs import GRAPHS, ChainGraph, EdgesGraph, FileGraph
from ds3sim.config.levels import chains, priced
from ds3sim.config.models import LossModel, TripartiteModel
from ds3sim.config.read import Override, choose_kinds, config_at, put_overrides
from ds3sim.config.say import dotted, first_error, shown, value_at
from ds3sim.config.strategy import StrategyTable
from ds3sim.config.tasks import TasksTable
from ds3sim.config.values import Table
from ds3sim.core.check import is_dict
from ds3sim.core.errors import InputError, require
from ds3sim.core.memory import require_memory
from ds3sim.core.progress import working
from ds3sim.engine.limits import EngineOptions
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.lump import ChainForm
from ds3sim.task.budget import BudgetRow, budget_rows, matched_rows
from ds3sim.task.mixture import TaskMixture
from ds3sim.task.task import Strategy, Task
from ds3sim.theory.cost import CostModel

AnyTable = TypeVar("AnyTable", bound=Table)
MOST_PARTS = 5 * 10**6
NODE_BYTES = 120
"""Memory of a skill of a chain, about."""
MOST_KEPT = 50_000
"""Pieces of points that are kept for the points that share them."""


@dataclass(frozen=True)
class Place:
    """Where the rows of one strategy at one point belong, and what its steps cost.

    A step has ``proposals`` of ``tokens_per_step`` tokens (omega). Weights of the tasks sum to 1, or are for each task
    a row, one for each budget, whose columns sum to 1. Without a cost model there are no FLOPs.
    """

    point: int
    axes: Mapping[str, Any]
    strategy: str | None
    n: int
    proposals: int
    tokens_per_step: float
    cost: CostModel | None
    weights: tuple[float, ...] | tuple[tuple[float, ...], ...]
    rows: tuple[BudgetRow, ...]


@dataclass(frozen=True, eq=False)
class Entry(Place):
    """One strategy at one point.

    Attributes:
        tasks: of the distribution, one for a plain graph.
        forms: the chain (m, r) of each task's graph where it is one by construction, else None.
        engine, seed: how it is computed.
        said: what the tasks are, as plain data for the store.
        real: steps of one trace at each budget where they need not be whole (``model.round_steps = false``), else None.
    """

    tasks: tuple[Task, ...]
    forms: tuple[ChainForm | None, ...]
    engine: EngineOptions
    seed: int
    said: dict[str, Any] = field(repr=False)
    real: tuple[float, ...] | None = None


class Entries:
    """The entries of a checked config with a budget and a graph or tasks; pieces of points are made once for all points
    that share them. ``graphs`` are not built again: they are by their values on the axes of [graph].
    """

    def __init__(self, config: c.Config, graphs: Mapping[tuple[Any, ...], SkillGraph]) -> None:
        self.config, self._origin, self._graphs = config, config.origin, graphs
        self.source, self.axes = self._origin.source, self._origin.axes
        self.match = None if config.sweep is None else config.sweep.match
        self._raw_tables = dict(self._origin.raw)
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._swept: dict[tuple[str, ...], list[tuple[str, tuple[str, ...], Axis]]] = {}
        for axis in self.axes:
            for key, path in zip(axis.keys, axis.paths, strict=True):
                home = path[: 2 if path[0] == "strategies" else 1]
                self._swept.setdefault(home, []).append((key, path, axis))

    def __iter__(self) -> Iterator[Entry]:
        parts = 0
        for number, axes in enumerate(points(self.axes)):
            for name in self.config.by_name:
                entry = self._entry(number, axes, name)
                parts += len(entry.tasks)
                told = f"{self.source}: points x strategies x tasks of [tasks] are more than {MOST_PARTS:,}"
                require(parts <= MOST_PARTS, f"{told}: shorten an axis")
                yield entry

    def _entry(self, number: int, axes: Mapping[str, Any], name: str | None) -> Entry:
        home = ("strategy",) if name is None else ("strategies", name)
        keys = {p: self._key(axes, (p,)) for p in ("graph", "tasks", "model", "budget", "cost", "engine", "seed")}
        of_strategy = (home, self._key(axes, home))
        engine = self._once(
            ("engine", keys["engine"]), lambda at: self._table(c.EngineTable, ("engine",), at).options, axes
        )
        dumped, plan = self._once(of_strategy, self._strategy, axes, home)
        of_cost = (keys["cost"], keys["model"])
        cost, omega = self._once(("cost", *of_cost), self._cost, axes)
        rows, on_dead = self._once(("rows", keys["budget"], of_cost, of_strategy), self._rows, axes, plan, omega, cost)
        drawn: tuple[Any, ...] = (keys["graph"], keys["tasks"], keys["model"])
        real = None
        if self._levels:
            each = tuple(row.steps_per_trace for row in rows)
            drawn += (each, of_strategy)
            key = ("priced", drawn, omega, engine.kind, rows)
            rows, real = self._once(key, self._priced, axes, plan, rows, omega, engine)
        drawn_graphs, forms, weights, told = self._once(("drawn", drawn), self._drawn, axes, plan, rows)
        steps = tuple(int(row.steps) for row in rows)
        how = (plan.step, plan.aggregate, steps, plan.feasibility, on_dead)
        key = ("tasks", drawn, of_strategy, steps, on_dead)
        tasks = self._once(key, lambda _: tuple(Task(graph, *how) for graph in drawn_graphs), axes)
        seed = axes.get("seed", self.config.seed)
        said = {"strategy": dumped, "feasible": drawn_graphs[0].feasible, "tasks": told}
        price = (plan.n, plan.step.proposals, omega, cost)
        return Entry(number, dict(axes), name, *price, weights, rows, tasks, forms, engine, seed, said, real)

    def _key(self, axes: Mapping[str, Any], home: tuple[str, ...]) -> tuple[Any, ...]:
        return tuple(axes[key] for key, *_ in self._swept.get(home, ()))

    def _once(self, key: tuple[Any, ...], make: Callable[..., Any], axes: Mapping[str, Any], *more: Any) -> Any:
        if key not in self._kept:
            if len(self._kept) > MOST_KEPT:  # a memo, not a store
                self._kept.clear()
            try:
                self._kept[key] = make(axes, *more)
            except InputError as error:
                told = ", ".join(f"{key} = {shown(value)}" for key, value in axes.items())
                raise type(error)(f"{error} (at the point {told})" if axes else str(error)) from None
        return self._kept[key]

    def _strategy(self, axes: Mapping[str, Any], home: tuple[str, ...]) -> tuple[dict[str, Any], Strategy]:
        """The table as plain data, and the strategy."""
        table = self._table(StrategyTable, home, axes)
        with within(f"{self.source}: {dotted(home)}"):
            return table.dump(), table.build()

    @property
    def _levels(self) -> bool:
        """Whether the tasks are of levels of skills, whose chains depend on strategy and budget."""
        return isinstance(self.config.model, TripartiteModel)

    def _model(self, axes: Mapping[str, Any]) -> LossModel | TripartiteModel | None:
        if self.config.model is None:
            return None
        return self._table(type(self.config.model), ("model",), axes)

    def _cost(self, axes: Mapping[str, Any]) -> tuple[CostModel | None, float]:
        model = self._model(axes)
        size = model.size[0] if isinstance(model, TripartiteModel) else None
        if "cost" not in self._raw_tables and not self._swept.get(("cost",)):
            omega = c.TOKENS_PER_STEP
            return (None if size is None else CostModel(omega, size, attention=False)), omega
        table = self._table(c.CostTable, ("cost",), axes)
        with within(f"{self.source}: cost"):
            return table.build(size), table.tokens_per_step

    def _rows(
        self, axes: Mapping[str, Any], plan: Strategy, omega: float, cost: CostModel | None
    ) -> tuple[tuple[BudgetRow, ...], str]:
        """Budgets of one strategy: as given, and in steps."""
        budget = self._table(c.BudgetTable, ("budget",), axes)
        model = self._model(axes)
        whole = not isinstance(model, TripartiteModel) or model.round_steps
        kind: dict[str, Any] = {"n": plan.n, "proposals": plan.step.proposals, "tokens_per_step": omega, "cost": cost}
        with within(self.source):
            if self.match is None:
                return budget_rows(budget.unit, budget.amounts, **kind, whole=whole), budget.on_dead
            require(whole, "sweep.match needs whole steps: remove model.round_steps")
            require(cost is not None, "sweep.match = 'flops' needs cost.parameters")
            # The budgets are those of one chain of thought; (18) gives everybody else as many FLOPs.
            one: dict[str, Any] = kind | {"n": 1, "proposals": 1}
            chain = budget_rows(budget.unit, budget.amounts, **one)
            return matched_rows(chain, **kind), budget.on_dead

    def _drawn(self, axes: Mapping[str, Any], plan: Strategy, rows: Sequence[BudgetRow]) -> tuple[Any, ...]:
        """Graphs, chain forms, weights, and what they are."""
        if self.config.tasks is None:
            return self._graph(axes)
        tasks, model = self._table(TasksTable, ("tasks",), axes), self._model(axes)
        with within(self.source):
            if isinstance(model, TripartiteModel):
                tasks.check(model)
                found = chains(tasks, model, plan, [row.steps_per_trace for row in rows])
            else:
                found = tasks.mixture(model)
            told = {"kind": "levels" if self._levels else "tasks", "parts": len(found)}
            return self._chains(found, axes), found.forms, found.weights, told

    def _graph(self, axes: Mapping[str, Any]) -> tuple[Any, ...]:
        raw = self._raw(("graph",), axes)
        table = self._table(GRAPHS[raw["kind"]], ("graph",), axes, raw)
        graph = self._graphs.get(self._key(axes, ("graph",)))
        if graph is None:
            # A file's graph says itself which key is wrong.
            with within(self.source if isinstance(table, FileGraph | EdgesGraph) else f"{self.source}: graph"):
                graph = table.build(self._origin.folder)
        form = ChainForm(table.skills, table.success) if isinstance(table, ChainGraph) else None
        told = table.model_dump(exclude_none=True)
        if isinstance(table, FileGraph):
            told["digest"] = graph.digest
        return (graph,), (form,), (1.0,), told

    def _chains(self, mixture: TaskMixture, axes: Mapping[str, Any]) -> tuple[SkillGraph, ...]:
        out = []
        nodes = int(np.sum(mixture.skills))
        require_memory(NODE_BYTES * nodes, f"tasks: {len(mixture):,} chains of {nodes:,} skills", "take fewer tasks")
        with working("tasks made", len(mixture), worth=0.0) as stage:
            for one in zip(mixture.skills, mixture.success, mixture.feasible, strict=True):
                out.append(self._once(("chain", *one), lambda _, one=one: SkillGraph.chain(*one), axes))
                stage.advance()
        return tuple(out)

    def _priced(
        self, axes: Mapping[str, Any], plan: Strategy, rows: Sequence[BudgetRow], omega: float, engine: EngineOptions
    ) -> tuple[Any, ...]:
        tasks, model = self._table(TasksTable, ("tasks",), axes), self._model(axes)
        assert isinstance(model, TripartiteModel)
        with within(self.source):
            tasks.check(model)
            return priced(tasks, model, plan, rows, omega, engine.kind)

    def _raw(self, path: tuple[str, ...], axes: Mapping[str, Any]) -> dict[str, Any]:
        """The raw table at a path with the point's values in."""
        changes: list[Override] = [(full, axis.value(axes[key]), key) for key, full, axis in self._swept.get(path, ())]
        if not changes:
            return value_at(self._raw_tables, path) or {}
        data = put_overrides({path[0]: _copied(self._raw_tables.get(path[0], {}))}, changes)
        choose_kinds(data, self._origin.place)
        return value_at(data, path) or {}

    def _table(
        self, model: type[AnyTable], path: tuple[str, ...], axes: Mapping[str, Any], raw: dict[str, Any] | None = None
    ) -> AnyTable:
        """A checked table; on an error the whole config is read, which says what is wrong."""
        raw = self._raw(path, axes) if raw is None else raw
        try:
            return model.model_validate(raw)
        except ValidationError as error:
            config_at(self._origin, axes)
            raise first_error(error, {path[0]: raw}, self._origin.place, path) from None


def _copied(table: dict[str, Any]) -> dict[str, Any]:
    """A table whose tables can be changed: those of every point are."""
    return {key: _copied(value) if is_dict(value) else value for key, value in table.items()}


@contextmanager
def within(place: str) -> Iterator[None]:
    """Put the place in front of an InputError from a layer that does not know the config."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{place}: {error}") from None
