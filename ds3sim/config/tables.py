"""The config file as one frozen model: which keys there are, of what type, and in what range.

Reading, overrides and old spellings live in :mod:`ds3sim.config.read`, error texts in :mod:`ds3sim.config.say`, the
way to tasks in :mod:`ds3sim.config.study`. Keys with a default may be left out; which tables a config needs depends on
the command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from ds3sim.config.graphs import Graph
from ds3sim.config.models import LanguageModel, TripartiteModel
from ds3sim.config.strategy import StrategyTable
from ds3sim.config.tasks import TasksTable
from ds3sim.config.values import (
    NUMBERS,
    Amounts,
    NotNegative,
    Number,
    Positive,
    Seed,
    Steps,
    Table,
    Text,
    Tokens,
    Truth,
    Whole,
    refuse,
)
from ds3sim.core.errors import InputError
from ds3sim.engine.limits import ENGINES, MOST_LANES, MOST_TRACES, EngineOptions
from ds3sim.task.budget import UNITS
from ds3sim.theory.cost import MOST as MOST_COST
from ds3sim.theory.cost import CostModel
from ds3sim.theory.loss import LossConstants, constants_of
from ds3sim.theory.spending import Architecture

TOKENS_PER_STEP = 25.0
"""omega where the config has no cost model."""


class BudgetTable(Table):
    """What a task may use, in one unit."""

    steps: Steps | None = Field(default=None, description="K, steps per task, shared by its n traces: floor(K/n) each")
    steps_per_trace: Steps | None = Field(default=None, description="steps of each trace")
    tokens: Tokens | None = Field(default=None, description="output tokens per task, all branches and traces together")
    flops: Amounts | None = Field(default=None, description="inference FLOPs per task; needs cost.parameters")
    on_dead: Literal["exhaust", "stop"] = Field(default="exhaust", description="what a dead trace uses")

    @model_validator(mode="after")
    def _one_unit(self):
        given = [unit for unit in UNITS if getattr(self, unit) is not None]
        if not given:
            raise refuse(f"gives no budget: add one of {', '.join(UNITS)}, for example steps = [50, 100]")
        if len(given) > 1:
            raise refuse(f"gives {' and '.join(given)}: keep exactly one of them")
        return self

    @property
    def unit(self) -> str:
        """The unit in which the budgets are given."""
        return next(unit for unit in UNITS if getattr(self, unit) is not None)

    @property
    def amounts(self) -> tuple[int, ...] | tuple[float, ...]:
        """The budgets, in that unit."""
        return getattr(self, self.unit)


Size = Annotated[NotNegative, Field(le=MOST_COST)]
Count = Annotated[Whole, Field(ge=0, le=10**60)]
LAWS = ("aspect", "table")
"""Keys of [cost] that an allocation alone takes."""
SIZES = ("parameters", "layers", "attention_width", "attention", "shared_prefill")
"""Keys of [cost] that a study alone takes: an allocation chooses the size of the model."""


class CostTable(Table):
    """Tokens and FLOPs. Without ``parameters`` only tokens are reported; an allocation chooses them itself."""

    tokens_per_step: Annotated[Positive, Field(le=MOST_COST)] = Field(
        default=TOKENS_PER_STEP, description="omega, output tokens of one step"
    )
    parameters: Annotated[Positive, Field(le=MOST_COST)] | None = Field(
        default=None, description="N, non-embedding parameters"
    )
    prompt_tokens: Size = Field(default=0.0, description="omega_p, tokens of the prompt")
    layers: Count = Field(default=0, description="n_layer of the transformer")
    attention_width: Count = Field(default=0, description="d_attn of the transformer")
    attention: Truth = Field(default=True, description="false: parameter-only accounting")
    shared_prefill: Truth = Field(default=True, description="false: each of n traces pays the prompt")
    aspect: Positive | None = Field(
        default=None, description="of an allocation: width over layers, charges attention by (16)"
    )
    table: tuple[tuple[Positive, Positive, Positive], ...] | None = Field(
        default=None,
        description="of an allocation: rows [N, layers, width]; their power law charges attention by (16)",
    )

    @model_validator(mode="after")
    def _one_way(self):
        if self.aspect is not None and self.table is not None:
            raise refuse("stands beside aspect: keep one of them", "table")
        if self.table is not None:
            try:
                Architecture.of_table(self.table)
            except InputError as error:
                raise refuse(str(error), "table") from None
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


class EngineTable(Table):
    """How the numbers are had. The keys of the random engines are ignored by exact and closed_form."""

    kind: Literal["traces", "population", "importance", "exact", "closed_form"] = Field(
        default="traces", description="engine"
    )
    traces: Annotated[Whole, Field(ge=1, le=MOST_TRACES)] = Field(
        default=1_000_000, description="trials of the whole task"
    )
    relative_error: Annotated[Number, Field(ge=1e-6, lt=1)] | None = Field(
        default=None, description="go on until the standard error of success is this share of it, at every budget"
    )
    max_traces: Annotated[Whole, Field(ge=1, le=MOST_TRACES)] | None = Field(
        default=None, description="stop here although relative_error is not reached"
    )
    chunk: Annotated[Whole, Field(ge=1, le=MOST_LANES)] | None = Field(
        default=None, description="trials at once; never changes results"
    )
    macro_steps: Annotated[Whole, Field(ge=1, le=1024)] | None = Field(
        default=None, description="steps per draw, part of the random stream; chosen when left out"
    )

    @model_validator(mode="after")
    def _limit(self):
        if self.max_traces is not None and self.relative_error is None:
            raise refuse("has no effect without relative_error: remove it, or add relative_error", "max_traces")
        return self

    @property
    def random(self) -> bool:
        """Whether it simulates."""
        return ENGINES[self.kind].random

    @property
    def options(self) -> EngineOptions:
        """What the engine heeds of them."""
        return EngineOptions.heeded(**self.model_dump())


class SweepTable(Table):
    """Axes of a sweep."""

    axes: dict[str, Any] = Field(default_factory=dict, description="dotted keys of the config, and their values")
    zip: Any = Field(default=(), description="lists of keys that vary together, and make one axis")
    match: Literal["flops"] | None = Field(
        default=None, description="flops: budgets of one chain of thought; everybody else gets as many FLOPs"
    )


class SimulationTable(Table):
    """What a training simulates beside the formulas."""

    enabled: Truth = Field(default=True, description="false: formulas only")
    graphs: Annotated[Whole, Field(ge=1, le=100_000)] = Field(default=100, description="concept-text graphs to peel")
    concepts: Annotated[Whole, Field(ge=100, le=1_000_000)] = Field(
        default=10_000, description="concepts of a peeled graph at most; a larger model is scaled down to it"
    )
    models: Annotated[Whole, Field(ge=1, le=10_000)] = Field(default=4, description="models whose skills are sampled")


# ---- allocations --------------------------------------------------------------------------------


def _known_constants(value: Any) -> LossConstants:
    if not isinstance(value, str | Mapping | LossConstants):
        raise refuse("must be a name or a table with E, A, B, alpha, beta")
    try:
        return constants_of(value)
    except InputError as error:
        raise refuse(str(error).split(": ", 1)[-1] if isinstance(value, str) else str(error)) from None


def _pair(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise refuse("must be two numbers: [least, most]")
    return value


Ends = Annotated[tuple[Positive, Positive], BeforeValidator(_pair, json_schema_input_type=list[float])]
Constants = Annotated[
    LossConstants, BeforeValidator(_known_constants, json_schema_input_type=str | dict[str, float | str])
]


class AllocateTable(Table):
    """What an allocation is asked."""

    mode: Literal["global", "chinchilla", "fixed_tokens", "fixed_demand", "inference_optimal"] = Field(
        default="global", description="what is optimised"
    )
    compute: Annotated[tuple[Positive, ...], NUMBERS] = Field(description="C in FLOPs")
    tasks: NotNegative = Field(default=1e9, description="I, inference tasks over the lifetime")
    constants: Constants = Field(
        default_factory=lambda: constants_of("hoffmann"),
        description="hoffmann, hoffmann_source, epoch, or a table with E, A, B, alpha, beta",
    )
    kappa: Positive = Field(default=20.0, description="D/N of the Chinchilla rule")
    tokens_per_task: Positive | None = Field(default=None, description="omega K of fixed_tokens")
    demand_tokens: NotNegative | None = Field(default=None, description="D_inf of fixed_demand")
    compare: Truth = Field(default=True, description="set the global optimum beside D = kappa N (mode global)")
    check: Truth = Field(default=False, description="solve again by gradients and show the difference (mode global)")

    @model_validator(mode="after")
    def _belong(self):
        for key, mode in (("tokens_per_task", "fixed_tokens"), ("demand_tokens", "fixed_demand")):
            given = getattr(self, key) is not None
            if self.mode == mode and not given:
                raise refuse(f"needs {key}: add it", "mode")
            if given and self.mode != mode:
                raise refuse(f"has no effect with mode = {self.mode}: remove it, or use mode {mode}", key)
        return self


class BoxTable(Table):
    """Where an optimum is searched."""

    parameters: Ends = Field(default=(1e7, 1e14), description="least and most N")
    tokens: Ends = Field(default=(1e7, 1e14), description="least and most D")
    steps: Annotated[Whole, Field(ge=1, le=10**9)] = Field(default=10**7, description="most steps K")

    @model_validator(mode="after")
    def _ordered(self):
        for key in ("parameters", "tokens"):
            low, high = getattr(self, key)
            if not low < high:
                raise refuse("must be in order: [least, most]", key)
        return self


# ---- the whole ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Origin:
    """Where a config comes from; of no account when configs are compared.

    Attributes:
        source: the file as the user named it.
        folder: what paths in the config are relative to.
        raw: its tables, checked and in today's spelling, without [sweep].
        axes: of the sweep.
        overrides: (path, value, what the user typed) of what was changed.
        notes: one line for each old spelling.
    """

    source: str = field(default="config", compare=False)
    folder: Path = field(default=Path("."), compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)
    axes: tuple[Any, ...] = field(default=(), compare=False)
    overrides: tuple[tuple[tuple[str, ...], Any, str], ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def place(self, path: tuple) -> str:
        """Who is to blame for a key: an override or the file."""
        for typed, _, text in reversed(self.overrides):
            if tuple(path[: len(typed)]) == typed:
                return text
        return self.source


class Config(Table):
    """A config: a graph or tasks, strategies, budgets, cost, engine; axes; a training; an allocation.

    Its fields are the tables; :func:`ds3sim.read_config` makes it.

    Example:
        >>> import ds3sim as ds
        >>> config = ds.Study(ds.SkillGraph.chain(4, 0.2), steps=[10, 20]).config
        >>> config.graph.success, config.budget.steps, config.engine.kind
        (0.2, (10, 20), 'traces')
    """

    name: Text | None = Field(default=None, description="name of the study; the file's name when left out")
    seed: Seed = Field(default=0, description="seed of everything random")
    graph: Graph | None = Field(default=None, description="the skill graph")
    tasks: TasksTable | None = Field(default=None, description="instead of a graph: a distribution of tasks")
    model: LanguageModel | None = Field(default=None, description="the language model, for [tasks]")
    strategy: StrategyTable | None = Field(default=None, description="the strategy")
    strategies: dict[str, StrategyTable] | None = Field(
        default=None, description="several strategies side by side, by name"
    )
    budget: BudgetTable | None = Field(default=None, description="the budgets")
    cost: CostTable | None = Field(default=None, description="cost model")
    engine: EngineTable = Field(default_factory=EngineTable, description="engine")
    sweep: SweepTable | None = Field(default=None, description="axes of a sweep")
    simulation: SimulationTable = Field(
        default=SimulationTable.model_validate({}), description="what a training simulates beside the formulas"
    )
    allocate: AllocateTable | None = Field(default=None, description="an allocation of a lifetime's compute")
    box: BoxTable = Field(default=BoxTable.model_validate({}), description="where an allocation is searched")
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @model_validator(mode="after")
    def _strategies(self):
        if self.strategies is not None:
            if self.strategy is not None:
                raise refuse("stands beside strategy: move the [strategy] table into [strategies.NAME]", "strategies")
            if not self.strategies:
                raise refuse("is empty: add a table [strategies.NAME]", "strategies")
            if any(not name.strip() for name in self.strategies):
                raise refuse("holds a strategy without a name: name it, as in [strategies.tot4]", "strategies")
        return self

    @model_validator(mode="after")
    def _together(self):
        if self.tasks is not None and self.graph is not None:
            raise refuse("stands beside [graph]: keep one of them", "tasks")
        own = isinstance(self.model, TripartiteModel)  # its N is the cost's
        sized = own or (self.cost is not None and self.cost.parameters is not None)
        if self.budget is not None and self.budget.flops is not None and not sized:
            raise refuse("needs a cost model: add [cost] with parameters, or give the budget in tokens", "budget.flops")
        if self.cost is not None:
            studied, allocated = self.budget is not None or self.graph is not None, self.allocate is not None
            for key in (*(() if allocated else LAWS), *(SIZES if allocated and not studied else ())):
                if key in self.cost.model_fields_set:
                    where = "without [allocate]" if key in LAWS else "in an allocation"
                    raise refuse(f"has no effect {where}: remove it", f"cost.{key}")
        return self

    @property
    def kind(self) -> str:
        """What the tables say that it is: ``allocation``, ``study`` or ``training``; others may do too."""
        if self.allocate is not None:
            return "allocation"
        studied = self.graph is not None or self.tasks is not None or self.budget is not None
        return "training" if self.model is not None and not studied else "study"

    @property
    def origin(self) -> Origin:
        """Where it comes from."""
        return self._origin

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
