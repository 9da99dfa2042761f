"""Distributions of tasks: a [tasks] table in place of [graph], and the [model] that its difficulties need.

A task is a chain of m skills (docs/theory.md section 1a). Its step success r is given as such, or
follows by (25) from the difficulty L0 and the model's training loss, or a task is of m skills of level l and
the model's training decides (:mod:`ds3sim.config.training`). Success and steps of a distribution phi are
the weighted means over its tasks.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from ds3sim.config import tables as c
from ds3sim.config.read import choose_from, shown
from ds3sim.config.training import TripartiteModel
from ds3sim.core.errors import InputError, require
from ds3sim.task.mixture import Part
from ds3sim.theory.loss import loss, step_success


def _nested(value):
    return tuple(_nested(v) for v in value) if isinstance(value, list | tuple) else c._number(value)


Skills = Annotated[tuple[Annotated[c.Whole, Field(ge=1, le=c.MOST_SKILLS)], ...], BeforeValidator(c._some)]
Fractions = Annotated[tuple[c.Fraction, ...], BeforeValidator(c._some)]
Numbers = Annotated[tuple[c.Number, ...], BeforeValidator(c._some)]
Levels = Annotated[tuple[Annotated[c.Whole, Field(ge=1, le=10_000)], ...], BeforeValidator(c._some)]
Nested = Annotated[Any, BeforeValidator(_nested)]
MOST_TASKS = 10**5


class Tasks(c.Model):
    """A distribution phi over (m, r), or with a [model] over (m, L0) or (m, l)."""

    skills: Skills = Field(description="m, skills of each kind of task")
    success: Fractions | None = Field(default=None, description="r, chance that one step moves on")
    difficulty: Numbers | None = Field(default=None, description="L0, the loss at which a step succeeds half as often")
    level: Levels | None = Field(
        default=None,
        description="l, level of the skills; two numbers are an inclusive range, as they then are in skills",
    )
    weights: Nested | None = Field(
        default=None, description="phi: one row for each m; with zip = true a list; uniform when left out"
    )
    zip: c.Truth = Field(False, description="true: the i-th m goes with the i-th r, L0 or l")
    feasible: c.Fraction = Field(default=1.0, description="gamma^m, probability that the task is feasible")

    @model_validator(mode="after")
    def _shape(self):
        kinds = [key for key in ("success", "difficulty", "level") if getattr(self, key) is not None]
        if len(kinds) != 1:
            raise c.refuse("needs one of success (r), difficulty (L0) and level (l)")
        other = kinds[0]
        if self.level is not None and self.feasible != 1.0:
            raise c.refuse("has no effect with level, which decides it: remove it", "feasible")
        for key in ("level", "skills") if self.level is not None else ():
            low, high = getattr(self, key)[0], getattr(self, key)[-1]
            if len(getattr(self, key)) == 2 and high < low and not self.zip:
                raise c.refuse("must be a range from low to high", key)
        values, skills = self.spans if other == "level" else (getattr(self, other), self.skills)
        m, r = len(skills), len(values)
        if self.zip and m != r:
            raise c.refuse(f"has {m} skills and {r} {other}: with zip = true they go in pairs")
        if (m if self.zip else m * r) > MOST_TASKS:
            raise c.refuse(f"has {m * r:,} tasks: at most {MOST_TASKS:,}")
        if self.weights is not None:
            wanted = (m,) if self.zip else (m, r)
            try:
                shape = np.shape(self.weights)
            except ValueError:
                shape = ("ragged",)
            if shape != wanted:
                want = (
                    f"a list of {m}" if self.zip else f"{m} lists of {r} (one for each m, in it one for each {other})"
                )
                raise c.refuse(f"must be {want}", "weights")
            phi = np.asarray(self.weights, dtype=np.float64)
            if not (np.all(phi >= 0) and phi.sum() > 0):
                raise c.refuse("must be at least 0, and not all 0", "weights")
        return self

    @property
    def spans(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Levels and skills of tasks (l, m), ranges written out.

        Two numbers are an inclusive range, unless ``zip`` or ``weights`` takes them one by one.
        """
        levels, skills = self.level or (), self.skills
        if self.zip:
            return levels, skills
        try:
            shape = np.shape(self.weights) if self.weights is not None else ()
        except ValueError:
            shape = ()
        rows, columns = shape if len(shape) == 2 else (None, None)
        return _span(levels, columns), _span(skills, rows)


def _span(values: tuple[int, ...], wanted: int | None) -> tuple[int, ...]:
    return values if len(values) != 2 or wanted == 2 else tuple(range(values[0], values[1] + 1))


