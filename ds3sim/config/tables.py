"""The config file as frozen models: which keys there are, of what type, and in what range.

Reading, overrides and error texts live in :mod:`ds3sim.config.read`, the way to tasks in
:mod:`ds3sim.config.build`. Keys with a default may be left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ds3sim.engine.limits import MOST_TRACES
from ds3sim.graph.generators import MOST_SKILLS
from ds3sim.task.aggregate import MOST_TRACES_PER_TASK
from ds3sim.task.budget import MOST_STEPS
from ds3sim.task.steps import MOST_BRANCHES
from ds3sim.theory.cost import MOST as MOST_COST

MOST_SEED = 2**63 - 1


def refuse(message: str, key: str | None = None) -> PydanticCustomError:
    """An error for a validator to raise; ``key`` names the key below the place where it happens."""
    return PydanticCustomError("refused", "{message}", {"message": message, "key": key})


def _number(value):
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse("must be a number")
    if not _finite(value):
        raise refuse("must be a finite number")
    return float(value)


def _finite(value: int | float) -> bool:
    """False too for an int that no float can hold."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _whole(value):
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse("must be a whole number")
    if isinstance(value, float) and not value.is_integer():  # so are NaN and infinity
        raise refuse("must be a whole number")
    return int(value)


def _text(value):
    if not isinstance(value, str) or not value.strip():
        raise refuse("must be a text in quotes that is not empty")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise refuse("must be one line without control characters")
    if any("\ud800" <= character <= "\udfff" for character in value):  # bytes of an argument that are not UTF-8
        raise refuse("must be UTF-8 text")
    return value


def _truth(value):
    if not isinstance(value, bool):
        raise refuse("must be true or false")
    return value


def _name(value):
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise refuse("cannot name a node: use a text that is not empty, or an integer")
    return value


def _names(value):
    if isinstance(value, list | tuple):
        if not value:
            raise refuse("is an empty list: name at least one node, or leave the key out")
        return tuple(_name(v) for v in value)
    return (_name(value),)


def _start(value):
    if isinstance(value, Mapping):
        if not value:
            raise refuse("is an empty table: give a probability to at least one node")
        for name, share in value.items():
            if isinstance(share, bool) or not isinstance(share, int | float) or not _finite(share):
                raise refuse("must be a finite number", name)
        return {str(name): float(share) for name, share in value.items()}
    return _names(value) if isinstance(value, list | tuple) else _name(value)


def _some(value):
    """One number stands for a list of one."""
    if isinstance(value, list | tuple):
        if not value:
            raise refuse("is an empty list: give at least one number")
        return value
    return (value,)


Number = Annotated[float, BeforeValidator(_number)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_text)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Names = Annotated[tuple[str | int, ...], BeforeValidator(_names)]
NamesOrNone = Annotated[tuple[str | int, ...], BeforeValidator(lambda value: () if value == [] else _names(value))]
Start = Annotated[str | int | tuple[str | int, ...] | dict[str, float], BeforeValidator(_start)]
Scores = dict[str, Number]
Steps = Annotated[tuple[Annotated[Whole, Field(ge=0, le=MOST_STEPS)], ...], BeforeValidator(_some)]
Counts = Annotated[tuple[Annotated[Whole, Field(ge=0, le=10**30)], ...], BeforeValidator(_some)]
Amounts = Annotated[tuple[Annotated[Number, Field(gt=0)], ...], BeforeValidator(_some)]
Weights = Annotated[tuple[Fraction, ...], BeforeValidator(_some)]
Seed = Annotated[Whole, Field(ge=0, le=MOST_SEED)]


