"""Every contender behind one signature: sample(traces, seed) -> counts in the bins of ``cases.Law``.

``ds3sim`` returns (hits, traces) at the largest budget instead: its tally is what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from benchmarks.cases import Case

MACRO = 8
"""Steps of a macro step in ``numba-macro``."""

CONTENDERS = {
    "ds3sim": "the traces engine; Threefry-2x32 with 20 rounds, addressed by counter",
    "numba": "numba, alias table, one draw a step, one trace after the other on each core; xoroshiro128+",
    "numba-4": "the same with four traces in flight on each core: the strongest per-step loop here",
    "numpy": "NumPy, all traces in lockstep, cumulative rows and searchsorted; PCG64",
    "numba-macro": f"a limit, not a peer: numba-4 with one draw for {MACRO} steps",
}
"""Names and descriptions, in the order of a round."""


def contender(name: str, case: Case) -> Callable[[int, int], np.ndarray | tuple[int, int]]:
    """The sampling function of one contender for one case.

    Raises:
        ImportError: what it needs is not installed.
        KeyError: an unknown name.
    """
    if name == "ds3sim":
        return _ours(case)
    if name == "numpy":
        return lambda traces, seed: numpy_lockstep(case, traces, seed)
    walks, stride = {"numba": (1, 1), "numba-4": (4, 1), "numba-macro": (4, MACRO)}[name]
    from benchmarks.loops import sample
    from benchmarks.tables import Tables

    tables = Tables.of(case.graph, stride)
    return lambda traces, seed: sample(tables, case.steps, traces, seed, walks)


def _ours(case: Case):
    from ds3sim.engine.simulate import simulate
    from ds3sim.task.task import Task

    task = Task(case.graph, steps=case.steps)

    def sample(traces: int, seed: int) -> tuple[int, int]:
        tally = simulate(task, traces=traces, seed=seed)
        # Reading a number makes sure that everything has been computed.
        share = float(np.ravel(tally.success(case.steps).estimate)[0])
        return round(share * traces), traces

    return sample


def numpy_lockstep(case: Case, traces: int, seed: int, chunk: int = 2**16) -> np.ndarray:
    """All traces of a chunk step together; those that ended are dropped.

    One searchsorted over all rows at once: row s of the cumulative table is shifted by s, so the
    sought value is s + u. The last entry of a row is exactly s + 1.
    """
    graph = case.graph
    tensor = graph.transition_tensor()
    rows, targets = np.nonzero(tensor)
    begin = np.searchsorted(rows, np.arange(graph.size + 1))
    cumulative = np.concatenate(
        [np.minimum(np.cumsum(tensor[s, targets[a:b]]), 1.0) + s for s, (a, b) in enumerate(pairwise(begin))]
    )
    cumulative[begin[1:] - 1] = np.arange(1, graph.size + 1)
    ended = graph.goal | graph.dead
    rng = np.random.default_rng(seed)
    counts = np.zeros((2, case.steps + 1), dtype=np.int64)
    for first in range(0, traces, chunk):
        size = min(chunk, traces - first)
        state = rng.choice(graph.size, size=size, p=graph.start)
        for k in range(case.steps + 1):
            if k > 0:
                state = targets[np.searchsorted(cumulative, state + rng.random(state.size), side="right")]
            stop = ended[state]
            if stop.any():
                counts[0, k] += np.count_nonzero(graph.goal[state])
                counts[1, k] += np.count_nonzero(graph.dead[state])
                state = state[~stop]
    return np.append(counts.ravel(), traces - counts.sum())
