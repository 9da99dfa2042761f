"""From a config with [allocate] to the problem that an allocation solves."""

from __future__ import annotations

import numpy as np

from ds3sim.allocate.solve import Problem
from ds3sim.config.models import LossModel, TripartiteModel
from ds3sim.config.say import missing
from ds3sim.config.tables import AllocateTable, Config, CostTable
from ds3sim.core.errors import InputError, require
from ds3sim.theory.difficulty import Difficulty
from ds3sim.theory.loss import LossConstants
from ds3sim.theory.spending import Box


def allocate_table(config: Config) -> AllocateTable:
    """The [allocate] table. InputError: the config has none, or has no tasks of difficulties."""
    origin, table, tasks, cost = config.origin, config.allocate, config.tasks, config.cost or CostTable()
    if table is None or tasks is None:
        raise InputError(f"{origin.source}: {missing(('tasks' if table else 'allocate',), origin.raw)}")
    need = f"an allocation needs tasks.difficulty in place of tasks.{tasks.kind}"
    require(tasks.kind == "difficulty", f"{origin.source}: {need}")
    own = f"{origin.place(('model', 'kind'))}: model.kind = tripartite"
    require(not isinstance(config.model, TripartiteModel), f"{own}: an allocation needs kind = loss")
    idle = f"{origin.place(('cost', 'prompt_tokens'))}: cost.prompt_tokens = {cost.prompt_tokens:g} has no effect"
    charged = cost.prompt_tokens == 0 or cost.aspect is not None or cost.table is not None
    require(charged, f"{idle} without attention: add aspect or table, or remove it")
    return table


def problem_of(config: Config, constants: LossConstants | None = None) -> Problem:
    """The problem of a config, with other loss ``constants`` where given. InputError: the config lacks a table that an
    allocation needs.
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
