"""Older names of :mod:`ds3sim.config.study`, for callers that are about to change."""

from __future__ import annotations

from ds3sim.config.entries import Entry
from ds3sim.config.read import read_config
from ds3sim.config.study import Study as SweepPlan
from ds3sim.config.study import study_of
from ds3sim.core.errors import require

__all__ = ["Entry", "SweepPlan", "read_sweep"]


def read_sweep(path: str, overrides: tuple = (), *, need_axes: bool = True) -> SweepPlan:
    """The study of a TOML file."""
    out = study_of(read_config(path, overrides))
    require(
        not need_axes or len(out.axes) > 0,
        f'{path}: has no axes: add [sweep.axes] with a key and its values, as in "graph.success" = [0.1, 0.2]',
    )
    return out
