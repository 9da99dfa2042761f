"""The table of a strategy, and the way from it to the records and back.

The names and keys follow from ``STEP_POLICIES`` and ``AGGREGATORS``: a key is called as the field is. The ranges and
descriptions of keys are written out here; a field without any becomes a key of its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, create_model, model_validator

from ds3sim.config.values import NUMBERS, NotNegative, Number, Share, Table, Text, Truth, Whole, by_kind, key, refuse
from ds3sim.core.errors import InputError, shown
from ds3sim.task.aggregate import AGGREGATORS, MOST_TRACES_PER_TASK, Single, Verifier
from ds3sim.task.steps import MOST_BRANCHES, STEP_POLICIES
from ds3sim.task.task import Strategy
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors
from ds3sim.theory.votes import zipf_weights


class _Record(Table):
    """A table that stands for a record, whose fields are its keys."""

    record: ClassVar[type[Any]]

    def build(self) -> Any:
        """The record."""
        return self.record(**self.model_dump(exclude={"kind"}))


STEPS: dict[str, type[Any]] = {kind.name: kind for kind in STEP_POLICIES}
AGGREGATES: dict[str, type[Any]] = {kind.name: kind for kind in AGGREGATORS}


class VerifierTable(_Record):
    """Which traces of best_of_n are accepted."""

    record = Verifier
    true_positive: Share = key(1.0, "chance to accept a correct trace")
    false_positive: Share = key(0.0, "chance to accept a wrong trace")
    fallback: Literal["random", "abstain"] = key("random", "when no trace is accepted")


Categories = Annotated[Whole, Field(ge=2, le=4096)]


class GeometricTable(_Record):
    """(11): truncated geometric wrong answers."""

    record = GeometricErrors
    kind: Literal["geometric"] = "geometric"
    categories: Categories = key(11, "M, answers, the correct one included")
    decay: Share = key(0.746, "lambda")


class UniformTable(_Record):
    """All wrong answers alike."""

    kind: Literal["uniform"]
    categories: Categories = key(11, "M, answers, the correct one included")

    def build(self) -> GeometricErrors:
        return GeometricErrors(self.categories, 1.0)


class ZipfTable(_Record):
    """The j-th wrong answer has weight j^-exponent."""

    kind: Literal["zipf"]
    categories: Categories = key(11, "M, answers, the correct one included")
    exponent: Annotated[NotNegative, Field(le=100)] = key(1.0, "s of j^-s")

    def build(self) -> WeightErrors:
        return WeightErrors(tuple(zipf_weights(self.categories, self.exponent).tolist()))


class WeightsTable(_Record):
    """Chances of the wrong answers as given."""

    kind: Literal["weights"]
    weights: Annotated[tuple[Share, ...], NUMBERS] = key(..., "one chance for each wrong answer, sum 1")

    def build(self) -> WeightErrors:
        return WeightErrors(self.weights)


Errors = Annotated[GeometricTable | UniformTable | ZipfTable | WeightsTable, Field(discriminator="kind")]
ERRORS = by_kind(Errors)


class StrategyKeys(Table):
    """Step policy and aggregator."""

    step: str = key("cot", "step policy")
    branches: Annotated[Whole, Field(ge=1, le=MOST_BRANCHES)] = key(1, "b, proposals (tot, beam)")
    width: Annotated[Whole, Field(ge=1, le=1024)] = key(2, "w, particles (beam)")
    evaluator_error: Share = key(0.0, "chance that the kept proposal is a random one (tot, beam)")
    discount: Annotated[Number, Field(gt=0, lt=1)] = key(0.99, "d of the default score (tot, beam)")
    aggregate: str = key("single", "what n traces become")
    n: Annotated[Whole, Field(ge=1, le=MOST_TRACES_PER_TASK)] = key(1, "traces per task")
    feasibility: Literal["per_task", "per_trace"] = key("per_task", "who draws feasibility")
    verifier: VerifierTable | None = key(None, "verifier (best_of_n)")
    errors: Errors | None = key(None, "wrong answers (majority)")
    ties: Literal["random", "wrong"] = key("random", "what a tied vote becomes (majority)")

    @model_validator(mode="after")
    def _belong(self) -> Self:
        for name, (decider, values) in BELONGS.items():
            chosen, value = getattr(self, decider), getattr(self, name)
            if chosen not in values and value != type(self).model_fields[name].default:
                raise refuse(f"has no effect with {decider} = {chosen}: remove it, or use {' or '.join(values)}", name)
        if self.step == "beam" and self.branches > 1024:
            raise refuse("must be at most 1024 with step = beam", "branches")
        return self

    def dump(self) -> dict[str, Any]:
        """The keys that have an effect, with their values."""
        idle = {key for key, (decider, values) in BELONGS.items() if getattr(self, decider) not in values}
        return self.model_dump(exclude_none=True, exclude=idle)

    def build(self) -> Strategy:
        """The record. InputError: weights of wrong answers that do not sum to 1."""
        return Strategy(self._made(STEPS[self.step]), self._made(AGGREGATES[self.aggregate]), self.feasibility)

    def _made(self, kind: type[Any]) -> Any:
        given = {name: getattr(self, name) for name in _keys(kind)}
        built = {name: value.build() if isinstance(value, _Record) else value for name, value in given.items()}
        return kind(**{name: value for name, value in built.items() if value is not None})


def _keys(kind: type[Any]) -> list[str]:
    """Fields of a step policy or an aggregator that are keys; one trace is no choice."""
    return [] if kind is Single else [field.name for field in fields(kind)]


def _belongs() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Key -> (the key that decides, its values with which the first one has a meaning)."""
    out: dict[str, tuple[str, tuple[str, ...]]] = {}
    for decider, kinds in (("step", STEPS), ("aggregate", AGGREGATES)):
        for name, kind in kinds.items():
            for own in _keys(kind):
                out[own] = (decider, (*out.get(own, (decider, ()))[1], name))
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


def table_of(given: object, told: str) -> dict[str, Any] | None:
    """The table of a strategy as Python users give it: a record, a policy, an aggregator, a tuple, or a table."""
    if given is None or isinstance(given, Mapping):
        return None if given is None else dict(given)
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
        out |= {own: _plain(getattr(part, own)) for own in _keys(type(part))}
    return out


def _plain(value: object) -> object:
    if isinstance(value, WeightErrors):
        return {"kind": "weights", "weights": list(value.values)}
    if isinstance(value, GeometricErrors):
        return {"kind": "geometric", **asdict(value)}
    return asdict(value) if isinstance(value, Verifier) else value
