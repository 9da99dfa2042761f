"""A study: a checked config as its entries, every point of the axes and strategy as weighted tasks with budgets."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ds3sim.config import tables as c
from ds3sim.config.axes import Axis
from ds3sim.config.entries import Entries, Entry, within
from ds3sim.config.graphs import FileGraph
from ds3sim.config.graphs import table_of as graph_table
from ds3sim.config.models import TripartiteModel
from ds3sim.config.read import config_of, read_config
from ds3sim.config.say import dotted, missing, shown
from ds3sim.config.strategy import table_of
from ds3sim.core.check import is_list, is_mapping
from ds3sim.core.errors import InputError, require, require_kind
from ds3sim.engine.limits import EngineOptions
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.task import Strategy, Task
from ds3sim.theory.cost import CostModel

ARGUMENTS = r"steps_per_trace|steps|tokens|flops|on_dead|traces|relative_error|max_traces|chunk"
"""Keys of [budget] and [engine] that are arguments of a study."""


class Study:
    """What is computed: tasks, strategies, budgets and an engine, at every point of the axes.

    Arguments are records or the tables of a config (README, "Config"); one budget is needed.

    Args:
        graph: a SkillGraph, or a table.
        tasks: instead of a graph: a [tasks] table.
        model: the [model] table that tasks need.
        strategy, strategies: one, or several by name: a Strategy, a step policy, an aggregator, a tuple of the two, or
            a table. Without any: one chain of thought.
        steps, steps_per_trace, tokens, flops: the budgets, a number or a list.
        on_dead: ``exhaust`` (a dead trace uses its whole budget) or ``stop``.
        cost: a CostModel, or a table.
        engine: the name of an engine, EngineOptions, or a table.
        traces, relative_error, max_traces, chunk: options of the engine.
        seed: of everything random.
        name: of the study.
        axes: dotted keys and their values, as in ``{"graph.success": [0.1, 0.2]}``; ``"graph"`` and ``"cost"`` take
            lists of records or tables.
        zip: lists of keys of ``axes`` that vary together.
        match: ``flops``: the budgets are those of one chain of thought, and everybody gets as many FLOPs.
        folder: what the path of a graph file is relative to.

    Attributes:
        name, seed: of the study.
        source: the file as the user named it.
        config: the checked config, of the first point.
        axes: the axes; none: one point.
        match: ``flops`` or None.
        given_graph: the graph, where it was given as such.

    Raises:
        InputError: one line that names the argument, the value, the cause and the fix.

    Example:
        >>> import ds3sim as ds
        >>> graph, both = ds.SkillGraph.chain(4, 0.2), {"one": ds.CoT(), "vote": ds.Majority(5)}
        >>> study = ds.Study(graph, strategies=both, tokens=[500, 1000], axes={"graph.success": [0.1, 0.2]})
        >>> study.count, study.strategies, study.unit
        (2, ['one', 'vote'], 'tokens')
    """

    name: str
    seed: int
    source: str
    config: c.Config
    axes: tuple[Axis, ...]
    match: str | None
    given_graph: SkillGraph | None

    def __init__(
        self,
        graph: SkillGraph | Mapping[str, Any] | None = None,
        *,
        tasks: Mapping[str, Any] | None = None,
        model: Mapping[str, Any] | None = None,
        strategy: Any = None,
        strategies: Mapping[str, Any] | None = None,
        steps: Any = None,
        steps_per_trace: Any = None,
        tokens: Any = None,
        flops: Any = None,
        on_dead: str | None = None,
        cost: CostModel | Mapping[str, Any] | None = None,
        engine: str | EngineOptions | Mapping[str, Any] | None = None,
        traces: Any = None,
        relative_error: Any = None,
        max_traces: Any = None,
        chunk: Any = None,
        seed: Any = 0,
        name: str | None = None,
        axes: Mapping[str, Any] | None = None,
        zip: Any = None,
        match: str | None = None,
        folder: str | Path = ".",
    ) -> None:
        units = {"steps": steps, "steps_per_trace": steps_per_trace, "tokens": tokens, "flops": flops}
        options = {"traces": traces, "relative_error": relative_error, "max_traces": max_traces, "chunk": chunk}
        own = {"kind": engine} if isinstance(engine, str) else {} if engine is None else plain(engine)
        require(isinstance(own, Mapping), f"Study: engine = {shown(engine)}: must be a name, EngineOptions, or a table")
        tables = {
            "name": "study" if name is None else name,
            "seed": seed,
            "graph": graph,
            "tasks": tasks,
            "model": model,
            "strategy": table_of(strategy, "Study: strategy"),
            "strategies": _strategies(strategies),
            "budget": {**units, "on_dead": on_dead},
            "cost": cost,
            "engine": {**own, **{key: value for key, value in options.items() if value is not None}},
            "sweep": {"axes": axes or {}, "zip": zip, "match": match} if axes or zip or match else None,
        }
        require(graph is not None or tasks is not None, "Study: graph is missing: give a SkillGraph, or tasks")
        require_kind(folder, str | Path, f"Study: folder = {shown(folder)}: must be a path")
        given = any(value is not None for value in units.values())
        require(given, f"Study: no budget: give one of {', '.join(units)}, for example steps=[50, 100]")
        try:
            self._begin(config_of(plain(tables), "Study", Path(folder)), graph, (axes or {}).get("graph"))
        except InputError as error:
            told = re.sub(rf"\b(?:budget|engine)\.({ARGUMENTS})\b", r"\1", str(error))
            raise type(error)(told.replace("engine.kind", "engine")) from None

    @classmethod
    def of(
        cls,
        source: str | Path | c.Config | Study | Task,
        axes: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        budgets: Any = None,
        engine: str | EngineOptions | Mapping[str, Any] | None = None,
        traces: Any = None,
        cost: CostModel | Mapping[str, Any] | None = None,
    ) -> Study:
        """The study of a config, its file, a task or another study.

        Args:
            source: what it is of.
            axes, seed: instead of its own.
            budgets: of a task, in steps, instead of its own.
            engine, traces, cost: of a task, as the class.

        Raises:
            InputError: one line; as the class, or the config lacks a table that a study needs.
        """
        if isinstance(source, Task):
            plan = Strategy(source.step, source.aggregate, source.feasibility)
            source = Study(
                source.graph,
                strategy=plan,
                steps=source.budgets if budgets is None else budgets,
                on_dead=source.on_dead,
                cost=cost,
                engine=engine,
                traces=traces,
                name="task",
            )
        else:
            for name, value in {"budgets": budgets, "engine": engine, "traces": traces, "cost": cost}.items():
                require(value is None, f"{name} has no effect with a study, which says its own: leave it out")
        if isinstance(source, Study) and axes is None and seed is None:
            return source
        graph = source.given_graph if isinstance(source, Study) else None
        config = source.config if isinstance(source, Study) else source
        if not isinstance(config, c.Config):
            require_kind(config, str | Path, f"{shown(config)} is no study: give a config, its file, or a Study")
            config = read_config(config)
        origin = config.origin
        if axes is not None or seed is not None:
            tables = dict(origin.raw) | ({} if seed is None else {"seed": seed})
            own = {} if config.sweep is None else config.sweep.model_dump(exclude_none=True)
            tables["sweep"] = own | ({} if axes is None else {"axes": axes, "zip": ()})
            config = config_of(plain(tables), origin.source, origin.folder)
        study = object.__new__(cls)
        study._begin(config, graph, (axes or {}).get("graph"))
        return study

    def _begin(self, config: c.Config, graph: Any = None, many: Any = None) -> None:
        """Take a config, and graphs that were given as such: they are not built again."""
        origin = config.origin
        self.config, self._origin = config, origin
        self.name, self.seed, self.source = str(config.name), config.seed, origin.source
        self.axes = origin.axes
        self.match = config.sweep.match if config.sweep is not None else None
        self.given_graph = graph if isinstance(graph, SkillGraph) else None
        graphs: dict[tuple[Any, ...], SkillGraph] = {}
        about = [axis for axis in self.axes for path in axis.paths if path[0] == "graph"]
        if self.given_graph is not None and not about:
            graphs[()] = self.given_graph
        elif many is not None and len(about) == 1 and about[0].keys == ("graph",):
            pairs = zip(about[0].values, many, strict=True)
            graphs |= {label: graph for label, graph in pairs if isinstance(graph, SkillGraph)}
        self._entries = Entries(config, graphs)
        self._check()

    def _check(self) -> None:
        """Refuse a config that lacks a table, or has one without effect."""
        config, place = self.config, self._origin.place
        lacking = ["graph"] if config.graph is None and config.tasks is None else []
        lacking += ["budget"] if config.budget is None else []
        if lacking or config.budget is None:
            more = " (and 1 more)" if len(lacking) > 1 else ""
            raise InputError(f"{self.source}: {missing((lacking[0],), self._origin.raw)}{more}")
        if config.tasks is None:
            require(config.model is None, f"{self.source}: [model] has no effect without [tasks]: remove it")
        else:
            with within(self.source):
                config.tasks.check(config.model)
        if self.match is not None:
            told = f"{place(('sweep', 'match'))}: sweep.match = 'flops'"
            priced = isinstance(config.model, TripartiteModel) or (config.cost and config.cost.parameters)
            require(bool(priced), f"{told} needs a cost model: add [cost] with parameters")
            idle = f"{told}: budget.flops gives all strategies equal FLOPs already: remove match"
            require(config.budget.unit != "flops", idle)

    @property
    def count(self) -> int:
        """Number of points."""
        return math.prod(map(len, self.axes))

    @property
    def strategies(self) -> list[str | None]:
        """Names of the strategies, [None] for a single one."""
        return list(self.config.by_name)

    @property
    def unit(self) -> str:
        """Unit of the budgets: steps, steps_per_trace, tokens or flops."""
        assert self.config.budget is not None
        return self.config.budget.unit

    @property
    def amounts(self) -> tuple[int, ...] | tuple[float, ...]:
        """The budgets, in that unit."""
        assert self.config.budget is not None
        return self.config.budget.amounts

    def entries(self) -> Iterator[Entry]:
        """All entries, points in row-major order, strategies as in the config.

        Raises:
            InputError: a value that cannot be used, naming the axis.
        """
        return iter(self._entries)

    def common(self) -> dict[str, Any]:
        """The config without axes, as plain data for the store's table of contents."""
        return {"name": self.name, "match": self.match, "config": copy.deepcopy(dict(self._origin.raw))}

    def tables(self) -> dict[str, Any]:
        """The resolved config as plain tables: defaults filled in, paths absolute; read again, it is the same study."""
        found = self.config.model_dump(exclude_none=True, exclude={"strategy", "strategies", "tasks", "sweep"})
        idle = {"simulation", "allocate", "box"} - self.config.model_fields_set
        named = {name: table.dump() for name, table in self.config.by_name.items()}
        out: dict[str, Any] = {key: value for key, value in found.items() if key not in idle}
        out |= {"tasks": self._origin.raw["tasks"]} if "tasks" in self._origin.raw else {}
        if isinstance(self.config.graph, FileGraph):
            out["graph"]["path"] = str((self._origin.folder / self.config.graph.path).resolve())
        out |= {"strategy": named[None]} if None in named else {"strategies": named}
        if self.config.sweep is not None:
            out["sweep"] = self.config.sweep.model_dump(exclude_none=True)
        return plain(out)

    def toml(self) -> str:
        """:meth:`tables` as TOML."""
        import tomli_w

        return tomli_w.dumps(self.tables())


study_of = Study.of


def _strategies(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Strategies by name as tables."""
    if given is None:
        return None
    require_kind(given, Mapping, f"Study: strategies = {shown(given)}: must be a dict, strategies by name")
    return {name: table_of(one, f"Study: {dotted(('strategies', name))}") for name, one in given.items()}


def plain(value: Any) -> Any:
    """Records as tables, arrays as lists and numbers, None left out."""
    if isinstance(value, SkillGraph):
        value = graph_table(value)
    elif isinstance(value, CostModel | EngineOptions):
        value = vars(value)
    if is_mapping(value):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if is_list(value) or isinstance(value, range):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        try:
            return plain(value.tolist())
        except Exception as error:  # a number that is being traced has no value
            raise InputError(f"Study: {type(value).__name__} has no value here: build studies outside jit") from error
    return value
