"""The table of a strategy, and the way from it to the records and back.

The names and keys follow from ``STEP_POLICIES`` and ``AGGREGATORS``: a key is called as the field is. The ranges and
descriptions of keys are written out here; a field without any becomes a key of its type.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, create_model, model_validator

from ds3sim.config.values import NUMBERS, NotNegative, Number, Share, Table, Text, Truth, Whole, refuse
from ds3sim.core.errors import InputError, shown
from ds3sim.task.aggregate import AGGREGATORS, MOST_TRACES_PER_TASK, Single, Verifier
from ds3sim.task.steps import MOST_BRANCHES, STEP_POLICIES
from ds3sim.task.task import Strategy
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors


class _Record(Table):
    """A table that stands for a record."""

    @abstractmethod
    def build(self) -> Any:
        """The record."""


STEPS: dict[str, type] = {kind.name: kind for kind in STEP_POLICIES}
AGGREGATES: dict[str, type] = {kind.name: kind for kind in AGGREGATORS}


class VerifierTable(_Record):
    """Which traces of best_of_n are accepted."""

    true_positive: Share = Field(default=1.0, description="chance to accept a correct trace")
    false_positive: Share = Field(default=0.0, description="chance to accept a wrong trace")
    fallback: Literal["random", "abstain"] = Field(default="random", description="when no trace is accepted")

    def build(self) -> Verifier:
        """The record."""
        return Verifier(**self.model_dump())


Categories = Annotated[Whole, Field(ge=2, le=4096)]


class GeometricTable(_Record):
    """(11): truncated geometric wrong answers."""

    kind: Literal["geometric"] = "geometric"
    categories: Categories = Field(default=11, description="M, answers, the correct one included")
    decay: Share = Field(default=0.746, description="lambda")

    def build(self) -> GeometricErrors:
        """The record."""
        return GeometricErrors(self.categories, self.decay)


class UniformTable(_Record):
    """All wrong answers alike."""

    kind: Literal["uniform"]
    categories: Categories = Field(default=11, description="M, answers, the correct one included")

    def build(self) -> GeometricErrors:
        """The record."""
        return GeometricErrors(self.categories, 1.0)


class ZipfTable(_Record):
    """The j-th wrong answer has weight j^-exponent."""

    kind: Literal["zipf"]
    categories: Categories = Field(default=11, description="M, answers, the correct one included")
    exponent: Annotated[NotNegative, Field(le=100)] = Field(default=1.0, description="s of j^-s")

    def build(self) -> WeightErrors:
        """The record."""
        weights = np.arange(1, self.categories, dtype=np.float64) ** -self.exponent
        return WeightErrors(tuple((weights / weights.sum()).tolist()))


class WeightsTable(_Record):
    """Chances of the wrong answers as given."""

    kind: Literal["weights"]
    weights: Annotated[tuple[Share, ...], NUMBERS] = Field(description="one chance for each wrong answer, sum 1")

    def build(self) -> WeightErrors:
        """The record."""
        return WeightErrors(self.weights)


ERRORS: dict[str, type[Table]] = {
    "geometric": GeometricTable,
    "uniform": UniformTable,
    "zipf": ZipfTable,
    "weights": WeightsTable,
}
Errors = Annotated[GeometricTable | UniformTable | ZipfTable | WeightsTable, Field(discriminator="kind")]


class StrategyKeys(Table):
    """Step policy and aggregator."""

    step: str = Field(default="cot", description="step policy")
    branches: Annotated[Whole, Field(ge=1, le=MOST_BRANCHES)] = Field(default=1, description="b, proposals (tot, beam)")
    width: Annotated[Whole, Field(ge=1, le=1024)] = Field(default=2, description="w, particles (beam)")
    evaluator_error: Share = Field(default=0.0, description="chance that the kept proposal is a random one (tot, beam)")
    discount: Annotated[Number, Field(gt=0, lt=1)] = Field(
        default=0.99, description="d of the default score (tot, beam)"
    )
    aggregate: str = Field(default="single", description="what n traces become")
    n: Annotated[Whole, Field(ge=1, le=MOST_TRACES_PER_TASK)] = Field(default=1, description="traces per task")
    feasibility: Literal["per_task", "per_trace"] = Field(default="per_task", description="who draws feasibility")
    verifier: VerifierTable | None = Field(default=None, description="verifier (best_of_n)")
    errors: Errors | None = Field(default=None, description="wrong answers (majority)")
    ties: Literal["random", "wrong"] = Field(default="random", description="what a tied vote becomes (majority)")

    @model_validator(mode="after")
    def _belong(self):
        for key, (decider, values) in BELONGS.items():
            chosen, value = getattr(self, decider), getattr(self, key)
            if chosen not in values and value != type(self).model_fields[key].default:
                raise refuse(f"has no effect with {decider} = {chosen}: remove it, or use {' or '.join(values)}", key)
        if self.step == "beam" and self.branches > 1024:
            raise refuse("must be at most 1024 with step = beam", "branches")
        return self

    def dump(self) -> dict[str, Any]:
        """The keys that have an effect, with their values."""
        idle = {key for key, (decider, values) in BELONGS.items() if getattr(self, decider) not in values}
        return self.model_dump(exclude_none=True, exclude=idle)

    def build(self) -> Strategy:
        """The record.

        Raises:
            InputError: weights of wrong answers that do not sum to 1.
        """
        return Strategy(self._made(STEPS[self.step]), self._made(AGGREGATES[self.aggregate]), self.feasibility)

    def _made(self, kind: type):
        given = {name: getattr(self, name) for name in _keys(kind)}
        built = {name: value.build() if isinstance(value, _Record) else value for name, value in given.items()}
        return kind(**{name: value for name, value in built.items() if value is not None})


def _keys(kind: type) -> list[str]:
    """Fields of a step policy or an aggregator that are keys; one trace is no choice."""
    return [] if kind is Single else [field.name for field in fields(kind)]


def _belongs() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Key -> (the key that decides, its values with which the first one has a meaning)."""
    out: dict[str, tuple[str, tuple[str, ...]]] = {}
    for decider, kinds in (("step", STEPS), ("aggregate", AGGREGATES)):
        for name, kind in kinds.items():
            for key in _keys(kind):
                out[key] = (decider, (*out.get(key, (decider, ()))[1], name))
    return out


