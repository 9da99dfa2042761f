"""From a sweep's config to its entries: every point and strategy as weighted tasks with budgets."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ds3sim.config import build as plan
from ds3sim.config import levels
from ds3sim.config import read as load
from ds3sim.config import tables as c
from ds3sim.config import tasks as mixture
from ds3sim.config import training as tripartite
from ds3sim.config.axes import Axis, points, read_axes
from ds3sim.config.read import Override, dotted, shown
from ds3sim.config.sweep import Sweep, known_tables
from ds3sim.core.errors import InputError, require
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.lump import ChainForm
from ds3sim.task.budget import BudgetRow, budget_rows, matched_rows
from ds3sim.task.task import Task
from ds3sim.theory.cost import CostModel

OWN = ("sweep", "tasks", "model")
AnyModel = TypeVar("AnyModel", bound=BaseModel)
MOST_PARTS = 5 * 10**6


@dataclass(frozen=True, eq=False)
class Entry:
    """One strategy at one point.

    Attributes:
        point: number of the point; axes: its axis values.
        strategy: name, None where there is a single one.
        tasks: the tasks of the distribution, one for a plain graph; weights: sum 1, or for each task a row of weights,
            one for each budget, whose columns sum to 1.
        forms: the chain (m, r) of each task's graph where it is one by construction, else None.
        rows: the budgets.
        tokens_per_step, cost: omega and the cost model (None: no FLOPs).
        engine, seed: how it is computed.
        said: what the tasks are, for the store.
        real: steps of one trace at each budget where they need not be whole (``model.round_steps = false``), else None.
    """

    point: int
    axes: dict[str, Any]
    strategy: str | None
    tasks: tuple[Task, ...]
    weights: tuple[float, ...] | tuple[tuple[float, ...], ...]
    forms: tuple[ChainForm | None, ...]
    rows: tuple[BudgetRow, ...]
    tokens_per_step: float
    cost: CostModel | None
    engine: c.Engine
    seed: int
    said: dict = field(repr=False)
    real: tuple[float, ...] | None = None


class SweepPlan:
    """A checked config with axes, ready to be expanded point by point.

    Attributes:
        name, source: of the study, and the file as the user named it.
        axes: the axes; none: one point.
        match: ``flops`` or None.
        data: the raw config without axes, overrides applied.
    """

    def __init__(self, data: dict, source: str, folder: Path, overrides: Sequence[Override] = ()):
        self.source, self.folder = source, folder
        self._overrides = list(overrides)
        data = load.apply_overrides(data, self._overrides)
        known_tables(data, self._place)
        own = self._model(Sweep, "sweep", data.get("sweep", {}))
        self.match = own.match
        self.data = {key: value for key, value in data.items() if key != "sweep"}
        has_tasks = "tasks" in data
        require(not (has_tasks and "graph" in data), f"{source}: [tasks] stands beside [graph]: keep one of them")
        require(has_tasks or "model" not in data, f"{source}: [model] has no effect without [tasks]: remove it")
        self.axes: tuple[Axis, ...] = read_axes(own.axes, own.zip, mixture.tables_of(self.data), self.data, self._place)
        swept = {path for axis in self.axes for path in axis.paths}
        for path, _, text in self._overrides:
            require(path not in swept, f"{text}: {dotted(path)} is an axis of the sweep: change sweep.axes instead")
        self._swept: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = {}
        for axis in self.axes:
            for key, path in zip(axis.keys, axis.paths, strict=True):
                self._swept.setdefault(path[: 2 if path[0] == "strategies" else 1], []).append((key, path))
        self._kept: dict[tuple, Any] = {}
        # The first point stands for all: unknown keys and what belongs together are checked once.
        first = next(points(self.axes))
        config = self._check(first)
        self.name = config.name if config.name is not None else Path(source).stem or "study"
        self.config = config
        self._names = list(config.by_name)
        load._choose_kinds(self.data, self._place)
        if self.match is not None:
            told = f"{self._place(('sweep', 'match'))}: sweep.match = 'flops'"
            require(
                config.cost is not None and config.cost.parameters is not None,
                f"{told} needs a cost model: add [cost] with parameters",
            )
            require(
                config.budget.unit != "flops",
                f"{told}: budget.flops gives all strategies equal FLOPs already: remove match",
            )

    @property
    def count(self) -> int:
        """Number of points."""
        out = 1
        for axis in self.axes:
            out *= len(axis)
        return out

    @property
    def strategies(self) -> list[str | None]:
        """Names of the strategies, [None] for a single one."""
        return self._names

    def entries(self) -> Iterator[Entry]:
        """All entries, points in row-major order, strategies as in the config.

        Raises:
            InputError: a value that cannot be used, naming the axis.
        """
        parts = 0
        for number, axes in enumerate(points(self.axes)):
            for name in self._names:
                entry = self._entry(number, axes, name)
                parts += len(entry.tasks)
                require(
                    parts <= MOST_PARTS,
                    f"{self.source}: points x strategies x tasks of [tasks] are more than {MOST_PARTS:,}:"
                    " shorten an axis",
                )
                yield entry

    # ---- pieces, each made once for all points that share it ----------------------------------

    def _entry(self, number: int, axes: Mapping, name: str | None) -> Entry:
        home = ("strategy",) if name is None else ("strategies", name)
        keys = {p: self._key(axes, (p,)) for p in ("graph", "tasks", "model", "budget", "cost", "engine", "seed")}
        of_strategy = self._key(axes, home)
        engine = self._once(("engine", keys["engine"]), lambda axes: self._table(c.Engine, ("engine",), axes), axes)
        strategy, step, aggregate = self._once((home, of_strategy), self._strategy, axes, name)
        of_cost = (keys["cost"], keys["model"]) if self._levels else (keys["cost"],)
        cost, omega = self._once(("cost", of_cost), self._cost, axes)
        rows, on_dead = self._once(
            ("rows", keys["budget"], of_cost, home, of_strategy), self._rows, axes, step, aggregate, omega, cost
        )
        drawn = (keys["graph"], keys["tasks"], keys["model"])
        if self._levels:
            drawn += (rows_key(rows), home, of_strategy)
        parts, forms, weights, told = self._once(("parts", drawn), self._parts, axes, strategy, step, aggregate, rows)
        real = None
        if self._levels:
            key = ("priced", drawn, omega, engine.kind)
            rows, real = self._once(key, self._priced, axes, name, rows, omega, engine)
        steps = tuple(int(row.steps) for row in rows)
        tasks = self._once(
            ("tasks of", drawn, home, of_strategy, steps, on_dead),
            lambda _: tuple(Task(graph, step, aggregate, steps, strategy.feasibility, on_dead) for graph in parts),
            axes,
        )
        seed = axes.get("seed", self.config.seed)
        said = {"strategy": strategy.dump(), "feasible": parts[0].feasible, "tasks": told}
        return Entry(number, dict(axes), name, tasks, weights, forms, rows, omega, cost, engine, seed, said, real)

    def _key(self, axes: Mapping, table: tuple[str, ...]) -> tuple:
        return tuple(axes[key] for key, _ in self._swept.get(table, ()))

    def _once(self, key: tuple, make, axes: Mapping, *more):
        if key not in self._kept:
            if len(self._kept) > 50_000:  # a memo, not a store
                self._kept.clear()
            try:
                self._kept[key] = make(axes, *more)
            except InputError as error:
                raise self._at(axes, error) from None
        return self._kept[key]

    def _at(self, axes: Mapping, error: InputError) -> InputError:
        """The error with the point where it happened."""
        if not axes:
            return error
        told = ", ".join(f"{key} = {shown(value)}" for key, value in axes.items())
        return type(error)(f"{error} (at the point {told})")

    def _parts(self, axes, strategy, step, aggregate, rows):
        """Graphs, chain forms, weights, and what they are."""
        if "tasks" not in self.data:
            table = self._raw(("graph",), axes)
            graph = self._table(load.KINDS["graph"][table.get("kind", "chain")], ("graph",), axes)
            built = plan.build_graph(graph, self.folder, self.source)
            form = ChainForm(graph.skills, graph.success) if isinstance(graph, c.ChainGraph) else None
            return (built,), (form,), (1.0,), graph.model_dump(exclude_none=True)
        tasks = self._table(mixture.Tasks, ("tasks",), axes)
        model = self._language_model(axes)
        if isinstance(model, tripartite.TripartiteModel) and tasks.level is not None:
            wanted = tripartite.level_tasks(tasks, model, self.source)
            each = [row.steps_per_trace for row in rows]
            found = levels.chains(wanted, model, strategy, step, aggregate, each)
            graphs = tuple(self._chain(*part) for part in found.parts)
            forms = tuple(ChainForm(m, r) for m, r, _ in found.parts)
            return graphs, forms, found.weights, {"kind": "levels", "parts": len(graphs)}
        found = mixture.parts_of(tasks, model, self.source)
        graphs = tuple(self._chain(part.skills, part.success, part.feasible) for part in found)
        forms = tuple(ChainForm(part.skills, part.success) for part in found)
        return graphs, forms, tuple(part.weight for part in found), {"kind": "tasks", "parts": len(found)}

    def _chain(self, skills: int, success: float, feasible: float) -> SkillGraph:
        key = ("chain", skills, success, feasible)
        if key not in self._kept:
            self._kept[key] = SkillGraph.chain(skills, success, feasible)
        return self._kept[key]

    @property
    def _levels(self) -> bool:
        """Whether the tasks are of levels of skills, whose chains depend on strategy and budget."""
        return mixture.model_of(self.data.get("model")) is tripartite.TripartiteModel

    def _trained_model(self, axes) -> tripartite.TripartiteModel | None:
        return self._table(tripartite.TripartiteModel, ("model",), axes) if self._levels else None

    def _language_model(self, axes):
        if "model" not in self.data and not self._swept.get(("model",)):
            return None
        return self._table(mixture.model_of(self.data.get("model")), ("model",), axes)

    def _priced(self, axes, name, rows, omega, engine):
        model = self._trained_model(axes)
        assert model is not None
        tasks = tripartite.level_tasks(self._table(mixture.Tasks, ("tasks",), axes), model, self.source)
        return levels.priced(tasks, model, *self._strategy(axes, name), rows, omega, engine, self.source)

    def _strategy(self, axes, name):
        home = ("strategy",) if name is None else ("strategies", name)
        strategy = self._table(c.Strategy, home, axes)
        with plan._within(f"{self.source}: {dotted(home)}"):
            return strategy, plan.build_step(strategy), plan.build_aggregate(strategy)

    def _cost(self, axes):
        model = self._trained_model(axes)
        if "cost" not in self.data and not self._swept.get(("cost",)):
            if model is None:
                return None, plan.TOKENS_PER_STEP
            return CostModel(plan.TOKENS_PER_STEP, model.size[0], attention=False), plan.TOKENS_PER_STEP
        table = self._table(c.Cost, ("cost",), axes)
        if model is not None and table.parameters is None:
            table = table.model_copy(update={"parameters": model.size[0]})
        if table.parameters is None:
            return None, table.tokens_per_step
        with plan._within(f"{self.source}: cost"):
            return CostModel(**table.model_dump()), table.tokens_per_step

    def _rows(self, axes, step, aggregate, omega, cost):
        """Budgets of one strategy: as given, and in steps."""
        budget = self._table(c.Budget, ("budget",), axes)
        kind = {"n": aggregate.n, "proposals": step.proposals}
        model = self._trained_model(axes)
        whole = model is None or model.round_steps
        given = getattr(budget, budget.unit)
        with plan._within(self.source):
            if self.match is None:
                rows = budget_rows(budget.unit, given, **kind, tokens_per_step=omega, cost=cost, whole=whole)
            else:
                require(whole, "sweep.match needs whole steps: remove model.round_steps")
                require(cost is not None, "sweep.match = 'flops' needs cost.parameters")
                assert cost is not None
                # The budgets are those of one chain of thought; (18) gives everybody else as many FLOPs.
                chain = budget_rows(budget.unit, given, n=1, proposals=1, tokens_per_step=omega, cost=cost)
                rows = matched_rows(chain, **kind, tokens_per_step=omega, cost=cost)
        return rows, budget.on_dead

    # ---- checking -----------------------------------------------------------------------------

    def _raw(self, path: tuple[str, ...], axes: Mapping) -> dict:
        """The raw table at a path with the point's values in."""
        found = load._at(self.data, path)
        swept = self._swept.get(path, ())
        changes: list[Override] = [(full, axes[key], key) for key, full in swept]
        if not changes:
            return found if isinstance(found, dict) else {}
        data = load.apply_overrides({path[0]: self.data.get(path[0], {})}, changes)
        return load._at(data, path) or {}

    def _table(self, model: type[AnyModel], path: tuple[str, ...], axes: Mapping) -> AnyModel:
        """A checked table; on an error the whole config is read, which says what is wrong."""
        try:
            return model.model_validate(self._raw(path, axes))
        except ValidationError as error:
            self._check(axes)
            item = error.errors(include_url=False)[0]
            raise InputError(f"{self.source}: {self._say(item, path, axes)}") from None

    def _say(self, item, path: tuple[str, ...], axes: Mapping) -> str:
        more = [item["ctx"]["key"]] if item.get("ctx", {}).get("key") else []
        full = (*path, *(part for part in item["loc"]), *more)
        data = {path[0]: self._raw(path, axes)} if len(path) == 1 else self.data
        return load._say(item["type"], item.get("ctx", {}), full, data, item["msg"])

    def _model(self, model: type[AnyModel], name: str, table) -> AnyModel:
        try:
            return model.model_validate(table)
        except ValidationError as error:
            item = error.errors(include_url=False)[0]
            key = item.get("ctx", {}).get("key")
            path = (name, *item["loc"], *([key] if key else []))
            said = load._say(item["type"], item.get("ctx", {}), path, {name: table}, item["msg"])
            raise InputError(f"{self._place(path)}: {said}") from None

    def _check(self, axes: Mapping) -> c.Config:
        """The config at one point, as ``run`` would read it."""
        data = {key: value for key, value in self.data.items() if key not in OWN}
        changes: list[Override] = []
        for axis in self.axes:
            for key, path in zip(axis.keys, axis.paths, strict=True):
                if path[0] not in OWN:
                    changes.append((path, axes[key], f"{self.source}: sweep.axes"))
        if "tasks" in self.data:
            data["graph"] = {"kind": "chain", "skills": 1, "success": 0.5}
        mine = [o for o in self._overrides if o[0][0] not in OWN]
        tasks = model = None
        if "tasks" in self.data:
            tasks = self._model(mixture.Tasks, "tasks", self._raw(("tasks",), axes))
            table = self._raw(("model",), axes)
            model = self._model(mixture.model_of(table), "model", table) if table else None
        if isinstance(model, tripartite.TripartiteModel) and isinstance(data.get("cost", {}), dict):
            data["cost"] = {"parameters": model.size[0], **data.get("cost", {})}
        config = load.check(data, self.source, [*mine, *changes])
        if tasks is not None:
            check = mixture.parts_of if tasks.level is None else tripartite.level_tasks
            check(tasks, model, self.source)
        return config

    def _place(self, path: tuple) -> str:
        for typed, _, text in reversed(self._overrides):
            if tuple(path[: len(typed)]) == typed:
                return text
        return self.source

    def common(self) -> dict:
        """The config without axes, for the store's table of contents."""
        return {"name": self.name, "match": self.match, "config": copy.deepcopy(self.data)}


def read_sweep(path, overrides: Iterable[Override] = (), *, need_axes: bool = True) -> SweepPlan:
    """The sweep of a TOML file.

    Args:
        path: the file; paths in it are relative to its folder.
        overrides: from :func:`ds3sim.config.read.parse_override`.
        need_axes: refuse a config without axes.

    Raises:
        InputError: one line naming file, key, value, cause and fix.
    """
    out = SweepPlan(load.read_toml(path), str(path), Path(path).parent, list(overrides))
    require(
        not need_axes or len(out.axes) > 0,
        f'{path}: has no axes: add [sweep.axes] with a key and its values, as in "graph.success" = [0.1, 0.2]',
    )
    return out


def rows_key(rows: Sequence[BudgetRow]) -> tuple:
    """What tells the budgets of a strategy apart."""
    return tuple((row.steps, row.steps_per_trace) for row in rows)
