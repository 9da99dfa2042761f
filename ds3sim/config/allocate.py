"""From a config with [allocate] to the problem that an allocation solves."""

from __future__ import annotations

import numpy as np

from ds3sim.allocate.solve import Problem
from ds3sim.config.models import LossModel
from ds3sim.config.say import missing
from ds3sim.config.tables import AllocateTable, Config, CostTable
from ds3sim.core.errors import require
from ds3sim.theory.difficulty import Difficulty
from ds3sim.theory.loss import LossConstants
from ds3sim.theory.spending import Box


def allocate_table(config: Config) -> AllocateTable:
    """The [allocate] table.

    Raises:
        InputError: the config has none, or has no tasks of difficulties.
    """
    origin = config.origin
    for name in ("allocate", "tasks"):
        require(getattr(config, name) is not None, f"{origin.source}: {missing((name,), origin.raw)}")
    assert config.allocate is not None and config.tasks is not None
    require(
        config.tasks.kind == "difficulty",
        f"{origin.source}: an allocation needs tasks.difficulty in place of tasks.{config.tasks.kind}",
    )
    require(
        config.model is None or isinstance(config.model, LossModel),
        f"{origin.place(('model', 'kind'))}: model.kind = tripartite: an allocation needs kind = loss",
    )
    cost = config.cost or CostTable()
    require(
        cost.prompt_tokens == 0 or cost.aspect is not None or cost.table is not None,
        f"{origin.place(('cost', 'prompt_tokens'))}: cost.prompt_tokens = {cost.prompt_tokens:g} has no effect without"
        " attention: add aspect or table, or remove it",
    )
    return config.allocate


def problem_of(config: Config, constants: LossConstants | None = None) -> Problem:
    """The problem of a config, with other loss ``constants`` where given.

    Raises:
        InputError: the config lacks a table that an allocation needs.
    """
    table, cost = allocate_table(config), config.cost or CostTable()
    model = config.model if isinstance(config.model, LossModel) else LossModel()
    tasks = config.tasks
    assert tasks is not None
    skills, ease, weights = tasks.each
    if not tasks.zip and tasks.groups is None:  # L0 by L0: the order of the sums
        assert tasks.skills is not None
        skills, ease, weights = (np.reshape(v, (len(tasks.skills), -1)).T.ravel() for v in (skills, ease, weights))
    return Problem(
        tasks=Difficulty(ease, skills, weights, model.bridge),
        demand=table.tasks,
        constants=constants or table.constants,
        kappa=table.kappa,
        tokens_per_step=cost.tokens_per_step,
        prompt_tokens=cost.prompt_tokens,
        shape=cost.shape,
        box=Box(config.box.parameters, config.box.tokens, config.box.steps),
    )