class Model(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Graph(Model):
    feasible: Fraction = Field(default=1.0, description="gamma^m, probability that the task is feasible")


class ChainGraph(_Graph):
    """The paper's chain of m skills."""

    kind: Literal["chain"] = "chain"
    skills: Annotated[Whole, Field(ge=1, le=MOST_SKILLS)] = Field(description="m, number of skills")
    success: Fraction = Field(description="r, chance that one step moves on")


class FileGraph(_Graph):
    """A graph from a CSV edge list, node-link JSON or GraphML."""

    kind: Literal["file"] = "file"
    path: Text = Field(description="file of edges, relative to the config's folder")
    start: Start | None = Field(default=None, description="a node, a list of nodes, or a table of probabilities")
    goal: Names | None = Field(default=None, description="goal node or nodes")
    dead: NamesOrNone | None = Field(default=None, description="nodes from which the task cannot be solved")
    score: Scores | None = Field(default=None, description="the evaluator's score for every node, larger is better")


class LayeredGraph(_Graph):
    """Layers of interchangeable skills between a start and a goal."""

    kind: Literal["layered"] = "layered"
    layers: Annotated[Whole, Field(ge=1, le=MOST_SKILLS)] = Field(description="number of layers")
    width: Annotated[Whole, Field(ge=1, le=MOST_SKILLS)] = Field(description="skills in a layer")
    success: Fraction = Field(description="chance that one step reaches the next layer")
    back: Fraction = Field(default=0.0, description="chance that one step falls back a layer")
    death: Fraction = Field(default=0.0, description="chance that one step reaches the dead end")
    seed: Seed = Field(default=0, description="seed of the graph's own randomness")


class RandomGraph(_Graph):
    """A random graph."""

    kind: Literal["random"] = "random"
    skills: Annotated[Whole, Field(ge=2, le=MOST_SKILLS)] = Field(description="number of nodes")
    success: Fraction = Field(description="chance that one step reaches another skill")
    degree: Annotated[Whole, Field(ge=1, le=MOST_SKILLS)] = Field(default=4, description="successors of a node")
    death: Fraction = Field(default=0.0, description="chance that one step reaches the dead end")
    seed: Seed = Field(default=0, description="seed of the graph's own randomness")


class LatentGraph(Model):
    """Tasks of different success rates R: 0 with chance 1 - solvable, else Beta(alpha, beta); one step decides."""

    kind: Literal["latent"] = "latent"
    solvable: Fraction = Field(default=1.0, description="A, share of tasks that can be solved")
    alpha: Annotated[Number, Field(gt=0)] = Field(description="of the beta law of success rates")
    beta: Annotated[Number, Field(gt=0)] = Field(description="of the beta law of success rates")


class VerifierModel(Model):
    """Which traces of best_of_n are accepted."""

    true_positive: Fraction = Field(default=1.0, description="chance to accept a correct trace")
    false_positive: Fraction = Field(default=0.0, description="chance to accept a wrong trace")
    fallback: Literal["random", "abstain"] = Field(default="random", description="when no trace is accepted")


class GeometricModel(Model):
    """(11): truncated geometric wrong answers."""

    kind: Literal["geometric"] = "geometric"
    categories: Annotated[Whole, Field(ge=2, le=4096)] = Field(
        default=11, description="M, answers, the correct one included"
    )
    decay: Fraction = Field(default=0.746, description="lambda")


class UniformModel(Model):
    """All wrong answers alike."""

    kind: Literal["uniform"]
    categories: Annotated[Whole, Field(ge=2, le=4096)] = Field(
        default=11, description="M, answers, the correct one included"
    )


class ZipfModel(Model):
    """The j-th wrong answer has weight j^-exponent."""

    kind: Literal["zipf"]
    categories: Annotated[Whole, Field(ge=2, le=4096)] = Field(
        default=11, description="M, answers, the correct one included"
    )
    exponent: Annotated[Number, Field(ge=0, le=100)] = Field(default=1.0, description="s of j^-s")


class WeightsModel(Model):
    """Chances of the wrong answers as given."""

    kind: Literal["weights"]
    weights: Weights = Field(description="one chance for each wrong answer, sum 1")


Errors = Annotated[GeometricModel | UniformModel | ZipfModel | WeightsModel, Field(discriminator="kind")]

# Key -> (the key that decides, its values with which the first one has a meaning).
BELONGS = {
    "branches": ("step", ("tot", "beam")),
    "evaluator_error": ("step", ("tot", "beam")),
    "discount": ("step", ("tot", "beam")),
    "width": ("step", ("beam",)),
    "n": ("aggregate", ("best_of_n", "majority")),
    "verifier": ("aggregate", ("best_of_n",)),
    "errors": ("aggregate", ("majority",)),
    "ties": ("aggregate", ("majority",)),
}


class Strategy(Model):
    """Step policy and aggregator."""

    step: Literal["cot", "tot", "beam"] = Field(default="cot", description="step policy")
    branches: Annotated[Whole, Field(ge=1, le=MOST_BRANCHES)] = Field(default=1, description="b, proposals (tot, beam)")
    width: Annotated[Whole, Field(ge=1, le=1024)] = Field(default=2, description="w, particles (beam)")
    evaluator_error: Fraction = Field(
        default=0.0, description="chance that the kept proposal is a random one (tot, beam)"
    )
    discount: Annotated[Number, Field(gt=0, lt=1)] = Field(
        default=0.99, description="d of the default score (tot, beam)"
    )
    aggregate: Literal["single", "best_of_n", "majority"] = Field(default="single", description="what n traces become")
    n: Annotated[Whole, Field(ge=1, le=MOST_TRACES_PER_TASK)] = Field(default=1, description="traces per task")
    feasibility: Literal["per_task", "per_trace"] = Field(default="per_task", description="who draws feasibility")
    verifier: VerifierModel | None = Field(default=None, description="verifier (best_of_n)")
    errors: Errors | None = Field(default=None, description="wrong answers (majority)")
    ties: Literal["random", "wrong"] = Field(default="random", description="what a tied vote becomes (majority)")

    def dump(self) -> dict:
        """The keys that have an effect, with their values."""
        idle = {key for key, (decider, values) in BELONGS.items() if getattr(self, decider) not in values}
        return self.model_dump(exclude_none=True, exclude=idle)

    @model_validator(mode="after")
    def _belong(self):
        for key, (decider, values) in BELONGS.items():
            chosen, value = getattr(self, decider), getattr(self, key)
            if chosen not in values and value != type(self).model_fields[key].default:
                raise refuse(f"has no effect with {decider} = {chosen}: remove it, or use {' or '.join(values)}", key)
        if self.step == "beam" and self.branches > 1024:
            raise refuse("must be at most 1024 with step = beam", "branches")
        return self


UNITS = ("steps", "steps_per_trace", "tokens", "flops")


class Budget(Model):
    """What a task may use, in one unit."""

    steps: Steps | None = Field(default=None, description="K, steps per task, shared by its n traces: floor(K/n) each")
    steps_per_trace: Steps | None = Field(default=None, description="steps of each trace")
    tokens: Counts | None = Field(default=None, description="output tokens per task, all branches and traces together")
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


class Cost(Model):
    """Tokens and FLOPs. Without ``parameters`` only tokens are reported."""

    tokens_per_step: Annotated[Number, Field(gt=0, le=MOST_COST)] = Field(
        default=25.0, description="omega, output tokens of one step"
    )
    parameters: Annotated[Number, Field(gt=0, le=MOST_COST)] | None = Field(
        default=None, description="N, non-embedding parameters"
    )
    prompt_tokens: Annotated[Number, Field(ge=0, le=MOST_COST)] = Field(
        default=0.0, description="omega_p, tokens of the prompt"
    )
    layers: Annotated[Whole, Field(ge=0, le=MOST_COST)] = Field(default=0, description="n_layer of the transformer")
    attention_width: Annotated[Whole, Field(ge=0, le=MOST_COST)] = Field(
        default=0, description="d_attn of the transformer"
    )
    attention: Truth = Field(True, description="false: parameter-only accounting")
    shared_prefill: Truth = Field(True, description="false: each of n traces pays the prompt")


class Engine(Model):
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
    chunk: Annotated[Whole, Field(ge=1, le=2**26)] | None = Field(
        default=None, description="trials at once; never changes results"
    )

    @model_validator(mode="after")
    def _limit(self):
        if self.max_traces is not None and self.relative_error is None:
            raise refuse("has no effect without relative_error: remove it, or add relative_error", "max_traces")
        return self


Graph = Annotated[ChainGraph | FileGraph | LayeredGraph | RandomGraph | LatentGraph, Field(discriminator="kind")]


class Config(Model):
    """A study: a graph, one or several strategies, budgets, cost, engine."""

    name: Text | None = Field(default=None, description="name of the study; the file's name when left out")
    seed: Seed = Field(default=0, description="seed of everything random")
    graph: Graph = Field(description="the skill graph")
    strategy: Strategy | None = Field(default=None, description="the strategy")
    strategies: dict[str, Strategy] | None = Field(default=None, description="several strategies side by side, by name")
    budget: Budget = Field(description="the budgets")
    cost: Cost | None = Field(default=None, description="cost model")
    engine: Engine = Field(default_factory=Engine, description="engine")

    @model_validator(mode="after")
    def _strategies(self):
        if self.strategies is not None:
            if self.strategy is not None:
                raise refuse("stands beside strategy: move the [strategy] table into [strategies.NAME]", "strategies")
            if not self.strategies:
                raise refuse("is empty: add a table [strategies.NAME]", "strategies")
            if any(not name.strip() for name in self.strategies):
                raise refuse("holds a strategy without a name: name it, as in [strategies.tot4]", "strategies")
        if self.budget.flops is not None and (self.cost is None or self.cost.parameters is None):
            raise refuse("needs a cost model: add [cost] with parameters, or give the budget in tokens", "budget.flops")
        return self

    @property
    def by_name(self) -> dict[str | None, Strategy]:
        """The strategies by name; a single one has the name None."""
        if self.strategies is not None:
            return {name: strategy for name, strategy in self.strategies.items()}  # noqa: C416
        return {None: self.strategy if self.strategy is not None else Strategy()}
