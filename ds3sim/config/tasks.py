"""The [tasks] table: distributions of tasks, in place of [graph].

A task is a chain of m skills (docs/theory.md section 1a). Its step success r is given as such, or follows by (25) from
the difficulty L0 and the model's training loss, or a task is of m skills of level l and the model's training decides.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from ds3sim.config import values as v
from ds3sim.config.models import LossModel, TripartiteModel
from ds3sim.core.errors import InputError, require
from ds3sim.task.mixture import TaskMixture
from ds3sim.theory.loss import step_success

MOST_TASKS = 200_000
KINDS = ("success", "difficulty", "level")
_NORMAL_POINTS = 21


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list | tuple) else v.number(value)


SkillCount = Annotated[v.Whole, Field(ge=1, le=10**5)]
Levels = Annotated[tuple[Annotated[v.Whole, Field(ge=1, le=10_000)], ...], v.WHOLES]
Nested = Annotated[Any, BeforeValidator(_nested, json_schema_input_type=list[float] | list[list[float]])]


class NormalTable(v.Table):
    """A normal law."""

    mean: v.Number = v.key(..., "mean")
    sd: v.NotNegative = v.key(..., "standard deviation")


class GroupTable(v.Table):
    """Tasks of equally many skills, whose difficulty is normal."""

    skills: SkillCount = v.key(..., "m")
    weight: v.NotNegative = v.key(1.0, "share of the tasks, relative")
    difficulty: NormalTable = v.key(..., "mean and sd of L0")


class TasksTable(v.Table):
    """A distribution phi over (m, r), or with a [model] over (m, L0) or (m, l)."""

    skills: Annotated[tuple[SkillCount, ...], v.WHOLES] | None = v.key(None, "m, skills of each kind of task")
    success: v.Shares | None = v.key(None, "r, chance that one step moves on")
    difficulty: v.Numbers | None = v.key(None, "L0, the loss at which a step succeeds half as often")
    level: Levels | None = v.key(None, "l, level of the skills")
    weights: Nested | None = v.key(None, "phi: one row for each m; with zip = true a list; uniform when left out")
    zip: v.Truth = v.key(False, "true: the i-th m goes with the i-th r, L0 or l")
    feasible: v.Share = v.key(1.0, "gamma^m, probability that the task is feasible")
    groups: tuple[GroupTable, ...] | None = v.key(None, "instead: groups of equal m, L0 normal")

    @model_validator(mode="after")
    def _shape(self) -> Self:
        kinds = [name for name in KINDS if getattr(self, name) is not None]
        if self.groups is not None:
            if kinds or self.skills is not None or self.weights is not None:
                raise v.refuse("stands beside skills, weights or values: keep one way to give the tasks", "groups")
            if not any(group.weight > 0 for group in self.groups):
                raise v.refuse("needs at least one group of a weight above 0", "groups")
            return self
        if self.skills is None:
            raise v.refuse("is missing: give skills, or groups", "skills")
        if len(kinds) != 1:
            raise v.refuse("needs one of success (r), difficulty (L0) and level (l)")
        if self.level is not None and self.feasible != 1.0:
            raise v.refuse("has no effect with level, which decides it: remove it", "feasible")
        m, r = len(self.skills), len(getattr(self, kinds[0]))
        if self.zip and m != r:
            raise v.refuse(f"has {m} skills and {r} {kinds[0]}: with zip = true they go in pairs")
        if (m if self.zip else m * r) > MOST_TASKS:
            raise v.refuse(f"has {m * r:,} tasks: at most {MOST_TASKS:,}")
        self._check_weights((m,) if self.zip else (m, r), kinds[0])
        return self

    def _check_weights(self, wanted: tuple[int, ...], kind: str) -> None:
        if self.weights is None:
            return
        try:
            shape = np.shape(self.weights)
        except ValueError:
            shape = ("ragged",)
        if shape != wanted:
            m, r = wanted[0], wanted[-1]
            rows = f"{m} lists of {r} (one for each m, in it one for each {kind})"
            raise v.refuse(f"must be {f'a list of {m}' if self.zip else rows}", "weights")
        phi = np.asarray(self.weights, dtype=np.float64)
        if not (np.all(phi >= 0) and phi.sum() > 0):
            raise v.refuse("must be at least 0, and not all 0", "weights")

    @property
    def kind(self) -> str:
        """What stands beside the skills: success, difficulty or level."""
        if self.groups is not None:
            return "difficulty"
        return next(name for name in KINDS if getattr(self, name) is not None)

    @property
    def each(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """m, the value beside it, and the weight of every task, [T]; weights are not scaled."""
        if self.groups is not None:
            # Gauss-Hermite nodes stand for the normal law.
            nodes, share = np.polynomial.hermite_e.hermegauss(_NORMAL_POINTS)
            share = share / share.sum()
            value = np.concatenate([g.difficulty.mean + g.difficulty.sd * nodes for g in self.groups])
            skills = np.repeat([g.skills for g in self.groups], nodes.size)
            return skills, value, np.concatenate([g.weight * share for g in self.groups])
        skills, value = np.array(self.skills), np.array(getattr(self, self.kind))
        if not self.zip:
            skills, value = (grid.ravel() for grid in np.meshgrid(skills, value, indexing="ij"))
        weight = np.ones(len(skills)) if self.weights is None else np.ravel(np.asarray(self.weights, dtype=np.float64))
        return skills, value, weight

    def mixture(self, model: LossModel | TripartiteModel | None) -> TaskMixture:
        """The distribution over (m, r), of tasks whose success or difficulty is given; errors as :meth:`check`."""
        self.check(model)
        skills, value, weight = self.each
        if self.kind == "difficulty":
            assert isinstance(model, LossModel)
            bridge = model.bridge
            value = np.atleast_1d(step_success(model.training_loss, value, bridge.a, bridge.d, bridge.iota, bridge.b))
        return TaskMixture.of(skills, value, np.full(len(skills), self.feasible), weight)

    def check(self, model: LossModel | TripartiteModel | None) -> None:
        """Refuse a model that does not fit the tasks. InputError: what is missing, or has no effect."""
        kind = self.kind
        if self.level is not None:
            if not isinstance(model, TripartiteModel):
                raise InputError('tasks.level needs the training side: add [model] with kind = "tripartite"')
            top, above = max(self.level), f"is above the {model.levels} levels of the model"
            require(top <= model.levels, f"tasks.level = {top}: {above}: lower it, or raise model.levels")
        elif isinstance(model, TripartiteModel):
            raise InputError(f"model.kind = tripartite needs tasks.level in place of tasks.{kind}")
        elif kind == "success":
            require(model is None, "[model] has no effect with tasks.success: remove it, or give tasks.difficulty")
        elif model is None:
            need = "add [model] with loss = 2.0, or with parameters and tokens"
            raise InputError(f"tasks.difficulty needs the model's training loss: {need}")
        else:
            _ = model.training_loss
