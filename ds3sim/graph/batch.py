"""Batches of graphs as one tensor [..., S, S]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ds3sim.core.errors import require
from ds3sim.graph.graph import DENSE_LIMIT, SkillGraph


@dataclass(frozen=True, eq=False)
class TensorBatch:
    """Transition tensors of B graphs, padded to one number of states.

    Padding states are dead, absorbing and never entered, so they change no number.

    Attributes:
        tensor: float64 [B, S, S], rows sum to 1.
        start: float64 [B, S].
        goal, dead: bool [B, S].
        sizes: int64 [B], the number of states of each graph.
    """

    tensor: np.ndarray = field(repr=False)
    start: np.ndarray = field(repr=False)
    goal: np.ndarray = field(repr=False)
    dead: np.ndarray = field(repr=False)
    sizes: np.ndarray


def stack(graphs: Sequence[SkillGraph], tensors: Sequence[np.ndarray] | None = None) -> TensorBatch:
    """One batch of many graphs.

    Args:
        graphs: B >= 1 graphs.
        tensors: their transition tensors, float64 [S_i, S_i] each, where a step policy has changed
            them; None takes the graphs' own.

    Raises:
        InputError: no graph, a tensor that does not fit its graph, or a batch above the limit of a
            dense tensor.
    """
    require(len(graphs) > 0, "a batch needs at least one graph")
    require(tensors is None or len(tensors) == len(graphs), "a batch needs one tensor for each graph")
    sizes = np.array([graph.size for graph in graphs], dtype=np.int64)
    most = int(sizes.max())
    need = len(graphs) * most**2 * 8
    require(
        need <= DENSE_LIMIT,
        f"a batch of {len(graphs)} graphs of up to {most} nodes needs {need / 2**30:.1f} GiB, more than the"
        f" {DENSE_LIMIT / 2**30:.0f} GiB allowed: make smaller batches",
    )
    tensor = np.broadcast_to(np.eye(most), (len(graphs), most, most)).copy()
    start = np.zeros((len(graphs), most))
    goal, dead = np.zeros((len(graphs), most), dtype=bool), np.ones((len(graphs), most), dtype=bool)
    for i, graph in enumerate(graphs):
        own = graph.transition_tensor() if tensors is None else np.asarray(tensors[i], dtype=np.float64)
        require(
            own.shape == (graph.size, graph.size), f"tensor {i} has shape {own.shape}, its graph {graph.size} nodes"
        )
        inside = slice(0, graph.size)
        tensor[i, inside, inside], start[i, inside] = own, graph.start
        goal[i, inside], dead[i, inside] = graph.goal, graph.dead
    return TensorBatch(tensor, start, goal, dead, sizes)
