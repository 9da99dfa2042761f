"""The config file as one frozen model: which keys there are, of what type, and in what range.

Keys with a default may be left out; which tables a config needs depends on the command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from ds3sim.config import values as v
from ds3sim.config.graphs import Graph
from ds3sim.config.models import LanguageModel, TripartiteModel
from ds3sim.config.strategy import StrategyTable
from ds3sim.config.tasks import TasksTable
from ds3sim.core.check import is_dict, is_list, is_mapping
from ds3sim.core.errors import InputError, require
from ds3sim.engine.limits import ENGINES, MOST_LANES, MOST_TRACES, EngineOptions
from ds3sim.task.budget import UNITS
from ds3sim.theory.cost import MOST as MOST_COST
from ds3sim.theory.cost import CostModel
from ds3sim.theory.loss import LossConstants, constants_of
from ds3sim.theory.spending import Architecture

TOKENS_PER_STEP = 25.0
"""omega where the config has no cost model."""


class BudgetTable(v.Table):
    """What a task may use, in one unit."""

    steps: v.Steps | None = v.key(None, "K, steps per task, shared by its n traces: floor(K/n) each")
    steps_per_trace: v.Steps | None = v.key(None, "steps of each trace")
    tokens: v.Tokens | None = v.key(None, "output tokens per task, all branches and traces together")
    flops: v.Amounts | None = v.key(None, "inference FLOPs per task; needs cost.parameters")
    on_dead: Literal["exhaust", "stop"] = v.key("exhaust", "what a dead trace uses")

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        given = [unit for unit in UNITS if getattr(self, unit) is not None]
        if not given:
            raise v.refuse(f"gives no budget: add one of {', '.join(UNITS)}, for example steps = [50, 100]")
        if len(given) > 1:
            raise v.refuse(f"gives {' and '.join(given)}: keep exactly one of them")
        return self

    @property
    def unit(self) -> str:
        """The unit in which the budgets are given."""
        return next(unit for unit in UNITS if getattr(self, unit) is not None)

    @property
    def amounts(self) -> tuple[int, ...] | tuple[float, ...]:
        """The budgets, in that unit."""
        return getattr(self, self.unit)


Size = Annotated[v.NotNegative, Field(le=MOST_COST)]
Count = Annotated[v.Whole, Field(ge=0, le=10**60)]
LAWS = ("aspect", "table")
"""Keys of [cost] that an allocation alone takes."""
SIZES = ("parameters", "layers", "attention_width", "attention", "shared_prefill")
"""Keys of [cost] that a study alone takes: an allocation chooses the size of the model."""


class CostTable(v.Table):
    """Tokens and FLOPs. Without ``parameters`` only tokens are reported; an allocation chooses them itself."""

    tokens_per_step: Annotated[v.Positive, Field(le=MOST_COST)] = v.key(
        TOKENS_PER_STEP, "omega, output tokens of one step"
    )
    parameters: Annotated[v.Positive, Field(le=MOST_COST)] | None = v.key(None, "N, non-embedding parameters")
    prompt_tokens: Size = v.key(0.0, "omega_p, tokens of the prompt")
    layers: Count = v.key(0, "n_layer of the transformer")
    attention_width: Count = v.key(0, "d_attn of the transformer")
    attention: v.Truth = v.key(True, "false: parameter-only accounting")
    shared_prefill: v.Truth = v.key(True, "false: each of n traces pays the prompt")
    aspect: v.Positive | None = v.key(None, "of an allocation: width over layers, charges attention by (16)")
    table: tuple[tuple[v.Positive, v.Positive, v.Positive], ...] | None = v.key(
        None, "of an allocation: rows [N, layers, width]; their power law charges attention by (16)"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.aspect is not None and self.table is not None:
            raise v.refuse("stands beside aspect: keep one of them", "table")
        if self.table is not None:
            try:
                Architecture.of_table(self.table)
            except InputError as error:
                raise v.refuse(str(error), "table") from None
        return self

    def build(self, parameters: float | None = None) -> CostModel | None:
        """The cost model of a study; None without parameters. ``parameters`` stands in where the table has none."""
        own = self.model_dump(exclude=set(LAWS))
        own["parameters"] = self.parameters if self.parameters is not None else parameters
        return None if own["parameters"] is None else CostModel(**own)

    @property
    def shape(self) -> Architecture:
        """n_layer d_attn of an allocation as a function of N."""
        if self.table is not None:
            return Architecture.of_table(self.table)
        return Architecture() if self.aspect is None else Architecture.of_aspect(self.aspect)


class EngineTable(v.Table):
    """How the numbers are had. The keys of the random engines are ignored by exact and closed_form."""

    kind: Literal["traces", "population", "importance", "exact", "closed_form"] = v.key("traces", "engine")
    traces: Annotated[v.Whole, Field(ge=1, le=MOST_TRACES)] = v.key(1_000_000, "trials of the whole task")
    relative_error: Annotated[v.Number, Field(ge=1e-6, lt=1)] | None = v.key(
        None, "go on until the standard error of success is this share of it, at every budget"
    )
    max_traces: Annotated[v.Whole, Field(ge=1, le=MOST_TRACES)] | None = v.key(
        None, "stop here although relative_error is not reached"
    )
    chunk: Annotated[v.Whole, Field(ge=1, le=MOST_LANES)] | None = v.key(None, "trials at once; never changes results")
    macro_steps: Annotated[v.Whole, Field(ge=1, le=1024)] | None = v.key(
        None, "steps per draw, part of the random stream; chosen when left out"
    )

    @model_validator(mode="after")
    def _limit(self) -> Self:
        if self.max_traces is not None and self.relative_error is None:
            raise v.refuse("has no effect without relative_error: remove it, or add relative_error", "max_traces")
        return self

    @property
    def random(self) -> bool:
        """Whether it simulates."""
        return ENGINES[self.kind].random

    @property
    def options(self) -> EngineOptions:
        """What the engine heeds of them."""
        return EngineOptions.heeded(**self.model_dump())


class SweepTable(v.Table):
    """Axes of a sweep."""

    axes: dict[str, Any] = Field(default_factory=dict, description="dotted keys of the config, and their values")
    zip: Any = v.key((), "lists of keys that vary together, and make one axis")
    match: Literal["flops"] | None = v.key(
        None, "flops: budgets of one chain of thought; everybody else gets as many FLOPs"
    )


class SimulationTable(v.Table):
    """What a training simulates beside the formulas."""

    enabled: v.Truth = v.key(True, "false: formulas only")
    graphs: Annotated[v.Whole, Field(ge=1, le=100_000)] = v.key(100, "concept-text graphs to peel")
    concepts: Annotated[v.Whole, Field(ge=100, le=1_000_000)] = v.key(
        10_000, "concepts of a peeled graph at most; a larger model is scaled down to it"
    )
    models: Annotated[v.Whole, Field(ge=1, le=10_000)] = v.key(4, "models whose skills are sampled")


def _known_constants(value: Any) -> LossConstants:
    if not (is_mapping(value) or isinstance(value, str | LossConstants)):
        raise v.refuse("must be a name or a table with E, A, B, alpha, beta")
    try:
        return constants_of(value)
    except InputError as error:
        raise v.refuse(str(error).split(": ", 1)[-1] if isinstance(value, str) else str(error)) from None


def _pair(value: Any) -> Any:
    if not is_list(value) or len(value) != 2:
        raise v.refuse("must be two numbers: [least, most]")
    return value


Ends = Annotated[tuple[v.Positive, v.Positive], BeforeValidator(_pair, json_schema_input_type=list[float])]
Constants = Annotated[
    LossConstants, BeforeValidator(_known_constants, json_schema_input_type=str | dict[str, float | str])
]


class AllocateTable(v.Table):
    """What an allocation is asked."""

    mode: Literal["global", "chinchilla", "fixed_tokens", "fixed_demand", "inference_optimal"] = v.key(
        "global", "what is optimised"
    )
    compute: Annotated[tuple[v.Positive, ...], v.NUMBERS] = v.key(..., "C in FLOPs")
    tasks: v.NotNegative = v.key(1e9, "I, inference tasks over the lifetime")
    constants: Constants = Field(
        default_factory=lambda: constants_of("hoffmann"),
        description="hoffmann, hoffmann_source, epoch, or a table with E, A, B, alpha, beta",
    )
    kappa: v.Positive = v.key(20.0, "D/N of the Chinchilla rule")
    tokens_per_task: v.Positive | None = v.key(None, "omega K of fixed_tokens")
    demand_tokens: v.NotNegative | None = v.key(None, "D_inf of fixed_demand")
    compare: v.Truth = v.key(True, "set the global optimum beside D = kappa N (mode global)")
    check: v.Truth = v.key(False, "solve again by gradients and show the difference (mode global)")

    @model_validator(mode="after")
    def _belong(self) -> Self:
        for name, mode in (("tokens_per_task", "fixed_tokens"), ("demand_tokens", "fixed_demand")):
            given = getattr(self, name) is not None
            if self.mode == mode and not given:
                raise v.refuse(f"needs {name}: add it", "mode")
            if given and self.mode != mode:
                raise v.refuse(f"has no effect with mode = {self.mode}: remove it, or use mode {mode}", name)
        return self


class BoxTable(v.Table):
    """Where an optimum is searched."""

    parameters: Ends = v.key((1e7, 1e14), "least and most N")
    tokens: Ends = v.key((1e7, 1e14), "least and most D")
    steps: Annotated[v.Whole, Field(ge=1, le=10**9)] = v.key(10**7, "most steps K")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("parameters", "tokens"):
            low, high = getattr(self, name)
            if not low < high:
                raise v.refuse("must be in order: [least, most]", name)
        return self


@dataclass(frozen=True)
class Origin:
    """Where a config comes from; of no account when configs are compared.

    Its name, the folder of its paths, its tables in today's spelling, its axes, what was changed (path, value, what the
    user typed), and a line for each old spelling.
    """

    source: str = field(default="config", compare=False)
    folder: Path = field(default=Path("."), compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)
    axes: tuple[Any, ...] = field(default=(), compare=False)
    overrides: tuple[tuple[tuple[str, ...], Any, str], ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def place(self, path: tuple[Any, ...]) -> str:
        """Who is to blame for a key: an override or the file."""
        for typed, _, text in reversed(self.overrides):
            if tuple(path[: len(typed)]) == typed:
                return text
        return self.source


class Config(v.Table):
    """A config: a graph or tasks, strategies, budgets, cost, engine; axes; a training; an allocation.

    Its fields are the tables; :func:`ds3sim.read_config` makes it.

    Example:
        >>> import ds3sim as ds
        >>> config = ds.Study(ds.SkillGraph.chain(4, 0.2), steps=[10, 20]).config
        >>> config.graph.success, config.budget.steps, config.engine.kind
        (0.2, (10, 20), 'traces')
    """

    name: v.Text | None = v.key(None, "name of the study; the file's name when left out")
    seed: v.Seed = v.key(0, "seed of everything random")
    graph: Graph | None = v.key(None, "the skill graph")
    tasks: TasksTable | None = v.key(None, "instead of a graph: a distribution of tasks")
    model: LanguageModel | None = v.key(None, "the language model, for [tasks]")
    strategy: StrategyTable | None = v.key(None, "the strategy")
    strategies: dict[str, StrategyTable] | None = v.key(None, "several strategies side by side, by name")
    budget: BudgetTable | None = v.key(None, "the budgets")
    cost: CostTable | None = v.key(None, "cost model")
    engine: EngineTable = Field(default_factory=EngineTable, description="engine")
    sweep: SweepTable | None = v.key(None, "axes of a sweep")
    simulation: SimulationTable = v.key(
        SimulationTable.model_validate({}), "what a training simulates beside the formulas"
    )
    allocate: AllocateTable | None = v.key(None, "an allocation of a lifetime's compute")
    box: BoxTable = v.key(BoxTable.model_validate({}), "where an allocation is searched")
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @model_validator(mode="after")
    def _strategies(self) -> Self:
        if self.strategies is not None:
            if self.strategy is not None:
                raise v.refuse("stands beside strategy: move the [strategy] table into [strategies.NAME]", "strategies")
            if not self.strategies:
                raise v.refuse("is empty: add a table [strategies.NAME]", "strategies")
            if any(not name.strip() for name in self.strategies):
                raise v.refuse("holds a strategy without a name: name it, as in [strategies.tot4]", "strategies")
        return self

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.tasks is not None and self.graph is not None:
            raise v.refuse("stands beside [graph]: keep one of them", "tasks")
        own = isinstance(self.model, TripartiteModel)  # its N is the cost's
        sized = own or (self.cost is not None and self.cost.parameters is not None)
        if self.budget is not None and self.budget.flops is not None and not sized:
            raise v.refuse(
                "needs a cost model: add [cost] with parameters, or give the budget in tokens", "budget.flops"
            )
        if self.cost is not None:
            studied, allocated = self.budget is not None or self.graph is not None, self.allocate is not None
            for name in (*(() if allocated else LAWS), *(SIZES if allocated and not studied else ())):
                if name in self.cost.model_fields_set:
                    where = "without [allocate]" if name in LAWS else "in an allocation"
                    raise v.refuse(f"has no effect {where}: remove it", f"cost.{name}")
        return self

    @property
    def kind(self) -> str:
        """What the tables say that it is: ``allocation``, ``study`` or ``training``; others may do too."""
        if self.allocate is not None:
            return "allocation"
        studied = self.graph is not None or self.tasks is not None or self.budget is not None
        return "training" if self.model is not None and not studied else "study"

    @property
    def trained_model(self) -> TripartiteModel:
        """The [model] table of the training side. InputError: the config has none, or one of another kind."""
        need = 'add it, with kind = "tripartite" and training_flops = 1e24'
        require(self.model is not None, f"{self.origin.source}: has no [model]: {need}")
        if not isinstance(self.model, TripartiteModel):
            where = self.origin.place(("model", "kind"))
            raise InputError(f"{where}: model.kind = 'loss': training needs kind = \"tripartite\"")
        return self.model

    @property
    def origin(self) -> Origin:
        """Where it comes from."""
        return self._origin

    def with_origin(self, origin: Origin) -> Self:
        """The same config, with another origin."""
        config = self.model_copy()
        config._origin = origin
        return config

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for each spelling that is read as another one; the command line prints them on stderr."""
        return self._origin.notes

    @property
    def by_name(self) -> dict[str | None, StrategyTable]:
        """The strategies by name; a single one has the name None."""
        if self.strategies is not None:
            return {name: strategy for name, strategy in self.strategies.items()}  # noqa: C416  (str is str | None)
        return {None: self.strategy if self.strategy is not None else StrategyTable()}


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the configs of all commands.

    What a command needs is not in it: a key may come from an axis of [sweep], and a table may belong to another
    command. Keys that do not go together are refused when a config is read.

    Example:
        >>> import ds3sim as ds
        >>> ds.schema()["properties"]["seed"]["default"]
        0
    """
    return _loose(Config.model_json_schema())


def _loose(node: Any) -> Any:
    """Without ``required``; of several kinds of a table, any that fits: ``kind`` may be left out."""
    if is_list(node):
        return [_loose(item) for item in node]
    if not is_dict(node):
        return node
    renamed = {"anyOf" if name == "oneOf" else name: value for name, value in node.items()}
    idle = {"discriminator", *(["required"] if isinstance(node.get("required"), list) else [])}
    return {name: _loose(value) for name, value in renamed.items() if name not in idle}
