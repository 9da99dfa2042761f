"""Parts of skill graphs made by rule: chain, layered, random."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ds3sim.core.check import fraction, whole_number
from ds3sim.core.errors import require
from ds3sim.graph.from_edges import build
from ds3sim.graph.parts import Parts

MOST_SKILLS = 2**16
MOST_EDGES = 2**24
"""Edges of a graph by rule: they are made one by one."""


def chain(skills: int, success: float, feasible: float = 1.0) -> Parts:
    """The paper's solvable instantiation: states 0..m, one step moves on with probability r.

    Args:
        skills: m >= 1.
        success: r in [0, 1].
        feasible: gamma^m in [0, 1].
    """
    m = whole_number("skills", skills, 1, MOST_SKILLS)
    r = fraction("success", success)
    steps = np.arange(m)
    return Parts(
        names=_numbers(m + 1),
        source=steps,
        target=steps + 1,
        probability=np.full(m, r),
        start=np.eye(1, m + 1, 0)[0],
        goal=np.arange(m + 1) == m,
        dead=np.zeros(m + 1, dtype=bool),
        feasible=fraction("feasible", feasible),
    )


@lru_cache(maxsize=64)
def _numbers(size: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(size))


def layered(
    layers: int,
    width: int,
    success: float,
    *,
    back: float = 0.0,
    death: float = 0.0,
    seed: int = 0,
    feasible: float = 1.0,
) -> Parts:
    """``layers`` layers of ``width`` interchangeable skills between a start and a goal.

    A step at layer i reaches some node of layer i+1 with total probability ``success`` (split at
    random among its nodes), falls back to layer i-1 with ``back`` and dies with ``death``. The walk
    begins at ``start`` (layer 0, one node) and ends at ``goal`` (after the last layer), so the
    number of layers moved through is ``layers + 1``.

    Raises:
        InputError: a size below 1, or success + back + death above 1.
    """
    layers, width = whole_number("layers", layers, 1), whole_number("width", width, 1)
    require(layers * width <= MOST_SKILLS, f"layers * width = {layers * width} is more than {MOST_SKILLS} skills")
    most = (layers - 1) * width**2 * (2 if back > 0 else 1)
    require(most <= MOST_EDGES, f"layers of width {width} make {most} edges, more than {MOST_EDGES}: narrow them")
    success, back, death = fraction("success", success), fraction("back", back), fraction("death", death)
    require(
        success + back + death <= 1 + 1e-12,
        f"success + back + death = {success + back + death:g} is above 1: lower one of them",
    )
    rng = np.random.default_rng(whole_number("seed", seed, 0))
    rows = [["start"]] + [[f"s{i + 1}.{j + 1}" for j in range(width)] for i in range(layers)] + [["goal"]]
    edges = []
    for i, row in enumerate(rows[:-1]):
        for name in row:
            edges += _split(name, rows[i + 1], success, rng)
            if i > 0 and back > 0:
                edges += _split(name, rows[i - 1], back, rng)
            edges += [(name, "dead", death)] if death > 0 else []
    dead = ["dead"] if death > 0 else []
    return build(
        edges, start="start", goal="goal", dead=dead, feasible=feasible, where="layered graph", require_path=False
    )


def _split(name: str, targets: list[str], total: float, rng: Any) -> list[tuple[str, str, float]]:
    shares = rng.dirichlet(np.ones(len(targets))) * total
    return [(name, t, float(p)) for t, p in zip(targets, shares, strict=True)]


def random(
    skills: int,
    success: float,
    *,
    degree: int = 4,
    death: float = 0.0,
    seed: int = 0,
    feasible: float = 1.0,
) -> Parts:
    """A random skill graph on ``skills`` nodes s0 (start) .. s{n-1} (goal).

    Every other node sends total probability ``success`` to ``degree`` distinct others (one of them
    the next node, so the goal can be reached) and ``death`` to a dead node.

    Raises:
        InputError: skills below 2, degree not in 1..skills-1, or success + death above 1.
    """
    skills = whole_number("skills", skills, 2, MOST_SKILLS)
    degree = whole_number("degree", degree, 1)
    require(degree < skills, f"degree = {degree} is too large: {skills} skills have at most {skills - 1} successors")
    require(skills * degree <= MOST_EDGES, f"skills * degree = {skills * degree} is more than {MOST_EDGES} edges")
    success, death = fraction("success", success), fraction("death", death)
    require(success + death <= 1 + 1e-12, f"success + death = {success + death:g} is above 1: lower one of them")
    rng = np.random.default_rng(whole_number("seed", seed, 0))
    edges = []
    for i in range(skills - 1):
        others = rng.choice(skills - 2, size=degree - 1, replace=False)  # all but i and i + 1, see next line
        chosen = [i + 1, *(j + 2 if j >= i else j for j in others.tolist())]
        edges += _split(f"s{i}", [f"s{j}" for j in chosen], success, rng)
        edges += [(f"s{i}", "dead", death)] if death > 0 else []
    return build(
        edges,
        start="s0",
        goal=f"s{skills - 1}",
        dead=["dead"] if death > 0 else [],
        feasible=feasible,
        where="random graph",
        require_path=False,
    )