BELONGS = _belongs()


def _made_keys() -> dict[str, Any]:
    """The names to choose among, and keys for fields that :class:`StrategyKeys` does not have."""
    types: dict[Any, Any] = {"int": Whole, "float": Number, "bool": Truth, "str": Text}
    chosen = {"step": tuple(STEPS), "aggregate": tuple(AGGREGATES)}
    made: dict[str, Any] = {key: (Literal[names], StrategyKeys.model_fields[key]) for key, names in chosen.items()}
    for kind in (*STEPS.values(), *AGGREGATES.values()):
        for own in fields(kind):
            if own.name not in StrategyKeys.model_fields:
                given = Field(default=own.default, description=f"{own.name} ({kind.name})")
                made[own.name] = (types[own.type], given)
    return made


if TYPE_CHECKING:
    StrategyTable = StrategyKeys
else:
    StrategyTable = create_model("StrategyTable", __base__=StrategyKeys, __module__=__name__, **_made_keys())
    StrategyTable.__doc__ = StrategyKeys.__doc__


def table_of(given: object, told: str) -> dict[str, Any]:
    """The table of a strategy as Python users give it.

    Args:
        given: a :class:`Strategy`, a step policy, an aggregator, a tuple of them, or a table.
        told: the argument, for errors.

    Raises:
        InputError: something else.
    """
    if isinstance(given, Mapping):
        return dict(given)
    parts = (given.step, given.aggregate) if isinstance(given, Strategy) else given
    out: dict[str, Any] = {"feasibility": given.feasibility} if isinstance(given, Strategy) else {}
    for part in parts if isinstance(parts, tuple) else (parts,):
        decider = "step" if type(part) in STEPS.values() else "aggregate"
        name = next((name for name, kind in (STEPS | AGGREGATES).items() if type(part) is kind), None)
        if name is None or decider in out:
            raise InputError(
                f"{told} = {shown(given)}: is no strategy: give a step policy (CoT, ToT, Beam), an aggregator (Single,"
                " BestOfN, Majority), both as a tuple or a Strategy, or a table"
            )
        out[decider] = name
        for key in _keys(type(part)):
            out[key] = _plain(getattr(part, key))
    return out


def _plain(value: object) -> object:
    if isinstance(value, WeightErrors):
        return {"kind": "weights", "weights": list(value.values)}
    if isinstance(value, GeometricErrors):
        return {"kind": "geometric", **asdict(value)}
    return asdict(value) if isinstance(value, Verifier) else value