class LanguageModel(c.Model):
    """The model whose training loss decides step success, (24) and (25)."""

    kind: Literal["loss"] = Field(default="loss", description="loss, or tripartite: the training side")
    loss: Annotated[c.Number, Field(gt=0)] | None = Field(
        default=None, description="L, training loss in nats per token"
    )
    parameters: Annotated[c.Number, Field(gt=0)] | None = Field(default=None, description="N, for (24)")
    tokens: Annotated[c.Number, Field(gt=0)] | None = Field(default=None, description="D, training tokens, for (24)")
    constants: Literal["hoffmann", "hoffmann_source", "epoch"] = Field(default="hoffmann", description="of (24)")
    steepness: Annotated[c.Number, Field(gt=0)] = Field(default=5.0, description="b of (25)")
    scale: Annotated[c.Number, Field(gt=0)] = Field(default=1.0, description="a of (25)")
    offset: c.Number = Field(default=0.0, description="d of (25)")
    iota: Annotated[c.Number, Field(gt=0)] = Field(default=1.0, description="iota of (25)")

    @model_validator(mode="after")
    def _one_source(self):
        if self.loss is None and (self.parameters is None or self.tokens is None):
            raise c.refuse("needs loss, or parameters and tokens")
        if self.loss is not None and (self.parameters is not None or self.tokens is not None):
            raise c.refuse("stands beside parameters or tokens: keep one of them", "loss")
        return self

    @property
    def training_loss(self) -> float:
        """L: as given, or (24)."""
        if self.loss is not None:
            return self.loss
        assert self.parameters is not None and self.tokens is not None
        return float(loss(self.parameters, self.tokens, self.constants))


AnyLanguageModel = LanguageModel | TripartiteModel
MODELS: dict[str, type[LanguageModel] | type[TripartiteModel]] = {"loss": LanguageModel, "tripartite": TripartiteModel}


def model_of(table) -> type[LanguageModel] | type[TripartiteModel]:
    """The class of a raw [model] table; an unknown kind is left to :func:`known_model`."""
    kind = table.get("kind", "loss") if isinstance(table, dict) else "loss"
    return MODELS.get(kind, LanguageModel) if isinstance(kind, str) else LanguageModel


def known_model(table, place) -> type[LanguageModel] | type[TripartiteModel]:
    """As :func:`model_of`; refuses an unknown kind, and keys of the other one.

    Raises:
        InputError: one line that names the key.
    """
    kind = table.get("kind", "loss") if isinstance(table, dict) else "loss"
    if not isinstance(kind, str) or kind not in MODELS:
        told = choose_from(kind, list(MODELS))
        raise InputError(f"{place(('model', 'kind'))}: model.kind = {shown(kind)}: {told}")
    model = MODELS[kind]
    for key in table if isinstance(table, dict) else ():
        for other, home in MODELS.items():
            if key not in model.model_fields and key in home.model_fields:
                raise InputError(
                    f"{place(('model', key))}: model.{key} has no effect with model.kind = {kind}: remove it, or use"
                    f' kind = "{other}"'
                )
    return model


def tables_of(data) -> dict[tuple[str, ...], type[c.Model]]:
    """The tables that a sweep has beyond those of a run, for the raw config ``data``."""
    return {("tasks",): Tasks, ("model",): model_of(data.get("model"))}


def parts_of(tasks: Tasks, model: AnyLanguageModel | None, source: str = "config") -> tuple[Part, ...]:
    """The parts of a distribution, those of weight 0 left out, equal ones put together.

    Raises:
        InputError: difficulties without a [model].
    """
    if isinstance(model, TripartiteModel):
        other = "difficulty" if tasks.success is None else "success"
        raise InputError(f"{source}: model.kind = tripartite needs tasks.level in place of tasks.{other}")
    if tasks.success is not None:
        require(
            model is None,
            f"{source}: [model] has no effect with tasks.success: remove it, or give tasks.difficulty",
        )
        rates = np.array(tasks.success)
    else:
        if model is None:
            raise InputError(
                f"{source}: tasks.difficulty needs the model's training loss: add [model] with loss = 2.0, or with"
                " parameters and tokens"
            )
        ease = np.array(tasks.difficulty)
        rates = np.atleast_1d(
            step_success(model.training_loss, ease, model.scale, model.offset, model.iota, model.steepness)
        )
    skills = np.array(tasks.skills)
    if tasks.zip:
        pairs = (skills, rates)
    else:
        pairs = tuple(a.ravel() for a in np.meshgrid(skills, rates, indexing="ij"))
    weights = np.ones(len(pairs[0])) if tasks.weights is None else np.ravel(np.asarray(tasks.weights, dtype=np.float64))
    summed: dict[tuple[int, float], float] = {}
    for m, r, weight in zip(pairs[0].tolist(), pairs[1].tolist(), weights.tolist(), strict=True):
        if weight > 0:
            summed[m, r] = summed.get((m, r), 0.0) + weight
    total = math.fsum(summed.values())
    return tuple(Part(m, r, tasks.feasible, weight / total) for (m, r), weight in summed.items())
