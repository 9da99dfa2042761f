"""The config of ``ds3sim allocate``: tables, checks, and the way to a :class:`~ds3sim.allocate.solve.Problem`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from ds3sim.allocate.solve import Problem
from ds3sim.config import read as load
from ds3sim.config.tables import Model, Number, Text, Truth, Whole, refuse
from ds3sim.core.errors import InputError
from ds3sim.theory.difficulty import Bridge, Mixture
from ds3sim.theory.loss import LossConstants, constants_of
from ds3sim.theory.spending import Architecture, Box

MOST_POINTS = 1000
MOST_TASKS = 200_000
_NORMAL_POINTS = 21


def _spread(value, log: bool):
    """``[lo, hi, points]`` as numbers."""
    ok = isinstance(value, list | tuple) and len(value) == 3
    ok = ok and all(isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v) for v in value)
    if not ok:
        raise refuse(f"{'log' if log else 'linear'} must be three numbers: [from, to, points]")
    low, high, count = value
    if count != int(count) or not 1 <= count <= MOST_POINTS:
        raise refuse(f"has {count:g} points: give a whole number between 1 and {MOST_POINTS}")
    if log and not (low > 0 and high > 0):
        raise refuse("log needs ends above 0")
    return tuple(float(v) for v in (np.geomspace if log else np.linspace)(low, high, int(count)))


def _many(value):
    """A number, a list, ``{log = [lo, hi, points]}`` or ``{linear = [lo, hi, points]}``."""
    if isinstance(value, Mapping):
        if len(value) != 1 or next(iter(value)) not in ("log", "linear"):
            raise refuse("must be a list, or {log = [from, to, points]}, or {linear = [from, to, points]}")
        ((kind, given),) = value.items()
        return _spread(given, kind == "log")
    value = value if isinstance(value, list | tuple) else (value,)
    if not value:
        raise refuse("is an empty list: give at least one number")
    return value


def _counts(value):
    """As :func:`_many`, and ``{range = [first, last]}``."""
    if isinstance(value, Mapping) and set(value) == {"range"}:
        ends = value["range"]
        ok = isinstance(ends, list | tuple) and len(ends) == 2
        ok = (
            ok
            and all(isinstance(v, int) and not isinstance(v, bool) for v in ends)
            and 1 <= ends[0] <= ends[1] <= 10**5
        )
        if not ok:
            raise refuse("range must be two whole numbers: [first, last]")
        return tuple(range(ends[0], ends[1] + 1))
    return _many(value)


def _known_constants(value):
    if not isinstance(value, str | Mapping | LossConstants):
        raise refuse("must be a name or a table with E, A, B, alpha, beta")
    try:
        return constants_of(value)
    except InputError as error:
        raise refuse(str(error).split(": ", 1)[-1] if isinstance(value, str) else str(error)) from None


def _pair(value):
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise refuse("must be two numbers: [least, most]")
    return value


Positive = Annotated[Number, Field(gt=0)]
Ends = Annotated[tuple[Positive, Positive], BeforeValidator(_pair)]
Compute = Annotated[tuple[Positive, ...], BeforeValidator(_many)]
Numbers = Annotated[tuple[Number, ...], BeforeValidator(_many)]
SkillCounts = Annotated[tuple[Annotated[Whole, Field(ge=1, le=10**5)], ...], BeforeValidator(_counts)]
Constants = Annotated[LossConstants, BeforeValidator(_known_constants)]
Mode = Literal["global", "chinchilla", "fixed_tokens", "fixed_demand", "inference_optimal"]


class AllocateTable(Model):
    """What is asked."""

    mode: Mode = Field(default="global", description="what is optimised")
    compute: Compute = Field(description="C in FLOPs: a number, a list, or {log = [from, to, points]}")
    tasks: Annotated[Number, Field(ge=0)] = Field(default=1e9, description="I, inference tasks over the lifetime")
    constants: Constants = Field(
        default_factory=lambda: constants_of("hoffmann"),
        description="hoffmann, hoffmann_source, epoch, or a table with E, A, B, alpha, beta",
    )
    kappa: Positive = Field(default=20.0, description="D/N of the Chinchilla rule")
    tokens_per_task: Positive | None = Field(default=None, description="omega K of fixed_tokens")
    demand_tokens: Annotated[Number, Field(ge=0)] | None = Field(default=None, description="D_inf of fixed_demand")
    compare: Truth = Field(True, description="set the global optimum beside D = kappa N (mode global)")
    check: Truth = Field(False, description="solve again by gradients and show the difference (mode global)")

    @model_validator(mode="after")
    def _belong(self):
        for key, mode in (("tokens_per_task", "fixed_tokens"), ("demand_tokens", "fixed_demand")):
            given = getattr(self, key) is not None
            if self.mode == mode and not given:
                raise refuse(f"needs {key}: add it", "mode")
            if given and self.mode != mode:
                raise refuse(f"has no effect with mode = {self.mode}: remove it, or use mode {mode}", key)
        return self


class NormalEase(Model):
    """L0 with a normal law."""

    mean: Number = Field(description="mean of L0")
    sd: Annotated[Number, Field(ge=0)] = Field(description="standard deviation of L0")


class TaskGroup(Model):
    """Tasks of equally many skills, L0 normal."""

    skills: Annotated[Whole, Field(ge=1, le=10**5)] = Field(description="m")
    weight: Annotated[Number, Field(ge=0)] = Field(default=1.0, description="share of the tasks, relative")
    L0: NormalEase = Field(description="mean and sd of L0")


class TasksTable(Model):
    """phi: all pairs of ``L0`` and ``skills``, or ``groups``."""

    skills: SkillCounts | None = Field(default=None, description="m: a list, or {range = [first, last]}")
    L0: Numbers | None = Field(default=None, description="how easy: a list, or {linear = [from, to, points]}")
    weights: tuple[tuple[Number, ...], ...] | None = Field(
        default=None, description="phi as [L0][skills]; uniform when left out"
    )
    groups: tuple[TaskGroup, ...] | None = Field(default=None, description="instead: groups of equal m, L0 normal")

    @model_validator(mode="after")
    def _one_way(self):
        grid = self.skills is not None or self.L0 is not None or self.weights is not None
        if grid and self.groups is not None:
            raise refuse("stands beside skills, L0 or weights: keep one way to give the tasks", "groups")
        if self.groups is not None:
            if not self.groups:
                raise refuse("is an empty list: give at least one group", "groups")
            return self
        for key in ("skills", "L0"):
            if getattr(self, key) is None:
                raise refuse("is missing: give skills and L0, or groups", key)
        assert self.skills is not None and self.L0 is not None
        if len(self.skills) * len(self.L0) > MOST_TASKS:
            raise refuse(f"make {len(self.skills) * len(self.L0)} tasks: at most {MOST_TASKS} can be averaged over")
        if self.weights is not None:
            shape = {len(row) for row in self.weights}
            if len(self.weights) != len(self.L0) or shape != {len(self.skills)}:
                raise refuse(f"must have {len(self.L0)} rows (L0) of {len(self.skills)} numbers (skills)", "weights")
            if min(min(row) for row in self.weights) < 0 or not any(any(row) for row in self.weights):
                raise refuse("must be at least 0, and not all 0", "weights")
        return self

    def mixture(self, bridge: Bridge) -> Mixture:
        """The tasks."""
        if self.groups is None:
            assert self.L0 is not None and self.skills is not None
            return Mixture.grid(self.L0, self.skills, self.weights, bridge)
        # Gauss-Hermite nodes stand for the normal law.
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NORMAL_POINTS)
        weights = weights / weights.sum()
        ease = np.concatenate([g.L0.mean + g.L0.sd * nodes for g in self.groups])
        skills = np.repeat([g.skills for g in self.groups], nodes.size)
        return Mixture(ease, skills, np.concatenate([g.weight * weights for g in self.groups]), bridge)


class ModelTable(Model):
    """The bridge (25)."""

    a: Positive = Field(default=1.0, description="scale of the sigmoid")
    d: Number = Field(default=0.0, description="offset")
    iota: Positive = Field(default=1.0, description="factor of the instruction tuning")
    b: Positive = Field(default=5.0, description="steepness in the loss")


class CostTable(Model):
    """Tokens of a step, and attention if wanted."""

    tokens_per_step: Positive = Field(default=25.0, description="omega")
    prompt_tokens: Annotated[Number, Field(ge=0)] = Field(default=0.0, description="omega_p, with attention only")
    aspect: Positive | None = Field(default=None, description="width over layers: charges attention by (16)")
    table: tuple[tuple[Positive, Positive, Positive], ...] | None = Field(
        default=None, description="rows [N, layers, width]: their power law charges attention by (16)"
    )

    @model_validator(mode="after")
    def _one_way(self):
        if self.aspect is not None and self.table is not None:
            raise refuse("stands beside aspect: keep one of them", "table")
        if self.prompt_tokens > 0 and self.aspect is None and self.table is None:
            raise refuse("has no effect without attention: add aspect or table, or remove it", "prompt_tokens")
        if self.table is not None:
            try:
                Architecture.of_table(self.table)
            except InputError as error:
                raise refuse(str(error), "table") from None
        return self

    @property
    def shape(self) -> Architecture:
        """n_layer d_attn as a function of N."""
        if self.table is not None:
            return Architecture.of_table(self.table)
        return Architecture() if self.aspect is None else Architecture.of_aspect(self.aspect)


class BoxTable(Model):
    """Where the optimum is searched."""

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


class AllocateConfig(Model):
    """An allocation study."""

    name: Text | None = Field(default=None, description="name of the study; the file's name when left out")
    allocate: AllocateTable = Field(description="what is asked")
    tasks: TasksTable = Field(description="the tasks")
    model: ModelTable = Field(default_factory=ModelTable, description="from loss to step success")
    cost: CostTable = Field(default_factory=CostTable, description="tokens and attention")
    box: BoxTable = Field(default_factory=BoxTable, description="where to search")

    def problem(self, constants: LossConstants | None = None) -> Problem:
        """The problem, with other loss ``constants`` where given."""
        bridge = Bridge(self.model.a, self.model.d, self.model.iota, self.model.b)
        return Problem(
            tasks=self.tasks.mixture(bridge),
            demand=self.allocate.tasks,
            constants=constants or self.allocate.constants,
            kappa=self.allocate.kappa,
            tokens_per_step=self.cost.tokens_per_step,
            prompt_tokens=self.cost.prompt_tokens,
            shape=self.cost.shape,
            box=Box(self.box.parameters, self.box.tokens, self.box.steps),
        )


TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): AllocateConfig,
    ("allocate",): AllocateTable,
    ("tasks",): TasksTable,
    ("model",): ModelTable,
    ("cost",): CostTable,
    ("box",): BoxTable,
}


def read_allocate_config(path, overrides: Iterable[load.Override] = ()) -> AllocateConfig:
    """The checked config of a TOML file.

    Raises:
        InputError: one line naming the file or the option, the key, the value, the cause and the fix.
    """
    overrides = list(overrides)
    data = load.apply_overrides(load.read_toml(path), overrides)

    def place(at: tuple) -> str:
        for typed, _, text in reversed(overrides):
            if tuple(at[: len(typed)]) == typed:
                return text
        return str(path)

    for at, model in TABLES.items():
        table = load._at(data, at)
        for key in table if isinstance(table, Mapping) else ():
            if key not in model.model_fields:
                raise InputError(f"{place((*at, key))}: {_unknown(str(key), at, model)}")
    try:
        return AllocateConfig.model_validate(data)
    except ValidationError as error:
        raise InputError(load._first(error, data, place)) from None


def _unknown(key: str, at: tuple[str, ...], model: type[BaseModel]) -> str:
    name = load.dotted((*at, key))
    here = {known.lower(): known for known in model.model_fields}
    near = difflib.get_close_matches(key.lower(), here, n=1, cutoff=0.6)
    if near:
        return f"unknown key {name}: did you mean {load.dotted((*at, here[near[0]]))}?"
    leaves = {
        known.lower(): load.dotted((*path, known)) for path, other in TABLES.items() for known in other.model_fields
    }
    near = difflib.get_close_matches(key.lower(), leaves, n=1, cutoff=0.75)
    if near:
        return f"unknown key {name}: did you mean {leaves[near[0]]}?"
    return f"unknown key {name}: known keys here are {', '.join(model.model_fields)}"
